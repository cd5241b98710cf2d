"""Controllers that run without losing time, for the tests of this room."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from godwit.control.controller import Controller
from godwit.values import Move
from tests.control.world import SETTINGS, Faulty, World, quiet

DEADLINE = 10.0
"""Seconds after which a test that waits for something fails."""


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
    options = {"drained": lambda channel, cluster: True, **options}
    logs: Any = {name: Faulty(log, disturb) for name, log in world.logs.items()}
    store: Any = Faulty(world.store, disturb)
    return Controller(store, logs, world.clock, SETTINGS, sleep=pauses, **options)


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
