"""The lines of a channel that an edge keeps for clients that resume (rules F1, F3)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from godwit.chat.room import RoomState, Ruling, Sealed, Valid
from godwit.chatlog.base import Page
from godwit.chatlog.tail import Current, Dead, Hole, Skipped, Tail
from godwit.edge.ports import Shown
from godwit.values import Entry, Message, Position, Segment

DOUBTS = 3
"""How often a segment that must end with a seal is read again when none is found (rule L1)."""


RULINGS = 5000
"""Rulings of a channel that are kept at least, between two answers of the store."""


class History:
    """The newest lines, complete after the position `since`.

    Args:
        since: where the record begins.
        most: lines kept; 0 keeps none.
    """

    __slots__ = ("_most", "lines", "since")

    def __init__(self, since: Position, most: int) -> None:
        self.since = since
        self.lines: deque[Shown] = deque()
        self._most = most

    def add(self, shown: Shown, *, keep_all: bool = False) -> None:
        """Keep a line, forgetting the oldest if there are too many and `keep_all` does not say no."""
        self.lines.append(shown)
        while len(self.lines) > self._most and not keep_all:
            self.since = self.lines.popleft().position

    def restart(self, since: Position) -> None:
        """Lines before `since` are missing: what was kept is no longer complete up to here."""
        self.lines.clear()
        self.since = since

    def prepend(self, lines: list[Shown], since: Position) -> None:
        """Put older lines, complete after `since`, in front; the next line that is added cuts them off again."""
        self.lines.extendleft(reversed(lines))
        self.since = since

    def after(self, position: Position) -> list[Shown] | None:
        """The lines after a position; None if the record does not reach so far back."""
        if position < self.since:
            return None
        return [shown for shown in self.lines if shown.position > position]


class Backfill:
    """Reads what lies before a history, along the chain, without showing it.

    Attributes:
        done: nothing more is to be read.
        failed: and what was found is not complete.
        unanswered: because the log did not answer; it may later.

    Args:
        chain: segments from the one to begin with up to the one in which `until` lies.
        until: position at which the history begins.
        rulings: what stands in the channel, as the store knows it.
    """

    __slots__ = ("_doubts", "_room", "_tail", "chain", "done", "failed", "lines", "since", "unanswered", "until")

    def __init__(self, chain: list[Segment], until: Position, rulings: list[Ruling]) -> None:
        self.chain = chain
        self.until = until
        self.lines: list[Shown] = []
        self.done = False
        self.failed = False
        self.unanswered = False
        self._room = RoomState(chain[0])
        self._room.load(rulings)
        self._doubts = DOUBTS
        self.since = Position(chain[0].epoch, chain[0].at)
        self._read(chain[0].at, fresh=True)

    @property
    def segment(self) -> Segment:
        """The segment that is to be read."""
        return self._room.segment

    def wanted(self) -> int | None:
        """The sequence to read after, or None."""
        return self._tail.reading() if self._tail.wants_read and not self.done else None

    def read_failed(self) -> None:
        """The log did not answer: what was found so far is not complete."""
        self.done = self.failed = self.unanswered = True

    def answer(self, after: int, page: Page) -> None:
        """Take the answer to a read."""
        tail = self._tail
        for event in tail.answer(after, page):
            if isinstance(event, Entry):
                self._apply(event)
                if tail is not self._tail:
                    return
            elif isinstance(event, Skipped):
                self._begin(Position(self.segment.epoch, event.floor))
            elif isinstance(event, Hole):
                self._begin(Position(self.segment.epoch, event.floor))
                self._read(event.after, fresh=True)
                return
            elif isinstance(event, Current) and self._doubts and self.segment.epoch < self.until.epoch:
                self._doubts -= 1  # there must be a seal: the answer may have been a stale one
                self._read(tail.position, fresh=True)
                return
            elif isinstance(event, Dead | Current):
                self._end_of_segment()
                return
        if not self.done and self.segment.epoch == self.until.epoch and tail.position >= self.until.sequence:
            self.done = True

    def _apply(self, entry: Entry) -> None:
        position = Position(self.segment.epoch, entry.sequence)
        if self.done or position > self.until:
            self.done = True
            return
        outcome = self._room.apply(entry)
        if isinstance(outcome, Sealed):
            self._go_on(outcome.to)
        elif isinstance(outcome, Valid) and isinstance(outcome.record, Message):
            self.lines.append(Shown(outcome.position, outcome.time, outcome.record))

    def _end_of_segment(self) -> None:
        """No seal was met: done if this is the last segment, else what follows begins anew."""
        later = [segment for segment in self.chain if segment.epoch > self.segment.epoch]
        if self.segment.epoch >= self.until.epoch or not later:
            self.done = True
            self.failed = self.segment.epoch < self.until.epoch or self._tail.position < self.until.sequence
            return
        self._go_on(later[0])
        self._begin(Position(later[0].epoch, later[0].at))

    def _go_on(self, to: Segment) -> None:
        if to.epoch > self.until.epoch:
            self.done = True
            return
        self._room.follow(to)
        self._doubts = DOUBTS
        self._read(to.at, fresh=False)

    def _read(self, after: int, *, fresh: bool) -> None:
        self._tail = Tail(self.segment.stream, after, fresh=fresh)
        if self.segment.epoch == self.until.epoch:
            self._tail.known(self.until.sequence)

    def _begin(self, since: Position) -> None:
        """Something before `since` is missing."""
        self.lines.clear()
        self.since = since


class Recall:
    """The newest lines, and those before them when somebody resumes further back.

    Args:
        most: lines kept.
        read: asks for a read of a segment's log after a sequence, for the purpose with that number.
    """

    __slots__ = ("_backfill", "_exhausted", "_history", "_number", "_read", "_unanswered", "chain", "rulings")

    def __init__(self, most: int, read: Callable[[Segment, int, int], None]) -> None:
        self.chain: list[Segment] = []
        """The channel's segments, as far as they are known."""
        self.rulings: list[Ruling] = []
        """What stands in the channel, as the store knows it."""
        self._history = History(Position(0, 0), most)
        self._read = read
        self._number = 0
        self._backfill: Backfill | None = None
        self._exhausted: set[tuple[Position, int]] = set()
        self._unanswered = False

    @property
    def lines(self) -> Sequence[Shown]:
        """The newest lines, oldest first."""
        return self._history.lines

    @property
    def blank(self) -> bool:
        """Whether it remembers nothing but `chain` and `since`."""
        return not (self._history.lines or self.rulings)

    @property
    def reading(self) -> bool:
        """Whether older lines are being read."""
        return self._backfill is not None

    @property
    def since(self) -> Position:
        """`lines` is complete after this position."""
        return self._history.since

    def learn(self, chain: Sequence[Segment]) -> None:
        """Take the chain as the store has it; what was followed beyond it is kept."""
        newest = max((segment.epoch for segment in chain), default=0)
        self.chain = [*chain, *(segment for segment in self.chain if segment.epoch > newest)]

    def ruled(self, ruling: Ruling) -> None:
        """Take a ruling that was met in the log; those that are older than any line that can be had are dropped."""
        self.rulings.append(ruling)
        if len(self.rulings) > 2 * RULINGS:
            del self.rulings[:RULINGS]

    def add(self, shown: Shown) -> None:
        """Keep a line; while older ones are read, all, that the two ends meet."""
        self._history.add(shown, keep_all=self._backfill is not None)

    def restart(self, since: Position) -> None:
        """Lines before `since` are missing."""
        self._history.restart(since)

    def after(self, position: Position) -> list[Shown] | None:
        """The lines after a position; None if they are not all here.

        Before the first segment of a channel nothing was ever written (rule C10): whoever was there while the
        channel had no row has missed nothing.
        """
        if self.chain:
            first = self.chain[0]
            position = max(position, Position(first.epoch, first.at))
        return self._history.after(position)

    def fetch(self, after: Position, *, insist: bool = True) -> bool:
        """Have older lines read, if that was not tried already; says whether they may still come.

        Args:
            insist: a log that did not answer is asked again, after the next `retry`.
        """
        if self._backfill:
            return True
        since = self._history.since
        chain = [segment for segment in self.chain if after.epoch <= segment.epoch <= since.epoch]
        unclean = max((segment.epoch for segment in chain if segment.unclean), default=0)
        chain = [segment for segment in chain if segment.epoch >= unclean]
        if not chain or Position(chain[0].epoch, chain[0].at) >= since or (since, chain[0].epoch) in self._exhausted:
            return False
        if self._unanswered:
            return insist
        self._number += 1
        self._backfill = Backfill(chain, since, self.rulings)
        self._read_on()
        return True

    def retry(self) -> None:
        """A log that did not answer may be asked again."""
        self._unanswered = False

    def answer(self, number: int, after: int, page: Page) -> None:
        """The answer to a read for older lines."""
        if self._backfill and number == self._number:
            self._backfill.answer(after, page)
            self._read_on()

    def read_failed(self, number: int) -> None:
        """A read for older lines got no answer."""
        if self._backfill and number == self._number:
            self._backfill.read_failed()
            self._read_on()

    def _read_on(self) -> None:
        backfill = self._backfill
        assert backfill
        after = backfill.wanted()
        if after is not None:
            self._read(backfill.segment, after, self._number)
        elif backfill.done:
            self._backfill = None
            if backfill.unanswered:
                self._unanswered = True
                return
            epoch = backfill.chain[0].epoch
            self._exhausted = {(self._history.since, epoch)}
            if not backfill.failed and backfill.until == self._history.since:
                self._history.prepend(backfill.lines, backfill.since)
                self._exhausted.add((self._history.since, epoch))
