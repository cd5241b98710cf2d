"""Deadlines of many connections without a timer for each: a wheel of whole seconds.

A deadline is only looked at when its second has come; then whoever set it may find that it has moved
(something was heard meanwhile) and set it again. So a connection costs nothing between two deadlines.
"""

from __future__ import annotations

from typing import Protocol


class Timed(Protocol):
    """Something with a deadline.

    Attributes:
        slot: the wheel's own note; 0 while no deadline is set.
    """

    slot: int

    def due(self, now: float) -> None:
        """The deadline has come; set it again if it was too early. `now` is loop time in seconds."""
        ...


class Wheel:
    """Deadlines sorted into whole seconds of loop time."""

    __slots__ = ("_count", "_next", "_slots")

    def __init__(self, now: float) -> None:
        self._slots: dict[int, dict[Timed, None]] = {}
        self._next = int(now)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def set(self, timed: Timed, when: float) -> None:
        """Set the deadline of `timed` to loop time `when` (seconds), instead of an earlier one if any."""
        self.clear(timed)
        timed.slot = max(int(when) + 1, self._next, 1)
        self._slots.setdefault(timed.slot, {})[timed] = None
        self._count += 1

    def clear(self, timed: Timed) -> None:
        """Forget the deadline of `timed`, if it has one."""
        if not timed.slot:
            return
        slot = self._slots[timed.slot]
        del slot[timed]
        if not slot:
            del self._slots[timed.slot]
        timed.slot = 0
        self._count -= 1

    def expire(self, now: float) -> list[Timed]:
        """Take out all whose deadline has come by loop time `now`; they have none afterwards."""
        come: list[Timed] = []
        last = int(now)
        if last - self._next > len(self._slots):
            seconds = sorted(second for second in self._slots if second <= last)
        else:
            seconds = [second for second in range(self._next, last + 1) if second in self._slots]
        for second in seconds:
            come.extend(self._slots.pop(second))
        for timed in come:
            timed.slot = 0
        self._count -= len(come)
        self._next = max(self._next, last + 1)
        return come
