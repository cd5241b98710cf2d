"""A verified bot in very many channels, and what it sees when all of them move."""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import Sequence

from bench import machine
from bench.clients import PATIENCE, Talker
from bench.rollouts import ROLLOUT, Network, network, took
from bench.sizes import Found, Sizes
from bench.tally import Account
from godwit.wire.connection import Connection
from godwit.wire.dial import connect_tcp

NICK = "benchbot"

WINDOW = 10.0
"""Seconds of the JOIN limit."""

CHUNK = 50
"""Channels in one JOIN."""

FREELY = 10_000_000
"""JOINs in ten seconds that are as good as any number."""

TALKERS = 5
"""Channels in which somebody talks all the while."""

_TOLD = re.compile(rb":tmi\.twitch\.tv SERVERCHANGE #(\S+)")
_ANSWERED = re.compile(rb" 366 \S+ #(\S+)")
_SAID = re.compile(rb" PRIVMSG #\S+ :(\d+) (\d+) ")


class Rate:
    """The most that came in any span of `WINDOW` seconds."""

    def __init__(self) -> None:
        self.total = 0
        self.most = 0
        self._times: deque[tuple[float, int]] = deque()
        self._lately = 0

    def count(self, number: int) -> None:
        """So many came now."""
        now = time.monotonic()
        self._times.append((now, number))
        self._lately += number
        self.total += number
        while self._times[0][0] <= now - WINDOW:
            self._lately -= self._times.popleft()[1]
        self.most = max(self.most, self._lately)


class Side:
    """The bot's connection to one cluster.

    Attributes:
        answered: channels in which it is, or has been.
        last: talker -> number of its last line that came here.
    """

    def __init__(self, bot: Bot) -> None:
        self.answered: set[bytes] = set()
        self.last: dict[int, int] = {}
        self._bot = bot
        self._rest = b""
        self._connection: Connection | None = None
        self._welcome = asyncio.Event()

    async def start(self, address: str) -> None:
        """Connect to `host:port` and log in."""
        host, _, port = address.rpartition(":")
        self._connection = await connect_tcp(host, int(port), self, timeout=PATIENCE)
        self.send("CAP REQ :twitch.tv/tags twitch.tv/commands", "PASS oauth:x", f"NICK {NICK}")
        async with asyncio.timeout(PATIENCE):
            await self._welcome.wait()

    def send(self, *lines: str) -> None:
        """Send lines."""
        assert self._connection is not None
        self._connection.write("".join(f"{line}\r\n" for line in lines).encode())

    def join(self, channels: Sequence[str]) -> None:
        """Join channels."""
        self._bot.joins.count(len(channels))
        for start in range(0, len(channels), CHUNK):
            self.send("JOIN " + ",".join(f"#{name}" for name in channels[start : start + CHUNK]))

    def part(self, channels: Sequence[str]) -> None:
        """Leave channels."""
        for start in range(0, len(channels), CHUNK):
            self.send("PART " + ",".join(f"#{name}" for name in channels[start : start + CHUNK]))

    def data_received(self, connection: Connection, data: bytes) -> None:
        """Take whole lines; the rest waits."""
        data = self._rest + data
        end = data.rfind(b"\n") + 1
        lines, self._rest = data[:end], data[end:]
        if b" 376 " in lines:
            self._welcome.set()
        if lines.startswith(b"PING ") or b"\nPING " in lines:
            self.send("PONG :tmi.twitch.tv")
        for talker, number in _SAID.findall(lines):
            self._bot.heard(self, int(talker), int(number))
        if found := _ANSWERED.findall(lines):
            self.answered.update(found)
            self._bot.entered(self, found)
        if b" PONG " in lines:
            self._bot.answered()
        if told := _TOLD.findall(lines):
            self._bot.told(told)

    def closed(self, connection: Connection, reason: str) -> None:
        """Say that it is gone."""
        self._bot.lost_connection(reason)

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close("the bench is over")


class Bot:
    """Sits in all channels and follows every move at once: joins on the new side, then parts the old one.

    Attributes:
        joins: JOINs that it sent.
        changes: SERVERCHANGE lines that it got.
    """

    def __init__(self, channels: Sequence[str]) -> None:
        self.channels = channels
        self.joins = Rate()
        self.changes = Rate()
        self.old = Side(self)
        self.new = Side(self)
        self.heard_of: dict[int, set[int]] = {}
        self.repeated = 0
        self.misordered = 0
        self._news = asyncio.Event()
        self._problem = ""
        self._pongs = 0

    async def enter(self, limit: int) -> None:
        """Join everything on the old side, as fast as the limit lets it."""
        for start in range(0, len(self.channels), limit):
            opens = 0.0
            for first in range(start, min(start + limit, len(self.channels)), 10 * CHUNK):
                last = min(first + 10 * CHUNK, start + limit, len(self.channels))
                self.old.join(self.channels[first:last])
                await self.until_in(self.old, last)
                opens = opens or time.monotonic() + WINDOW  # the server counts from before its first answer
            if start + limit < len(self.channels):
                await asyncio.sleep(opens - time.monotonic())

    async def until_in(self, side: Side, count: int) -> None:
        """Wait until it is in so many channels on a side."""
        while len(side.answered) < count:
            self._news.clear()
            async with asyncio.timeout(PATIENCE):
                await self._news.wait()
            if self._problem:
                raise ConnectionError(self._problem)

    async def flush(self) -> None:
        """Ask both sides for a sign of life: what was said before has come by then, or never will."""
        self._pongs = 0
        for side in (self.old, self.new):
            side.send("PING :flush")
        while self._pongs < 2:
            self._news.clear()
            async with asyncio.timeout(PATIENCE):
                await self._news.wait()

    def told(self, channels: Sequence[bytes]) -> None:
        """Channels have moved."""
        self.changes.count(len(channels))
        if wanted := [name for name in channels if name not in self.new.answered]:
            self.new.join([name.decode() for name in wanted])

    def entered(self, side: Side, channels: Sequence[bytes]) -> None:
        """It is in channels on a side."""
        if side is self.new:
            self.old.part([name.decode() for name in channels])
        self._news.set()

    def heard(self, side: Side, talker: int, number: int) -> None:
        """A line of a talker came; of both sides while they overlap, on each once and in order."""
        last = side.last.get(talker, 0)
        if number == last:
            self.repeated += 1
        elif number < last:
            self.misordered += 1
        side.last[talker] = max(number, last)
        self.heard_of.setdefault(talker, set()).add(number)

    def answered(self) -> None:
        """A sign of life."""
        self._pongs += 1
        self._news.set()

    def lost_connection(self, reason: str) -> None:
        """A connection has ended."""
        self._problem = reason
        self._news.set()

    def account(self, said: dict[int, int]) -> Account:
        """What was said where it is, and what it heard of that."""
        expected = sum(said.values())
        heard = sum(len(numbers) for numbers in self.heard_of.values())
        return Account(expected, expected, heard, expected - heard, self.repeated, self.misordered)


async def bot(sizes: Sizes) -> Found:
    """A verified bot in very many channels that all move: how long, what it is told, and the server's memory."""
    channels = [f"c{number}" for number in range(sizes.bot)]
    limits = {
        "limits.preset": "now",
        "limits.verified_joins": str(sizes.bot_joins or FREELY),
        "limits.messages": "100000",
        "limits.channel_interval": "0.000001",
    }
    unpaced = {"move.notice_share": "0"}
    async with network(limits if sizes.bot_joins else limits | unpaced) as server:
        await server.ask("POST", "/accounts", {"login": NICK, "bot": "verified", "by": "bench"})
        if sizes.bot_rows:
            await server.tell_of(channels)
        memory = [machine.memory(server.pid)]
        guest = Bot(channels)
        await guest.old.start(server.ready.clusters["main"].tcp)
        await guest.new.start(server.ready.clusters["aws"].tcp)
        began = time.monotonic()
        await guest.enter(sizes.bot_joins or FREELY)
        joined = time.monotonic() - began
        most_joins, guest.joins = guest.joins.most, Rate()
        memory.append(machine.memory(server.pid))

        over = asyncio.Event()
        talkers = [_talker(number, channels[number * (sizes.bot // TALKERS)]) for number in range(TALKERS)]
        for talker in talkers:
            await talker.start("tcp", server.ready.clusters["main"].tcp, tagged=True)
        async with asyncio.TaskGroup() as group:
            for talker in talkers:
                group.create_task(talker.talk(3600.0, per_second=2, size=80, enough=over))
            seconds, whole, cpu = await _move(server, guest)
            over.set()
        memory.append(machine.memory(server.pid))
        await guest.flush()
        for talker in talkers:
            talker.close()
        account = guest.account({talker.number: talker.said for talker in talkers})
        guest.old.close()
        guest.new.close()
    row = {
        "channels": sizes.bot,
        "rows": sizes.bot_rows,
        "joins_allowed_in_10_s": sizes.bot_joins,
        "joined_in_s": round(joined, 1),
        "joins_in_10_s": most_joins,
        "placements_moved_in_s": round(seconds, 1),
        "bot_moved_in_s": round(whole, 1),
        "told": guest.changes.total,
        "followed": len(guest.new.answered),
        "told_in_10_s": guest.changes.most,
        "free_joins": guest.joins.total,
        "free_joins_in_10_s": guest.joins.most,
        "server_cpu_us_each": round(cpu / sizes.bot * 1e6),
        "memory_before_mib": round(memory[0] / 2**20, 1),
        "memory_joined_mib": round(memory[1] / 2**20, 1),
        "memory_moved_mib": round(memory[2] / 2**20, 1),
        "joined_bytes_each": round((memory[1] - memory[0]) / sizes.bot),
    }
    return Found([row], account)


def _talker(number: int, channel: str) -> Talker:
    talker = Talker(number)
    talker.channel = channel
    return talker


async def _move(server: Network, guest: Bot) -> tuple[float, float, float]:
    """Move everything; seconds until the placements are there and until the bot is, and the server's CPU."""
    used, began = machine.cpu(server.pid), time.monotonic()
    await server.wish("start", toml=ROLLOUT, replan=True)
    status = await server.wait_rollout("finished")
    await guest.until_in(guest.new, len(guest.channels))
    whole = time.monotonic() - began
    return took(status, "running", "finished"), whole, machine.cpu(server.pid) - used
