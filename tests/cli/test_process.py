"""`godwit process list`."""

from __future__ import annotations

from typing import Any

from tests.cli.conftest import as_json, run
from tests.cli.fake import FakeApi


def process(name: str, **more: Any) -> dict[str, Any]:
    """A process as the server tells it."""
    times = {"started": 1.0, "seen": 3661.0}
    addresses: dict[str, Any] = {"tcp": [], "tls": [], "ws": [], "wss": []}
    about = {"role": "edge", "cluster": "main", "alive": True, "ahead": 0.0, "version": "0.5", "url": "http://x:1"}
    return {"name": name, **about, **times, **addresses, **more}


def test_list(fake: FakeApi) -> None:
    """Dead ones, and clocks that are wrong or not known."""
    rows = [
        process("e1", tcp=["a:1"], ws=["a:2"]),
        process("e2", alive=False, ahead=None, url=""),
        process("c1", role="controller", cluster="", ahead=-30.04),
    ]
    fake.says("GET", "/processes", {"processes": rows})
    done = run("process", "list")
    assert (done.status, done.err) == (0, "")
    since = "1970-01-01T00:00:01.000Z"
    assert [line.split() for line in done.out.splitlines()] == [
        ["process", "role", "cluster", "since", "last", "seen", "clock", "version", "addresses"],
        ["e1", "edge", "main", "runs", since, "01:01:01", "ok", "0.5", "a:1,", "a:2"],
        ["e2", "edge", "main", "dead", since, "01:01:01", "?", "0.5", "-"],
        ["c1", "controller", "-", "runs", since, "01:01:01", "-30.0", "s", "0.5", "http://x:1"],
    ]
    assert as_json(run("process", "list", "--json").out) == {"processes": rows}
