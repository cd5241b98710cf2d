"""The emote table in SQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from godwit.store.database import Database, chunks
from godwit.store.schema import counters, emotes
from godwit.values import Emote

_VERSION = "emotes"
"""Name of the counter."""


def _emote(row: Row[Any]) -> Emote:
    return Emote(row.code, row.id, row.channel)


class Emotes(Database):
    """The part of `SqlStore` that knows which words are pictures."""

    async def set_emotes(self, new: Sequence[Emote]) -> None:
        """Add emotes, or replace those with the same code in the same channel."""
        latest = {(emote.channel, emote.code): emote for emote in new}
        rows = [msgspec.to_builtins(latest[key]) for key in sorted(latest)]

        async def work(connection: AsyncConnection) -> None:
            await self._changed(connection)
            await connection.execute(self._put(emotes, "channel", "code"), rows)

        if rows:
            await self._write(work)

    async def remove_emotes(self, channel: str, codes: Sequence[str]) -> int:
        """Remove emotes of a channel; returns how many there were."""

        async def work(connection: AsyncConnection) -> int:
            await self._changed(connection)
            removed = 0
            for some in chunks(codes):
                gone = delete(emotes).where(emotes.c.channel == channel, emotes.c.code.in_(some))
                removed += (await connection.execute(gone)).rowcount
            return removed

        return await self._write(work) if codes else 0

    async def _changed(self, connection: AsyncConnection) -> None:
        """Count a change, in the transaction that makes it."""
        await connection.execute(self._insert_new(counters).values(name=_VERSION, value=0))
        await connection.execute(update(counters).where(counters.c.name == _VERSION).values(value=counters.c.value + 1))

    async def emotes(self, channel: str = "", *, after: str = "", limit: int = 1000) -> list[Emote]:
        """Emotes of a channel, everybody's for '', by code."""
        here = select(emotes).where(emotes.c.channel == channel, emotes.c.code > after)
        return [_emote(row) for row in await self._fetch(here.order_by(emotes.c.code).limit(limit))]

    async def emotes_of(self, channels: Collection[str]) -> list[Emote]:
        """All emotes of many channels."""

        async def work(connection: AsyncConnection) -> list[Emote]:
            found: list[Emote] = []
            for names in chunks(channels):
                rows = await connection.execute(select(emotes).where(emotes.c.channel.in_(names)))
                found += [_emote(row) for row in rows]
            return found

        return await self._read(work) if channels else []

    async def emotes_version(self) -> int:
        """A number that grows with each change of emotes; 0 before the first."""
        rows = await self._fetch(select(counters.c.value).where(counters.c.name == _VERSION))
        return rows[0].value if rows else 0
