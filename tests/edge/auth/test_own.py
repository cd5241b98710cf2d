"""Open authentication, and tokens of the store (AUTH-1, AUTH-2)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from godwit.edge.auth.own import Open, Tokens
from godwit.store.base import Token
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


class _Counting(MemoryStore):
    """Counts how many were asked for at once; answers when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []
        self.added: list[int] = []
        self.may = asyncio.Event()

    async def owners(self, logins: Sequence[str]) -> list[Account | None]:
        self.asked.append(len(logins))
        await self.may.wait()
        return await super().owners(logins)

    async def add_accounts(self, accounts: Sequence[Account]) -> list[Account | None]:
        self.added.append(len(accounts))
        return await super().add_accounts(accounts)

    async def check_tokens(self, asked: Sequence[str]) -> list[tuple[Account, Token] | None]:
        self.asked.append(len(asked))
        await self.may.wait()
        return await super().check_tokens(asked)


async def _crowd(store: _Counting, judge: Open | Tokens) -> list[str]:
    """The logins of 450 who come at once."""
    calls = [asyncio.ensure_future(judge.check(f"user{number}", f"secret{number}")) for number in range(450)]
    await asyncio.sleep(0)
    store.may.set()
    grants = await asyncio.gather(*calls)
    await judge.close()
    return [grant.account.login for grant in grants if grant]


async def test_a_crowd_is_looked_up_and_added_together() -> None:
    """Each login would else cost a question of its own, and a write where it is new."""
    store = _Counting()
    assert await _crowd(store, Open(store)) == [f"user{number}" for number in range(450)]
    assert store.asked == store.added == [200, 200, 50]
    assert len(await store.accounts()) == 450


async def test_the_tokens_of_a_crowd_are_looked_up_together() -> None:
    store = _Counting()
    for number in range(449):  # the last one has none
        await store.add_account(Account("", f"user{number}"))
        await store.add_token(f"user{number}", f"secret{number}", [], 5.0)
    assert await _crowd(store, Tokens(store)) == [f"user{number}" for number in range(449)]
    assert store.asked == [200, 200, 50]
