"""Whose connections are to end, in SQL: numbered in the order of the commits, so that every edge hears of each."""

from __future__ import annotations

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from godwit.store.base import KEPT_ENDINGS, Ending
from godwit.store.people import People
from godwit.store.schema import counters, endings

_ENDINGS = "endings"
"""Name of the counter."""


class Endings(People):
    """The part of `SqlStore` that says which tokens were revoked and which accounts removed."""

    async def end_account(self, user_id: str) -> None:
        """Have all connections of an account end."""
        await self._write(lambda connection: self._end(connection, user_id))

    async def endings(self, after: int, limit: int = 1000) -> list[Ending]:
        """What ended after the number `after`, oldest first."""
        query = select(endings).where(endings.c.number > after).order_by(endings.c.number).limit(limit)
        return [Ending(row.number, row.user_id, row.token) for row in await self._fetch(query)]

    async def last_ending(self) -> int:
        """The highest number of them, 0 for none."""
        rows = await self._fetch(select(counters.c.value).where(counters.c.name == _ENDINGS))
        return rows[0].value if rows else 0

    async def _end(self, connection: AsyncConnection, user_id: str, token: str = "") -> None:
        """Add one, as the last thing of a transaction: others wait for the counter's row from here on."""
        await connection.execute(self._insert_new(counters).values(name=_ENDINGS, value=0))
        counter = update(counters).where(counters.c.name == _ENDINGS).values(value=counters.c.value + 1)
        number: int = (await connection.execute(counter.returning(counters.c.value))).scalar_one()
        await connection.execute(insert(endings).values(number=number, user_id=user_id, token=token))
        await connection.execute(delete(endings).where(endings.c.number <= number - KEPT_ENDINGS))
