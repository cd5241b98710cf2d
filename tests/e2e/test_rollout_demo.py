"""`godwit demo rollout` on the real server, in a small network: green as it is, red with each fault."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

SMALL = (
    *("--channels", "200", "--hot", "12", "--crowd", "20"),
    *("--joins", "200", "--window", "1", "--seed", "7"),
)

PATIENCE = 170
"""Seconds that one drill may take here; it says what is wrong long before."""


async def _drill(*options: str) -> tuple[int, dict[str, Any]]:
    """Run `godwit demo rollout --json`: exit status and the object on stdout."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "godwit", "demo", "rollout", "--json", *SMALL, *options),
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
        return process.returncode, json.loads(said)
    except ValueError:
        pytest.fail(f"status {process.returncode}, no JSON on stdout: {said!r}, stderr: {complaints!r}")


async def test_green(tmp_path: Path) -> None:
    """There, back and there again, with exact counts, nobody over a limit, and a report."""
    report = tmp_path / "report.md"
    status, found = await _drill("--report", str(report))
    assert found["problems"] == []
    assert (status, found["ok"]) == (0, True)
    assert found["expected"] == found["delivered"] > found["sent"] == found["acknowledged"] > 0
    wrong = ("lost", "duplicated", "misordered", "unacknowledged", "foreign", "live_moved", "over_join_limit")
    assert {key: found[key] for key in (*wrong, "over_told", "doctor_findings")} == dict.fromkeys(
        (*wrong, "over_told", "doctor_findings"), 0
    )
    assert found["paused_by_gate"] == 1
    assert 100 <= found["reversed"] <= 200
    assert found["moves"] >= 300
    assert found["joins_free"] >= 300
    assert found["ended_streams"] > 10
    assert found["serverchange_seen"] == found["serverchange_expected"] > 300
    assert "everyone" in report.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("fault", "column"), [("drop", "lost"), ("move-live", "live_moved"), ("join-flood", "over_join_limit")]
)
async def test_a_fault_turns_it_red(fault: str, column: str) -> None:
    """Status 1, and the fault shows in its own column."""
    status, found = await _drill("--fault", fault)
    assert (status, found["ok"]) == (1, False)
    assert found["problems"]
    assert found[column] >= 1
