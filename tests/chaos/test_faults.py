"""Which faults a run does, and what makes it a failure."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest

from tests.chaos.account import Counts
from tests.chaos.faults import KINDS, plan
from tests.chaos.run import Outcome, Result, summary

WELL = Result(
    outcomes=[Outcome(1, "edge", "edge-main-1", 0.1, {"talk": 0.5, "clean": 8.0})],
    counts=Counts(said=10, acknowledged=9, unknown=1, seen=30, cut_off=2),
    moves=12,
    cancelled=1,
    rollouts=["finished 48/48"],
    seconds=60.0,
    told={"Moved": 3},
    problems=[],
)


def test_every_kind_comes_in_turn_and_then_as_often_as_the_others() -> None:
    kinds = plan(3 * len(KINDS), random.Random(1))
    assert kinds[: len(KINDS)] == list(KINDS)
    assert set(Counter(kinds).values()) == {3}
    assert kinds[len(KINDS) : 2 * len(KINDS)] != list(KINDS)


def test_the_seed_decides() -> None:
    assert plan(50, random.Random(1)) == plan(50, random.Random(1)) != plan(50, random.Random(2))


def test_only_some_kinds() -> None:
    assert plan(1, random.Random(1), ["fill", "edge"]) == ["fill"]
    assert Counter(plan(6, random.Random(1), ["fill", "edge"])) == {"fill": 3, "edge": 3}


def test_nothing_wrong() -> None:
    assert WELL.ok
    told = summary(WELL)
    assert told.endswith("chaos: OK")
    assert "PROBLEM" not in told
    assert "said 10: 9 acknowledged, 0 refused, 1 unknown" in told
    [row] = [line for line in told.splitlines() if line.startswith("edge")]
    assert row.split() == ["edge", "1", "0.5", "/", "0.5", "-", "-", "-", "8.0", "/", "8.0"]


@pytest.mark.parametrize(
    "wrong",
    [
        replace(WELL, problems=["the run broke off"]),
        replace(WELL, counts=Counts(missing=1, problems=["missing: a line"])),
        replace(WELL, counts=Counts(gaps=1, problems=["gaps: told of a gap"])),
        replace(WELL, outcomes=[Outcome(1, "edge", problem="not well after 120 s")]),
    ],
    ids=["run", "missing", "gap", "fault"],
)
def test_anything_wrong(wrong: Result) -> None:
    assert not wrong.ok
    told = summary(wrong)
    assert told.endswith("chaos: FAILED")
    assert told.count("PROBLEM") == 1
