"""Tables for people: clusters, rollouts, issues, and the marks that several views share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from godwit.cli.times import clock, minute

STYLES = {
    "running": "green",
    "finished": "green",
    "done": "green",
    "pass": "green",
    "moving": "cyan",
    "soaking": "cyan",
    "checking": "yellow",
    "paused": "bold yellow",
    "inconclusive": "yellow",
    "reversing": "magenta",
    "reversed": "magenta",
    "aborted": "red",
    "failed": "bold red",
    "fail": "bold red",
    "pending": "dim",
    "waiting": "dim",
    "skipped": "dim",
}
"""How a state or a verdict is drawn."""


def show(*what: RenderableType) -> None:
    """Print something drawn."""
    console = Console()
    for part in what:
        console.print(part)


def state(name: str) -> Text:
    """A state in its colour."""
    return Text(name, style=STYLES.get(name, ""))


def number(count: int, style: str = "") -> Text:
    """A count; nothing for none, so that what is there is seen."""
    return Text(f"{count:,}", style=style) if count else Text()


def grid(*headings: str, right: Iterable[str] = (), title: str | None = None) -> Table:
    """An empty table; the columns of `right` are for numbers."""
    table = Table(
        title=title, title_justify="left", header_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0)
    )
    for heading in headings:
        table.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    return table


def clusters(rows: Iterable[Mapping[str, Any]]) -> Table:
    """The clusters of the network."""
    table = grid("cluster", "channels", "moves", "addresses", "", right=("channels", "moves"))
    for row in rows:
        addresses = ", ".join(address for kind in ("tcp", "tls", "ws", "wss") for address in row.get(kind) or ())
        notes = []
        if row.get("default"):
            notes.append("default")
        if row.get("retired_into"):
            notes.append(f"retired: its addresses serve {row['retired_into']}")
        counts = (f"{row['channels']:,}", number(row["moves"]))
        table.add_row(row["name"], *counts, addresses or "-", ", ".join(notes))
    return table


def processes(rows: Iterable[Mapping[str, Any]]) -> Table:
    """The processes of the network."""
    table = grid(
        "process", "role", "cluster", "", "since", "last seen", "clock", "version", "addresses", right=("clock",)
    )
    for row in rows:
        alive = Text("runs", style="green") if row["alive"] else Text("dead", style="bold red")
        wrong = row["ahead"]
        ahead = "?" if wrong is None else f"{wrong:+.1f} s" if wrong else "ok"
        addresses = ", ".join(address for kind in ("tcp", "tls", "ws", "wss") for address in row[kind])
        times = (clock(row["started"]), minute(row["seen"]))
        about = (row["name"], row["role"], row["cluster"] or "-")
        table.add_row(*about, alive, *times, ahead, row["version"], addresses or row["url"] or "-")
    return table


def rollouts(rows: Iterable[Mapping[str, Any]]) -> Table:
    """Rollouts, one a row."""
    table = grid("name", "id", "to", "state", "done", "of", "started", "why", right=("done", "of"))
    for row in rows:
        counts = (f"{row['done']:,}", f"{row['total']:,}")
        started = clock(row["created"])
        table.add_row(row["name"], row["id"], row["to"], state(row["state"]), *counts, started, row["why"])
    return table


def issues(rows: Iterable[Mapping[str, Any]]) -> Table:
    """What was found wrong, one a row."""
    table = grid("issue", "wave", "what", "by", "since", "resolved")
    for row in rows:
        resolved = f"{minute(row['resolved'])} {row['resolved_by']}: {row['resolution']}" if row["resolved"] else "open"
        style = "" if row["resolved"] else "bold red"
        cells = (row["id"], str(row["wave"]), row["text"], row["by"], clock(row["time"]))
        table.add_row(*cells, Text(resolved, style=style))
    return table


def item(row: Mapping[str, Any]) -> str:
    """A channel of a rollout, in one line."""
    goal = "" if row["goal"] == "there" else " (back)"
    error = f"  {row['error']}" if row["error"] else ""
    return f"#{row['channel']}  {row['wave']}  {row['state']}{goal}{error}"
