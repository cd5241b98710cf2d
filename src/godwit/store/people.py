"""How often anything about people has changed, in SQL: who keeps what it knows looks at the numbers."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from godwit.store.database import Database
from godwit.store.schema import counters

Counter = Literal["people", "roles"]
"""Names of the counters."""


class People(Database):
    """The part of `SqlStore` that counts changes of accounts' facts, relations and emotes, and of first roles."""

    async def people_version(self) -> int:
        """A number that grows whenever facts of accounts, relations or emotes change; 0 before the first."""
        return await self._version("people")

    async def roles_version(self) -> int:
        """A number that grows whenever first roles are written; 0 before the first."""
        return await self._version("roles")

    async def _version(self, name: Counter) -> int:
        rows = await self._fetch(select(counters.c.value).where(counters.c.name == name))
        return rows[0].value if rows else 0

    async def _count_change(self, connection: AsyncConnection, name: Counter = "people") -> None:
        """Count a change, as the last thing of the transaction that makes it: others wait for the row from here on."""
        await connection.execute(self._insert_new(counters).values(name=name, value=0))
        one_more = update(counters).where(counters.c.name == name).values(value=counters.c.value + 1)
        await connection.execute(one_more)
