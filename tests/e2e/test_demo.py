"""The demo on the real server: green as it is, red with each fault."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from typing import Any

import pytest

SMALL = ("--channels", "4", "--talkers", "8", "--followers", "8", "--legacy", "8", "--moves", "2", "--seed", "7")

PATIENCE = 110
"""Seconds that one demo may take here; it says what is wrong long before."""


async def _demo(*options: str, patience: float = PATIENCE) -> tuple[int, dict[str, Any], str]:
    """Run `godwit demo --json`: exit status, the object on stdout, and stderr."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "godwit", "demo", "--json", *SMALL, *options),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(patience):
            said, complaints = await process.communicate()
    except TimeoutError:
        process.terminate()
        said, complaints = await process.communicate()
    assert process.returncode is not None
    try:
        found = json.loads(said)
    except ValueError:
        pytest.fail(f"status {process.returncode}, no JSON on stdout: {said!r}, stderr: {complaints!r}")
    return process.returncode, found, complaints.decode()


async def test_green() -> None:
    """Exact counts, every move done, everybody told, and status 0."""
    status, found, _ = await _demo()
    _is_green(status, found)
    assert found["nodes"] == []


async def test_green_over_many_processes() -> None:
    """The same, with every role in processes of its own, and each of them in use to the end."""
    status, found, _ = await _demo("--nodes", patience=2 * PATIENCE)
    _is_green(status, found)
    nodes = Counter((node["role"], node["cluster"]) for node in found["nodes"])
    assert nodes == {
        ("nats", "main"): 3,
        ("nats", "aws"): 3,
        ("postgres", ""): 1,
        ("directory", ""): 1,
        ("controller", ""): 2,
        ("edge", "main"): 2,
        ("edge", "aws"): 2,
    }
    connections = Counter({node["name"]: node["connections"] for node in found["nodes"]})
    assert connections.total() == found["clients"] + 12  # who follows has two
    assert all(connections[f"edge-{cluster}-{number}"] for cluster in ("main", "aws") for number in (1, 2))


def _is_green(status: int, found: dict[str, Any]) -> None:
    assert found["problems"] == []
    assert (status, found["ok"]) == (0, True)
    assert (found["channels"], found["moves"]) == (4, 8)
    assert found["sent"] == found["acknowledged"] > 0
    assert found["expected"] == found["delivered"] > found["sent"]
    wrong = {key: found[key] for key in ("lost", "duplicated", "misordered", "unacknowledged", "foreign")}
    assert set(wrong.values()) == {0}, wrong
    assert found["serverchange_seen"] == found["serverchange_expected"] > 0
    assert set(found["longest_silence_ms"]) == {"follower", "legacy"}


@pytest.mark.parametrize(
    ("fault", "column"), [("drop", "lost"), ("repeat", "duplicated"), ("swap", "misordered"), ("skip-seal", "")]
)
async def test_a_fault_turns_it_red(fault: str, column: str) -> None:
    """Status 1 and a named problem; the line that was tampered with shows in its own column."""
    status, found, _ = await _demo("--fault", fault)
    assert (status, found["ok"]) == (1, False)
    assert found["problems"]
    if column:
        assert found[column] >= 1
