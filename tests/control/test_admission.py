"""Which channels begin to move: budgets, channels that somebody else moves, and the notice before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from godwit.control import admission as module
from godwit.control.admission import AGAIN, Admission
from godwit.control.leader import TTL, Leader
from godwit.control.ports import Presence
from godwit.errors import ChatLogUnavailable, StaleEpoch
from godwit.rollout import definition as definitions
from godwit.rollout.progress import QUIET
from godwit.rollout.values import Advance, Budget, Facts, Hold, Item, Rollout, WaveProgress
from godwit.values import Move
from tests.control.steered import PLAIN, Steered

ROOMY = Budget(in_flight=1000, cold_in_flight=1000, hot_per_second=1000.0, cold_per_second=1000.0)
NOTICE = PLAIN.replace("offline_for = 0", 'offline_for = 0\nnotice = "off to {cluster}"\nnotice_before = 5')


class Door:
    """Admission of one rollout whose waves have all begun."""

    def __init__(self, network: Steered, leader: Leader, rollout: Rollout) -> None:
        self.network = network
        self.leader = leader
        self.rollout = rollout
        self.admission = self.made()

    def made(self) -> Admission:
        """As whoever begins to lead makes it."""
        network = self.network
        return Admission(network.store, network.logs, network.people, network.clock, self.leader, self.rollout)

    async def admit(self, seconds: float = 0.0) -> list[str]:
        """Let time pass, and say which channels begin then."""
        before = len(await self.network.begun())
        self.network.clock.advance(seconds)
        await self.leader.hold()
        admitted = await self.admission.admit(self.rollout)
        moves = (await self.network.begun())[before:]
        assert admitted.begun == len(moves)
        self.exhausted, self.waits = admitted.exhausted, admitted.waits
        return [move.channel for move in moves]

    def set(self, **budget: Any) -> None:
        """Change the budget."""
        self.rollout = msgspec.structs.replace(
            self.rollout, budget=msgspec.structs.replace(self.rollout.budget, **budget)
        )


async def door(
    network: Steered, *channels: str, budget: Budget = ROOMY, toml: str = PLAIN, items: Mapping[str, Any] | None = None
) -> Door:
    """These channels wait on `main` to go to `aws`."""
    await network.begin(*channels)
    definition = definitions.parse(toml)
    leader = Leader(network.store, network.clock, "one")
    await leader.hold()
    waves = (WaveProgress("done"), WaveProgress("moving"))
    rollout = Rollout("r", definition, "", "running", waves, budget, wave=1, by="olga")
    made = tuple(Item("r", channel, 1, "main", **(items or {})) for channel in channels)
    written = await leader.write(Advance(network.clock.now(), rollout, items=made))
    assert written
    return Door(network, leader, written)


@pytest.fixture
def network() -> Steered:
    return Steered()


def names(count: int, first: str = "c") -> list[str]:
    return [f"{first}{number:03}" for number in range(count)]


# budgets ----------------------------------------------------------------------------------------


async def test_begins_moves(network: Steered) -> None:
    """The item and its move are written together; how cold it is and who is there is noted."""
    one = await door(network, "cold", "hot")
    network.people.hot("hot", members=7)
    assert await one.admit(1.0) == ["cold", "hot"]
    item = await network.item("hot")
    assert (item.state, item.cold, item.before, item.tries, item.since) == ("moving", False, 7, 1, 1001.0)
    assert (await network.item("cold")).cold
    move = await network.store.move(item.move)
    assert move == Move(
        "r.hot.1", "hot", "aws", "wished", by="olga", reason="rollout autumn, wave all",
        history=(("wished", 1001.0),), rollout="r",
    )  # fmt: skip
    assert one.admission.moving == {"hot": False, "cold": True}
    assert one.exhausted


async def test_what_was_said_lately_is_not_cold(network: Steered) -> None:
    """Nobody is to be told, but people talk."""
    one = await door(network, "talking", "quiet")
    now = network.clock.now() + 1.0
    network.people.here["talking"] = Presence("talking", 0, 0, now - QUIET + 1)
    network.people.here["quiet"] = Presence("quiet", 3, 0, now - QUIET)
    await one.admit(1.0)
    assert [(await network.item(name)).cold for name in ("talking", "quiet")] == [False, True]


async def test_budgets_begin_empty(network: Steered) -> None:
    """So that two leaders in turn do not begin more than one would."""
    one = await door(network, *names(9), budget=msgspec.structs.replace(ROOMY, cold_per_second=4.0))
    assert await one.admit() == []
    assert not one.exhausted
    assert 0 < one.waits <= 0.25
    await one.admit(0.5)
    one.admission = one.made()
    assert await one.admit() == []


async def test_looks_again_when_there_is_reason_to(network: Steered) -> None:
    """Not all the time because a bucket is full: the end of a move wakes it, and so does a stream's."""
    one = await door(network, "a", "b", "live", budget=msgspec.structs.replace(ROOMY, cold_in_flight=1))
    await network.store.set_live("live", True, 0.0)
    assert await one.admit(1.0) == ["a"]
    assert one.waits == AGAIN
    one.admission.ended(["a"])
    assert await one.admit(1.0) == ["b"]
    one.admission.ended(["b"])
    assert await one.admit(1.0) == []
    assert (one.waits, one.exhausted) == (AGAIN, True)


@pytest.mark.parametrize("kind", ["hot", "cold"])
@pytest.mark.parametrize(("rate", "step"), [(2.0, 0.5), (2.0, 0.1), (3.0, 1.0), (0.5, 1.0), (7.0, 0.3)])
async def test_rate_is_exact(network: Steered, kind: str, rate: float, step: float) -> None:
    """After so many seconds so many have begun, whenever it was looked."""
    one = await door(network, *names(100), budget=msgspec.structs.replace(ROOMY, **{f"{kind}_per_second": rate}))
    if kind == "hot":
        network.people.hot(*names(100))
    begun = 0
    for number in range(1, 31):
        begun += len(await one.admit(step))
        assert begun == int(number * step * rate + 1e-6)


async def test_no_more_than_a_second_is_saved_up(network: Steered) -> None:
    """After a long time without a look it does not begin all at once."""
    one = await door(network, *names(50), budget=msgspec.structs.replace(ROOMY, cold_per_second=5.0))
    assert len(await one.admit(100.0)) == 5


async def test_below_one_a_second(network: Steered) -> None:
    one = await door(network, *names(50), budget=msgspec.structs.replace(ROOMY, cold_per_second=0.1))
    assert await one.admit(9.0) == []
    assert one.waits == pytest.approx(1.0)
    assert len(await one.admit(1.0)) == 1
    assert len(await one.admit(100.0)) == 1


@pytest.mark.parametrize("kind", ["hot", "cold"])
async def test_in_flight(network: Steered, kind: str) -> None:
    """As many as are over make room for others."""
    most = "in_flight" if kind == "hot" else "cold_in_flight"
    one = await door(network, *names(10), budget=msgspec.structs.replace(ROOMY, **{most: 3}))
    if kind == "hot":
        network.people.hot(*names(10))
    assert await one.admit(1.0) == names(3)
    assert await one.admit(1.0) == []
    one.admission.ended(["c001", "c000"])
    assert await one.admit(1.0) == ["c003", "c004"]
    one.admission.ended(["c002", "c003", "c004"])
    assert await one.admit(1.0) == ["c005", "c006", "c007"]


async def test_hot_and_cold_have_their_own(network: Steered) -> None:
    """Hot ones that may not begin keep no cold one from it, and the other way round."""
    hot, cold = names(5, "h"), names(5)
    one = await door(network, *hot, *cold, budget=msgspec.structs.replace(ROOMY, in_flight=1, cold_in_flight=2))
    network.people.hot(*hot)
    assert await one.admit(1.0) == ["c000", "c001"], "only the first are looked at"
    assert not one.exhausted
    assert one.waits == 0.01, "and then more of them"
    assert await one.admit(0.01) == ["h000"]
    one.admission.ended(["c000", "c001"])
    assert await one.admit(1.0) == ["c002", "c003"]
    one.admission.ended(["h000"])
    assert await one.admit(1.0) == ["h001"]


async def test_many_hot_ones_before_a_cold_one(network: Steered) -> None:
    """There is room for cold ones only; the first of what waits are all hot."""
    hot = names(5, "a")
    one = await door(network, *hot, "z", budget=msgspec.structs.replace(ROOMY, in_flight=1, cold_in_flight=1))
    network.people.hot(*hot)
    begun: list[str] = []
    for _ in range(10):
        fresh = await one.admit(1.0)
        begun += fresh
        one.admission.ended(fresh)
    assert set(begun) == {*hot, "z"}


async def test_no_more_than_so_many_in_one_write(network: Steered, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 4)
    one = await door(network, *names(10))
    assert [len(await one.admit(1.0)) for _ in range(4)] == [4, 4, 2, 0]


async def test_budget_that_is_changed(network: Steered) -> None:
    """`in_flight` holds at once; a rate begins empty anew, so nothing saved up is spent at it."""
    one = await door(network, *names(100), budget=msgspec.structs.replace(ROOMY, cold_in_flight=2))
    assert len(await one.admit(1.0)) == 2
    one.set(cold_in_flight=5)
    assert len(await one.admit()) == 3
    one.set(cold_in_flight=1)
    one.admission.ended(["c000", "c001", "c002", "c003"])
    assert await one.admit(1.0) == []
    one.set(cold_in_flight=1000, cold_per_second=10.0)
    assert await one.admit() == []
    assert len(await one.admit(0.5)) == 5
    one.set(cold_per_second=20.0)
    assert await one.admit() == []
    assert len(await one.admit(0.5)) == 10


async def test_what_is_under_way_counts_for_the_next_leader(network: Steered) -> None:
    """It reads what the one before has begun."""
    one = await door(network, *names(10), budget=msgspec.structs.replace(ROOMY, in_flight=2, cold_in_flight=3))
    network.people.hot("c000", "c001", "c002")
    begun = [len(await one.admit(1.0)) for _ in range(2)]
    assert begun == [4, 1], "for one that was hot and had no room another one was found"
    before = one.admission.moving
    one.admission = one.made()
    await one.admission.load()
    assert one.admission.moving == before
    assert sorted(before.values()) == [False, False, True, True, True]
    assert await one.admit(1.0) == []


async def test_more_under_way_than_a_page(network: Steered, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 3)
    one = await door(network, *names(10))
    await one.admit(1.0)
    one.admission = one.made()
    await one.admission.load()
    assert len(one.admission.moving) == 10


# who does not begin -----------------------------------------------------------------------------


async def test_held_and_live_ones(network: Steered) -> None:
    """They wait, and all that may begin has begun."""
    one = await door(network, "free", "held", "live")
    await network.store.hold(Hold("held", "olga", "a party", 0.0))
    await network.store.set_live("live", True, 0.0)
    assert await one.admit(1.0) == ["free"]
    assert one.exhausted
    await network.store.set_live("live", False, 0.0)
    await network.store.release_hold("held")
    assert await one.admit(1.0) == ["held", "live"]


async def test_goes_live_between_the_look_and_the_choice(network: Steered) -> None:
    """`eligible` saves work; what it gives is looked at again, as the pure rule has it."""
    one = await door(network, "a")
    eligible = network.store.eligible

    async def late(*args: Any, **options: Any) -> Any:
        found = await eligible(*args, **options)
        return [(item, msgspec.structs.replace(candidate, live=True)) for item, candidate in found]

    network.store.eligible = late  # type: ignore[method-assign]
    assert await one.admit(1.0) == []


async def test_by_size(network: Steered) -> None:
    """Whoever has the fewest members goes first."""
    one = await door(network, "a", "b", "c", budget=msgspec.structs.replace(ROOMY, cold_in_flight=2))
    await network.store.set_facts([Facts("a", members=9), Facts("b", members=1), Facts("c", members=5)])
    assert await one.admit(1.0) == ["b", "c"]


async def test_those_that_are_there_already(network: Steered) -> None:
    """They are done, without a move."""
    one = await door(network, "a", "b")
    await network.mover.carry(await network.store.begin_move(Move("m", "a", "aws", "wished")))
    assert await one.admit(1.0) == ["b"]
    assert (await network.item("a")).state == "done"


async def test_channel_that_somebody_else_moves(network: Steered) -> None:
    """The others begin without it; it is looked at again after a while."""
    one = await door(network, "a", "b", "c")
    by_hand = await network.store.begin_move(Move("m", "b", "event", "wished", history=(("wished", 0.0),)))
    assert await one.admit(1.0) == ["a", "c"]
    assert not one.exhausted
    assert (await network.item("b")).state == "waiting"
    assert await one.admit(AGAIN - 1.0) == []
    await network.mover.carry(by_hand)
    assert await one.admit(1.0) == ["b"]
    assert one.exhausted
    assert (await network.item("b")).origin == "main"


async def test_somebody_else_comes_between_twice(network: Steered) -> None:
    """Then nothing begins this time, and no budget is spent."""
    one = await door(network, "a", "b", budget=msgspec.structs.replace(ROOMY, cold_per_second=2.0))
    await network.store.begin_move(Move("m1", "a", "event", "wished", history=(("wished", 0.0),)))
    moves = network.store.moves

    async def meanwhile(**options: Any) -> list[Move]:
        found = await moves(**options)
        if options.get("channel") == "b":
            await network.store.begin_move(Move("m2", "b", "event", "wished", history=(("wished", 0.0),)))
        return found

    network.store.moves = meanwhile  # type: ignore[method-assign]
    network.clock.advance(1.0)
    assert (await one.admission.admit(one.rollout)).begun == 0
    assert one.admission.moving == {}
    assert one.admission._room(network.clock.now())[1] == 2


async def test_fenced(network: Steered) -> None:
    """Whoever does not lead any more begins nothing, and knows it."""
    one = await door(network, "a")
    network.clock.advance(TTL)
    await Leader(network.store, network.clock, "two").hold()
    with pytest.raises(StaleEpoch):
        await one.admission.admit(one.rollout)
    assert await network.begun() == []
    assert one.admission.moving == {}


async def test_paused(network: Steered) -> None:
    one = await door(network, "a")
    one.rollout = msgspec.structs.replace(one.rollout, state="paused")
    assert await one.admit(1.0) == []


# the notice before ------------------------------------------------------------------------------


async def test_notice(network: Steered) -> None:
    """Said in the channel first, once; the move begins when its time has come."""
    one = await door(network, "a", toml=NOTICE)
    network.people.hot("a")
    assert await one.admit(1.0) == []
    [said] = await network.told("main", "a")
    assert (said.text, said.msg_id, said.epoch) == ("off to aws", "godwit_moves_soon", 1)
    assert not one.exhausted
    assert await one.admit(4.9) == []
    assert one.waits == pytest.approx(0.1)
    assert await one.admit(0.1) == ["a"]
    assert len(await network.told("main", "a")) == 1


async def test_notices_go_with_the_budget(network: Steered) -> None:
    """As many are told a second as may begin, however often it looks; each then moves when it was told to."""
    channels = names(20)
    one = await door(network, *channels, toml=NOTICE, budget=msgspec.structs.replace(ROOMY, hot_per_second=2.0))
    network.people.hot(*channels)
    begun: dict[str, float] = {}
    for _ in range(160):
        begun |= dict.fromkeys(await one.admit(0.1), network.clock.now())
    assert sorted(begun) == channels
    for number, channel in enumerate(channels):
        assert begun[channel] == pytest.approx(1000.0 + (number + 1) / 2 + 5, abs=0.11)


async def test_nobody_is_told_while_too_many_are_under_way(network: Steered) -> None:
    one = await door(network, *names(3), toml=NOTICE, budget=msgspec.structs.replace(ROOMY, in_flight=1))
    network.people.hot(*names(3))
    one.admission.moving["other"] = False
    assert await one.admit(1.0) == []
    assert await network.told("main", "c000") == []
    one.admission.ended(["other"])
    await one.admit(1.0)
    assert await one.admit(5.0) == ["c000"]


async def test_cold_ones_are_not_told(network: Steered) -> None:
    """Nobody is there."""
    one = await door(network, "a", toml=NOTICE)
    assert await one.admit(1.0) == ["a"]
    assert await network.told("main", "a") == []


async def test_noticed_ones_of_the_leader_before(network: Steered) -> None:
    """What it had said counts."""
    one = await door(network, "a", toml=NOTICE)
    network.people.hot("a")
    await one.admit(1.0)
    one.admission = one.made()
    assert await one.admit(3.0) == []
    assert await one.admit(2.0) == ["a"]
    assert len(await network.told("main", "a")) == 1


async def test_notice_that_cannot_be_said(network: Steered) -> None:
    """The channel moves all the same."""
    one = await door(network, "a", toml=NOTICE)
    network.people.hot("a")

    async def away(*args: Any, **options: Any) -> int:
        raise ChatLogUnavailable("main is away")

    network.logs["main"].append = away  # type: ignore[method-assign]
    with capture_logs() as logs:
        await one.admit(1.0)
    assert [line["event"] for line in logs] == ["notice_failed"]
    assert await one.admit(5.0) == ["a"]


async def test_notice_of_the_way_back(network: Steered) -> None:
    """It names the cluster that the channel goes to; another try is told of again."""
    one = await door(network, "a", toml=NOTICE, items={"goal": "back", "tries": 2})
    network.people.hot("a")
    await network.mover.carry(await network.store.begin_move(Move("m", "a", "aws", "wished")))
    await one.admit(1.0)
    [said] = await network.told("aws", "a")
    assert (said.text, said.id) == ("off to main", "notice:r:2:a")
