"""What one number and what several samples mean to a gate."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from godwit.rollout.gates import KINDS, judge, verdict
from godwit.rollout.values import Gate, GateKind, Sample, Verdict

GATE = Gate("metric", "p99", "during", value="p99", at_most=0.2, critical=1.0, samples=5, fails=3)
LETTERS: dict[str, Verdict] = {"p": "pass", "f": "fail", "i": "inconclusive"}


def samples(letters: str, value: float | None = None) -> list[Sample]:
    return [Sample("p99", float(time), LETTERS[letter], value=value) for time, letter in enumerate(letters)]


def test_every_kind_of_gate_has_a_row() -> None:
    assert set(KINDS) == set(get_args(GateKind))
    assert all(row.when in row.times for row in KINDS.values())
    assert all(row.fails <= row.samples for row in KINDS.values())


@pytest.mark.parametrize(
    ("gate", "value", "expected"),
    [
        (GATE, 0.2, "pass"),
        (GATE, 0.21, "fail"),
        (GATE, None, "inconclusive"),
        (GATE, float("nan"), "inconclusive"),
        (Gate("metric", "m", "during", at_least=3), 3, "pass"),
        (Gate("metric", "m", "during", at_least=3), 2.9, "fail"),
        (Gate("metric", "m", "during", at_least=3, at_most=5), 5.1, "fail"),
        (Gate("metric", "m", "during", at_least=3, critical=9), 9.1, "fail"),
        (Gate("metric", "m", "during", at_least=3, critical=9), 9, "pass"),
        (Gate("metric", "m", "during"), 10**9, "pass"),
    ],
)
def test_judge(gate: Gate, value: float | None, expected: Verdict) -> None:
    assert judge(gate, value) == expected


@pytest.mark.parametrize(
    ("letters", "expected"),
    [
        ("", "inconclusive"),
        ("pppp", "inconclusive"),
        ("ppppp", "pass"),
        ("ffppp", "pass"),
        ("fffpp", "fail"),
        ("fff", "fail"),
        ("fpfpf", "fail"),
        ("fffppppp", "pass"),
        ("ffpppf", "pass"),
        ("ppppi", "inconclusive"),
        ("ipppp", "inconclusive"),
        ("ippppp", "pass"),
        ("fifif", "fail"),
        ("iiiii", "inconclusive"),
    ],
)
def test_three_of_the_last_five_trip(letters: str, expected: Verdict) -> None:
    assert verdict(GATE, samples(letters)) == expected


def test_one_critical_value_trips_at_once() -> None:
    assert verdict(GATE, [Sample("p99", 0, "fail", value=1.1)]) == "fail"
    assert verdict(GATE, [Sample("p99", 0, "fail", value=1.0)]) == "inconclusive"


def test_a_critical_value_is_forgotten_with_its_sample() -> None:
    assert verdict(GATE, [Sample("p99", 0, "fail", value=2.0), *samples("ppppp", 0.1)]) == "pass"


@given(st.text("pfi", max_size=12), st.integers(1, 6), st.integers(1, 6))
def test_a_gate_never_passes_without_enough_good_samples(letters: str, count: int, fails: int) -> None:
    gate = Gate("metric", "m", "during", samples=count, fails=min(fails, count))
    last = letters[-count:]
    found = verdict(gate, samples(letters))
    assert (found == "fail") == (last.count("f") >= gate.fails)
    if found == "pass":
        assert len(last) == count
        assert "i" not in last
