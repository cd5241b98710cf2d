"""How far a rollout is."""

from __future__ import annotations

import msgspec
import pytest

from godwit.clock import FakeClock
from godwit.rollout.values import Item, Rollout, Sample, WaveProgress
from godwit.store.memory import MemoryStore
from godwit.web.status import LATELY, Rates, Statuses, active
from tests.web.rollout_world import started

START = 1_000_000.0


def turned(rollout: Rollout, *turns: tuple[str, float]) -> Rollout:
    """A rollout that went through these states."""
    return msgspec.structs.replace(rollout, history=tuple((state, START + time, "carol", "") for state, time in turns))


@pytest.fixture
async def rollout() -> Rollout:
    """A rollout that began a while ago."""
    return await started(MemoryStore(), now=START)


@pytest.mark.parametrize(
    ("turns", "seconds"),
    [
        ([("running", 0)], 100),
        ([("running", 0), ("paused", 30)], 30),
        ([("running", 0), ("paused", 30), ("running", 60)], 70),
        ([("running", 0), ("reversing", 80)], 20),
        ([("running", 0), ("reversing", 10), ("paused", 20), ("reversing", 90)], 10),
        ([("running", 0), ("reversing", 10), ("reversed", 20), ("running", 90)], 10),
        ([("running", 0), ("finished", 40)], 40),
    ],
)
def test_the_time_that_a_direction_took(rollout: Rollout, turns: list[tuple[str, float]], seconds: float) -> None:
    """Pauses do not count, and what was before a turn does not."""
    assert active(turned(rollout, *turns), START + 100) == seconds


def test_a_rate_is_told_at_the_first_look(rollout: Rollout) -> None:
    """From the time since it began."""
    assert Rates().rate(rollout, 50, START + 100) == 0.5
    assert Rates().rate(rollout, 50, START + 1) == 0.0


def test_a_rate_is_that_of_the_last_minute(rollout: Rollout) -> None:
    """For those who look again."""
    rates = Rates()
    rates.rate(rollout, 0, START + 1000)
    assert rates.rate(rollout, 30, START + 1010) == 3.0
    assert rates.rate(rollout, 30, START + 1010 + LATELY) == 0.0


def test_a_reverse_begins_anew(rollout: Rollout) -> None:
    """What had been done is not done any more."""
    rates = Rates()
    rates.rate(rollout, 100, START + 1000)
    reversing = turned(rollout, ("running", 0), ("reversing", 1000))
    assert rates.rate(reversing, 0, START + 1004) == 0.0
    assert rates.rate(reversing, 8, START + 1008) == 2.0


def test_only_some_rollouts_are_remembered(rollout: Rollout) -> None:
    """Looking at many costs nothing for ever."""
    rates = Rates()
    for number in range(100):
        rates.rate(msgspec.structs.replace(rollout, id=f"r{number}"), 0, START)
    assert len(rates._looks) == 20


async def test_gates_are_shown_as_they_stand() -> None:
    """A verdict over the samples, the last one's words; approved ones have passed; open issues fail."""
    store, clock = MemoryStore(), FakeClock()
    rollout = await started(store, [Item("r1", "alice", 0, "main")])
    samples = [Sample("p99", START + number, "fail", f"{number} s", float(number)) for number in range(5)]
    statuses = Statuses(
        store,
        clock,
        ["main", "aws", "group"],
        lambda rollout_id, wave, gate: samples if (rollout_id, wave, gate) == ("r1", 0, "p99") else [],
    )
    shown = await statuses.status(rollout)
    metric = shown.waves[0].gates[0]
    assert (metric.name, metric.kind, metric.verdict, metric.detail, metric.value) == (
        "p99",
        "metric",
        "fail",
        "4 s",
        4.0,
    )
    assert shown.waves[1].gates[0].verdict == ""
    approved = msgspec.structs.replace(
        rollout, wave=1, waves=(WaveProgress("moving", START, ("p99",)), WaveProgress("checking", START))
    )
    shown = await statuses.status(approved)
    assert (shown.waves[0].gates[0].verdict, shown.waves[0].gates[0].approved) == ("pass", True)
    assert shown.waves[1].gates[0].verdict == "pass"


async def test_what_is_left_decides_how_long_it_takes() -> None:
    """None as long as nobody can say; nothing for a rollout that stands still."""
    store, clock = MemoryStore(), FakeClock()
    items = [
        Item("r1", f"channel{number}", 1, "main", state="done" if number < 40 else "waiting") for number in range(100)
    ]
    rollout = await started(store, items, now=START)
    statuses = Statuses(store, clock, ["main", "aws"])
    assert (await statuses.status(rollout)).eta is None
    clock.advance(10)
    shown = await statuses.status(rollout)
    assert (shown.done, shown.total, shown.sources) == (40, 100, ("main",))
    paused = msgspec.structs.replace(rollout, state="paused")
    assert ((await statuses.status(paused)).rate, (await statuses.status(paused)).eta) == (0.0, None)
    fresh = Statuses(store, clock, ["main", "aws"])
    shown = await fresh.status(rollout)
    assert shown.rate == 4.0
    assert shown.eta == pytest.approx(15.0)


async def test_the_version_is_another_with_each_change() -> None:
    """Of the rollout or of a channel."""
    store = MemoryStore()
    statuses = Statuses(store, FakeClock(), ["main", "aws"])
    rollout = await started(store, [Item("r1", "alice", 0, "main")])
    first = await statuses.version(rollout)
    assert await statuses.version(rollout) == first
    assert (await statuses.status(rollout)).version == first
    assert await statuses.version(msgspec.structs.replace(rollout, version=9)) != first
