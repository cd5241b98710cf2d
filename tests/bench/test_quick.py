"""Every comparison of the bench runs on real servers, at its smallest, and counts exactly; nothing is timed here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.words import WORDS
from godwit.load.receiver import native


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, object]]]:
    """The rows of a quick run, by scenario; of the peers the one that every test run installs."""
    path = tmp_path_factory.mktemp("bench") / "report.json"
    command = [sys.executable, "-m", "bench", *WORDS, "--quick", "--only", "godwit,kernel,node", "--json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stdout + done.stderr
    rows: dict[str, list[dict[str, object]]] = {word: [] for word in WORDS}
    for row in json.loads(path.read_bytes())["rows"]:
        rows[row["scenario"]].append(row)
    return rows


@pytest.mark.parametrize("word", WORDS)
def test_every_scenario(report: dict[str, list[dict[str, object]]], word: str) -> None:
    """It found something of Godwit, and every line came once and in order."""
    ours = [row for row in report[word] if str(row["server"]).startswith("godwit")]
    assert ours
    for row in ours:
        assert row["exact"], row
        assert row["figures"], row
    kernel = [row for row in report[word] if str(row["server"]).startswith("kernel")]
    assert all(bool(row["figures"]) == native() for row in kernel)


def test_a_peer_over_websocket(report: dict[str, list[dict[str, object]]]) -> None:
    """Counted by the same receiver."""
    [peer] = [row for row in report["ws"] if row["server"] == "node+ws"]
    if str(peer["note"]).startswith("not installed"):
        pytest.skip(str(peer["note"]))
    assert peer["exact"], peer
    assert peer["figures"]
    assert str(peer["version"]).startswith("ws ")
