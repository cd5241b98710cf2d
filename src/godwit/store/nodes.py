"""The processes of a network, in SQL."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Row, delete, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from godwit.store.database import Database
from godwit.store.nodes_base import FORGOTTEN, Node, Role, taken
from godwit.store.schema import nodes

_SQLITE_NOW = "SELECT (julianday('now') - 2440587.5) * 86400.0"
_POSTGRES_NOW = "SELECT extract(epoch FROM clock_timestamp())"


def _node(row: Row[Any]) -> Node:
    return msgspec.convert(row._mapping, Node)


class Nodes(Database):
    """The part of `SqlStore` that knows who runs."""

    async def register(self, node: Node, now: float) -> Node:
        """Say that a process runs, in place of an earlier one with its name; returns it as stored."""
        values = msgspec.to_builtins(node)
        new = self._insert_new(nodes).values(values)
        stored = select(nodes).where(nodes.c.name == node.name).with_for_update()
        written = update(nodes).where(nodes.c.name == node.name).values(values)

        async def work(connection: AsyncConnection) -> Node:
            await connection.execute(delete(nodes).where(nodes.c.until < now - FORGOTTEN))
            # Whoever had the name may go between the two statements.
            while not (await connection.execute(new)).rowcount:
                if known := (await connection.execute(stored)).one_or_none():
                    if refusal := taken(node, _node(known), now):
                        raise refusal
                    await connection.execute(written)
                    break
            return node

        return await self._write(work)

    async def beat(self, name: str, session: str, until: float) -> bool:
        """Say that it still runs; False if it is not registered any more, or another one has its name."""
        known = update(nodes).where(nodes.c.name == name, nodes.c.session == session)
        return await self._change(known.values(until=until)) > 0

    async def unregister(self, name: str, session: str) -> bool:
        """Say that it ends; False if it was not registered."""
        return await self._change(delete(nodes).where(nodes.c.name == name, nodes.c.session == session)) > 0

    async def nodes(self, role: Role | None = None, *, now: float) -> list[Node]:
        """Those that run, by name."""
        running = select(nodes).where(nodes.c.until > now).order_by(nodes.c.name)
        return [
            _node(row) for row in await self._fetch(running if role is None else running.where(nodes.c.role == role))
        ]

    async def clock(self) -> float:
        """The time that the database has."""
        rows = await self._fetch(text(_SQLITE_NOW if self._is_sqlite else _POSTGRES_NOW))
        return float(rows[0][0])
