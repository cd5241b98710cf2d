"""`MemoryStore` keeps the store's contract."""

from __future__ import annotations

import pytest

from godwit.store.base import Store
from godwit.store.memory import MemoryStore
from godwit.values import Segment
from tests.conformance.store import MakeStore, StoreSuite


class TestMemoryStore(StoreSuite):
    """The suite; roles share the store by sharing the object."""

    @pytest.fixture
    def make_store(self) -> MakeStore:
        """Always the same store."""
        shared = MemoryStore()

        async def make() -> Store:
            return shared

        return make


def test_nothing_suspends() -> None:
    """A call runs to its end in one step: a simulation decides alone who goes on when."""
    store = MemoryStore()
    for call in (
        store.set_default(Segment("main", 1, 0, "m1"), hold_until=0.0),
        store.commit("room", Segment("aws", 2, 7, "a1"), drain_until=9.0, now=1.0),
        store.placements(["room", "other"]),
    ):
        with pytest.raises(StopIteration):
            call.send(None)
