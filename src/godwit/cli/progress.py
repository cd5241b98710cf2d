"""How far a rollout is, drawn for a terminal or said in one line."""

from __future__ import annotations

import shlex
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from godwit.cli import tables
from godwit.cli.times import clock, minute
from godwit.rollout.forecast import spell

WIDE = 20
"""Characters of the bar of the whole rollout."""

NARROW = 14
"""Characters of the bar of a wave."""

BACK = ("reversing", "reversed")
"""States of a rollout that goes back, or is back; how far its waves had come says nothing then."""

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
    parts += [_started(status), _total(status, now), Text(), _waves(status, now)]
    parts += _part("gates", _gates(status))
    parts += _part("waiting", _waiting(status["waiting"]))
    parts += _part("open issues", [_issue(issue) for issue in status["issues"] if not issue["resolved"]])
    parts += [Text(), Text(f"budget: {_budget(status['budget'])}", style="dim")]
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
    if status["state"] == "running" and wave["state"] != "done":
        asked = [gate for gate in wave["gates"] if gate["kind"] == "approval" or gate["verdict"] not in ("", "pass")]
        parts += [f"{gate['name']}: {_said(wave['name'], gate)}" for gate in asked if not gate["approved"]]
    if status["why"]:
        parts.append(f"because: {status['why']}")
    return "  ".join(parts)


def _heading(status: dict[str, Any], now: float) -> Text:
    since = status["history"][-1]["time"] if status["history"] else status["created"]
    sources = ", ".join(status["sources"])
    way = "<-" if status["state"] in BACK else "->"
    text = Text.assemble((status["name"], "bold"), f"  {sources} {way} {status['to']}  ")
    text.append_text(tables.state(status["state"]))
    text.append(f" for {spell(max(0.0, now - since))}")
    return text.append("  all at once" if status["at_once"] else "", style="bold yellow")


def _started(status: dict[str, Any]) -> Text:
    reason = f": {status['reason']}" if status["reason"] else ""
    return Text(f"{status['id']}, started by {status['by']} at {clock(status['created'])}{reason}", style="dim")


def _total(status: dict[str, Any], now: float) -> Text:
    return bar(status["done"], status["total"], WIDE).append("  " + "  ".join([_count(status), *_pace(status, now)]))


def _count(status: dict[str, Any]) -> str:
    share = f" ({100 * status['done'] // status['total']} %)" if status["total"] else ""
    return f"{status['done']:,} of {status['total']:,}{share}"


def _pace(status: dict[str, Any], now: float) -> list[str]:
    found = [f"{status['rate']:.3g}/s"] if status["rate"] else []
    if status["eta"] is not None and status["state"] in ("running", "reversing"):
        found.append(f"{spell(status['eta'])} left, until {minute(now + status['eta'])} UTC")
    return found


def bar(done: int, total: int, width: int) -> Text:
    """A bar that is filled as far as `done` is of `total`: empty only for nothing, full only for all."""
    filled = max(width * done // total, 1 if done else 0) if total else 0
    return Text.assemble(("━" * filled, "green"), ("─" * (width - filled), "dim"))


def _waves(status: dict[str, Any], now: float) -> Table:
    rare = [name for name in ("skipped", "failed") if any(wave["counts"].get(name) for wave in status["waves"])]
    counts = ["waiting", "moving", "done", *rare]
    going_back = [sum(wave["back"].values()) for wave in status["waves"]]
    extra = ["back"] if any(going_back) else []
    table = tables.grid("wave", "state", "", *counts, *extra, right=[*counts, *extra])
    for index, wave in enumerate(status["waves"]):
        its_turn = index == status["wave"] and status["state"] not in BACK
        state = tables.state(wave["state"]) if status["state"] not in BACK else Text("")
        if its_turn and wave["since"]:
            state.append(f" {spell(max(0.0, now - wave['since']))}", style="dim")
        state.no_wrap = True
        table.add_row(
            Text(wave["name"], style="bold" if its_turn else ""),
            state,
            bar(wave["done"], wave["total"], NARROW),
            *(tables.number(wave["counts"].get(name, 0), "bold red" if name == "failed" else "") for name in counts),
            *(tables.number(going_back[index], "magenta") for _ in extra),
        )
    return table


def _part(heading: str, lines: list[Text]) -> list[Text]:
    return [Text(), Text(f"{heading}:", style="bold"), *lines] if lines else []


def _gates(status: dict[str, Any]) -> list[Text]:
    """The gates that say something: a verdict, or that somebody let them pass; and all of the wave of the turn."""
    lines = []
    for index, wave in enumerate(status["waves"]):
        for gate in wave["gates"]:
            if gate["verdict"] or gate["approved"] or index == status["wave"]:
                text = Text(f"  {wave['name']}: {gate['name']} ({gate['when']})  ")
                text.append_text(_said(wave["name"], gate))
                lines.append(text.append(f"  {gate['detail']}" if gate["detail"] else ""))
    return lines


def _said(wave: str, gate: dict[str, Any]) -> Text:
    if gate["approved"]:
        return Text("approved", style="green")
    if gate["verdict"]:
        return tables.state(gate["verdict"])
    if gate["kind"] == "approval":
        return Text(f"waits for: godwit rollout approve {shlex.quote(wave)}", style="yellow")
    return Text("not asked yet", style="dim")


def _waiting(reasons: dict[str, int]) -> list[Text]:
    rows = sorted(reasons.items(), key=lambda row: (-row[1], row[0]))
    lines = [Text(f"{count:>9,}  {reason}") for reason, count in rows[:MOST]]
    if len(rows) > MOST:
        lines.append(Text(f"{sum(count for _, count in rows[MOST:]):>9,}  for {len(rows) - MOST} other reasons"))
    return lines


def _issue(issue: dict[str, Any]) -> Text:
    return Text(f"  {issue['id']}, wave {issue['wave']}: {issue['text']} ({issue['by']})", style="bold red")


def _budget(budget: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value:g}" for key, value in budget.items())
