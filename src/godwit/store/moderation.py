"""Sanctions and the audit in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, Select, case, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from godwit.store.base import AuditEntry, Sanction, hosted
from godwit.store.database import Database, chunks
from godwit.store.schema import audit, sanctions
from godwit.values import FAMILIES, Position

_FAMILY = case(FAMILIES, value=sanctions.c.kind)
"""The family of a row: of one family and target the one with the later position is in force."""


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


def _deciding(channels: Sequence[str], since: float | None) -> tuple[Select[Any], Select[Any]]:
    """The rows of channels that have no position, and those with one that decide."""
    rows = sanctions.c
    here = select(sanctions).where(rows.channel.in_(channels))
    subject = (rows.channel, _FAMILY, rows.target)
    by_position = (rows.epoch.desc(), rows.sequence.desc(), rows.time.desc(), rows.id.desc())
    age = func.row_number().over(partition_by=subject, order_by=by_position).label("age")
    placed_ones = here.where(rows.epoch.is_not(None)).add_columns(age)
    if since is not None:
        old = rows.time < since
        before = func.row_number().over(partition_by=(*subject, old), order_by=by_position).label("age_before")
        placed_ones = placed_ones.add_columns(before)
    placed = placed_ones.subquery()
    wanted = placed.c.age == 1
    if since is not None:
        wanted = or_(wanted, placed.c.time >= since, placed.c.age_before == 1)
    newest = select(placed).where(wanted)
    return (
        here.where(rows.epoch.is_(None)).order_by(rows.number),
        newest.order_by(placed.c.epoch, placed.c.sequence, placed.c.time, placed.c.id),
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

    async def sanctions(self, channel: str, *, since: float | None = None) -> list[Sanction]:
        """The rows that decide: the newest placed one of each subject, those placed since, all without a position."""
        return (await self.sanctions_among([channel], since=since)).get(channel, [])

    async def sanctions_among(
        self, channels: Sequence[str], *, since: float | None = None
    ) -> dict[str, list[Sanction]]:
        """`sanctions` of many channels; without those that have none."""

        async def work(connection: AsyncConnection) -> dict[str, list[Sanction]]:
            found: dict[str, list[Sanction]] = {}
            for names in chunks(channels):
                waiting, newest = _deciding(names, since)
                # Those without a position first: one that is placed in between is then there twice, not missing.
                late = [_sanction(row) for row in await connection.execute(waiting)]
                placed = [_sanction(row) for row in await connection.execute(newest)]
                known = {row.id for row in placed}
                for row in (*placed, *(row for row in late if row.id not in known)):
                    found.setdefault(row.channel, []).append(row)
            return found

        return await self._read(work)

    async def hosts_of(self, login: str, limit: int = 1000) -> list[str]:
        """The channels that host a channel now, by name."""
        query = select(sanctions.c.channel).where(sanctions.c.kind == "host", sanctions.c.target_login == login)
        some = [row.channel for row in await self._fetch(query.distinct().order_by(sanctions.c.channel).limit(limit))]
        found = await self.sanctions_among(some)
        return [channel for channel in some if hosted(found.get(channel, [])) == login]

    async def audit(self, entry: AuditEntry) -> None:
        """Add a line to the audit."""
        values = msgspec.to_builtins(entry)
        del values["number"]
        await self._change(insert(audit).values(values))

    async def audit_log(
        self,
        *,
        subject: str | None = None,
        actor: str | None = None,
        action: str | None = None,
        since: float = 0.0,
        before: int = 0,
        limit: int = 100,
    ) -> list[AuditEntry]:
        """The audit, newest first: those lines that fit all that is asked for."""
        query = select(audit).order_by(audit.c.number.desc()).limit(limit)
        for column, wanted in ((audit.c.subject, subject), (audit.c.actor, actor), (audit.c.action, action)):
            if wanted is not None:
                query = query.where(column == wanted)
        if since:
            query = query.where(audit.c.time >= since)
        if before:
            query = query.where(audit.c.number < before)
        return [msgspec.convert(row._mapping, AuditEntry) for row in await self._fetch(query)]
