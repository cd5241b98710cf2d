"""`godwit changes`."""

from __future__ import annotations

import json
from typing import Any

from tests.cli.conftest import run
from tests.cli.fake import FakeApi

MOVED = {"number": 8, "time": 1_000_000.0, "kind": "moved", "channel": "alice"} | {
    "cluster": "aws",
    "epoch": 2,
    "from": "main",
}
DEFAULT = {"number": 9, "time": 1_000_001.0, "kind": "default", "cluster": "aws", "epoch": 3, "from": "main"}
RETIRED = {"number": 10, "time": 1_000_002.0, "kind": "retired", "cluster": "main", "into": "aws"}
RESTORED = {**RETIRED, "number": 11, "into": ""}


def page(number: int, *changes: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An answer of the feed."""
    return {"next": number, "changes": list(changes), **more}


def test_what_there_is(fake: FakeApi) -> None:
    """All pages, without a token."""
    fake.says("GET", "/changes", page(9, MOVED, DEFAULT), page(11, RETIRED, RESTORED), page(11))
    done = run("changes", "--since", "7", "--once")
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines() == [
        "8  1970-01-12T13:46:40.000Z  #alice  main -> aws, epoch 2",
        "9  1970-01-12T13:46:41.000Z  every channel that nobody placed  main -> aws, epoch 3",
        "10  1970-01-12T13:46:42.000Z  main is retired into aws",
        "11  1970-01-12T13:46:42.000Z  main serves itself again",
    ]
    asked = fake.to("GET", "/changes")
    assert [row.query for row in asked] == [{"since": number, "wait": "0"} for number in ("7", "9", "11")]
    assert all("authorization" not in row.headers for row in asked)


def test_following(fake: FakeApi) -> None:
    """From now on, until there is no answer."""
    fake.says("GET", "/changes", page(7), page(7), page(8, MOVED))
    fake.stops_after("GET", "/changes", 3)
    done = run("changes", "--json")
    assert json.loads(done.out) == MOVED
    assert done.status == 2
    assert [row.query.get("since") for row in fake.to("GET", "/changes")] == [None, "7", "7", "8"]
    assert {row.query["wait"] for row in fake.to("GET", "/changes")[1:]} == {"25"}


def test_following_says_where_it_begins(fake: FakeApi) -> None:
    """So that one can come back to it."""
    fake.says("GET", "/changes", page(7), page(8, MOVED))
    fake.stops_after("GET", "/changes", 2)
    done = run("changes")
    assert done.err.startswith("from number 7 on\n")


def test_a_cursor_that_is_too_old(fake: FakeApi) -> None:
    """What is missing is said aloud."""
    fake.says("GET", "/changes", page(40, reset=True), page(40))
    done = run("changes", "--since", "3", "--once")
    assert (done.status, done.out) == (0, "")
    assert "what came after number 3 is no longer kept" in done.err
    assert "going on from 40" in done.err
