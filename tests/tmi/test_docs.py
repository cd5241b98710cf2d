"""The ids of docs/protocol.md: what is cited exists, and what exists is cited."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.rows import ID, PAGE, ROOT, cited, rows


def sources() -> list[str]:
    files = [*(ROOT / "src").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    return [file.read_text() for file in files if file != Path(__file__).resolve()]


def test_every_id_is_given_once() -> None:
    page = PAGE.read_text()
    found = re.findall(rf"^\| ([A-Z]+-{ID}) \|", page, re.MULTILINE)
    assert len(found) > 60
    assert found == list(rows(page)), "each once, and each with a text"


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
