"""What connections cost by being there, and by coming."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import median

from bench import machine
from bench.targets import Missing, Target
from bench.versus import Options, Row, base, crowd_on
from godwit.load.crowd import LoadFailed, Shape

MANY = Shape(rooms=100, members=100, senders=0)
"""Ten thousand that only listen."""

STATES = (("godwit", False), ("godwit", True), ("godwit+ws", True), ("inspircd", False), ("inspircd", True))
"""Servers, and whether who is counted is in a room."""

FEW = Shape(rooms=5, members=4, senders=0)


@dataclass(frozen=True, slots=True)
class _Come:
    """What it took until all were in.

    Attributes:
        growth: bytes of the server's resident memory.
        cpu: seconds of the server's CPU.
        load: share of its core that the load generator used.
    """

    connections: int
    seconds: float
    growth: int
    cpu: float
    load: float


def memory(options: Options) -> list[Row]:
    """Idle memory: what the server grows by for each connection, on a server of its own."""
    rows = []
    for name, joins in (
        ("godwit", False),
        ("godwit", True),
        ("godwit+ws", True),
        ("inspircd", False),
        ("inspircd", True),
    ):
        if options.only and base(name) not in options.only:
            continue
        setting = "joined" if joins else "logged in"
        with options.running(quiet=True) as running:
            try:
                target = running.get(name)
                _come(target, name, replace(FEW, joins=joins))  # What the first ones cost, the others do not.
                come = _come(target, name, replace(_many(options), joins=joins))
            except (Missing, LoadFailed) as error:
                rows.append(Row("d", name, setting, str(error)))
                continue
        figures = {"connections": float(come.connections), "bytes_each": come.growth / come.connections}
        rows.append(Row("d", name, setting, "", target.version, figures, 1))
    return rows


def connects(options: Options) -> list[Row]:
    """Connect, log in without an account and JOIN: 10,000 as fast as they are let in, 500 at once."""
    found: dict[str, list[_Come]] = {}
    rows = []
    with options.running(quiet=True) as running:
        for turn in range(1 if options.quick else options.rounds):
            for name in ("godwit", "godwit+ws", "inspircd"):
                if (options.only and base(name) not in options.only) or name in running.missing:
                    continue
                try:
                    come = _come(running.get(name), name, _many(options))
                except (Missing, LoadFailed) as error:
                    running.missing[name] = str(error)
                    continue
                found.setdefault(name, []).append(come)
                options.say(f"  e round {turn + 1}: {name}: {come.connections / come.seconds:,.0f}/s")
        for name, runs in found.items():
            figures = {
                "connections": float(runs[0].connections),
                "connects_per_s": median(run.connections / run.seconds for run in runs),
                "cpu_us": median(run.cpu / run.connections for run in runs) * 1e6,
                "load_busy": median(run.load for run in runs),
            }
            version = running.get(name).version
            rows.append(
                Row(
                    "e", name, "CAP, login, JOIN" if "+tags" in name else "login, JOIN", "", version, figures, len(runs)
                )
            )
    return [*rows, *(Row("e", name, "", note) for name, note in running.missing.items())]


def _many(options: Options) -> Shape:
    return FEW if options.quick else MANY


def _come(target: Target, name: str, shape: Shape) -> _Come:
    crowd = crowd_on(target, name, shape)
    try:
        before, used, own = machine.memory(target.pid), target.cpu(), machine.own_cpu()
        seconds = crowd.connect(target.at_once)
        own = machine.own_cpu() - own
        while crowd.tend(0.3):
            pass
        growth, used = machine.memory(target.pid) - before, target.cpu() - used
    finally:
        crowd.close()
    return _Come(shape.rooms * shape.members, seconds, growth, used, own / seconds)
