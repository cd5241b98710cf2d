"""How long a rollout is expected to take."""

from __future__ import annotations

import pytest

from godwit.rollout.forecast import COLD_SECONDS, HOT_SECONDS, Pace, eta, forecast, gate_seconds, spell
from godwit.rollout.plan import make
from godwit.rollout.values import Budget, Candidate, Definition, Facts, Gate, Hold, Wave
from godwit.values import Placement, Segment

SOAK = Gate("soak", "soak", "after", seconds=600)
REHEARSAL = Gate("rehearsal", "rehearsal", "before", seconds=300, samples=1)
METRIC = Gate("metric", "p99", "during", every=15, samples=5)
APPROVAL = Gate("approval", "approval", "before")


def channels(hot: int, cold: int, *, live: int = 0, held: int = 0) -> list[Candidate]:
    return [
        Candidate(
            Placement(f"c{number}", Segment("main", 1, 0, "s")),
            Facts(f"c{number}", members=number + 1 if number < hot else 0),
            live=number < live,
            hold=Hold(f"c{number}", "eve", "a show", 1.0) if number < held else None,
        )
        for number in range(hot + cold)
    ]


def definition(*gates: Gate, notice: str = "") -> Definition:
    budget = Budget(in_flight=20, hot_per_second=2.0, cold_in_flight=1000, cold_per_second=100.0)
    return Definition("r", "aws", (Wave("all", rest=True, gates=gates),), budget=budget, notice=notice)


def test_the_slower_class_decides() -> None:
    (wave,) = forecast(make(definition(), channels(10, 50), now=0)).waves
    assert (wave.hot, wave.cold, wave.largest, wave.members) == (10, 50, "c9", 10)
    assert wave.moving == 10 / 2.0 + HOT_SECONDS
    (wave,) = forecast(make(definition(), channels(1, 5000), now=0)).waves
    assert wave.moving == 5000 / 100.0 + COLD_SECONDS


def test_moves_under_way_at_once_are_bounded() -> None:
    narrow = Definition("r", "aws", (Wave("all", rest=True),), budget=Budget(in_flight=1, hot_per_second=100.0))
    assert forecast(make(narrow, channels(10, 0), now=0)).seconds == 10 * HOT_SECONDS + HOT_SECONDS


def test_a_notice_takes_its_time() -> None:
    silent = forecast(make(definition(), channels(10, 0), now=0)).seconds
    assert forecast(make(definition(notice="soon"), channels(10, 0), now=0)).seconds == silent + 30
    assert forecast(make(definition(notice="soon"), channels(0, 10), now=0)).seconds < 1


def test_gates_take_their_time_and_people_are_counted() -> None:
    made = make(definition(SOAK, REHEARSAL, METRIC, APPROVAL), channels(0, 0), now=0)
    (wave,) = forecast(made).waves
    assert (wave.gates, wave.approvals, wave.moving, wave.largest) == (900, 1, 0, "")
    (hasty,) = forecast(made, at_once=True).waves
    assert (hasty.gates, hasty.approvals) == (0, 0)


def test_gates_of_one_time_are_asked_side_by_side() -> None:
    assert gate_seconds([REHEARSAL, METRIC, SOAK], "before", "during") == 300
    assert gate_seconds([METRIC], "during") == 60
    assert gate_seconds([APPROVAL], "before") == 0


def test_who_waits_is_counted() -> None:
    (wave,) = forecast(make(definition(), channels(5, 0, live=3, held=2), now=0)).waves
    assert (wave.live, wave.held) == (3, 2)


def test_who_is_hot_can_be_known_better() -> None:
    (wave,) = forecast(make(definition(), channels(0, 10), now=0), hot=lambda one: one.channel == "c3").waves
    assert (wave.hot, wave.cold) == (1, 9)


@pytest.mark.parametrize(
    ("paces", "done", "total", "expected"),
    [
        ([Pace(0, 100, 10)], 0, 100, None),
        ([Pace(9, 991, 10)], 9, 1000, None),
        ([Pace(10, 990, 10)], 10, 1000, 990),
        ([Pace(10, 90, 10), Pace(100, 100, 10)], 110, 300, 90),
        ([Pace(10, 10, 10), Pace(100, 1000, 10)], 110, 1120, 100),
        ([Pace(10, 10, 10), Pace(0, 1000, 10)], 10, 1020, None),
        ([Pace(10, 10, 10), Pace(0, 10, 10)], 10, 30, None),
        ([Pace(10, 10, 0)], 10, 20, None),
        ([Pace(10, 0, 10), Pace(0, 0, 0)], 10, 10, 0),
        ([], 0, 0, 0),
    ],
)
def test_an_end_is_foretold_from_what_was_done(
    paces: list[Pace], done: int, total: int, expected: float | None
) -> None:
    assert eta(paces, done=done, total=total) == expected


def test_gates_to_come_are_added() -> None:
    assert eta([Pace(10, 10, 10)], done=10, total=20, gates=600) == 610
    assert eta([Pace(10, 0, 10)], done=10, total=10, gates=600) == 600


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7140, "119 min"),
        (7200, "2 h"),
        (12000, "3 h 20 min"),
        (48 * 3600, "2 d"),
        (52 * 3600, "2 d 4 h"),
    ],
)
def test_times_for_people(seconds: float, text: str) -> None:
    assert spell(seconds) == text
