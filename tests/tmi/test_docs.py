"""The ids of docs/protocol.md: what is cited exists, and what exists is cited."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "protocol.md"

_ROW = re.compile(r"^\| ([A-Z]+-(?:[0-9]+|[a-z][a-z0-9_]*)) \|", re.MULTILINE)


def rows(page: str) -> list[str]:
    """The ids of all rows, in order."""
    return _ROW.findall(page)


def cited(texts: Iterable[str], page: str) -> set[str]:
    """Ids that texts cite: words of a kind that the page knows."""
    kinds = "|".join(sorted({row.partition("-")[0] for row in rows(page)}))
    pattern = re.compile(rf"(?<![\w-])(?:{kinds})-(?:[0-9]+|[a-z][a-z0-9_]*)(?![\w-])")
    return {found for text in texts for found in pattern.findall(text)}


def sources() -> list[str]:
    files = [*(ROOT / "src").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    return [file.read_text() for file in files if file != Path(__file__).resolve()]


def test_every_id_is_given_once() -> None:
    found = rows(PAGE.read_text())
    assert len(found) > 60
    assert sorted(found) == sorted(set(found))


def test_what_is_cited_exists() -> None:
    page = PAGE.read_text()
    assert cited(sources(), page) - set(rows(page)) == set()


def test_what_exists_is_cited() -> None:
    page = PAGE.read_text()
    assert set(rows(page)) - cited(sources(), page) == set()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("rule JOIN-99 says", {"JOIN-99"}),
        ("(HTTP-nothing)", {"HTTP-nothing"}),
        ("UTF-8 and SHA-256 and MY-JOIN-1", set()),
        ("JOIN-1, JOIN-2", {"JOIN-1", "JOIN-2"}),
        ("HTTP-r9k_on.", {"HTTP-r9k_on"}),
    ],
)
def test_citations_are_found(text: str, found: set[str]) -> None:
    assert cited([text], "| JOIN-1 | x |\n| HTTP-servers | y |\n") == found
