"""Tables and goals from rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import report, results
from bench.results import without_files
from bench.versus import Row


def row(server: str, setting: str, rate: float, scenario: str = "a", **more: float) -> Row:
    """A row with its rate."""
    return Row(scenario, server, setting, "", "1", {"deliveries_per_s": rate, **more}, 3)


ROWS = [
    row("godwit", "W=100", 9_000_000),
    row("godwit", "W=1", 240_000, cpu_us=3.21),
    row("inspircd", "W=1", 200_000),
    row("kernel", "W=1", 320_000),
    Row("a", "ngircd", "", "not installed: apt-get install ngircd"),
]


def test_goals() -> None:
    """Ratios are of the same setting; what was not measured says so."""
    lines = {line.split(" | ")[0].removeprefix("| "): line for line in report.goals(ROWS)[2:]}
    assert lines["(a) one line under way: deliveries/s, of InspIRCd's"].endswith("| >= 1.15 | 1.2 | yes |")
    assert lines["(a) one line under way: of the kernel's bare loop"].endswith("| >= 0.8 | 0.75 | **no** |")
    assert lines["(a) 100 under way: deliveries/s"].endswith("| 9,000,000 | yes |")
    assert lines["(a) 100 under way: of InspIRCd's"].endswith("| not measured | |")


def test_goal_with_a_ceiling() -> None:
    """At most."""
    slow = [row("godwit", "2000/s", 2e6, "steady", cpu_share=0.5, p99_ms=19.0)]
    lines = report.goals(slow)
    assert any("share of a core | <= 0.45 | 0.5 | **no** |" in line for line in lines)
    assert any("p99, ms | <= 20 | 19 | yes |" in line for line in lines)


def test_silence_of_a_move() -> None:
    """Beside the p99 without one."""
    figures = {"p99_ms": 5.0, "legacy_silence_moving_ms": 9.0, "follower_silence_moving_ms": 11.0}
    lines = report.goals([Row("move", "godwit", "x", "", "1", figures, 1)])
    assert any("who stays, of the p99 without | <= 2 | 1.8 | yes |" in line for line in lines)
    assert any("follower, of the p99 without | <= 2 | 2.2 | **no** |" in line for line in lines)


def test_table() -> None:
    """Settings in order, ratios beside, a server that is missing with its reason."""
    lines = report.table(ROWS)
    assert lines[0] == "| server | setting | deliveries/s | CPU, us each | x kernel | x inspircd | counts |"
    assert "| ngircd | not installed: apt-get install ngircd |" in lines[2]
    assert lines[3] == "| godwit | W=1 | 240,000 | 3.21 | 0.75 | 1.2 | exact |"
    assert lines[-1] == "| godwit | W=100 | 9,000,000 |  |  |  | exact |"


def test_like_is_compared_with_like() -> None:
    """Members with tags with members with tags."""
    lines = report.table([row("kernel", "W=1", 8), row("kernel+tags", "W=1", 4), row("godwit+tags", "W=1", 2)])
    assert lines[0].endswith("| deliveries/s | x kernel | x kernel+tags | counts |")
    assert lines[-1] == "| godwit+tags | W=1 | 2 |  | 0.5 | exact |"
    assert lines[-2] == "| kernel+tags | W=1 | 4 |  |  | exact |"


@pytest.mark.parametrize(
    ("exact", "note", "shown"), [(True, "", "exact"), (False, "load-bound", "NOT EXACT, load-bound")]
)
def test_verdict(exact: bool, note: str, shown: str) -> None:
    """With what is to be known."""
    assert report.verdict(Row("a", "x", "", note, exact=exact)) == shown


def test_results_are_kept_scenario_by_scenario(tmp_path: Path) -> None:
    """A new run of one leaves the others alone; what stands around the markers stays."""
    (tmp_path / "benchmarks.md").write_text(f"before\n{results.BEGIN}\nold\n{results.END}\nafter\n")
    about = {"command": "python -m bench a", "machine": {"cpu": "fast"}, "load_before": "0", "load_after": "1"}
    results.record("a", ROWS, about, tmp_path)
    results.record("b", [row("godwit", "W=1000", 5, "b")], about, tmp_path)
    results.record("a", ROWS[:1], about, tmp_path)
    results.write(tmp_path)
    page = (tmp_path / "benchmarks.md").read_text()
    assert page.startswith(f"before\n{results.BEGIN}\n")
    assert page.endswith(f"{results.END}\nafter\n")
    assert "old" not in page
    assert "Machine: cpu fast." in page
    assert "| godwit | W=100 | 9,000,000 | exact |" in page
    assert "| godwit | W=1000 | 5 | exact |" in page
    assert "inspircd | W=1" not in page
    assert [len(rows) for rows in results.rows_of(tmp_path).values()] == [1, 1]


def test_a_page_without_markers(tmp_path: Path) -> None:
    """Says what is missing."""
    (tmp_path / "benchmarks.md").write_text("nothing")
    with pytest.raises(ValueError, match="no place for results"):
        results.write(tmp_path)


@pytest.mark.parametrize(
    ("given", "shown"),
    [(["a", "--json", "x.json", "--write"], ["a", "--write"]), (["--json=x", "b"], ["b"]), (["c"], ["c"])],
)
def test_the_command_names_no_file_of_this_machine(given: list[str], shown: list[str]) -> None:
    """The rest of it is what others type."""
    assert without_files(given) == shown
