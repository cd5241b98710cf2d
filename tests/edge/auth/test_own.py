"""Open authentication, and tokens of the store (AUTH-1, AUTH-2)."""

from __future__ import annotations

import pytest

from godwit.edge.auth.own import Open, Tokens
from godwit.store.memory import MemoryStore
from godwit.values import Account, derived_id


@pytest.mark.row("AUTH-1")
async def test_open_lets_everybody_in_and_remembers_them() -> None:
    store = MemoryStore()
    judge = Open(store)
    first, second = await judge.check("ann", "x"), await judge.check("ann", "y")
    assert first == second
    assert first is not None
    assert (first.account, first.scopes, first.expires) == (Account(derived_id("ann"), "ann"), None, 0.0)


@pytest.mark.row("AUTH-1")
async def test_open_with_an_id_that_is_taken() -> None:
    store = MemoryStore()
    await store.add_account(Account(derived_id("ann"), "bob"))
    grant = await Open(store).check("ann", "x")
    assert grant is not None
    assert grant.account == Account("1", "ann")


@pytest.mark.row("AUTH-2")
async def test_a_token_lets_its_owner_in() -> None:
    store = MemoryStore()
    ann = await store.add_account(Account("", "ann"))
    some = await store.add_token("ann", "some", ["chat:read"], 5.0)
    all_ = await store.add_token("ann", "all", [], 5.0)
    judge = Tokens(store)
    grants = [await judge.check("ann", token) for token in ("some", "all")]
    assert [(grant.account, grant.scopes, grant.token) for grant in grants if grant] == [
        (ann, {"chat:read"}, some.id),
        (ann, None, all_.id),
    ]
    assert await judge.check("bob", "some") is None
    assert await judge.check("ann", "other") is None
    await store.revoke_token(some.id)
    assert await judge.check("ann", "some") is None
