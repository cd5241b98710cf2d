"""The room: what each record of a channel does, decided from the records before it alone.

No clock, no randomness, no I/O: time is the record's log time (rule R4). So all edges of all
clusters that read a channel agree on what was said, in which order, and when the channel moved.

Rules kept here (`docs/architecture.md`, "The chain" and "The room"):

- C1: a record is valid in segment `(X, e, at)` if it lies after `at`, has epoch `e`, and no valid
  seal of `e` lies between. An open alone means nothing.
- C2: the first valid seal decides.
- L6: of records with the same producer and number, or an older number, only the first is valid.
- R1: only facts with a position decide whether a valid record is shown: bans and timeouts.
- R2, R3: of acts on one account the one with the later position wins; a row of the store counts
  from its position on.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from godwit.values import Act, Change, Entry, Message, Open, Position, Produced, Seal, Segment

PRODUCER_MEMORY = 600.0
"""Seconds of log time for which a producer that is silent is remembered (well above any duplicate window)."""


class Ruling(msgspec.Struct, frozen=True):
    """A ban or timeout as it stands for one account.

    Attributes:
        since: log time of the act.
        seconds: length of a timeout; 0 for a ban.
        lifted: it was taken back.
    """

    id: str
    target: str
    position: Position
    since: float = 0.0
    seconds: int = 0
    lifted: bool = False


class Valid(msgspec.Struct, frozen=True):
    """The record takes effect."""

    record: Produced
    position: Position
    time: float


class Void(msgspec.Struct, frozen=True):
    """The record takes no effect; `repeated` is not worth telling anybody."""

    record: Produced
    reason: Literal["banned", "timedout", "repeated"]


class Sealed(msgspec.Struct, frozen=True):
    """The segment ended; the channel goes on in `to`."""

    to: Segment


Outcome = Valid | Void | Sealed | None


class RoomState:
    """A channel's state, as far as its records decide it."""

    __slots__ = ("_numbers", "_pruned", "_rows", "_rulings", "position", "sealed", "segment", "settings")

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self.position = Position(segment.epoch, segment.at)
        self.sealed: Seal | None = None
        self.settings: dict[str, int] = {}
        self._numbers: dict[str, tuple[int, float]] = {}
        self._rulings: dict[str, Ruling] = {}
        self._rows: list[Ruling] = []
        self._pruned = 0.0

    def load(self, rows: Iterable[Ruling]) -> None:
        """Take rulings from the store; each counts from its position on (rule R3)."""
        known = {row.id: row for row in (*self._rows, *rows)}
        self._rows = sorted(known.values(), key=lambda row: row.position)

    def follow(self, to: Segment) -> None:
        """Go on with the next segment; everything known of the room stays."""
        self.segment = to
        self.position = Position(to.epoch, to.at)
        self.sealed = None

    def apply(self, entry: Entry) -> Outcome:
        """Take the next record of the segment's log and say what it does."""
        record = entry.record
        if entry.sequence <= self.segment.at or record.epoch != self.segment.epoch or self.sealed:
            return None  # C1
        self.position = Position(record.epoch, entry.sequence)
        self._take_rows()
        if isinstance(record, Open):
            return None
        if isinstance(record, Seal):
            if record.to.epoch <= record.epoch:
                return None
            self.sealed = record
            return Sealed(record.to)
        if not self._first(record, entry.time):
            return Void(record, "repeated")
        if isinstance(record, Message):
            if reason := self.sanctioned(record.author.user_id, entry.time):
                return Void(record, reason)
        elif isinstance(record, Act):
            self._act(record, entry.time)
        elif isinstance(record, Change):
            self.settings = {**self.settings, **record.settings}
        return Valid(record, self.position, entry.time)

    def sanctioned(self, user_id: str, time: float) -> Literal["banned", "timedout"] | None:
        """Whether the account may not talk at the log time `time`."""
        self._take_rows()
        ruling = self._rulings.get(user_id)
        if ruling is None or ruling.lifted:
            return None
        if not ruling.seconds:
            return "banned"
        return "timedout" if max(time - ruling.since, 0.0) < ruling.seconds else None  # R4

    def ruling(self, user_id: str) -> Ruling | None:
        """What stands against an account, lifted or not."""
        return self._rulings.get(user_id)

    def _first(self, record: Produced, time: float) -> bool:
        """Whether it is the first of its number, in its producer's order (rule L6)."""
        known = self._numbers.get(record.producer)
        if known and record.number <= known[0]:
            return False
        self._numbers[record.producer] = (record.number, time)
        if time - self._pruned > PRODUCER_MEMORY:
            horizon = time - PRODUCER_MEMORY
            self._numbers = {name: seen for name, seen in self._numbers.items() if seen[1] >= horizon}
            self._pruned = time
        return True

    def _act(self, act: Act, time: float) -> None:
        if act.kind in ("ban", "timeout", "lift"):
            seconds = act.seconds if act.kind == "timeout" else 0
            self._rule(Ruling(act.id, act.target, self.position, time, seconds, lifted=act.kind == "lift"))

    def _rule(self, ruling: Ruling) -> None:
        known = self._rulings.get(ruling.target)
        if known is None or known.position < ruling.position:
            self._rulings[ruling.target] = ruling

    def _take_rows(self) -> None:
        taken = 0
        for row in self._rows:
            if row.position > self.position:
                break
            self._rule(row)
            taken += 1
        if taken:
            del self._rows[:taken]
