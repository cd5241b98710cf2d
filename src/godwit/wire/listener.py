"""Listeners: where connections come in, TCP or WebSocket, with or without TLS.

They accept by themselves, the same way on every event loop: asyncio's own server logs thousands of errors
a second when the process is out of file descriptors, and uvloop's drops the clients without a word.

When thousands come at once, they are taken from the operating system as fast as they come, whose queue is short and
which turns away whom it has no room for. They are let in a few in each turn of the loop, so that what they do when
they are in, log in and join, keeps nobody waiting who was there before.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl as tls
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import structlog

from godwit.wire.connection import NOT_WANTED, Connection, Limits, Owner
from godwit.wire.flusher import Flusher
from godwit.wire.stream import AVAILABLE, Watch
from godwit.wire.websocket import ServerCodec

log = structlog.get_logger()

BACKLOG = 4096
"""Connections that may wait to be accepted: after a restart all clients come back at once."""

_TAKEN = 512  # connections taken from the operating system in one turn of the loop, at about 10 us each

_LET_IN = 32  # of them let in in one turn: with their login and a JOIN about 4 ms of work, for which others wait

_KERNEL_UNSENT = 131_072  # bytes: else Linux keeps 4 MB more for a client that does not read, before we notice

Factory = Callable[[Connection], Owner]
"""Makes the owner of a connection that is ready: TLS and WebSocket handshakes are done."""


@dataclass(frozen=True, slots=True)
class ListenerStatistics:
    """How many connections there are and have been; `opening` ones have not finished their handshake."""

    connections: int
    opening: int
    accepted: int


class Listener:
    """One listening address and the connections that came in there; made by `listen_tcp` or `listen_ws`.

    Attributes:
        connections: those that are ready, with an owner.
        host: the address listened on.
        port: the real port, also when 0 was asked for.
    """

    def __init__(
        self, listening: socket.socket, factory: Factory, limits: Limits, *, websocket: bool, ssl: tls.SSLContext | None
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.flusher = Flusher(self.loop)
        self.limits = limits
        self.connections: set[Connection] = set()
        self.host: str
        self.port: int
        self.host, self.port = listening.getsockname()[:2]
        self._listening = listening
        self._factory = factory
        self._websocket = websocket
        self._ssl = ssl
        self._watch = Watch(self.loop) if AVAILABLE and ssl is None else None
        self._come: deque[tuple[socket.socket, object]] = deque()
        self._admitting: set[asyncio.Task[None]] = set()
        self._opening: set[Connection] = set()
        self._accepted = 0
        self._closed = False
        self._failing = False  # from the first error, which is logged, until nobody waits any more
        self._retry: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()
        self._empty.set()
        self._resume()
        log.info("listening", host=self.host, port=self.port, websocket=websocket, tls=ssl is not None)

    def close(self) -> None:
        """Stop accepting; connections that are not ready yet are cut, the others stay."""
        if self._closed:
            return
        self._closed = True
        if self._retry is None:
            self.loop.remove_reader(self._listening.fileno())
        else:
            self._retry.cancel()
        self._listening.close()
        while self._come:
            self._come.popleft()[0].close()
        self._tell_if_empty()
        for connection in list(self._opening):
            connection.abort(NOT_WANTED)

    def renew(self, ssl: tls.SSLContext) -> None:
        """Show another certificate to those who come in from now on (TLS-2); who is in stays."""
        self._ssl = ssl

    async def wait_empty(self) -> None:
        """Wait until every connection is gone and its owner was told."""
        await self._empty.wait()

    def statistics(self) -> ListenerStatistics:
        """Count the connections."""
        opening = len(self._come) + len(self._admitting) + len(self._opening)
        return ListenerStatistics(len(self.connections), opening, self._accepted)

    # What the connections use.

    def opening(self, connection: Connection) -> bool:
        """Learn that a transport is there; it is not wanted once the listener is closed."""
        self._opening.add(connection)
        return not self._closed

    def opened(self, connection: Connection) -> Owner:
        """Give an owner to a connection that is ready."""
        self._opening.discard(connection)
        self.connections.add(connection)
        return self._factory(connection)

    def lost(self, connection: Connection, reason: str) -> None:
        """Forget a connection."""
        self._opening.discard(connection)
        self.connections.discard(connection)
        self._tell_if_empty()

    # Inside.

    def _accept(self) -> None:
        letting_in = bool(self._come)
        self._take()
        if self._come and not letting_in:
            self._let_in()

    def _take(self) -> None:
        """Take those who have come from the operating system."""
        for _ in range(_TAKEN):
            try:
                accepted, address = self._listening.accept()
            except (BlockingIOError, InterruptedError):
                self._failing = False
                return
            except ConnectionAbortedError:
                continue
            except OSError as error:
                self._pause(error)
                return
            self._accepted += 1
            self._empty.clear()
            self._come.append((accepted, address))

    def _let_in(self) -> None:
        """Let some of those in who have come."""
        for _ in range(min(_LET_IN, len(self._come))):
            accepted, address = self._come.popleft()
            accepted.setblocking(False)
            if self._watch is None:
                task = self.loop.create_task(self._admit(accepted, address))
                self._admitting.add(task)
                task.add_done_callback(self._admitted)
                continue
            try:
                self._watch.admit(accepted, self._connection(accepted.fileno()))
            except OSError as error:
                self._refuse(accepted, address, error)
                self._tell_if_empty()
        if self._come:
            self.loop.call_soon(self._let_in)

    async def _admit(self, accepted: socket.socket, address: object) -> None:
        """Make a transport of an accepted socket, with its TLS handshake if there is one."""
        try:
            await self.loop.connect_accepted_socket(
                partial(self._connection, -1 if self._ssl else accepted.fileno()),
                accepted,
                ssl=self._ssl,
                ssl_handshake_timeout=self.limits.handshake_timeout if self._ssl else None,
            )
        except OSError as error:
            self._refuse(accepted, address, error)

    def _refuse(self, accepted: socket.socket, address: object, error: OSError) -> None:
        log.debug("connection_refused", address=address, reason=str(error))
        accepted.close()

    def _admitted(self, task: asyncio.Task[None]) -> None:
        self._admitting.discard(task)
        self._tell_if_empty()

    def _connection(self, number: int) -> Connection:
        return Connection(self, ServerCodec(self.limits.max_frame) if self._websocket else None, number)

    def _pause(self, error: OSError) -> None:
        """Wait a moment: the process is out of file descriptors, or the machine out of memory."""
        if not self._failing:
            self._failing = True
            log.error("accept_failed", host=self.host, port=self.port, error=str(error))
        self.loop.remove_reader(self._listening.fileno())
        self._retry = self.loop.call_later(self.limits.accept_retry, self._resume)

    def _resume(self) -> None:
        self._retry = None
        self.loop.add_reader(self._listening.fileno(), self._accept)

    def _tell_if_empty(self) -> None:
        if not (self.connections or self._opening or self._admitting or self._come):
            self._empty.set()
            if self._closed and self._watch is not None:
                self._watch.close()
                self._watch = None


async def listen_tcp(
    host: str,
    port: int,
    factory: Factory,
    *,
    ssl: tls.SSLContext | None = None,
    limits: Limits | None = None,
    reuse_port: bool = False,
) -> Listener:
    """Listen for TCP clients.

    Args:
        host: an address; of a name's addresses the first one is taken.
        port: 0 takes a free one.
        factory: makes the owner of each connection that is ready.
        reuse_port: share the port with other processes that do so too; the kernel spreads connections over them.

    Raises:
        OSError: the address cannot be had.
    """
    return Listener(await _bind(host, port, reuse_port), factory, limits or Limits(), websocket=False, ssl=ssl)


async def listen_ws(
    host: str,
    port: int,
    factory: Factory,
    *,
    ssl: tls.SSLContext | None = None,
    limits: Limits | None = None,
    reuse_port: bool = False,
) -> Listener:
    """Listen for WebSocket clients, on any path (WS-1); otherwise like `listen_tcp`."""
    return Listener(await _bind(host, port, reuse_port), factory, limits or Limits(), websocket=True, ssl=ssl)


async def _bind(host: str, port: int, reuse_port: bool) -> socket.socket:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = found[0]
    listening = socket.create_server(
        (str(address[0]), int(address[1])), family=family, backlog=BACKLOG, reuse_port=reuse_port
    )
    listening.setblocking(False)
    with contextlib.suppress(OSError):  # a system that lacks the second one
        # What comes in there has the same options, so that nobody need set them for each.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _KERNEL_UNSENT)
    return listening
