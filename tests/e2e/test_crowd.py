"""Many idle connections, and a client that stops reading, leave a busy room undisturbed."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

from godwit.drill.link import Link, SocketLink
from godwit.drill.plan import Transport
from tests.bots.driver import DEADLINE
from tests.e2e.harness import RawClient, Server, raw_client, serve

CHANNEL = "busy"

TALKERS = ("anna", "ben", "carla")

LISTENERS = {"dora": "", "emil": "twitch.tv/tags", "frida": "twitch.tv/tags twitch.tv/commands twitch.tv/membership"}
"""Nick and capabilities."""


class Room:
    """A busy room: some talk, some only listen, and what each heard is compared with what was said."""

    def __init__(self, talkers: list[RawClient], listeners: list[RawClient]) -> None:
        self.talkers = talkers
        self.listeners = listeners
        self.said: dict[str, list[str]] = {talker.nick: [] for talker in talkers}

    async def talk(self, lines: int, size: int = 20) -> None:
        """Everybody says so many lines of that size; returns when all is acknowledged and all listeners have it."""
        async with asyncio.TaskGroup() as group:
            for talker in self.talkers:
                said = self.said[talker.nick]
                texts = [f"{len(said) + number} ".ljust(size, "x") for number in range(lines)]
                said += texts
                group.create_task(talker.chat(CHANNEL, texts))
        for client in (*self.talkers, *self.listeners):
            await client.flush()

    def check(self) -> None:
        """Each heard every line of the others exactly once, all in one order."""
        record = self.listeners[0].heard(CHANNEL)
        for nick, texts in self.said.items():
            assert [text for sender, text in record if sender == nick] == texts
        for client in (*self.talkers, *self.listeners):
            assert client.heard(CHANNEL) == [line for line in record if line[0] != client.nick], client.nick


@contextlib.asynccontextmanager
async def room(address: str) -> AsyncIterator[Room]:
    """Talkers and listeners in one channel."""
    async with contextlib.AsyncExitStack() as stack:
        talkers = [await stack.enter_async_context(raw_client(address, nick)) for nick in TALKERS]
        listeners = [await stack.enter_async_context(raw_client(address, nick)) for nick in LISTENERS]
        for talker in talkers:
            await talker.login(CHANNEL)
        for listener in listeners:
            await listener.login(CHANNEL, caps=LISTENERS[listener.nick])
        yield Room(talkers, listeners)


class Idler:
    """A connection that sits there; it notes what comes."""

    def __init__(self) -> None:
        self.link: Link | None = None
        self.joined = asyncio.Event()
        self.answered = asyncio.Event()
        self.closed_because = ""
        self.messages = 0

    def line(self, data: bytes) -> None:
        """Take one line."""
        if b" 366 " in data:
            self.joined.set()
        elif b" PONG " in data:
            self.answered.set()
        elif b" PRIVMSG " in data:
            self.messages += 1

    def closed(self, reason: str) -> None:
        """Note the end."""
        self.closed_because = reason
        self.joined.set()
        self.answered.set()

    async def start(self, transport: Transport, address: str, nick: str) -> None:
        """Log in and join a quiet channel."""
        self.link = await SocketLink.open(transport, address, self)
        for line in ("CAP REQ :twitch.tv/tags twitch.tv/commands", "PASS oauth:x", f"NICK {nick}", "JOIN #quiet"):
            self.link.send(line)
        await self.joined.wait()

    async def ping(self) -> None:
        """Ask whether the server still serves this connection, and wait for the answer."""
        assert self.link is not None
        self.link.send("PING :still here")
        await self.answered.wait()

    def close(self) -> None:
        """Hang up."""
        if self.link is not None:
            self.link.close()


async def connect_idlers(server: Server, count: int) -> list[Idler]:
    """As many connections, every other one over WebSocket, every fourth one with an account."""
    idlers = [Idler() for _ in range(count)]
    at_once = asyncio.Semaphore(50)

    async def connect(number: int, idler: Idler) -> None:
        async with at_once:
            nick = f"idler{number}" if number % 4 == 0 else f"justinfan{10_000 + number}"
            websocket = number % 2 == 1
            await idler.start("ws" if websocket else "tcp", server.ws() if websocket else server.tcp(), nick)

    async with asyncio.timeout(2 * DEADLINE), asyncio.TaskGroup() as group:
        for number, idler in enumerate(idlers):
            group.create_task(connect(number, idler))
    return idlers


async def test_a_thousand_idle_connections_leave_a_busy_room_undisturbed(tmp_path: Path) -> None:
    async with serve(tmp_path) as server, room(server.tcp()) as busy:
        await busy.talk(50)
        idlers = await connect_idlers(server, 1000)
        assert await server.metric("edge_connections") == 1000 + len(TALKERS) + len(LISTENERS)

        await busy.talk(200)
        await asyncio.gather(busy.talk(200), server.move(CHANNEL, "aws"))
        await busy.talk(50)
        busy.check()

        async with asyncio.timeout(DEADLINE):
            await asyncio.gather(*(idler.ping() for idler in idlers))
        assert {idler.closed_because for idler in idlers} == {""}
        assert sum(idler.messages for idler in idlers) == 0
        for idler in idlers:
            idler.close()


async def stall(address: str, nick: str) -> socket.socket:
    """A connection that joins the busy room and then reads nothing any more."""
    loop = asyncio.get_running_loop()
    stalled = socket.socket()
    stalled.setblocking(False)
    # What the operating system would keep for it is no business of this test.
    stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    host, port = address.rsplit(":", 1)
    await loop.sock_connect(stalled, (host, int(port)))
    await loop.sock_sendall(stalled, f"PASS oauth:x\r\nNICK {nick}\r\nJOIN #{CHANNEL}\r\n".encode())
    heard = b""
    async with asyncio.timeout(DEADLINE):
        while b" 366 " not in heard:
            heard += await loop.sock_recv(stalled, 4096)
    return stalled


async def test_a_client_that_stops_reading_is_cut_and_disturbs_nobody(tmp_path: Path) -> None:
    async with serve(tmp_path, "edge.send_buffer=262144") as server, room(server.tcp()) as busy:
        stalled = await stall(server.tcp(), "stalled")
        address = "{}:{}".format(*stalled.getsockname())

        # It reads nothing, and still all others hear all.
        await busy.talk(100, size=400)
        assert server.logged("event=connection_cut") == []
        everybody = len(TALKERS) + len(LISTENERS)
        assert await server.metric("edge_connections") == everybody + 1

        # It is cut once more waits for it than may, and the room goes on.
        for _ in range(20):
            if not server.logged("event=connection_cut"):
                await busy.talk(100, size=400)
        [cut] = server.logged("event=connection_cut")
        assert f"peer={address}" in cut
        assert 'reason="send buffer full"' in cut
        await busy.talk(100, size=400)
        busy.check()
        assert await server.metric("edge_connections") == everybody
        assert await server.metric("edge_slow_readers_total") == 1
        stalled.close()
