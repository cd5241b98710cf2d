"""How often anything about people has changed, in SQL: who keeps what it knows looks at the number."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from godwit.store.database import Database
from godwit.store.schema import counters

_PEOPLE = "people"
"""Name of the counter."""


class People(Database):
    """The part of `SqlStore` that counts changes of accounts' facts, relations and emotes."""

    async def people_version(self) -> int:
        """A number that grows whenever facts of accounts, relations or emotes change; 0 before the first."""
        rows = await self._fetch(select(counters.c.value).where(counters.c.name == _PEOPLE))
        return rows[0].value if rows else 0

    async def _people_changed(self, connection: AsyncConnection) -> None:
        """Count a change, as the last thing of the transaction that makes it: others wait for the row from here on."""
        await connection.execute(self._insert_new(counters).values(name=_PEOPLE, value=0))
        one_more = update(counters).where(counters.c.name == _PEOPLE).values(value=counters.c.value + 1)
        await connection.execute(one_more)
