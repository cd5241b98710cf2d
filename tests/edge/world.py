"""A small network on loopback for the tests of the edge: clusters, a store in memory, raw clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from godwit.chatlog.base import ChatLog
from godwit.chatlog.hearsay import LocalHearsay
from godwit.chatlog.memory import MemoryLog
from godwit.clock import FakeClock
from godwit.edge.channel import EdgeChannel
from godwit.edge.front import Front, Ports
from godwit.edge.node import EdgeNode
from godwit.edge.pace import Pace
from godwit.edge.session import Session
from godwit.settings import LimitSettings, Settings
from godwit.store.memory import MemoryStore
from godwit.values import Addresses, Open, Seal, Segment

DEADLINE = 10.0
"""Seconds after which a test that waits for something fails."""

ALL = "twitch.tv/tags twitch.tv/commands"


def spoil(channel: EdgeChannel, *methods: str) -> None:
    """Let methods of one channel fail."""

    def broken(*arguments: object) -> None:
        raise RuntimeError("broken")

    channel.__class__ = type("Spoilt", (EdgeChannel,), {"__slots__": (), **dict.fromkeys(methods, broken)})


class Client:
    """A raw TCP client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._pings = 0

    def send(self, *lines: str) -> None:
        """Send lines in one write."""
        self.writer.write("".join(f"{line}\r\n" for line in lines).encode())

    async def line(self) -> str:
        """The next line; '' once the server has closed."""
        async with asyncio.timeout(DEADLINE):
            return (await self.reader.readline()).decode().rstrip("\r\n")

    async def until(self, part: str) -> list[str]:
        """Lines up to the first one that contains `part`, this one included."""
        lines = [await self.line()]
        while part not in lines[-1]:
            assert lines[-1], f"closed before {part!r}: {lines}"
            lines.append(await self.line())
        return lines

    async def rest(self) -> list[str]:
        """Lines up to the end of the connection."""
        lines = []
        while line := await self.line():
            lines.append(line)
        return lines

    async def flush(self) -> list[str]:
        """All lines that come before the answer to a PING sent now."""
        self._pings += 1
        token = f"flush{self._pings}"
        self.send(f"PING :{token}")
        return (await self.until(token))[:-1]

    def close(self) -> None:
        """Hang up."""
        self.writer.close()


class Frames:
    """A raw WebSocket client that keeps frames apart."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def send(self, *lines: str) -> None:
        """Send lines in one frame."""
        await self._connection.send("\r\n".join(lines))

    async def frame(self) -> str:
        """The next frame; '' once the server has closed."""
        try:
            async with asyncio.timeout(DEADLINE):
                frame = await self._connection.recv()
        except ConnectionClosed:
            return ""
        assert isinstance(frame, str)
        return frame


class World:
    """Clusters with one edge each, on free ports."""

    def __init__(self, settings: Settings, wrap: Callable[[ChatLog], ChatLog]) -> None:
        self.settings = settings
        self.clock = FakeClock()
        self.store = MemoryStore()
        self.logs: dict[str, ChatLog] = {
            name: wrap(MemoryLog(name, f"stream-{name}", self.clock)) for name in settings.clusters
        }
        self.hearsay = LocalHearsay()
        self.pace = Pace(settings, self.clock.now, self.hearsay)
        self._paces = [self.pace]
        self.nodes: dict[str, EdgeNode] = {}
        self.fronts: dict[str, Front] = {}
        self._clients: list[Client] = []
        self._sockets: list[ClientConnection] = []
        self._seals = 0

    async def start(self) -> None:
        """Listen everywhere."""
        first = self.settings.clusters[0]
        await self.store.set_default(Segment(first, 1, 0, f"stream-{first}"), hold_until=0.0)
        for name in self.settings.clusters:
            await self._start(name, name, self.pace)

    async def _start(self, name: str, cluster: str, pace: Pace) -> EdgeNode:
        node = self.nodes[name] = EdgeNode(
            cluster,
            self.logs,
            self.store,
            self.settings,
            self.clock,
            self.addresses,
            pace=pace,
            hearsay=self.hearsay,
        )
        front = self.fronts[name] = Front([node], self.settings.edge)
        await front.listen(Ports())
        return node

    async def another(self, name: str, cluster: str) -> EdgeNode:
        """One more edge of a cluster, as if in a process of its own; clients get to it by its name."""
        pace = Pace(self.settings, self.clock.now, self.hearsay)
        self._paces.append(pace)
        return await self._start(name, cluster, pace)

    async def stop(self) -> None:
        """Close everything."""
        for client in self._clients:
            client.close()
        for socket in self._sockets:
            await socket.close()
        for front in self.fronts.values():
            front.close()
        for node in self.nodes.values():
            await node.stop(0.0)
        for pace in self._paces:
            pace.stop()
        async with asyncio.timeout(DEADLINE):
            for front in self.fronts.values():
                await front.wait_empty()

    def addresses(self, cluster: str) -> Addresses:
        """Where a cluster is."""
        front = self.fronts[cluster]
        assert front.tcp
        assert front.ws
        return Addresses(tcp=(f"127.0.0.1:{front.tcp.port}",), ws=(f"127.0.0.1:{front.ws.port}",))

    async def connect(self, cluster: str = "main") -> Client:
        """A TCP connection that has said nothing yet."""
        tcp = self.fronts[cluster].tcp
        assert tcp
        client = Client(*await asyncio.open_connection("127.0.0.1", tcp.port))
        self._clients.append(client)
        return client

    async def login(self, nick: str, cluster: str = "main", caps: str = ALL) -> Client:
        """A client that is logged in and welcomed."""
        client = await self.connect(cluster)
        if caps:
            client.send(f"CAP REQ :{caps}")
        client.send("PASS oauth:x", f"NICK {nick}")
        await client.until(f" 376 {nick} ")
        if "commands" in caps and not nick.startswith("justinfan"):
            await client.until("GLOBALUSERSTATE")
        return client

    async def join(self, nick: str, channel: str = "room", cluster: str = "main", caps: str = ALL) -> Client:
        """A client that is in a channel."""
        client = await self.login(nick, cluster, caps)
        client.send(f"JOIN #{channel}")
        await client.until(" 366 ")
        if "commands" in caps:
            await client.until("ROOMSTATE")
        return client

    async def websocket(self, nick: str, cluster: str = "main", caps: str = ALL) -> Frames:
        """A WebSocket client that has logged in; its welcome has been taken."""
        ws = self.fronts[cluster].ws
        assert ws
        connection = await connect(f"ws://127.0.0.1:{ws.port}/", subprotocols=[Subprotocol("irc")], compression=None)
        self._sockets.append(connection)
        client = Frames(connection)
        if caps:
            await client.send(f"CAP REQ :{caps}")
            assert "ACK" in await client.frame()
        await client.send("PASS oauth:x", f"NICK {nick}")
        assert f" 376 {nick} " in await client.frame()
        return client

    def session(self, nick: str, cluster: str = "main") -> Session:
        """The server's side of the one connection of a nick."""
        (found,) = [session for session in self.nodes[cluster].sessions if session.nick == nick]
        return found

    async def claim(self, channel: str) -> None:
        """Give a channel a row, as its first message does."""
        await self.store.pin([channel])
        for node in self.nodes.values():
            node.room(channel).backend.ask()
        await self.idle()

    async def idle(self) -> None:
        """Let the loop turn until the nodes have no short work under way."""
        await self.turns()
        await self.until(lambda: not any(node.statistics().tasks for node in self.nodes.values()))

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let the loop turn until something is true."""
        async with asyncio.timeout(DEADLINE):
            while not condition():  # noqa: ASYNC110  (what it waits for has no event of its own)
                await asyncio.sleep(0)

    async def turns(self, number: int = 5) -> None:
        """Let the loop turn a few times."""
        for _ in range(number):
            await asyncio.sleep(0)

    def forget_log(self, cluster: str, stream: str) -> None:
        """Replace a chat log by a new and empty one, as after a restart."""
        self.logs[cluster] = MemoryLog(cluster, stream, self.clock)

    async def move(self, channel: str, to: str) -> None:
        """Move a channel as a controller does: open and seal; the edges do the rest."""
        self._seals += 1
        source = (await self.store.placement(channel)).segment
        stream, epoch = f"stream-{to}", source.epoch + 1
        at = await self.logs[to].append(channel, Open(f"open-{self._seals}", epoch), stream=stream)
        seal = Seal(f"seal-{self._seals}", source.epoch, Segment(to, epoch, at, stream))
        await self.logs[source.cluster].append(channel, seal, stream=source.stream)


@asynccontextmanager
async def world(
    wrap: Callable[[ChatLog], ChatLog] = lambda log: log, **changed: dict[str, Any]
) -> AsyncIterator[World]:
    """A network that runs, without rate limits unless some are given.

    Args:
        wrap: put around each chat log.
        changed: section -> changed settings.
    """
    settings = Settings(clusters=("main", "aws", "group"))
    if "limits" not in changed:
        settings = replace(settings, limits=LimitSettings(preset="off"))
    for section, values in changed.items():
        settings = replace(settings, **{section: replace(getattr(settings, section), **values)})
    net = World(settings, wrap)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(net.stop)
        await net.start()
        yield net
