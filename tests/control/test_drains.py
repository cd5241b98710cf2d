"""The ends of drains: who is waited for, what is noted, and that one that cannot be ended holds up no other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from godwit.control import drains as module
from godwit.control.drains import MOST_NAMED, Drains, Outcome
from godwit.errors import ChatLogUnavailable, StoreUnavailable
from godwit.values import Move
from tests.control.running import Nobody, Pauses, until
from tests.control.world import SETTINGS, World, quiet


@pytest.fixture
async def world() -> World:
    world = World()
    await world.start()
    return world


class Ends:
    """Drains of a world, with what they noted."""

    def __init__(
        self,
        world: World,
        left: Callable[[str, str], list[str]] = lambda channel, cluster: [],
        disturb: Callable[[str, bool], None] = quiet,
        verdict: Callable[[Move], str] = lambda move: "ok",
    ) -> None:
        self.world = world
        self.noted: list[Outcome] = []
        self.states: list[str] = []
        self.pauses = Pauses(world)
        self._verdict = verdict
        self.drains = Drains(
            world.mover(disturb),
            Nobody(left),
            world.clock,
            SETTINGS,
            verify=self._verify,
            record=self._record,
            sleep=self.pauses,
        )

    async def _verify(self, moves: Sequence[Move]) -> list[str]:
        return [self._verdict(move) for move in moves]

    async def _record(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            self.states.append((await self.world.journaled(outcome.move)).state)
        self.noted += outcomes

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.drains.run())
        try:
            yield
        finally:
            assert not task.done(), "it ends only when it is cancelled"
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def draining(world: World, channel: str = "room", **changes: Any) -> Move:
    return await world.mover().carry(await world.wish(channel=channel, **changes))


async def test_what_is_known_is_noted(world: World) -> None:
    """How many stayed, who, and what the verification said."""
    move = await draining(world)
    stay = ["ann", "bob", "ann"]
    ends = Ends(world, lambda channel, cluster: stay if (channel, cluster) == ("room", "main") else [])
    async with ends.running():
        ends.drains.add(move)
        settled = await until(world, move, "settled")
    assert ends.noted == [Outcome(move, 3, 0, ("ann", "bob"), "ok")]
    assert ends.states == ["draining"], "it is noted before it is settled"
    assert settled.history[-1][1] == move.history[-1][1] + SETTINGS.drain
    assert move.id not in ends.drains
    assert len(ends.drains) == 0


async def test_not_all_names_are_kept(world: World) -> None:
    names = [f"n{number}" for number in range(MOST_NAMED + 5)]
    ends = Ends(world, lambda channel, cluster: names)
    move = await draining(world)
    async with ends.running():
        ends.drains.add(move)
        await until(world, move, "settled")
    assert (ends.noted[0].left, ends.noted[0].stayed) == (MOST_NAMED + 5, tuple(names[:MOST_NAMED]))


async def test_cold_ones_wait_for_nobody(world: World) -> None:
    """Nobody there was to be told; a lease it is all the same (rule L3)."""
    move = await draining(world, cold=True)
    ends = Ends(world, lambda channel, cluster: ["ann"])
    async with ends.running():
        ends.drains.add(move)
        settled = await until(world, move, "settled")
    assert settled.history[-1][1] == move.history[-1][1] + SETTINGS.lease


async def test_added_twice(world: World) -> None:
    """Whoever looks at the journal again starts none twice."""
    move = await draining(world)
    ends = Ends(world)
    async with ends.running():
        ends.drains.add(move)
        ends.drains.add(move)
        assert len(ends.drains) == 1
        await until(world, move, "settled")
    assert len(ends.noted) == 1


async def test_many_end_together(world: World) -> None:
    moves = [await draining(world, f"c{number}", cold=True) for number in range(30)]
    calls: list[str] = []
    ends = Ends(world, disturb=lambda name, done: calls.append(name) if done else None)
    async with ends.running():
        for move in moves:
            ends.drains.add(move)
        for move in moves:
            await until(world, move, "settled")
    assert calls.count("settle_many") == 1
    assert calls.count("journal_many") == 1
    assert sorted(outcome.move.channel for outcome in ends.noted) == sorted(move.channel for move in moves)


async def test_no_more_than_so_many_together(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOGETHER", 4)
    moves = [await draining(world, f"c{number}") for number in range(10)]
    calls: list[str] = []
    ends = Ends(world, disturb=lambda name, done: calls.append(name) if done else None)
    async with ends.running():
        for move in moves:
            ends.drains.add(move)
        for move in moves:
            await until(world, move, "settled")
    assert calls.count("settle_many") == 3


async def test_one_log_is_away(world: World) -> None:
    """The others end; it is tried again."""
    one = await draining(world, "one")
    await world.mover().carry(await world.wish(channel="two"))
    two = await world.mover().carry(await world.wish("event", channel="two"))
    left = [3]

    async def release(channel: str, epoch: int) -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise ChatLogUnavailable("aws is away")

    world.logs["aws"].release = release  # type: ignore[method-assign]
    ends = Ends(world)
    async with ends.running():
        ends.drains.add(one)
        ends.drains.add(two)
        ended_one, ended_two = await until(world, one, "settled"), await until(world, two, "settled")
    assert ended_one.history[-1][1] == one.history[-1][1] + SETTINGS.lease
    assert ended_two.history[-1][1] == ended_one.history[-1][1] + 3 * module.LOOK


@pytest.mark.parametrize("who", ["crowd", "verify", "settle_many", "journal_many"])
async def test_store_is_away(world: World, who: str) -> None:
    """All of them wait a moment, and are noted again."""
    away = [2]

    def fail() -> None:
        away[0] -= 1
        if away[0] >= 0:
            raise StoreUnavailable("away")

    def left(channel: str, cluster: str) -> list[str]:
        if who == "crowd":
            fail()
        return []

    def verdict(move: Move) -> str:
        if who == "verify":
            fail()
        return "ok"

    def disturb(name: str, done: bool) -> None:
        if name == who and not done:
            fail()

    moves = [await draining(world, name) for name in ("one", "two")]
    ends = Ends(world, left, disturb, verdict)
    async with ends.running():
        for move in moves:
            ends.drains.add(move)
        settled = [await until(world, move, "settled") for move in moves]
    assert {move.history[-1][1] for move in settled} == {1000.0 + SETTINGS.lease + 2 * module.LOOK}
    assert len(ends.drains) == 0


async def test_a_fault_of_ours_in_one(world: World) -> None:
    """The others end at once, the end of this one is tried again much later; nothing ends for all."""
    moves = [await draining(world, name) for name in ("one", "two", "three")]
    faults = [2]

    def verdict(move: Move) -> str:
        if move.channel == "two" and faults[0]:
            faults[0] -= 1
            raise ZeroDivisionError("a bug of ours")
        return "ok"

    ends = Ends(world, verdict=verdict)
    with capture_logs() as logs:
        async with ends.running():
            for move in moves:
                ends.drains.add(move)
            one, three = await until(world, moves[0], "settled"), await until(world, moves[2], "settled")
            two = await until(world, moves[1], "settled")
    assert one.history[-1][1] == three.history[-1][1] == 1000.0 + SETTINGS.lease
    assert two.history[-1][1] == 1000.0 + SETTINGS.lease + module.LATER
    given_up = [(line["moves"], line["first"]) for line in logs if line["event"] == "drains_given_up"]
    assert given_up == [(3, moves[0].id), (1, moves[1].id)]
    assert [outcome.move.channel for outcome in ends.noted] == ["one", "three", "two"]


async def test_settled_by_another(world: World) -> None:
    """Then there is nothing left to do."""
    move = await draining(world)
    await world.mover().settle(move)
    ends = Ends(world)
    world.clock.advance(SETTINGS.lease)
    ends.drains.add(move)
    await ends.drains._end(ends.drains._take())
    assert move.id not in ends.drains


async def test_forgotten(world: World) -> None:
    """Another controller sees to them: they are left alone, and may come back."""
    move = await draining(world)
    ends = Ends(world)
    ends.drains.add(move)
    ends.drains.forget()
    assert len(ends.drains) == 0
    async with ends.running():
        await asyncio.sleep(0)
        assert (await world.journaled(move)).state == "draining"
        assert ends.pauses.made == []
        ends.drains.add(move)
        await until(world, move, "settled")
