"""Reading a channel's log in order and without a gap, over a live path that is only a hint.

Rule L1: a reader drops sequences at or below its own; on any sign that it may have missed
something it compares with the log and fills; an answer older than what it already knows is asked
again. Rule L5: it subscribes first, then reads, and is current only where the two meet. Rule L4: a
hole is an event, and the end of this tail. Rule L2: an answer of another stream is a dead log.

A `Tail` does no I/O. It is fed with `live` entries and `answer`s to reads, and says with
`wants_read` when the driver must read (after the sequence `position`). One read is out at a time.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from godwit.chatlog.base import Page
from godwit.values import Entry


class Current(msgspec.Struct, frozen=True, gc=False):
    """The tail stands at the end of the log, for the first time or again after a suspicion."""


class Hole(msgspec.Struct, frozen=True, gc=False):
    """Records after `after` and up to `floor` may have expired unread; nothing follows (rule L4)."""

    after: int
    floor: int


class Skipped(msgspec.Struct, frozen=True, gc=False):
    """A new reader began with what is left: records up to `floor` may be missing (rules L4, L5)."""

    floor: int


class Dead(msgspec.Struct, frozen=True, gc=False):
    """The log that answered is another one than the segment names; nothing follows (rule L2)."""

    stream: str


TailEvent = Entry | Current | Hole | Skipped | Dead


class Tail:
    """Turns hints and reads into entries in order (rules L1, L2, L4, L5).

    Args:
        stream: creation id of the log that is to be read.
        after: sequence after which to begin; what lies at or below it is known.
        fresh: a new reader, that begins with what is left (rule L5): no hole before it is current.
        current: it goes on for another one, which stood at the end of the log.
    """

    __slots__ = ("_ahead", "_ended", "_fresh", "_known", "_outstanding", "current", "position", "stream", "suspicious")

    def __init__(self, stream: str, after: int, *, fresh: bool = False, current: bool = False) -> None:
        self.stream = stream
        self.position = after
        """Everything of the channel at or below this sequence has been delivered."""
        self.current = current
        """Whether the tail stood at the end of the log when it last heard of it."""
        self._fresh = fresh
        self._known = 0
        self._ahead: dict[int, Entry] = {}
        self.suspicious = not current
        """Whether something may have been missed that has not been asked for yet."""
        self._outstanding = False
        self._ended = False

    @property
    def still(self) -> bool:
        """Whether it stands at the end of the log, as far as it knows, and nothing is being read."""
        return (
            self.current and not (self.suspicious or self._outstanding or self._ahead) and self._known <= self.position
        )

    @property
    def wants_read(self) -> bool:
        """Whether the driver must read after `position` now."""
        return self.suspicious and not self._outstanding and not self._ended

    def reading(self) -> int:
        """Note that the driver reads; returns the sequence to read after."""
        self._outstanding = True
        self.suspicious = False
        return self.position

    def suspect(self) -> None:
        """Something may have been missed: a reconnect, a slow consumer, placement news, a timer."""
        self.suspicious = True

    def known(self, sequence: int) -> None:
        """A record of the channel is known to exist at `sequence` (an append was acknowledged)."""
        self._known = max(self._known, sequence)

    def compare(self) -> None:
        """Suspect a gap if a record is known that has not been delivered."""
        if self._known > self.position:
            self.suspicious = True

    def live(self, entry: Entry) -> bool:
        """Take an entry of the live path; says whether it is the next one, which is delivered with this."""
        sequence, position = entry.sequence, self.position
        if self._ended or sequence <= position:
            return False
        if sequence > self._known:
            self._known = sequence
        if self.current and not self._outstanding and 0 < entry.prev <= position:
            self.position = sequence
            return True
        self._ahead[sequence] = entry
        self.suspicious = True
        return False

    def failed(self) -> None:
        """The read that was out got no answer; it will be asked again."""
        self._outstanding = False
        self.suspicious = True

    def answer(self, after: int, page: Page) -> list[TailEvent]:
        """Take the answer to the read after `after`."""
        self._outstanding = False
        if self._ended:
            return []
        if page.stream != self.stream:
            self._ended = True
            return [Dead(page.stream)]
        events: list[TailEvent] = []
        if page.floor > self.position:
            if not self._fresh:
                self._ended = True
                return [Hole(self.position, page.floor)]
            events.append(Skipped(page.floor))
        events.extend(self._deliver(page.entries))
        self.position = max(self.position, page.upto)
        events.extend(self._deliver(self._chained()))
        self._ahead = {sequence: entry for sequence, entry in self._ahead.items() if sequence > self.position}
        if page.more or self._known > self.position:
            self.suspicious = True  # stale, or cut by the limit: there is more
        elif not self.suspicious and not self.current:
            self.current = True
            self._fresh = False
            events.append(Current())
        return events

    def _deliver(self, entries: Iterable[Entry]) -> Iterable[Entry]:
        for entry in entries:
            if entry.sequence > self.position:
                self.position = entry.sequence
                yield entry

    def _chained(self) -> Iterable[Entry]:
        """Entries that came live meanwhile and follow the position without a gap."""
        for sequence in sorted(self._ahead):
            if 0 < self._ahead[sequence].prev <= self.position:
                yield self._ahead[sequence]
            elif sequence > self.position:
                return
