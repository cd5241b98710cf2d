"""From the naive loop to the fan-out engine, step by step: `python -m bench.fanout`.

Each step shows the same lines to the same connections, and what that costs is the processor time of the process that
writes, kernel included. A second process reads. The last rows are the kernel alone: the same bytes, ready made, by the
same number of writes. `docs/fan-out.md` quotes the table.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import select
import socket
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import uvloop

from bench import machine
from godwit.cli import logs
from godwit.edge.fanout import Fanout
from godwit.edge.turn import Turn
from godwit.tmi import render
from godwit.tmi.capabilities import NONE, Caps
from godwit.values import Author, Message
from godwit.wire.connection import Connection
from godwit.wire.listener import Listener, listen_tcp
from godwit.wire.sending import NATIVE, SendAll, send_each

BATCHES = (1, 10, 30, 100)
LITTLE = 10
"""Readers of a small room."""

_MESSAGE = Message("b34ccfc7-4977-403a-8a94-33c6bac34fb8", 1, "p", 1, Author("1", "somebody"), "x" * 74)


def line(caps: Caps) -> bytes:
    """Render one message: about 120 bytes for clients without capabilities."""
    return render.privmsg(caps, "room", _MESSAGE, time=0.0, room_id="1")


@dataclass(eq=False)
class Reader:
    """Who reads what is said."""

    connection: Connection
    nick: str = "reader"
    caps: Caps = NONE

    def data_received(self, connection: Connection, data: bytes) -> None:
        """Nothing is said by readers."""

    def closed(self, connection: Connection, reason: str) -> None:
        """Nothing needs to be known of it."""


@dataclass
class Hall:
    """The connections, and how often something was done to them."""

    listener: Listener
    readers: list[Reader] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.turn = Turn(asyncio.get_running_loop())
        self.rooms: list[Fanout] = []

    def arrange(self, size: int, send_all: SendAll) -> None:
        """Put everybody into rooms of one size."""
        for room in self.rooms:
            for reader in list(room):
                room.remove(reader)
        self.turn = Turn(asyncio.get_running_loop(), send_all)
        self.rooms = [Fanout(f"room{at}", self.turn) for at in range(0, len(self.readers), size)]
        for at, reader in enumerate(self.readers):
            self.rooms[at // size].add(reader)


Step = Callable[[Hall, int], None]
"""Shows so many lines to everybody, each room its own."""


def naive(hall: Hall, lines: int) -> None:
    """Rendered and written for each reader"""
    for _ in range(lines):
        for reader in hall.readers:
            transport = reader.connection._transport
            assert transport is not None
            transport.write(line(reader.caps))


def rendered_once(hall: Hall, lines: int) -> None:
    """Rendered once, written for each line and reader"""
    for _ in range(lines):
        data = line(NONE)
        for reader in hall.readers:
            transport = reader.connection._transport
            assert transport is not None
            transport.write(data)


def joined_each(hall: Hall, lines: int) -> None:
    """Joined for each reader, one write a turn"""
    for _ in range(lines):
        data = line(NONE)
        for reader in hall.readers:
            reader.connection.write_raw(data)
    hall.listener.flusher._flush()


def joined_once(hall: Hall, lines: int) -> None:
    """Joined once for all, one write a turn"""
    data = b"".join(line(NONE) for _ in range(lines))
    for reader in hall.readers:
        reader.connection.write_raw(data)
    hall.listener.flusher._flush()


def engine(hall: Hall, lines: int) -> None:
    """The engine"""
    for room in hall.rooms:
        for _ in range(lines):
            room.message(line)
    hall.turn.flush()
    hall.turn._cool()


def kernel(hall: Hall, lines: int) -> None:
    """The kernel alone"""
    assert NATIVE is not None
    NATIVE(_numbers(hall), line(NONE) * lines)


def kernel_small(hall: Hall, lines: int) -> None:
    """The kernel alone"""
    assert NATIVE is not None
    numbers = _numbers(hall)
    for at in range(0, len(numbers), LITTLE):
        NATIVE(numbers[at : at + LITTLE], line(NONE) * lines)


def _numbers(hall: Hall) -> list[int]:
    return [reader.connection.fd for reader in hall.readers]


def steps(readers: int) -> list[tuple[str, Step, int, SendAll]]:
    """Each step: its name, what it does, the size of its rooms, and its send loop."""
    native = NATIVE or send_each
    large: list[tuple[str, Step, SendAll]] = [
        ("rendered and written for each reader", naive, send_each),
        ("rendered once per view", rendered_once, send_each),
        ("collected for a turn, joined for each reader", joined_each, send_each),
        ("joined once per view", joined_once, send_each),
        ("straight to the sockets, loop in Python", engine, send_each),
        ("straight to the sockets, loop in C", engine, native),
        ("kernel alone", kernel, native),
    ]
    small: list[tuple[str, Step, SendAll]] = [
        ("small rooms: through the transports", joined_once, send_each),
        ("small rooms: at once, loop in Python", engine, send_each),
        ("small rooms: at once, loop in C", engine, native),
        ("small rooms: kernel alone", kernel_small, native),
    ]
    return [(name, step, readers, loop) for name, step, loop in large] + [
        (name, step, LITTLE, loop) for name, step, loop in small
    ]


def read_all(port: int, readers: int, told: int) -> None:
    """Be the clients: connect, and read until the server has gone; `told` is told of each byte that came, in sum."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    poll, clients, came = select.epoll(), {}, 0
    for _ in range(readers):
        client = socket.create_connection(("127.0.0.1", port))
        client.setblocking(False)
        clients[client.fileno()] = client
        poll.register(client, select.EPOLLIN)
    buffer = bytearray(1 << 20)
    while clients:
        if not (ready := poll.poll(0.05)):
            os.write(told, came.to_bytes(8, "little"))
            ready = poll.poll()
        for number, _ in ready:
            size = clients[number].recv_into(buffer)
            came += size
            if not size:
                clients.pop(number).close()


async def _quiet(told: int, bytes_sent: int) -> None:
    """Wait until the clients have read everything."""
    while int.from_bytes((await asyncio.to_thread(os.read, told, 1 << 16))[-8:], "little") < bytes_sent:
        pass


async def measure(rounds: int, readers: int) -> None:
    """Print the table."""
    hall_ready = asyncio.Event()
    hall: Hall

    def accept(connection: Connection) -> Reader:
        hall.readers.append(Reader(connection))
        if len(hall.readers) == readers:
            hall_ready.set()
        return hall.readers[-1]

    hall = Hall(await listen_tcp("127.0.0.1", 0, accept))
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            read_all(hall.listener.port, readers, tell)
        finally:
            os._exit(0)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    await hall_ready.wait()
    size, sent = len(line(NONE)), 0
    found: dict[tuple[str, int], list[float]] = {}
    for _ in range(rounds):
        for name, step, room, send_all in steps(readers):
            hall.arrange(room, send_all)
            for batch in BATCHES[: 1 if room == LITTLE else 2 if step in (naive, rendered_once) else None]:
                turns = max(3, 20 // batch)  # without a pause: clients that slept would have to be woken
                began = time.process_time()
                for _ in range(turns):
                    step(hall, batch)
                used = time.process_time() - began
                sent += size * batch * turns * readers
                await _quiet(told, sent)
                found.setdefault((name, batch), []).append(used / turns / batch / readers * 1e6)
    _print(found)
    for reader in hall.readers:
        reader.connection.abort("over")
    hall.listener.close()
    await hall.listener.wait_empty()
    await asyncio.to_thread(os.waitpid, child, 0)


def _print(found: dict[tuple[str, int], list[float]]) -> None:
    print(f"\n| CPU us per line and reader | {' | '.join(f'{batch} a turn' for batch in BATCHES)} |")
    print(f"| --- |{' --- |' * len(BATCHES)}")
    for name in dict.fromkeys(name for name, _ in found):
        cells = [f"{statistics.median(found[name, batch]):.3g}" if (name, batch) in found else "" for batch in BATCHES]
        print(f"| {name} | {' | '.join(cells)} |")


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.fanout", description="Measure each step of the fan-out.")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="of each step; medians are shown")
    parser.add_argument("--readers", type=int, default=1000, metavar="N", help="of the large room")
    options = parser.parse_args(arguments)
    for name, value in (*machine.describe().items(), ("load", machine.load())):
        print(f"{name}: {value}")
    if NATIVE is None:
        print("the loop in C was not built: its rows show the one in Python (make native)")
    logs.to_stderr(40)
    uvloop.run(measure(options.rounds, options.readers))
    print(f"load: {machine.load()}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
