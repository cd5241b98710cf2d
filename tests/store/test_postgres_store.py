"""`SqlStore` over a real PostgreSQL keeps the store's contract."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest

from godwit.store.rollout_base import RolloutStore
from godwit.store.sql import SqlStore
from tests.conformance.nodes import NodeSuite
from tests.conformance.rollout_store import MakeRolloutStore, RolloutStoreSuite
from tests.conformance.store import StoreSuite
from tests.postgres import Databases


@pytest.fixture
async def make_store(databases: Databases) -> AsyncIterator[MakeRolloutStore]:
    """Opens one more store on the same database, at first empty; all are closed at the end."""
    url = await databases.empty_store()
    async with contextlib.AsyncExitStack() as stack:

        async def make() -> RolloutStore:
            store = SqlStore(url)
            await store.open()
            stack.push_async_callback(store.close)
            return store

        yield make


class TestPostgresStore(StoreSuite):
    """The suite of stores; each store has connections of its own."""


class TestPostgresRollouts(RolloutStoreSuite):
    """The suite of what rollouts need."""


class TestPostgresNodes(NodeSuite):
    """The suite of registries of processes."""
