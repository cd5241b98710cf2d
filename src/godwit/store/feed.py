"""The feed in SQL: what happened, numbered in the order of the commits, and how far webhooks have read it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, delete, func, insert, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from godwit.rollout.values import Event
from godwit.store.database import Database
from godwit.store.schema import counters, feed
from godwit.store.steps import PUBLIC

_FEED = "feed"
"""Name of the counter of events."""

_FLOOR = "feed floor"
"""Name of the counter of events that were forgotten."""


def _event(row: Row[Any]) -> Event:
    return Event(row.kind, row.time, row.channel, row.rollout, row.details, row.number)


class Feed(Database):
    """The part of `SqlStore` that says what happened."""

    async def feed(
        self, *, after: int, public: bool = False, rollout: str | None = None, limit: int = 1000
    ) -> list[Event]:
        """What happened after the number `after`, oldest first."""
        query = select(feed).where(feed.c.number > after).order_by(feed.c.number).limit(limit)
        if public:
            query = query.where(feed.c.public == true())
        if rollout is not None:
            query = query.where(feed.c.rollout == rollout)
        return [_event(row) for row in await self._fetch(query)]

    async def last_event(self) -> int:
        """The highest number of the feed, 0 for none."""
        return await self._counter(_FEED) or 0

    async def trim_feed(self, before: float) -> int:
        """Forget public events older than `before`; returns how many."""
        old = feed.c.public == true(), feed.c.time < before

        async def work(connection: AsyncConnection) -> int:
            highest = await connection.scalar(select(func.max(feed.c.number)).where(*old))
            if highest is None:
                return 0
            await self._raise(connection, _FLOOR, highest)
            return (await connection.execute(delete(feed).where(*old, feed.c.number <= highest))).rowcount

        return await self._write(work)

    async def feed_floor(self) -> int:
        """The highest number that was ever trimmed, 0 for none."""
        return await self._counter(_FLOOR) or 0

    async def webhook_cursor(self, hook: str) -> int | None:
        """The number of the last event that was delivered to a webhook; None if it is a new one."""
        return await self._counter(f"webhook {hook}")

    async def set_webhook_cursor(self, hook: str, number: int) -> None:
        """Remember it; a lower number than the stored one changes nothing."""
        await self._write(lambda connection: self._raise(connection, f"webhook {hook}", number))

    async def _raise(self, connection: AsyncConnection, name: str, value: int) -> None:
        """Set a counter that is lower."""
        await connection.execute(self._insert_new(counters).values(name=name, value=value))
        lower = update(counters).where(counters.c.name == name, counters.c.value < value)
        await connection.execute(lower.values(value=value))

    async def _counter(self, name: str) -> int | None:
        rows = await self._fetch(select(counters.c.value).where(counters.c.name == name))
        return rows[0].value if rows else None

    async def _say(self, connection: AsyncConnection, events: Sequence[Event]) -> None:
        """Add to the feed, as the last thing that a transaction does.

        The counter's row is locked from here to the commit: numbers are committed in their order, and whoever
        holds the row waits for no other.
        """
        if not events:
            return
        await connection.execute(self._insert_new(counters).values(name=_FEED, value=0))
        counter = update(counters).where(counters.c.name == _FEED).values(value=counters.c.value + len(events))
        last: int = (await connection.execute(counter.returning(counters.c.value))).scalar_one()
        first = last - len(events) + 1
        await connection.execute(
            insert(feed),
            [
                msgspec.to_builtins(event) | {"number": number, "public": event.kind in PUBLIC}
                for number, event in enumerate(events, start=first)
            ],
        )
