"""The results that documents show: docs/benchmarks.json, and the tables of docs/benchmarks.md made from them."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import plots, report
from bench.versus import Row
from bench.words import WORDS

DOCS = Path(__file__).parents[1] / "docs"

JSON, PAGE = "benchmarks.json", "benchmarks.md"

BEGIN, END = "<!-- measured -->", "<!-- /measured -->"


def without_files(arguments: list[str]) -> list[str]:
    """The command line as others can use it: where the JSON went does not matter to them."""
    behind = zip(["", *arguments], arguments, strict=False)
    return [one for before, one in behind if before != "--json" and one.partition("=")[0] != "--json"]


def record(word: str, rows: list[Row], about: Mapping[str, Any], docs: Path = DOCS) -> None:
    """Put the results of one scenario in the place of those that were there.

    Args:
        about: the command, the machine, and its load before and after.
    """
    path = docs / JSON
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    known[word] = {**about, "date": time.strftime("%Y-%m-%d"), "rows": [asdict(row) for row in rows]}
    path.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


def rows_of(docs: Path = DOCS) -> dict[str, list[Row]]:
    """The rows of each scenario that has been measured."""
    known = json.loads((docs / JSON).read_text(encoding="utf-8"))
    return {word: [Row(**row) for row in known[word]["rows"]] for word in WORDS if word in known}


def write(docs: Path = DOCS) -> None:
    """Write the tables anew, between their markers.

    Raises:
        ValueError: the page has no markers.
    """
    page = docs / PAGE
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no place for results: {BEGIN} and {END}")
    page.write_text(before + begin + "\n\n" + "\n".join(_lines(docs)) + "\n\n" + end + after, encoding="utf-8")


def _lines(docs: Path) -> list[str]:
    known = json.loads((docs / JSON).read_text(encoding="utf-8"))
    found = rows_of(docs)
    pictures = plots.draw(found.get("growth", []), docs)
    lines = ["### What must be reached", "", *report.goals([row for rows in found.values() for row in rows])]
    newest = max(known.values(), key=lambda about: str(about["date"]))["machine"]
    lines += ["", "Machine: " + ", ".join(f"{name} {value}" for name, value in newest.items()) + "."]
    for word, rows in found.items():
        about = known[word]
        loads = f"load before {about['load_before']}, after {about['load_after']}"
        title = WORDS[word][0].rstrip(".")
        lines += ["", f"### `{word}`: {title}", "", *report.table(rows), ""]
        runs = max((row.runs for row in rows), default=0)
        lines.append(f"`{about['command']}`, {about['date']}; medians of {runs}; {loads}.")
        versions = {row.server: row.version for row in rows if row.version}
        lines.append("Versions: " + ", ".join(f"{name} {version}" for name, version in versions.items()) + ".")
        if word == "growth":
            lines += [part for name in pictures for part in ("", f"![The cost beside what grows]({name})")]
    return lines
