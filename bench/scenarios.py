"""What is measured. Each scenario starts a server of its own and returns what it found, with its account."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench import machine
from bench.clients import Stalled, Talker, Transport
from bench.crowd import Crowd
from bench.processes import processes
from bench.rollouts import cold, hot
from bench.rollouts_bot import bot
from bench.room import Room
from bench.sizes import Found, Sizes
from bench.storm import storm
from bench.tally import Account, add
from godwit.drill.server import Server

CLUSTER = "main"


@dataclass(frozen=True, slots=True)
class Serving:
    """A server that runs."""

    pid: int
    tcp: str
    ws: str

    def at(self, transport: Transport) -> str:
        """`host:port` for a transport."""
        return self.tcp if transport == "tcp" else self.ws


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[Serving]:
    """Run `godwit serve` as a child; it must end well."""
    with tempfile.TemporaryDirectory(prefix="godwit-bench-") as directory:
        path = str(Path(directory, "godwit.sqlite3"))
        server = Server(Path(directory), {"store.path": path, "limits.preset": "off", "edge.reconnect_grace": "0"})
        main = (await server.start()).clusters[CLUSTER]
        try:
            yield Serving(
                machine.pid(Path(directory, "ready.json")), main.tcp, main.ws.removeprefix("ws://").rstrip("/")
            )
        finally:
            if problem := await server.stop():
                raise RuntimeError(problem)


SPELLS = 3
"""How often something is measured that the machine's other work may disturb; the median counts."""


async def idle(sizes: Sizes) -> Found:
    """Idle connections: the memory of each, and the latency of a small busy room without and with them."""
    rows, accounts = [], []
    transports: tuple[Transport, ...] = ("tcp", "ws")
    for transport in transports:
        async with serving() as server, Crowd() as crowd:
            room = Room(server.tcp, server.pid)
            await room.add_probes(5)
            accounts.append((await _small_talk(room, sizes.seconds))[1])  # warming up
            without, account = await _small_talk(room, sizes.seconds)
            accounts.append(account)
            before = machine.memory(server.pid)
            seconds = await crowd.connect(sizes.idle, transport, server.at(transport), channels=100)
            after = machine.memory(server.pid)
            during, account = await _small_talk(room, sizes.seconds)
            accounts += [account, await crowd.settle({})]
            room.close()
        rows.append(
            {
                "connections": sizes.idle,
                "transport": transport,
                "bytes_per_connection": round((after - before) / sizes.idle),
                "connected_in_s": round(seconds, 1),
                "without": without,
                "with": during,
                "p50_ratio": round(during["p50_ms"] / without["p50_ms"], 2),
                "p99_ratio": round(during["p99_ms"] / without["p99_ms"], 2),
            }
        )
    return Found(rows, add(accounts))


async def _small_talk(room: Room, seconds: float) -> tuple[dict[str, float], Account]:
    """Five talkers, a hundred lines a second in all; the median of a few spells."""

    async def talk(talker: Talker) -> None:
        await talker.talk(seconds / SPELLS, per_second=20, size=80)

    spells = [await room.talk(talk, talkers=5) for _ in range(SPELLS)]
    latencies = [spell.latency() for spell in spells]
    middle = {share: median(latency[share] for latency in latencies) for share in latencies[0]}
    return middle, add(spell.account for spell in spells)


async def stalled(sizes: Sizes) -> Found:
    """A reader that stops reading in a busy room: when it is cut, and what the others notice."""
    async with serving() as server, Crowd() as crowd:
        room = Room(server.tcp, server.pid)
        await room.add_probes(5)
        await crowd.connect(sizes.room, "tcp", server.tcp)
        await room.add_probes(5)
        cut = asyncio.Event()

        async def busy(talker: Talker) -> None:
            await talker.talk(sizes.seconds, per_second=20, size=480)

        async def busy_until_cut(talker: Talker) -> None:
            await talker.talk(sizes.stalled_most, per_second=20, size=480, enough=cut)

        warming = await room.talk(busy, talkers=2, crowd=crowd)
        without = await room.talk(busy, talkers=2, crowd=crowd)
        reader = Stalled()
        await reader.start(server.tcp)
        began = time.monotonic()

        async def watch() -> float:
            await reader.wait_cut()
            cut.set()
            return time.monotonic() - began

        watching = asyncio.create_task(watch())
        during = await room.talk(busy_until_cut, talkers=2, crowd=crowd)
        after_s = watching.result() if watching.done() else None
        watching.cancel()
        reader.close()
        room.close()
    row = {
        "room": sizes.room,
        "lines_per_s": 40,
        "without": without.latency(),
        "with": during.latency(),
        "p50_ratio": round(during.delay(0.5) / without.delay(0.5), 2),
        "p99_ratio": round(during.delay(0.99) / without.delay(0.99), 2),
        "cut_after_s": None if after_s is None else round(after_s, 1),
        "cut_after_lines": during.account.said,
    }
    return Found([row], add([warming.account, without.account, during.account]))


async def logins(sizes: Sizes) -> Found:
    """How fast connections come in: connect, log in, join one of a hundred channels; 100 at once."""
    kinds: tuple[tuple[Transport, bool, tuple[str, ...]], ...] = (
        ("tcp", False, ("anonymous",)),
        ("ws", False, ("anonymous",)),
        ("tcp", True, ("new accounts", "known accounts")),
    )
    rows, settled = [], []
    for transport, accounts, rounds in kinds:
        async with serving() as server:
            for who in rounds:
                async with Crowd() as crowd:
                    used = machine.cpu(server.pid)
                    seconds = await crowd.connect(
                        sizes.logins, transport, server.at(transport), channels=100, accounts=accounts
                    )
                    used = machine.cpu(server.pid) - used
                    settled.append(await crowd.settle({}))
                rows.append(
                    {
                        "transport": transport,
                        "who": who,
                        "logins": sizes.logins,
                        "per_s": round(sizes.logins / seconds),
                        "server_cpu_us_each": round(used / sizes.logins * 1e6),
                    }
                )
    return Found(rows, add(settled))


Scenario = Callable[[Sizes], Coroutine[Any, Any, Found]]

SCENARIOS: dict[str, Scenario] = {
    "idle": idle,
    "stalled": stalled,
    "logins": logins,
    "cold": cold,
    "hot": hot,
    "bot": bot,
    "storm": storm,
    "processes": processes,
}
"""By name, in the order in which they run."""

GROUPS = {"rollouts": ("cold", "hot", "bot")}
"""Names for several."""
