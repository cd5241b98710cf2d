"""Time as a parameter: nothing below floor 3 asks the operating system what time it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> float:
        """Seconds since the Unix epoch."""
        ...


class SystemClock:
    """The machine's clock, which never runs backwards here, nor stands still.

    A lease is over when its time has passed (rule C7), also if somebody sets the machine's clock back meanwhile: from
    then on this clock goes on by itself, at the pace of one that counts since the machine was started.

    Args:
        wall: the machine's time, in seconds since the Unix epoch.
        since_start: seconds since the machine was started, times in which it slept among them.
    """

    def __init__(self, wall: Callable[[], float] = time.time, since_start: Callable[[], float] | None = None) -> None:
        self._wall = wall
        self._since_start = since_start or _since_start()
        self._offset = float("-inf")

    def now(self) -> float:
        """Seconds since the Unix epoch, as the machine has it, or had it."""
        wall, since_start = self._wall(), self._since_start()
        if wall - since_start > self._offset:
            self._offset = wall - since_start
            return wall
        return since_start + self._offset


def _since_start() -> Callable[[], float]:
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic if boot is None else partial(time.clock_gettime, boot)


class FakeClock:
    """A clock that a test or a simulation moves by hand."""

    def __init__(self, start: float = 1_000_000.0) -> None:
        self._now = start

    def now(self) -> float:
        """The time that was last set, in seconds."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move time forward by `seconds` (never back)."""
        if seconds < 0:
            raise ValueError(f"time does not run backwards: {seconds}")
        self._now += seconds
