"""Plots of how the cost grows, as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.versus import Row

KINDS = ("members", "lines/s", "channels")


def draw(rows: Sequence[Row], folder: Path) -> list[str]:
    """Draw a file for each kind of growth; returns their names."""
    return [name for kind in KINDS if (name := _plot(kind, rows, folder))]


def _plot(kind: str, rows: Sequence[Row], folder: Path) -> str:
    """CPU and p99 against one thing that grows."""
    points = [
        (float(number), row.figures) for row in rows for number, _, name in [row.setting.partition(" ")] if name == kind
    ]
    if not points:
        return ""

    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    across = [number for number, _ in points]
    left.plot(across, [figures["cpu_us"] for _, figures in points], "o-", color="tab:blue")
    left.set_ylabel("server's CPU per delivery, us")
    right.plot(across, [figures["p50_ms"] for _, figures in points], "o-", color="tab:green", label="p50")
    right.plot(across, [figures["p99_ms"] for _, figures in points], "o-", color="tab:red", label="p99")
    right.set_ylabel("latency, ms")
    right.legend()
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_xlabel(kind)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    name = f"growth-{kind.replace('/', '-per-')}.png"
    figure.savefig(folder / name, dpi=100)
    return name
