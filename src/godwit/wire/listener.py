"""Listeners: where connections come in, TCP or WebSocket, with or without TLS."""

from __future__ import annotations

import asyncio
import ssl as tls
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from godwit.wire.connection import Connection, Limits, Owner
from godwit.wire.flusher import Flusher
from godwit.wire.websocket import ServerCodec

log = structlog.get_logger()

BACKLOG = 4096
"""Connections that may wait to be accepted: after a restart all clients come back at once."""

Factory = Callable[[Connection], Owner]
"""Makes the owner of a connection that is ready: TLS and WebSocket handshakes are done."""


@dataclass(frozen=True, slots=True)
class ListenerStatistics:
    """How many connections there are and have been; `opening` ones have not finished their handshake."""

    connections: int
    opening: int
    accepted: int


class Listener:
    """One listening address and the connections that came in there.

    Attributes:
        connections: those that are ready, with an owner.
        host: the address listened on.
        port: the real port, also when 0 was asked for.
    """

    def __init__(self, factory: Factory, limits: Limits, websocket: bool) -> None:
        self.loop = asyncio.get_running_loop()
        self.flusher = Flusher(self.loop)
        self.limits = limits
        self.connections: set[Connection] = set()
        self.host = ""
        self.port = 0
        self._factory = factory
        self._websocket = websocket
        self._opening: set[Connection] = set()
        self._accepted = 0
        self._server: asyncio.Server | None = None
        self._empty = asyncio.Event()
        self._empty.set()

    async def start(self, host: str, port: int, ssl: tls.SSLContext | None) -> None:
        """Listen.

        Raises:
            OSError: the address cannot be had.
        """
        self._server = await self.loop.create_server(
            self._connection,
            host,
            port,
            ssl=ssl,
            backlog=BACKLOG,
            reuse_address=True,
            ssl_handshake_timeout=self.limits.handshake_timeout if ssl else None,
        )
        self.host, self.port = self._server.sockets[0].getsockname()[:2]
        log.info("listening", host=self.host, port=self.port, websocket=self._websocket, tls=ssl is not None)

    def close(self) -> None:
        """Stop accepting; connections that are not ready yet are cut, the others stay."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._opening):
            connection.abort("listener closed")

    async def wait_empty(self) -> None:
        """Wait until every connection is gone and its owner was told."""
        await self._empty.wait()

    def statistics(self) -> ListenerStatistics:
        """Count the connections."""
        return ListenerStatistics(len(self.connections), len(self._opening), self._accepted)

    # What the connections use.

    def opening(self, connection: Connection) -> None:
        """Count a transport that came in."""
        self._accepted += 1
        self._empty.clear()
        self._opening.add(connection)

    def opened(self, connection: Connection) -> Owner:
        """Give an owner to a connection that is ready."""
        self._opening.discard(connection)
        self.connections.add(connection)
        return self._factory(connection)

    def lost(self, connection: Connection, reason: str) -> None:
        """Forget a connection."""
        self._opening.discard(connection)
        self.connections.discard(connection)
        if not self.connections and not self._opening:
            self._empty.set()

    def _connection(self) -> Connection:
        return Connection(self, ServerCodec(self.limits.max_frame) if self._websocket else None)


async def listen_tcp(
    host: str, port: int, factory: Factory, *, ssl: tls.SSLContext | None = None, limits: Limits | None = None
) -> Listener:
    """Listen for TCP clients; see `Listener.start`."""
    listener = Listener(factory, limits or Limits(), websocket=False)
    await listener.start(host, port, ssl)
    return listener


async def listen_ws(
    host: str, port: int, factory: Factory, *, ssl: tls.SSLContext | None = None, limits: Limits | None = None
) -> Listener:
    """Listen for WebSocket clients, on any path; see `Listener.start`."""
    listener = Listener(factory, limits or Limits(), websocket=True)
    await listener.start(host, port, ssl)
    return listener
