"""Why channels wait."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from godwit.clock import FakeClock
from godwit.rollout.values import Candidate, Facts, Hold, Item, Rollout, RolloutState
from godwit.store.memory import MemoryStore
from godwit.values import Move, Segment
from godwit.web import reasons as reasons_module
from godwit.web.reasons import TURN, Reasons
from tests.web.rollout_world import DEFINITION, started

NOW = 1_000_000.0


class CountingStore(MemoryStore):
    """Counts looks at channels."""

    looks = 0

    async def candidates_of(self, channels: Sequence[str]) -> list[Candidate]:
        """Read, and count it."""
        self.looks += 1
        return await super().candidates_of(channels)


@pytest.fixture
async def store() -> CountingStore:
    """A store whose channels are on main."""
    made = CountingStore()
    await made.set_default(Segment("main", 1, 0, "s"), hold_until=0.0)
    return made


async def network(store: MemoryStore, state: RolloutState = "running") -> Rollout:
    """A rollout whose channels wait for all sorts of reasons."""
    await store.set_live("live1", True, NOW - 5)
    await store.set_live("live2", True, NOW - 5)
    for number in range(3):
        await store.set_live(f"ended{number}", False, NOW - 30 * (number + 1))
    await store.hold(Hold("held", "carol", "a tournament", NOW - 9))
    await store.set_facts([Facts("soon", starts_at=NOW + 60)])
    first = ["live1", "live2", "ended0", "ended1", "ended2", "held", "soon", "free"]
    items = [Item("r1", channel, 0, "main", since=NOW - 100) for channel in first]
    items += [Item("r1", "later", 1, "main", since=NOW - 100), Item("r1", "gone", 0, "main", state="done")]
    return await started(store, items, state=state, now=NOW - 100)


async def test_reasons_are_counted(store: CountingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """What differs from channel to channel is left out; waves that have not begun are not looked at."""
    monkeypatch.setattr(reasons_module, "PAGE", 3)
    rollout = await network(store)
    assert await Reasons(store, FakeClock(NOW)).waiting(rollout) == {
        "the stream ended less than 600 s ago": 3,
        "live: it waits for its stream to end": 2,
        "held by carol: a tournament": 1,
        "the stream is planned to start within 900 s": 1,
        TURN: 1,
        "its wave 'rest' has not begun": 1,
    }


async def test_of_many_only_the_first_are_looked_at(store: CountingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """And it is said how many were not."""
    monkeypatch.setattr(reasons_module, "PAGE", 2)
    monkeypatch.setattr(reasons_module, "LOOKED", 4)
    rollout = await network(store)
    counted = await Reasons(store, FakeClock(NOW)).waiting(rollout)
    assert counted[reasons_module.UNSEEN] == 4
    assert sum(counted.values()) == 9
    assert store.looks == 2


async def test_what_holds_the_rollout_is_the_reason_of_all(store: CountingStore) -> None:
    """No channel is looked at."""
    rollout = await network(store, "paused")
    paused = msgspec.structs.replace(rollout, why="gate p99")
    assert await Reasons(store, FakeClock(NOW)).waiting(paused) == {"the rollout is paused: gate p99": 9}
    assert store.looks == 0


async def test_a_gate_is_named(store: CountingStore) -> None:
    """Where somebody here knows which."""
    rollout = await network(store)
    gated = msgspec.structs.replace(
        rollout, waves=(msgspec.structs.replace(rollout.waves[0], state="checking"), rollout.waves[1])
    )
    reasons = Reasons(store, FakeClock(NOW), lambda rollout_id: f"gate p99 of {rollout_id}")
    assert await reasons.waiting(gated) == {"gate p99 of r1": 8, "its wave 'rest' has not begun": 1}
    assert "gates of its wave" in next(iter(await Reasons(store, FakeClock(NOW)).waiting(gated)))


async def test_counting_again_takes_a_while_or_a_change(store: CountingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who look often cost nothing."""
    rollout = await network(store)
    reasons = Reasons(store, FakeClock(NOW))
    monkeypatch.setattr(reasons_module, "LEAST", 600.0)
    await reasons.waiting(rollout)
    await reasons.waiting(rollout)
    assert store.looks == 1
    await reasons.waiting(msgspec.structs.replace(rollout, version=rollout.version + 1))
    assert store.looks == 2


@pytest.mark.parametrize(
    ("channel", "reason", "since"),
    [
        ("live1", "live: it waits for its stream to end", NOW - 5),
        ("ended0", "its stream ended 30 s ago, it waits for 600 s", NOW - 30),
        ("held", "held by carol: a tournament", NOW - 9),
        ("soon", "its stream is planned to start in 60 s", NOW - 100),
        ("free", TURN, NOW - 100),
        ("later", "its wave 'rest' has not begun", NOW - 100),
        ("gone", "it is where it is to be, on main", 0.0),
    ],
)
async def test_a_channel_is_explained(store: CountingStore, channel: str, reason: str, since: float) -> None:
    """One reason, since when, and which rollout and wave."""
    await network(store)
    told = await Reasons(store, FakeClock(NOW)).explain(channel)
    assert (told["reason"], told["since"], told["rollout"]) == (reason, since, "autumn")
    assert told["wave"] == ("rest" if channel == "later" else "staff")


async def test_a_channel_that_no_rollout_concerns(store: CountingStore) -> None:
    """Its hold is told all the same, and its moves."""
    await store.hold(Hold("alice", "carol", "a tournament", 5.0))
    await store.begin_move(Move("m1", "alice", "aws", "wished", history=(("wished", 1.0),)))
    told = await Reasons(store, FakeClock(NOW)).explain("alice")
    assert (told["reason"], told["since"], told["rollout"]) == ("held by carol: a tournament", 5.0, "")
    assert [(move["id"], move["to"]) for move in told["moves"]] == [("m1", "aws")]


async def test_the_rollout_under_way_counts(store: CountingStore) -> None:
    """A newer one that has ended does not."""
    await network(store)
    ended = msgspec.structs.replace(DEFINITION, name="winter")
    await started(store, [Item("r2", "free", 0, "main")], rollout_id="r2", state="aborted", definition=ended)
    reasons = Reasons(store, FakeClock(NOW))
    assert (await reasons.explain("free"))["rollout"] == "autumn"
    await started(store, [Item("r3", "bob", 0, "main")], rollout_id="r3", state="aborted", definition=ended)
    told = await reasons.explain("bob")
    assert (told["rollout"], told["reason"]) == ("winter", "the rollout is aborted")
