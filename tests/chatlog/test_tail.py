"""`Tail`: entries in order, without a gap and without a repeat, or a word about what is missing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from godwit.chatlog.base import Page
from godwit.chatlog.tail import Current, Dead, Hole, Skipped, Tail, TailEvent
from godwit.values import Entry, Open

STREAM = "m1"


def entry(sequence: int, prev: int | None = None) -> Entry:
    """An entry; the one before it is its neighbour unless something else is said."""
    return Entry(sequence, sequence - 1 if prev is None else prev, 0.0, Open(str(sequence), 1))


def page(*found: int, upto: int | None = None, floor: int = 0, more: bool = False, stream: str = STREAM) -> Page:
    """An answer, complete up to its last entry unless something else is said."""
    last = found[-1] if found else 0
    return Page(stream, tuple(map(entry, found)), last if upto is None else upto, floor, more)


def answer(tail: Tail, *found: int, upto: int | None = None, floor: int = 0, more: bool = False) -> list[TailEvent]:
    """Read, and have this answer."""
    return tail.answer(tail.reading(), page(*found, upto=upto, floor=floor, more=more))


def told(events: list[TailEvent]) -> list[int]:
    """The sequences of the entries among events."""
    return [event.sequence for event in events if isinstance(event, Entry)]


@pytest.fixture
def standing() -> Tail:
    """A tail that stands at the end of the log, at 3."""
    tail = Tail(STREAM, 0)
    assert told(answer(tail, 1, 2, 3)) == [1, 2, 3]
    assert tail.current
    return tail


# a new reader (rule L5) -------------------------------------------------------------------------


def test_begins_by_reading() -> None:
    tail = Tail(STREAM, 5)
    assert tail.wants_read
    assert not tail.current
    assert tail.reading() == 5
    assert not tail.wants_read, "one read is out at a time"


def test_live_waits_for_the_read() -> None:
    """What comes live before the answer is told after it, once."""
    tail = Tail(STREAM, 0)
    after = tail.reading()
    assert not tail.live(entry(3))
    assert not tail.live(entry(4))
    assert tail.answer(after, page(1, 2, 3)) == [entry(1), entry(2), entry(3), entry(4)]
    assert tail.position == 4


def test_current_only_where_the_two_meet() -> None:
    """An answer that ends before what came live is not the end."""
    tail = Tail(STREAM, 0)
    after = tail.reading()
    tail.live(entry(9, prev=6))
    assert told(tail.answer(after, page(1, 2, upto=3))) == [1, 2]
    assert not tail.current
    assert tail.wants_read
    assert tail.reading() == 3
    events = tail.answer(3, page(6, upto=7))
    assert told(events) == [6, 9]
    assert events[-1] == Current()
    assert tail.current
    assert not tail.wants_read


def test_empty_log() -> None:
    tail = Tail(STREAM, 0)
    assert answer(tail) == [Current()]
    assert not tail.live(entry(4, prev=0))
    assert tail.wants_read, "0 may mean that the one before has expired (rule L1)"
    assert told(answer(tail, 4)) == [4]


def test_position_follows_the_answer() -> None:
    """Other channels share the log: what was read lies behind, even if there was nothing of this one."""
    tail = Tail(STREAM, 2)
    answer(tail, upto=40)
    assert tail.position == 40


def test_answer_that_ends_before_the_position() -> None:
    """A log that lags behind a segment's beginning takes nothing back."""
    tail = Tail(STREAM, 7)
    assert answer(tail, upto=2) == [Current()]
    assert tail.position == 7


def test_cut_answers() -> None:
    tail = Tail(STREAM, 0)
    assert told(answer(tail, 1, 2, more=True)) == [1, 2]
    assert tail.wants_read
    assert not tail.current
    assert told(answer(tail, 3)) == [3]
    assert tail.current
    assert not tail.wants_read


# the live path is a hint (rule L1) --------------------------------------------------------------


def test_live_in_order(standing: Tail) -> None:
    assert standing.live(entry(4))
    assert standing.live(entry(9, prev=4))
    assert standing.position == 9
    assert not standing.wants_read


def test_repeats_are_dropped(standing: Tail) -> None:
    standing.live(entry(4))
    assert not standing.live(entry(4))
    assert not standing.live(entry(2))
    assert not standing.wants_read


def test_entry_behind_a_gap_waits(standing: Tail) -> None:
    assert not standing.live(entry(6, prev=5))
    assert standing.wants_read
    assert told(answer(standing, 4, 5)) == [4, 5, 6]


def test_answer_that_does_not_reach_the_entry_behind_the_gap(standing: Tail) -> None:
    """It is older than what is known, so it is asked again."""
    standing.live(entry(6, prev=5))
    assert answer(standing, 4) == [entry(4)]
    assert standing.wants_read
    assert told(answer(standing, 5)) == [5, 6]


def test_entry_behind_a_gap_comes_with_the_answer(standing: Tail) -> None:
    """It is told once, however it came."""
    standing.live(entry(6, prev=5))
    assert told(answer(standing, 4, 5, 6)) == [4, 5, 6]
    assert not standing.live(entry(6, prev=5))


def test_predecessor_between_records(standing: Tail) -> None:
    """Its predecessor lies at or below the position, so nothing lies between."""
    standing.suspect()
    answer(standing, upto=30)
    assert standing.live(entry(41, prev=3))


def test_entry_without_predecessor(standing: Tail) -> None:
    """0 is a mismatch: the one before may have expired."""
    assert not standing.live(entry(4, prev=0))
    assert standing.wants_read
    assert told(answer(standing, 4)) == [4]


def test_live_during_a_read_keeps_order(standing: Tail) -> None:
    standing.suspect()
    after = standing.reading()
    assert not standing.live(entry(5))
    assert not standing.live(entry(4))
    assert told(standing.answer(after, page())) == [4, 5]


def test_suspicion(standing: Tail) -> None:
    standing.suspect()
    assert standing.wants_read
    assert answer(standing, 4) == [entry(4)]
    assert not standing.wants_read


def test_suspicion_during_a_read(standing: Tail) -> None:
    """The answer may be older than what raised it: ask again."""
    standing.suspect()
    after = standing.reading()
    standing.suspect()
    assert not standing.wants_read
    standing.answer(after, page(4))
    assert standing.wants_read


def test_not_current_while_suspicious() -> None:
    tail = Tail(STREAM, 0)
    after = tail.reading()
    tail.suspect()
    assert tail.answer(after, page(1)) == [entry(1)]
    assert answer(tail, upto=1) == [Current()]


def test_known_sequence(standing: Tail) -> None:
    """A record that is acknowledged and not read back is a reason to look, when comparing."""
    standing.known(5)
    assert not standing.wants_read
    standing.compare()
    assert standing.wants_read
    assert told(answer(standing, 4, upto=4)) == [4]
    assert standing.wants_read, "the answer was older than what is known"
    assert told(answer(standing, 5)) == [5]
    assert not standing.wants_read


def test_comparison_without_news(standing: Tail) -> None:
    standing.known(3)
    standing.known(1)
    standing.compare()
    assert not standing.wants_read


def test_failed_read_is_asked_again(standing: Tail) -> None:
    standing.suspect()
    standing.reading()
    standing.failed()
    assert standing.wants_read


# holes and other logs (rules L2, L4) ------------------------------------------------------------


def test_hole(standing: Tail) -> None:
    """What may have expired unread is told, and nothing follows."""
    standing.suspect()
    assert answer(standing, 8, 9, floor=7) == [Hole(3, 7)]
    assert not standing.wants_read
    assert not standing.live(entry(10))
    assert standing.answer(3, page(4, 5)) == []
    standing.suspect()
    assert not standing.wants_read


def test_floor_at_the_position_is_no_hole(standing: Tail) -> None:
    standing.suspect()
    assert told(answer(standing, 4, floor=3)) == [4]


def test_new_reader_begins_with_what_is_left() -> None:
    tail = Tail(STREAM, 0, fresh=True)
    assert answer(tail, 1, 8, floor=7) == [Skipped(7), entry(1), entry(8), Current()]


def test_new_reader_for_which_more_expires() -> None:
    """Until it is current what goes on expiring before it is told as well."""
    tail = Tail(STREAM, 0, fresh=True)
    assert answer(tail, 3, 4, floor=2, more=True) == [Skipped(2), entry(3), entry(4)]
    assert answer(tail, 9, floor=8) == [Skipped(8), entry(9), Current()]
    tail.suspect()
    assert answer(tail, floor=12) == [Hole(9, 12)]


def test_dead_log(standing: Tail) -> None:
    standing.suspect()
    assert standing.answer(standing.reading(), page(4, stream="m2")) == [Dead("m2")]
    assert not standing.live(entry(4))
    assert not standing.wants_read
    assert standing.position == 3


# any order of events ----------------------------------------------------------------------------

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 3)),
        st.tuples(st.just("live"), st.integers(0, 30)),
        st.tuples(st.just("read"), st.just(0)),
        st.tuples(st.just("answer"), st.integers(0, 30)),
        st.tuples(st.just("fail"), st.just(0)),
        st.tuples(st.just("expire"), st.integers(0, 30)),
        st.tuples(st.just("suspect"), st.just(0)),
        st.tuples(st.just("compare"), st.just(0)),
    ),
    max_size=60,
)


class World:
    """A log, its bad live path, its stale and cut answers, and one tail."""

    def __init__(self, after: int, *, fresh: bool, expired_prev: bool, limit: int) -> None:
        self.tail = Tail(STREAM, after, fresh=fresh)
        self.after = after
        self.events: list[TailEvent] = []
        self.entries: list[Entry] = []
        self._last = 0
        self._floor = 0
        self._expired_prev = expired_prev
        self._limit = limit
        self._out: int | None = None

    def append(self, stride: int) -> None:
        """Store a record; records of other channels lie between."""
        prev = self.entries[-1].sequence if self.entries else 0
        self._last += stride
        if prev <= self._floor and self._expired_prev:
            prev = 0
        self.entries.append(entry(self._last, prev))

    def live(self, which: int) -> None:
        """Show any entry there ever was, however late, again or out of turn."""
        if self.entries:
            shown = self.entries[-1 - which % len(self.entries)]
            self._note([shown] if self.tail.live(shown) else [])

    def read(self, _: int) -> None:
        """Have a read go out if one is wanted."""
        if self.tail.wants_read:
            self._out = self.tail.reading()

    def answer(self, stale: int) -> None:
        """Answer the read from the log as it is, or as it was `stale` records ago."""
        if self._out is None:
            return
        after, self._out = self._out, None
        seen = self.entries[: len(self.entries) - stale] if stale < len(self.entries) else self.entries
        upto = self._last if seen is self.entries or len(seen) == len(self.entries) else seen[-1].sequence
        found = [found for found in seen if found.sequence > max(after, self._floor)]
        more = len(found) > self._limit
        found = found[: self._limit]
        upto = found[-1].sequence if more else max(upto, self._floor)
        self._note(self.tail.answer(after, Page(STREAM, tuple(found), upto, self._floor, more)))

    def fail(self, _: int) -> None:
        """Let the read fail."""
        if self._out is not None:
            self._out = None
            self.tail.failed()

    def expire(self, kept: int) -> None:
        """Keep the newest records only."""
        if kept < len(self.entries):
            self._floor = max(self._floor, self.entries[len(self.entries) - kept - 1].sequence)

    def suspect(self, _: int) -> None:
        self.tail.suspect()

    def compare(self, _: int = 0) -> None:
        """Learn the last sequence."""
        self.tail.known(self.entries[-1].sequence if self.entries else 0)
        self.tail.compare()

    def heal(self) -> None:
        """Let the driver do its work without disturbance; it must come to an end."""
        self.fail(0)
        self.compare()
        for _ in range(3 * len(self.entries) + 3):
            if not self.tail.wants_read:
                return
            self.read(0)
            self.answer(0)
        raise AssertionError("it reads on and on")

    def _note(self, events: list[TailEvent]) -> None:
        self.events += events

    @property
    def ended(self) -> bool:
        return any(isinstance(event, Hole) for event in self.events)

    def check(self) -> None:
        """What was told is the log, in order, up to a hole; what is missing was told to be."""
        found = told(self.events)
        assert found == sorted(set(found)), "in order and once"
        missing: set[int] = set()
        expected = [kept.sequence for kept in self.entries if kept.sequence > self.after]
        position = self.after
        for event in self.events:
            if isinstance(event, Entry):
                position = event.sequence
            elif isinstance(event, Skipped | Hole):
                missing |= {sequence for sequence in expected if position < sequence <= event.floor}
            if isinstance(event, Hole):
                assert event is self.events[-1], "nothing follows a hole"
                assert event.floor > event.after >= position
        upto = found[-1] if found else self.after
        assert [sequence for sequence in expected if sequence <= upto and sequence not in missing] == [
            sequence for sequence in found if sequence not in missing
        ]


@settings(max_examples=400, deadline=None)
@given(
    steps=STEPS,
    after=st.sampled_from([0, 0, 1, 4]),
    fresh=st.booleans(),
    expired_prev=st.booleans(),
    limit=st.integers(1, 4),
)
def test_any_order(steps: list[tuple[str, int]], after: int, fresh: bool, expired_prev: bool, limit: int) -> None:
    """Live entries lost, late, twice and out of order; answers stale, cut and failed; records that expire."""
    world = World(after, fresh=fresh, expired_prev=expired_prev, limit=limit)
    for name, number in steps:
        getattr(world, name)(number)
        world.check()
    world.heal()
    world.check()
    if not world.ended:
        assert world.tail.current
        head = world.entries[-1].sequence if world.entries else 0
        assert world.tail.position >= head, "everything is read in the end"
