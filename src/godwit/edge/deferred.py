"""What connections want done in a channel once enough is known to decide it: in order, bounded, and not for ever."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import msgspec


class _Waiting(msgspec.Struct):
    producer: str
    call: Callable[[], None]
    otherwise: Callable[[], None]
    ready: Callable[[], bool]
    since: float


class Deferred:
    """Calls that wait, those of one producer in the order in which they came.

    Args:
        most: calls of one producer that may wait.
        hold: seconds after which one is given up.
    """

    __slots__ = ("_counts", "_hold", "_most", "waiting")

    def __init__(self, most: int, hold: float) -> None:
        self._most = most
        self._hold = hold
        self.waiting: list[_Waiting] = []
        self._counts: Counter[str] = Counter()

    def __bool__(self) -> bool:
        return bool(self.waiting)

    def waits(self, producer: str) -> bool:
        """Whether something of the producer waits, so that what comes now must wait, too."""
        return producer in self._counts

    def put(
        self,
        producer: str,
        call: Callable[[], None],
        otherwise: Callable[[], None],
        ready: Callable[[], bool],
        now: float,
    ) -> bool:
        """Take a call; False if too many of its producer wait.

        Args:
            otherwise: called instead if it is given up.
            ready: whether it could be done, as far as it is not the channel's matter.
        """
        if self._counts[producer] >= self._most:
            return False
        self._counts[producer] += 1
        self.waiting.append(_Waiting(producer, call, otherwise, ready, now))
        return True

    def release(self) -> None:
        """Do what is ready; what is not holds up what its producer wants after it."""
        held: set[str] = set()
        for waiting in self.waiting:
            if waiting.producer not in held and not waiting.ready():
                held.add(waiting.producer)
        due = [waiting for waiting in self.waiting if waiting.producer not in held]
        self.waiting = [waiting for waiting in self.waiting if waiting.producer in held]
        for waiting in due:
            self._uncount(waiting)
            waiting.call()

    def give_up(self, now: float) -> None:
        """End what has waited for too long."""
        over = [waiting for waiting in self.waiting if now - waiting.since > self._hold]
        if over:
            self._end(over, [waiting for waiting in self.waiting if now - waiting.since <= self._hold])

    def abandon(self) -> None:
        """End everything."""
        self._end(self.waiting, [])

    def _end(self, over: list[_Waiting], left: list[_Waiting]) -> None:
        self.waiting = left
        for waiting in over:
            self._uncount(waiting)
            waiting.otherwise()

    def _uncount(self, waiting: _Waiting) -> None:
        self._counts[waiting.producer] -= 1
        if not self._counts[waiting.producer]:
            del self._counts[waiting.producer]
