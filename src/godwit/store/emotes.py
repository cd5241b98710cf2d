"""The emote table in SQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from godwit.store.database import chunks
from godwit.store.people import People
from godwit.store.schema import emotes
from godwit.values import Emote


def _emote(row: Row[Any]) -> Emote:
    return Emote(row.code, row.id, row.channel)


class Emotes(People):
    """The part of `SqlStore` that knows which words are pictures."""

    async def set_emotes(self, new: Sequence[Emote]) -> None:
        """Add emotes, or replace those with the same code in the same channel."""
        latest = {(emote.channel, emote.code): emote for emote in new}
        rows = [msgspec.to_builtins(latest[key]) for key in sorted(latest)]

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(self._put(emotes, "channel", "code"), rows)
            await self._count_change(connection)

        if rows:
            await self._write(work)

    async def remove_emotes(self, channel: str, codes: Sequence[str]) -> int:
        """Remove emotes of a channel; returns how many there were."""

        async def work(connection: AsyncConnection) -> int:
            removed = 0
            for some in chunks(codes):
                gone = delete(emotes).where(emotes.c.channel == channel, emotes.c.code.in_(some))
                removed += (await connection.execute(gone)).rowcount
            if removed:
                await self._count_change(connection)
            return removed

        return await self._write(work) if codes else 0

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
