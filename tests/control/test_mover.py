"""Carrying one move out: each step, from each state, by whoever comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from godwit.chatlog.base import Page
from godwit.control.mover import Superseded
from godwit.errors import AppendUnknown, ChatLogUnavailable, DeadLog, StoreUnavailable
from godwit.values import Author, Message, Move, MoveState, Open, Placement, Seal, Segment
from tests.control.world import ANN, SETTINGS, Dies, World

STEPS: tuple[MoveState, ...] = ("wished", "opening", "opened", "sealing", "sealed", "draining")
MAIN = Segment("main", 1, 0, "main/1")


@pytest.fixture
async def world() -> World:
    world = World()
    await world.start()
    return world


def once(name: str, error: BaseException, *, done: bool = False) -> Callable[[str, bool], None]:
    """A disturbance: the first call of that name fails, before or after it took effect."""
    left = [error]

    def disturb(called: str, is_done: bool) -> None:
        if called == name and is_done is done and left:
            raise left.pop()

    return disturb


async def assert_moved(world: World, move: Move) -> None:
    """The channel is on aws, by this move alone."""
    [opened] = [entry for entry in await world.entries("aws") if entry.record == Open(f"open:{move.id}", 2)]
    to = Segment("aws", 2, opened.sequence, "aws/1")
    assert await world.seals("main") == [Seal(f"seal:{move.id}", 1, to)]
    assert len(await world.opens("aws")) == 1
    assert (await world.placement()).segment == to
    assert await world.store.segments("room") == [MAIN, to]


# the way of a move ------------------------------------------------------------------------------


async def test_whole_way(world: World) -> None:
    """Open, seal, commit; each step is journaled before the next one."""
    move = await world.wish()
    carried = await world.mover().carry(move)
    assert [step.state for step in world.steps] == list(STEPS[1:])
    assert [state for state, _ in carried.history] == list(STEPS)
    assert carried == await world.journaled(move)
    assert (carried.source, carried.epoch, carried.stream, carried.error) == (MAIN, 2, "aws/1", "")
    await assert_moved(world, move)
    assert await world.placement() == Placement(
        "room", Segment("aws", 2, carried.at, "aws/1"), "draining", 1060.0, ("main",), drains=(1060.0,)
    )


async def test_there_and_back(world: World) -> None:
    """Going back is the same operation, with the next epoch."""
    await world.mover().carry(await world.wish())
    back = await world.mover().carry(await world.wish("main"))
    assert back.state == "draining"
    assert await world.placement() == Placement(
        "room", Segment("main", 3, back.at, "main/1"), "draining", 1060.0, ("aws",), drains=(1060.0,)
    )
    assert [segment.epoch for segment in await world.store.segments("room")] == [1, 2, 3]


async def test_journal_has_the_times(world: World) -> None:
    def pass_time(name: str, done: bool) -> None:
        if name == "journal_many" and done:
            world.clock.advance(1.0)

    carried = await world.mover(pass_time).carry(await world.wish())
    assert [time for _, time in carried.history] == [1000.0, 1000.0, 1001.0, 1002.0, 1003.0, 1004.0]
    assert (await world.placement()).drain_until == 1004.0 + SETTINGS.drain


@pytest.mark.parametrize("state", STEPS)
async def test_goes_on_from_each_state(world: World, state: MoveState) -> None:
    """Another controller reads the journal and goes on."""
    move = await world.upto(state)
    assert move.state == state
    carried = await world.mover().carry(move)
    assert carried.state == "draining"
    assert [name for name, _ in carried.history] == list(STEPS)
    await assert_moved(world, move)


async def test_dies_at_every_call(world: World) -> None:
    """Before it took effect or after: whoever goes on comes to the same end, and nothing is there twice."""
    ended = False
    deaths = 0
    while not ended:
        world = World()
        await world.start()
        move = await world.wish()
        calls = 0

        def die(name: str, done: bool, last: int = deaths) -> None:
            nonlocal calls
            if calls == last:
                raise Dies(name)
            calls += 1

        try:
            await world.mover(die).carry(move)
            ended = True
        except Dies:
            deaths += 1
        carried = await world.mover().carry(await world.journaled(move))
        assert carried.state == "draining"
        await assert_moved(world, move)
    assert deaths >= 2 * 10, "two per call"


@pytest.mark.parametrize(
    "call", ["placements", "live_among", "pin", "journal_many", "append", "read", "chains", "commit_many"]
)
@pytest.mark.parametrize("done", [False, True])
async def test_what_is_unavailable_is_tried_again(world: World, call: str, done: bool) -> None:
    """The error is told; the next try from the journal comes through, whether the call had taken effect or not."""
    error = AppendUnknown("no answer") if call in ("append", "read") else StoreUnavailable("no answer")
    move = await world.wish()
    mover = world.mover(once(call, error, done=done))
    with pytest.raises((ChatLogUnavailable, StoreUnavailable)):
        await mover.carry(move)
    assert (await mover.carry(await world.journaled(move))).state == "draining"
    await assert_moved(world, move)


@pytest.mark.parametrize("state", STEPS[:-1])
async def test_superseded(world: World, state: MoveState) -> None:
    """Who comes back with an old version of the journal learns so, and has changed nothing."""
    stale = await world.upto(state)
    carried = await world.mover().carry(stale)
    before = (await world.placement(), await world.entries("main"), await world.entries("aws"))
    with pytest.raises(Superseded):
        await world.mover().carry(stale)
    assert (await world.placement(), await world.entries("main"), await world.entries("aws")) == before
    assert await world.journaled(carried) == carried


@pytest.mark.parametrize("state", ["draining", "settled", "cancelled", "failed"])
async def test_nothing_to_carry(world: World, state: MoveState) -> None:
    move = msgspec.structs.replace(await world.wish(), state=state)
    assert await world.mover().carry(move) == move
    assert world.steps == []


# what stands against it -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"target": "mars"}, "no cluster 'mars' for channels: choose one of main, aws, event"),
        ({"target": "main"}, "#room is already on main: nothing to do"),
        ({"forced": True}, "a forced move needs a reason: add --reason TEXT"),
    ],
)
async def test_refused(world: World, changes: dict[str, Any], says: str) -> None:
    """The move fails with the reason, and nothing was touched: the channel has not even a row."""
    failed = await world.mover().carry(await world.wish(**changes))
    assert (failed.state, failed.error) == ("failed", says)
    assert await world.store.rows() == []
    assert await world.opens("aws") == []


async def test_only_configured_clusters(world: World) -> None:
    """Not every log there is belongs to a cluster that channels may go to."""
    failed = await world.mover(clusters=("main", "event")).carry(await world.wish())
    assert failed.error == "no cluster 'aws' for channels: choose one of main, event"


async def test_live_when_wished(world: World) -> None:
    await world.store.set_live("room", True, 1000.0)
    failed = await world.mover().carry(await world.wish())
    assert failed.state == "failed"
    assert "#room is live" in failed.error


async def test_goes_live_before_the_seal(world: World) -> None:
    """Until then cancelling costs nothing: the open alone means nothing (rule C1)."""
    move = await world.upto("opened")
    await world.store.set_live("room", True, 1000.0)
    cancelled = await world.mover().carry(move)
    assert (cancelled.state, cancelled.error) == ("cancelled", "#room went live before the switch")
    assert await world.seals("main") == []
    assert (await world.placement()).segment == MAIN


async def test_goes_live_behind_the_recheck(world: World) -> None:
    """Once the seal may have been sent, only the log can say what happened (rule C4)."""
    move = await world.upto("sealing")
    await world.store.set_live("room", True, 1000.0)
    assert (await world.mover().carry(move)).state == "draining"


async def test_forced_while_live(world: World) -> None:
    await world.store.set_live("room", True, 1000.0)
    assert (await world.mover().carry(await world.wish(forced=True, reason="why"))).state == "draining"


async def test_row_for_a_channel_without_one(world: World) -> None:
    """Rule C10: the segment that is sealed stands in the store before anything is opened."""
    move = await world.upto("opening")
    assert await world.store.rows() == [Placement("room", MAIN)]
    assert move.source == MAIN


async def test_default_that_changes_meanwhile(world: World) -> None:
    """The move seals what the row says, not what was read before the row was there."""

    def change(name: str, done: bool) -> None:
        if name == "live_among" and not done:
            coroutine = world.store.set_default(Segment("event", 5, 0, "event/1"), hold_until=0.0)
            with pytest.raises(StopIteration):
                coroutine.send(None)  # it never suspends

    carried = await world.mover(change).carry(await world.wish())
    assert carried.source == Segment("event", 5, 0, "event/1")
    assert (await world.placement()).segment == Segment("aws", 6, carried.at, "aws/1")


# the first valid seal (rules C2, C3, C4) --------------------------------------------------------


async def test_another_seal_came_first(world: World) -> None:
    """The loser commits what the log says, and is cancelled."""
    move = await world.upto("sealing")
    at = await world.append("event", Open("open:other", 2))
    theirs = Segment("event", 2, at, "event/1")
    await world.append("main", Seal("seal:other", 1, theirs))
    cancelled = await world.mover().carry(move)
    assert (cancelled.state, cancelled.error) == ("cancelled", "another move came first: it is on event")
    assert (await world.placement()).segment == theirs
    assert (await world.placement()).phase == "draining"


async def test_void_seals_do_not_count(world: World) -> None:
    """Of another epoch, or back: the move's own is the first valid one."""
    move = await world.upto("sealing")
    await world.append("main", Seal("old", 0, Segment("event", 1, 1, "event/1")))
    await world.append("main", Seal("flat", 1, Segment("event", 1, 1, "event/1")))
    assert (await world.mover().carry(move)).state == "draining"
    assert (await world.placement()).segment.cluster == "aws"


async def test_seal_far_behind(world: World) -> None:
    """However much was said in the segment, the seal is found."""
    for number in range(2, 1203):
        await world.say("main", 1, number)
    move = await world.wish()
    assert (await world.mover().carry(move)).state == "draining"
    assert (await world.placement()).segment.cluster == "aws"


async def test_seal_of_an_earlier_life_of_the_cluster(world: World) -> None:
    """The channel was here before: its old seals lie before the segment's beginning, or have its old epoch."""
    for target in ("aws", "main", "aws", "event"):
        assert (await world.mover().carry(await world.wish(target))).state == "draining"
    assert [segment.cluster for segment in await world.store.segments("room")] == [
        "main", "aws", "main", "aws", "event",
    ]  # fmt: skip


async def test_seal_that_is_not_to_be_seen_yet(world: World) -> None:
    """A stale answer is no reason to think that the seal did not land (rule L1)."""
    move = await world.upto("sealing")
    read = world.logs["main"].read
    page = await read("room", 0)
    stale = [page]

    async def lagging(channel: str, after: int, limit: int = 500) -> Page:
        return stale.pop() if stale else await read(channel, after, limit)

    world.logs["main"].read = lagging  # type: ignore[method-assign]
    with pytest.raises(ChatLogUnavailable, match="not to be seen yet"):
        await world.mover().carry(move)
    assert (await world.journaled(move)).state == "sealing"
    assert (await world.mover().carry(move)).state == "draining"


async def test_seal_that_landed_after_a_time_out(world: World) -> None:
    """It is not sent under another id: the log keeps one."""
    move = await world.upto("sealing")
    mover = world.mover(once("append", AppendUnknown("no answer"), done=True))
    with pytest.raises(AppendUnknown):
        await mover.carry(move)
    await mover.carry(move)
    assert len(await world.seals("main")) == 1


async def test_edge_that_committed_first(world: World) -> None:
    """Anyone who meets the seal commits it; the move goes on as its own."""
    move = await world.upto("sealing")
    to = Segment("aws", 2, move.at, move.stream)
    await world.append("main", Seal(f"seal:{move.id}", 1, to))
    committed = await world.store.commit("room", to, drain_until=1055.0, now=995.0)
    assert (await world.mover().carry(move)).state == "draining"
    assert await world.placement() == committed
    await assert_moved(world, move)


async def test_chain_that_went_on_through_this_move(world: World) -> None:
    """Its segment is in the chain: the move was made, though the channel has left again."""
    move = await world.upto("sealing")
    await world.store.commit("room", Segment("aws", 2, move.at, move.stream), drain_until=0.0, now=0.0)
    later = Segment("event", 3, 9, "event/1")
    await world.store.commit("room", later, drain_until=0.0, now=0.0)
    assert (await world.mover().carry(move)).state == "draining"
    assert (await world.placement()).segment == later


async def test_chain_that_went_on_without_this_move(world: World) -> None:
    """No seal is sent any more into a segment that has ended."""
    move = await world.upto("sealing")
    await world.store.commit("room", Segment("event", 2, 9, "event/1"), drain_until=0.0, now=0.0)
    cancelled = await world.mover().carry(move)
    assert (cancelled.state, cancelled.error) == ("cancelled", "another move came first: it is on event")
    assert await world.seals("main") == []


async def test_overtaken_behind_its_seal(world: World) -> None:
    """The channel went on from its source by another way before the commit: the move says where it is."""
    move = await world.upto("sealed")
    overtaking = await world.store.commit("room", Segment("event", 2, 9, "event/1"), drain_until=0.0, now=0.0)
    cancelled = await world.mover().carry(move)
    assert (cancelled.state, cancelled.error) == ("cancelled", "another move came first: it is on event")
    assert await world.placement() == overtaking


async def test_left_again_before_its_commit(world: World) -> None:
    """Its segment is in the chain by somebody else's commit: it was made, however far the channel has come."""
    move = await world.upto("sealed")
    await world.store.commit("room", Segment("aws", 2, move.at, move.stream), drain_until=0.0, now=0.0)
    later = await world.store.commit("room", Segment("event", 3, 9, "event/1"), drain_until=0.0, now=0.0)
    carried = await world.mover().carry(move)
    assert (carried.state, carried.error) == ("draining", "")
    assert await world.placement() == later


@pytest.mark.parametrize("evacuate", [False, True])
@pytest.mark.parametrize("state", ["opening", "opened", "sealing", "sealed"])
async def test_opened_anew_by_force(world: World, state: MoveState, evacuate: bool) -> None:
    """Rules L2, C8: the source was given up meanwhile, and the channel is where it was opened anew."""
    move = await world.upto(state, evacuate=evacuate, forced=evacuate, reason="fire")
    forced = Segment("event", 3, 9, "event/1", unclean=True)
    await world.store.commit("room", forced, drain_until=0.0, now=0.0)
    cancelled = await world.mover().carry(move)
    assert (cancelled.state, cancelled.error) == (
        "cancelled",
        "the channel was opened anew by force: it is on event",
    )
    assert (await world.placement()).segment == forced
    assert bool(await world.seals("main")) is (state == "sealed" and not evacuate), "none is sent any more"


async def test_zombie_in_a_chain_that_went_on(world: World) -> None:
    """It reads that the chain went on, but the journal is another's by now: it must not send its seal."""
    stale = await world.upto("sealing")
    await world.store.commit("room", Segment("event", 3, 9, "event/1", unclean=True), drain_until=0.0, now=0.0)
    assert (await world.mover().carry(stale)).state == "cancelled"
    with pytest.raises(Superseded):
        await world.mover().carry(stale)
    assert await world.seals("main") == []


# dead logs (rules L2, C8) -----------------------------------------------------------------------


async def test_source_is_gone(world: World) -> None:
    """Nobody is left who would read a seal; who had read one may still commit it within a lease (rule C4)."""
    move = await world.upto("sealing")
    world.lose_log("main")
    world.clock.advance(SETTINGS.lease)
    with pytest.raises(DeadLog):
        await world.mover().carry(move)
    assert (await world.journaled(move)).state == "sealing"
    world.clock.advance(1.0)
    cancelled = await world.mover().carry(move)
    assert (cancelled.state, cancelled.error) == ("cancelled", "the log of main is gone: evacuate")
    assert await world.entries("main") == []
    assert (await world.placement()).segment == MAIN


async def test_source_is_gone_and_the_seal_was_read(world: World) -> None:
    """An edge commits what it read, and the move goes on."""
    move = await world.upto("sealing")
    world.lose_log("main")
    with pytest.raises(DeadLog):
        await world.mover().carry(move)
    await world.store.commit("room", Segment("aws", 2, move.at, move.stream), drain_until=0.0, now=0.0)
    assert (await world.mover().carry(move)).state == "draining"


async def test_source_goes_behind_the_seal(world: World) -> None:
    """The log that answers is not the one that was sealed."""
    move = await world.upto("sealing")
    world.clock.advance(SETTINGS.lease + 1.0)
    read = world.logs["main"].read

    async def of_another(channel: str, after: int, limit: int = 500) -> Page:
        return msgspec.structs.replace(await read(channel, after, limit), stream="main/2")

    world.logs["main"].read = of_another  # type: ignore[method-assign]
    cancelled = await world.mover().carry(move)
    assert (cancelled.state, cancelled.error) == ("cancelled", "the log of main is gone: evacuate")


async def test_evacuation(world: World) -> None:
    """It leaves out an epoch, is marked unclean, and asks nothing of the dead cluster."""

    def away(name: str, done: bool) -> None:
        if name == "read":
            raise ChatLogUnavailable("main is away")

    carried = await world.mover(away).carry(await world.wish(evacuate=True, forced=True, reason="fire"))
    assert carried.state == "draining"
    assert await world.placement() == Placement(
        "room", Segment("aws", 3, carried.at, "aws/1", unclean=True), "draining", 1060.0, ("main",), drains=(1060.0,)
    )
    assert await world.seals("main") == []


async def test_evacuation_is_sealed_when_the_log_is_back(world: World) -> None:
    """Whoever still stands in the old segment is sent after the others."""
    carried = await world.mover().carry(await world.wish(evacuate=True, forced=True, reason="fire"))
    settled = await world.mover().settle(carried)
    assert settled.state == "settled"
    assert await world.seals("main") == [Seal("seal:m1", 1, (await world.placement()).segment)]


async def test_evacuation_counts_what_nobody_was_shown(world: World) -> None:
    """Rule C8: of three lines one was read before, one was said again, one is lost."""
    main, aws = world.logs["main"], world.logs["aws"]
    for number, name in enumerate(("read", "again", "lost"), start=1):
        said = Message(name, 1, "p", number, ANN, name)
        at = await main.append("room", said, stream=main.stream("room"))
        if name == "read":
            await world.store.note_reached("room", 1, at)
    await main.append("room", Message("foreign", 7, "q", 1, ANN, "x"), stream=main.stream("room"))
    carried = await world.mover().carry(await world.wish(evacuate=True, forced=True, reason="fire"))
    await aws.append("room", Message("again", 3, "p", 2, ANN, "again"), stream=aws.stream("room"))
    await world.store.note_reached("room", 1, 1)
    assert (await world.mover().settle(carried)).unshown == 1


async def test_evacuation_waits_for_the_log(world: World) -> None:
    carried = await world.mover().carry(await world.wish(evacuate=True, forced=True, reason="fire"))
    mover = world.mover(once("append", ChatLogUnavailable("away")))
    with pytest.raises(ChatLogUnavailable):
        await mover.settle(carried)
    assert (await world.placement()).phase == "draining"
    assert (await mover.settle(carried)).state == "settled"


async def test_evacuation_from_a_log_that_never_comes_back(world: World) -> None:
    carried = await world.mover().carry(await world.wish(evacuate=True, forced=True, reason="fire"))
    world.lose_log("main")
    assert (await world.mover().settle(carried)).state == "settled"
    assert await world.entries("main") == []


@pytest.mark.parametrize("moves", [1, 2, 3])
async def test_evacuation_that_came_too_late(world: World, moves: int) -> None:
    """The channel had moved on by itself, with two moves to the very epoch of the evacuation: it is left there."""
    move = await world.upto("sealed", evacuate=True, forced=True, reason="fire")
    for epoch in range(2, 2 + moves):
        moved = await world.store.commit("room", Segment("event", epoch, 9, "event/1"), drain_until=0.0, now=0.0)
    cancelled = await world.mover().carry(move)
    assert (cancelled.state, cancelled.error) == ("cancelled", "another move came first: it is on event")
    assert await world.placement() == moved


async def test_evacuation_that_was_left_again(world: World) -> None:
    """It was committed, and the channel moved on from there: the evacuation took place."""
    move = await world.upto("sealed", evacuate=True, forced=True, reason="fire")
    await world.store.commit("room", Segment("aws", 3, move.at, move.stream, unclean=True), drain_until=0.0, now=0.0)
    await world.store.commit("room", Segment("event", 4, 9, "event/1"), drain_until=0.0, now=0.0)
    assert (await world.mover().carry(move)).state == "draining"


# the end ----------------------------------------------------------------------------------------


async def test_settle(world: World) -> None:
    """The placement is settled, and open and seal of what was left may expire (rule L3)."""
    carried = await world.mover().carry(await world.wish())
    settled = await world.mover().settle(carried)
    assert settled.state == "settled"
    assert settled == await world.journaled(carried)
    assert (await world.placement()).phase == "settled"
    world.clock.advance(1e6)
    for log in world.logs.values():
        log.expire()
    assert await world.entries("main") == []
    assert await world.opens("aws") == [Open("open:m1", 2)], "the segment that is read stays"


async def test_settle_leaves_a_newer_drain_alone(world: World) -> None:
    """A channel may move on while it drains."""
    first = await world.mover().carry(await world.wish())
    await world.mover().carry(await world.wish("event"))
    assert (await world.mover().settle(first)).state == "settled"
    assert (await world.placement()).phase == "draining"


async def test_settle_after_the_source_was_created_anew(world: World) -> None:
    """What the new log holds is not the move's to release."""
    carried = await world.mover().carry(await world.wish())
    world.lose_log("main")
    await world.append("main", Open("open:again", 1))
    assert (await world.mover().settle(carried)).state == "settled"
    world.clock.advance(1e6)
    world.logs["main"].expire()
    assert await world.opens("main") == [Open("open:again", 1)]


@pytest.mark.parametrize("call", ["release", "settle_many", "journal_many"])
@pytest.mark.parametrize("done", [False, True])
async def test_settle_is_tried_again(world: World, call: str, done: bool) -> None:
    carried = await world.mover().carry(await world.wish())
    error = ChatLogUnavailable("away") if call == "release" else StoreUnavailable("away")
    mover = world.mover(once(call, error, done=done))
    with pytest.raises((ChatLogUnavailable, StoreUnavailable)):
        await mover.settle(carried)
    move = await world.journaled(carried)
    if move.state == "draining":
        move = await mover.settle(move)
    assert move.state == "settled"
    assert (await world.placement()).phase == "settled"


async def test_settled_by_another(world: World) -> None:
    """Whoever settles second must not take the move for one that still drains."""
    carried = await world.mover().carry(await world.wish())
    settled = await world.mover().settle(carried)
    with pytest.raises(Superseded):
        await world.mover().settle(carried)
    assert await world.journaled(carried) == settled


# the demo's fault -------------------------------------------------------------------------------


async def test_skipped_seal(world: World) -> None:
    """It commits all the same, so that the demo has something to find."""
    carried = await world.mover(skip_seal=True).carry(await world.wish())
    assert carried.state == "draining"
    assert await world.seals("main") == []
    assert (await world.placement()).segment.cluster == "aws"


async def test_talk_is_left_alone(world: World) -> None:
    """A move writes open and seal, nothing else."""
    await world.mover().carry(await world.wish())
    line = Message("p1", 1, "p", 1, Author("1", "ann"), "hi")
    assert [entry.record for entry in await world.entries("main")][:-1] == [line]
    assert len(await world.entries("aws")) == 1
