"""Links: connections that carry lines, over TCP or WebSocket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from godwit.drill.plan import Transport
from godwit.wire.connection import Connection
from godwit.wire.dial import connect_tcp, connect_ws


class Receiver(Protocol):
    """Who gets what comes on a link."""

    def line(self, data: bytes) -> None:
        """Take one line, without its line end."""
        ...

    def closed(self, reason: str) -> None:
        """Learn that the link is gone."""
        ...


class Link(Protocol):
    """A connection that carries lines."""

    def send(self, line: str) -> None:
        """Send one line; the line end is added."""
        ...

    def close(self) -> None:
        """Close it; the receiver is told."""
        ...


Dial = Callable[[Transport, str, Receiver], Awaitable[Link]]
"""Opens a link to an address: `host:port`, or a `ws://` URL."""


class SocketLink:
    """The owner of a connection: cuts what comes into lines."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._connection: Connection | None = None
        self._rest = b""

    @classmethod
    async def open(cls, transport: Transport, address: str, receiver: Receiver) -> Link:
        """Open a link to `host:port` or to a WebSocket URL.

        Raises:
            OSError: nobody is there.
        """
        link = cls(receiver)
        if transport == "ws":
            url = address if "://" in address else f"ws://{address}/"
            link._connection = await connect_ws(url, link)
        else:
            host, _, port = address.rpartition(":")
            link._connection = await connect_tcp(host, int(port), link)
        return link

    def send(self, line: str) -> None:
        """Send one line; the line end is added."""
        if self._connection is not None:
            self._connection.write(line.encode() + b"\r\n")

    def close(self) -> None:
        """Close the connection in order."""
        if self._connection is not None:
            self._connection.close("the drill is over")

    def data_received(self, connection: Connection, data: bytes) -> None:
        """Cut what came into lines; what has no end yet waits for more."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            stripped = line.rstrip(b"\r")
            if stripped:
                self._receiver.line(stripped)

    def closed(self, connection: Connection, reason: str) -> None:
        """Pass it on."""
        self._connection = None
        self._receiver.closed(reason)
