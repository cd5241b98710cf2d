"""Several edge processes that share a port (SO_REUSEPORT), over NATS and PostgreSQL.

What a delivery costs with two of them and with one, in turns; and 50,000 connections to four.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from statistics import median
from typing import Any

from bench import machine
from bench.sizes import Found, Sizes
from bench.storm import account_of
from bench.tally import Account, add
from bench.targets import GODWIT, LOAD_CORE, child, pin, wait_until
from godwit.load.crowd import Crowd, Shape
from godwit.load.dialects import Dialect
from godwit.load.loops import steady
from godwit.roles.child import end_with_parent

RATES = (50.0, 500.0)
"""Lines a second into the room in which a delivery's cost is taken: each for itself, and many in one write."""

ROUNDS = 3

ROOM = 500
"""Members of each of the rooms of the many; one of them speaks."""

CLIENTS = 4
"""Processes that the many come from: each may have 20,000 files, and its own address has ports enough for them."""

TALK = 3.0
"""Seconds for which the many talk, each room once a second."""


@dataclass(frozen=True, slots=True)
class Edges:
    """Edge processes on one port.

    Attributes:
        tcp: `host:port`.
        pids: theirs.
    """

    tcp: str
    pids: tuple[int, ...]

    def cpu(self) -> float:
        """Seconds of CPU that they have used together."""
        return sum(map(machine.cpu, self.pids))

    def memory(self) -> int:
        """Resident bytes of all together."""
        return sum(map(machine.memory, self.pids))


async def processes(sizes: Sizes) -> Found:
    """One edge process and two beside each other: CPU for each delivery; and very many connections to four."""
    return await asyncio.to_thread(_processes, sizes)


def _processes(sizes: Sizes) -> Found:
    pin(LOAD_CORE)
    with _network() as config:
        costs, accounts = _cost(config, sizes)
        with _edges(config, 4) as edges:
            many, account = _many(edges, sizes)
    return Found([*costs, many], add([*accounts, account]))


def _cost(config: Path, sizes: Sizes) -> tuple[list[dict[str, Any]], list[Account]]:
    found: dict[tuple[float, int], list[float]] = {(rate, count): [] for rate in RATES for count in (1, 2)}
    accounts = []
    with ExitStack() as stack:
        crowds = {}
        for count in (1, 2):
            edges = stack.enter_context(_edges(config, count))
            shape = Shape(members=sizes.room, senders=min(20, sizes.room - 1), name=f"p{count}x")
            crowds[count] = edges, Crowd(edges.tcp, Dialect(), shape)
            stack.callback(crowds[count][1].close)
            crowds[count][1].connect()
        for _ in range(ROUNDS):
            for rate, count in found:
                edges, crowd = crowds[count]
                result = steady(crowd, rate, sizes.seconds / 4, meter=edges.cpu)
                found[rate, count].append(result.cpu_us)
                accounts.append(account_of(result))
    rows = []
    for rate in RATES:
        one, two = (median(found[rate, count]) for count in (1, 2))
        rows.append(
            {
                "members": sizes.room,
                "lines_per_s": rate,
                "one_us": round(one, 3),
                "two_us": round(two, 3),
                "two_to_one": round(two / one, 3) if one else 0.0,
            }
        )
    return rows, accounts


def _many(edges: Edges, sizes: Sizes) -> tuple[dict[str, Any], Account]:
    rooms = max(1, sizes.many // CLIENTS // ROOM)
    members = min(ROOM, sizes.many // CLIENTS)
    before, memory = edges.cpu(), edges.memory()
    context = multiprocessing.get_context("spawn")
    pipes: list[Pipe] = []
    children = []
    for number in range(CLIENTS):
        ours, theirs = context.Pipe()
        shape = Shape(rooms=rooms, members=members, senders=1, name=f"m{number}x")
        one = context.Process(target=_come, args=(theirs, edges.tcp, shape, f"127.0.0.{number + 2}"), daemon=True)
        one.start()
        theirs.close()
        pipes.append(ours)
        children.append(one)
    seconds = max(_told(pipe) for pipe in pipes)
    connections = CLIENTS * rooms * members
    row: dict[str, Any] = {
        "processes": len(edges.pids),
        "connections": connections,
        "came_in_s": round(seconds, 1),
        "login_us": round((edges.cpu() - before) / connections * 1e6),
        "bytes_per_connection": round((edges.memory() - memory) / connections),
        "connections_of_each": [machine.sockets(pid) for pid in edges.pids],
    }
    for pipe in pipes:
        pipe.send("talk")
    account = add(_told(pipe) for pipe in pipes)
    for pipe, one in zip(pipes, children, strict=True):
        pipe.close()
        one.join()
    return row, account


def _told(pipe: Pipe) -> Any:
    found = pipe.recv()
    if isinstance(found, str):
        raise RuntimeError(f"a crowd failed: {found}")
    return found


def _come(pipe: Pipe, address: str, shape: Shape, source: str) -> None:
    """Come in, say how many seconds it took; talk when told to, and say what was heard."""
    end_with_parent()
    pin(LOAD_CORE)
    crowd = Crowd(address, Dialect(), shape, source=source)
    try:
        pipe.send(crowd.connect())
        pipe.recv()
        pipe.send(account_of(steady(crowd, float(shape.rooms), TALK, 0.0)))
    except Exception as error:
        pipe.send(repr(error))
    crowd.close()


@contextmanager
def _network() -> Iterator[Path]:
    """What edges stand on: PostgreSQL, NATS, a controller and the directory; gives their settings."""
    with tempfile.TemporaryDirectory(prefix="godwit-bench-") as folder:
        ready, files = Path(folder, "ready.json"), Path(folder, "files")
        words = ["up", "--nodes", "--nats", "1", "--controllers", "1", "--edges", "1", "--clusters", "main"]
        command = [sys.executable, "-m", "godwit", *words, "--dir", str(files), "--ready-file", str(ready), *_sets()]
        with child(command, folder) as process:
            wait_until(ready.exists, process, folder)
            yield files / "godwit.toml"


@contextmanager
def _edges(config: Path, count: int) -> Iterator[Edges]:
    with tempfile.TemporaryDirectory(prefix="godwit-bench-") as folder:
        ready = Path(folder, "ready.json")
        words = ["edge", "--cluster", "main", "--workers", str(count), "--name", f"bench{count}", "--ports", "auto"]
        command = [sys.executable, "-m", "godwit", *words, "--config", str(config), "--ready-file", str(ready)]
        with child([*command, *_sets()], folder) as process:
            wait_until(ready.exists, process, folder)
            tcp = json.loads(ready.read_bytes())["clusters"]["main"]["tcp"]
            workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()
            yield Edges(tcp, tuple(map(int, workers)) or (process.pid,))


def _sets() -> list[str]:
    return [word for key, value in {**GODWIT, "edge.drain_spread": "0"}.items() for word in ("--set", f"{key}={value}")]
