"""A crowd: rooms full of members that hear everything and say numbered lines."""

from __future__ import annotations

import resource
import socket
import ssl
import struct
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import cycle

from godwit.errors import GodwitError
from godwit.load.dialects import DIGITS, Dialect, Step
from godwit.load.receiver import Account, Event, Kind, Receiver, best_receiver
from godwit.load.tls import TlsReceiver

PATIENCE = 20.0
"""Seconds without any news after which somebody who is waited for does not come."""

RETRY = 0.02
"""Seconds between two attempts to send to those who are not connected yet, while a crowd comes in."""

AT_ONCE = 500
"""Connections that come in at the same time."""

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: hang up without TIME_WAIT, which would keep thousands of ports for a minute."""


class LoadFailed(GodwitError):
    """The load could not be laid on; the message says why."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How a crowd is made up.

    Attributes:
        rooms: how many.
        members: connections in each room, senders among them.
        senders: of each room.
        joins: without it connections only log in.
        size: bytes of a line's text.
        name: begins all names, so that crowds on one server do not meet: letters, short.
        channel: the room's name, if it is to have a certain one; of many rooms, what their names begin with.
    """

    rooms: int = 1
    members: int = 1000
    senders: int = 20
    joins: bool = True
    size: int = 80
    name: str = "b"
    channel: str = ""


@dataclass(slots=True)
class _Member:
    socket: socket.socket
    steps: deque[Step]
    number: int = -1
    backlog: bytes = b""
    ready: bool = False


@dataclass(slots=True)
class _Sender:
    member: _Member
    head: bytes
    tail: bytes
    following: int = field(default=0)


class Crowd:
    """Members of rooms on one server, on one thread.

    Args:
        address: `host:port`.
        dialect: the server's.
        shape: how many there are.
        receiver: who counts; by default the fastest there is.
        source: the address to come from, such as 127.0.0.2: each has ports for some 28,000 connections.
        tls: how the server's certificate is looked at, if it is spoken to over TLS.

    Attributes:
        cut: why connections were closed by the server, of those that were in.
        refused: the same of those that did not get in.
        told: how many have heard what they `listen` for.
    """

    def __init__(
        self,
        address: str,
        dialect: Dialect,
        shape: Shape | None = None,
        receiver: Receiver | None = None,
        source: str = "",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.shape = shape or Shape()
        self.cut: list[str] = []
        self.told = 0
        self._address = address
        host, _, port = address.rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)
        plain = receiver or best_receiver()
        self._tls = TlsReceiver(plain, tls, self._host) if tls is not None else None
        self.receiver: Receiver = self._tls or plain
        self._source = source
        self._dialect = dialect
        self._members: list[_Member] = []
        self._senders: list[_Sender] = []
        self._waiting = 0
        self._refused = ""
        self._blocked: list[_Member] = []

    def speakers(self) -> Iterator[tuple[str, str]]:
        """Room and name of each who speaks."""
        for room in range(self.shape.rooms):
            for place in range(self.shape.senders):
                yield self._channel(room), self._name(room, place)

    def connect(self, at_once: int = AT_ONCE, told: Callable[[int], None] | None = None) -> float:
        """Have all come in; returns how many seconds that took.

        Args:
            at_once: so many are under way at the same time.
            told: is told how many are in, now and then.

        Raises:
            LoadFailed: somebody did not get in.
        """
        shape = self.shape
        total = shape.rooms * shape.members
        _allow_files(total)
        rooms = [self.receiver.room() for _ in range(shape.rooms)]
        for room in rooms:
            for place in range(shape.senders):
                sender = self.receiver.sender(room)
                following = sender + 1 if place + 1 < shape.senders else sender + 1 - shape.senders
                head, tail = self._dialect.line(self._channel(room), sender, shape.size)
                self._senders.append(_Sender(_Member(socket.socket(), deque()), head, tail, following))
        began = heard_at = time.monotonic()
        started, last, tried_at = 0, -1, began
        while (ready := started - self._waiting) < total:
            while started < total and self._waiting < at_once:
                self._start(*divmod(started, shape.members))
                started += 1
            self.tend(0.2)
            if (now := time.monotonic()) - tried_at > RETRY:  # who is not connected yet: thousands, perhaps
                self.unblock()
                tried_at = now
            if self._refused:
                raise LoadFailed(f"{self._address} let {ready:,} of {total:,} in, then: {self._refused}")
            if ready != last:
                last, heard_at = ready, time.monotonic()
                if told:
                    told(ready)
            elif time.monotonic() - heard_at > PATIENCE:
                raise LoadFailed(f"{self._address} let {ready:,} of {total:,} in, and then none for {PATIENCE:g} s")
        seconds = time.monotonic() - began
        if shape.joins:
            for number in range(total):
                self.receiver.count(number)
        return seconds

    def listen(self, mark: bytes) -> None:
        """Have all who are in listen for a line that holds this."""
        self.told = 0
        for number in range(len(self._members)):
            self.receiver.expect(number, mark)

    def tend(self, seconds: float) -> list[int]:
        """Take what comes within a time, and do what it asks for.

        Returns:
            For each line that was seen for the first time, its sender.
        """
        seen, events = self.receiver.poll(seconds)
        for event in events:
            self._take(event)
        return seen

    def speak(self, senders: Iterable[int], due: Iterable[int]) -> None:
        """Have senders say their next lines, each with the time from which its latency counts."""
        said: dict[int, bytes] = {}
        for at, index in zip(due, senders, strict=False):
            sender = self._senders[index]
            line = sender.head + b"%0*d" % (DIGITS, self.receiver.said(index, at)) + sender.tail
            said[index] = said[index] + line if index in said else line
        for index, data in said.items():
            self._send(self._senders[index].member, data)

    def begin(self, window: int) -> list[int]:
        """Who begins when so many lines are to be under way: rooms take turns, and in a room its senders."""
        shape = self.shape
        turns = [cycle(range(room * shape.senders, (room + 1) * shape.senders)) for room in range(shape.rooms)]
        return [next(turns[number % shape.rooms]) for number in range(window)]

    def following(self, sender: int) -> int:
        """Who speaks after a sender, in the same room."""
        return self._senders[sender].following

    def account(self) -> Account:
        """What was heard so far."""
        return Account(*self.receiver.account())

    def settle(self, patience: float) -> Account:
        """Wait until all have heard everything, or nothing has come for so many seconds.

        The account is taken when nothing comes: for as long as it takes nobody hears, and what was under way would seem
        late.
        """
        news = time.monotonic()
        while True:
            before = self.receiver.deliveries
            self.tend(0.05)
            self.unblock()
            if self.receiver.deliveries != before:
                news = time.monotonic()
                continue
            account = self.account()
            if account.heard >= account.expected or time.monotonic() - news >= patience:
                return account

    def unblock(self) -> None:
        """Send what sockets did not take at once."""
        blocked, self._blocked = self._blocked, []
        for member in blocked:
            data, member.backlog = member.backlog, b""
            self._put(member, data)

    def close(self) -> None:
        """Hang up."""
        for member in self._members:
            member.socket.close()

    def _channel(self, room: int) -> str:
        shape = self.shape
        return (shape.channel + (str(room) if shape.rooms > 1 else "")) if shape.channel else f"{shape.name}room{room}"

    def _name(self, room: int, place: int) -> str:
        shape = self.shape
        return f"{shape.name}{'t' if place < shape.senders else 'm'}{room * shape.members + place}"

    def _start(self, room: int, place: int) -> None:
        shape = self.shape
        speaks = place < shape.senders
        sender = room * shape.senders + place if speaks else -1
        name = self._name(room, place)
        member = self._senders[sender].member if speaks else _Member(socket.socket(), deque())
        member.steps.extend(self._dialect.steps(name, self._channel(room), speaks, shape.joins))
        peer = member.socket
        peer.setblocking(False)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        if self._source:
            peer.bind((self._source, 0))
        if (failure := peer.connect_ex((self._host, self._port))) not in (0, 115):
            raise LoadFailed(f"{self._address} cannot be reached: {OSError(failure, '').strerror or failure}")
        number = self.receiver.add(peer.fileno(), room, sender, self._dialect.framed)
        assert number == len(self._members)
        member.number = number
        self._members.append(member)
        self._waiting += 1
        if self._tls is not None:
            self._put(member, self._tls.begin(number))
        if self._dialect.framed:
            self._send(member, self._dialect.upgrade(self._address))
        else:
            self._step(number, member)

    def _step(self, number: int, member: _Member) -> None:
        data, mark = member.steps.popleft()
        self.receiver.expect(number, mark)
        self._send(member, data)

    def _take(self, event: Event) -> None:
        kind, number, text = event
        member = self._members[number]
        if kind == Kind.PING:
            self._send(member, self._dialect.pong(text))
        elif kind == Kind.WIRE:
            self._put(member, text)
        elif kind == Kind.CLOSED:
            reason = text.decode("utf-8", "replace").strip()
            if member.ready:
                self.cut.append(reason)
            else:
                self._refused = self._refused or reason
        elif member.steps:
            self._step(number, member)
        elif not member.ready:
            member.ready = True
            self._waiting -= 1
        else:
            self.told += 1

    def _send(self, member: _Member, data: bytes) -> None:
        self._put(member, data if self._tls is None else self._tls.seal(member.number, data))

    def _put(self, member: _Member, data: bytes) -> None:
        if not data:
            return
        if member.backlog:
            member.backlog += data
            return
        try:
            sent = member.socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            if not member.ready:
                self._refused = self._refused or error.strerror or str(error)
            return  # The receiver hears the end of who was in.
        if sent < len(data):
            member.backlog = data[sent:]
            self._blocked.append(member)


def _allow_files(connections: int) -> None:
    """Raise the limit of open files.

    Raises:
        LoadFailed: it cannot be raised far enough.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if connections + 50 > hard:
        raise LoadFailed(
            f"{connections} connections need as many open files, and this process may have {hard}: "
            "ask for fewer, or raise the limit (ulimit -Hn)"
        )
