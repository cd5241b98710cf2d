"""Moves that go on all the time, and now and then a rollout of everything."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from godwit.drill.crowd import until
from tests.chaos.network import CLUSTERS, ChaosNetwork, Unwell

AT_ONCE = 2
"""Moves at a time."""

REST = 0.3
"""Seconds before a move is asked for again, and between two looks at one."""

DONE = ("draining", "settled")
ENDED = (*DONE, "cancelled", "failed")

COLD = 40
"""Channels without anybody that a rollout takes along."""

ROLLOUT = """name = "chaos"
to = "{to}"
from = ["{source}"]
reason = "a fault run"
offline_for = "0s"
starts_within = "0s"

[budget]
in_flight = 2
hot_per_second = 4
cold_in_flight = 5
cold_per_second = 10

[[wave]]
name = "cold"
channels = [{cold}]

[[wave]]
name = "everyone"
rest = true
"""


@dataclass(slots=True)
class Move:
    """A move that was wished for."""

    id: str
    channel: str
    to: str
    wished_at: float
    switched_at: float = 0.0
    state: str = ""
    error: str = ""


class Moves:
    """Moves each channel there and back as long as it is let.

    Attributes:
        done: all moves that were wished for.
        rollouts: the end of each rollout, in words.
    """

    def __init__(self, network: ChaosNetwork, channels: Sequence[str]) -> None:
        self.done: list[Move] = []
        self.rollouts: list[str] = []
        self._network = network
        self._channels = channels
        self._cold = [f"cold{number:03d}" for number in range(COLD)]
        self._target = dict.fromkeys(channels, CLUSTERS[1])
        self._turn = itertools.cycle(channels)
        self._may = asyncio.Event()
        self._may.set()
        self._busy: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._rolling: asyncio.Task[None] | None = None
        self._rolled = 0

    async def start(self) -> None:
        """Begin.

        Raises:
            Unwell: the API does not answer.
        """
        rows = "\n".join(json.dumps({"channel": name}) for name in self._cold)
        await self._network.ask("POST", "/channels/import?by=chaos", rows)
        self._tasks = [asyncio.create_task(self._keep()) for _ in range(AT_ONCE)]

    async def stop(self) -> None:
        """Wish for nothing more; who waits for a move gives up."""
        for task in (*self._tasks, *([self._rolling] if self._rolling else [])):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def switched_since(self, at: float) -> Move | None:
        """The first move that was wished for since then and has switched its channel."""
        return min(
            (move for move in self.done if move.wished_at >= at and move.switched_at),
            key=lambda move: move.switched_at,
            default=None,
        )

    async def once(self, channel: str) -> None:
        """Move a channel to where it is not."""
        move = await self._wish(channel, self._target[channel])
        self.done.append(move)
        while move.state not in ENDED:
            await self._look(move)
        if move.state in DONE:
            move.switched_at = time.monotonic()
        if move.state != "failed":
            await self._find(channel)

    async def look_again(self) -> list[Move]:
        """How the moves stand that were not over; returns those that still are not.

        Raises:
            Unwell: the API does not answer.
        """
        for move in self.done:
            if move.state not in ("settled", "cancelled", "failed"):
                seen = await self._network.ask("GET", f"/moves/{move.id}")
                move.state, move.error = seen["state"], seen.get("error", "")
        return [move for move in self.done if move.state not in (*DONE, "cancelled", "failed")]

    # rollouts ---------------------------------------------------------------------------------

    @property
    def is_rolling(self) -> bool:
        """Whether a rollout is under way."""
        return self._rolling is not None and not self._rolling.done()

    async def begin_rollout(self, patience: float) -> None:
        """Have everything moved by a rollout; returns when it is in the middle. Single moves wait meanwhile.

        Raises:
            Unwell: it does not start.
        """
        self._may.clear()
        async with asyncio.timeout(patience):
            await until(lambda: not self._busy, patience)
            source = await self._home(self._cold[0])
            to = next(cluster for cluster in CLUSTERS if cluster != source)
            cold = ", ".join(f'"{name}"' for name in self._cold)
            toml = ROLLOUT.format(to=to, source=source, cold=cold)
            plan = await self._network.ask("POST", "/rollouts/plan", {"toml": toml}, patience=20)
            wish = {"verb": "start", "args": {"toml": toml, "hash": plan["hash"]}, "by": "chaos", "reason": "chaos"}
            seen = await self._network.ask("POST", "/wishes", {**wish, "wait": 10}, patience=20)
            if seen["state"] not in ("done", "new"):
                raise Unwell(f"the rollout does not start: {seen}")
            self._rolled = 0
            self._rolling = asyncio.create_task(self._watch_rollout())
            await until(lambda: self._rolled >= 3, patience)

    async def end_rollout(self, patience: float) -> str:
        """Wait for the end of the rollout, and let single moves go on; returns its state."""
        try:
            if self._rolling is None:
                return "never begun"
            done, _ = await asyncio.wait([self._rolling], timeout=patience)
            return self.rollouts[-1] if done else f"not over after {patience:g} s"
        finally:
            if self._rolling:
                self._rolling.cancel()
                self._rolling = None
            for channel in self._channels:
                await self._find(channel)
            self._may.set()

    async def _watch_rollout(self) -> None:
        while True:
            with suppress(Unwell):
                seen = await self._network.ask("GET", "/rollouts/latest")
                self._rolled = seen["done"]
                if seen["state"] in ("finished", "paused", "aborted"):
                    self.rollouts.append(f"{seen['state']} {seen['done']}/{seen['total']} {seen['why']}".strip())
                    return
            await asyncio.sleep(REST)

    # one move ---------------------------------------------------------------------------------

    async def _keep(self) -> None:
        while True:
            await self._may.wait()
            channel = next(self._turn)
            if channel in self._busy:
                await asyncio.sleep(REST)
                continue
            self._busy.add(channel)
            try:
                await self.once(channel)
            finally:
                self._busy.discard(channel)
            await asyncio.sleep(REST)

    async def _wish(self, channel: str, to: str) -> Move:
        while True:
            at = time.monotonic()
            try:
                body = {"to": to, "by": "chaos", "reason": "a fault run"}
                seen = await self._network.ask("POST", f"/channels/{channel}/move", body)
                return Move(seen["id"], channel, to, at, state=seen["state"])
            except Unwell as error:
                await asyncio.sleep(REST)
                if "409" in str(error) or "400" in str(error):
                    to = await self._find(channel)

    async def _look(self, move: Move) -> None:
        try:
            seen = await self._network.ask("GET", f"/moves/{move.id}/wait?until=draining&timeout=2")
            move.state, move.error = seen["state"], seen.get("error", "")
        except Unwell:
            await asyncio.sleep(REST)

    async def _find(self, channel: str) -> str:
        """Ask where a channel is, as long as it takes; returns where it is to go next."""
        while True:
            try:
                here = (await self._network.ask("GET", f"/channels/{channel}"))["cluster"]
            except Unwell:
                await asyncio.sleep(REST)
            else:
                self._target[channel] = next(cluster for cluster in CLUSTERS if cluster != here)
                return self._target[channel]

    async def _home(self, channel: str) -> str:
        found = await self._network.ask("POST", "/servers", {"channels": [channel]})
        return str(found["channels"][channel]["cluster"])
