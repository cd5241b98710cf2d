"""Whether this machine's clock agrees with those of the store and the chat logs.

Leases, drains and expiry compare times that different machines wrote. Clocks that NTP sets are milliseconds apart; a
process whose clock is another one does not start, and is not ready if that shows later.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping

import structlog

from godwit.clock import Clock, SystemClock
from godwit.errors import ChatLogUnavailable, InvalidRequest, StoreUnavailable

log = structlog.get_logger()

DIFFER = 5.0
"""Seconds by which clocks may differ."""

EVERY = 5.0
"""Seconds between two looks."""

OFFSET = "GODWIT_TEST_CLOCK_OFFSET"
"""The variable with which tests put a process's clock wrong, in seconds."""

Ask = Callable[[], Awaitable[float]]
"""What time it is there, in seconds since the Unix epoch; raises if there is no answer."""


class _Wrong:
    """A clock that is put wrong."""

    def __init__(self, offset: float) -> None:
        self._offset = offset
        self._right = SystemClock()

    def now(self) -> float:
        """Seconds since the Unix epoch, and some."""
        return self._right.now() + self._offset


def machine() -> Clock:
    """The clock that a process goes by."""
    offset = float(os.environ.get(OFFSET, "0"))
    return _Wrong(offset) if offset else SystemClock()


async def measure(ours: Clock, theirs: Ask) -> float:
    """By how many seconds our clock is ahead of another one at least; 0 if they may agree, for an answer takes time."""
    before = ours.now()
    there = await theirs()
    return before - there if before > there else min(0.0, ours.now() - there)


class Clocks:
    """Our clock against those of others.

    Attributes:
        ahead: by how many seconds ours is ahead, as last measured, by the others' names; negative: behind.

    Args:
        theirs: the others, by name, such as "the database".
    """

    def __init__(self, ours: Clock, theirs: Mapping[str, Ask]) -> None:
        self.ahead: dict[str, float] = {}
        self._ours = ours
        self._theirs = theirs
        self._told = ""

    async def require(self) -> None:
        """Refuse to start with a clock that is another one.

        Raises:
            InvalidRequest: by how much it differs, and from which.
            StoreUnavailable, ChatLogUnavailable: no answer.
        """
        for name, theirs in self._theirs.items():
            self.ahead[name] = await measure(self._ours, theirs)
        if problem := self.problem():
            raise InvalidRequest(f"{problem}: set both by NTP, then start again")

    async def look(self) -> None:
        """Measure anew; of who does not answer the last measure stands."""
        for name, theirs in self._theirs.items():
            try:
                self.ahead[name] = await measure(self._ours, theirs)
            except (StoreUnavailable, ChatLogUnavailable) as error:
                log.info("clock_not_compared", of=name, error=str(error))
        if (problem := self.problem()) != self._told:
            self._told = problem
            if problem:
                log.error("clock_differs", problem=problem, what_to_do="set both by NTP")
            else:
                log.info("clock_agrees")

    async def run(self) -> None:
        """Look now and then, until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            await self.look()

    def problem(self) -> str:
        """Says from which clock ours differs most, and by how much; '' if all agree."""
        name = max(self.ahead, key=lambda name: abs(self.ahead[name]), default="")
        ahead = self.ahead.get(name, 0.0)
        if abs(ahead) <= DIFFER:
            return ""
        return f"this machine's clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} that of {name}"

    async def agree(self) -> str:
        """A readiness check."""
        return self.problem()
