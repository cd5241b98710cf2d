"""Who leads answers wishes and carries rollouts on; who does not leaves everything alone."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from structlog.testing import capture_logs

from godwit.control.drains import Outcome
from godwit.control.leader import TTL
from godwit.control.waves import IDLE
from godwit.errors import StoreUnavailable
from godwit.values import Move
from tests.control.steered import PLAIN, Steered


@pytest.fixture
async def network() -> Steered:
    network = Steered()
    await network.begin("a", "b", "c", "d")
    return network


async def outcome(network: Steered, channel: str, *, left: int, stayed: tuple[str, ...] = ()) -> Outcome:
    """What was found at the end of the drain of a channel's last move."""
    item = await network.item(channel)
    move = await network.store.move(item.move)
    assert move
    return Outcome(move, left, item.before, stayed, "ok")


# who leads --------------------------------------------------------------------------------------


async def test_who_does_not_lead(network: Steered) -> None:
    """It answers no wish and begins nothing; it is told when to look again."""
    await network.conductor.look()
    other = network.another("two")
    wish = await network.store.add_wish(network.wish("start", toml=PLAIN, replan=True))
    assert 0 < await other.look() <= TTL
    assert other.statistics() == {"leads": 0, "rollouts": 0}
    assert (await network.store.wish(wish.id)) == wish


async def test_takes_over(network: Steered) -> None:
    """What is under way is read from the store; the old one writes nothing more, and sees it."""
    await network.started()
    network.clock.advance(1.0)
    await network.conductor.look()
    old, begun = network.conductor, await network.begun()
    assert [move.channel for move in begun] == ["a", "b"]
    network.clock.advance(TTL)
    network.conductor = network.another("two")
    await network.conductor.look()
    assert network.conductor.statistics() == {"leads": 1, "rollouts": 1}
    assert await old.look() > 0
    assert old.statistics()["leads"] == 0
    await network.run(10.0)
    assert len(await network.begun()) == 4, "what had begun was not begun again"
    assert (await network.rollout()).state == "finished"


async def test_loses_the_lease_in_the_middle(network: Steered) -> None:
    """While it looks another one takes over: its next write is refused, and it reads again."""
    await network.started()

    def overtake(name: str, done: bool) -> None:
        if name == "eligible" and not done:
            network.clock.advance(TTL)
            with pytest.raises(StopIteration):
                network.store.lead("controller", "two", now=network.clock.now(), until=1e9).send(None)

    slow = network.another("one", overtake)
    await slow.look()
    network.clock.advance(1.0)
    with capture_logs() as logs:
        assert await slow.look() == 0.1
    assert "read_again" in [line["event"] for line in logs]
    assert await network.begun() == []
    assert not slow.leader.leads


@pytest.mark.parametrize("done", [False, True])
async def test_store_is_away(network: Steered, done: bool) -> None:
    """It is told; then everything is read again, whether the write had happened or not, and nothing is done twice."""
    left = [3]

    def away(name: str, is_done: bool) -> None:
        if name == "advance" and is_done is done and left[0]:
            left[0] -= 1
            raise StoreUnavailable("away")

    network.conductor = network.another("one", away)
    wish = await network.store.add_wish(network.wish("start", toml=PLAIN, replan=True))
    failures = 0
    for _ in range(30):
        try:
            await network.conductor.look()
        except StoreUnavailable:
            failures += 1
            assert not network.conductor.leader.leads
        await network.carry()
        network.clock.advance(1.0)
    assert failures == 3
    answered = await network.store.wish(wish.id)
    assert answered
    assert answered.state == "done"
    assert len(await network.store.rollouts()) == 1
    assert len(await network.begun()) == 4
    assert (await network.rollout()).state == "finished"


async def test_dies_at_every_call(network: Steered) -> None:
    """Under the same name or another: the rollout comes to the same end, and no channel moves twice."""
    calls, last = 0, 0
    ended = False
    while not ended:
        network = Steered()
        await network.begin("a", "b", "c", "d")
        calls = 0

        def die(name: str, done: bool, last: int = last) -> None:
            nonlocal calls
            calls += 1
            if calls == last + 1:
                raise asyncio.CancelledError(name)

        await network.store.add_wish(network.wish("start", toml=PLAIN, replan=True))
        network.conductor = network.another("one", die)
        try:
            await network.run(12.0)
            ended = True
        except asyncio.CancelledError:
            network.conductor = network.another("one" if last % 2 else "two")
            network.clock.advance(TTL)
            await network.run(15.0)
        assert (await network.rollout()).state == "finished"
        assert await network.where("a", "b", "c", "d", "nobody_knows") == ["aws"] * 5
        assert len(await network.begun()) == 4
        last += 3
    assert last > 60


async def test_looks_again_soon_enough(network: Steered) -> None:
    """Before the lease ends, at the latest."""
    assert 0 < await network.conductor.look() <= min(IDLE, TTL / 3)


async def test_wishes_are_answered_in_order(network: Steered) -> None:
    """Each once, those that are refused too; a refused one keeps no other from being done."""
    rollout = await network.started()
    wishes = [network.wish(verb, rollout=rollout) for verb in ("pause", "pause", "resume", "abort")]
    for wish in wishes:
        await network.store.add_wish(wish)
    await network.conductor.look()
    found = [await network.store.wish(wish.id) for wish in wishes]
    assert [one.state for one in found if one] == ["done", "refused", "done", "done"]
    assert await network.store.wishes(new=True) == []
    assert [state for state, *_ in (await network.rollout()).history] == ["running", "paused", "running", "aborted"]


async def test_what_was_changed_is_told(network: Steered) -> None:
    told: list[None] = []
    network.conductor = network.another("one", changed=lambda: told.append(None))
    await network.conductor.look()
    assert told == []
    await network.started()
    assert told


# what is known at the end of drains -------------------------------------------------------------


async def test_outcomes_are_noted(network: Steered) -> None:
    """By the next look, and only then `record` returns; it asks for that look."""
    network.people.hot("a", members=5)
    await network.started()
    await network.run(4.0)
    woken: list[None] = []
    network.conductor.wake = lambda: woken.append(None)
    noting = asyncio.ensure_future(
        network.conductor.record([await outcome(network, "a", left=2, stayed=("ann", "bob"))])
    )
    await asyncio.sleep(0)
    assert (len(woken), noting.done()) == (1, False)
    assert (await network.item("a")).verified == ""
    await network.conductor.look()
    await noting
    item = await network.item("a")
    assert (item.before, item.followed, item.stayed, item.verified) == (5, 3, ("ann", "bob"), "ok")


async def test_members_that_are_gone(network: Steered) -> None:
    """The verdict says so if more than half of them are."""
    network.people.hot("a", members=5)
    await network.started()
    await network.run(4.0)
    found = msgspec.structs.replace(await outcome(network, "a", left=0), members=2)
    noting = asyncio.ensure_future(network.conductor.record([found]))
    await asyncio.sleep(0)
    await network.conductor.look()
    await noting
    assert (await network.item("a")).verified == "ok (members: 5 before, 2 now)"


async def test_more_are_left_than_there_were(network: Steered) -> None:
    """Some came back: nobody followed, and not less than nobody."""
    await network.started()
    await network.run(4.0)
    noting = asyncio.ensure_future(network.conductor.record([await outcome(network, "a", left=2)]))
    await asyncio.sleep(0)
    await network.conductor.look()
    await noting
    assert (await network.item("a")).followed == 0


async def test_outcomes_of_moves_by_hand(network: Steered) -> None:
    """They are no rollout's: nothing is noted."""
    await network.conductor.look()
    await network.conductor.record([Outcome(Move("m", "a", "aws", "draining"))])


async def test_outcomes_of_one_who_does_not_lead(network: Steered) -> None:
    """It keeps nobody waiting: the moves are settled, by whomever."""
    await network.conductor.look()
    await network.another("two").record([Outcome(Move("m", "a", "aws", "draining", rollout="r"))])


async def test_outcomes_when_the_lease_is_lost(network: Steered) -> None:
    """Whoever leads now ends those drains."""
    await network.started()
    await network.run(4.0)
    noting = asyncio.ensure_future(network.conductor.record([await outcome(network, "a", left=0)]))
    await asyncio.sleep(0)
    network.clock.advance(TTL)
    await network.another("two").look()
    await network.conductor.look()
    with pytest.raises(StoreUnavailable, match="another controller leads"):
        await noting
    assert (await network.item("a")).verified == ""


async def test_outcomes_when_the_store_is_away(network: Steered) -> None:
    """They are noted at the next look."""
    away: list[str] = []

    def disturb(name: str, done: bool) -> None:
        if name in away and not done:
            raise StoreUnavailable("away")

    network.conductor = network.another("one", disturb)
    await network.started()
    await network.run(4.0)
    noting = asyncio.ensure_future(network.conductor.record([await outcome(network, "a", left=0)]))
    await asyncio.sleep(0)
    away.append("advance")
    with pytest.raises(StoreUnavailable):
        await network.conductor.look()
    assert not noting.done()
    away.clear()
    await network.conductor.look()
    await noting
    assert (await network.item("a")).verified == "ok"


async def test_gates_are_not_watched_when_all_is_over(network: Steered) -> None:
    """The gatekeeper need not go on."""
    await network.started()
    network.gates.watched = ["left over"]
    await network.run(12.0)
    assert (await network.rollout()).state == "finished"
    assert network.gates.watched == []
    assert network.conductor.holding((await network.rollout()).id) == ""
