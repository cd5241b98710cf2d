"""Pacing: how often something may be done, and how long to wait before trying again."""

from __future__ import annotations

from collections import deque
from random import Random

import msgspec

from godwit.clock import Clock


class Rate(msgspec.Struct, frozen=True):
    """At most `count` in any span of `seconds`."""

    count: int
    seconds: float


class Bucket:
    """A bucket of tokens; each token comes back `rate.seconds` after it was taken.

    Refilling little by little would let nearly twice the count through in one span, and servers
    count by the span. So a token returns as a whole, one span after its use.
    """

    __slots__ = ("_clock", "_rate", "_taken")

    def __init__(self, rate: Rate, clock: Clock) -> None:
        if rate.count < 1 or rate.seconds < 0:
            raise ValueError(f"a rate needs a count of at least 1 and no negative span: {rate}")
        self._rate = rate
        self._clock = clock
        self._taken: deque[float] = deque()

    def take(self) -> bool:
        """Take a token; False if none is there."""
        if self.wait() > 0:
            return False
        if len(self._taken) == self._rate.count:
            self._taken.popleft()
        self._taken.append(self._clock.now())
        return True

    def wait(self) -> float:
        """Seconds until a token is there; 0 if one is."""
        if len(self._taken) < self._rate.count:
            return 0.0
        return max(0.0, self._taken[0] + self._rate.seconds - self._clock.now())


class Backoff(msgspec.Struct, frozen=True):
    """Waits between attempts: they double up to a cap, and half of each is left to chance.

    Chance keeps clients that lost the same server from all coming back in the same moment.

    Attributes:
        first: the longest first wait, in seconds.
        cap: the longest wait, in seconds.
        stable: a connection that held for so many seconds starts the count anew.
    """

    first: float = 1.0
    cap: float = 60.0
    stable: float = 30.0

    def wait(self, attempt: int, random: Random) -> float:
        """Seconds to wait before attempt `attempt` (the first retry is 1)."""
        limit = min(self.cap, self.first * 2.0 ** min(attempt - 1, 32))
        return limit * (0.5 + random.random() / 2)
