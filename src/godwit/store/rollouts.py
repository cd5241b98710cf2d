"""Rollouts in SQL, and the decisions that are written whole or not at all."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from godwit.rollout.values import Advance, Rollout
from godwit.store.items import Items
from godwit.store.leases import Leases
from godwit.store.schema import rollouts
from godwit.store.steps import next_version
from godwit.store.wishes import Wishes


def _rollout(row: Row[Any]) -> Rollout:
    return msgspec.convert(row.body | {"id": row.id, "number": row.number, "version": row.version}, Rollout)


class Rollouts(Items, Wishes, Leases):
    """The part of `SqlStore` that carries rollouts."""

    async def rollout(self, rollout_id: str) -> Rollout | None:
        """One rollout by its id."""
        rows = await self._fetch(select(rollouts).where(rollouts.c.id == rollout_id))
        return _rollout(rows[0]) if rows else None

    async def rollouts(self, limit: int = 100) -> list[Rollout]:
        """Rollouts, newest first."""
        query = select(rollouts).order_by(rollouts.c.number.desc()).limit(limit)
        return [_rollout(row) for row in await self._fetch(query)]

    async def advance(self, advance: Advance, *, term: int) -> Rollout | None:
        """Write one decision, whole or not at all; returns the rollout as written."""

        async def work(connection: AsyncConnection) -> Rollout | None:
            await self._check_term(connection, term)
            if advance.default:
                await self._lock_default(connection)
            rollout = await self._write_rollout(connection, advance.rollout) if advance.rollout else None
            for other in advance.others:
                await self._write_rollout(connection, other)
            for regoal in advance.regoals:
                await self._regoal(connection, regoal)
            await self._write_items(connection, advance.items)
            await self._cancel(connection, advance.cancel, advance.cancel_error, advance.now)
            await self._begin(connection, advance.begin)
            await self._hold(connection, advance.holds, advance.releases)
            await self._answer(connection, advance.wishes)
            await self._write_issues(connection, advance.issues)
            if advance.default:
                await self._set_default(connection, advance.default, advance.hold_until, advance.now)
            await self._say(connection, advance.events)
            return rollout

        return await self._write(work)

    async def _write_rollout(self, connection: AsyncConnection, rollout: Rollout) -> Rollout:
        known = rollouts.c.id == rollout.id
        stored = await connection.scalar(select(rollouts.c.version).where(known).with_for_update())
        written = next_version(rollout, stored)
        body = msgspec.to_builtins(written)
        values = {"id": body.pop("id"), "version": body.pop("version"), "body": body}
        del body["number"]
        if stored is None:
            await connection.execute(insert(rollouts).values(values))
        else:
            await connection.execute(update(rollouts).where(known).values(values))
        return _rollout((await connection.execute(select(rollouts).where(known))).one())
