"""The change feed: what moved, with a cursor (protocol row HTTP-changes).

One task looks at the store for all who wait, at once when this process wrote something and every few seconds
because others may have. It keeps the newest changes, encoded once; who is further behind reads the store. Nothing is
queued per client: a slow one lags, and costs no memory.
"""

from __future__ import annotations

import asyncio
import bisect
from collections.abc import Sequence
from typing import Any

import msgspec
import structlog

from godwit.errors import StoreUnavailable
from godwit.rollout.values import Event
from godwit.store.rollout_base import HIDDEN, RolloutStore
from godwit.web.changes import Changes

PAGE = 1000
"""Changes in one answer at most."""

KEPT = 20_000
"""Changes that are kept in memory, or a page more."""

GAP = 0.02
"""Seconds between two looks at least, however often somebody says that something has changed."""

_DETAILS = ("cluster", "epoch", "from", "into")

_log = structlog.get_logger()


class Batch(msgspec.Struct, frozen=True):
    """Changes behind a cursor.

    Attributes:
        next: the cursor to go on with.
        changes: number and JSON text of each, oldest first.
        reset: the cursor was of no use, changes may be missing: look up anew what you need.
    """

    next: int
    changes: tuple[tuple[int, bytes], ...] = ()
    reset: bool = False

    def encoded(self) -> bytes:
        """The answer's JSON."""
        reset = b',"reset":true' if self.reset else b""
        listed = b",".join(text for _, text in self.changes)
        return b'{"next":%d%s,"changes":[%s]}' % (self.next, reset, listed)


def shown_change(event: Event) -> dict[str, Any]:
    """A change as it is told to everybody."""
    details = {key: event.details[key] for key in _DETAILS if key in event.details}
    named = {"channel": event.channel} if event.channel else {}
    return {"number": event.number, "time": event.time, "kind": event.kind, **named, **details}


def is_shown(event: Event) -> bool:
    """Say whether a change concerns the public: the rooms of our own probes do not."""
    return not event.channel.startswith(HIDDEN)


def _encoded(events: Sequence[Event]) -> list[tuple[int, bytes]]:
    return [(event.number, msgspec.json.encode(shown_change(event))) for event in events if is_shown(event)]


class Feed:
    """Serves the public part of the store's feed; belongs to one event loop.

    Args:
        changes: tells when this process wrote something, and when it stops.
        poll: seconds between looks at the store.
    """

    def __init__(self, store: RolloutStore, changes: Changes, poll: float) -> None:
        self._store = store
        self._changes = changes
        self._poll = poll
        self._kept: list[tuple[int, bytes]] = []
        self._first = self._last = 0
        """All public changes with numbers above `_first`, up to `_last`, are in `_kept`."""
        self._up = False
        self._news = asyncio.Event()
        self._waiting = 0
        self._watch: asyncio.Task[None] | None = None

    @property
    def closed(self) -> bool:
        """Whether the process is stopping."""
        return self._changes.closed

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return self._waiting

    async def now(self) -> Batch:
        """The cursor of this moment, and no changes."""
        return Batch(await self._store.last_event())

    async def read(self, since: int, limit: int = PAGE) -> Batch:
        """What changed after `since`, without waiting."""
        if self._up and self._first <= since <= self._last:
            begin = bisect.bisect_right(self._kept, since, key=lambda change: change[0])
            found = self._kept[begin : begin + limit]
            return Batch(found[-1][0] if found else since, tuple(found))
        # Taken before the look: what is not found up to there does not exist.
        first = self._first if self._up else since
        if since < await self._store.feed_floor() or since > await self._store.last_event():
            return Batch(await self._store.last_event(), reset=True)
        while events := await self._store.feed(after=since, public=True, limit=limit):
            since = events[-1].number
            if found := _encoded(events):
                return Batch(since, tuple(found))
        return Batch(max(since, first))

    async def wait(self, since: int, limit: int, patience: float) -> Batch:
        """The same, but wait for a change if there is none.

        Args:
            patience: seconds to wait at most.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience
        self._waiting += 1
        try:
            while True:
                news = self._news
                batch = await self.read(since, limit)
                left = deadline - loop.time()
                if batch.changes or batch.reset or left <= 0 or self.closed:
                    return batch
                since = batch.next
                self._begin_watch()
                try:
                    async with asyncio.timeout(left):
                        await news.wait()
                except TimeoutError:
                    return await self.read(since, limit)
        finally:
            self._waiting -= 1

    # the one who looks ------------------------------------------------------------------------

    def _begin_watch(self) -> None:
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._look(), name="change-feed")

    async def _look(self) -> None:
        """Look as long as somebody waits."""
        self._up = False
        try:
            while self._waiting and not self.closed:
                event = self._changes.next()
                try:
                    await self._catch_up()
                except StoreUnavailable as error:
                    _log.warning("change_feed_waits", error=str(error))
                await asyncio.sleep(GAP)
                try:
                    async with asyncio.timeout(self._poll):
                        await event.wait()
                except TimeoutError:
                    continue
        finally:
            self._up = False
            self._tell()

    async def _catch_up(self) -> None:
        if not self._up:
            # What was before is in the store; those who wait read it there once more.
            self._first = self._last = await self._store.last_event()
            self._kept.clear()
            self._up = True
            self._tell()
        while events := await self._store.feed(after=self._last, public=True, limit=PAGE):
            self._kept += _encoded(events)
            self._last = events[-1].number
            if len(self._kept) > KEPT + PAGE:
                self._first = self._kept[-KEPT - 1][0]
                del self._kept[:-KEPT]
            self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
