"""Who leads, in SQL."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from godwit.rollout.values import Lease
from godwit.store.database import Database
from godwit.store.schema import leases
from godwit.store.steps import CONTROLLER, check_term, taken

_NOBODYS = "nobody's"
"""Name of a lease that is only written."""


class Leases(Database):
    """The part of `SqlStore` that says who leads."""

    async def lead(self, name: str, holder: str, *, now: float, until: float) -> Lease:
        """Take or keep the lease `name`; returns it as it stands afterwards, whoever holds it."""
        free = self._insert_new(leases).values(name=name, holder="", term=0, until=now)
        stored = select(leases).where(leases.c.name == name).with_for_update()

        async def work(connection: AsyncConnection) -> Lease:
            await connection.execute(free)
            row = (await connection.execute(stored)).one()
            lease = taken(Lease(row.name, row.holder, row.term, row.until), holder, now=now, until=until)
            values = {"holder": lease.holder, "term": lease.term, "until": lease.until}
            await connection.execute(update(leases).where(leases.c.name == name).values(values))
            return lease

        return await self._write(work)

    async def resign(self, name: str, holder: str) -> None:
        """End the lease at once, if `holder` holds it."""
        held = update(leases).where(leases.c.name == name, leases.c.holder == holder)
        await self._change(held.values(until=0.0))

    async def check_writes(self) -> None:
        """Write something that nobody reads, to see whether writes come through."""
        await self._change(self._put(leases, "name").values(name=_NOBODYS, holder="", term=0, until=0.0))

    async def _check_term(self, connection: AsyncConnection, term: int) -> None:
        """Refuse a decision of somebody who does not lead any more; nobody takes over before the transaction ends."""
        stored = select(leases.c.term).where(leases.c.name == CONTROLLER).with_for_update()
        check_term(await connection.scalar(stored), term)
