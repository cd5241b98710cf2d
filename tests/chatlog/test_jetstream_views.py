"""Whether a stream is still the one that was seen (rule L2)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from godwit.chatlog.jetstream_records import Stored, text_of
from godwit.chatlog.jetstream_streams import NO_STREAM, PARTITIONS, ApiError, Found, Layout
from godwit.chatlog.jetstream_views import Doubt, View, Views
from godwit.errors import ChatLogUnavailable, LogNotPrepared
from godwit.settings import LogSettings

LAYOUT = Layout("main", 1)
OLD, NEW = "godwit-main-0-aa", "godwit-main-0-bb"
CONFIG: dict[str, Any] = {
    "metadata": {"godwit.version": "1", "godwit.streams": "1", "godwit.partitions": str(PARTITIONS)},
    "republish": {"src": "a", "dest": "b"},
}
AT_ONCE = Doubt(0.0, 0.0)
"""The second look decides."""
NEVER = Doubt(1e9, 1e9)


class Api:
    """A server whose one stream is as the test wants it."""

    def __init__(self) -> None:
        self.name: str | None = OLD
        self.last = 10
        self.born = True
        self.time = 1_000_000.0
        self.silent = False
        self.stored: dict[int, float] = {}
        self.looked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def names(self) -> dict[int, str]:
        return {0: self.name} if self.name else {}

    async def look(self, number: int, name: str, within: float = 0.0) -> Found:
        if self.silent:
            raise ChatLogUnavailable("no leader")
        if name != self.name:
            raise ApiError(404, NO_STREAM, "stream not found")
        found = Found(number, name, CONFIG, self.last, self.last, text_of(self.time), self.born)
        self.looked.set()
        await self.may_answer.wait()
        return found

    async def message(self, name: str, which: dict[str, Any], within: float = 0.0) -> dict[str, Any] | None:
        time = self.stored.get(which["seq"])
        return {"time": text_of(time)} if time else None


class World:
    """One stream and what its owner was told of it."""

    def __init__(self, doubt: Doubt = AT_ONCE) -> None:
        self.api = Api()
        self.told: list[tuple[str, bool]] = []
        self.views = Views(
            self.api,  # type: ignore[arg-type]
            LAYOUT,
            LogSettings(max_age=100.0),
            lambda view, anew: self.told.append((view.id, anew)),
            doubt,
        )

    async def find(self) -> View:
        await self.views.find()
        self.told.clear()
        return self.views.of("room")


def record(sequence: int, time: float) -> Stored:
    return Stored("godwit.main.0.8.room", sequence, 0, time, None, b"")


async def test_found_and_ready() -> None:
    world = World()
    view = await world.find()
    assert (view.id, view.ready, view.known) == (OLD, True, 10)
    view.require_ready()
    assert await world.views.look() == 1
    assert world.told == []


async def test_after_a_lost_connection() -> None:
    """Nothing is done before the leader was asked; then readers are told."""
    world = World()
    view = await world.find()
    world.views.doubt()
    assert not world.views.ready
    with pytest.raises(ChatLogUnavailable, match="not ready"):
        view.require_ready()
    await world.views.look()
    assert world.told == [(OLD, False)]
    assert world.views.ready


async def test_leader_that_does_not_answer() -> None:
    """An election is no reason to give anything up."""
    world = World()
    view = await world.find()
    world.api.silent = True
    assert await world.views.look() == 0
    assert view.ready
    world.views.doubt()
    assert await world.views.look() == 0
    assert not view.ready
    assert not view.lost


@pytest.mark.parametrize("fault", [{"name": None}, {"born": False}, {"last": 9}])
async def test_wrong_for_long(fault: dict[str, Any]) -> None:
    """It is not written to from the first look on; when the doubt lasts, it is a dead log."""
    world = World()
    view = await world.find()
    for name, value in fault.items():
        setattr(world.api, name, value)
    await world.views.look()
    assert (view.ready, view.lost, view.id) == (False, False, OLD)
    await world.views.look()
    assert (view.ready, view.lost, view.id) == (False, True, f"{OLD}-lost")
    assert world.told == [(f"{OLD}-lost", True)]


@pytest.mark.parametrize("fault", [{"name": None}, {"born": False}, {"last": 9}])
async def test_wrong_for_a_moment(fault: dict[str, Any]) -> None:
    world = World(NEVER)
    view = await world.find()
    right = {name: getattr(world.api, name) for name in fault}
    for name, value in fault.items():
        setattr(world.api, name, value)
    await world.views.look()
    await world.views.look()
    assert not view.ready
    for name, value in right.items():
        setattr(world.api, name, value)
    await world.views.look()
    assert (view.ready, view.id) == (True, OLD)
    assert world.told == [(OLD, False)]


async def test_dead_log_that_is_back() -> None:
    """Rule C8: it is then sealed under its own id."""
    world = World()
    view = await world.find()
    world.api.name = None
    await world.views.look()
    await world.views.look()
    assert view.lost
    world.api.name = OLD
    await world.views.look()
    assert (view.ready, view.id) == (True, OLD)


async def test_another_in_its_place() -> None:
    world = World()
    view = await world.find()
    view.saw(record(10, world.api.time))
    world.api.name, world.api.last = NEW, 1
    await world.views.look()
    assert (view.ready, view.id, view.known) == (True, NEW, 1)
    assert world.told == [(NEW, True)]
    assert await world.views.look() == 1
    assert view.ready


async def test_another_that_is_not_born_yet() -> None:
    """`prepare` is just at it."""
    world = World(NEVER)
    view = await world.find()
    world.api.name, world.api.born = NEW, False
    await world.views.look()
    assert (view.ready, view.id) == (False, OLD)
    world.api.born = True
    await world.views.look()
    assert (view.ready, view.id) == (True, NEW)


@pytest.mark.parametrize("stored", [{}, {10: 999_999.0}])
async def test_record_that_was_read_is_not_there(stored: dict[int, float]) -> None:
    """Sequences may have grown again since records were lost: another record lies there, or none."""
    world = World()
    view = await world.find()
    world.api.stored = {10: world.api.time}
    view.saw(record(10, world.api.time))
    await world.views.look()
    assert view.ready
    world.api.stored, world.api.last = stored, 20
    await world.views.look()
    await world.views.look()
    assert view.lost


async def test_record_that_has_expired() -> None:
    world = World()
    view = await world.find()
    view.saw(record(10, world.api.time))
    world.api.time += 101.0
    await world.views.look()
    await world.views.look()
    assert view.ready


async def test_what_is_stored_while_the_leader_answers() -> None:
    """It is no reason to doubt an answer that is older."""
    world = World()
    view = await world.find()
    world.api.looked.clear()
    world.api.may_answer.clear()
    looking = asyncio.create_task(world.views.look())
    await world.api.looked.wait()
    view.saw(record(11, world.api.time))
    view.knows(12)
    world.api.may_answer.set()
    await looking
    assert view.ready
    assert view.known == 12


async def test_missing_at_first() -> None:
    world = World()
    world.api.name = None
    with pytest.raises(LogNotPrepared):
        await world.views.find()
    assert not world.views.found
