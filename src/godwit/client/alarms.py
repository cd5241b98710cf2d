"""What is to be done at a later time, in order of time."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

from godwit.clock import Clock


class Alarms:
    """Calls that wait for their time.

    None is ever taken back: what is called looks whether it still matters.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._numbers = count()
        self._waiting: list[tuple[float, int, Callable[[], None]]] = []

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Have `call` made in so many seconds."""
        heapq.heappush(self._waiting, (self._clock.now() + seconds, next(self._numbers), call))

    def next(self) -> float | None:
        """When the next call is due, by the clock; None if none waits."""
        return self._waiting[0][0] if self._waiting else None

    def ring(self) -> None:
        """Make the calls that are due."""
        while self._waiting and self._waiting[0][0] <= self._clock.now():
            heapq.heappop(self._waiting)[2]()
