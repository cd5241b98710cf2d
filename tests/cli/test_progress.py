"""How a rollout's status looks."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from godwit.cli.progress import bar, draw, line
from tests.cli.samples import NOW, STATUS


def drawn(status: dict[str, Any], width: int = 80) -> list[str]:
    """The lines of a status without colours."""
    console = Console(file=io.StringIO(), width=width)
    console.print(draw(status, now=NOW))
    assert isinstance(console.file, io.StringIO)
    return [text.rstrip() for text in console.file.getvalue().splitlines()]


def test_all_of_it() -> None:
    """State, waves with bars and tallies, rate, time left, gates, reasons, issues, budget; within 80 columns."""
    assert drawn(STATUS) == [
        "spring  main -> aws  running for 10 min",
        "r1, started by ann at 1970-01-12T13:46:40.000Z: the new cluster",
        "━───────────────────  69 of 5,000 (1 %)  8.25/s  10 min left, until 14:06:36 UTC",
        "",
        "wave      state                         waiting  moving  done  skipped  failed",
        "staff     done          ━━━━━━━━━━━━──                      9        1",
        "partners  moving 2 min  ━━━━━━━───────       40      12    60                1",
        "everyone  pending       ──────────────    4,877",
        "",
        "gates:",
        "  staff: issues (before)  pass",
        "  partners: yes (before)  approved",
        "  partners: p99 (during)  fail  p99 is 812 ms",
        "",
        "waiting:",
        "    4,877  its wave 'everyone' has not begun",
        "       31  live: it waits for its stream to end",
        "        1  held by ann: tournament",
        "",
        "open issues:",
        "  i1, wave staff: songbot answers twice (bob)",
        "",
        "budget: in_flight 20, cold_in_flight 1000, hot_per_second 1, cold_per_second 500",
    ]


def test_a_paused_one_says_why() -> None:
    """And forecasts nothing."""
    turns = [*STATUS["history"], {"state": "paused", "time": NOW - 30, "by": "", "why": "gate p99"}]
    paused = {**STATUS, "state": "paused", "why": "gate p99: p99 is 812 ms", "history": turns, "rate": 0.0}
    text = drawn({**paused, "at_once": True})
    assert text[:2] == [
        "spring  main -> aws  paused for 30 s  all at once",
        "because: gate p99: p99 is 812 ms",
    ]
    assert text[3].endswith("69 of 5,000 (1 %)")
    assert line(paused) == ("spring  paused  wave partners moving  69 of 5,000 (1 %)  because: gate p99: p99 is 812 ms")


def test_a_reverse_shows_the_way_back() -> None:
    """Which waves had begun says nothing then; how many go back does."""
    waves = [{**wave, "back": wave["counts"]} for wave in STATUS["waves"][:1]] + STATUS["waves"][1:]
    text = drawn({**STATUS, "state": "reversing", "waves": waves})
    assert text[0] == "spring  main <- aws  reversing for 10 min"
    assert text[4].split() == ["wave", "state", "waiting", "moving", "done", "skipped", "failed", "back"]
    assert text[5].split() == ["staff", "━━━━━━━━━━━━──", "9", "1", "10"]
    assert text[6].split() == ["partners", "━━━━━━━───────", "40", "12", "60", "1"]


def test_an_approval_says_what_to_do() -> None:
    """Drawn and in one line; not once it is given."""
    gate = {**STATUS["waves"][1]["gates"][0], "approved": False}
    wave = {**STATUS["waves"][1], "name": "big partners", "state": "checking", "gates": [gate]}
    waits = {**STATUS, "waves": [STATUS["waves"][0], wave]}
    assert "  big partners: yes (before)  waits for: godwit rollout approve 'big partners'" in drawn(waits)
    assert line(waits).endswith("8.25/s  yes: waits for: godwit rollout approve 'big partners'")
    assert line(STATUS).endswith("8.25/s  p99: fail")
    assert "  partners: yes (before)  approved" in drawn(STATUS)


def test_a_gate_that_was_not_asked_yet() -> None:
    """Only those of the wave whose turn it is are shown."""
    gate = {**STATUS["waves"][1]["gates"][1], "verdict": "", "detail": ""}
    waves = [{**wave, "gates": [gate]} for wave in STATUS["waves"]]
    text = drawn({**STATUS, "waves": waves})
    assert [told for told in text if "p99" in told] == ["  partners: p99 (during)  not asked yet"]


def test_many_reasons_are_not_all_shown() -> None:
    """The commonest ones are."""
    text = drawn({**STATUS, "waiting": {f"reason {count:02}": count for count in range(1, 12)}})
    begin = text.index("waiting:")
    assert text[begin + 1] == "       11  reason 11"
    assert text[begin + 8 : begin + 10] == ["        4  reason 04", "        6  for 3 other reasons"]


def test_what_is_written_by_others_is_text() -> None:
    """No markup is read from it."""
    text = drawn({**STATUS, "why": "[bold]", "waiting": {"held by [red]x[/red]": 1}})
    assert "because: [bold]" in text
    assert "        1  held by [red]x[/red]" in text


def test_an_empty_rollout() -> None:
    """Nothing to do is no fault."""
    wave = {**STATUS["waves"][2], "counts": {}, "total": 0}
    empty = {**STATUS, "done": 0, "total": 0, "wave": 0, "waves": [wave], "eta": None, "rate": 0.0, "history": []}
    text = drawn({**empty, "issues": [], "waiting": {}})
    assert text[2] == "────────────────────  0 of 0"
    assert "waiting:" not in text


@pytest.mark.parametrize(
    ("done", "total", "filled"), [(0, 0, 0), (0, 9, 0), (1, 900, 1), (450, 900, 5), (899, 900, 9), (900, 900, 10)]
)
def test_bars(done: int, total: int, filled: int) -> None:
    """Empty only for nothing, full only for all."""
    assert bar(done, total, 10).plain == "━" * filled + "─" * (10 - filled)
