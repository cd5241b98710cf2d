"""How tasks are ended: for good and within a bound, whatever they do when they are cancelled.

To cancel a task is to ask it once, and code of others may not hear it: `asyncio.wait_for` of Python 3.11 returns what
it waited for, if that comes in the same turn of the loop, and libraries catch it to clean up. So it is asked again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import structlog

log = structlog.get_logger()

AGAIN = 2.0
"""Seconds after which a task that has not ended is cancelled once more, by default."""

TIMES = 5
"""How often it is; a task that goes on then is left to itself, and the log tells."""


async def end(*tasks: asyncio.Task[Any], grace: float = 0.0, again: float = AGAIN) -> None:
    """Wait until tasks have ended; what they raise is theirs.

    Args:
        grace: seconds that they may take before they are cancelled.
        again: seconds that they may take to clean up before they are cancelled once more.
    """
    left = set(tasks)
    try:
        if left and grace:
            _, left = await asyncio.wait(left, timeout=grace)
        for _ in range(TIMES):
            if not left:
                return
            _cancel(left)
            _, left = await asyncio.wait(left, timeout=again)
    except asyncio.CancelledError:
        _cancel(left)
        raise
    if left:
        log.error("tasks_go_on", tasks=sorted(task.get_name() for task in left), after=grace + TIMES * again)


def _cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
