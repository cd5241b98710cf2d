"""What readers of one room saw: what they missed, saw twice or in another order than others, and how late.

Pure. The first reader that sees a message gives it its place; all others are compared with that order.
"""

from __future__ import annotations

from collections import Counter
from math import ceil, log

NARROWEST = 0.0001
"""Seconds below which latencies are not told apart."""

WIDTH = log(1.05)
"""How wide a step of the histogram is, as a logarithm: 5 %."""


class Sightings:
    """The order of a room's messages, as its readers make it known together."""

    def __init__(self) -> None:
        self.places: dict[int, int] = {}
        """Message -> its place, from 0."""

    def reader(self) -> Reader:
        """Somebody who reads from the first message on."""
        return Reader(self.places)


class Reader:
    """What one reader saw.

    Attributes:
        repeated: messages that came again.
        disorder: messages that came behind one that others saw later.
    """

    __slots__ = ("_missing", "_next", "_places", "disorder", "repeated")

    def __init__(self, places: dict[int, int]) -> None:
        self._places = places
        self._next = 0
        self._missing: set[int] | None = None
        self.repeated = 0
        self.disorder = 0

    def saw(self, message: int) -> None:
        """A message came."""
        place = self._places.setdefault(message, len(self._places))
        if place == self._next:
            self._next += 1
            return
        if self._missing is None:
            self._missing = set()
        if place > self._next:
            self._missing.update(range(self._next, place))
            self._next = place + 1
        elif place in self._missing:
            self._missing.discard(place)
            self.disorder += 1
        else:
            self.repeated += 1

    @property
    def lost(self) -> int:
        """Messages that others saw and this one did not, so far."""
        return len(self._missing or ()) + len(self._places) - self._next


class Latencies:
    """Very many latencies in little room: a histogram with steps of 5 %."""

    def __init__(self) -> None:
        self._steps: Counter[int] = Counter()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, seconds: float) -> None:
        """Count one."""
        self._steps[max(0, ceil(log(max(seconds, NARROWEST) / NARROWEST) / WIDTH))] += 1
        self._count += 1

    def quantile(self, share: float) -> float | None:
        """Seconds within which this share of them stayed, at most 5 % too high; None if there are none."""
        left = ceil(share * self._count)
        for step in sorted(self._steps):
            left -= self._steps[step]
            if left <= 0:
                return float(NARROWEST * 1.05**step)
        return None
