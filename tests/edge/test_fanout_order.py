"""What readers of several rooms see, by any way, against what they should see: chance finds the ways."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import cast

import pytest

from godwit.edge import fanout
from godwit.edge.fanout import Fanout
from godwit.edge.turn import Rhythm, Turn
from godwit.tmi.capabilities import NONE, Caps, message_view
from godwit.wire.connection import Connection, Endpoint, Limits, Owner
from godwit.wire.flusher import Flusher
from godwit.wire.websocket import ServerCodec, frame

VIEWS = (NONE, Caps.TAGS, Caps.COMMANDS, Caps.TAGS | Caps.COMMANDS | Caps.MEMBERSHIP)


class FakeLoop:
    """Turns of a loop, and its timers, when they are told to come."""

    def __init__(self) -> None:
        self.soon: list[Callable[[], None]] = []
        self.later: list[FakeTimer] = []

    def time(self) -> float:
        return 0.0

    def call_soon(self, callback: Callable[[], None]) -> None:
        self.soon.append(callback)

    def call_later(self, delay: float, callback: Callable[[], None]) -> FakeTimer:
        self.later.append(FakeTimer(callback))
        return self.later[-1]

    def turn(self, late: bool) -> None:
        """Do what was to be done soon; and what was to be done later, too."""
        if late:
            timers, self.later = self.later, []
            self.soon += [timer.callback for timer in timers if not timer.cancelled]
        soon, self.soon = self.soon, []
        for callback in soon:
            callback()


class FakeTimer:
    """Something to be done later."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class FakeTransport(asyncio.Transport):
    """A socket with a transport in front: what the one does not take the other keeps, and says so."""

    def __init__(self, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self.protocol = protocol
        self.room: int | None = None  # what the socket takes; None for anything
        self.sent = bytearray()
        self.kept = bytearray()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high == 0

    def get_write_buffer_size(self) -> int:
        return len(self.kept)

    def is_closing(self) -> bool:
        return False

    def take(self, data: bytes) -> int:
        """Let the socket take what it does."""
        taken = len(data) if self.room is None else min(self.room, len(data))
        if self.room is not None:
            self.room -= taken
        self.sent += data[:taken]
        return taken

    def straight(self, data: bytes) -> int:
        """The same past the transport, which must have nothing."""
        assert not self.kept
        return self.take(data)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        was = bool(self.kept)
        self.kept += data
        if not was:
            del self.kept[: self.take(bytes(self.kept))]
            if self.kept:
                self.protocol.pause_writing()

    def reads(self, room: int | None) -> None:
        """The other side has read something."""
        self.room = room
        if self.kept:
            del self.kept[: self.take(bytes(self.kept))]
            if not self.kept:
                self.protocol.resume_writing()


class Reader:
    """A connection in rooms, and what it should have seen."""

    def __init__(self, house: House, number: int, websocket: bool) -> None:
        self.nick = f"r{number}"
        self.number = number
        self.caps = NONE
        self.websocket = websocket
        self.connection = Connection(cast(Endpoint, house), ServerCodec(1000) if websocket else None, number)
        self.transport = FakeTransport(self.connection)
        self.rooms: list[Fanout] = []
        self.expected: dict[str, bytearray] = {}
        self.connection.connection_made(self.transport)
        if websocket:
            self.connection.data_received(
                b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )

    def expect(self, where: str, line: bytes) -> None:
        """A line is for it."""
        self.expected.setdefault(where, bytearray()).extend(line)

    def got(self) -> dict[str, bytearray]:
        """What it has seen, by the room whose name is the first letter of each line; `*` is in all of them."""
        data = bytes(self.transport.sent)
        if self.websocket:
            data = data.partition(b"\r\n\r\n")[2]
            text = bytearray()
            while data:
                if data[:1] == b"\x8a":  # a pong may come between any two lines
                    data = data[2 + data[1] :]
                    continue
                assert data[:1] == b"\x81"
                size, start = (data[1], 2) if data[1] < 126 else (int.from_bytes(data[2:4], "big"), 4)
                line = data[start : start + size]
                assert frame(line) == data[: start + size]
                text += line
                data = data[start + size :]
            data = bytes(text)
        found: dict[str, bytearray] = {}
        for line in data.splitlines(keepends=True):
            for room in found.keys() | set("abc") if line[:1] == b"*" else (chr(line[0]),):
                found.setdefault(room, bytearray()).extend(line)
        return found


class House:
    """Rooms with readers in them; also what their connections belong to."""

    def __init__(self, dice: random.Random, rhythm: Rhythm) -> None:
        self.dice = dice
        self.fake = FakeLoop()
        self.loop = cast(asyncio.AbstractEventLoop, self.fake)
        self.flusher = Flusher(self.loop)
        self.limits = Limits()
        self.turn = Turn(self.loop, self.send_all, rhythm)
        self.rooms = [Fanout(name, self.turn) for name in "abc"]
        self.readers: list[Reader] = []
        self.said = 0
        for number in range(7):
            self.readers.append(Reader(self, number, websocket=number % 3 == 2))

    def opening(self, connection: Connection) -> bool:
        """Everybody is wanted."""
        return True

    def opened(self, connection: Connection) -> Owner:
        """Nobody says anything."""
        return Silent()

    def lost(self, connection: Connection, reason: str) -> None:
        """Nobody is lost."""

    def send_all(self, numbers: list[int], data: bytes) -> list[tuple[int, int]]:
        """Stand in for the operating system."""
        missed = []
        for position, number in enumerate(numbers):
            taken = self.readers[number].transport.straight(data) if number >= 0 else 0
            if taken < len(data):
                missed.append((position, taken))
        return missed

    def line(self, name: str) -> bytes:
        """Something new."""
        self.said += 1
        return f"{name}{self.said}{'x' * self.dice.choice((0, 5, 200))}".encode()

    def step(self) -> None:
        """Do something."""
        reader, room = self.dice.choice(self.readers), self.dice.choice(self.rooms)
        _STEPS[self.dice.choices(range(len(_STEPS)), _OFTEN)[0]](self, reader, room)


class Silent:
    """The owner of a connection that nothing comes from."""

    def data_received(self, connection: Connection, data: bytes) -> None:
        """Nothing comes."""

    def closed(self, connection: Connection, reason: str) -> None:
        """Nobody leaves."""


def _say(house: House, reader: Reader, room: Fanout) -> None:
    """PRIVMSG, with its answer."""
    line = house.line(room.channel)
    but = reader if house.dice.random() < 0.7 else None
    room.message(lambda view: line + b"%d\r\n" % view.value, but)
    for other in house.readers:
        if room in other.rooms and other is not but:
            other.expect(room.channel, line + b"%d\r\n" % message_view(other.caps).value)
    if but and room in reader.rooms:
        _tell(house, reader, room)


def _tell(house: House, reader: Reader, room: Fanout) -> None:
    """A line for one."""
    line = house.line(room.channel) + b"\r\n"
    assert room.only(reader, line) == (room in reader.rooms)
    if room in reader.rooms:
        reader.expect(room.channel, line)


def _show(house: House, reader: Reader, room: Fanout) -> None:
    """A line that not all views see."""
    line = house.line(room.channel) + b"\r\n"
    room.line(lambda caps: line if Caps.COMMANDS in caps else b"")
    for other in house.readers:
        if room in other.rooms and Caps.COMMANDS in other.caps:
            other.expect(room.channel, line)


def _write(house: House, reader: Reader, room: Fanout) -> None:
    """What a session says beside its rooms: behind all that was said in any of them."""
    line = house.line("*") + b"\r\n"
    house.turn.catch_up(reader, reader.rooms, len(reader.rooms))
    reader.connection.write(line)
    for name in "abc":
        reader.expect(name, line)


def _go_in_or_out(house: House, reader: Reader, room: Fanout) -> None:
    if room in reader.rooms:
        assert room.remove(reader)
        reader.rooms.remove(room)
    else:
        room.add(reader)
        reader.rooms.append(room)
    assert reader.connection.fanouts == len(reader.rooms)


def _change(house: House, reader: Reader, room: Fanout) -> None:
    reader.caps = house.dice.choice(VIEWS)
    for other in house.rooms:
        other.regroup(reader)
    assert reader.connection.fanouts == len(reader.rooms)


def _ping(house: House, reader: Reader, room: Fanout) -> None:
    """A WebSocket ping: the answer comes between any two lines, and never into one."""
    if reader.websocket:
        reader.connection.data_received(b"\x89\x81\0\0\0\0p")


def _stall(house: House, reader: Reader, room: Fanout) -> None:
    reader.transport.reads(house.dice.randrange(300))


def _read(house: House, reader: Reader, room: Fanout) -> None:
    reader.transport.reads(None)


def _pass(house: House, reader: Reader, room: Fanout) -> None:
    house.fake.turn(late=house.dice.random() < 0.5)


def _flush(house: House, reader: Reader, room: Fanout) -> None:
    house.turn.flush()


_STEPS = (_say, _tell, _show, _write, _go_in_or_out, _change, _ping, _stall, _read, _pass, _flush)
_OFTEN = (12, 3, 1, 2, 3, 2, 1, 2, 3, 6, 1)


class Collecting(Rhythm):
    """Has lines wait each time."""

    __slots__ = ()

    def wait(self, now: float, lines: int, flushed: int, spent: float) -> float:
        return 0.01


@pytest.mark.parametrize("seed", range(60))
def test_every_reader_sees_everything_once_and_in_order(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rooms that are tiny and not, readers in several, that stall, change, come and go, and frames."""
    dice = random.Random(seed)
    monkeypatch.setattr(fanout, "TINY", dice.choice((0, 3, 16)))
    monkeypatch.setattr(fanout, "LARGE", dice.choice((1, 3, 1024)))
    monkeypatch.setattr(fanout, "PORTION", dice.choice((1, 2)))
    house = House(dice, dice.choice((Rhythm, Collecting))())
    for _ in range(400):
        house.step()
    for reader in house.readers:
        reader.transport.reads(None)
    house.turn.flush()
    house.fake.turn(late=True)
    for reader in house.readers:
        assert reader.got() == reader.expected
        assert reader.connection.fd == reader.number
