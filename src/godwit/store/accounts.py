"""Accounts and tokens in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, delete, false, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from godwit.store import refusals
from godwit.store.base import Token
from godwit.store.database import Database, chunks
from godwit.store.schema import accounts, counters, tokens
from godwit.store.tokens import token_hash, token_id
from godwit.values import Account, is_counted

_USER_ID = "user_id"
"""Name of the counter."""


def _account(row: Row[Any]) -> Account:
    return msgspec.convert(row._mapping, Account)


def _token(row: Row[Any]) -> Token:
    return Token(row.id, row.login, tuple(row.scopes), row.created, row.revoked)


class Accounts(Database):
    """The part of `SqlStore` that knows who may log in."""

    async def add_account(self, account: Account) -> Account:
        """Add an account, or return the one of that login."""
        by_login = select(accounts).where(accounts.c.login == account.login)

        async def work(connection: AsyncConnection) -> Account:
            stored = (await connection.execute(by_login)).one_or_none()
            if stored is not None:
                return _account(stored)
            new = await self._numbered(connection, account)
            await connection.execute(self._insert_new(accounts).values(msgspec.to_builtins(new)))
            stored = (await connection.execute(by_login)).one_or_none()
            if stored is None:
                raise refusals.user_id_taken(new.user_id, new.login)
            return _account(stored)

        return await self._write(work)

    async def _numbered(self, connection: AsyncConnection, account: Account) -> Account:
        """Choose a user id if there is none; keep the counter at the highest number seen."""
        counter = update(counters).where(counters.c.name == _USER_ID)
        await connection.execute(self._insert_new(counters).values(name=_USER_ID, value=0))
        if not account.user_id:
            chosen = counter.values(value=counters.c.value + 1).returning(counters.c.value)
            return msgspec.structs.replace(account, user_id=str(await connection.scalar(chosen)))
        if is_counted(account.user_id):
            number = int(account.user_id)
            await connection.execute(counter.where(counters.c.value < number).values(value=number))
        return account

    async def account(self, login: str) -> Account | None:
        """The account of a login."""
        rows = await self._fetch(select(accounts).where(accounts.c.login == login))
        return _account(rows[0]) if rows else None

    async def owners(self, logins: Sequence[str]) -> list[Account | None]:
        """The accounts of many logins, in the order asked for."""

        async def look(connection: AsyncConnection) -> dict[str, Account]:
            found: dict[str, Account] = {}
            for names in chunks(logins):
                rows = await connection.execute(select(accounts).where(accounts.c.login.in_(names)))
                found |= {row.login: _account(row) for row in rows}
            return found

        found = await self._read(look)
        return [found.get(login) for login in logins]

    async def accounts(self, after: str = "", limit: int = 1000) -> list[Account]:
        """Accounts sorted by login."""
        query = select(accounts).where(accounts.c.login > after).order_by(accounts.c.login).limit(limit)
        return [_account(row) for row in await self._fetch(query)]

    async def remove_account(self, login: str) -> bool:
        """Remove an account and its tokens (by the foreign key); says whether it was there."""
        return await self._change(delete(accounts).where(accounts.c.login == login)) > 0

    async def add_token(self, login: str, token: str, scopes: Sequence[str], now: float) -> Token:
        """Let `token` log in as `login`; only its hash is stored."""
        digest = token_hash(token)
        new = {"hash": digest, "id": token_id(digest), "login": login, "scopes": list(scopes), "created": now}
        holder = select(accounts.c.login).where(accounts.c.login == login).with_for_update(read=True)

        async def work(connection: AsyncConnection) -> Token:
            if await connection.scalar(holder) is None:
                raise refusals.no_account(login)
            await connection.execute(self._insert_new(tokens).values(**new, revoked=False))
            return _token((await connection.execute(select(tokens).where(tokens.c.hash == digest))).one())

        stored = await self._write(work)
        if stored.login != login:
            raise refusals.token_taken(login)
        return stored

    async def check_token(self, token: str) -> tuple[Account, Token] | None:
        """Whose token it is; None if it is unknown or revoked."""
        valid = select(tokens).where(tokens.c.hash == token_hash(token), tokens.c.revoked == false())

        async def work(connection: AsyncConnection) -> tuple[Account, Token] | None:
            row = (await connection.execute(valid)).one_or_none()
            if row is None:
                return None
            holder = (await connection.execute(select(accounts).where(accounts.c.login == row.login))).one_or_none()
            # The account may have gone between the two statements, and its tokens with it.
            return None if holder is None else (_account(holder), _token(row))

        return await self._read(work)

    async def revoke_token(self, token_id: str) -> bool:
        """End a token; says whether it was valid."""
        valid = update(tokens).where(tokens.c.id == token_id, tokens.c.revoked == false())
        return await self._change(valid.values(revoked=True)) > 0
