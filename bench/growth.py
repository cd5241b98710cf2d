"""How Godwit's cost grows with members, channels and lines a second."""

from __future__ import annotations

import socket
from dataclasses import replace

from bench.targets import Target
from bench.versus import Options, Row, figures_of, shown, talking
from godwit.load.crowd import Shape
from godwit.load.dialects import Dialect
from godwit.load.loops import Result, steady

MEMBERS = ((10, 1000.0), (100, 1000.0), (1000, 100.0), (4000, 25.0), (16_000, 6.25))
"""Members of one room, and lines a second: from 1,000 members on the same 100,000 deliveries a second."""

RATES = (125.0, 500.0, 2000.0, 8000.0)
"""Lines a second in a room of 100."""

CHANNELS = (1, 1000, 10_000, 100_000)
"""Channels that one client is in, all silent, while a room of 100 talks."""

TALK = (Shape(members=100), 200.0)

PORTION = 50
"""Channels in one JOIN."""


def growth(options: Options) -> list[Row]:
    """CPU and p99 against members, lines a second and silent channels, at fixed rates."""
    if options.only and "godwit" not in options.only:
        return []
    rows = []
    with options.running() as running:
        target = running.get("godwit")
        members = ((5, 50.0), (20, 50.0)) if options.quick else MEMBERS
        for count, rate in members:
            shape = Shape(members=count, senders=min(20, count // 2))
            rows.append(_row(target, options, f"{count} members", _talk(target, options, shape, rate)))
        for rate in (50.0,) if options.quick else RATES:
            shape = Shape(members=20 if options.quick else 100)
            shape = replace(shape, senders=shape.members // 5)
            rows.append(_row(target, options, f"{rate:g} lines/s", _talk(target, options, shape, rate)))
        shape, rate = TALK
        with _Client(target) as client:
            for count in (1, 60) if options.quick else CHANNELS:
                client.join(count)
                result = _talk(target, options, replace(shape, members=20) if options.quick else shape, rate)
                rows.append(_row(target, options, f"{count} channels", result))
    return rows


def _talk(target: Target, options: Options, shape: Shape, rate: float) -> Result:
    with talking(target, "godwit", replace(shape, senders=min(shape.senders, shape.members - 1))) as crowd:
        return steady(crowd, rate, options.seconds if options.quick else max(3.0, options.seconds), 1.0, target.cpu)


def _row(target: Target, options: Options, setting: str, result: Result) -> Row:
    options.say(f"  growth: {setting}: {shown(result)}")
    figures = {**figures_of(result), "messages_per_s": result.messages / result.seconds}
    figures["cpu_message_us"] = result.server_cpu / max(1, result.messages) * 1e6
    return Row("growth", "godwit", setting, "", target.version, figures, 1, result.exact)


class _Client:
    """One connection that is in many silent channels."""

    def __init__(self, target: Target) -> None:
        host, _, port = target.tcp.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), 60)
        self._channels = 0
        [login] = Dialect(target.dialect).steps("many", "", False, False)
        self._socket.sendall(login.data)
        self._wait(login.mark, 1)

    def __enter__(self) -> _Client:
        """It is logged in."""
        return self

    def __exit__(self, *error: object) -> None:
        """Hang up."""
        self._socket.close()

    def join(self, channels: int) -> None:
        """Be in so many channels."""
        while self._channels < channels:
            count = min(PORTION, channels - self._channels)
            names = ",".join(f"#many{self._channels + number}" for number in range(count))
            self._socket.sendall(f"JOIN {names}\r\n".encode())
            self._wait(b" 366 ", count)
            self._channels += count

    def _wait(self, mark: bytes, times: int) -> None:
        """Read lines until so many have come that hold this."""
        rest = b""
        while times > 0:
            data = self._socket.recv(65536)
            if not data:
                raise RuntimeError("the server hung up on who joins many channels")
            *lines, rest = (rest + data).split(b"\n")
            times -= sum(mark in line for line in lines)
            for line in lines:
                if line.startswith(b"PING"):
                    self._socket.sendall(b"PONG" + line[4:].rstrip() + b"\r\n")
