"""The bench works, at a small size; what it measures is not looked at."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import msgspec

from tests.bots.driver import ROOT

WORDS = ("idle", "stalled", "logins", "cold", "hot", "bot")
"""Scenarios that are no comparisons of servers: these have their own tests. `processes` is for a machine by itself."""

PATIENCE = 180
"""Seconds for all of it; nothing is asserted about time."""


async def measured(directory: Path, *words: str) -> dict[str, Any]:
    """What the bench found, by scenario; every line came once and in order."""
    path = str(directory / "found.json")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench", *words, "--small", "--json", path),
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
    found: dict[str, Any] = msgspec.json.decode(await asyncio.to_thread(Path(path).read_bytes))["scenarios"]
    assert set(found) == set(words)
    for scenario in found.values():
        assert scenario["rows"]
        account = scenario["account"]
        assert account["delivered"] == account["expected"]
        assert account["lost"] == account["repeated"] == account["misordered"] == 0
    return found


async def test_every_scenario_is_exact(tmp_path: Path) -> None:
    found = await measured(tmp_path, *WORDS)
    for scenario in ("stalled", "hot", "bot"):
        assert found[scenario]["account"]["delivered"] > 0
    [whole] = found["bot"]["rows"]
    assert whole["followed"] == whole["told"] == whole["free_joins"] == whole["channels"]


async def test_storms(tmp_path: Path) -> None:
    """Everybody comes in, and the bystanders hear everything."""
    found = await measured(tmp_path, "storm")
    assert found["storm"]["account"]["delivered"] > 0
    assert len(found["storm"]["rows"]) == 6
    assert found["storm"]["rows"][-1]["storm"].startswith("told to come back by an operator")


async def test_an_unknown_scenario() -> None:
    """Nothing is measured."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench", "speed"), cwd=ROOT, stderr=asyncio.subprocess.PIPE
    )
    _, err = await process.communicate()
    assert process.returncode == 2
    assert "no scenario speed: choose among a, steady, b, path," in err.decode()
