"""`godwit cluster list`; all else are wishes (test_wishes.py)."""

from __future__ import annotations

from typing import Any

from tests.cli.conftest import as_json, run
from tests.cli.fake import FakeApi


def cluster(name: str, **more: Any) -> dict[str, Any]:
    """A cluster as the server tells it."""
    addresses: dict[str, Any] = {"tcp": ["127.0.0.1:6667"], "tls": [], "ws": ["127.0.0.1:8080"], "wss": []}
    return {"name": name, **addresses, "channels": 0, "moves": 0, "default": False, "retired_into": "", **more}


def test_list(fake: FakeApi) -> None:
    """Addresses, channels, the default, and what is retired."""
    rows = [
        cluster("main", retired_into="aws"),
        cluster("aws", channels=5000, moves=12, default=True, tls=["127.0.0.1:6697"]),
        cluster("bare", tcp=[], ws=[]),
    ]
    fake.says("GET", "/clusters", {"clusters": rows})
    done = run("cluster", "list")
    assert (done.status, done.err) == (0, "")
    assert [line.split() for line in done.out.splitlines()] == [
        ["cluster", "channels", "moves", "addresses"],
        ["main", "0", "127.0.0.1:6667,", "127.0.0.1:8080", *["retired:", "its", "addresses", "serve", "aws"]],
        ["aws", "5,000", "12", "127.0.0.1:6667,", "127.0.0.1:6697,", "127.0.0.1:8080", "default"],
        ["bare", "0", "-"],
    ]
    assert as_json(run("cluster", "list", "--json").out) == {"clusters": rows}
