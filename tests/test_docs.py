"""Documents that are made from code are what the code would make; links between documents lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from godwit.settings import rows
from tests.docs import PAGES, ROOT, settings_page, show


@pytest.mark.parametrize("name", PAGES)
def test_page_is_up_to_date(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == PAGES[name](), "run `make docs`"


def test_every_setting_has_a_row() -> None:
    page = settings_page()
    for name, default, help in rows():
        assert f"| `{name}` | {show(default)} | {help.replace('|', '&#124;')} |" in page.splitlines()


@pytest.mark.parametrize(
    ("value", "shown"), [("", "empty"), (True, "`true`"), (5, "`5`"), (("a", "b"), "`a, b`"), ({}, "empty")]
)
def test_defaults_are_shown_as_typed(value: object, shown: str) -> None:
    assert show(value) == shown


def dead_links(page: Path, text: str) -> list[str]:
    """Say which relative links of a page lead to no file."""
    targets = re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", text)
    return [target for target in targets if not (page.parent / target).exists()]


def test_links_between_documents_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    assert {str(page): dead for page in pages if (dead := dead_links(page, page.read_text(encoding="utf-8")))} == {}


def test_dead_link_is_found() -> None:
    assert dead_links(ROOT / "README.md", "[a](docs/none.md), [b](Makefile), [c](#d)") == ["docs/none.md"]


def test_every_decision_is_in_the_index() -> None:
    index = (ROOT / "docs/adr/README.md").read_text(encoding="utf-8")
    records = {path.name for path in (ROOT / "docs/adr").glob("[0-9]*.md")}
    assert {name for name in records if f"({name})" not in index} == set()
