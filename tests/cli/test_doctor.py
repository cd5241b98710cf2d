"""`godwit doctor`; `godwit repair` is a wish (test_wishes.py)."""

from __future__ import annotations

from typing import Any

from tests.cli.conftest import as_json, run
from tests.cli.fake import FakeApi


def found(*findings: dict[str, Any]) -> dict[str, Any]:
    """What the doctor says."""
    looked = {"channels": 5000, "moves": 2, "items": 0, "time": 1_000_000.0, "seconds": 1.26}
    return {"findings": list(findings), "clean": not findings, **looked}


LOOKED = "looked at 5,000 channels, 2 moves and 0 items in 1.3 s"
DRAIN = {"kind": "overdue-drain", "channel": "alice", "what": "it ended an hour ago", "repair": "settle it"}
EDGE = {"kind": "lagging-edge", "channel": "bob", "what": "main-0 stands in epoch 1", "repair": ""}


def test_clean(fake: FakeApi) -> None:
    """Status 0."""
    fake.says("GET", "/doctor", found())
    done = run("doctor")
    assert (done.status, done.out) == (0, f"clean: store, logs and edges agree ({LOOKED})\n")


def test_findings(fake: FakeApi) -> None:
    """One a line, what repair can do, status 1."""
    fake.says("GET", "/doctor", found(DRAIN, EDGE))
    done = run("doctor")
    assert done.status == 1
    assert done.out.splitlines() == [
        "overdue-drain: #alice: it ended an hour ago (repair: settle it)",
        "lagging-edge: #bob: main-0 stands in epoch 1",
        f"2 found ({LOOKED})",
    ]
    assert done.err == "godwit: see what can be mended with 'godwit repair --dry-run': 1\n"


def test_nothing_to_repair(fake: FakeApi) -> None:
    """That is said."""
    fake.says("GET", "/doctor", found(EDGE))
    assert run("doctor").err == "godwit: nothing that repair can mend\n"


def test_as_json(fake: FakeApi) -> None:
    """As the server tells it, with the same status."""
    fake.says("GET", "/doctor", found(DRAIN))
    done = run("doctor", "--json")
    assert done.status == 1
    assert as_json(done.out) == found(DRAIN)


def test_nobody_to_ask(fake: FakeApi) -> None:
    """Status 2: that is no finding."""
    fake.says("GET", "/doctor", {"error": "the store does not answer; try again"}, status=503)
    assert run("doctor").refusal == "the store does not answer; try again"
