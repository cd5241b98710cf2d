"""The bounded queue between a client and whoever reads its events.

Reading from the network never waits for the reader of events: a client that does not read is cut
off by the server. So when the queue is full, what comes is counted instead of kept, and the reader
finds one `Gap` per channel at the place of the hole, saying how many events are missing there.
"""

from __future__ import annotations

import asyncio
from collections import deque

from godwit.client.events import Event, Gap


class _Hole:
    """Events of one channel that found the queue full."""

    __slots__ = ("channel", "count")

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.count = 0


class Inbox:
    """Events in order, at most `size` of them plus a hole per channel."""

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError(f"the queue of events needs room for at least one: {size}")
        self._size = size
        self._items: deque[Event | _Hole] = deque()
        self._events = 0
        self._holes: dict[str, _Hole] = {}
        self._wake = asyncio.Event()
        self._closed = False
        self._error: Exception | None = None
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._items)

    def put(self, event: Event) -> None:
        """Add an event, or count it if there is no room; never waits."""
        if self._closed:
            return
        if self._events < self._size:
            self._holes.pop(event.channel, None)
            self._items.append(event)
            self._events += 1
        else:
            hole = self._holes.get(event.channel)
            if hole is None:
                hole = self._holes[event.channel] = _Hole(event.channel)
                self._items.append(hole)
            hole.count += 1
            self.dropped += 1
        self._wake.set()

    def close(self, error: Exception | None = None) -> None:
        """End the stream: what is queued can still be read, then comes `error`, or the end."""
        if not self._closed:
            self._closed = True
            self._error = error
            self._wake.set()

    async def get(self) -> Event | None:
        """The next event, once there is one; None at the end.

        Raises:
            Exception: the one that `close` was given, once everything queued has been read.
        """
        while not self._items:
            if self._closed:
                if self._error is not None:
                    raise self._error
                return None
            self._wake.clear()
            await self._wake.wait()
        item = self._items.popleft()
        if isinstance(item, _Hole):
            if self._holes.get(item.channel) is item:
                del self._holes[item.channel]
            return Gap(item.channel, item.count, "overflow")
        self._events -= 1
        return item
