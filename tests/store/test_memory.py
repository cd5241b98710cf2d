"""`MemoryStore` keeps the store's contract."""

from __future__ import annotations

import pytest

from godwit.rollout.values import Advance
from godwit.store.memory import MemoryStore
from godwit.store.rollout_base import RolloutStore
from godwit.values import Segment
from tests.conformance.nodes import NodeSuite
from tests.conformance.rollout_store import MakeRolloutStore, RolloutStoreSuite
from tests.conformance.store import StoreSuite


@pytest.fixture
def make_store() -> MakeRolloutStore:
    """Always the same store: roles share it by sharing the object."""
    shared = MemoryStore()

    async def make() -> RolloutStore:
        return shared

    return make


class TestMemoryStore(StoreSuite):
    """The suite of stores."""


class TestMemoryRollouts(RolloutStoreSuite):
    """The suite of what rollouts need."""


class TestMemoryNodes(NodeSuite):
    """The suite of registries of processes."""


def test_nothing_suspends() -> None:
    """A call runs to its end in one step: a simulation decides alone who goes on when."""
    store = MemoryStore()
    for call in (
        store.set_default(Segment("main", 1, 0, "m1"), hold_until=0.0),
        store.commit("room", Segment("aws", 2, 7, "a1"), drain_until=9.0, now=1.0),
        store.placements(["room", "other"]),
        store.set_live("room", True, 1.0),
        store.lead("controller", "one", now=1.0, until=9.0),
        store.advance(Advance(1.0), term=1),
        store.candidates(),
    ):
        with pytest.raises(StopIteration):
            call.send(None)
