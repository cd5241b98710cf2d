"""Controllers that run without losing time, for the tests of this room."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from godwit.control.controller import Controller
from godwit.control.ports import Presence
from godwit.values import Move, Segment
from tests.control.world import SETTINGS, Faulty, World, quiet

DEADLINE = 10.0
"""Seconds after which a test that waits for something fails."""


class Nobody:
    """A crowd of which nobody is left on an old cluster.

    Args:
        left: says who is left of a channel on a cluster.
    """

    def __init__(self, left: Callable[[str, str], list[str]] = lambda channel, cluster: []) -> None:
        self._left = left

    async def presence(self, channels: Sequence[str]) -> list[Presence]:
        return [Presence(channel) for channel in channels]

    async def left_behind(self, channel: str, cluster: str) -> list[str]:
        return self._left(channel, cluster)

    async def views(self, channels: Sequence[str]) -> dict[str, list[tuple[str, Segment]]]:
        return {}


class Pauses:
    """Sleeps in no time: the clock moves instead."""

    def __init__(self, world: World) -> None:
        self.made: list[float] = []
        self.meanwhile: Callable[[], None] = lambda: None
        self._world = world

    async def __call__(self, seconds: float) -> None:
        assert seconds > 0
        self.made.append(seconds)
        self._world.clock.advance(seconds)
        self.meanwhile()
        await asyncio.sleep(0)


def make(world: World, pauses: Pauses, disturb: Callable[[str, bool], None] = quiet, **options: Any) -> Controller:
    """A controller of which each call may be disturbed; nobody is left on an old cluster."""
    crowd = options.pop("crowd", Nobody())
    logs: Any = {name: Faulty(log, disturb) for name, log in world.logs.items()}
    store: Any = Faulty(world.store, disturb)
    return Controller(store, logs, world.clock, SETTINGS, crowd, sleep=pauses, **options)


@asynccontextmanager
async def running(controller: Controller) -> AsyncIterator[Controller]:
    """Have it run."""
    task = asyncio.create_task(controller.run())
    try:
        yield controller
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(world: World, move: Move, *states: str) -> Move:
    """Let the loop turn until a move is in one of these states."""
    async with asyncio.timeout(DEADLINE):
        while (found := await world.journaled(move)).state not in states:  # noqa: ASYNC110  (a store tells nobody)
            await asyncio.sleep(0)
    return found
