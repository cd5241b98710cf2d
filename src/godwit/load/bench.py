"""One bench of one server: what `godwit bench` does."""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from godwit.load.crowd import Crowd, LoadFailed, Shape
from godwit.load.dialects import Dialect
from godwit.load.loops import Meter, Result, closed, no_meter, prime, steady
from godwit.load.receiver import native

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done to a server.

    Attributes:
        shape: the crowd.
        window: lines under way at once in all rooms together, or 0.
        rate: lines a second, or 0. With neither the crowd only comes in.
        seconds: of measuring.
        warm_up: seconds before it.
        at_once: connections that come in at the same time.
    """

    shape: Shape
    window: int = 0
    rate: float = 0.0
    seconds: float = 5.0
    warm_up: float = 1.0
    at_once: int = 500


SCENARIOS: dict[str, Plan] = {
    "a": Plan(Shape(), window=30),
    "steady": Plan(Shape(), rate=2000.0),
    "b": Plan(Shape(rooms=1000, members=10, senders=1), window=1000),
    "c": Plan(Shape(members=10_000, senders=10), rate=20.0),
    "e": Plan(Shape(rooms=100, members=100, senders=0)),
}
"""a: one room as fast as it goes; steady: one room at a rate; b: many small rooms; c: a huge room; e: coming in."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found.

    Attributes:
        connected_in: seconds until all were in.
        result: what came of the lines; None if none were said.
        native: whether the fast receiver counted.
    """

    plan: Plan
    connections: int
    connected_in: float
    result: Result | None
    native: bool

    @property
    def exact(self) -> bool:
        """Whether everything came once and in order."""
        return self.result is None or self.result.exact

    def as_dict(self) -> dict[str, Any]:
        """All of it, for programs."""
        found = {
            "shape": asdict(self.plan.shape),
            "window": self.plan.window,
            "rate": self.plan.rate,
            "connections": self.connections,
            "connected_in": self.connected_in,
            "connects_per_s": self.connections / self.connected_in,
            "native": self.native,
            "exact": self.exact,
        }
        if self.result is not None:
            result = self.result
            found |= asdict(result)
            found |= {"deliveries_per_s": result.deliveries_per_s, "load_bound": result.load_bound}
            found["cpu_us"] = result.cpu_us if result.server_cpu >= 0 else None
        return found


def run(
    address: str,
    dialect: Dialect,
    plan: Plan,
    say: Callable[[str], None],
    pid: int = 0,
    tls: ssl.SSLContext | None = None,
) -> Outcome:
    """Bench a server.

    Args:
        address: `host:port`.
        say: is told of progress, about once a second.
        pid: the server's process, if it is on this machine: then its CPU is counted.
        tls: see `Crowd`.

    Raises:
        LoadFailed: the plan cannot be, or the server does not play along.
    """
    shape = plan.shape
    _check(plan)
    meter = _meter(pid) if pid else no_meter
    crowd = Crowd(address, dialect, replace(shape, name=f"b{os.getpid() % 100_000}x"), tls=tls)
    total = shape.rooms * shape.members
    told_at = time.monotonic()

    def told(ready: int) -> None:
        nonlocal told_at
        if time.monotonic() > told_at + 1:
            told_at = time.monotonic()
            say(f"{ready:,} of {total:,} connections are in")

    try:
        seconds = crowd.connect(plan.at_once, told)
        say(f"{total:,} connections came in within {seconds:.2f} s")
        result = None
        if plan.window or plan.rate:
            say(f"measuring for {plan.warm_up + plan.seconds:g} s")
            prime(crowd)
            if plan.window:
                result = closed(crowd, plan.window, plan.seconds, plan.warm_up, meter)
            else:
                result = steady(crowd, plan.rate, plan.seconds, plan.warm_up, meter)
    finally:
        crowd.close()
    return Outcome(plan, total, seconds, result, native())


def _check(plan: Plan) -> None:
    shape = plan.shape
    if min(shape.rooms, shape.members) < 1 or shape.senders < 0 or shape.senders > shape.members:
        raise LoadFailed("there must be at least one room, with at least one member, and no more senders than members")
    if plan.window and plan.rate:
        raise LoadFailed("a bench has either a window or a rate: lines under way at once, or lines a second")
    if (plan.window or plan.rate) and shape.senders < 1:
        raise LoadFailed("with a window or a rate there must be somebody who speaks: --senders 1 or more")
    if (plan.window or plan.rate) and shape.members < 2:
        raise LoadFailed("somebody must hear what is said: --members 2 or more")
    if plan.window < 0 or plan.rate < 0 or plan.seconds <= 0 or plan.at_once < 1:
        raise LoadFailed("windows, rates and times are above 0")


def _meter(pid: int) -> Meter:
    path = Path(f"/proc/{pid}/stat")

    def read() -> float:
        try:
            stat = path.read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError as error:
            raise LoadFailed(f"there is no process {pid} on this machine to look at: leave --pid out") from error
        return (int(stat[11]) + int(stat[12])) / _TICKS

    read()
    return read
