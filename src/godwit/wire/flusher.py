"""Writes what piled up in one turn of the event loop in one go.

Whoever queues bytes for a connection makes it dirty; at the start of the loop's next turn each dirty
connection is written once, however many pieces it was given.
"""

from __future__ import annotations

import asyncio
from typing import Protocol


class Flushable(Protocol):
    """Something that keeps bytes back until it is flushed."""

    def flush(self) -> None:
        """Hand what was kept back to the transport."""
        ...


class Flusher:
    """Flushes the connections that became dirty in one turn of the loop, in the order they did."""

    __slots__ = ("_dirty", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._dirty: list[Flushable] = []

    def add(self, connection: Flushable) -> None:
        """Have `connection` flushed in the next turn; call it once per turn and connection."""
        if not self._dirty:
            self._loop.call_soon(self._flush)
        self._dirty.append(connection)

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, []
        for connection in dirty:
            connection.flush()
