"""What this edge has to say in a channel and has not yet read back.

Rules kept here (`docs/architecture.md`, "The chat log" and "The chain"):

- L6: one append per producer and channel is in flight; a time-out means unknown, so the append is
  tried again under the same id, and after `hold` seconds its producer is told that it is unknown, or that
  it was not said if each try was refused.
- C6: on a seal everything pending is appended again, to the new segment, in order, before anything newer.
- L4: what may lie in a hole is not appended again.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from godwit.values import Produced


class _Pending(msgspec.Struct, gc=False, eq=False):
    """A record that is pending.

    Attributes:
        since: when it was taken.
        tried: it may lie in a log.
        doubtful: the answer to some try will never come.
    """

    record: Produced
    since: float
    tried: bool = False
    doubtful: bool = False
    retry_at: float = 0.0


class Outbox:
    """Pending records by producer, in order.

    Args:
        most: records of one producer that may wait.
        hold: seconds after which one that was tried in vain is given up.
        retry: seconds between tries.
    """

    __slots__ = ("_hold", "_lanes", "_most", "_retry", "grounded")

    def __init__(self, most: int, hold: float, retry: float) -> None:
        self._most = most
        self._hold = hold
        self._retry = retry
        self._lanes: dict[str, list[_Pending]] = {}
        self.grounded: dict[str, None] = {}
        """Producers whose first record is not in flight."""

    def __len__(self) -> int:
        return sum(map(len, self._lanes.values()))

    def __bool__(self) -> bool:
        return bool(self._lanes)

    def put(self, record: Produced, now: float) -> bool:
        """Take a record to be appended; False if too many of its producer wait."""
        lane = self._lanes.get(record.producer)
        if lane is None:
            lane = self._lanes[record.producer] = []
            self.grounded[record.producer] = None
        elif len(lane) >= self._most:
            return False
        lane.append(_Pending(record, now))
        return True

    def due(self, epoch: int, now: float) -> list[Produced]:
        """The records to append now, under `epoch`: the first of each producer that is not in flight; it is then."""
        due = []
        for producer in list(self.grounded):
            first = self._lanes[producer][0]
            if first.retry_at <= now:
                del self.grounded[producer]
                first.tried = True
                if first.record.epoch != epoch:
                    first.record = msgspec.structs.replace(first.record, epoch=epoch)
                due.append(first.record)
        return due

    def read_back(self, record: Produced) -> bool:
        """The record was met in the log, valid or void for good; says whether it was pending."""
        lane = self._lanes.get(record.producer)
        if not lane or lane[0].record.number != record.number:
            return False
        del lane[0]
        self._next(record.producer, lane)
        return True

    def unanswered(self, record: Produced, now: float) -> None:
        """An append of `record` timed out and may still land: try again later."""
        if pending := self._tried(record):
            pending.doubtful = True
            self._later(pending, now)

    def refused(self, record: Produced, now: float) -> None:
        """This try of `record` was not stored: try again later."""
        if pending := self._tried(record):
            pending.tried = pending.doubtful
            self._later(pending, now)

    def _tried(self, record: Produced) -> _Pending | None:
        """The one that was tried as `record`, if it is still the first of its producer."""
        lane = self._lanes.get(record.producer)
        if lane and lane[0].record.number == record.number and lane[0].record.epoch == record.epoch:
            return lane[0]
        return None

    def _later(self, pending: _Pending, now: float) -> None:
        pending.retry_at = now + self._retry
        self.grounded[pending.record.producer] = None

    def resend(self) -> None:
        """A new segment began: everything pending goes there, in order (rule C6)."""
        for producer, lane in self._lanes.items():
            lane[0].doubtful |= producer not in self.grounded
            lane[0].retry_at = 0.0
        self.grounded = dict.fromkeys(self._lanes)

    def give_up(self, now: float) -> list[tuple[Produced, bool]]:
        """Drop what has been held for too long (L6); returns each with whether it may have landed, or may yet."""
        return self._take(lambda pending: now - pending.since > self._hold)

    def lose(self) -> list[tuple[Produced, bool]]:
        """Drop what was tried and may lie in a hole (rule L4); returns it."""
        return self._take(lambda pending: pending.tried)

    def abandon(self) -> list[tuple[Produced, bool]]:
        """Drop everything; returns each with whether it may have landed."""
        return self._take(lambda pending: True)

    def _take(self, which: Callable[[_Pending], bool]) -> list[tuple[Produced, bool]]:
        taken: list[tuple[Produced, bool]] = []
        for producer, lane in list(self._lanes.items()):
            while lane and which(lane[0]):
                taken.append((lane[0].record, lane[0].tried))
                del lane[0]
                self._next(producer, lane)
        return taken

    def _next(self, producer: str, lane: list[_Pending]) -> None:
        """The first record of a producer is gone."""
        if lane:
            self.grounded[producer] = None
        else:
            del self._lanes[producer]
            self.grounded.pop(producer, None)
