"""What was found, as people read it: in a terminal, and as tables of docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.versus import Row

Found = Mapping[tuple[str, str, str], Mapping[str, float]]
"""Figures by scenario, server and setting."""


def figure(value: float) -> str:
    """A number with as many digits as mean something."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def verdict(row: Row) -> str:
    """Whether everything was delivered once and in order, and what else is to be known."""
    return ("exact" if row.exact else "NOT EXACT") + (f", {row.note}" if row.note else "")


@dataclass(frozen=True, slots=True)
class Goal:
    """Something that a scenario must show.

    Attributes:
        at_least: else at most.
        value: from the figures; None if they are not there.
    """

    title: str
    must: float
    at_least: bool
    value: Callable[[Found], float | None]

    def line(self, found: Found) -> str:
        """The row of the table."""
        value = self.value(found)
        sign = ">=" if self.at_least else "<="
        if value is None:
            return f"| {self.title} | {sign} {figure(self.must)} | not measured | |"
        reached = value >= self.must if self.at_least else value <= self.must
        return f"| {self.title} | {sign} {figure(self.must)} | {figure(value)} | {'yes' if reached else '**no**'} |"


def _of(key: str, where: str, setting: str, one: str = "godwit", other: str = "") -> Callable[[Found], float | None]:
    """A figure, or its ratio to that of another server in the same scenario and setting."""

    def value(found: Found) -> float | None:
        mine = found.get((where, one, setting), {}).get(key)
        if mine is None or not other:
            return mine
        theirs = found.get((where, other, setting), {}).get(key)
        return mine / theirs if theirs else None

    return value


def _silence(who: str) -> Callable[[Found], float | None]:
    def value(found: Found) -> float | None:
        for (scenario, _, _), figures in found.items():
            if scenario == "move":
                return figures[f"{who}_silence_moving_ms"] / figures["p99_ms"]
        return None

    return value


RATE = "deliveries_per_s"

GOALS = (
    Goal("(a) one line under way: deliveries/s, of InspIRCd's", 1.15, True, _of(RATE, "a", "W=1", other="inspircd")),
    Goal("(a) one line under way: of the kernel's bare loop", 0.80, True, _of(RATE, "a", "W=1", other="kernel")),
    Goal("(a) 30 under way: of InspIRCd's", 3, True, _of(RATE, "a", "W=30", other="inspircd")),
    Goal("(a) 100 under way: of InspIRCd's", 4, True, _of(RATE, "a", "W=100", other="inspircd")),
    Goal("(a) 100 under way: deliveries/s", 8_000_000, True, _of(RATE, "a", "W=100")),
    Goal("(a) 2 million deliveries/s: share of a core", 0.45, False, _of("cpu_share", "steady", "2000/s")),
    Goal("(a) 2 million deliveries/s: p99, ms", 20, False, _of("p99_ms", "steady", "2000/s")),
    Goal("(b) 1,000 rooms of 10: of InspIRCd's", 0.9, True, _of(RATE, "b", "W=1000", other="inspircd")),
    Goal("(b) 1,000 rooms of 10: of the kernel's bare loop", 0.5, True, _of(RATE, "b", "W=1000", other="kernel")),
    Goal(
        "(b) with tags and acknowledgements, ten writes: of the kernel's",
        0.5,
        True,
        _of(RATE, "b", "W=1000", "godwit+tags", "kernel+tags"),
    ),
    Goal("(c) room of 10,000, 20 lines/s: p50, ms", 40, False, _of("p50_ms", "c", "20/s")),
    Goal("(c) room of 10,000, 20 lines/s: p99, ms", 90, False, _of("p99_ms", "c", "20/s")),
    Goal("(c) p50, of InspIRCd's", 1, False, _of("p50_ms", "c", "20/s", other="inspircd")),
    Goal("(c) p99, of InspIRCd's", 1, False, _of("p99_ms", "c", "20/s", other="inspircd")),
    Goal("(d) bytes of an idle TCP connection", 3072, False, _of("bytes_each", "d", "joined")),
    Goal("(d) bytes of an idle WebSocket", 8192, False, _of("bytes_each", "d", "joined", "godwit+ws")),
    Goal("(e) connect, log in, JOIN: a second", 10_000, True, _of("connects_per_s", "e", "login, JOIN")),
    Goal("WebSocket, 30 under way: of TCP's", 0.8, True, _of(RATE, "ws", "W=30", "godwit+ws", "godwit")),
    Goal("move: longest silence of who stays, of the p99 without", 2, False, _silence("legacy")),
    Goal("move: longest silence of a follower, of the p99 without", 2, False, _silence("follower")),
)
"""Ratios are of figures of one interleaved run."""

COLUMNS: Mapping[str, tuple[str, Callable[[float], str]]] = {
    RATE: ("deliveries/s", figure),
    "connects_per_s": ("a second", figure),
    "bytes_each": ("bytes each", figure),
    "cpu_us": ("CPU, us each", lambda value: f"{value:.3g}"),
    "cpu_message_us": ("CPU, us a line", figure),
    "cpu_share": ("of a core", lambda value: f"{value:.0%}"),
    "p50_ms": ("p50, ms", figure),
    "p99_ms": ("p99, ms", figure),
    "p99_moving_ms": ("p99 while it moves, ms", figure),
    "legacy_silence_ms": ("silence of who stays, ms", figure),
    "legacy_silence_moving_ms": ("while it moves, ms", figure),
    "follower_silence_ms": ("silence of a follower, ms", figure),
    "follower_silence_moving_ms": ("while it moves, ms", figure),
    "load_busy": ("load's core", lambda value: f"{value:.0%}"),
}
"""The figures that tables show, in this order."""

BESIDE = ("kernel", "kernel+tags", "inspircd", "node+ws")
"""Whom others are compared with."""


def found(rows: Iterable[Row]) -> dict[tuple[str, str, str], dict[str, float]]:
    """Figures by scenario, server and setting."""
    return {(row.scenario, row.server, row.setting): row.figures for row in rows if row.figures}


def goals(rows: Sequence[Row]) -> list[str]:
    """The table of what must be reached."""
    figures = found(rows)
    return ["| | must be | is | reached |", "| --- | --- | --- | --- |", *(goal.line(figures) for goal in GOALS)]


def table(rows: Sequence[Row]) -> list[str]:
    """The table of one scenario."""
    keys = [key for key in COLUMNS if any(row.figures.get(key) for row in rows)]
    figures = found(rows)
    beside = [name for name in BESIDE if any(row.server == name for row in rows if RATE in row.figures)]
    head = ["server", "setting", *(COLUMNS[key][0] for key in keys), *(f"x {name}" for name in beside), "counts"]
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
    for row in sorted(rows, key=lambda row: _order(row.setting)):
        if not row.figures:
            lines.append(f"| {row.server} | {row.note} |" + " |" * (len(head) - 2))
            continue
        cells = [COLUMNS[key][1](row.figures[key]) if row.figures.get(key) else "" for key in keys]
        for name in beside:
            theirs = figures.get((row.scenario, name, row.setting), {}).get(RATE)
            alike = row.server != name and ("+tags" in row.server) == ("+tags" in name)
            ratio = row.figures[RATE] / theirs if theirs and alike else 0.0
            cells.append(figure(ratio) if ratio else "")
        lines.append("| " + " | ".join([row.server, row.setting, *cells, verdict(row)]) + " |")
    return lines


def _order(setting: str) -> tuple[str, float]:
    """Settings of one kind in order of their numbers: W=1, W=10, W=100."""
    digits = "".join(letter for letter in setting if letter in "0123456789.")
    return ("".join(letter for letter in setting if letter.isalpha()), float(digits or 0))
