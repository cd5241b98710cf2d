"""What is known of each row of docs/protocol.md."""

from __future__ import annotations

import pytest

from tests.compatibility import TABLE, Unproven, judge, read_said, table
from tests.rows import PAGE, ROOT, WHOLE, rows

FILES = {
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "tests").rglob("test_*.py")
    if "node_modules" not in path.parts
}


def test_rows_are_counted_by_what_is_said_and_shown() -> None:
    page = {"A-1": "works", "A-2": "differs", "A-3": "is not there", "A-4": "works as well"}
    said = {"differs": {"A-2": "otherwise"}, "not_built": {"A-3": "nobody asked"}}
    outcomes = {"A-1": {"t1": "passed", "t2": "passed"}, "A-2": {"t1": "passed"}, "A-4": {"t3": "passed"}}
    assert judge(page, said, outcomes) == {
        "works": 2,
        "differs": 1,
        "not_built": 1,
        "rows": [
            {"id": "A-1", "result": "works", "tests": 2},
            {"id": "A-2", "result": "differs", "how": "otherwise", "tests": 1},
            {"id": "A-3", "result": "not_built", "why": "nobody asked", "tests": 0},
            {"id": "A-4", "result": "works", "tests": 1},
        ],
    }


@pytest.mark.parametrize(
    ("said", "outcomes", "wrong"),
    [
        ({}, {}, "A-1 is shown by no test"),
        ({}, {"A-1": {"t1": "passed", "t2": "failed"}}, "A-1: t2 failed"),
        ({}, {"A-1": {"t1": "skipped"}}, "A-1: t1 skipped"),
        ({"differs": {"A-1": "x"}}, {}, "A-1 is shown by no test"),
        ({"differs": {"A-2": "x"}}, {"A-1": {"t": "passed"}}, "A-2 is not in docs/protocol.md"),
        ({"not_built": {"A-1": "x"}, "differs": {"A-1": "x"}}, {}, "A-1 cannot differ and not be built"),
        ({"not_built": {"A-1": "x"}}, {"A-1": {"t": "failed"}}, "A-1: t failed"),
    ],
)
def test_a_row_without_a_result_is_an_error(
    said: dict[str, dict[str, str]], outcomes: dict[str, dict[str, str]], wrong: str
) -> None:
    with pytest.raises(Unproven, match=wrong):
        judge({"A-1": "text"}, said, outcomes)


def test_every_row_is_shown_by_a_test_or_not_built(request: pytest.FixtureRequest) -> None:
    collected = request.config.stash[WHOLE]
    if FILES - {name.partition("::")[0] for name in collected}:
        pytest.skip("only all tests together show all rows: run `make test`")
    proven = {row for found in collected.values() for row in found} | read_said()["not_built"].keys()
    assert sorted(rows(PAGE.read_text()).keys() - proven) == []


def test_the_table_is_up_to_date() -> None:
    """As far as it can be said without running all tests."""
    page, said = rows(PAGE.read_text()), read_said()
    passed = {row: {"test": "passed"} for row in page}
    assert TABLE.read_text() == table(judge(page, said, passed)), "run `make compatibility`"
