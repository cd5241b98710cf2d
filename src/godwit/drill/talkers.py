"""The clients of a drill: talkers and listeners, legacy and following, each a few rules over raw lines.

What a client hears is told to the witness first, before the client makes anything of it.
The follower here is the least that rule F1 asks for: at SERVERCHANGE it joins on the new cluster,
asking for everything after its last position; it listens there from the answer on, and then leaves the old one.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Mapping

import msgspec

from godwit.drill.ledger import Reception
from godwit.drill.lines import RawLine, numbered, read
from godwit.drill.link import Dial, Link
from godwit.drill.plan import Part, Transport
from godwit.drill.witness import Witness
from godwit.errors import GodwitError
from godwit.values import Position

PATIENCE = 20.0
"""Seconds that a client waits for a connection, a login or a JOIN."""


class Side:
    """One connection of a client, to one cluster."""

    def __init__(self, client: Client, cluster: str, number: int) -> None:
        self.cluster = cluster
        self.number = number
        self.link: Link | None = None
        self.welcomed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.pongs: dict[str, asyncio.Future[None]] = {}
        self._client = client

    def line(self, data: bytes) -> None:
        """Take one line from the socket."""
        self._client.receive(self, data)

    def closed(self, reason: str) -> None:
        """Give up what is waited for here."""
        self.link = None
        gone = ConnectionError(f"{self._client.part.name} lost its connection to {self.cluster}: {reason}")
        for waiting in (self.welcomed, *self.pongs.values()):
            _fail(waiting, gone)
        self._client.lost(self, gone)

    def send(self, line: str) -> None:
        """Send a line, if the link is still there."""
        if self.link is not None:
            self.link.send(line)

    async def flush(self, token: str) -> None:
        """Return when everything the server had sent before this call has come.

        Raises:
            ConnectionError: the connection went away.
            TimeoutError: no answer.
        """
        if self.link is None:
            raise ConnectionError(f"{self._client.part.name} has no connection to {self.cluster} any more")
        waiting = self.pongs[token] = asyncio.get_running_loop().create_future()
        self.send(f"PING :{token}")
        async with asyncio.timeout(PATIENCE):
            await waiting
        del self.pongs[token]


class Room(msgspec.Struct):
    """What a client knows of one of its channels.

    Attributes:
        wanted: the cluster it should be on.
        listening: the cluster whose lines count; empty before the first JOIN is answered.
        joined: clusters on which it is a member.
        epoch: of the last SERVERCHANGE that was obeyed (rule F2).
        seen: position of the last line that counted.
        changes: how many SERVERCHANGEs came, per cluster.
        said: how many messages were sent.
        waiting: nonces that are not acknowledged yet.
    """

    wanted: str
    listening: str = ""
    joined: set[str] = set()
    epoch: int = 0
    seen: Position | None = None
    changes: Counter[str] = msgspec.field(default_factory=Counter)
    said: int = 0
    waiting: set[str] = set()


class Client:
    """One logical client.

    Args:
        addresses: of the cluster to begin at, per transport.
        tasks: owns what the client does on its own (following).
        turn: which address it takes where SERVERCHANGE names several: counted round and round.
    """

    def __init__(
        self,
        part: Part,
        cluster: str,
        addresses: Mapping[Transport, str],
        dial: Dial,
        witness: Witness,
        tasks: asyncio.TaskGroup,
        turn: int = 0,
    ) -> None:
        self.part = part
        self.rooms = {channel: Room(cluster) for channel in part.channels}
        self.sides: dict[str, Side] = {}
        self._entered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._home = cluster
        self._addresses = addresses
        self._dial = dial
        self._witness = witness
        self._tasks = tasks
        self._turn = turn
        self._opening = asyncio.Lock()
        self._leaving = False

    async def start(self) -> None:
        """Connect, log in and join everything.

        Raises:
            ConnectionError: refused, or lost.
            TimeoutError: no answer in time.
        """
        side = await self._side(self._home, self._addresses[self.part.transport])
        side.send("JOIN " + ",".join(f"#{channel}" for channel in self.part.channels))
        async with asyncio.timeout(PATIENCE):
            await self._entered

    @property
    def is_in_all_rooms(self) -> bool:
        """Say whether every JOIN was answered."""
        return all(room.listening for room in self.rooms.values())

    def say(self, channel: str, words: str) -> None:
        """Say the next message in a channel, not waiting for anything."""
        room = self.rooms[channel]
        room.said += 1
        nonce = f"{self.part.name}-{channel}-{room.said}"
        text = numbered(room.said, words)
        room.waiting.add(nonce)
        side = self.sides.get(self._speaking(room))
        number = side.number if side is not None else 0
        self._witness.ledger.sent(self.part.name, channel, room.said, text, nonce, number, self._witness.now())
        if side is not None:
            side.send(f"@client-nonce={nonce} PRIVMSG #{channel} :{text}")

    async def flush(self, token: str) -> None:
        """Flush every connection (see `Side.flush`)."""
        for side in list(self.sides.values()):
            await side.flush(f"{token}-{side.number}")

    def leave(self) -> None:
        """Close all connections, on purpose."""
        self._leaving = True
        for side in list(self.sides.values()):
            if side.link is not None:
                side.link.close()

    def receive(self, side: Side, data: bytes) -> None:
        """Take one line from a connection."""
        line = read(data)
        handler = _HANDLERS.get(line.command)
        if handler is not None:
            handler(self, side, line)

    def lost(self, side: Side, gone: ConnectionError) -> None:
        """Learn that a connection is gone."""
        _fail(self._entered, gone)
        if self.sides.get(side.cluster) is side:
            del self.sides[side.cluster]
            for room in self.rooms.values():
                room.joined.discard(side.cluster)
        if not self._leaving:
            self._witness.problems.append(str(gone))

    # Lines, by command -----------------------------------------------------------------------

    def _on_message(self, side: Side, line: RawLine) -> None:
        channel = line.param(0).removeprefix("#")
        self._witness.heard(
            Reception(
                self.part.name,
                self.part.role,
                channel,
                side.number,
                line.sender,
                line.param(1),
                line.tags.get("id", ""),
                self._witness.now(),
            )
        )
        room = self.rooms.get(channel)
        position = Position.parse(line.tags.get("godwit-position", ""))
        if room is not None and position is not None and room.listening == side.cluster:
            room.seen = max(room.seen or position, position)

    def _on_userstate(self, side: Side, line: RawLine) -> None:
        nonce = line.tags.get("client-nonce", "")
        if not nonce:
            return
        self._witness.ledger.acknowledged(nonce, line.tags.get("id", ""), self._witness.now())
        channel = line.param(0).removeprefix("#")
        room = self.rooms.get(channel)
        if room is not None:
            room.waiting.discard(nonce)
            self._leave_others(channel, room)

    def _on_roomstate(self, side: Side, line: RawLine) -> None:
        self._joined(side, line.param(0).removeprefix("#"), Position.parse(line.tags.get("godwit-position", "")))

    def _on_names_end(self, side: Side, line: RawLine) -> None:
        if not self.part.capabilities:
            self._joined(side, line.param(1).removeprefix("#"), None)

    def _on_serverchange(self, side: Side, line: RawLine) -> None:
        channel = line.param(0).removeprefix("#")
        room = self.rooms.get(channel)
        if room is None:
            self._witness.problems.append(f"{self.part.name} was told to change servers for #{channel}, not joined")
            return
        room.changes[side.cluster] += 1
        if self.part.role == "follower":
            self._follow(channel, room, line.tags)

    def _on_ping(self, side: Side, line: RawLine) -> None:
        side.send(f"PONG :{line.param(0)}")

    def _on_pong(self, side: Side, line: RawLine) -> None:
        waiting = side.pongs.get(line.param(1))
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def _on_welcome(self, side: Side, line: RawLine) -> None:
        if not side.welcomed.done():
            side.welcomed.set_result(None)

    def _on_notice(self, side: Side, line: RawLine) -> None:
        """Every NOTICE is bad news: nobody here does what would call for another one."""
        self._witness.problems.append(f"{self.part.name} was told on {side.cluster}, {line.param(0)}: {line.param(1)}")

    # Joining and following --------------------------------------------------------------------

    def _joined(self, side: Side, channel: str, position: Position | None) -> None:
        room = self.rooms.get(channel)
        if room is None or side.cluster in room.joined:
            return
        room.joined.add(side.cluster)
        if room.seen is None:
            room.seen = position
        if side.cluster == room.wanted:
            self._listen(side, channel, room)
        self._leave_others(channel, room)
        if not self._entered.done() and self.is_in_all_rooms:
            self._entered.set_result(None)

    def _listen(self, side: Side, channel: str, room: Room) -> None:
        room.listening = side.cluster
        self._witness.ledger.joined(self.part.name, self.part.role, channel, side.number, self._witness.now())

    def _follow(self, channel: str, room: Room, tags: Mapping[str, str]) -> None:
        cluster, epoch = tags.get("godwit-cluster", ""), tags.get("godwit-epoch", "")
        if not cluster or not epoch.isdecimal():
            self._witness.problems.append(f"{self.part.name}: SERVERCHANGE #{channel} without a destination")
            return
        if int(epoch) <= room.epoch:
            return
        room.epoch = int(epoch)
        room.wanted = cluster
        if cluster in room.joined:
            self._listen(self.sides[cluster], channel, room)
            self._leave_others(channel, room)
            return
        listed = tags.get(f"godwit-{self.part.transport}", "").split(",")
        address = listed[self._turn % len(listed)]
        self._tasks.create_task(self._join_elsewhere(channel, room, cluster, address))

    async def _join_elsewhere(self, channel: str, room: Room, cluster: str, address: str) -> None:
        try:
            side = await self._side(cluster, address)
        except (OSError, ValueError, GodwitError) as error:
            self._witness.problems.append(f"{self.part.name} could not follow #{channel} to {cluster}: {error!r}")
            return
        after = f"@godwit-after={room.seen} " if room.seen is not None else ""
        side.send(f"{after}JOIN #{channel}")

    def _leave_others(self, channel: str, room: Room) -> None:
        """Leave the clusters that are not wanted, once the wanted one has answered.

        A talker first waits for its acknowledgements: then the order of what it says does not
        depend on two connections.
        """
        if room.listening != room.wanted or room.waiting:
            return
        for cluster in room.joined - {room.wanted}:
            room.joined.discard(cluster)
            side = self.sides.get(cluster)
            if side is not None:
                side.send(f"PART #{channel}")

    def _speaking(self, room: Room) -> str:
        """Where to talk: on the old side while it is joined, for what was said there may still be under way."""
        old = room.joined - {room.wanted}
        return next(iter(old), room.wanted)

    async def _side(self, cluster: str, address: str) -> Side:
        """The connection to a cluster, opened and logged in if there is none yet."""
        async with self._opening:
            side = self.sides.get(cluster)
            if side is None:
                side = Side(self, cluster, self._witness.connection_number())
                async with asyncio.timeout(PATIENCE):
                    side.link = await self._dial(self.part.transport, address, side)
                    self.sides[cluster] = side
                    self._log_in(side)
                    await side.welcomed
            return side

    def _log_in(self, side: Side) -> None:
        if self.part.capabilities:
            side.send("CAP REQ :" + " ".join(self.part.capabilities))
        if not self.part.name.startswith("justinfan"):
            side.send(f"PASS oauth:{self.part.name}")
        side.send(f"NICK {self.part.name}")


def _fail(waiting: asyncio.Future[None], error: Exception) -> None:
    if not waiting.done():
        waiting.set_exception(error)
        waiting.exception()  # taken here: there may be nobody who waits


async def talk(client: Client, stop: asyncio.Event, words: Callable[[], str], pace: Callable[[], float]) -> None:
    """Let a client talk in its channels, in turn, until `stop` is set.

    Args:
        words: gives the rest of each text.
        pace: gives the seconds before each message.
    """
    for channel in itertools.cycle(client.part.channels):
        try:
            async with asyncio.timeout(pace()):
                await stop.wait()
            return
        except TimeoutError:
            client.say(channel, words())


_HANDLERS: dict[str, Callable[[Client, Side, RawLine], None]] = {
    "PRIVMSG": Client._on_message,
    "USERSTATE": Client._on_userstate,
    "ROOMSTATE": Client._on_roomstate,
    "366": Client._on_names_end,
    "SERVERCHANGE": Client._on_serverchange,
    "PING": Client._on_ping,
    "PONG": Client._on_pong,
    "376": Client._on_welcome,
    "NOTICE": Client._on_notice,
}
