"""A network that can be made bad: listeners of our own between processes and what they connect to."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

CHUNK = 65_536

Place = tuple[str, int] | Path
"""Where something listens: host and port, or a Unix socket."""


class Proxy:
    """One listener; whatever connects to it is connected to its target.

    Attributes:
        target: where connections go; to be set before the first comes.
        delay: seconds, at least and at most, for which each piece is held back, in each direction.

    Args:
        place: where to listen; port 0 takes a free one.
    """

    def __init__(self, place: Place = ("127.0.0.1", 0)) -> None:
        self.target: Place | None = None
        self.delay = (0.0, 0.0)
        self._place = place
        self._server: asyncio.Server | None = None
        self._flows = asyncio.Event()
        self._flows.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._random = random.Random(0)

    async def start(self) -> None:
        """Listen."""
        if isinstance(self._place, Path):
            self._server = await asyncio.start_unix_server(self._connected, self._place)
            self._place.chmod(0o777)
        else:
            self._server = await asyncio.start_server(self._connected, *self._place)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        assert self._server
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def connections(self) -> int:
        """How many connections there are."""
        return len(self._tasks)

    def hold(self) -> None:
        """Let nothing through, in silence, as when a cable is cut: connections stay, new ones are taken."""
        self._flows.clear()

    def flow(self) -> None:
        """Let everything through again, what was held first, and at once."""
        self.delay = (0.0, 0.0)
        self._flows.set()

    def cut(self) -> None:
        """End all connections that there are."""
        for task in self._tasks:
            task.cancel()

    async def close(self) -> None:
        """End everything."""
        if self._server:
            self._server.close()
        self.cut()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            with suppress(OSError, asyncio.CancelledError):
                await self._carry(reader, writer)
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._flows.wait()
        if isinstance(self.target, Path):
            far_reader, far_writer = await asyncio.open_unix_connection(self.target)
        else:
            assert self.target
            far_reader, far_writer = await asyncio.open_connection(*self.target)
        try:
            there = asyncio.create_task(self._pump(reader, far_writer))
            back = asyncio.create_task(self._pump(far_reader, writer))
            try:
                await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                there.cancel()
                back.cancel()
                await asyncio.wait({there, back})
        finally:
            far_writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError):
            while data := await reader.read(CHUNK):
                if self.delay[1]:
                    await asyncio.sleep(self._random.uniform(*self.delay))
                await self._flows.wait()
                writer.write(data)
                await writer.drain()
            await self._flows.wait()


class Wire:
    """Several proxies that share their fate."""

    def __init__(self, proxies: Iterable[Proxy]) -> None:
        self.proxies = list(proxies)

    def hold(self) -> None:
        """Let nothing through."""
        for proxy in self.proxies:
            proxy.hold()

    def flow(self) -> None:
        """Let everything through again."""
        for proxy in self.proxies:
            proxy.flow()

    def slow(self, least: float, most: float) -> None:
        """Hold each piece back for a while, in seconds."""
        for proxy in self.proxies:
            proxy.delay = (least, most)

    def cut(self) -> None:
        """End all connections."""
        for proxy in self.proxies:
            proxy.cut()
