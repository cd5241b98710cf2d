"""A seeded schedule of events over a fake clock: what happens when, and in which order."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Coroutine, Generator
from random import Random
from typing import Any

from godwit.clock import FakeClock


class Schedule:
    """Runs actions in the order of their times; ties go to whoever was scheduled first."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.clock = FakeClock()
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def now(self) -> float:
        return self.clock.now()

    def after(self, delay: float, action: Callable[[], None]) -> None:
        """Do `action` in `delay` seconds."""
        self._count += 1
        heapq.heappush(self._queue, (self.clock.now() + delay, self._count, action))

    def run(self, until: float) -> None:
        """Run everything that is due before `until`."""
        while self._queue and self._queue[0][0] <= until:
            time, _, action = heapq.heappop(self._queue)
            self.clock.advance(max(time - self.clock.now(), 0.0))
            action()
        self.clock.advance(max(until - self.clock.now(), 0.0))


def at_once(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that never suspends (the memory log and the memory store don't)."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    coroutine.close()
    raise AssertionError("it suspended")


Request = Callable[[Callable[[Any], None], Callable[[BaseException], None]], None]


class Call:
    """An awaitable that hands a request to whoever drives the coroutine by hand."""

    def __init__(self, request: Request) -> None:
        self._request = request

    def __await__(self) -> Generator[Request, Any, Any]:
        return (yield self._request)
