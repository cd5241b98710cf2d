"""Calls: connections that we open to a server, TCP or WebSocket."""

from __future__ import annotations

import asyncio
import ssl as tls

from godwit.wire.connection import Connection, Limits, Owner
from godwit.wire.flusher import Flusher
from godwit.wire.websocket import ClientCodec, Codec, parse_url

CALL_LIMITS = Limits(max_frame=16_777_216)
"""Limits of calls: a server's answer to the JOIN of a large room is one long frame (WS-2)."""


class _Call:
    """The endpoint of one connection that we open."""

    def __init__(self, owner: Owner, limits: Limits) -> None:
        self.loop = asyncio.get_running_loop()
        self.flusher = Flusher(self.loop)
        self.limits = limits
        self.ready: asyncio.Future[None] = self.loop.create_future()
        self._owner = owner

    def opening(self, connection: Connection) -> bool:
        """Want the connection: it was asked for."""
        return True

    def opened(self, connection: Connection) -> Owner:
        """Say that the connection is ready."""
        if not self.ready.done():
            self.ready.set_result(None)
        return self._owner

    def lost(self, connection: Connection, reason: str) -> None:
        """Fail the call if the connection never was ready."""
        if not self.ready.done():
            self.ready.set_exception(ConnectionRefusedError(f"not a chat server: {reason}"))


async def connect_tcp(
    host: str,
    port: int,
    owner: Owner,
    *,
    ssl: tls.SSLContext | None = None,
    timeout: float = 10.0,  # noqa: ASYNC109  (who calls by hand wants a bound without having to think of it)
    limits: Limits | None = None,
) -> Connection:
    """Open a TCP connection, ready to write to.

    Args:
        owner: hears what comes, possibly before this returns; nothing more once this has raised.
        timeout: seconds for all of it.

    Raises:
        OSError: nobody is there, or not in time (`TimeoutError`).
    """
    async with asyncio.timeout(timeout):
        return await _connect(_Call(owner, limits or CALL_LIMITS), None, host, port, ssl)


async def connect_ws(
    url: str,
    owner: Owner,
    *,
    ssl: tls.SSLContext | None = None,
    timeout: float = 10.0,  # noqa: ASYNC109  (who calls by hand wants a bound without having to think of it)
    limits: Limits | None = None,
) -> Connection:
    """Open a WebSocket connection with the subprotocol `irc` (WS-1), ready to write to.

    Args:
        url: `ws://HOST:PORT/` or `wss://HOST:PORT/`.
        owner: hears what comes, possibly before this returns; nothing more once this has raised.
        ssl: for `wss`; by default the machine's certificates are trusted.
        timeout: seconds for all of it.

    Raises:
        InvalidRequest: `url` is not a WebSocket address.
        OSError: nobody is there, or not in time (`TimeoutError`), or it does not speak WebSocket.
    """
    address = parse_url(url)
    call = _Call(owner, limits or CALL_LIMITS)
    codec = ClientCodec(address, call.limits.max_frame)
    context = (ssl or tls.create_default_context()) if address.secure else None
    async with asyncio.timeout(timeout):
        return await _connect(call, codec, address.host, address.port, context)


async def _connect(call: _Call, codec: Codec | None, host: str, port: int, ssl: tls.SSLContext | None) -> Connection:
    connection = Connection(call, codec)
    try:
        await call.loop.create_connection(lambda: connection, host, port, ssl=ssl)
        await call.ready
    except BaseException:
        call.ready.cancel()
        connection.disown()
        connection.abort("call given up")
        raise
    return connection
