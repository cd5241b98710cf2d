"""The lease of the controller: taken, kept, lost, given back; and what is written under its term."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from godwit.clock import FakeClock
from godwit.control.leader import LEASE, TTL, Leader
from godwit.errors import StaleEpoch, StoreUnavailable
from godwit.rollout import definition as definitions
from godwit.rollout.values import Advance, Budget, Hold, Rollout, WaveProgress
from godwit.store.memory import MemoryStore
from godwit.store.steps import CONTROLLER
from tests.control.steered import PLAIN
from tests.control.world import Faulty


class Two:
    """Two that want to lead."""

    def __init__(self) -> None:
        self.clock = FakeClock(1000.0)
        self.store = MemoryStore()
        self.one, self.two = (Leader(self.store, self.clock, name) for name in ("one", "two"))


@pytest.fixture
def both() -> Two:
    return Two()


def held(channel: str) -> Advance:
    return Advance(0.0, holds=(Hold(channel, "olga", "why not", 0.0),))


async def test_taken(both: Two) -> None:
    """Whoever comes first leads; the other one is told when to try again."""
    assert not both.one.leads
    assert await both.one.hold() == 0.0
    assert (both.one.leads, both.one.term, both.one.fresh) == (True, 1, True)
    assert await both.two.hold() == TTL / 2
    assert (both.two.leads, both.two.term) == (False, 0)


async def test_kept(both: Two) -> None:
    """As long as it looks in time, under the same term."""
    await both.one.hold()
    for _ in range(10):
        both.clock.advance(TTL - 0.1)
        assert both.one.leads
        assert await both.one.hold() == 0.0
        assert (both.one.term, both.one.fresh) == (1, False)
        assert await both.two.hold() > 0.0


async def test_taken_over(both: Two) -> None:
    """When it has ended; from then on nothing of the old term is written, though its holder does not know yet."""
    await both.one.hold()
    both.clock.advance(TTL - 1.0)
    assert await both.two.hold() == 1.0
    both.clock.advance(1.0)
    assert not both.one.leads
    assert await both.two.hold() == 0.0
    assert (both.two.term, both.two.fresh) == (2, True)
    with pytest.raises(StaleEpoch, match="the term is 2, not 1"):
        await both.one.write(held("a"))
    await both.two.write(held("b"))
    assert [hold.channel for hold in await both.store.holds()] == ["b"]
    assert await both.one.hold() > 0.0
    assert both.one.term == 0


async def test_own_lease_that_had_ended(both: Two) -> None:
    """It is another term: in between somebody else may have led."""
    await both.one.hold()
    both.clock.advance(TTL)
    await both.one.hold()
    assert (both.one.term, both.one.fresh) == (2, True)


async def test_started_again_under_its_name(both: Two) -> None:
    """It takes over at once, and reads everything, as it is fresh."""
    await both.one.hold()
    again = Leader(both.store, both.clock, "one")
    assert await again.hold() == 0.0
    assert (again.term, again.fresh) == (1, True)


async def test_lost(both: Two) -> None:
    """Whoever does not know what became of a write writes no more before it holds the lease again."""
    await both.one.hold()
    both.one.lose()
    assert not both.one.leads
    with pytest.raises(StaleEpoch, match="was lost"):
        await both.one.write(held("a"))
    assert await both.store.holds() == []
    await both.one.hold()
    assert both.one.fresh, "what it knows is read again"
    await both.one.write(held("a"))


async def test_resigned(both: Two) -> None:
    """The other one need not wait for the end."""
    await both.one.hold()
    await both.one.resign()
    assert not both.one.leads
    assert await both.two.hold() == 0.0
    assert both.two.term == 2


async def test_resigned_by_one_who_does_not_lead(both: Two) -> None:
    await both.one.hold()
    await both.two.resign()
    assert await both.two.hold() > 0.0


async def test_next_try_is_soon_at_the_end(both: Two) -> None:
    await both.one.hold()
    both.clock.advance(TTL - 0.01)
    assert await both.two.hold() == 0.1


async def test_rollouts_are_written_one_version_after_the_other(both: Two) -> None:
    """`keep` returns what was written, and refuses what somebody else has written since."""
    await both.one.hold()
    definition = definitions.parse(PLAIN)
    waves = tuple(WaveProgress() for _ in definition.waves)
    first = await both.one.keep(Rollout("r", definition, "", "running", waves, Budget()))
    second = await both.one.keep(msgspec.structs.replace(first, why="so"), holds=held("a").holds)
    assert (first.version, second.version, second.why) == (1, 2, "so")
    assert [hold.channel for hold in await both.store.holds()] == ["a"]
    with pytest.raises(StaleEpoch, match="version"):
        await both.one.keep(msgspec.structs.replace(first, why="otherwise"))
    assert await both.store.rollout("r") == second


async def test_store_that_is_away(both: Two) -> None:
    """It is told, and the lease is as it was: it goes on as long as it lasts."""
    away: list[str] = []

    def disturb(name: str, done: bool) -> None:
        if away and not done:
            raise StoreUnavailable("away")

    store: Any = Faulty(both.store, disturb)
    leader = Leader(store, both.clock, "one")
    await leader.hold()
    away.append("now")
    with pytest.raises(StoreUnavailable):
        await leader.hold()
    assert leader.leads
    both.clock.advance(TTL)
    assert not leader.leads


def test_name_of_the_lease() -> None:
    """The stores check decisions against the lease of this name."""
    assert LEASE == CONTROLLER
