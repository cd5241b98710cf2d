"""Rollouts in a store, as the controller would have written them."""

from __future__ import annotations

from collections.abc import Sequence

from godwit.rollout.values import (
    Advance,
    Budget,
    Definition,
    Event,
    Gate,
    Issue,
    Item,
    Rollout,
    RolloutState,
    Wave,
    WaveProgress,
)
from godwit.store.memory import MemoryStore

DEFINITION = Definition(
    name="autumn",
    to="aws",
    waves=(
        Wave("staff", channels=("alice",), gates=(Gate("metric", "p99", "during", "delivery_p99", at_most=0.2),)),
        Wave("rest", rest=True, mandatory=True, gates=(Gate("issues", "issues", "before"),)),
    ),
)

TOML = """\
name = "autumn"
to = "aws"

[[wave]]
name = "staff"
channels = ["alice", "bob", "nobody"]

[[wave]]
name = "rest"
rest = true
mandatory = true
"""


async def write(store: MemoryStore, advance: Advance) -> Rollout:
    """Write a decision, as the leading controller does."""
    lease = await store.lead("controller", "test", now=advance.now, until=advance.now + 10**6)
    written = await store.advance(advance, term=lease.term)
    assert written is not None
    return written


async def started(
    store: MemoryStore,
    items: Sequence[Item] = (),
    *,
    rollout_id: str = "r1",
    state: RolloutState = "running",
    definition: Definition = DEFINITION,
    now: float = 1_000_000.0,
    issues: Sequence[Issue] = (),
) -> Rollout:
    """A rollout that has begun."""
    rollout = Rollout(
        rollout_id,
        definition,
        "8c1f0a6be2d97430",
        state,
        tuple(WaveProgress("moving" if index == 0 else "pending", now) for index in range(len(definition.waves))),
        Budget(),
        by="carol",
        reason="time to go",
        created=now,
        history=(("running", now, "carol", "time to go"),),
    )
    event = Event("rollout.started", now, rollout=rollout_id, details={"channels": len(items)})
    return await write(store, Advance(now, rollout, items=tuple(items), issues=tuple(issues), events=(event,)))
