"""The other ends of connections: owners that remember, a lobby full of them, raw sockets, a fake transport."""

from __future__ import annotations

import asyncio
import ssl as tls
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Self, cast

from structlog.testing import capture_logs
from structlog.typing import EventDict

from godwit.wire.connection import Connection, Limits
from godwit.wire.dial import connect_tcp, connect_ws
from godwit.wire.flusher import Flusher
from godwit.wire.listener import Listener, listen_tcp, listen_ws

DEADLINE = 5.0
"""Seconds until a test that waits in vain fails."""


class Recorder:
    """An owner that remembers what it is told; tests wait for it, never for time."""

    def __init__(self, connection: Connection | None = None) -> None:
        self.connection = connection
        self.pieces: list[bytes] = []
        self.reasons: list[str] = []
        self._changed = asyncio.Event()

    @property
    def data(self) -> bytes:
        """All that came."""
        return b"".join(self.pieces)

    def data_received(self, connection: Connection, data: bytes) -> None:
        """Remember what came."""
        self.connection = connection
        self.pieces.append(data)
        self._changed.set()

    def closed(self, connection: Connection, reason: str) -> None:
        """Remember the reason."""
        self.connection = connection
        self.reasons.append(reason)
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something to be true of what came."""
        async with asyncio.timeout(DEADLINE):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def heard(self, ending: bytes) -> bytes:
        """Wait until what came ends so; return all of it."""
        await self.until(lambda: self.data.endswith(ending))
        return self.data

    async def gone(self) -> str:
        """Wait for the end; return the reason."""
        await self.until(lambda: bool(self.reasons))
        assert len(self.reasons) == 1
        return self.reasons[0]


class Echo(Recorder):
    """A recorder that says everything back."""

    def data_received(self, connection: Connection, data: bytes) -> None:
        """Remember it and say it back."""
        super().data_received(connection, data)
        connection.write(data)


class Lobby:
    """Opens listeners, keeps the owners of who comes in, calls them, and closes everything at the end."""

    def __init__(self) -> None:
        self.owners: list[Recorder] = []
        self._listeners: list[Listener] = []
        self._calls: list[Connection] = []
        self._came = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        for listener in self._listeners:
            listener.close()
            for connection in list(listener.connections):
                connection.abort("test is over")
        for connection in self._calls:
            connection.abort("test is over")
        async with asyncio.timeout(DEADLINE):
            for listener in self._listeners:
                await listener.wait_empty()

    async def listen(
        self,
        websocket: bool,
        kind: type[Recorder] = Echo,
        limits: Limits | None = None,
        ssl: tls.SSLContext | None = None,
        port: int = 0,
        reuse_port: bool = False,
    ) -> Listener:
        """Listen, by default on a free port."""

        def factory(connection: Connection) -> Recorder:
            owner = kind(connection)
            self.owners.append(owner)
            self._came.set()
            return owner

        listen = listen_ws if websocket else listen_tcp
        listener = await listen("127.0.0.1", port, factory, limits=limits, ssl=ssl, reuse_port=reuse_port)
        self._listeners.append(listener)
        return listener

    async def call(
        self, listener: Listener, websocket: bool, limits: Limits | None = None, ssl: tls.SSLContext | None = None
    ) -> tuple[Connection, Recorder]:
        """Open a connection to a listener of ours."""
        owner = Recorder()
        if websocket:
            url = f"{'wss' if ssl else 'ws'}://127.0.0.1:{listener.port}/"
            connection = await connect_ws(url, owner, limits=limits, ssl=ssl)
        else:
            connection = await connect_tcp("127.0.0.1", listener.port, owner, limits=limits, ssl=ssl)
        self._calls.append(connection)
        return connection, owner

    async def came(self, number: int = 1) -> list[Recorder]:
        """Wait until so many have come in."""
        async with asyncio.timeout(DEADLINE):
            while len(self.owners) < number:
                self._came.clear()
                await self._came.wait()
        return self.owners


class FakeTransport(asyncio.Transport):
    """A transport that only counts; a test says how much is left unsent, or of each write is taken."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.unsent = 0
        self.takes: int | None = None
        self.high: int | None = None
        self.on_left: Callable[[], None] = lambda: None
        self.aborted = False
        self.closing = False
        self.reading = True

    def write(self, data: object) -> None:
        """Remember one write."""
        self.writes.append(cast(bytes, data))
        if self.takes is not None and len(cast(bytes, data)) > self.takes:
            self.unsent += len(cast(bytes, data)) - self.takes
            self.on_left()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Remember it."""
        self.high = high

    def get_write_buffer_size(self) -> int:
        """What the test said."""
        return self.unsent

    def is_closing(self) -> bool:
        """Whether it was closed or aborted."""
        return self.closing

    def pause_reading(self) -> None:
        """Remember it."""
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        """Remember it."""
        assert not self.reading
        self.reading = True

    def close(self) -> None:
        """Remember it."""
        self.closing = True

    def abort(self) -> None:
        """Remember it."""
        self.closing = self.aborted = True


class FakeEndpoint:
    """An endpoint with one owner for all."""

    def __init__(self, owner: Recorder, limits: Limits | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        self.flusher = Flusher(self.loop)
        self.limits = limits or Limits()
        self.owner = owner
        self.wanted = True
        self.lost_with: list[str] = []

    def opening(self, connection: Connection) -> bool:
        """What the test said."""
        return self.wanted

    def opened(self, connection: Connection) -> Recorder:
        """Give the one owner."""
        return self.owner

    def lost(self, connection: Connection, reason: str) -> None:
        """Remember the reason."""
        self.lost_with.append(reason)


class Log:
    """What was logged, each entry as a dictionary."""

    def __init__(self) -> None:
        self.entries: list[EventDict] = []
        self._changed = asyncio.Event()

    def notice(self, logger: object, level: str, entry: EventDict) -> EventDict:
        """Take one entry; called by structlog."""
        self.entries.append(dict(entry))
        self._changed.set()
        return entry

    def all(self, event: str) -> list[EventDict]:
        """List the entries of one event."""
        return [entry for entry in self.entries if entry["event"] == event]

    async def said(self, event: str) -> EventDict:
        """Wait until an event is logged."""
        async with asyncio.timeout(DEADLINE):
            while not self.all(event):
                self._changed.clear()
                await self._changed.wait()
        return self.all(event)[0]


@asynccontextmanager
async def logged() -> AsyncIterator[Log]:
    """Catch what is logged meanwhile."""
    log = Log()
    with capture_logs(processors=[log.notice]):
        yield log


def anonymous_tls() -> tuple[tls.SSLContext, tls.SSLContext]:
    """Make TLS contexts for a server and a client that need no certificate (anonymous key exchange)."""
    contexts = []
    for side in (tls.PROTOCOL_TLS_SERVER, tls.PROTOCOL_TLS_CLIENT):
        context = tls.SSLContext(side)
        context.check_hostname = False
        context.verify_mode = tls.CERT_NONE
        context.maximum_version = tls.TLSVersion.TLSv1_2
        context.set_ciphers("ADH-AES256-GCM-SHA384:AECDH-AES256-SHA:@SECLEVEL=0")
        contexts.append(context)
    return contexts[0], contexts[1]
