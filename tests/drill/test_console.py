"""The live table shows every channel's moves and counts; the verdict is one line."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from godwit.drill.console import LiveTable, draw, print_verdict
from godwit.drill.ledger import Count
from godwit.drill.result import ChannelView, DemoOptions, Snapshot, judge

COUNT = Count(sent=7, acknowledged=7, expected=21, delivered=20, lost=1, longest_silence_ms={"follower": 12.4})
SNAPSHOT = Snapshot(
    "moving", 3.21, 9, (ChannelView("drill000", (("aws", "settled"), ("main", "sealing")), COUNT),), COUNT
)


@pytest.fixture
def console() -> Console:
    """A wide terminal that is a string."""
    return Console(file=io.StringIO(), width=160)


def _text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_draw(console: Console) -> None:
    """Phase, clients, the states of the moves, counts, and silence per role."""
    console.print(draw(SNAPSHOT))
    text = _text(console)
    assert "moving | 9 clients | 3.2 s" in text
    [row] = [line for line in text.splitlines() if "#drill000" in line]
    assert [cell.strip() for cell in row.strip("│").split("│")] == [
        "#drill000",
        "2: main sealing",
        "7",
        "20",
        "1",
        "0",
        "0",
        "12 ms",
        "",
    ]


def test_live_table(console: Console) -> None:
    """The last table stays on the screen."""
    with LiveTable(console) as table:
        table.show(SNAPSHOT)
    assert "#drill000" in _text(console)


def test_verdict(console: Console) -> None:
    """Problems first, the verdict last; text in brackets is text."""
    result = judge(DemoOptions(), COUNT, moves=0, told=(0, 0), seconds=1.0, problems=["[red]odd[/red]"])
    print_verdict(result, console)
    lines = _text(console).splitlines()
    assert lines[0] == "- [red]odd[/red]"
    assert lines[-1] == result.verdict
