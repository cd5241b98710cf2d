"""Straight writes beside those of the transports: every byte once and in order, whatever readers do."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
import pytest_asyncio

from godwit.edge.fanout import TINY, Fanout
from godwit.edge.turn import Turn
from godwit.tmi.capabilities import NONE, Caps
from godwit.wire.connection import NOT_READING, Connection, Limits, State
from godwit.wire.listener import Listener, listen_tcp
from godwit.wire.sending import SendAll
from tests.wire.test_sending import loops


@dataclass(eq=False)
class Client:
    """A reader in the room, and the far end of its connection."""

    nick: str
    connection: Connection
    caps: Caps = NONE
    socket: socket.socket | None = None
    expected: list[bytes] = field(default_factory=list)
    reason: str = ""
    left: asyncio.Event = field(default_factory=asyncio.Event)

    def data_received(self, connection: Connection, data: bytes) -> None:
        """Nothing is said."""

    def closed(self, connection: Connection, reason: str) -> None:
        """Remember why."""
        self.reason = reason
        self.left.set()


class Hall:
    """A listener with a fan-out of all who came in."""

    def __init__(self, send_all: SendAll) -> None:
        self.turn = Turn(asyncio.get_running_loop(), self._counted(send_all))
        self.fanout = Fanout("room", self.turn)
        self.clients: list[Client] = []
        self.straight = 0
        self._came = asyncio.Event()
        self.listener: Listener

    def _counted(self, send_all: SendAll) -> SendAll:
        def counted(numbers: list[int], data: bytes) -> list[tuple[int, int]]:
            missed = send_all(numbers, data)
            self.straight += len(numbers) - len(missed)
            return missed

        return counted

    def accept(self, connection: Connection) -> Client:
        """Keep who comes."""
        self.clients.append(Client(f"c{len(self.clients)}", connection))
        self._came.set()
        return self.clients[-1]

    async def client(self, small: bool = False) -> Client:
        """Somebody comes in who reads only when told to."""
        near = socket.socket()
        if small:
            near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        near.setblocking(False)
        self._came.clear()
        await asyncio.get_running_loop().sock_connect(near, (self.listener.host, self.listener.port))
        await self._came.wait()
        client = self.clients[-1]
        client.socket = near
        self.fanout.add(client)
        return client

    def say(self, line: bytes, but: Client | None = None) -> None:
        """Show a line to all but one."""
        self.fanout.message(lambda caps: line, but)
        for client in self.fanout:
            if isinstance(client, Client) and client is not but:
                client.expected.append(line)

    def tell(self, client: Client, line: bytes) -> None:
        """Show a line to one."""
        self.fanout.only(client, line)
        client.expected.append(line)

    def answer(self, client: Client, line: bytes) -> None:
        """Write to a connection beside the fan-out, as a session does."""
        self.turn.catch_up(client, [self.fanout], 1)
        client.connection.write(line)
        client.expected.append(line)


@pytest_asyncio.fixture(params=loops(), ids=lambda loop: loop.__name__)
async def hall(request: pytest.FixtureRequest) -> AsyncIterator[Hall]:
    """An empty one."""
    hall = Hall(request.param)
    hall.listener = await listen_tcp("127.0.0.1", 0, hall.accept, limits=Limits(send_buffer=4_000_000))
    yield hall
    hall.listener.close()
    for client in hall.clients:
        client.connection.abort("over")
        if client.socket is not None:
            client.socket.close()
    await hall.listener.wait_empty()


async def read(client: Client, size: int) -> bytes:
    """Read so much of what a client was sent."""
    loop, got = asyncio.get_running_loop(), bytearray()
    assert client.socket is not None
    async with asyncio.timeout(10):
        while len(got) < size:
            got += await loop.sock_recv(client.socket, 65536)
    return bytes(got)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("many", [3, TINY + 3])
async def test_every_byte_once_and_in_order(hall: Hall, many: int, seed: int) -> None:
    """Readers that stall and go on, long lines and short ones, answers in between, comings and goings."""
    dice = random.Random(seed)
    clients = [await hall.client(small=number % 3 == 0) for number in range(many)]
    for number in range(400):
        speaker = dice.choice(clients)
        line = b"%d " % number + b"x" * dice.choice((10, 100, 20_000)) + b"\r\n"
        what = dice.random()
        if what < 0.7:
            hall.say(line, speaker)
            hall.tell(speaker, b"ack\r\n")
        elif what < 0.8:
            hall.answer(speaker, line)
        elif what < 0.9:
            hall.fanout.regroup(speaker)
        elif what < 0.95:
            hall.fanout.remove(speaker)
            hall.fanout.add(speaker)
        if dice.random() < 0.5:
            await asyncio.sleep(0)
        if dice.random() < 0.05:
            reader = dice.choice(clients)
            expected = b"".join(reader.expected)
            hall.turn.flush()
            assert await read(reader, len(expected)) == expected
            reader.expected.clear()
    hall.turn.flush()
    for client in clients:
        expected = b"".join(client.expected)
        assert await read(client, len(expected)) == expected
    assert all(client.connection.buffered == 0 and client.connection.fd >= 0 for client in clients)
    assert hall.straight > 400


async def test_who_does_not_read_is_cut_and_the_others_are_served(hall: Hall) -> None:
    slow, good = await hall.client(), await hall.client()
    line = b"x" * 100_000 + b"\r\n"
    async with asyncio.timeout(10):
        while not slow.reason:
            hall.say(line)
            await asyncio.sleep(0)
            assert await read(good, len(line)) == line
    assert slow.reason == NOT_READING
    assert slow.connection.fd == -1
    assert slow.connection.state is State.CLOSED
    assert good.connection.fd >= 0


async def test_a_reader_that_went_away_costs_the_others_nothing(hall: Hall) -> None:
    gone, good = await hall.client(), await hall.client()
    assert gone.socket is not None
    gone.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # it leaves by a reset
    gone.socket.close()
    async with asyncio.timeout(10):
        for number in range(1000):
            line = b"%d\r\n" % number
            hall.say(line)
            hall.turn.flush()
            assert await read(good, len(line)) == line
            await asyncio.sleep(0)
        await gone.left.wait()
    assert gone.connection.fd == -1
