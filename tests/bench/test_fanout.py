"""The bench of the fan-out's steps runs: every client gets every byte of every step."""

from __future__ import annotations

import subprocess
import sys

from bench.fanout import BATCHES, steps


def test_every_step_is_shown() -> None:
    # A process of its own, because it binds itself to one core.
    found = subprocess.run(
        [sys.executable, "-m", "bench.fanout", "--rounds", "1", "--readers", "20"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    rows = [line.split("|")[1:-1] for line in found.stdout.splitlines() if line.startswith("|")][2:]
    assert [row[0].strip() for row in rows] == [name for name, *_ in steps(20)]
    assert all(len(row) == 1 + len(BATCHES) and float(row[1]) > 0 for row in rows)
