"""A report as Markdown."""

from __future__ import annotations

import re

import msgspec

from godwit.rollout.report import Report, markdown, report
from godwit.rollout.values import Event, Issue, Sample
from tests.rollout.test_outcome import ROLLOUT, ended, item, move

EVENT = Event(
    "rollout.gate",
    4200.0,
    rollout="r1",
    details={"gate": "p99", "wave": "all", "verdict": "fail", "detail": "0.5 s is above 0.2 s", "value": 0.5},
)


def whole() -> Report:
    """A report with something in each section."""
    items = [
        item("ann", before=10, followed=9, stayed=("nightbot",)),
        item("bob", before=0),
        item("cid", 1, "failed", error="given up after 20 tries: <b>no</b> | answer\nat all"),
        item("dee", 1, before=120, followed=0, stayed=tuple(f"u{number}" for number in range(100))),
    ]
    moves = [
        move("ann", 4000.0, 4003.0),
        move("bob", 4000.0, 4000.25, cold=True),
        move("dee", 4100.0, 4190.0, unshown=3),
        ended("cid", "cancelled", "#cid went live before the switch"),
    ]
    issues = [
        Issue("i1", "r1", 0, "emotes are missing", "eve", 4010.0, 4020.0, "tom", "mended"),
        Issue("i2", "r1", 1, "slow", "eve", 4300.0),
    ]
    return report(ROLLOUT, items, moves, issues, [EVENT], [("all", Sample("p99", 4200.0, "fail", value=0.5))])


def cells(text: str) -> list[list[str]]:
    """Every row of every table."""
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


def test_a_report_tells_everything() -> None:
    text = markdown(whole())
    assert text.startswith(
        "# Rollout to-aws\n\nTo aws from main, started by eve at 1970-01-01 00:16:40, plan 0123456789abcdef.\n"
    )
    assert "Reason: retire main." in text
    assert "Of 4 channels 3 are there, 0 went back, 0 wait or move, 0 were skipped, 1 failed." in text
    assert "**Lost, at most: 3 lines**" in text
    rows = cells(text)
    assert ["staff", "2", "2", "0", "0", "0", "0", "1970-01-01 01:06:40", "1970-01-01 01:06:43"] in rows
    assert ["staff", "hot", "1", "3.0 s", "3.0 s", "3.0 s"] in rows
    assert ["staff", "cold", "1", "250 ms", "250 ms", "250 ms"] in rows
    assert ["all", "hot", "1", "90 s", "90 s", "90 s"] in rows
    assert ["staff", "10", "9", "90.0%"] in rows
    assert ["nightbot", "1"] in rows
    assert "20 members more had not followed" in text
    forced = ["1970-01-01 01:09:50", "#dee", "all", "main → aws", "90 s", "hot", "forced, 3 lines unshown"]
    assert forced in rows
    assert ["1970-01-01 01:10:00", "all", "p99", "fail", "0.5", "0.5 s is above 0.2 s"] in rows
    assert ["all", "p99", "0", "1", "0", "0.5", "0.5"] in rows
    assert ["1970-01-01 01:06:50", "staff", "emotes are missing", "eve", "1970-01-01 01:07:00 by tom: mended"] in rows
    assert ["1970-01-01 01:11:40", "all", "slow", "eve", "open"] in rows
    assert ["#cid went live before the switch", "1"] in rows
    assert ["1970-01-01 01:23:20", "finished", "controller", "all waves are done"] in rows


def test_what_people_wrote_stays_in_its_cell() -> None:
    rows = cells(markdown(whole()))
    assert ["#cid", "all", "given up", "given up after 20 tries: &lt;b>no&lt;/b> \\| answer at all"] in rows


def test_tables_are_whole() -> None:
    lines = markdown(whole()).splitlines()
    for number, line in enumerate(lines):
        if line.startswith("| ---"):
            width = line.count("|")
            following = lines[number + 1 :]
            table = following[: next((at for at, row in enumerate(following) if not row), len(following))]
            assert table
            assert all(len(re.findall(r"(?<!\\)\|", row)) == width for row in [lines[number - 1], *table])


def test_an_empty_report_has_no_empty_tables() -> None:
    text = markdown(report(msgspec.structs.replace(ROLLOUT, history=(), reason="", by=""), [], []))
    assert re.findall("^## .*", text, re.MULTILINE) == ["## Waves"]
    assert "started by nobody named" in text


def test_long_lists_say_how_many_are_not_shown() -> None:
    items = [item(f"c{number}") for number in range(60)]
    moves = [move(f"c{number}", 4000.0, 4001.0) for number in range(60)]
    text = markdown(report(ROLLOUT, items, moves))
    assert text.count("main → aws") == 50
    assert "10 more are not shown." in text
