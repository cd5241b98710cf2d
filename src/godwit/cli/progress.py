"""How far a rollout is, drawn for a terminal or said in one line."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from godwit.cli import tables
from godwit.cli.times import clock, minute, span

WIDE = 40
"""Characters of the bar of the whole rollout."""

NARROW = 16
"""Characters of the bar of a wave."""

MOST = 8
"""Reasons for waiting that are shown; the rest is one line."""


def draw(status: dict[str, Any], *, now: float) -> RenderableType:
    """A rollout's status as a few lines and a table.

    Args:
        now: seconds since the Unix epoch.
    """
    parts: list[RenderableType] = [_heading(status, now)]
    if status["why"]:
        parts.append(Text(f"because: {status['why']}", style=tables.STYLES.get(status["state"], "")))
    parts += [_total(status, now), Text(), _waves(status, now)]
    parts += [Text(), *_waiting(status["waiting"])] if status["waiting"] else []
    parts += [_issue(issue) for issue in status["issues"] if not issue["resolved"]]
    parts.append(Text(f"budget: {_budget(status['budget'])}", style="dim"))
    return Group(*parts)


def line(status: dict[str, Any]) -> str:
    """A rollout's status in one line, for where nothing can be drawn again."""
    wave = status["waves"][status["wave"]]
    parts = [
        status["name"],
        status["state"],
        f"wave {wave['name']} {wave['state']}",
        _count(status),
    ]
    if status["rate"]:
        parts.append(f"{status['rate']:.3g}/s")
    if status["why"]:
        parts.append(f"because: {status['why']}")
    return "  ".join(parts)


def _heading(status: dict[str, Any], now: float) -> Text:
    since = status["history"][-1]["time"] if status["history"] else status["created"]
    sources = ", ".join(status["sources"])
    text = Text.assemble((status["name"], "bold"), f"  {sources + ' ' if sources else ''}-> {status['to']}  ")
    text.append_text(tables.state(status["state"]))
    text.append(f" for {span(now - since)}")
    text.append(f"  started by {status['by']} at {clock(status['created'])}", style="dim")
    if status["reason"]:
        text.append(f": {status['reason']}", style="dim")
    return text


def _total(status: dict[str, Any], now: float) -> Text:
    text = bar(status["done"], status["total"], WIDE)
    text.append("  " + "  ".join([_count(status), *_pace(status, now)]))
    return text


def _count(status: dict[str, Any]) -> str:
    share = f" ({100 * status['done'] // status['total']} %)" if status["total"] else ""
    return f"{status['done']:,} of {status['total']:,}{share}"


def _pace(status: dict[str, Any], now: float) -> list[str]:
    found = []
    if status["rate"]:
        found.append(f"{status['rate']:.3g}/s")
    if status["eta"] is not None and status["state"] in ("running", "reversing"):
        found.append(f"{span(status['eta'])} left, until {minute(now + status['eta'])}")
    return found


def bar(done: int, total: int, width: int) -> Text:
    """A bar that is filled as far as `done` is of `total`; full only when all is done."""
    filled = width * done // total if total else width
    return Text.assemble(("━" * filled, "green"), ("─" * (width - filled), "dim"))


def _waves(status: dict[str, Any], now: float) -> Table:
    counts = ("waiting", "moving", "done", "skipped", "failed")
    table = tables.grid("wave", "state", "", *counts, "gates", right=counts)
    for index, wave in enumerate(status["waves"]):
        tally = wave["counts"]
        total = sum(tally.values())
        state = tables.state(wave["state"])
        if index == status["wave"] and wave["since"] and wave["state"] != "done":
            state.append(f" {span(now - wave['since'])}", style="dim")
        table.add_row(
            Text(wave["name"], style="bold" if index == status["wave"] else ""),
            state,
            bar(tally.get("done", 0), total, NARROW) if total else Text("─" * NARROW, style="dim"),
            *(tables.number(tally.get(name, 0), tables.STYLES[name] if name == "failed" else "") for name in counts),
            _gates(wave["gates"]),
        )
    return table


def _gates(gates: list[dict[str, Any]]) -> Text:
    shown = []
    for gate in gates:
        text = Text(gate["name"])
        if gate["verdict"]:
            text.append(" ").append_text(tables.state(gate["verdict"]))
            if gate["detail"]:
                text.append(f" ({gate['detail']})", style="dim")
        shown.append(text)
    return Text(", ").join(shown)


def _waiting(reasons: dict[str, int]) -> list[Text]:
    rows = sorted(reasons.items(), key=lambda row: (-row[1], row[0]))
    lines = [Text(f"{count:>9,}  {reason}") for reason, count in rows[:MOST]]
    if len(rows) > MOST:
        lines.append(Text(f"{sum(count for _, count in rows[MOST:]):>9,}  for {len(rows) - MOST} other reasons"))
    return [Text("waiting:", style="bold"), *lines]


def _issue(issue: dict[str, Any]) -> Text:
    return Text(f"open issue {issue['id']}: {issue['text']} ({issue['by']}, wave {issue['wave']})", style="bold red")


def _budget(budget: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value:g}" for key, value in budget.items())
