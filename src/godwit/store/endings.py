"""Whose connections are to end, in SQL: numbered in the order of the commits, so that every edge hears of each."""

from __future__ import annotations

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from godwit.store.base import KEPT_ENDINGS, Ending
from godwit.store.people import People
from godwit.store.schema import accounts, counters, endings, tokens

_ENDINGS = "endings"
"""Name of the counter."""


class Endings(People):
    """The part of `SqlStore` that says which tokens were revoked and which accounts removed."""

    async def end_account(self, user_id: str, now: float) -> None:
        """Revoke all tokens of an account, end its connections, and make void what others let it in with so far."""
        login = select(accounts.c.login).where(accounts.c.user_id == user_id).scalar_subquery()

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(update(tokens).where(tokens.c.login == login).values(revoked=True))
            await self._end(connection, user_id, time=now)

        await self._write(work)

    async def void_before(self, user_id: str) -> float:
        """When `end_account` was last called for an account; 0 for never."""
        rows = await self._fetch(select(func.max(endings.c.time).label("time")).where(endings.c.user_id == user_id))
        return rows[0].time or 0.0

    async def endings(self, after: int, limit: int = 1000) -> list[Ending]:
        """What ended after the number `after`, oldest first."""
        query = select(endings).where(endings.c.number > after).order_by(endings.c.number).limit(limit)
        return [Ending(row.number, row.user_id, row.token, row.time) for row in await self._fetch(query)]

    async def last_ending(self) -> int:
        """The highest number of them, 0 for none."""
        rows = await self._fetch(select(counters.c.value).where(counters.c.name == _ENDINGS))
        return rows[0].value if rows else 0

    async def _end(self, connection: AsyncConnection, user_id: str, token: str = "", time: float = 0.0) -> None:
        """Add one, as the last thing of a transaction: others wait for the counter's row from here on."""
        await connection.execute(self._insert_new(counters).values(name=_ENDINGS, value=0))
        counter = update(counters).where(counters.c.name == _ENDINGS).values(value=counters.c.value + 1)
        number: int = (await connection.execute(counter.returning(counters.c.value))).scalar_one()
        await connection.execute(insert(endings).values(number=number, user_id=user_id, token=token, time=time))
        await connection.execute(delete(endings).where(endings.c.number <= number - KEPT_ENDINGS))
