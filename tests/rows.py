"""Which rows of docs/protocol.md the tests show, and how these tests ended: a part of pytest (see `conftest.py`).

A test shows the rows of its marks, `@pytest.mark.row("JOIN-1")`, and those that its docstring or that of its class
cites. With `--rows FILE` only tests that show rows are run, and what became of them is written to the file, as JSON:
`{row: {test: outcome}}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "protocol.md"

ID = r"(?:[0-9]+|[a-z][a-z0-9_-]*)"
"""What follows the kind and the hyphen in the id of a row."""

_ROW = re.compile(rf"^\| ([A-Z]+-{ID}) \| (.*) \|$", re.MULTILINE)

WHOLE = pytest.StashKey[dict[str, list[str]]]()
"""Where the rows of all tests are kept that were collected: test -> rows."""

PROPERTY = "rows"


def rows(page: str) -> dict[str, str]:
    """The rows of a page, in order: id -> text."""
    return dict(_ROW.findall(page))


def cited(texts: Iterable[str], page: str) -> set[str]:
    """Ids that texts cite: words of a kind that the page knows."""
    pattern = _citation(page)
    return {found for text in texts for found in pattern.findall(text)}


@lru_cache(1)
def _citation(page: str) -> re.Pattern[str]:
    kinds = "|".join(sorted({row.partition("-")[0] for row in rows(page)}))
    return re.compile(rf"(?<![\w-])(?:{kinds})-{ID}(?![\w-])")


def shown(item: pytest.Item, page: str) -> list[str]:
    """The rows that a test shows."""
    marked = {row for mark in item.iter_markers("row") for row in mark.args}
    sources = [getattr(item, "obj", None), getattr(item, "cls", None)]
    return sorted(marked | cited([source.__doc__ or "" for source in sources if source], page))


class Rows:
    """The part of pytest.

    Args:
        file: where to write; None: nowhere, and all tests are run.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._outcomes: dict[str, dict[str, str]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Note the rows of each test; with a file, leave out tests that show none."""
        page = PAGE.read_text(encoding="utf-8")
        found = config.stash[WHOLE] = {item.nodeid: shown(item, page) for item in items}
        for item in items:
            item.user_properties.append((PROPERTY, found[item.nodeid]))
        if self._file is not None:
            config.hook.pytest_deselected(items=[item for item in items if not found[item.nodeid]])
            items[:] = [item for item in items if found[item.nodeid]]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take how a test ended; a fault before or after it counts too."""
        if report.when != "call" and report.passed:
            return
        for name, value in report.user_properties:
            if name == PROPERTY and isinstance(value, list):
                for row in value:
                    outcomes = self._outcomes.setdefault(row, {})
                    if outcomes.get(report.nodeid, "passed") == "passed":
                        outcomes[report.nodeid] = report.outcome

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the file; of several processes only the first one does."""
        if self._file is not None and not hasattr(session.config, "workerinput"):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.write_text(json.dumps(self._outcomes, indent=1, sort_keys=True), encoding="utf-8")


def add_option(parser: Any) -> None:
    """The option that this part of pytest has."""
    parser.addoption(
        "--rows", metavar="FILE", help="run tests that show rows of docs/protocol.md, write how they ended"
    )


def register(config: pytest.Config) -> None:
    """Have it work."""
    file = config.getoption("--rows")
    config.pluginmanager.register(Rows(Path(file) if file else None), "godwit-rows")
