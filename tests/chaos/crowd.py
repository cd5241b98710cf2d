"""Who is in the network while it breaks: followers and plain members, most of whom talk all the time."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from godwit.client.client import Client
from godwit.client.events import Gap, Message
from godwit.client.options import Options, Transport
from godwit.client.pace import Backoff, Rate
from godwit.drill.lines import RawLine, read
from godwit.errors import GodwitError, SayRefused, SayUnknown
from godwit.values import Addresses
from tests.chaos.account import Account

Cheat = Literal["none", "drop", "repeat", "swap", "invent", "forget", "member-drop"]
"""What one client does wrong, to show that the account finds it."""

CHEAT_AT = 30
"""At which line of the client that cheats."""

OPTIONS = Options(
    joins=Rate(10_000, 1.0),
    messages=Rate(10_000, 1.0),
    backoff=Backoff(first=0.2, cap=2.0, stable=5.0),
    connect_timeout=4.0,
    ping_interval=20.0,
)

REST = 0.3
"""Seconds before a member that lost its connection comes back."""

PATIENCE = 10.0
"""Seconds that a member waits for a login or a JOIN; then it tries the next address."""

AHEAD = 20
"""Lines of a member that may wait for their acknowledgement."""


@dataclass(frozen=True, slots=True)
class Ack:
    """A line that was acknowledged."""

    channel: str
    speaker: str
    sent_at: float
    at: float


class Witness:
    """Tells the account what clients do and see; one of them cheats, if that is wanted."""

    def __init__(self, account: Account, cheat: Cheat = "none") -> None:
        self.account = account
        self.acks: list[Ack] = []
        self.told: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self.problems: list[str] = []
        self._cheat = cheat
        self._turn = 0
        self._held: tuple[str, Message] | None = None
        self._sent: dict[str, float] = {}

    def said(self, channel: str, speaker: str, text: str) -> None:
        """A line is sent."""
        self._sent[text] = time.monotonic()
        self.account.said(channel, speaker, text, self._sent[text])

    def acknowledged(self, channel: str, speaker: str, text: str, msg_id: str) -> None:
        """A line was acknowledged."""
        now = time.monotonic()
        self.account.acknowledged(channel, text, msg_id, now)
        self.acks.append(Ack(channel, speaker, self._sent.pop(text, now), now))
        if self._cheat == "invent" and self._is_turn():
            invented = f"{speaker} {channel} invented"
            self.account.said(channel, speaker, invented, now)
            self.account.acknowledged(channel, invented, "none", now)

    def refused(self, channel: str, text: str) -> None:
        """The server says that a line was not sent."""
        self._sent.pop(text, None)
        self.account.refused(channel, text)

    def unknown(self, channel: str, text: str) -> None:
        """Nobody knows what became of a line."""
        self._sent.pop(text, None)
        self.account.unknown(channel, text)

    def follower_saw(self, reader: str, message: Message) -> None:
        """A follower is shown a line."""
        cheats = self._cheat in ("drop", "repeat", "swap", "forget") and reader == "follower0" and self._is_turn()
        if cheats and self._cheat == "swap" and self._held is None:
            self._held = (reader, message)
            self._turn = CHEAT_AT - 1
            return
        if cheats and self._cheat == "drop":
            return
        if cheats and self._cheat == "forget":
            self.account.refused(message.channel, message.text)
        self._pass_on(reader, message)
        if cheats and self._cheat == "repeat":
            self._pass_on(reader, message)
        if self._held and (reader, message.channel) == (self._held[0], self._held[1].channel):
            held, self._held, self._cheat = self._held, None, "none"
            self._pass_on(*held)

    def _pass_on(self, reader: str, message: Message) -> None:
        self.account.follower_saw(reader, message.channel, message.text, message.id, message.position)

    def member_saw(self, reader: str, channel: str, text: str, msg_id: str) -> None:
        """A member is shown a line."""
        if not (self._cheat == "member-drop" and reader == "member0" and self._is_turn()):
            self.account.member_saw(reader, channel, text, msg_id)

    def _is_turn(self) -> bool:
        self._turn += 1
        return self._turn == CHEAT_AT


class Follower:
    """A client that follows moves and resumes by itself.

    Args:
        talks_in: the channel in which it talks; '' if it only listens.
        pace: seconds between two lines, at least and at most.
    """

    def __init__(
        self,
        nick: str,
        channels: Sequence[str],
        talks_in: str,
        witness: Witness,
        *,
        servers: dict[str, Addresses],
        directory: str | None,
        transport: Transport,
        pace: tuple[float, float],
        seed: int,
    ) -> None:
        self.nick = nick
        self.talks = {talks_in} - {""}
        self._channels = channels
        self._witness = witness
        self._pace = pace
        self._random = random.Random(f"{seed} {nick}")
        self._client = Client(
            nick,
            "oauth:chaos",
            servers=servers,
            directory=directory,
            transport=transport,
            options=OPTIONS,
            random=random.Random(f"{seed} {nick} client"),
        )

    async def start(self) -> None:
        """Connect and join."""
        await self._client.__aenter__()
        for channel in self._channels:
            await self._client.join(channel)
            self._witness.account.follows(self.nick, channel)

    async def listen(self) -> None:
        """Tell the witness of all that is shown, to the end."""
        async for event in self._client:
            match event:
                case Message():
                    self._witness.follower_saw(self.nick, event)
                case Gap():
                    self._witness.account.gap(self.nick, event.channel, event.missing)
                case _:
                    self._witness.told[type(event).__name__] += 1

    async def talk(self, stop: asyncio.Event) -> None:
        """Say numbered lines, one after the other."""
        number = 0
        while self.talks and not stop.is_set():
            await _pause(stop, self._random.uniform(*self._pace))
            [channel] = self.talks
            number += 1
            text = f"{self.nick} {channel} {number:06d}"
            self._witness.said(channel, self.nick, text)
            try:
                sent = await self._client.say(channel, text)
            except SayUnknown:
                self._witness.unknown(channel, text)
            except SayRefused as error:
                self._witness.told[f"refused: {error.args[1] if len(error.args) > 1 else error}"] += 1
                self._witness.refused(channel, text)
            else:
                self._witness.acknowledged(channel, self.nick, text, sent.id)

    async def close(self) -> None:
        """Hang up."""
        await self._client.close()


class Member:
    """A raw connection to one cluster that knows nothing of moves, and comes back when it is lost.

    Args:
        addresses: `host:port` of the cluster's edges, in the order in which they are tried.
        talks_in: the channel in which it talks; '' if it only listens.
    """

    def __init__(
        self,
        nick: str,
        channels: Sequence[str],
        talks_in: str,
        witness: Witness,
        *,
        addresses: Sequence[str],
        pace: tuple[float, float],
        seed: int,
    ) -> None:
        self.nick = nick
        self.talks = {talks_in} - {""}
        self._channels = channels
        self._witness = witness
        self._addresses = addresses
        self._pace = pace
        self._random = random.Random(f"{seed} {nick}")
        self._attempt = 0
        self._number = 0
        self._joined: set[str] = set()
        self._all_in = asyncio.Event()
        self._flying: dict[str, tuple[str, str]] = {}
        self._writer: asyncio.StreamWriter | None = None

    async def start(self) -> None:
        """Wait until it is in all its channels."""
        await self._all_in.wait()

    async def listen(self) -> None:
        """Be connected, again and again."""
        while True:
            try:
                await self._connect(self._addresses[self._attempt % len(self._addresses)])
            except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
                self._witness.lost[type(error).__name__] += 1
            self._attempt += 1
            await asyncio.sleep(REST)

    async def talk(self, stop: asyncio.Event) -> None:
        """Say numbered lines without waiting for anything, as long as not too many are on their way."""
        while self.talks and not stop.is_set():
            await _pause(stop, self._random.uniform(*self._pace))
            [channel] = self.talks
            if channel not in self._joined or self._writer is None or len(self._flying) >= AHEAD:
                continue
            self._number += 1
            text = f"{self.nick} {channel} {self._number:06d}"
            self._flying[nonce := f"n{self._number}"] = (channel, text)
            self._witness.said(channel, self.nick, text)
            self._send(f"@client-nonce={nonce} PRIVMSG #{channel} :{text}")

    async def close(self) -> None:
        """Hang up; `listen` is cancelled by whoever runs it."""
        if self._writer:
            self._writer.transport.abort()

    async def _connect(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        async with asyncio.timeout(PATIENCE):
            reader, self._writer = await asyncio.open_connection(host, int(port), limit=1 << 20)
        try:
            self._send("CAP REQ :twitch.tv/tags twitch.tv/commands")
            self._send("PASS oauth:chaos")
            self._send(f"NICK {self.nick}")
            self._send("JOIN " + ",".join(f"#{channel}" for channel in self._channels))
            await self._hear(reader)
        finally:
            self._writer.transport.abort()
            self._writer = None
            self._all_in.clear()
            for channel in self._joined:
                self._witness.account.member_left(self.nick, channel, time.monotonic())
            self._joined.clear()
            for channel, text in self._flying.values():
                self._witness.unknown(channel, text)
            self._flying.clear()

    async def _hear(self, reader: asyncio.StreamReader) -> None:
        """Take lines to the end of the connection; all JOINs have to be answered in time.

        Raises:
            TimeoutError: they were not.
        """
        until = time.monotonic() + PATIENCE
        while True:
            async with asyncio.timeout(None if self._all_in.is_set() else max(0.0, until - time.monotonic())):
                data = await reader.readline()
            if not data.endswith(b"\n"):
                self._witness.lost["ended"] += 1
                return
            line = read(data.rstrip(b"\r\n"))
            if handler := _HANDLERS.get(line.command):
                handler(self, line)

    def _on_message(self, line: RawLine) -> None:
        channel = line.param(0).removeprefix("#")
        self._witness.member_saw(self.nick, channel, line.param(1), line.tags.get("id", ""))

    def _on_userstate(self, line: RawLine) -> None:
        if said := self._flying.pop(line.tags.get("client-nonce", ""), None):
            self._witness.acknowledged(said[0], self.nick, said[1], line.tags.get("id", ""))

    def _on_names_end(self, line: RawLine) -> None:
        channel = line.param(1).removeprefix("#")
        if channel not in self._joined:
            self._joined.add(channel)
            self._witness.account.member_joined(self.nick, channel, time.monotonic())
            if len(self._joined) == len(self._channels):
                self._all_in.set()

    def _on_part(self, line: RawLine) -> None:
        channel = line.param(0).removeprefix("#")
        if line.sender == self.nick and channel in self._joined:
            self._joined.discard(channel)
            self._witness.account.member_parted(self.nick, channel, time.monotonic())
            self._send(f"JOIN #{channel}")

    def _on_notice(self, line: RawLine) -> None:
        msg_id, text = line.tags.get("msg-id", ""), line.param(1).rpartition(": ")[2]
        self._witness.told[msg_id or line.param(1)] += 1
        if msg_id == "godwit_gap":
            self._witness.account.gap(self.nick, line.param(0).removeprefix("#"), None)
        for nonce, (channel, said) in self._flying.items():
            if said == text and msg_id in ("godwit_unsent", "godwit_unknown"):
                del self._flying[nonce]
                (self._witness.refused if msg_id == "godwit_unsent" else self._witness.unknown)(channel, said)
                return

    def _on_ping(self, line: RawLine) -> None:
        self._send(f"PONG :{line.param(0)}")

    def _send(self, line: str) -> None:
        if self._writer:
            self._writer.write(line.encode() + b"\r\n")


_HANDLERS: dict[str, Callable[[Member, RawLine], None]] = {
    "PRIVMSG": Member._on_message,
    "USERSTATE": Member._on_userstate,
    "366": Member._on_names_end,
    "PART": Member._on_part,
    "NOTICE": Member._on_notice,
    "PING": Member._on_ping,
}


class Crowd:
    """All clients."""

    def __init__(self, witness: Witness) -> None:
        self.clients: list[Follower | Member] = []
        self._witness = witness
        self._listening: list[asyncio.Task[None]] = []
        self._talking: list[asyncio.Task[None]] = []
        self._stop = asyncio.Event()

    @property
    def talkers(self) -> set[str]:
        """Who talks."""
        return {client.nick for client in self.clients if client.talks}

    async def come(self, clients: Sequence[Follower | Member], patience: float) -> None:
        """Have clients connect, join and listen.

        Raises:
            TimeoutError: they are not all in in time.
        """
        self.clients += clients
        async with asyncio.timeout(patience):
            for client in clients:
                if isinstance(client, Follower):
                    await client.start()
                self._listening.append(asyncio.create_task(self._kept(client.listen()), name=client.nick))
                if isinstance(client, Member):
                    await client.start()

    def talk(self) -> None:
        """Have all talk who do."""
        self._talking = [asyncio.create_task(self._kept(client.talk(self._stop))) for client in self.clients]

    async def fall_silent(self, patience: float) -> None:
        """Have nobody talk any more; what is on its way gets some time."""
        self._stop.set()
        if self._talking:
            _, late = await asyncio.wait(self._talking, timeout=patience)
            for task in late:
                task.cancel()

    async def leave(self) -> None:
        """Have all hang up."""
        for task in (*self._talking, *self._listening):
            task.cancel()
        for client in self.clients:
            with suppress(GodwitError):
                await client.close()
        if self._listening:
            await asyncio.wait([*self._listening, *self._talking])

    async def _kept(self, work: Coroutine[object, object, None]) -> None:
        try:
            await work
        except GodwitError as error:
            self._witness.problems.append(f"a client failed: {error!r}")


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
