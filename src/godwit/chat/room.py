"""The room: what each record of a channel does, decided from the records before it alone.

No clock, no randomness, no I/O: time is the record's log time (rule R4). So all edges of all
clusters that read a channel agree on what was said, in which order, and when the channel moved.

Rules kept here (`docs/architecture.md`, "The chain" and "The room"):

- C1: a record is valid in segment `(X, e, at)` if it lies after `at`, has epoch `e`, and no valid
  seal of `e` lies between. An open alone means nothing.
- C2: the first valid seal decides.
- L6: of records with the same producer and number, or an older number, only the first is valid.
- R1: only facts with a position decide whether a valid record is shown: bans and timeouts. Roles, hosting and
  settings are known here, and decide nothing about records.
- R2, R3: of rulings of one family on one target the one with the later position wins; a row of the store
  counts from its position on.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from godwit.values import FAMILIES, Act, Change, Entry, Family, Message, Open, Position, Produced, Seal, Segment

PRODUCER_MEMORY = 600.0
"""Seconds of log time for which a producer that is silent is remembered (well above any duplicate window)."""


Role = Literal["", "mod", "vip"]
"""What an account is in a channel that it does not own."""


class Ruling(msgspec.Struct, frozen=True, gc=False):
    """What an act or a change of settings says about one subject, from its position on.

    Attributes:
        kind: as in `Act`; `set` for a setting.
        target: user id; '' for hosting; a setting's name.
        since: log time of the act.
        seconds: length of a timeout; value of a setting.
        login: of the account concerned, or of the channel that is hosted.
    """

    id: str
    kind: str
    target: str
    position: Position
    since: float = 0.0
    seconds: int = 0
    login: str = ""

    @property
    def order(self) -> tuple[Position, float, str]:
        """What decides between two; rows that operators bring all have the position (0, 0)."""
        return self.position, self.since, self.id


def rulings_of(record: Produced, position: Position, time: float) -> list[Ruling]:
    """What a valid record says that lasts: each has a row in the store (rule R2)."""
    if isinstance(record, Change):
        return [Ruling(record.id, "set", name, position, time, value) for name, value in record.settings.items()]
    if isinstance(record, Act) and (family := FAMILIES.get(record.kind)):
        target = "" if family == "host" else record.target
        return [Ruling(record.id, record.kind, target, position, time, record.seconds, record.target_login)]
    return []


class Valid(msgspec.Struct, frozen=True, gc=False):
    """The record takes effect."""

    record: Produced
    position: Position
    time: float


class Void(msgspec.Struct, frozen=True, gc=False):
    """The record takes no effect; `repeated` is not worth telling anybody."""

    record: Produced
    reason: Literal["banned", "timedout", "repeated"]


class Sealed(msgspec.Struct, frozen=True, gc=False):
    """The segment ended; the channel goes on in `to`."""

    to: Segment


Outcome = Valid | Void | Sealed | None


class RoomState:
    """A channel's state, as far as its records decide it.

    Attributes:
        settings: setting -> value, of those that were ever set; never changed in place.
        hosting: login of the channel that is hosted, '' for none.
    """

    __slots__ = (
        "_numbers", "_pruned", "_roles", "_rows", "_sanctions", "_standing", "hosting", "position", "sealed",
        "segment", "settings",
    )  # fmt: skip

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self.position = Position(segment.epoch, segment.at)
        self.sealed: Seal | None = None
        self.settings: dict[str, int] = {}
        self.hosting = ""
        self._numbers: dict[str, tuple[int, float]] = {}
        self._sanctions: dict[str, Ruling] = {}
        self._roles: dict[str, Ruling] = {}
        self._standing: dict[Family, dict[str, Ruling]] = {
            "sanction": self._sanctions, "role": self._roles, "host": {}, "setting": {},
        }  # fmt: skip
        self._rows: list[Ruling] = []
        self._pruned = 0.0

    @property
    def blank(self) -> bool:
        """Whether it knows nothing but where it stands."""
        return not (self._numbers or self._rows or self.sealed or any(self._standing.values()))

    def load(self, rows: Iterable[Ruling]) -> None:
        """Take rows of the store; each counts from its position on (rule R3)."""
        known = {(row.id, row.target): row for row in (*self._rows, *rows)}
        self._rows = sorted(known.values(), key=lambda row: row.order)
        self._take_rows()

    def reach(self, sequence: int) -> None:
        """Everything up to that sequence of the segment's log has been applied, or has expired (rules L4, L5)."""
        self.position = max(self.position, Position(self.segment.epoch, sequence))
        self._take_rows()

    def follow(self, to: Segment) -> None:
        """Go on with the next segment; everything known of the room stays."""
        self.segment = to
        self.position = Position(to.epoch, to.at)
        self.sealed = None
        self._take_rows()

    def apply(self, entry: Entry) -> Outcome:
        """Take the next record of the segment's log and say what it does."""
        record, sequence, segment, time = entry.record, entry.sequence, self.segment, entry.time
        if sequence <= segment.at or record.epoch != segment.epoch or self.sealed:
            return None  # C1
        self.position = position = Position(record.epoch, sequence)
        if self._rows:
            self._take_rows()
        if isinstance(record, Message):
            if not self._first(record, time):
                return Void(record, "repeated")
            if reason := self.sanctioned(record.author.user_id, time):
                return Void(record, reason)
            return Valid(record, position, time)
        if isinstance(record, Open):
            return None
        if isinstance(record, Seal):
            if record.to.epoch <= record.epoch:
                return None
            self.sealed = record
            return Sealed(record.to)
        if not self._first(record, time):
            return Void(record, "repeated")
        for ruling in rulings_of(record, position, time):
            self._rule(ruling)
        return Valid(record, position, time)

    def sanctioned(self, user_id: str, time: float) -> Literal["banned", "timedout"] | None:
        """Whether the account may not talk at the log time `time`."""
        ruling = self._sanctions.get(user_id)
        if ruling is None or ruling.kind == "lift":
            return None
        if ruling.kind == "ban":
            return "banned"
        return "timedout" if max(time - ruling.since, 0.0) < ruling.seconds else None  # R4

    def ruling(self, family: Family, target: str) -> Ruling | None:
        """What stands about a subject, be it that something was taken back."""
        return self._standing[family].get(target)

    def rulings(self, family: Family) -> list[Ruling]:
        """All that stands in a family, be it that something was taken back."""
        return list(self._standing[family].values())

    def role(self, user_id: str) -> Role:
        """What an account is here, beside the owner."""
        ruling = self._roles.get(user_id)
        if ruling is None:
            return ""
        return "mod" if ruling.kind == "mod" else "vip" if ruling.kind == "vip" else ""

    def _first(self, record: Produced, time: float) -> bool:
        """Whether it is the first of its number, in its producer's order (rule L6)."""
        producer, number = record.producer, record.number
        known = self._numbers.get(producer)
        if known and number <= known[0]:
            return False
        self._numbers[producer] = (number, time)
        if time - self._pruned > PRODUCER_MEMORY:
            horizon = time - PRODUCER_MEMORY
            self._numbers = {name: seen for name, seen in self._numbers.items() if seen[1] >= horizon}
            self._pruned = time
        return True

    def _rule(self, ruling: Ruling) -> None:
        family = FAMILIES[ruling.kind]
        standing = self._standing[family]
        known = standing.get(ruling.target)
        if known is not None and known.order >= ruling.order:
            return
        standing[ruling.target] = ruling
        if family == "setting":
            self.settings = {**self.settings, ruling.target: ruling.seconds}
        elif family == "host":
            self.hosting = ruling.login if ruling.kind == "host" else ""

    def _take_rows(self) -> None:
        taken = 0
        for row in self._rows:
            if row.position > self.position:
                break
            self._rule(row)
            taken += 1
        if taken:
            del self._rows[:taken]
