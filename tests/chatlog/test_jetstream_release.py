"""Open and seal go when they were released and nothing lies behind them any more (rules L3, C1)."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import pytest

from godwit.chatlog.jetstream_records import Stored, decode, encode
from godwit.chatlog.jetstream_release import PAGE, Releases
from godwit.chatlog.jetstream_streams import Layout, lifetime
from godwit.chatlog.jetstream_views import View
from godwit.settings import LogSettings
from godwit.values import Open, Record, Seal
from tests.conformance.chatlog import OPEN, SEAL, message

LOG = LogSettings(max_age=100.0)
OLD = lifetime(LOG) + 2.0
LAYOUT = Layout("main", 1)
AGAIN = Open("open:m3", 3)


class Api:
    """A stream in a list; answers in pages of at most two."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.stored: list[Stored] = []
        self._last = 1

    async def append(self, subject: str, payload: bytes, headers: dict[str, str], within: float) -> tuple[int, bool]:
        self._last += 1
        self.stored.append(Stored(subject, self._last, 0, self.now, decode(payload), payload))
        return self._last, False

    async def batch(self, name: str, subject: str, start: int, limit: int, within: float) -> tuple[list[Stored], bool]:
        assert limit == PAGE
        found = [each for each in self.stored if fnmatchcase(each.subject, subject) and each.sequence >= start]
        return found[:2], len(found) > 2

    async def delete(self, name: str, sequence: int) -> None:
        self.stored = [each for each in self.stored if each.sequence != sequence]

    async def add(self, *records: Record, channel: str = "room") -> None:
        for record in records:
            await self.append(LAYOUT.subject(channel), encode(record), {}, 1.0)

    def expire(self) -> None:
        """Let time pass, and all go that goes by itself."""
        self.now += OLD
        self.stored = [each for each in self.stored if each.record is None or isinstance(each.record, Open | Seal)]

    def records(self, channel: str = "room") -> Sequence[Record | None]:
        return [each.record for each in self.stored if each.subject == LAYOUT.subject(channel)]

    @property
    def notes(self) -> int:
        return len([each for each in self.stored if ".release." in each.subject])


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def releases(api: Api) -> Releases:
    return Releases(api, LAYOUT, LOG)  # type: ignore[arg-type]


VIEW = View(0, "godwit-main-0-1")


async def test_not_before_they_are_old(api: Api, releases: Releases) -> None:
    await api.add(OPEN, SEAL)
    await releases.note(VIEW, "room", 1, 1.0)
    api.now += OLD - 2.0
    assert await releases.sweep(VIEW, api.now) == 0
    assert (api.records(), api.notes) == ([OPEN, SEAL], 1)
    api.now += 2.0
    assert await releases.sweep(VIEW, api.now) == 2
    assert (api.records(), api.notes) == ([], 0)


async def test_nothing_without_a_release(api: Api, releases: Releases) -> None:
    await api.add(OPEN, SEAL)
    api.expire()
    assert await releases.sweep(VIEW, api.now) == 0
    assert api.records() == [OPEN, SEAL]


async def test_seal_outlives_what_lies_behind(api: Api, releases: Releases) -> None:
    """Rule C1: a record that landed late would seem to be in force without it."""
    await api.add(OPEN, SEAL)
    await releases.note(VIEW, "room", 1, 1.0)
    api.expire()
    await api.add(message(1))
    assert await releases.sweep(VIEW, api.now) == 0
    assert (api.records(), api.notes) == ([OPEN, SEAL, message(1)], 1)
    api.expire()
    assert await releases.sweep(VIEW, api.now) == 2
    assert (api.records(), api.notes) == ([], 0)


async def test_only_up_to_the_epoch(api: Api, releases: Releases) -> None:
    """What a later segment began with stays, whatever was said in it."""
    await api.add(OPEN, SEAL, AGAIN)
    await releases.note(VIEW, "room", 2, 1.0)
    api.expire()
    await api.add(message(1, epoch=3))
    assert await releases.sweep(VIEW, api.now) == 2
    assert api.records() == [AGAIN, message(1, epoch=3)]


async def test_young_one_that_came_late(api: Api, releases: Releases) -> None:
    """A seal that a zombie appended is kept as long as any, and goes then."""
    await api.add(OPEN)
    await releases.note(VIEW, "room", 1, 1.0)
    api.expire()
    await api.add(SEAL)
    assert await releases.sweep(VIEW, api.now) == 1
    assert (api.records(), api.notes) == ([SEAL], 1)
    api.expire()
    assert await releases.sweep(VIEW, api.now) == 1
    assert (api.records(), api.notes) == ([], 0)


async def test_many_notes(api: Api, releases: Releases) -> None:
    """Each channel's own; twice does no harm."""
    for number in range(7):
        await api.add(OPEN, message(1), SEAL, channel=f"room{number}")
        await releases.note(VIEW, f"room{number}", 1, 1.0)
        await releases.note(VIEW, f"room{number}", 1, 1.0)
    await api.add(OPEN, channel="other")
    api.expire()
    assert await releases.sweep(VIEW, api.now) == 14
    assert (api.notes, len(api.stored)) == (0, 1)


async def test_note_that_is_none(api: Api, releases: Releases) -> None:
    """Somebody else's message lets nothing go."""
    await api.add(OPEN)
    await api.append(LAYOUT.release(0, "room"), b"?", {}, 1.0)
    api.expire()
    assert await releases.sweep(VIEW, api.now) == 0
    assert (api.records(), api.notes) == ([OPEN], 0)
