"""A toy chat server with two clusters and the API's moves: just enough for a drill to be tried on.

It is right by being simple: one process, one list per channel, everything at once.
`sabotage` names what it does wrong.
"""

from __future__ import annotations

import asyncio
import json
from functools import partial
from types import TracebackType
from typing import Any, Literal

from godwit.drill.doors import plain
from godwit.drill.lines import read
from godwit.drill.server import ClusterAddresses, Process, Ready
from godwit.values import Position
from godwit.wire.connection import Connection
from godwit.wire.listener import Listener, listen_tcp, listen_ws

Sabotage = Literal["", "lose", "late", "mute", "fail", "refuse", "unacknowledged", "deaf", "hang-up"]


class ToyRoom:
    """One channel: where it is and what was said."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.home = "main"
        self.epoch = 1
        self.said: list[tuple[Position, str, str, str]] = []
        self.members: list[ToySession] = []

    @property
    def position(self) -> Position:
        """Of the last message."""
        return self.said[-1][0] if self.said else Position(self.epoch, 0)


class ToySession:
    """One connection."""

    def __init__(self, toy: Toy, cluster: str, connection: Connection) -> None:
        self.toy = toy
        self.cluster = cluster
        self.connection = connection
        self.nick = ""
        self.caps: set[str] = set()
        self.deaf_to: set[str] = set()
        self._rest = b""

    def send(self, *lines: str) -> None:
        """Send lines as one element."""
        self.connection.write("".join(f"{line}\r\n" for line in lines).encode())

    def data_received(self, connection: Connection, data: bytes) -> None:
        """Obey each line."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for raw in lines:
            self._obey(raw.rstrip(b"\r"))

    def closed(self, connection: Connection, reason: str) -> None:
        """Leave all rooms."""
        for room in self.toy.rooms.values():
            if self in room.members:
                room.members.remove(self)

    def show(self, room: ToyRoom, message: tuple[Position, str, str, str]) -> None:
        """Show a message, with the tags of this connection."""
        if room.name in self.deaf_to:
            self.deaf_to.discard(room.name)
            return
        position, msg_id, talker, text = message
        tags = f"@id={msg_id}" if "twitch.tv/tags" in self.caps else ""
        if "godwit/position" in self.caps:
            tags += f";godwit-position={position}"
        self.send(f"{tags} :{talker}!{talker}@{talker}.tmi.twitch.tv PRIVMSG #{room.name} :{text}".lstrip())

    def _obey(self, raw: bytes) -> None:
        line = read(raw)
        match line.command:
            case "CAP":
                self.caps = set(line.param(1).split())
            case "NICK":
                self.nick = line.param(0)
                self.send(f":tmi.twitch.tv 001 {self.nick} :Welcome, GLHF!", f":tmi.twitch.tv 376 {self.nick} :>")
            case "PING":
                self.send(f":tmi.twitch.tv PONG tmi.twitch.tv :{line.param(0)}")
            case "JOIN":
                after = Position.parse(line.tags.get("godwit-after", ""))
                for name in line.param(0).split(","):
                    self._join(self.toy.room(name.removeprefix("#")), after)
            case "PART":
                self.toy.room(line.param(0).removeprefix("#")).members.remove(self)
            case "PRIVMSG":
                room = self.toy.room(line.param(0).removeprefix("#"))
                self.toy.said(room, self, line.param(1), line.tags.get("client-nonce", ""))

    def _join(self, room: ToyRoom, after: Position | None) -> None:
        room.members.append(self)
        start = after or room.position
        burst = [f":{self.nick}.tmi.twitch.tv 366 {self.nick} #{room.name} :End of /NAMES list"]
        if "twitch.tv/commands" in self.caps:
            burst.append(f"@godwit-position={start} :tmi.twitch.tv ROOMSTATE #{room.name}")
        self.send(*burst)
        for message in room.said:
            if message[0] > start:
                self.show(room, message)
        if after is not None and self.toy.sabotage == "deaf":
            self.deaf_to.add(room.name)


class Toy:
    """The server. Enter it, and `ready` says where it is.

    Attributes:
        listed: what the directory says of each cluster; tests change it.

    Args:
        edges: listeners of each cluster; with several, `ready` calls each a process.
    """

    def __init__(self, sabotage: Sabotage = "", edges: int = 1) -> None:
        self.sabotage = sabotage
        self.edges = edges
        self.listed: dict[str, list[ClusterAddresses]] = {}
        self.rooms: dict[str, ToyRoom] = {}
        self.ready: Ready
        self._moves: list[dict[str, Any]] = []
        self._messages = 0
        self._listeners: list[Listener] = []
        self._http: asyncio.Server

    async def __aenter__(self) -> Toy:
        """Listen."""
        for cluster in ("main", "aws"):
            self.listed[cluster] = [await self._listen(cluster) for _ in range(self.edges)]
        self._http = await asyncio.start_server(self._serve_http, "127.0.0.1", 0)
        port = self._http.sockets[0].getsockname()[1]
        clusters = {cluster: edges[0] for cluster, edges in self.listed.items()}
        processes = {
            f"edge-{cluster}-{number}": Process("edge", 1000 + number, cluster, edge.tcp, edge.ws)
            for cluster, edges in self.listed.items()
            for number, edge in enumerate(edges, 1)
            if self.edges > 1
        }
        self.ready = Ready(f"http://127.0.0.1:{port}", "secret", clusters, processes=processes)
        return self

    async def _listen(self, cluster: str) -> ClusterAddresses:
        tcp = await listen_tcp("127.0.0.1", 0, partial(ToySession, self, cluster))
        ws = await listen_ws("127.0.0.1", 0, partial(ToySession, self, cluster))
        self._listeners += [tcp, ws]
        return ClusterAddresses(f"127.0.0.1:{tcp.port}", f"ws://127.0.0.1:{ws.port}/")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self._http.close()
        for listener in self._listeners:
            listener.close()
            for connection in list(listener.connections):
                connection.abort("over")

    def room(self, name: str) -> ToyRoom:
        """A channel by its name."""
        return self.rooms.setdefault(name, ToyRoom(name))

    def said(self, room: ToyRoom, sender: ToySession, text: str, nonce: str) -> None:
        """Show a message to everybody, and acknowledge it."""
        self._messages += 1
        number = self._messages
        message = (Position(room.epoch, number), f"id-{number}", sender.nick, text)
        room.said.append(message)
        late = self.sabotage == "late" and len(room.said) == 8
        for member in list(room.members):
            lost = self.sabotage == "lose" and len(room.said) == 8 and member.nick == "legacy0"
            if member is sender or lost:
                continue
            if late and member.nick == "legacy0":
                asyncio.get_running_loop().call_later(0.2, member.show, room, message)
            else:
                member.show(room, message)
        if self.sabotage == "hang-up" and number == 8:
            sender.connection.close("sabotage")
        if not (self.sabotage == "unacknowledged" and number == 8):
            sender.send(f"@client-nonce={nonce};id=id-{number} :tmi.twitch.tv USERSTATE #{room.name}")

    def move(self, name: str, to: str) -> dict[str, Any]:
        """Move a channel, at once."""
        room = self.room(name)
        left, room.home = room.home, to
        room.epoch += 1
        for member in list(room.members):
            if member.cluster == left and self.sabotage != "mute":
                member.send(f"{self._destination(member, room)}:tmi.twitch.tv SERVERCHANGE #{name}")
        state = "failed" if self.sabotage == "fail" else "settled"
        move = {"id": f"m{len(self._moves)}", "state": state, "version": 1, "error": "", "channel": name}
        self._moves.append(move)
        return move

    def _destination(self, member: ToySession, room: ToyRoom) -> str:
        if "twitch.tv/tags" not in member.caps:
            return ""
        servers = self._servers(room.home)
        tcp, ws = (",".join(servers[key]) for key in ("servers", "websockets_servers"))
        return f"@godwit-cluster={room.home};godwit-epoch={room.epoch};godwit-tcp={tcp};godwit-ws={ws} "

    def _servers(self, cluster: str) -> dict[str, list[str]]:
        edges = self.listed[cluster]
        return {"servers": [edge.tcp for edge in edges], "websockets_servers": [plain(edge.ws) for edge in edges]}

    async def _serve_http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, path, _ = head.split(" ", 2)
        headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        status, answer = self._answer(method, path, headers.get("authorization", ""), body)
        data = json.dumps(answer).encode()
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n".encode() + data)
        await writer.drain()
        writer.close()

    def _answer(self, method: str, path: str, token: str, body: bytes) -> tuple[int, dict[str, Any]]:
        if token != "bearer secret":
            return 401, {"error": "send the token"}
        parts = path.partition("?")[0].strip("/").split("/")
        if method == "POST" and parts[0] == "channels":
            if self.sabotage == "refuse":
                return 409, {"error": "it is moving already"}
            return 202, self.move(parts[1], json.loads(body)["to"])
        if parts[0] == "servers":
            return 200, self._servers(path.rpartition("=")[2])
        if parts[0] == "moves" and int(parts[1][1:]) < len(self._moves):
            return 200, self._moves[int(parts[1][1:])]
        return 404, {"error": "there is no such thing"}
