"""Rollouts: how fast cold and hot channels move, beside single moves in the same run."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import machine
from bench.clients import CHANNEL, Talker
from bench.crowd import Crowd
from bench.room import Room
from bench.sizes import Found, Sizes
from bench.tally import Account, add
from godwit.drill.operator import Operator
from godwit.drill.server import Ready, Server

SETTINGS = {"edge.reconnect_grace": "0", "control.probes": "false"}

SHORT = {"move.drain": "1", "move.lease": "1", "log.compare_interval": "0.4"}
"""Drains that end soon, so that they can be waited for."""

ROLLOUT = """
name = "bench"
to = "aws"
from = ["main"]
offline_for = 0

[budget]
in_flight = 100000
cold_in_flight = 1000000
hot_per_second = 10000
cold_per_second = 100000

[[wave]]
name = "everyone"
rest = true
"""
"""A budget that is out of the way."""

SILENT = 60
"""Times that one waits ten seconds for news, and gets none, before something is wrong."""

AT_ONCE = 20_000
"""Channels in one request."""


@dataclass(frozen=True, slots=True)
class Network:
    """A server that runs, and its operator."""

    pid: int
    ready: Ready
    operator: Operator

    async def ask(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Any:
        """Ask the API something."""
        return json.loads(await self.operator.ask(method, path, body, kind) or "null")

    async def tell_of(self, channels: list[str]) -> None:
        """Tell the server of channels."""
        for start in range(0, len(channels), AT_ONCE):
            rows = "".join(f'{{"channel":"{name}"}}\n' for name in channels[start : start + AT_ONCE])
            told = await self.ask("POST", "/channels/import", rows, "application/jsonl")
            if told["refused_count"]:
                raise RuntimeError(f"facts were refused: {told['refused'][:3]}")

    async def wish(self, verb: str, **args: Any) -> None:
        """Have something done."""
        body = {"verb": verb, "args": args, "by": "bench", "reason": "bench", "wait": 0}
        seen = await self.ask("POST", "/wishes", body)
        while seen["state"] == "new":
            seen = await self.ask("GET", f"/wishes/{seen['id']}?wait=10")
        if seen["state"] != "done":
            raise RuntimeError(f"{verb}: {seen['answer']}")

    async def wait_rollout(self, state: str) -> dict[str, Any]:
        """Wait until the rollout is in a state; returns its status.

        Waits for an event: whoever looks at the status again and again costs the server something.
        """
        after = silent = 0
        while silent < SILENT:
            found = await self.ask("GET", f"/rollouts/latest/events?wait=10&after={after}")
            if any(event["kind"] == f"rollout.{state}" for event in found["events"]):
                seen: dict[str, Any] = await self.ask("GET", "/rollouts/latest")
                return seen
            after, silent = found["next"], silent + 1 if found["next"] == after else 0
        raise RuntimeError(f"the rollout is not {state}: {await self.ask('GET', '/rollouts/latest')}")

    async def single_moves(self, channels: list[str], to: str) -> float:
        """Move channels one after the other; returns the moves per second."""
        began = time.monotonic()
        for name in channels:
            move = await self.ask("POST", f"/channels/{name}/move", {"to": to, "reason": "bench", "by": "bench"})
            while move["state"] not in ("draining", "settled"):
                move = await self.ask("GET", f"/moves/{move['id']}/wait?until=draining&timeout=10")
        return len(channels) / (time.monotonic() - began)

    async def settled(self) -> None:
        """Wait until no drain is left."""
        while True:
            unfinished = await self.ask("GET", "/moves?unfinished=true&limit=1")
            if not unfinished["moves"]:
                return
            await self.ask("GET", f"/moves/{unfinished['moves'][0]['id']}/wait?until=settled&timeout=10")


@contextlib.asynccontextmanager
async def network(settings: Mapping[str, str]) -> AsyncIterator[Network]:
    """Run `godwit serve` as a child, with a store of its own; it must end well."""
    with tempfile.TemporaryDirectory(prefix="godwit-bench-") as directory:
        path = str(Path(directory, "godwit.sqlite3"))
        server = Server(Path(directory), {"store.path": path, **SETTINGS, **settings})
        ready = await server.start()
        operator = Operator(ready.api, ready.admin_token, threads=4)
        try:
            yield Network(machine.pid(Path(directory, "ready.json")), ready, operator)
        finally:
            operator.close()
            if problem := await server.stop():
                raise RuntimeError(problem)


def took(status: Mapping[str, Any], begun: str, ended: str) -> float:
    """Seconds between two turns of a rollout, the last of each kind."""
    turns = {turn["state"]: float(turn["time"]) for turn in status["history"]}
    return turns[ended] - turns[begun]


async def cold(sizes: Sizes) -> Found:
    """Cold moves per second: channels without members, there and back, beside single moves one after the other."""
    rows = []
    for count in sizes.cold:
        async with network({"limits.preset": "off", **SHORT}) as server:
            channels = [f"cold{number}" for number in range(count)]
            alone = await server.single_moves([f"single{number}" for number in range(sizes.single)], "event")
            await server.tell_of(channels)
            for direction in ("there", "back"):
                await server.settled()
                used, began = machine.cpu(server.pid), time.monotonic()
                if direction == "there":
                    await server.wish("start", toml=ROLLOUT, replan=True)
                    seconds = took(await server.wait_rollout("finished"), "running", "finished")
                else:
                    await server.wish("reverse", all=True)
                    seconds = took(await server.wait_rollout("reversed"), "reversing", "reversed")
                await server.settled()
                rows.append(
                    {
                        "channels": count,
                        "direction": direction,
                        "seconds": round(seconds, 2),
                        "moves_per_s": round(count / seconds),
                        "with_drains_s": round(time.monotonic() - began, 2),
                        "server_cpu_us_each": round((machine.cpu(server.pid) - used) / count * 1e6),
                        "single_moves_per_s": round(alone, 1),
                        "of_single": round(count / seconds / alone, 1),
                    }
                )
    return Found(rows, Account())


async def hot(sizes: Sizes) -> Found:
    """Hot moves per second: channels with members, all told where to go, while five talk in a busy room among them."""
    async with network({"limits.preset": "off"}) as server, Crowd() as crowd:
        main = server.ready.clusters["main"].tcp
        await crowd.connect(sizes.hot * sizes.hot_members, "tcp", main, channels=sizes.hot)
        room = Room(main, server.pid)
        await room.add_probes(5)
        await server.tell_of([CHANNEL, *(f"quiet{number}" for number in range(sizes.hot))])
        over = asyncio.Event()

        async def busy(talker: Talker) -> None:
            await talker.talk(600.0, per_second=20, size=80, enough=over)

        async def move() -> tuple[float, float]:
            used = machine.cpu(server.pid)
            await server.wish("start", toml=ROLLOUT, replan=True)
            seconds = took(await server.wait_rollout("finished"), "running", "finished")
            used = machine.cpu(server.pid) - used
            over.set()
            return seconds, used

        moving = asyncio.create_task(move())
        try:
            spell = await room.talk(busy, talkers=5)
            seconds, used = await moving
            account = add([spell.account, await crowd.settle({})])
        finally:
            moving.cancel()
            room.close()
        count = sizes.hot + 1
        row = {
            "channels": count,
            "members": sizes.hot * sizes.hot_members + 10,
            "seconds": round(seconds, 2),
            "moves_per_s": round(count / seconds, 1),
            "server_cpu_ms_each": round(used / count * 1e3, 2),
            "lines_said": spell.account.said,
            **spell.latency(),
        }
    return Found([row], account)
