"""Accounts and tokens in SQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Unpack

import msgspec
from sqlalchemy import Row, bindparam, delete, false, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from godwit.store import refusals
from godwit.store.base import Token
from godwit.store.database import chunks
from godwit.store.endings import Endings
from godwit.store.group import Group
from godwit.store.people_base import AccountFacts, has_facts
from godwit.store.schema import accounts, counters, relations, tokens
from godwit.store.tokens import token_hash, token_id
from godwit.values import Account, is_counted

_USER_ID = "user_id"
"""Name of the counter."""


def _account(row: Row[Any]) -> Account:
    return Account(
        user_id=row.user_id,
        login=row.login,
        display_name=row.display_name,
        color=row.color,
        user_type=row.user_type,
        bot=row.bot,
        badges=tuple(row.badges or ()),
        suspended=row.suspended,
        channel_suspended=row.channel_suspended,
    )


def _token(row: Row[Any]) -> Token:
    return Token(row.id, row.login, tuple(row.scopes), row.created, row.revoked)


class Accounts(Endings, Group):
    """The part of `SqlStore` that knows who may log in."""

    async def add_account(self, account: Account) -> Account:
        """Add an account, or return the one of that login."""
        by_login = select(accounts).where(accounts.c.login == account.login)

        async def work(connection: AsyncConnection) -> Account:
            stored = (await connection.execute(by_login)).one_or_none()
            if stored is not None:
                return _account(stored)
            (new,) = await self._numbered(connection, [account])
            await connection.execute(self._insert_new(accounts).values(msgspec.to_builtins(new)))
            if has_facts(new):
                await self._count_change(connection)
            stored = (await connection.execute(by_login)).one_or_none()
            if stored is None:
                raise refusals.user_id_taken(new.user_id, new.login)
            return _account(stored)

        return await self._write(work)

    async def account(self, login: str) -> Account | None:
        """The account of a login."""
        rows = await self._fetch(select(accounts).where(accounts.c.login == login))
        return _account(rows[0]) if rows else None

    async def owners(self, logins: Sequence[str]) -> list[Account | None]:
        """The accounts of many logins, in the order asked for."""

        found = await self._read(lambda connection: self._by_login(connection, logins))
        return [found.get(login) for login in logins]

    async def accounts(self, after: str = "", limit: int = 1000) -> list[Account]:
        """Accounts sorted by login."""
        query = select(accounts).where(accounts.c.login > after).order_by(accounts.c.login).limit(limit)
        return [_account(row) for row in await self._fetch(query)]

    async def add_accounts(self, new: Sequence[Account]) -> list[Account | None]:
        """`add_account` for many in one write, in their order; None where the user id belongs to another login."""

        async def work(connection: AsyncConnection) -> dict[str, Account]:
            found = await self._by_login(connection, [account.login for account in new])
            missing = {account.login: account for account in new if account.login not in found}
            if missing:
                rows = await self._numbered(connection, [missing[login] for login in sorted(missing)])
                await connection.execute(self._insert_new(accounts), [msgspec.to_builtins(row) for row in rows])
                found |= await self._by_login(connection, list(missing))
                if any(map(has_facts, rows)):
                    await self._count_change(connection)
            return found

        found = await self._write(work) if new else {}
        return [found.get(account.login) for account in new]

    async def accounts_of(self, user_ids: Collection[str]) -> dict[str, Account]:
        """Accounts by their user ids."""

        async def work(connection: AsyncConnection) -> dict[str, Account]:
            found: dict[str, Account] = {}
            for some in chunks(user_ids):
                rows = await connection.execute(select(accounts).where(accounts.c.user_id.in_(some)))
                found |= {row.user_id: _account(row) for row in rows}
            return found

        return await self._read(work)

    async def _by_login(self, connection: AsyncConnection, logins: Sequence[str]) -> dict[str, Account]:
        found: dict[str, Account] = {}
        for names in chunks(logins):
            rows = await connection.execute(select(accounts).where(accounts.c.login.in_(names)))
            found |= {row.login: _account(row) for row in rows}
        return found

    async def _numbered(self, connection: AsyncConnection, new: Sequence[Account]) -> list[Account]:
        """Choose user ids for those that have none, above all that was seen; the counter is the highest number seen."""
        given = [int(account.user_id) for account in new if is_counted(account.user_id)]
        nameless = [account for account in new if not account.user_id]
        counter = update(counters).where(counters.c.name == _USER_ID)
        await connection.execute(self._insert_new(counters).values(name=_USER_ID, value=0))
        if given:
            await connection.execute(counter.where(counters.c.value < max(given)).values(value=max(given)))
        if not nameless:
            return list(new)
        chosen = counter.values(value=counters.c.value + len(nameless)).returning(counters.c.value)
        last = await connection.scalar(chosen)
        assert last is not None
        numbers = iter(range(last - len(nameless) + 1, last + 1))
        return [
            account if account.user_id else msgspec.structs.replace(account, user_id=str(next(numbers)))
            for account in new
        ]

    async def set_account(self, login: str, **facts: Unpack[AccountFacts]) -> Account | None:
        """Change the facts that are given; returns the account as it is then."""
        changed = update(accounts).where(accounts.c.login == login)

        async def work(connection: AsyncConnection) -> Account | None:
            if facts:
                await connection.execute(changed.values(msgspec.to_builtins(facts)))
            row = (await connection.execute(select(accounts).where(accounts.c.login == login))).one_or_none()
            if row is None:
                return None
            if facts:
                await self._count_change(connection)
            return _account(row)

        return await self._write(work)

    async def set_accounts(self, known: Sequence[Account]) -> None:
        """Replace all facts of many accounts in one write, by login; unknown ones are passed over."""
        names = [column.name for column in accounts.columns if column.name not in ("user_id", "login")]
        changed = update(accounts).where(accounts.c.login == bindparam("whose"))
        latest = {account.login: account for account in known}
        rows = []
        for login in sorted(latest):
            values = msgspec.to_builtins(latest[login])
            rows.append({f"new_{name}": values[name] for name in names} | {"whose": login})
        every = changed.values({name: bindparam(f"new_{name}") for name in names})

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(every, rows)
            await self._count_change(connection)

        if rows:
            await self._write(work)

    async def remove_account(self, login: str) -> bool:
        """Remove an account with its relations, and its tokens (by the foreign key); says whether it was there."""
        gone = delete(accounts).where(accounts.c.login == login).returning(accounts.c.user_id)

        async def work(connection: AsyncConnection) -> bool:
            user_id = (await connection.execute(gone)).scalar_one_or_none()
            if user_id is None:
                return False
            await connection.execute(delete(relations).where(relations.c.user_id == user_id))
            await self._forget_member(connection, user_id)
            await self._end(connection, user_id)
            return True

        return await self._write(work)

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
        return (await self.check_tokens([token]))[0]

    async def check_tokens(self, asked: Sequence[str]) -> list[tuple[Account, Token] | None]:
        """`check_token` for many, in the order asked for."""
        digests = [token_hash(token) for token in asked]

        async def work(connection: AsyncConnection) -> dict[str, tuple[Account, Token]]:
            rows: list[Row[Any]] = []
            for some in chunks(digests):
                valid = select(tokens).where(tokens.c.hash.in_(some), tokens.c.revoked == false())
                rows += (await connection.execute(valid)).all()
            holders = await self._by_login(connection, [row.login for row in rows])
            # An account may have gone between the two statements, and its tokens with it.
            return {row.hash: (holders[row.login], _token(row)) for row in rows if row.login in holders}

        found = await self._read(work)
        return [found.get(digest) for digest in digests]

    async def tokens(self, login: str) -> list[Token]:
        """The tokens of an account, the oldest first."""
        rows = await self._fetch(select(tokens).where(tokens.c.login == login).order_by(tokens.c.created, tokens.c.id))
        return [_token(row) for row in rows]

    async def revoke_token(self, token_id: str) -> bool:
        """End a token, and the connections that logged in with it; says whether it was valid."""
        valid = update(tokens).where(tokens.c.id == token_id, tokens.c.revoked == false())
        revoked = valid.values(revoked=True).returning(tokens.c.login)

        async def work(connection: AsyncConnection) -> bool:
            login = (await connection.execute(revoked)).scalar_one_or_none()
            if login is None:
                return False
            holder = select(accounts.c.user_id).where(accounts.c.login == login)
            user_id = (await connection.execute(holder)).scalar_one_or_none()
            if user_id is not None:
                await self._end(connection, user_id, token_id)
            return True

        return await self._write(work)
