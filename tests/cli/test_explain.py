"""`godwit channel explain` and `godwit rollout explain`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.conftest import as_json, run
from tests.cli.fake import FakeApi

MOVE: dict[str, Any] = {"id": "m1", "from": "main", "to": "aws", "state": "cancelled", "error": "it went live"}
FOUND: dict[str, Any] = {
    "channel": "alice",
    "cluster": "main",
    "epoch": 3,
    "reason": "live: it waits for its stream to end",
    "since": 1_000_000.0,
    "rollout": "spring",
    "wave": "staff",
    "moves": [MOVE, {**MOVE, "id": "m0", "from": None, "state": "failed", "error": ""}],
}


@pytest.mark.parametrize("command", ["channel", "rollout"])
def test_explained(fake: FakeApi, command: str) -> None:
    """One reason, since when, which rollout and wave, its moves."""
    fake.says("GET", "/channels/alice/explain", FOUND)
    done = run(command, "explain", "#Alice")
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines() == [
        "#alice is on main, epoch 3",
        "live: it waits for its stream to end (since 1970-01-12T13:46:40.000Z)",
        "rollout spring, wave staff",
        "move m1: main -> aws, cancelled, it went live",
        "move m0: ? -> aws, failed",
    ]
    assert as_json(run(command, "explain", "alice", "--json").out) == FOUND


def test_a_channel_of_no_rollout(fake: FakeApi) -> None:
    """Where it is, and nothing else."""
    fake.says("GET", "/channels/alice/explain", {**FOUND, "reason": "", "rollout": "", "wave": "", "moves": []})
    assert run("channel", "explain", "alice").out == "#alice is on main, epoch 3\n"
