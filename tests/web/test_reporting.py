"""What goes into a report."""

from __future__ import annotations

import pytest

from godwit.rollout.values import Item, Sample
from godwit.store.memory import MemoryStore
from godwit.values import Move, Segment
from godwit.web import reporting
from tests.web.rollout_world import started


async def test_all_pages_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Items, moves and events, and the samples of the gates."""
    monkeypatch.setattr(reporting, "PAGE", 2)
    store = MemoryStore()
    await store.set_default(Segment("main", 1, 0, "s"), hold_until=0.0)
    items = [Item("r1", f"channel{number}", 1, "main", state="done") for number in range(5)]
    rollout = await started(store, items)
    for number in range(5):
        history = (("wished", 1.0), ("draining", 1.0 + number))
        await store.begin_move(
            Move(
                f"m{number}",
                f"channel{number}",
                "aws",
                "draining",
                source=Segment("main", 1, 0, "s"),
                rollout="r1",
                history=history,
            )
        )
    asked: list[str] = []

    def samples(rollout_id: str, wave: int, gate: str) -> list[Sample]:
        asked.append(gate)
        return [Sample(gate, 1.0, "pass", value=0.1)]

    made = await reporting.report(store, rollout, samples)
    assert made.total.channels == 5
    assert len(made.moves) == 5
    assert asked == ["p99", "issues"]
    assert {row.gate for row in made.gate_sums} == {"p99", "issues"}
    assert (await reporting.report(store, rollout)).gate_sums == ()
