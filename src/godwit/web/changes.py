"""Waiting for something to go on, without polling hard."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal, TypeVar

from godwit.store.base import FINISHED, Store
from godwit.values import Move

FALLBACK = 0.5
"""Seconds after which a waiter looks again though nothing was notified: another process may have written."""

Found = TypeVar("Found")

Until = Literal["draining", "settled"]


class Changes:
    """Wakes those who wait for moves, rollouts and wishes to go on; belongs to one event loop."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether nobody should wait any longer."""
        return self._closed

    def notify(self) -> None:
        """Wake all who wait now: something has made a step."""
        self._event.set()
        if not self._closed:
            self._event = asyncio.Event()

    def close(self) -> None:
        """Wake all who wait, for good: the process is stopping. Call it before the HTTP server stops."""
        self._closed = True
        self._event.set()

    def next(self) -> asyncio.Event:
        """The event that the next `notify` sets; take it before reading what you wait for."""
        return self._event


def reached(move: Move, until: Until) -> bool:
    """Say whether a move has come to `until`, or will never come there."""
    return move.state in FINISHED or move.state == until


async def wait_until(
    changes: Changes, look: Callable[[], Awaitable[Found]], enough: Callable[[Found], bool], patience: float
) -> Found:
    """Look again and again, at each change and now and then besides, until what is found is enough.

    Args:
        patience: seconds to wait at most.

    Returns:
        What was found last: enough, or after so long, or when the process stops.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    while True:
        event = changes.next()
        found = await look()
        left = deadline - loop.time()
        if enough(found) or changes.closed or left <= 0:
            return found
        try:
            async with asyncio.timeout(min(left, FALLBACK)):
                await event.wait()
        except TimeoutError:
            continue


async def wait_move(
    store: Store, changes: Changes, move_id: str, *, until: Until, after_version: int | None, patience: float
) -> Move | None:
    """Wait until a move has reached `until`, ended, or made a step beyond `after_version`.

    Args:
        until: `draining` (the switch is committed) or `settled`.
        after_version: return also when the move's version is above this one; None: only at `until`.
        patience: seconds to wait at most.

    Returns:
        The move as it is then, or after so long; None if there is no such move.
    """

    def enough(move: Move | None) -> bool:
        if move is None or reached(move, until):
            return True
        return after_version is not None and move.version > after_version

    return await wait_until(changes, lambda: store.move(move_id), enough, patience)
