"""What makes a rollout drill red."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from godwit.drill.ledger import Count
from godwit.drill.rollout_joins import Joins
from godwit.drill.rollout_plan import RolloutOptions
from godwit.drill.rollout_result import Findings, RolloutResult, judge

COUNT = Count(sent=5, acknowledged=5, expected=9, delivered=9)


def result(count: Count = COUNT, joins: Joins | None = None, **found: Any) -> RolloutResult:
    """A green one, but for what is given."""
    green: dict[str, Any] = {
        "problems": [],
        "serverchange_expected": 3,
        "serverchange_seen": 3,
        "paused_by_gate": 1,
        "reversed": 4,
        "ended_streams": 2,
        "finished": True,
    }
    return judge(
        RolloutOptions(),
        count,
        joins or Joins(),
        Findings(**(green | found)),
        seconds=1.0,
        cpu_seconds={"server": 0.51},
    )


def test_green() -> None:
    found = result()
    assert (found.ok, found.problems) == (True, ())
    assert "godwit demo rollout: OK: 5000 channels there, 4 of them back before" in found.verdict
    assert "a gate paused it once" in found.verdict
    assert found.cpu_seconds == {"server": 0.5}
    assert {"live_moved", "over_join_limit", "paused_by_gate", "reversed", "seconds", "lost"} <= set(
        msgspec.to_builtins(found)
    )


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"count": msgspec.structs.replace(COUNT, lost=1, delivered=8, problems=("one is lost",))}, "one is lost"),
        ({"count": Count()}, "nothing was expected"),
        ({"joins": Joins(over=2, problems=("ann sent 2 JOINs past its limit",)), "server_joins_over": 2}, "ann sent 2"),
        ({"joins": Joins(told_over=1, problems=("bob was told",))}, "bob was told"),
        ({"server_joins_over": 1}, "the server dropped 1 JOINs past a limit, 0 were sent"),
        ({"serverchange_seen": 2}, "3 had to see SERVERCHANGE, 2 did"),
        ({"moved_live": ["#a (epoch 2)"]}, "a live channel was moved: #a (epoch 2)"),
        ({"paused_by_gate": 0}, "it was not paused"),
        ({"reversed": 0}, "it was not paused"),
        ({"ended_streams": 0}, "it was not paused"),
        ({"finished": False}, "the rollout has not finished"),
        ({"problems": ["the doctor: #a"]}, "the doctor: #a"),
    ],
)
def test_red(given: dict[str, Any], problem: str) -> None:
    """Each by itself, and named."""
    found = result(**given)
    assert not found.ok
    assert any(one.startswith(problem) for one in found.problems)
    assert "FAILED" in found.verdict
    assert found.problems[0] in found.verdict


def test_figures_arrive() -> None:
    found = result(joins=Joins(charged=7, free=5, most=6, most_told=3), moved_live=["x"])
    assert (found.joins_charged, found.joins_free, found.most_joins, found.most_told) == (7, 5, 6, 3)
    assert found.live_moved == 1
