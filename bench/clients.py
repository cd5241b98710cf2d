"""Connections of a bench: members that listen, talkers that talk, and one that stops reading."""

from __future__ import annotations

import asyncio
import re
import select
import socket
import time
from collections.abc import Mapping
from typing import Literal

from bench.tally import Account, Tally, text
from godwit.wire.connection import Connection
from godwit.wire.dial import connect_tcp, connect_ws

Transport = Literal["tcp", "ws"]

CHANNEL = "bench"

TAGGED = "CAP REQ :twitch.tv/tags twitch.tv/commands"

PATIENCE = 60.0
"""Seconds to wait for anything at all."""

_ACKNOWLEDGED = re.compile(rb"[@;]id=\S+ :tmi\.twitch\.tv USERSTATE ")


class Member:
    """A connection that joins a channel and counts what comes.

    Attributes:
        refused: NOTICEs: nobody here does what calls for one.
    """

    def __init__(self, nick: str, channel: str = CHANNEL, *, timed: bool = False) -> None:
        self.channel = channel
        self.refused = 0
        self._tally = Tally(timed)
        self._timed = timed
        self._nick = nick
        self._rest = b""
        self._connection: Connection | None = None
        self._waiting: tuple[bytes, asyncio.Future[None]] | None = None

    async def start(self, transport: Transport, address: str, *, tagged: bool = False) -> None:
        """Connect to `host:port`, log in and join.

        Raises:
            OSError: nobody is there, or it hung up, or did not answer in time.
        """
        if transport == "ws":
            self._connection = await connect_ws(f"ws://{address}/", self, timeout=PATIENCE)
        else:
            host, _, port = address.rpartition(":")
            self._connection = await connect_tcp(host, int(port), self, timeout=PATIENCE)
        lines = [*([TAGGED] if tagged else []), "PASS oauth:x", f"NICK {self._nick}", f"JOIN #{self.channel}"]
        await self._ask("\r\n".join(lines), b" ROOMSTATE " if tagged else b" 366 ")

    async def settle(self, said: Mapping[int, int]) -> tuple[Account, list[float]]:
        """Wait until everything has come, and begin a new account.

        Args:
            said: talker -> how many lines it said since the last time.

        Returns:
            The account and, if they were timed, how many seconds each line was under way.
        """
        await self._ask("PING :flush", b" PONG ")
        tally, self._tally = self._tally, Tally(self._timed)
        return tally.account(said), tally.delays

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close("the bench is over")

    def send(self, line: str) -> None:
        """Send one line."""
        assert self._connection is not None
        self._connection.write(line.encode() + b"\r\n")

    def data_received(self, connection: Connection, data: bytes) -> None:
        """Count whole lines; the rest waits."""
        data = self._rest + data if self._rest else data
        end = data.rfind(b"\n") + 1
        lines, self._rest = data[:end], data[end:]
        if lines:
            self.lines(lines)

    def lines(self, lines: bytes) -> None:
        """Take whole lines."""
        self._tally.feed(lines)
        self.refused += lines.count(b" NOTICE ")
        if lines.startswith(b"PING "):
            self.send("PONG :tmi.twitch.tv")
        if self._waiting and self._waiting[0] in lines and not self._waiting[1].done():
            self._waiting[1].set_result(None)

    def closed(self, connection: Connection, reason: str) -> None:
        """Fail what waits."""
        if self._waiting and not self._waiting[1].done():
            self._waiting[1].set_exception(ConnectionError(f"{self._nick}: {reason}"))

    async def _ask(self, line: str, answer: bytes) -> None:
        self._waiting = (answer, asyncio.get_running_loop().create_future())
        self.send(line)
        async with asyncio.timeout(PATIENCE):
            await self._waiting[1]


class Talker(Member):
    """A member that says numbered lines.

    Attributes:
        number: its name among the talkers.
        said: how many lines it has said.
        acknowledged: how many of them.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"talker{number}")
        self.number = number
        self.said = 0
        self.acknowledged = 0
        self._news = asyncio.Event()

    def lines(self, lines: bytes) -> None:
        """Take whole lines."""
        super().lines(lines)
        self.acknowledged += len(_ACKNOWLEDGED.findall(lines))
        self._news.set()

    def say(self, size: int) -> None:
        """Say the next line."""
        self.said += 1
        self.send(f"PRIVMSG #{self.channel} :{text(self.number, self.said, size)}")

    async def talk(self, seconds: float, *, per_second: float, size: int, enough: asyncio.Event | None = None) -> None:
        """Say lines at an even pace, whatever becomes of them, then wait for their acknowledgements.

        Args:
            enough: ends it sooner.
        """
        start = time.monotonic()
        lines = 0
        while (now := time.monotonic()) < start + seconds and not (enough and enough.is_set()):
            while lines < (now - start) * per_second:
                lines += 1
                self.say(size)
            await asyncio.sleep(max(0.0, start + lines / per_second - now))
        await self.wait_acknowledged(0)

    async def wait_acknowledged(self, left: int) -> None:
        """Wait until at most `left` lines are not acknowledged."""
        async with asyncio.timeout(PATIENCE):
            while self.said - self.acknowledged > left:
                self._news.clear()
                await self._news.wait()


class Stalled:
    """A TCP connection that joins with tags and then never reads again."""

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setblocking(False)
        self._poll = select.poll()

    async def start(self, address: str) -> None:
        """Connect to `host:port`, log in and join."""
        loop = asyncio.get_running_loop()
        host, _, port = address.rpartition(":")
        await loop.sock_connect(self._socket, (host, int(port)))
        lines = (TAGGED, "PASS oauth:x", "NICK stalled", f"JOIN #{CHANNEL}")
        await loop.sock_sendall(self._socket, "".join(f"{line}\r\n" for line in lines).encode())
        heard = b""
        while b" ROOMSTATE " not in heard:
            heard += await loop.sock_recv(self._socket, 65536)
        self._poll.register(self._socket, 0)

    async def wait_cut(self) -> None:
        """Wait until the server has cut it."""
        while not self._poll.poll(0):  # noqa: ASYNC110  (the loop could only say that there is something to read)
            await asyncio.sleep(0.02)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()
