"""What operators know of channels, in SQL: facts, holds, and all that planning looks at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Column, ColumnElement, Table, and_, bindparam, delete, func, select, true, union, update
from sqlalchemy.ext.asyncio import AsyncConnection

from godwit.rollout.values import Candidate, Facts, Hold
from godwit.store.database import chunks, structs
from godwit.store.placements import Placements
from godwit.store.rollout_base import HIDDEN
from godwit.store.schema import facts, holds, items, live, moves, placements


def may_be_planned(channel: Column[Any]) -> ColumnElement[bool]:
    """`rollout_base.may_be_planned` as a condition, whatever the order of letters in the database."""
    return and_(func.substr(channel, 1, 1) != "_", func.substr(channel, 1, len(HIDDEN)) != HIDDEN)


class ChannelFacts(Placements):
    """The part of `SqlStore` that says what is known of channels."""

    async def candidates(self, *, after: str = "", limit: int = 1000) -> list[Candidate]:
        """Every channel that has a row, facts, a hold or a live state, by name, beginning behind `after`."""
        found = union(*(_names(table, after, limit) for table in (placements, facts, holds, live))).subquery()
        names = select(found.c.channel).order_by(found.c.channel).limit(limit)

        async def work(connection: AsyncConnection) -> list[Candidate]:
            return await self._candidates(connection, (await connection.scalars(names)).all())

        return await self._read(work)

    async def candidates_of(self, channels: Sequence[str]) -> list[Candidate]:
        """The same for named channels, known or not, in the order asked for."""
        return await self._read(lambda connection: self._candidates(connection, channels))

    async def _candidates(self, connection: AsyncConnection, channels: Sequence[str]) -> list[Candidate]:
        known: dict[str, Facts] = {}
        lives: dict[str, tuple[bool, float]] = {}
        held: dict[str, Hold] = {}
        for names in chunks(channels):
            rows = await connection.execute(select(facts).where(facts.c.channel.in_(names)))
            known |= {row.channel: row for row in structs(rows, Facts)}
            for row in await connection.execute(select(live).where(live.c.channel.in_(names))):
                lives[row.channel] = (row.live, row.since)
            rows = await connection.execute(select(holds).where(holds.c.channel.in_(names)))
            held |= {row.channel: row for row in structs(rows, Hold)}
        places = await self._placements(connection, channels, drains=False)
        return [
            Candidate(placement, known.get(name) or Facts(name), *lives.get(name, (False, 0.0)), hold=held.get(name))
            for name, placement in zip(channels, places, strict=True)
        ]

    async def set_facts(self, new: Sequence[Facts]) -> int:
        """Write facts of channels, replacing what was known of them; returns how many."""
        latest = {known.channel: known for known in new}
        rows = [msgspec.to_builtins(latest[channel]) for channel in sorted(latest)]
        sizes = [{"name": row["channel"], "size": row["members"]} for row in rows]
        concerned = update(items).where(items.c.channel == bindparam("name"), items.c.members != bindparam("size"))

        async def work(connection: AsyncConnection) -> int:
            await connection.execute(self._put(facts, "channel"), rows)
            await connection.execute(concerned.values(members=bindparam("size")), sizes)
            return len(rows)

        return await self._write(work) if rows else 0

    async def facts(self, *, after: str = "", limit: int = 1000) -> list[Facts]:
        """What is known, by channel name, beginning behind `after`."""
        query = select(facts).where(facts.c.channel > after).order_by(facts.c.channel).limit(limit)
        return structs(await self._fetch(query), Facts)

    async def hold(self, hold: Hold) -> None:
        """Keep a channel where it is; a hold that is there already stays."""
        await self._write(lambda connection: self._hold(connection, [hold], ()))

    async def _hold(self, connection: AsyncConnection, new: Sequence[Hold], ended: Sequence[str]) -> None:
        """Begin and end holds."""
        # A step to `sealing` looks at the holds while it has its move: one of the two waits for the other.
        for names in chunks(hold.channel for hold in new):
            moving = select(moves.c.id).where(moves.c.channel.in_(names), moves.c.moving == true())
            await connection.execute(moving.order_by(moves.c.id).with_for_update())
        for hold in new:
            await connection.execute(self._insert_new(holds).values(msgspec.to_builtins(hold)))
        for names in chunks(ended):
            await connection.execute(delete(holds).where(holds.c.channel.in_(names)))

    async def release_hold(self, channel: str) -> bool:
        """End a hold; says whether there was one."""
        return await self._change(delete(holds).where(holds.c.channel == channel)) > 0

    async def holds(self) -> list[Hold]:
        """All holds, by channel name."""
        return structs(await self._fetch(select(holds).order_by(holds.c.channel)), Hold)


def _names(table: Table, after: str, limit: int) -> Any:
    """The first names of a table; each of the four is asked for no more than all of them together."""
    name: Column[Any] = table.c.channel
    first = select(name).where(name > after, may_be_planned(name)).order_by(name).limit(limit).subquery()
    return select(first.c.channel)
