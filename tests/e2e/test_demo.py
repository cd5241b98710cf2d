"""The demo on the real server: green as it is, red with each fault."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import pytest

SMALL = ("--channels", "4", "--talkers", "8", "--followers", "8", "--legacy", "8", "--moves", "2", "--seed", "7")

PATIENCE = 110
"""Seconds that one demo may take here; it says what is wrong long before."""


async def _demo(*options: str) -> tuple[int, dict[str, Any], str]:
    """Run `godwit demo --json`: exit status, the object on stdout, and stderr."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "godwit", "demo", "--json", *SMALL, *options),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE):
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
