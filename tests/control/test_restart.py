"""Moves that a restart has met: the logs are new, the store is the old one (rules L2, C8).

Whatever state the journal left a move in, it is carried to its end, anew if what it was to seal is gone; and
it ends truthfully: as made only if its segment is in the chain, else as cancelled with the reason.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from godwit.store.database import sqlite_url
from godwit.store.migrations import migrate
from godwit.store.sql import SqlStore
from godwit.values import Move, MoveState, Placement, Seal, Segment
from tests.control.running import Pauses, make, running, until
from tests.control.world import World

MAIN = Segment("main", 1, 0, "main/1")
ANEW = Segment("main", 3, 0, "main/2", unclean=True)
"""Where the channel is if the restart met it on `main`."""
WAY = ["wished", "opening", "opened", "sealing", "sealed", "draining", "settled"]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """The world with its store in a file."""
    url = sqlite_url(tmp_path / "godwit.sqlite3")
    await migrate(url)
    store = SqlStore(url)
    await store.open()
    try:
        world = World(store)
        await world.start()
        yield world
    finally:
        await store.close()


async def restart(world: World) -> None:
    """The logs died with the process; the next one opens anew what they held, as the app does."""
    for cluster in list(world.logs):
        world.lose_log(cluster)
    await world.store.reopen({cluster: log.stream("") for cluster, log in world.logs.items()})


async def ended(world: World, move: Move) -> Move:
    """Have a controller carry the move to its end."""
    async with running(make(world, Pauses(world))):
        return await until(world, move, "settled", "cancelled", "failed")


async def assert_truthful(world: World, move: Move) -> None:
    """Settled and in the chain, or not settled and not in the chain; nobody drains."""
    opened = (move.target, move.epoch, move.at, move.stream)
    chain = [(found.cluster, found.epoch, found.at, found.stream) for found in await world.store.segments("room")]
    assert (move.state == "settled") is (opened in chain)
    assert bool(move.error) is (move.state != "settled")
    assert (await world.placement()).phase == "settled"
    assert (await world.placement()).drain_until == 0.0
    assert await world.store.moves(unfinished=True) == []


async def test_wish(world: World) -> None:
    """Nothing was done yet: it is carried out from where the channel is now."""
    move = await world.upto("wished")
    await restart(world)
    settled = await ended(world, move)
    assert (settled.state, settled.source, settled.epoch) == ("settled", ANEW, 4)
    assert await world.store.segments("room") == [ANEW, Segment("aws", 4, settled.at, "aws/2")]
    await assert_truthful(world, settled)


@pytest.mark.parametrize("evacuate", [False, True])
@pytest.mark.parametrize("state", ["opening", "opened", "sealing", "sealed"])
async def test_not_committed(world: World, state: MoveState, evacuate: bool) -> None:
    """What was to be sealed is gone, and nobody can have followed: the move begins anew, from where the channel is."""
    move = await world.upto(state, evacuate=evacuate, forced=evacuate, reason="fire")
    assert move.source == MAIN
    await restart(world)
    settled = await ended(world, move)
    states = [name for name, _ in settled.history]
    assert states.count("wished") == 2
    assert states[-len(WAY) :] == WAY
    assert (settled.id, settled.source, settled.error) == (move.id, ANEW, "")
    to = Segment("aws", 5 if evacuate else 4, settled.at, "aws/2", unclean=evacuate)
    assert await world.store.segments("room") == [MAIN, ANEW, to]
    assert await world.seals("main") == [Seal(f"seal:{move.id}", 3, to)], "none goes to a segment that has ended"
    await assert_truthful(world, settled)


@pytest.mark.parametrize("evacuate", [False, True])
async def test_given_up_meanwhile(world: World, evacuate: bool) -> None:
    """Opened anew by force elsewhere, not by a restart where it was: it did not happen."""
    move = await world.upto("sealing", evacuate=evacuate, forced=evacuate, reason="fire")
    await world.store.commit("room", Segment("event", 3, 9, "event/1", unclean=True), drain_until=0.0, now=0.0)
    await world.store.settle("room", 3)
    await restart(world)
    cancelled = await ended(world, move)
    assert (cancelled.state, cancelled.error) == (
        "cancelled",
        "the channel was opened anew by force: it is on event",
    )
    assert (await world.placement()).segment == Segment("event", 5, 0, "event/2", unclean=True)
    assert await world.seals("main") == []
    await assert_truthful(world, cancelled)


@pytest.mark.parametrize("state", ["sealing", "sealed"])
async def test_committed_by_an_edge(world: World, state: MoveState) -> None:
    """An edge met the seal and committed before the end; the journal did not come so far."""
    move = await world.upto(state)
    to = Segment("aws", 2, move.at, move.stream)
    await world.store.commit("room", to, drain_until=1060.0, now=1000.0)
    await restart(world)
    settled = await ended(world, move)
    anew = Segment("aws", 4, 0, "aws/2", unclean=True)
    assert settled.state == "settled"
    assert await world.store.segments("room") == [MAIN, to, anew]
    assert await world.placement() == Placement("room", anew, previous=("main",), drains=(1060.0,))
    await assert_truthful(world, settled)


@pytest.mark.parametrize("evacuate", [False, True])
async def test_draining(world: World, evacuate: bool) -> None:
    """It was made: it is settled, though the channel has been opened anew since."""
    move = await world.upto("draining", evacuate=evacuate, forced=evacuate, reason="fire")
    epoch = (await world.placement()).segment.epoch
    await restart(world)
    settled = await ended(world, move)
    assert (settled.state, settled.error, settled.unshown) == ("settled", "", 0)
    anew = Segment("aws", epoch + 2, 0, "aws/2", unclean=True)
    assert await world.placement() == Placement("room", anew, previous=("main",), drains=(1060.0,))
    assert await world.entries("main") == [], "a log that is gone is neither sealed nor released"
    await assert_truthful(world, settled)


@pytest.mark.parametrize("state", ["opening", "opened", "sealing", "sealed", "draining"])
async def test_next_wish(world: World, state: MoveState) -> None:
    """However the move ended, the channel can be moved again."""
    first = await world.upto(state)
    await restart(world)
    await ended(world, first)
    second = await ended(world, await world.wish("event"))
    assert second.state == "settled"
    assert (await world.placement()).segment == Segment("event", second.epoch, second.at, "event/2")
    await assert_truthful(world, second)


@pytest.mark.parametrize("state", ["opening", "opened", "sealing", "sealed"])
async def test_two_restarts(world: World, state: MoveState) -> None:
    """The second one comes before a controller has looked: the move begins anew from the newest segment."""
    move = await world.upto(state)
    await restart(world)
    world.lose_log("main", 3)
    await world.store.reopen({"main": "main/3"})
    settled = await ended(world, move)
    newest = Segment("main", 5, 0, "main/3", unclean=True)
    assert (settled.state, settled.source, settled.epoch) == ("settled", newest, 6)
    assert (await world.placement()).segment == Segment("aws", 6, settled.at, "aws/2")
    await assert_truthful(world, settled)


async def test_restart_after_each_beginning(world: World) -> None:
    """However often the logs die behind its seal, in the end the move is made."""
    move = await world.upto("sealed")
    for life in (2, 3, 4):
        for cluster in list(world.logs):
            world.lose_log(cluster, life)
        await world.store.reopen({cluster: log.stream("") for cluster, log in world.logs.items()})
        await world.resume(move, "sealed")
    settled = await ended(world, await world.journaled(move))
    assert [name for name, _ in settled.history].count("wished") == 4
    assert (settled.source, settled.epoch) == (Segment("main", 7, 0, "main/4", unclean=True), 8)
    await assert_truthful(world, settled)
