"""The controller: every unfinished move is carried to its end, whatever is away meanwhile."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from structlog.testing import capture_logs

from godwit.control import controller as module
from godwit.control import drains
from godwit.control.controller import LONGEST_PAUSE
from godwit.errors import ChatLogUnavailable, StoreUnavailable
from godwit.store.memory import MemoryStore
from godwit.values import Record
from tests.control.running import Nobody, Pauses, make, running, until
from tests.control.world import SETTINGS, World


@pytest.fixture
async def world() -> World:
    world = World()
    await world.start()
    return world


@pytest.fixture
def pauses(world: World) -> Pauses:
    return Pauses(world)


async def test_from_wish_to_settled(world: World, pauses: Pauses) -> None:
    move = await world.wish()
    async with running(make(world, pauses)):
        settled = await until(world, move, "settled")
    states = ["wished", "opening", "opened", "sealing", "sealed", "draining", "settled"]
    assert [state for state, _ in settled.history] == states
    assert (await world.placement()).segment.cluster == "aws"
    assert (await world.placement()).phase == "settled"


async def test_wake(world: World, pauses: Pauses) -> None:
    """A wish that is recorded later is carried out at once."""
    controller = make(world, pauses)
    first = await world.wish()
    async with running(controller):
        await until(world, first, "settled")
        second = await world.wish("main")
        controller.wake()
        await until(world, second, "settled")
    assert (await world.placement()).segment.cluster == "main"


async def test_wishes_of_other_processes(world: World, pauses: Pauses, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody wakes it, but it looks now and then."""
    monkeypatch.setattr(module, "LOOK", 0.0)
    first = await world.wish()
    async with running(make(world, pauses)):
        await until(world, first, "settled")
        second = await world.wish("main")
        await until(world, second, "settled")


async def test_many_at_once(world: World, pauses: Pauses) -> None:
    """Looking again starts none twice."""
    controller = make(world, pauses, crowd=Nobody(lambda channel, cluster: ["ann"]))
    moves = [await world.wish(channel=f"room{number}") for number in range(20)]
    seen = 0

    def look() -> None:
        nonlocal seen
        controller.wake()
        seen = max(seen, controller.statistics()["draining"])

    pauses.meanwhile = look
    async with running(controller):
        for move in moves:
            settled = await until(world, move, "settled")
            assert settled.version == 6
        assert controller.statistics() == {"under_way": 0, "draining": 0}
    assert seen == 20


async def test_each_step_is_told(world: World, pauses: Pauses) -> None:
    told: list[None] = []
    move = await world.wish()
    async with running(make(world, pauses, changed=lambda: told.append(None))):
        settled = await until(world, move, "settled")
    assert len(told) == settled.version


async def test_refused_wish(world: World, pauses: Pauses) -> None:
    """It ends, and the next one is not kept from anything."""
    refused = await world.wish("main")
    async with running(make(world, pauses)):
        assert (await until(world, refused, "failed")).error == "#room is already on main: nothing to do"
    assert pauses.made == []


async def test_only_configured_clusters(world: World, pauses: Pauses) -> None:
    move = await world.wish()
    async with running(make(world, pauses, clusters=("main", "event"))):
        assert "choose one of main, event" in (await until(world, move, "failed")).error


async def test_skipped_seal(world: World, pauses: Pauses) -> None:
    move = await world.wish()
    async with running(make(world, pauses, skip_seal=True)):
        await until(world, move, "settled")
    assert await world.seals("main") == []


# the drain --------------------------------------------------------------------------------------


async def test_drain_takes_its_time(world: World, pauses: Pauses) -> None:
    """Somebody is left to the end: the drain lasts as long as it may."""
    asked: list[tuple[str, str]] = []

    def left(channel: str, cluster: str) -> list[str]:
        asked.append((channel, cluster))
        return ["ann"]

    move = await world.wish()
    async with running(make(world, pauses, crowd=Nobody(left))):
        settled = await until(world, move, "settled")
    (_, begun), (_, ended) = settled.history[-2:]
    assert ended - begun == SETTINGS.drain
    assert set(asked) == {("room", "main")}


async def test_drain_ends_when_nobody_is_left(world: World, pauses: Pauses) -> None:
    """A lease after the switch at the earliest (rule L3)."""
    move = await world.wish()
    async with running(make(world, pauses)):
        settled = await until(world, move, "settled")
    (_, begun), (_, ended) = settled.history[-2:]
    assert ended - begun == SETTINGS.lease


async def test_drain_ends_when_the_last_one_leaves(world: World, pauses: Pauses) -> None:
    move = await world.wish()
    begun = world.clock.now()
    crowd = Nobody(lambda channel, cluster: ["ann"] if world.clock.now() < begun + 30.0 else [])
    async with running(make(world, pauses, crowd=crowd)):
        settled = await until(world, move, "settled")
    assert settled.history[-1][1] == begun + 30.0


async def test_drain_goes_on_after_a_restart(world: World, pauses: Pauses) -> None:
    """It counts from the commit, not from the start of the controller."""
    move = await world.upto("draining")
    begun = move.history[-1][1]
    world.clock.advance(SETTINGS.drain - 5.0)
    async with running(make(world, pauses, crowd=Nobody(lambda channel, cluster: ["ann"]))):
        settled = await until(world, move, "settled")
    assert settled.history[-1][1] == begun + SETTINGS.drain
    assert sum(pauses.made) == 5.0


async def test_drain_that_is_long_over(world: World, pauses: Pauses) -> None:
    move = await world.upto("draining")
    world.clock.advance(1e6)
    async with running(make(world, pauses)):
        await until(world, move, "settled")
    assert pauses.made == []


async def test_next_move_does_not_wait_for_the_drain(world: World, pauses: Pauses) -> None:
    first = await world.upto("draining")
    second = await world.wish("event")
    async with running(make(world, pauses, crowd=Nobody(lambda channel, cluster: ["ann"]))):
        await until(world, second, "settled")
        await until(world, first, "settled")
    assert [segment.cluster for segment in await world.store.segments("room")] == ["main", "aws", "event"]


# what is away -----------------------------------------------------------------------------------


class Away:
    """A disturbance: the next calls of one name fail.

    Args:
        name: of the call.
        times: how many fail.
        error: with what.
        after: the call takes effect all the same.
    """

    def __init__(self, name: str, times: int, error: Exception, *, after: bool = False) -> None:
        self._name = name
        self._left = times
        self._error = error
        self._after = after

    def __call__(self, name: str, done: bool) -> None:
        if name == self._name and done is self._after and self._left:
            self._left -= 1
            raise self._error


@pytest.mark.parametrize(
    "call",
    ["placements", "live_among", "pin", "journal_many", "append", "read", "commit_many", "release", "settle_many"],
)
@pytest.mark.parametrize("after", [False, True])
async def test_tries_again(world: World, pauses: Pauses, call: str, after: bool) -> None:
    """Whatever is away for a while, and whether the call had taken effect or not."""
    error = (ChatLogUnavailable if call in ("append", "read", "release") else StoreUnavailable)("away")
    move = await world.wish()
    async with running(make(world, pauses, Away(call, 2, error, after=after))):
        await until(world, move, "settled")
    assert len(await world.opens("aws")) == 1
    assert len(await world.seals("main")) == 1
    assert (await world.placement()).segment.cluster == "aws"


async def test_pauses_grow_to_a_bound(world: World, pauses: Pauses) -> None:
    """And begin anew once something went well."""
    away = Away("append", 8, ChatLogUnavailable("away"))
    move = await world.wish()
    async with running(make(world, pauses, away)):
        await until(world, move, "draining")
        assert pauses.made[:8] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, LONGEST_PAUSE, LONGEST_PAUSE]
        await until(world, move, "settled")


async def test_pauses_begin_anew(world: World, pauses: Pauses) -> None:
    """Once a step was made they are short again."""
    opens, reads = Away("append", 3, ChatLogUnavailable("away")), Away("read", 2, ChatLogUnavailable("away"))

    def disturb(name: str, done: bool) -> None:
        opens(name, done)
        reads(name, done)

    move = await world.upto("opening")
    async with running(make(world, pauses, disturb)):
        await until(world, move, "draining")
    assert pauses.made[:5] == [0.1, 0.2, 0.4, 0.1, 0.2]


async def test_settling_is_tried_again(world: World, pauses: Pauses) -> None:
    """Drains take their time anyhow: a look a second."""
    move = await world.upto("draining")
    world.clock.advance(SETTINGS.drain)
    begun = world.clock.now()
    with capture_logs() as logs:
        async with running(make(world, pauses, Away("release", 2, ChatLogUnavailable("main is away")))):
            settled = await until(world, move, "settled")
    assert settled.history[-1][1] == begun + 2 * drains.LOOK
    assert [line for line in logs if line["event"] == "settling_waits"] == [
        {"event": "settling_waits", "log_level": "warning", "channel": "room", "error": "main is away"}
    ] * 2


async def test_what_waits_is_logged(world: World, pauses: Pauses) -> None:
    move = await world.upto("opening")
    with capture_logs() as logs:
        async with running(make(world, pauses, Away("append", 1, ChatLogUnavailable("main is away")))):
            await until(world, move, "settled")
    assert [line for line in logs if line["event"] == "move_waits"] == [
        {"event": "move_waits", "log_level": "warning", "channel": "room", "state": "opening", "error": "main is away"}
    ]
    told = [(line["channel"], line["to"], line["state"]) for line in logs if line["event"] == "move"]
    assert told == [("room", "aws", "draining"), ("room", "aws", "settled")]


async def test_journal_is_away_when_it_looks(world: World, pauses: Pauses, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK", 0.0)
    move = await world.wish()
    with capture_logs() as logs:
        async with running(make(world, pauses, Away("moves", 3, StoreUnavailable("away")))):
            await until(world, move, "settled")
    assert [line["event"] for line in logs][:3] == ["journal_unavailable"] * 3


async def test_journal_is_away_when_it_rereads(world: World, pauses: Pauses) -> None:
    """Then it tries with what it knows."""
    appends = Away("append", 1, ChatLogUnavailable("away"))
    rereads = Away("move", 1, StoreUnavailable("away"))

    def disturb(name: str, done: bool) -> None:
        appends(name, done)
        rereads(name, done)

    move = await world.wish()
    async with running(make(world, pauses, disturb)):
        await until(world, move, "settled")


async def test_fault_in_one_move_does_not_stop_the_others(world: World, pauses: Pauses) -> None:
    """It is logged, given up until the next look, and carried on then."""

    first, second = await world.wish(channel="one"), await world.wish(channel="two")
    controller = make(world, pauses, Away("pin", 1, ZeroDivisionError("a bug of ours")))
    with capture_logs() as logs:
        async with running(controller):
            await until(world, second, "settled")
            assert (await world.journaled(first)).state == "wished"
            controller.wake()
            await until(world, first, "settled")
    [fault] = [line for line in logs if line["event"] == "moves_given_up"]
    assert (fault["moves"], fault["first"]) == (1, first.id)


async def test_fault_in_one_cold_move_does_not_stop_the_others(world: World, pauses: Pauses) -> None:
    """They go together; when one has a fault of ours in it each goes by itself."""
    moves = [await world.wish(channel=f"room{number}", cold=True) for number in range(5)]
    third = moves[2].id
    append = world.logs["aws"].append

    async def faulty(channel: str, record: Record, *, stream: str) -> int:
        if channel == "room2":
            raise ZeroDivisionError("a bug of ours")
        return await append(channel, record, stream=stream)

    world.logs["aws"].append = faulty  # type: ignore[method-assign]
    with capture_logs() as logs:
        async with running(make(world, pauses)):
            for move in moves:
                if move.id != third:
                    await until(world, move, "settled")
    assert (await world.journaled(moves[2])).state == "opening"
    faults = [(line["moves"], line["first"]) for line in logs if line["event"] == "moves_given_up"]
    assert faults[:2] == [(5, moves[0].id), (1, third)]


# other controllers ------------------------------------------------------------------------------


async def test_goes_on_after_a_restart(world: World, pauses: Pauses) -> None:
    """Cancelled anywhere, the next one finds everything in the journal."""
    move = await world.wish()

    def stop(name: str, done: bool) -> None:
        if name == "read":
            task.cancel()

    controller = make(world, pauses, stop)
    task = asyncio.create_task(controller.run())
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    left = await world.journaled(move)
    assert left.state not in ("settled", "cancelled", "failed")
    async with running(make(world, pauses)):
        await until(world, move, "settled")
    assert len(await world.seals("main")) == 1


async def test_two_controllers(world: World, pauses: Pauses) -> None:
    """They do no harm to each other, and the move is made once."""
    moves = [await world.wish(channel=f"room{number}") for number in range(5)]

    one, two = make(world, pauses), make(world, pauses)
    async with running(one), running(two):
        for move in moves:
            settled = await until(world, move, "settled")
            assert settled.version == 6


async def test_superseded(world: World, pauses: Pauses) -> None:
    """Another one journaled a step meanwhile: it reads the journal and goes on from there."""
    move = await world.upto("opening")
    rival = [move]

    def interfere(name: str, done: bool) -> None:
        if name == "append" and not done and rival:
            stored = rival.pop()
            written = msgspec.structs.replace(stored, version=stored.version + 1)
            assert isinstance(world.store, MemoryStore)
            world.store._moves[stored.id] = written

    async with running(make(world, pauses, interfere)):
        await until(world, move, "settled")
    assert pauses.made == [1.0] * 10, "no pause but those of the drain"


async def test_settled_by_another(world: World, pauses: Pauses) -> None:
    """It learns so, and does not settle again and again."""
    move = await world.upto("draining")
    rival = world.mover().settle(move)
    calls = 0

    def count(name: str, done: bool) -> None:
        nonlocal calls
        calls += 1
        assert calls < 100, "it goes round and round"

    def settle() -> None:
        if not calls_before:
            calls_before.append(calls)
            with pytest.raises(StopIteration):
                rival.send(None)  # it never suspends

    calls_before: list[int] = []
    pauses.meanwhile = settle
    with capture_logs() as logs:
        async with running(make(world, pauses, count)) as controller:
            await until(world, move, "settled")
            while controller.statistics()["under_way"]:  # noqa: ASYNC110  (it has no event of its own)
                await asyncio.sleep(0)
    assert [line["event"] for line in logs] == []
