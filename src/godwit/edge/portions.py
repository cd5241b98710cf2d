"""Work that is done in the event loop's next turns, only so much in each that others are not kept waiting."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

LONG = 0.005
"""Seconds of work in one turn, as long as no single piece takes longer."""


class Portions:
    """Pieces of work, each done once, in the order in which they came.

    Args:
        call_soon: has something called in the loop's next turn.
        clock: measures work in seconds; the loop's own time stands still within a turn.
    """

    __slots__ = ("_call_soon", "_clock", "_pieces")

    def __init__(
        self, call_soon: Callable[[Callable[[], None]], object], clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._call_soon = call_soon
        self._clock = clock
        self._pieces: deque[Callable[[], None]] = deque()

    def add(self, piece: Callable[[], None]) -> None:
        """Have a piece of work done in the next turn, or in one after it."""
        self._pieces.append(piece)
        if len(self._pieces) == 1:
            self._call_soon(self._work)

    def _work(self) -> None:
        pieces, end = self._pieces, self._clock() + LONG
        try:
            for _ in range(len(pieces)):  # what these ask for is for another turn
                try:
                    pieces[0]()
                finally:
                    pieces.popleft()  # not before: what is added meanwhile finds that others are under way
                if self._clock() >= end:
                    break
        finally:
            if pieces:
                self._call_soon(self._work)
