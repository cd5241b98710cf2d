"""What all connections hear, received and counted, in Python; `_native.c` does the same faster."""

from __future__ import annotations

import enum
import os
import re
import select
import time
from collections.abc import Sequence
from typing import NamedTuple, Protocol

READ_AT_ONCE = 262_144

BUCKETS = 1024

_COUNTED = re.compile(rb"(?:.* PRIVMSG .*? :)?~(\d{1,10}) (\d{1,10}) ", re.DOTALL)


class Kind(enum.IntEnum):
    """What the owner of a connection is told: what it waited for came, a PING came, it is closed, or must send this."""

    READY = 0
    PING = 1
    CLOSED = 2
    WIRE = 3


Event = tuple[int, int, bytes]
"""Kind, number of the connection, the line or the reason."""


class Account(NamedTuple):
    """What all receivers heard since the beginning, in lines.

    Attributes:
        expected: so many they had to hear: all that was said in their rooms by others.
        heard: so many of them they heard, each counted once.
        repeated: came again.
        misordered: came after a later line of the same sender.
        echoed: senders heard of themselves.
        notices: NOTICEs in rooms.
        silence: longest time without a line, of any receiver, while it was measured, in nanoseconds.
    """

    expected: int
    heard: int
    repeated: int
    misordered: int
    echoed: int
    notices: int
    silence: int


class Receiver(Protocol):
    """Receives on all connections, and keeps the account.

    Attributes:
        deliveries: lines that came so far, of all receivers.
    """

    @property
    def deliveries(self) -> int: ...

    def room(self) -> int:
        """Make a room; returns its number."""
        ...

    def sender(self, room: int, /) -> int:
        """Make a sender of a room; returns its number. All of a room's are made before anything is said in it."""
        ...

    def add(self, fd: int, room: int, sender: int, http: bool, /) -> int:
        """Receive on a socket of a member; returns the connection's number.

        Args:
            fd: -1 if it is fed.
            sender: the sender that it belongs to, or -1.
            http: an HTTP answer comes first, and from then on frames (WebSocket).
        """
        ...

    def feed(self, connection: int, data: bytes, /) -> None:
        """Take what came on a connection that is not received on here."""
        ...

    def expect(self, connection: int, mark: bytes, /) -> None:
        """Tell when a line comes that holds this."""
        ...

    def count(self, connection: int, /) -> None:
        """From now on it must hear what is said in its room. Nothing may be under way."""
        ...

    def said(self, sender: int, due: int, /) -> int:
        """A sender says its next line; returns the number of the line.

        Args:
            due: monotonic nanoseconds from which its latency counts.
        """
        ...

    def poll(self, seconds: float, /) -> tuple[list[int], list[Event]]:
        """Wait for what comes, and take it.

        Returns:
            For each line that was seen by a receiver for the first time, its sender; and what else happened.
        """
        ...

    def measure(self, on: bool, /) -> None:
        """Begin to keep latencies, all anew, or end it."""
        ...

    def histogram(self) -> list[int]:
        """How many lines fell into each of the buckets of `histogram.py`."""
        ...

    def account(self) -> tuple[int, int, int, int, int, int, int]:
        """The fields of an `Account`."""
        ...


class _Connection:
    """One connection and what it has heard."""

    def __init__(self, number: int, fd: int, room: int, sender: int, http: bool) -> None:
        self.number, self.fd, self.room, self.sender = number, fd, room, sender
        self.http, self.framed, self.counted = http, False, False
        self.mark, self.rest, self.frames = b"", b"", b""
        self.last: dict[int, int] = {}
        self.missing: set[tuple[int, int]] = set()
        self.heard = self.repeated = self.misordered = self.excused = 0
        self.heard_at = self.silence = 0

    def hear(self, sender: int, number: int) -> None:
        """Count one line."""
        last = self.last.get(sender, 0)
        self.heard += 1
        if number > last:
            self.missing.update((sender, missing) for missing in range(last + 1, number))
            self.last[sender] = number
        elif (sender, number) in self.missing:
            self.missing.remove((sender, number))
            self.misordered += 1
        else:
            self.repeated += 1


class PythonReceiver:
    """The slower receiver, which needs no compiler."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._connections: list[_Connection] = []
        self._by_fd: dict[int, _Connection] = {}
        self._rooms = 0
        self._room_of: list[int] = []
        self._due: list[list[int]] = []
        self._seen: list[int] = []
        self._acknowledged: list[int] = []
        self._events: list[Event] = []
        self._measuring = False
        self._histogram = [0] * BUCKETS
        self._echoed = self._notices = 0
        self.deliveries = 0

    def room(self) -> int:
        """Make a room."""
        self._rooms += 1
        return self._rooms - 1

    def sender(self, room: int, /) -> int:
        """Make a sender."""
        if room >= self._rooms:
            raise IndexError(f"no room {room}")
        self._room_of.append(room)
        self._due.append([])
        self._seen.append(0)
        return len(self._room_of) - 1

    def add(self, fd: int, room: int, sender: int, http: bool, /) -> int:
        """Receive on a socket."""
        if room >= self._rooms or sender >= len(self._room_of):
            raise IndexError(f"no room {room} or no sender {sender}")
        connection = _Connection(len(self._connections), fd, room, sender, http)
        self._connections.append(connection)
        if fd >= 0:
            self._epoll.register(fd, select.EPOLLIN)
            self._by_fd[fd] = connection
        return connection.number

    def feed(self, connection: int, data: bytes, /) -> None:
        """Take what came."""
        self._feed(self._connections[connection], data)

    def expect(self, connection: int, mark: bytes, /) -> None:
        """Tell when a line comes that holds this."""
        self._connections[connection].mark = mark

    def count(self, connection: int, /) -> None:
        """From now on it must hear what is said."""
        member = self._connections[connection]
        member.counted, member.mark = True, b""
        for sender, room in enumerate(self._room_of):
            if room == member.room:
                member.last[sender] = len(self._due[sender])
                member.excused += member.last[sender] if sender != member.sender else 0

    def said(self, sender: int, due: int, /) -> int:
        """A sender says its next line."""
        self._due[sender].append(due)
        return len(self._due[sender])

    def poll(self, seconds: float, /) -> tuple[list[int], list[Event]]:
        """Wait for what comes, and take it."""
        for fd, _ in self._epoll.poll(seconds):
            self._receive(self._by_fd[fd])
        seen, events = self._acknowledged, self._events
        self._acknowledged, self._events = [], []
        return seen, events

    def measure(self, on: bool, /) -> None:
        """Begin to keep latencies, or end it."""
        self._measuring = on
        if on:
            self._histogram = [0] * BUCKETS
            for connection in self._connections:
                connection.heard_at = connection.silence = 0

    def histogram(self) -> list[int]:
        """Lines in each bucket."""
        return self._histogram

    def account(self) -> tuple[int, int, int, int, int, int, int]:
        """The fields of an `Account`."""
        said = [0] * self._rooms
        for room, lines in zip(self._room_of, self._due, strict=True):
            said[room] += len(lines)
        counted = [connection for connection in self._connections if connection.counted]
        return (
            sum(
                said[one.room] - (len(self._due[one.sender]) if one.sender >= 0 else 0) - one.excused for one in counted
            ),
            sum(one.heard - one.repeated for one in counted),
            sum(one.repeated for one in counted),
            sum(one.misordered for one in counted),
            self._echoed,
            self._notices,
            max((one.silence for one in counted), default=0),
        )

    def _receive(self, connection: _Connection) -> None:
        try:
            data = os.read(connection.fd, READ_AT_ONCE)
        except BlockingIOError:
            return
        except OSError as error:
            self._close(connection, (error.strerror or "").encode())
            return
        if not data:
            self._close(connection, b"the server hung up")
        else:
            self._feed(connection, data)

    def _feed(self, connection: _Connection, data: bytes) -> None:
        if connection.http:
            self._take_http(connection, data)
        elif connection.framed:
            self._take_frames(connection, data)
        else:
            self._take_lines(connection, data)

    def _close(self, connection: _Connection, reason: bytes) -> None:
        if connection.fd >= 0:
            self._epoll.unregister(connection.fd)
            del self._by_fd[connection.fd]
        self._events.append((Kind.CLOSED, connection.number, reason))

    def _take_http(self, connection: _Connection, data: bytes) -> None:
        connection.rest += data
        head, end, rest = connection.rest.partition(b"\r\n\r\n")
        if not end:
            return
        connection.rest = b""
        if head[9:12] != b"101":
            self._close(connection, head)
            return
        connection.http, connection.framed = False, True
        self._events.append((Kind.READY, connection.number, b""))
        self._take_frames(connection, rest)

    def _take_frames(self, connection: _Connection, data: bytes) -> None:
        """Strip the heads of frames, which are not masked (RFC 6455, 5.2)."""
        data = connection.frames + data
        at, lines = 0, []
        while len(data) >= at + 2:
            opcode, size, start = data[at] & 15, data[at + 1] & 127, at + 2
            more = {126: 2, 127: 8}.get(size, 0)
            if more:
                size, start = int.from_bytes(data[start : start + more], "big"), start + more
            if len(data) < start + size:
                break
            if opcode == 8:
                self._close(connection, b"a close frame")
                return
            if opcode < 8:
                lines.append(data[start : start + size])
            at = start + size
        connection.frames = data[at:]
        self._take_lines(connection, b"".join(lines))

    def _take_lines(self, connection: _Connection, data: bytes) -> None:
        *lines, connection.rest = (connection.rest + data).split(b"\n")
        now = time.monotonic_ns()
        for line in lines:
            found = _COUNTED.match(line) if connection.counted else None
            if not found or not self._hear(connection, int(found[1]), int(found[2]), now):
                self._take_other(connection, line)

    def _hear(self, connection: _Connection, sender: int, number: int, now: int) -> bool:
        if sender >= len(self._room_of) or self._room_of[sender] != connection.room:
            return False
        if sender == connection.sender:
            self._echoed += 1
            return True
        connection.hear(sender, number)
        self.deliveries += 1
        said = self._due[sender]
        if self._measuring:
            if number <= len(said):
                self._histogram[bucket(now - said[number - 1])] += 1
            if connection.heard_at:
                connection.silence = max(connection.silence, now - connection.heard_at)
            connection.heard_at = now
        if self._seen[sender] < number <= len(said):
            self._acknowledged += [sender] * (number - self._seen[sender])
            self._seen[sender] = number
        return True

    def _take_other(self, connection: _Connection, line: bytes) -> None:
        if line.startswith(b"PING"):
            self._events.append((Kind.PING, connection.number, line + b"\n"))
        if connection.mark and connection.mark in line:
            connection.mark = b""
            self._events.append((Kind.READY, connection.number, line + b"\n"))
        if connection.counted and b" NOTICE #" in line:
            self._notices += 1


def bucket(nanoseconds: int) -> int:
    """The bucket of a latency: microseconds to 64, then 32 buckets for each doubling."""
    us = max(0, nanoseconds) // 1000
    if us < 64:
        return us
    exponent = us.bit_length() - 1
    return min(64 + (exponent - 6) * 32 + ((us >> (exponent - 5)) & 31), BUCKETS - 1)


def highest(index: int) -> int:
    """The latencies of a bucket are at most so many microseconds."""
    if index < 64:
        return index + 1
    exponent, part = divmod(index - 64, 32)
    return (33 + part) << (exponent + 1)


def quantile(histogram: Sequence[int], share: float) -> float:
    """The latency in milliseconds that this share of the lines did not exceed; 0 if there are none."""
    wanted = sum(histogram) * share
    passed = 0
    for index, count in enumerate(histogram):
        passed += count
        if count and passed >= wanted:
            return highest(index) / 1000
    return 0.0


def native() -> bool:
    """Whether the fast receiver is there."""
    try:
        import godwit.load._native  # noqa: F401
    except ImportError:
        return False
    return True


def best_receiver() -> Receiver:
    """The fast receiver if it was built, else the one in Python."""
    try:
        from godwit.load._native import Receiver as Native
    except ImportError:
        return PythonReceiver()
    return Native()
