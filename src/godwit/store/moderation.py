"""Sanctions and the audit in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, false, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from godwit.store.base import AuditEntry, Sanction
from godwit.store.database import Database, chunks
from godwit.store.schema import audit, sanctions
from godwit.values import Position


def _sanction(row: Row[Any]) -> Sanction:
    return Sanction(
        id=row.id,
        channel=row.channel,
        kind=row.kind,
        target=row.target,
        target_login=row.target_login,
        by=row.by,
        reason=row.reason,
        seconds=row.seconds,
        position=None if row.epoch is None else Position(row.epoch, row.sequence),
        time=row.time,
    )


class Moderation(Database):
    """The part of `SqlStore` that keeps acts of moderators and operators."""

    async def add_sanction(self, sanction: Sanction) -> None:
        """Write an act before it is appended; a known id changes nothing."""
        values = msgspec.to_builtins(sanction)
        position = values.pop("position") or {"epoch": None, "sequence": None}
        await self._change(self._insert_new(sanctions).values(**values, **position))

    async def place_sanction(self, sanction_id: str, position: Position, time: float) -> None:
        """Give a row the position of its first valid record, for good."""
        unplaced = update(sanctions).where(sanctions.c.id == sanction_id, sanctions.c.epoch.is_(None))
        await self._change(unplaced.values(epoch=position.epoch, sequence=position.sequence, time=time))

    async def sanctioned(self, channels: Sequence[str]) -> set[str]:
        """Those of the channels that have sanctions at all."""

        async def work(connection: AsyncConnection) -> set[str]:
            found: set[str] = set()
            for names in chunks(channels):
                here = select(sanctions.c.channel).where(sanctions.c.channel.in_(names)).distinct()
                found |= set(await connection.scalars(here))
            return found

        return await self._read(work)

    async def sanctions(self, channel: str, *, since: float | None = None) -> list[Sanction]:
        """The rows that decide: the newest placed one per target, those placed since, all without a position."""
        rows = sanctions.c
        here = select(sanctions).where(rows.channel == channel)
        by_position = (rows.epoch.desc(), rows.sequence.desc(), rows.id.desc())
        old = rows.time < since if since is not None else false()
        age = func.row_number().over(partition_by=rows.target, order_by=by_position).label("age")
        age_before = func.row_number().over(partition_by=(rows.target, old), order_by=by_position).label("age_before")
        placed = here.where(rows.epoch.is_not(None)).add_columns(age, age_before).subquery()
        wanted = placed.c.age == 1
        if since is not None:
            wanted = or_(wanted, placed.c.time >= since, placed.c.age_before == 1)
        newest = select(placed).where(wanted).order_by(placed.c.epoch, placed.c.sequence, placed.c.id)
        waiting = here.where(rows.epoch.is_(None)).order_by(rows.number)

        async def work(connection: AsyncConnection) -> list[Sanction]:
            # Those without a position first: one that is placed in between is then there twice, not missing.
            late = [_sanction(row) for row in await connection.execute(waiting)]
            found = [_sanction(row) for row in await connection.execute(newest)]
            known = {row.id for row in found}
            return found + [row for row in late if row.id not in known]

        return await self._read(work)

    async def audit(self, entry: AuditEntry) -> None:
        """Add a line to the audit."""
        await self._change(insert(audit).values(msgspec.to_builtins(entry)))

    async def audit_log(self, *, subject: str | None = None, limit: int = 100) -> list[AuditEntry]:
        """The audit, newest first."""
        query = select(audit).order_by(audit.c.number.desc()).limit(limit)
        if subject is not None:
            query = query.where(audit.c.subject == subject)
        return [msgspec.convert(row._mapping, AuditEntry) for row in await self._fetch(query)]
