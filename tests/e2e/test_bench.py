"""The bench works, at a small size; what it measures is not looked at."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from tests.bots.driver import ROOT

PATIENCE = 120
"""Seconds for all of it; nothing is asserted about time."""


async def test_every_scenario_is_exact(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench", "--small", "--json", str(tmp_path / "found.json")),
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        raise
    assert (process.returncode, err.decode()) == (0, ""), out.decode()
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert set(found["scenarios"]) == {"idle", "stalled", "logins", "fanout", "cold", "hot", "bot"}
    for scenario in found["scenarios"].values():
        assert scenario["rows"]
        account = scenario["account"]
        assert account["delivered"] == account["expected"]
        assert account["lost"] == account["repeated"] == account["misordered"] == 0
    for scenario in ("fanout", "hot", "bot"):
        assert found["scenarios"][scenario]["account"]["delivered"] > 0
    [whole] = found["scenarios"]["bot"]["rows"]
    assert whole["followed"] == whole["told"] == whole["free_joins"] == whole["channels"]


async def test_an_unknown_scenario() -> None:
    """Nothing is measured."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench", "speed"), cwd=ROOT, stderr=asyncio.subprocess.PIPE
    )
    _, err = await process.communicate()
    assert process.returncode == 2
    assert "no scenario speed: choose among idle, stalled, logins, fanout, cold, hot, bot" in err.decode()
