"""Two kinds of token bucket, with the time passed in: one fills steadily, the other all at once.

Both begin full. A time earlier than one seen before counts as that one.
"""

from __future__ import annotations

from typing import Protocol

GRACE = 1e-6
"""Seconds by which a token may be early: what a float loses on times of this century. It is owed, not given."""


class Tokens(Protocol):
    """What both kinds offer."""

    def take(self, now: float, n: float = 1) -> bool:
        """Take `n` tokens if they are there; says whether they were."""
        ...

    def wait(self, now: float, n: float = 1) -> float:
        """Seconds until `n` could be taken: 0 if they can be now, infinite if the bucket never holds so many."""
        ...

    def force(self, now: float, n: float = 1) -> None:
        """Take `n` tokens whether they are there or not; the level may fall below zero."""
        ...

    def level(self, now: float) -> float:
        """How many tokens are there."""
        ...


class Bucket:
    """A bucket that fills steadily, by `rate` tokens a second, up to `size`.

    Within any `t` seconds at most `size + rate * t` tokens are taken.
    """

    __slots__ = ("_full_at", "_now", "rate", "size")

    def __init__(self, rate: float, size: float) -> None:
        if rate <= 0 or size <= 0:
            raise ValueError(f"a bucket needs a rate and a size above 0, not {rate} and {size}")
        self.rate = rate
        self.size = size
        self._now = float("-inf")
        self._full_at = float("-inf")

    def _at(self, now: float) -> float:
        self._now = max(self._now, now)
        return self._now

    def take(self, now: float, n: float = 1) -> bool:
        """Take `n` tokens if they are there; says whether they were."""
        if self.wait(now, n) > 0:
            return False
        self.force(now, n)
        return True

    def wait(self, now: float, n: float = 1) -> float:
        """Seconds until `n` could be taken: 0 if they can be now, infinite if the bucket never holds so many."""
        if n > self.size:
            return float("inf")
        now = self._at(now)
        missing = max(self._full_at - now, 0.0) - (self.size - n) / self.rate
        return missing if missing > GRACE else 0.0

    def force(self, now: float, n: float = 1) -> None:
        """Take `n` tokens whether they are there or not; the level may fall below zero."""
        self._full_at = max(self._full_at, self._at(now)) + n / self.rate

    def level(self, now: float) -> float:
        """How many tokens are there."""
        return self.size - max(self._full_at - self._at(now), 0.0) * self.rate


class Window:
    """A bucket of `limit` tokens that is filled whole every `seconds`.

    The time runs from the first token taken from a full bucket; a debt is carried into the next filling. So at
    most `limit` tokens are taken within one filling, but up to twice as many around the moment between two.
    """

    __slots__ = ("_fills_at", "_left", "_now", "limit", "seconds")

    def __init__(self, limit: float, seconds: float) -> None:
        if limit <= 0 or seconds <= 0:
            raise ValueError(f"a window needs a limit and a length above 0, not {limit} and {seconds}")
        self.limit = limit
        self.seconds = seconds
        self._left: float = limit
        self._now = float("-inf")
        self._fills_at = float("inf")

    def _fill(self, now: float) -> float:
        """Do what has come due; returns the time."""
        self._now = now = max(self._now, now)
        late = now - self._fills_at + GRACE
        if late >= 0:
            times = int(late // self.seconds) + 1
            self._left = min(self._left + times * self.limit, self.limit)
            full = self._left >= self.limit
            self._fills_at = float("inf") if full else self._fills_at + times * self.seconds
        return now

    def take(self, now: float, n: float = 1) -> bool:
        """Take `n` tokens if they are there; says whether they were."""
        if self.wait(now, n) > 0:
            return False
        self.force(now, n)
        return True

    def wait(self, now: float, n: float = 1) -> float:
        """Seconds until `n` could be taken: 0 if they can be now, infinite if the bucket never holds so many."""
        if n > self.limit:
            return float("inf")
        now = self._fill(now)
        if n <= self._left:
            return 0.0
        fillings = -int((self._left - n) // self.limit)
        return self._fills_at - now + (fillings - 1) * self.seconds

    def force(self, now: float, n: float = 1) -> None:
        """Take `n` tokens whether they are there or not; the level may fall below zero."""
        now = self._fill(now)
        if self._left >= self.limit:
            self._fills_at = now + self.seconds
        self._left -= n

    def level(self, now: float) -> float:
        """How many tokens are there."""
        self._fill(now)
        return self._left
