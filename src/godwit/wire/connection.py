"""One connection, TCP or WebSocket, on either side.

A connection belongs to an endpoint (a listener, or a call to a server) and talks to an owner. States::

    OPENING  ->  the transport or the WebSocket handshake is not ready; there is no owner yet
    OPEN     ->  the owner hears what comes and may write
    CLOSING  ->  what was queued still goes out; nothing is heard or accepted any more
    CLOSED   ->  the owner was told, once

The owner is called from the event loop only, never from within a method that it called itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, cast

import structlog

from godwit.wire.flusher import Flusher
from godwit.wire.websocket import NORMAL, Codec

log = structlog.get_logger()

BY_PEER = "closed by peer"
"""Reason: the other side ended the connection, in order."""

NOT_READING = "send buffer full"
"""Reason: the other side does not read as fast as it is written to."""

NOT_WANTED = "listener closed"
"""Reason: the connection came in while its listener was closed."""

NOT_READY = "handshake timeout"
"""Reason: the other side did not finish the handshake in time."""

HEARD_AT_ONCE = 4096
"""Bytes of one connection that are heard in one turn of the loop. The system hands over megabytes at once, and a client
that sends nothing but short lines would keep all others waiting for seconds."""

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time


class State(enum.IntEnum):
    """How far a connection has got; it only ever grows."""

    OPENING = 0
    OPEN = 1
    CLOSING = 2
    CLOSED = 3


_OPEN = State.OPEN  # asked for with every read and write, and an enum is slow to look its members up


@dataclass(frozen=True, slots=True)
class Limits:
    """What one connection may use.

    Attributes:
        send_buffer: bytes that may wait for the other side; with more it is cut.
        max_frame: longest WebSocket message in bytes; a longer one closes the connection (1009).
        handshake_timeout: seconds for the TLS and the WebSocket handshake.
        close_timeout: seconds in which what was queued may still go out; then the connection is cut.
        accept_retry: seconds for which a listener waits when the machine gives it no more connections.
    """

    send_buffer: int = 1_048_576
    max_frame: int = 65_536
    handshake_timeout: float = 10.0
    close_timeout: float = 5.0
    accept_retry: float = 1.0


class Owner(Protocol):
    """Who a connection belongs to."""

    def data_received(self, connection: Connection, data: bytes) -> None:
        """Hear what came: never empty, not cut at line ends. A WebSocket message always ends with one."""
        ...

    def closed(self, connection: Connection, reason: str) -> None:
        """Learn that the connection is gone, and why; called once, last."""
        ...


class Endpoint(Protocol):
    """What the connections of one listener, or of one call, share."""

    loop: asyncio.AbstractEventLoop
    flusher: Flusher
    limits: Limits

    def opening(self, connection: Connection) -> bool:
        """Learn that a transport is there; False if it is not wanted any more."""
        ...

    def opened(self, connection: Connection) -> Owner:
        """Give the owner to a connection that is ready."""
        ...

    def lost(self, connection: Connection, reason: str) -> None:
        """Learn that a connection is gone; called once, last."""
        ...


class Connection(asyncio.Protocol):
    """One connection, TCP or WebSocket, on either side.

    Attributes:
        websocket: what is written goes out in frames.
        fd: number of the socket while bytes may be handed straight to it, as `write_raw` would (see `sending`): it is
            open, without TLS, and nothing waits in front, here or in the transport; otherwise -1.
        fanouts: in how many fan-outs it is; they keep the count.

    Args:
        number: the socket's number, if there is no TLS on it and straight writes are wanted.
    """

    __slots__ = (
        "_codec",
        "_deadline",
        "_endpoint",
        "_full",
        "_number",
        "_owner",
        "_queue",
        "_queued",
        "_reason",
        "_state",
        "_transport",
        "_unheard",
        "fanouts",
        "fd",
        "websocket",
    )

    def __init__(self, endpoint: Endpoint, codec: Codec | None = None, number: int = -1) -> None:
        self._endpoint = endpoint
        self._codec = codec
        self._owner: Owner | None = None
        self._transport: asyncio.Transport | None = None
        self._queue: list[bytes] | None = None
        self._queued = 0
        self._reason = ""
        self._state = State.OPENING
        self._deadline: asyncio.TimerHandle | None = None
        self._number = number
        self._unheard = b""  # has come, and is heard in the turns to come; nothing is read meanwhile
        self._full = False  # the transport has bytes that the operating system did not take
        self.websocket = codec is not None
        self.fd = -1
        self.fanouts = 0

    # What the owner uses.

    @property
    def state(self) -> State:
        """How far the connection has got."""
        return self._state

    @property
    def peer(self) -> str:
        """Address of the other side as `host:port`; empty when it is not known."""
        name = self._transport.get_extra_info("peername") if self._transport is not None else None
        if not name:
            return ""
        host, port = name[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def secure(self) -> bool:
        """Whether it is encrypted (TLS)."""
        return self._transport is not None and self._transport.get_extra_info("sslcontext") is not None

    @property
    def buffered(self) -> int:
        """Bytes that wait for the other side."""
        if self._transport is None or self._state is State.CLOSED:
            return 0
        return self._queued + self._transport.get_write_buffer_size()

    def write(self, data: bytes) -> None:
        """Queue `data`; on WebSocket it becomes one text frame. Ignored once the connection closes."""
        if self._state is not _OPEN:
            return
        if self._codec is None:
            self._put(data)
        elif self._codec.open:
            self._put(self._codec.encode(data))

    def write_frames(self, pieces: Iterable[bytes]) -> None:
        """Queue pieces; on WebSocket each becomes one text frame (WS-2)."""
        for piece in pieces:
            self.write(piece)

    def write_raw(self, data: bytes) -> None:
        """Queue ready-made bytes of the wire: for WebSocket, frames made by `frame` (server side only)."""
        if self._state is _OPEN:
            self._put(data)

    def flush(self) -> None:
        """Hand what is queued to the transport; called once per turn of the loop by the flusher."""
        queue, size = self._queue, self._queued
        if queue is None or self._transport is None or self._state is State.CLOSED:
            return
        self._queue = None
        self._queued = 0
        if size + self._transport.get_write_buffer_size() > self._endpoint.limits.send_buffer:
            self.abort(NOT_READING)
            return
        self._transport.write(queue[0] if len(queue) == 1 else b"".join(queue))
        self._settle()

    def close(self, reason: str, code: int = NORMAL) -> None:
        """Close in order: what is queued goes out first, then the WebSocket close handshake is done.

        Args:
            reason: told to the owner and, on WebSocket, to the other side.
            code: WebSocket close code (RFC 6455, 7.4).
        """
        if self._state >= State.CLOSING or self._transport is None:
            return
        shaken = self._codec is not None and self._state is _OPEN
        self._leave(reason)
        if self._codec is not None and shaken:
            self._codec.close(code, reason)
            self._drain_codec()
        else:
            self._finish()

    def abort(self, reason: str) -> None:
        """Cut the connection by a reset; what waits is dropped, here and in the operating system."""
        if self._state is State.CLOSED or self._transport is None:
            return
        if not self._reason:
            self._reason = reason
            log.info("connection_cut", reason=reason, peer=self.peer, buffered=self.buffered)
        self._state = State.CLOSING
        self.fd = -1
        self._queue = None
        self._queued = 0
        transport_socket = self._transport.get_extra_info("socket")
        if transport_socket is not None:
            with contextlib.suppress(OSError):  # the other side may be gone already
                transport_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()

    def disown(self) -> None:
        """Let the owner hear nothing any more, not even of the end."""
        self._owner = None

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; a TCP connection is ready with it."""
        self._transport = cast(asyncio.Transport, transport)
        if self._number >= 0:
            self._transport.set_write_buffer_limits(high=0)  # so it says each time whether bytes are left
        if not self._endpoint.opening(self):
            self.abort(NOT_WANTED)
        elif self._codec is None:
            self._open()
        else:
            self._arm(self._endpoint.limits.handshake_timeout)
            self._drain_codec()

    def data_received(self, data: bytes) -> None:
        """Hear what came: at once, or a part of it in each turn of the loop if it is much."""
        if len(data) <= HEARD_AT_ONCE and not self._unheard:
            if self._codec is None and self._state is _OPEN and self._owner is not None:
                self._owner.data_received(self, data)
            else:
                self._hear(data)
            return
        if not self._unheard and self._transport is not None:
            self._transport.pause_reading()
            self._endpoint.loop.call_soon(self._hear_more)
        self._unheard += data

    def eof_received(self) -> None:
        """Close too: who stops sending has left; what came is heard, and what is queued still goes out."""
        unheard, self._unheard = self._unheard, b""
        if unheard:
            self._hear(unheard)
        self._leave(BY_PEER)
        self.flush()

    def pause_writing(self) -> None:
        """Learn that the transport has bytes left: whatever comes goes behind them."""
        self._full = True
        self.fd = -1

    def resume_writing(self) -> None:
        """Learn that the transport has nothing left."""
        self._full = False
        self._settle()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the owner and the endpoint."""
        self._state = State.CLOSED
        self.fd = -1
        self._disarm()
        if not self._reason:
            self._reason = BY_PEER if exc is None else f"connection lost: {exc}"
        log.debug("connection_closed", reason=self._reason)
        owner, self._owner = self._owner, None
        self._codec = None
        self._queue = None
        self._unheard = b""
        try:
            if owner is not None:
                owner.closed(self, self._reason)
        finally:
            self._endpoint.lost(self, self._reason)

    # Inside.

    def _hear(self, data: bytes) -> None:
        """Pass bytes to the owner, or feed them to the WebSocket protocol first."""
        codec = self._codec
        if codec is None:
            if self._state is _OPEN and self._owner is not None:
                self._owner.data_received(self, data)
            return
        text = codec.receive(data)
        if self._state is State.OPENING and codec.open:
            self._drain_codec()  # the answer to the handshake goes before anything the owner writes
            self._open()
        if text and self._state is _OPEN and self._owner is not None:
            self._owner.data_received(self, text)
        self._drain_codec()
        if self._state is _OPEN and not codec.open:
            self._leave(codec.error or BY_PEER)

    def _hear_more(self) -> None:
        data = self._unheard
        if not data or self._transport is None:
            return  # it has ended meanwhile
        self._unheard = data[HEARD_AT_ONCE:]
        self._hear(data[:HEARD_AT_ONCE])
        if self._unheard:
            self._endpoint.loop.call_soon(self._hear_more)
        elif not self._transport.is_closing():
            self._transport.resume_reading()

    def _open(self) -> None:
        self._disarm()
        self._state = State.OPEN
        self._settle()
        self._owner = self._endpoint.opened(self)

    def _settle(self) -> None:
        """Allow straight writes again if nothing stands against it."""
        if self._queue is None and not self._full and self._state is _OPEN:
            self.fd = self._number

    def _put(self, data: bytes) -> None:
        if self._queue is None:
            self._queue = [data]
            self.fd = -1
            self._endpoint.flusher.add(self)
        else:
            self._queue.append(data)
        self._queued += len(data)

    def _drain_codec(self) -> None:
        if self._codec is None or self._transport is None or self._transport.is_closing():
            return
        for data in self._codec.data_to_send():
            if data:
                self._put(data)
            else:
                self._leave(self._codec.error or BY_PEER)
                self._finish()

    def _leave(self, reason: str) -> None:
        """Stop hearing and accepting anything; what was queued has `close_timeout` to go out."""
        self._reason = self._reason or reason
        if self._state < State.CLOSING:
            self._state = State.CLOSING
            self.fd = -1
            self._arm(self._endpoint.limits.close_timeout)

    def _finish(self) -> None:
        self.flush()
        if self._transport is not None:
            self._transport.close()

    def _arm(self, seconds: float) -> None:
        self._disarm()
        self._deadline = self._endpoint.loop.call_later(seconds, self._overdue)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _overdue(self) -> None:
        self.abort(NOT_READY if self._state is State.OPENING else NOT_READING)
