"""Links carry lines over real sockets, TCP and WebSocket."""

from __future__ import annotations

import asyncio

import pytest

from godwit.drill.link import SocketLink
from godwit.drill.plan import Transport
from godwit.wire.connection import Connection
from godwit.wire.listener import listen_tcp, listen_ws


class Ear:
    """Queues the lines that come, then the end."""

    def __init__(self) -> None:
        self.lines: asyncio.Queue[bytes] = asyncio.Queue()
        self.end: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def line(self, data: bytes) -> None:
        """Take one line."""
        self.lines.put_nowait(data)

    def closed(self, reason: str) -> None:
        """Take the end."""
        self.end.set_result(reason)


class Peer:
    """The server's end."""

    def __init__(self) -> None:
        self.connection: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
        self.received: asyncio.Queue[bytes] = asyncio.Queue()
        self.end = asyncio.Event()

    def __call__(self, connection: Connection) -> Peer:
        """Take a connection."""
        self.connection.set_result(connection)
        return self

    def data_received(self, connection: Connection, data: bytes) -> None:
        """Take what came."""
        self.received.put_nowait(data)

    def closed(self, connection: Connection, reason: str) -> None:
        """Take the end."""
        self.end.set()


@pytest.mark.parametrize("transport", ["tcp", "ws"])
async def test_lines_both_ways(transport: Transport) -> None:
    """Lines are cut at their ends, also where several come at once; CR and empty lines do not count."""
    peer, ear = Peer(), Ear()
    listener = await (listen_tcp if transport == "tcp" else listen_ws)("127.0.0.1", 0, peer)
    link = await SocketLink.open(transport, f"127.0.0.1:{listener.port}", ear)
    link.send("PING :a")
    assert await asyncio.wait_for(peer.received.get(), 10) == b"PING :a\r\n"
    connection = await peer.connection
    connection.write(b"one\r\n\r\ntwo\nthree: \xc3\xa9\r\n")
    assert [await asyncio.wait_for(ear.lines.get(), 10) for _ in range(3)] == [b"one", b"two", "three: é".encode()]
    link.close()
    await asyncio.wait_for(peer.end.wait(), 10)
    assert await asyncio.wait_for(ear.end, 10) == "the drill is over"
    link.send("ignored")
    listener.close()


async def test_a_line_in_pieces() -> None:
    """A line is a line when its end has come."""
    ear = Ear()
    link = SocketLink(ear)
    peer = Peer()
    listener = await listen_tcp("127.0.0.1", 0, peer)
    opened = await SocketLink.open("tcp", f"127.0.0.1:{listener.port}", Ear())
    connection = await asyncio.wait_for(peer.connection, 10)
    link.data_received(connection, b"on")
    assert ear.lines.empty()
    link.data_received(connection, b"e\r\ntw")
    link.data_received(connection, b"o\r\n")
    assert [ear.lines.get_nowait(), ear.lines.get_nowait()] == [b"one", b"two"]
    opened.close()
    listener.close()


@pytest.mark.parametrize("transport", ["tcp", "ws"])
async def test_nobody_there(transport: Transport) -> None:
    """That is an OSError."""
    listener = await listen_tcp("127.0.0.1", 0, Peer())
    port = listener.port
    listener.close()
    with pytest.raises(ConnectionRefusedError):
        await SocketLink.open(transport, f"127.0.0.1:{port}", Ear())
