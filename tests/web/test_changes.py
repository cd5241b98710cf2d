"""Waiting for a move."""

from __future__ import annotations

import asyncio

import pytest

from godwit.store.memory import MemoryStore
from godwit.values import Move
from godwit.web import changes as changes_module
from godwit.web.changes import Changes, wait_move


class LookedAt(MemoryStore):
    """A store that tells when somebody has read a move."""

    def __init__(self) -> None:
        super().__init__()
        self.looks: asyncio.Queue[None] = asyncio.Queue()

    async def move(self, move_id: str) -> Move | None:
        """Read, and tell it."""
        self.looks.put_nowait(None)
        return await super().move(move_id)


async def begun(store: MemoryStore) -> Move:
    """A wished move."""
    return await store.begin_move(Move("m1", "alice", "aws", "wished", history=(("wished", 1.0),)))


async def test_an_unknown_move_is_not_waited_for() -> None:
    """None at once."""
    found = await wait_move(MemoryStore(), Changes(), "m9", until="settled", after_version=None, patience=60)
    assert found is None


async def test_a_waiter_is_woken_and_sees_the_state_it_waits_for() -> None:
    """A step in between does not end the wait."""
    store, changes = LookedAt(), Changes()
    move = await begun(store)
    waiter = asyncio.create_task(wait_move(store, changes, "m1", until="draining", after_version=None, patience=600))
    await store.looks.get()
    move = await store.journal(move, "sealing", 2.0) or move
    changes.notify()
    await store.looks.get()
    assert not waiter.done()
    await store.journal(move, "draining", 3.0)
    changes.notify()
    found = await waiter
    assert found is not None
    assert found.state == "draining"


async def test_a_step_ends_the_wait_of_those_who_follow_each() -> None:
    """`after_version` is for showing progress."""
    store, changes = MemoryStore(), Changes()
    move = await begun(store)
    await store.journal(move, "opening", 2.0)
    found = await wait_move(store, changes, "m1", until="settled", after_version=0, patience=600)
    assert found is not None
    assert found.state == "opening"


async def test_a_move_that_failed_is_not_waited_for() -> None:
    """It will never settle."""
    store = MemoryStore()
    await store.journal(await begun(store), "failed", 2.0)
    found = await wait_move(store, Changes(), "m1", until="draining", after_version=None, patience=600)
    assert found is not None
    assert found.state == "failed"


async def test_patience_ends() -> None:
    """The move is told as it is."""
    store = MemoryStore()
    await begun(store)
    found = await wait_move(store, Changes(), "m1", until="settled", after_version=None, patience=0)
    assert found is not None
    assert found.state == "wished"


async def test_closing_ends_all_waits() -> None:
    """A process that stops keeps nobody waiting."""
    store, changes = LookedAt(), Changes()
    await begun(store)
    waiter = asyncio.create_task(wait_move(store, changes, "m1", until="settled", after_version=None, patience=600))
    await store.looks.get()
    changes.close()
    found = await waiter
    assert found is not None
    assert found.state == "wished"
    changes.notify()
    assert changes.closed
    assert changes.next().is_set()


async def test_a_step_told_by_nobody_is_seen_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process may be the controller: the store is looked at again."""
    monkeypatch.setattr(changes_module, "FALLBACK", 0.001)
    store, changes = LookedAt(), Changes()
    move = await begun(store)
    waiter = asyncio.create_task(wait_move(store, changes, "m1", until="settled", after_version=None, patience=600))
    await store.looks.get()
    await store.journal(move, "settled", 2.0)
    found = await waiter
    assert found is not None
    assert found.state == "settled"
