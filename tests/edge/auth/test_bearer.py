"""Whose token it is, beside the chat (HTTP-chatdepot)."""

from __future__ import annotations

import pytest

from godwit.clock import FakeClock
from godwit.edge.auth.bearer import Bearer
from godwit.settings import AuthSettings
from godwit.store.memory import MemoryStore
from godwit.values import Account, derived_id

pytestmark = pytest.mark.row("HTTP-chatdepot")


async def bearer(store: MemoryStore, **settings: str) -> Bearer:
    """One that is ready."""
    made = Bearer(AuthSettings(**settings), store, FakeClock())  # type: ignore[arg-type]
    await made.start()
    return made


async def test_tokens_of_the_store() -> None:
    """HTTP-chatdepot: the token says whose it is; a login that is told must be its own."""
    store = MemoryStore()
    ann = await store.add_account(Account("", "ann"))
    await store.add_token("ann", "all", [], 1.0)
    reads = await store.add_token("ann", "reads", ["chat:read"], 1.0)
    those = await bearer(store, mode="tokens")
    assert await those.identify("all", "") == (ann, True)
    assert await those.identify("all", "ann") == (ann, True)
    assert await those.identify("reads", "") == (ann, False)
    assert await those.identify("all", "bob") is None
    assert await those.identify("wrong", "") is None
    assert await those.identify("all", "a b") is None
    await store.revoke_token(reads.id)
    assert await those.identify("reads", "") is None
    await those.close()


async def test_open_authentication() -> None:
    """HTTP-chatdepot: any token is good, and is the login if none is told."""
    those = await bearer(MemoryStore(), mode="open")
    ann = Account(derived_id("ann"), "ann")
    assert await those.identify("Ann", "") == (ann, True)
    assert await those.identify("whatever it is", "ann") == (ann, True)
    assert await those.identify("whatever it is", "") is None
