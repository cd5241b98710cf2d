"""A rehearsal: what a channel's peak would do to a cluster, tried with synthetic members in a hidden room.

Real edges, a real log and real sockets: as many members as the channel has at its peak, and its messages per
second, both times a factor. Every member compares what it reads with what the others read.
"""

from __future__ import annotations

import asyncio
import os
import resource
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from math import ceil

import msgspec
import structlog

from godwit.control.hidden import Chatter, Credentials, Place, anonymous, dial, hidden_room
from godwit.control.sightings import Latencies, Reader, Sightings
from godwit.errors import LoginRefused, UnknownCluster
from godwit.tmi.client_events import ClientEvent, UserState
from godwit.values import Addresses
from godwit.wire.connection import Connection

log = structlog.get_logger()

AT_ONCE = 25
"""Members that are on their way in at the same time, at most."""

JOIN = 30.0
"""Seconds that one of them may take."""

PER_TALKER = 3.0
"""Messages per second that one talker sends, at most: what a channel's owner may."""

LATE = 10.0
"""Seconds to wait at the end for what is missing."""

HELD_UP = 0.9
"""Share of the messages below which the load was not the one that was wanted."""

PER_SESSION = 4
"""File descriptors of ours that one member may take: both ends, when the edge runs in this process, and as many left
for everybody else."""


class Load(msgspec.Struct, frozen=True):
    """What is to be carried.

    Attributes:
        channel: whose peak it is.
        members: how many read.
        rate: messages per second.
        seconds: for how long.
    """

    channel: str
    members: int
    rate: float
    seconds: float


class Outcome(msgspec.Struct, frozen=True):
    """What came of it.

    Attributes:
        wanted: members that were to be there.
        joined: members that came in.
        left: members whose connection ended before the end.
        said: messages that were sent.
        due: messages that should have been.
        acknowledged: messages that were acknowledged.
        deliveries: messages shown to members, each counted once per member.
        lost: acknowledged messages that were not shown, each counted once per member.
        p50, p99: seconds from sending to reading; None without deliveries.
        note: what was not as asked for.
    """

    wanted: int
    joined: int
    left: int
    said: int
    due: int
    acknowledged: int
    deliveries: int
    lost: int
    repeated: int
    disorder: int
    p50: float | None
    p99: float | None
    note: str = ""

    @property
    def sound(self) -> bool:
        """Everybody came in and stayed, and everybody saw everything once and in one order."""
        wrong = self.lost or self.repeated or self.disorder or self.left
        return not wrong and self.joined == self.wanted and self.acknowledged == self.said

    @property
    def loaded(self) -> bool:
        """The load was what was wanted: if not, the outcome says little."""
        return self.said >= HELD_UP * self.due

    def __str__(self) -> str:
        p99 = "no deliveries" if self.p99 is None else f"p99 {self.p99 * 1000:.1f} ms over {self.deliveries} deliveries"
        wrong = {
            "not let in": self.wanted - self.joined,
            "cut off": self.left,
            "not acknowledged": self.said - self.acknowledged,
            "lost": self.lost,
            "repeated": self.repeated,
            "out of order": self.disorder,
            "messages could not be sent in time": self.due - self.said if not self.loaded else 0,
        }
        told = ", ".join(f"{count} {what}" for what, count in wrong.items() if count) or "nothing lost"
        note = f"; {self.note}" if self.note else ""
        return f"{self.joined} members, {self.said} messages: {told}; {p99}{note}"


class Rehearsals:
    """Carries rehearsals out, one at a time.

    Args:
        clusters: with the addresses that clients are told.
        place: puts the hidden room on the cluster.
        credentials: lets the talkers in.
        most_sessions: members and talkers of one rehearsal, at most.
        now: seconds that only grow.
        sleep: how pauses are made.
    """

    def __init__(
        self,
        clusters: Callable[[], Mapping[str, Addresses]],
        place: Place,
        credentials: Credentials,
        *,
        most_sessions: int = 5000,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clusters = clusters
        self._place = place
        self._credentials = credentials
        self._most = most_sessions
        self._now = now
        self._sleep = sleep

    async def rehearse(self, cluster: str, load: Load, progress: Callable[[str], None] = lambda line: None) -> Outcome:
        """Put the load on a cluster.

        Args:
            progress: takes a line about how far it is.

        Raises:
            GodwitError, OSError: it could not be carried out; nothing is known.
        """
        addresses = self._clusters().get(cluster)
        if addresses is None:
            raise UnknownCluster(f"there is no cluster {cluster!r}")
        most = max(1, min(self._most, spare_sessions()))
        talkers = max(1, min(ceil(load.rate / PER_TALKER), most // 10))
        members = min(load.members, most - talkers)
        note = "" if members >= load.members else f"{members} members instead of {load.members}: no more sessions here"
        room = hidden_room("shadow", "1")
        await self._place(room, cluster)
        stage = _Stage(room, self._now)
        try:
            progress(f"{members} members join #{room} on {cluster}")
            await self._fill(stage, addresses, members, progress)
            for number in range(1, talkers + 1):
                await self._let_talk(stage, addresses, number)
            due = max(1, round(load.rate * load.seconds))
            await self._talk(stage, due, load.rate, progress)
            await stage.wait_complete()
            return stage.outcome(members, due, note)
        finally:
            await self._clear(stage)

    async def _fill(self, stage: _Stage, addresses: Addresses, members: int, progress: Callable[[str], None]) -> None:
        """Let members in, a few at a time, so that everybody else is served meanwhile."""
        waiting = iter(range(members))

        async def usher() -> None:
            for number in waiting:
                member = _Member(stage)
                stage.members.append(member)
                try:
                    async with asyncio.timeout(JOIN):
                        await member.enter(addresses)
                except OSError as error:
                    log.info("member_not_let_in", room=stage.room, error=str(error))
                if number % 100 == 99:
                    progress(f"{stage.joined} of {members} members have joined")
                await self._sleep(0)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(AT_ONCE, members)):
                group.create_task(usher(), name="rehearsal")

    async def _let_talk(self, stage: _Stage, addresses: Addresses, number: int) -> None:
        # The room's owner is the first; all others are ordinary accounts.
        nick = stage.room if number == 1 else hidden_room("talker", str(number))
        token = await self._credentials(nick)
        if token is None:
            raise LoginRefused("no account for rehearsals")
        talker = Chatter(stage.on_told)
        stage.talkers.append(talker)
        await talker.enter(addresses, nick, token)

    async def _talk(self, stage: _Stage, due: int, rate: float, progress: Callable[[str], None]) -> None:
        """Send all messages in an even flow; what falls behind by more than a second is left out."""
        began = self._now()
        for number in range(due):
            behind = self._now() - (began + number / rate)
            if behind > 1.0:
                continue
            if behind < 0:
                await self._sleep(-behind)
            stage.say(stage.talkers[number % len(stage.talkers)], number)
            await self._sleep(0)
            if number % max(1, due // 20) == 0:
                progress(f"{number} of {due} messages said to {stage.joined} members")

    async def _clear(self, stage: _Stage) -> None:
        for talker in stage.talkers:
            talker.close()
        for number, member in enumerate(stage.members):
            member.close()
            if number % AT_ONCE == 0:
                await self._sleep(0)


class _Stage:
    """One rehearsal under way: who is there and what was said."""

    def __init__(self, room: str, now: Callable[[], float]) -> None:
        self.room = room
        self.now = now
        self.run = secrets.token_hex(4)
        self.mark = f" :{self.run} ".encode()
        self.members: list[_Member] = []
        self.talkers: list[Chatter] = []
        self.sightings = Sightings()
        self.latencies = Latencies()
        self.said: dict[int, float] = {}
        self.changed = asyncio.Event()
        self._acknowledged: set[int] = set()

    @property
    def joined(self) -> int:
        """Members that have come in."""
        return sum(member.joined for member in self.members)

    def say(self, talker: Chatter, number: int) -> None:
        """Have something said."""
        self.said[number] = self.now()
        talker.say(self.room, f"{self.run} {number} {'x' * 30}", str(number))

    def on_told(self, event: ClientEvent) -> None:
        """A talker was told something."""
        if isinstance(event, UserState) and event.nonce.isdecimal():
            self._acknowledged.add(int(event.nonce))
            self.changed.set()

    async def wait_complete(self) -> None:
        """Wait until everything was answered and everybody has seen it; not longer than `LATE` without any news."""
        try:
            while len(self._acknowledged) < len(self.said) or self._lost():
                self.changed.clear()
                async with asyncio.timeout(LATE):
                    await self.changed.wait()
        except TimeoutError:
            return

    def outcome(self, wanted: int, due: int, note: str) -> Outcome:
        """What came of it."""
        return Outcome(
            wanted=wanted,
            joined=self.joined,
            left=sum(member.joined and member.gone for member in self.members),
            said=len(self.said),
            due=due,
            acknowledged=len(self._acknowledged),
            deliveries=len(self.latencies),
            lost=self._lost(),
            repeated=sum(member.reader.repeated for member in self.members),
            disorder=sum(member.reader.disorder for member in self.members),
            p50=self.latencies.quantile(0.5),
            p99=self.latencies.quantile(0.99),
            note=note,
        )

    def _lost(self) -> int:
        nobody_saw = len(self._acknowledged - self.sightings.places.keys()) * self.joined
        return nobody_saw + sum(member.reader.lost for member in self.members if member.joined)


class _Member:
    """A member that reads: bytes in, numbers out, nothing kept."""

    __slots__ = ("_connection", "_entered", "_rest", "_stage", "gone", "joined", "reader")

    def __init__(self, stage: _Stage) -> None:
        self._stage = stage
        self._connection: Connection | None = None
        self._entered: asyncio.Future[None] | None = None
        self._rest = b""
        self.reader: Reader = stage.sightings.reader()
        self.joined = False
        self.gone = False

    async def enter(self, addresses: Addresses) -> None:
        """Connect, log in without an account, and join.

        Raises:
            OSError: not let in, or not in time.
        """
        self._entered = asyncio.get_running_loop().create_future()
        self._connection = await dial(addresses, self)
        self._connection.write(f"NICK {anonymous()}\r\nJOIN #{self._stage.room}\r\n".encode())
        await self._entered

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None and not self.gone:
            self._connection.close("the rehearsal is over")

    def data_received(self, connection: Connection, data: bytes) -> None:
        """Count what came."""
        text, newline, self._rest = (self._rest + data).rpartition(b"\n")
        if not newline:
            return
        if b"PING " in text and (b"\nPING " in text or text.startswith(b"PING ")):
            connection.write(b"PONG :tmi.twitch.tv\r\n")
        if not self.joined:
            self._look_for_entry(text)
        stage = self._stage
        pieces = text.split(stage.mark)
        if len(pieces) > 1:
            now, saw = stage.now(), self.reader.saw
            for piece in pieces[1:]:
                number = int(piece[: piece.index(b" ")])
                saw(number)
                stage.latencies.add(now - stage.said[number])
            stage.changed.set()

    def closed(self, connection: Connection, reason: str) -> None:
        """Learn that the connection is gone."""
        self.gone = True
        if self._entered is not None and not self._entered.done():
            self._entered.set_exception(ConnectionResetError(reason))
        self._stage.changed.set()

    def _look_for_entry(self, text: bytes) -> None:
        if b" 366 " in text and self._entered is not None and not self._entered.done():
            self.joined = True
            self._entered.set_result(None)


def spare_sessions() -> int:
    """How many members this process can take without getting into its own way."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (soft - len(os.listdir("/dev/fd"))) // PER_SESSION
