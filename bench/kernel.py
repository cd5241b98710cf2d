"""The kernel's own limit: a bare loop of send() in C to all connections, received as everything else is.

No server that makes a system call for each write can be faster. Run as a program it is the one that sends.
"""

from __future__ import annotations

import contextlib
import select
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from bench import machine
from bench.targets import Missing, child, wait_until
from godwit.load.crowd import Shape
from godwit.load.dialects import Dialect
from godwit.load.loops import Result
from godwit.load.receiver import Account, Receiver, best_receiver, native


class Said(NamedTuple):
    """What becomes of a line.

    Attributes:
        head: stands before its number, for everybody else.
        tail: stands after it.
        ack: what its sender gets; nothing without Twitch's capability for commands.
    """

    head: bytes
    tail: bytes
    ack: bytes = b""


PLAIN = Said(
    b":bench1!bench1@bench1.tmi.twitch.tv PRIVMSG #b1room0 :~0 ", Dialect("twitch").line("", 0, Shape().size)[1]
)
"""As long as what a member without capabilities gets from Godwit."""


def tagged(address: str) -> Said:
    """What Godwit sends members with tags and commands."""
    channel, text = "tagged", b"~0 000000001"
    host, _, port = address.rpartition(":")
    with contextlib.ExitStack() as stack:
        reader, speaker = (stack.enter_context(socket.create_connection((host, int(port)), 30)) for _ in range(2))
        for peer, name in ((reader, "justinfan1"), (speaker, "bench1")):
            for data, mark in Dialect("twitch", tagged=True).steps(name, channel, True, True):
                peer.sendall(data)
                _until(peer, mark)
        head, tail = Dialect("twitch").line(channel, 0, Shape().size)
        speaker.sendall(head + text[3:] + tail)
        line = _until(reader, tail).splitlines(keepends=True)[-1]
        ack = _until(speaker, b" USERSTATE ").splitlines(keepends=True)[-1]
    before, _, after = line.partition(text)
    return Said(before + text[:3], after, ack)


def _until(peer: socket.socket, mark: bytes) -> bytes:
    heard = b""
    while mark not in heard:
        heard += peer.recv(65536)
    return heard


class Kernel:
    """Connections to a program that only sends.

    Args:
        shape: rooms and their members. One of each room speaks; what all speak is the same, and heard by all others.
        said: what is sent; with an acknowledgement each room has one connection more, that of who speaks.
    """

    def __init__(self, shape: Shape, said: Said) -> None:
        if not native():
            raise Missing("not built: needs a C compiler, see `make native`")
        self._shape = shape
        self._line = said
        self._receiver: Receiver = best_receiver()
        self._sockets: list[socket.socket] = []
        self._hearers = 0
        self._said = 0

    def run(self, windows: list[int], seconds: float, warm_up: float) -> list[Result]:
        """Measure with so many lines in each send."""
        with tempfile.TemporaryDirectory(prefix="godwit-bench-") as folder:
            where = Path(folder, "where.txt")
            hearers = max(1, self._shape.members - 1)
            each = hearers + bool(self._line.ack)
            told = [part.hex() for part in self._line]
            command = [sys.executable, "-m", "bench.kernel", str(where), *told, str(each if self._line.ack else 0)]
            with child(command, folder, stdin=subprocess.PIPE) as process:
                wait_until(where.exists, process, folder)
                room = self._receiver.room()
                self._receiver.sender(room)
                port = int(where.read_text(encoding="ascii"))
                for number in range(self._shape.rooms * each):
                    peer = socket.create_connection(("127.0.0.1", port))
                    peer.setblocking(False)
                    self._sockets.append(peer)
                    connection = self._receiver.add(peer.fileno(), room, -1, False)
                    if number % each < hearers:
                        self._receiver.count(connection)
                self._hearers = self._shape.rooms * hearers
                try:
                    return [self._blast(process, Path(folder), window, seconds, warm_up) for window in windows]
                finally:
                    for peer in self._sockets:
                        peer.close()

    def _blast(
        self, process: subprocess.Popen[bytes], folder: Path, window: int, seconds: float, warm_up: float
    ) -> Result:
        assert process.stdin is not None
        before = Account(*self._receiver.account())
        done = folder / f"done-{self._said}-{window}"
        total = seconds + 2 * warm_up
        process.stdin.write(f"{len(self._sockets)} {window} {self._said} {total} {done}\n".encode())
        process.stdin.flush()
        self._pump(time.monotonic() + warm_up)
        first = self._read(process.pid)
        self._pump(time.monotonic() + seconds)
        last = self._read(process.pid)
        while not done.exists():
            self._pump(time.monotonic() + 0.05)
        number = int(done.read_text(encoding="ascii"))
        while self._said < number:
            self._said = self._receiver.said(0, 0)
        while self._receiver.poll(0.2)[0] or Account(*self._receiver.account()).heard < number * self._hearers:
            pass
        after = Account(*self._receiver.account())
        took, deliveries, server, load = (late - early for late, early in zip(last, first, strict=True))
        expected = after.expected - before.expected
        lost = expected - (after.heard - before.heard)
        repeated, misordered = after.repeated - before.repeated, after.misordered - before.misordered
        return Result(
            seconds=took,
            messages=0,
            deliveries=int(deliveries),
            server_cpu=server,
            load_busy=load / took,
            expected=expected,
            lost=lost,
            repeated=repeated,
            misordered=misordered,
        )

    def _pump(self, end: float) -> None:
        while (left := end - time.monotonic()) > 0:
            self._receiver.poll(left)

    def _read(self, pid: int) -> tuple[float, int, float, float]:
        return time.monotonic(), self._receiver.deliveries, machine.cpu(pid), time.process_time()


def main(where: str, head: str, tail: str, ack: str, every: str) -> None:
    """Listen, and send when told to: connections, lines in a send, the last number, seconds, the file to answer in."""
    from godwit.load._native import blast

    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    peers: list[socket.socket] = []
    line = bytes.fromhex(head), bytes.fromhex(tail), bytes.fromhex(ack)
    _write(Path(where), listener.getsockname()[1])
    while True:
        select.select([listener, sys.stdin], [], [])
        order = sys.stdin.readline() if select.select([sys.stdin], [], [], 0)[0] else None
        if order == "":
            return
        count, window, number, seconds, done = order.split() if order else (str(len(peers) + 1), "", "", "", "")
        while len(peers) < int(count):
            peer = listener.accept()[0]
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peers.append(peer)
        if order:
            fds = [peer.fileno() for peer in peers]
            last = blast(fds, *line, int(every), int(window), int(number), float(seconds))
            _write(Path(done), last)


def _write(path: Path, value: int) -> None:
    """Write a file that is there whole or not at all."""
    part = path.with_suffix(".part")
    part.write_text(str(value), encoding="ascii")
    part.rename(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
