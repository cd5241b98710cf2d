"""The demo on a terminal: a live table, then the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from godwit.drill.ledger import Count
from godwit.drill.result import ChannelView, Snapshot

_STYLES = {"draining": "green", "settled": "green", "cancelled": "red", "failed": "red"}


class LiveTable:
    """Shows snapshots while it is entered: pass `show` to `demo.run`."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()
        self._live = Live(console=self._console, auto_refresh=False)

    def __enter__(self) -> LiveTable:
        """Begin to draw."""
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last table on the screen."""
        self._live.stop()

    def show(self, snapshot: Snapshot) -> None:
        """Draw a snapshot."""
        self._live.update(draw(snapshot), refresh=True)


def draw(snapshot: Snapshot) -> Group:
    """The table of a snapshot with a heading."""
    table = Table(show_footer=True)
    total = snapshot.total
    table.add_column("channel", "all")
    table.add_column("moves")
    for heading, value in _columns(total):
        table.add_column(heading, value, justify="right")
    for view in snapshot.channels:
        table.add_row(f"#{view.channel}", _moves(view), *(value for _, value in _columns(view.count)))
    heading = f"{snapshot.phase} | {snapshot.clients} clients | {snapshot.seconds:.1f} s"
    return Group(Text(heading, style="bold"), table)


class Judged(Protocol):
    """What a drill found."""

    @property
    def ok(self) -> bool:
        """Everything was exact."""
        ...

    @property
    def problems(self) -> Sequence[str]:
        """The first few offenders, in words."""
        ...

    @property
    def verdict(self) -> str:
        """The verdict in one line."""
        ...


def print_verdict(result: Judged, console: Console | None = None) -> None:
    """Print the problems, if any, and the verdict in one line."""
    target = console or Console()
    for problem in result.problems:
        target.print(Text(f"- {problem}"), soft_wrap=True)
    target.print(Text(result.verdict, style="bold green" if result.ok else "bold red"), soft_wrap=True)


def _columns(count: Count) -> list[tuple[str, Text]]:
    return [
        ("sent", Text(str(count.sent))),
        ("delivered", Text(str(count.delivered))),
        ("lost", _alarming(count.lost)),
        ("repeated", _alarming(count.duplicated)),
        ("misordered", _alarming(count.misordered)),
        ("silence: follower", _silence(count.longest_silence_ms.get("follower"))),
        ("legacy", _silence(count.longest_silence_ms.get("legacy"))),
    ]


def _alarming(number: int) -> Text:
    return Text(str(number), style="bold red" if number else "")


def _silence(milliseconds: float | None) -> Text:
    return Text("" if milliseconds is None else f"{milliseconds:.0f} ms")


def _moves(view: ChannelView) -> Text:
    """The newest move and its number: one line a channel, whatever the number of moves."""
    if not view.moves:
        return Text()
    target, state = view.moves[-1]
    shown = Text(f"{len(view.moves)}: {target} ")
    shown.append(state, style=_STYLES.get(state, "yellow"))
    return shown
