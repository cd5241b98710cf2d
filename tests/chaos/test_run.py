"""A short fault run: real NATS of three servers per cluster, PostgreSQL, edges, directory and controllers."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.run import Run, RunOptions, summary

SHORT = RunOptions(
    faults=3,
    only=("edge", "nats-leader", "drop"),
    channels=4,
    followers=6,
    members=4,
    calm=(0.5, 1.0),
)


async def test_a_few_faults(tmp_path: Path) -> None:
    """`make chaos` does a hundred."""
    run = Run(SHORT, tmp_path, print)
    result = await run.run()
    assert result.ok, summary(result)
    assert [outcome.kind for outcome in result.outcomes] == list(SHORT.only)
    assert result.counts.acknowledged > 100
    assert result.counts.seen > result.counts.acknowledged
    assert result.moves > SHORT.channels
