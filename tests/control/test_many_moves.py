"""Moves that go together: few writes, and what is wrong with one holds up no other."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import pytest

from godwit.control.mover import Superseded
from godwit.errors import ChatLogUnavailable, StoreUnavailable
from godwit.values import Move, MoveState
from tests.control.world import World


@pytest.fixture
async def world() -> World:
    world = World()
    await world.start()
    return world


async def wish(world: World, channel: str, target: str = "aws", **changes: Any) -> Move:
    return await world.wish(target, channel=channel, **changes)


def lose(world: World, cluster: str, name: str, *channels: str) -> None:
    """A log answers no call of that name for these channels."""
    real = getattr(world.logs[cluster], name)

    async def away(channel: str, *args: Any, **options: Any) -> Any:
        if not channels or channel in channels:
            raise ChatLogUnavailable(f"{cluster} is away")
        return await real(channel, *args, **options)

    setattr(world.logs[cluster], name, away)


async def test_few_writes(world: World) -> None:
    """Two states with one, however many moves there are."""
    wishes = [await wish(world, f"c{number}", cold=True) for number in range(50)]
    calls: Counter[str] = Counter()

    def count(name: str, done: bool) -> None:
        calls[name] += done

    carried = await world.mover(count).carry_all(wishes)
    assert [one.move.id for one in carried] == [move.id for move in wishes], "in the order given"
    assert {one.move.state for one in carried} == {"draining"}
    assert calls["journal_many"] == 3
    assert (calls["commit_many"], calls["pin"], calls["live_among"], calls["append"]) == (1, 1, 1, 100)
    settled = await world.mover(count).settle_all([one.move for one in carried])
    assert {one.move.state for one in settled} == {"settled"}
    assert (calls["settle_many"], calls["journal_many"]) == (1, 4)
    assert {row.segment.cluster for row in await world.store.rows()} == {"aws"}


async def test_target_log_is_away(world: World) -> None:
    """Those that go elsewhere go on; those that wait are where they were."""
    lose(world, "event", "append")
    wishes = [await wish(world, "one"), await wish(world, "two", "event"), await wish(world, "three")]
    carried = await world.mover().carry_all(wishes)
    assert [one.move.state for one in carried] == ["draining", "opening", "draining"]
    assert [type(one.error) for one in carried] == [type(None), ChatLogUnavailable, type(None)]
    assert await world.journaled(wishes[1]) == carried[1].move
    assert (await world.store.placement("two")).segment.cluster == "main"


@pytest.mark.parametrize("call", ["append", "read"])
async def test_source_log_is_away(world: World, call: str) -> None:
    """The seal, or the look at it, fails for some."""
    await world.mover().carry(await wish(world, "three"))
    wishes = [await wish(world, name, "event") for name in ("one", "two", "three")]
    lose(world, "main", call)
    carried = await world.mover().carry_all(wishes)
    assert [one.move.state for one in carried] == ["sealing", "sealing", "draining"]
    assert [str(one.error) for one in carried] == ["main is away", "main is away", "None"]


async def test_one_channel_of_a_log_is_away(world: World) -> None:
    """Each append stands for itself."""
    lose(world, "aws", "append", "two")
    wishes = [await wish(world, name) for name in ("one", "two", "three")]
    assert [one.move.state for one in await world.mover().carry_all(wishes)] == ["draining", "opening", "draining"]


async def test_those_behind_catch_up(world: World) -> None:
    """Moves in different states go on together from where the others are."""
    states: tuple[MoveState, ...] = ("wished", "opening", "opened", "sealing", "sealed")
    begun = []
    for state in states:
        begun.append(await world.upto(state, channel=f"at_{state}"))
        world.steps.clear()
    calls: Counter[str] = Counter()

    def count(name: str, done: bool) -> None:
        calls[name] += done

    carried = await world.mover(count).carry_all(list(reversed(begun)))
    assert [one.move.channel for one in carried] == [move.channel for move in reversed(begun)]
    assert {one.move.state for one in carried} == {"draining"}
    assert calls["journal_many"] == 5
    assert calls["commit_many"] == 1


async def test_refused_and_live_ones(world: World) -> None:
    """Each ends by itself."""
    await world.store.set_live("two", True, 0.0)
    wishes = [await wish(world, "one"), await wish(world, "two"), await wish(world, "three", "mars")]
    carried = await world.mover().carry_all(wishes)
    assert [one.move.state for one in carried] == ["draining", "failed", "failed"]
    assert [one.error for one in carried] == [None] * 3
    assert [row.channel for row in await world.store.rows()] == ["one", "two"], "the refused one gets no row"


async def test_goes_live_before_the_seal(world: World) -> None:
    """The store cancels this one in the very write that lets the others seal."""
    begun = [await world.upto("opened", channel=name) for name in ("one", "two", "three")]
    await world.store.set_live("two", True, 0.0)
    carried = await world.mover().carry_all(begun)
    assert [one.move.state for one in carried] == ["draining", "cancelled", "draining"]
    assert carried[1].move.error == "#two went live before the switch"


async def test_one_is_superseded(world: World) -> None:
    """The others go on."""
    wishes = [await wish(world, name) for name in ("one", "two")]
    await world.mover().carry(wishes[0])
    carried = await world.mover().carry_all(wishes)
    assert [type(one.error) for one in carried] == [Superseded, type(None)]
    assert carried[1].move.state == "draining"


async def test_store_is_away(world: World) -> None:
    """It is told for all; the journal says how far each came."""
    wishes = [await wish(world, name) for name in ("one", "two")]

    def away(name: str, done: bool) -> None:
        if name == "commit_many":
            raise StoreUnavailable("away")

    with pytest.raises(StoreUnavailable):
        await world.mover(away).carry_all(wishes)
    stored = [await world.journaled(move) for move in wishes]
    assert {move.state for move in stored} == {"sealed"}
    assert {one.move.state for one in await world.mover().carry_all(stored)} == {"draining"}


async def test_one_cannot_be_settled(world: World) -> None:
    """Its drain goes on; the others end."""
    carried = await world.mover().carry_all([await wish(world, name) for name in ("one", "two", "three")])
    lose(world, "main", "release", "two")
    settled = await world.mover().settle_all([one.move for one in carried])
    assert [one.move.state for one in settled] == ["settled", "draining", "settled"]
    assert isinstance(settled[1].error, ChatLogUnavailable)
    phases = [place.phase for place in await world.store.placements(["one", "two", "three"])]
    assert phases == ["settled", "draining", "settled"]


async def test_nothing_to_do(world: World) -> None:
    def call(name: str, done: bool) -> None:
        raise AssertionError(f"{name} is asked for nothing")

    assert await world.mover(call).carry_all([]) == []
    over = msgspec.structs.replace(await wish(world, "one"), state="cancelled")
    assert [one.move for one in await world.mover(call).carry_all([over])] == [over]
