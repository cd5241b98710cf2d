"""The room: what each record does, decided from the records before it alone."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from godwit.chat.room import PRODUCER_MEMORY, Outcome, RoomState, Ruling, Sealed, Valid, Void
from godwit.values import (
    Act,
    Arrive,
    Author,
    Change,
    Entry,
    Message,
    Open,
    Position,
    Record,
    Seal,
    Segment,
    Tell,
)

MOD = Author("1", "mod", mod=True)
MAIN = Segment("main", 1, 10, "m1")
AWS = Segment("aws", 2, 7, "a1")
EVENT = Segment("event", 2, 9, "e1")


def message(number: int, producer: str = "p", user: str = "7", epoch: int = 1) -> Message:
    return Message(f"{producer}{number}", epoch, producer, number, Author(user, f"user{user}"), "hi")


def act(number: int, kind: str, target: str = "7", seconds: int = 0, epoch: int = 1) -> Act:
    return Act(f"act{number}", epoch, "mod", number, kind, MOD, target, seconds=seconds)  # type: ignore[arg-type]


def seal(to: Segment = AWS, epoch: int = 1) -> Seal:
    return Seal(f"seal:{to.cluster}", epoch, to)


class Log:
    """Feeds records to a room, one after the other."""

    def __init__(self, room: RoomState) -> None:
        self.room = room
        self.sequence = room.segment.at
        self.time = 1000.0

    def __call__(self, record: Record, *, after: float = 1.0) -> Outcome:
        self.sequence += 1
        self.time += after
        return self.room.apply(Entry(self.sequence, self.sequence - 1, self.time, record))

    def reason(self, record: Record, *, after: float = 1.0) -> str:
        """Why the record is void; '' if it is valid."""
        outcome = self(record, after=after)
        assert isinstance(outcome, Valid | Void)
        return outcome.reason if isinstance(outcome, Void) else ""


@pytest.fixture
def room() -> RoomState:
    return RoomState(MAIN)


@pytest.fixture
def log(room: RoomState) -> Log:
    return Log(room)


# the chain (rules C1, C2) -----------------------------------------------------------------------


def test_valid_record(room: RoomState, log: Log) -> None:
    assert room.position == Position(1, 10)
    assert log(message(1)) == Valid(message(1), Position(1, 11), 1001.0)
    assert room.position == Position(1, 11)


def test_record_at_or_before_the_beginning(room: RoomState) -> None:
    """Rule C1: what lies at or before the segment's `at` is not of the segment, though it has its epoch."""
    for sequence in (9, 10):
        assert room.apply(Entry(sequence, 0, 1000.0, message(1))) is None
    assert room.position == Position(1, 10)
    assert isinstance(room.apply(Entry(11, 10, 1000.0, message(1))), Valid)


@pytest.mark.parametrize("epoch", [0, 2, 3])
def test_record_of_another_epoch(log: Log, epoch: int) -> None:
    """Rule C1: late or early, it is not of the segment and leaves no trace."""
    assert log(message(1, epoch=epoch)) is None
    assert log(act(1, "ban", epoch=epoch)) is None
    assert log(seal(Segment("aws", 9, 1, "a1"), epoch=epoch)) is None
    assert isinstance(log(message(1)), Valid)


def test_open_alone_means_nothing(room: RoomState, log: Log) -> None:
    assert log(Open("open:m1", 1)) is None
    assert log(Open("open:m2", 2)) is None
    assert room.segment == MAIN
    assert isinstance(log(message(1)), Valid)


def test_first_valid_seal_decides(room: RoomState, log: Log) -> None:
    """Rule C2: the second one says nothing, nor does anything behind the first."""
    assert log(seal()) == Sealed(AWS)
    assert room.sealed == seal()
    assert log(seal(EVENT)) is None
    assert log(message(1)) is None
    assert log(act(1, "ban")) is None
    assert room.sealed == seal()
    assert room.position == Position(1, 11)


@pytest.mark.parametrize("epoch", [0, 1])
def test_seal_that_does_not_lead_on(room: RoomState, log: Log, epoch: int) -> None:
    """Epochs grow: a seal to the same or a lower one is none."""
    assert log(seal(Segment("aws", epoch, 7, "a1"))) is None
    assert room.sealed is None
    assert isinstance(log(message(1)), Valid)


def test_follow(room: RoomState, log: Log) -> None:
    """The next segment is read by its own rules, and what is known of the room stays."""
    log(message(1))
    log(act(1, "ban", "8"))
    log(Change("c", 1, "mod", 2, MOD, {"slow": 30}))
    log(seal())
    room.follow(AWS)
    assert (room.segment, room.position, room.sealed) == (AWS, Position(2, 7), None)
    on = Log(room)
    assert isinstance(on(message(2, epoch=2)), Valid)
    assert on.reason(message(1, "q", "8", epoch=2)) == "banned"
    assert on.reason(message(1, epoch=2)) == "repeated"
    assert on(message(3, epoch=1)) is None
    assert room.settings == {"slow": 30}
    assert on(seal(Segment("main", 3, 40, "m1"), epoch=2)) == Sealed(Segment("main", 3, 40, "m1"))


# stored and shown once (rule L6) ----------------------------------------------------------------


def test_repeats_are_void(log: Log) -> None:
    assert log(message(1)) == Valid(message(1), Position(1, 11), 1001.0)
    assert log(message(1)) == Void(message(1), "repeated")
    assert log.reason(message(2)) == ""
    assert log.reason(message(1)) == "repeated"
    assert log.reason(message(2)) == "repeated"


def test_older_number_is_void(log: Log) -> None:
    """A copy that landed late would come out of order."""
    assert log.reason(message(3)) == ""
    assert log.reason(message(2)) == "repeated"


def test_producers_are_apart(log: Log) -> None:
    assert log.reason(message(1, "p")) == ""
    assert log.reason(message(1, "q")) == ""


@pytest.mark.parametrize(
    "record",
    [
        act(1, "ban"),
        act(1, "clear", ""),
        Change("c", 1, "mod", 1, MOD, {"slow": 1}),
        Arrive("a", 1, "edge", 1, "aws", ("7",)),
        Tell("t", 1, "t", 1, "it moves soon"),
    ],
)
def test_repeats_of_every_kind(log: Log, record: Record) -> None:
    assert log.reason(record) == ""
    assert log.reason(record) == "repeated"


def test_repeated_act_does_not_count(room: RoomState, log: Log) -> None:
    """A ban that lands once more behind its lifting bans nobody."""
    log(act(1, "ban"))
    log(act(2, "lift"))
    assert log.reason(act(1, "ban")) == "repeated"
    assert room.sanctioned("7", log.time) is None


def test_void_message_is_still_the_first_of_its_number(log: Log) -> None:
    """Else a copy that lands after the ban was lifted would be shown."""
    log(act(1, "ban"))
    assert log.reason(message(1)) == "banned"
    log(act(2, "lift"))
    assert log.reason(message(1)) == "repeated"
    assert log.reason(message(2)) == ""


def test_silent_producers_are_remembered_for_long(log: Log) -> None:
    log(message(1))
    log(message(1, "q"), after=PRODUCER_MEMORY / 2)
    log(message(2, "q"), after=PRODUCER_MEMORY / 2)
    assert log.reason(message(1), after=0.0) == "repeated"


def test_silent_producers_are_forgotten_in_the_end(log: Log) -> None:
    """What a room keeps does not grow with everybody who ever said something."""
    log(message(1))
    log(message(1, "q"), after=PRODUCER_MEMORY + 1)
    assert log.reason(message(1)) == ""
    assert log.reason(message(1, "q")) == "repeated"


# bans and timeouts (rules R1, R2, R4) -----------------------------------------------------------


def test_ban(room: RoomState, log: Log) -> None:
    """It counts from its own position on, for that account alone."""
    assert log.reason(message(1)) == ""
    assert log(act(1, "ban")) == Valid(act(1, "ban"), Position(1, 12), 1002.0)
    assert log.reason(message(2)) == "banned"
    assert log.reason(message(1, "q")) == "banned"
    assert log.reason(message(1, "r", "8")) == ""
    assert room.ruling("sanction", "7") == Ruling("act1", "ban", "7", Position(1, 12), 1002.0)
    assert room.ruling("sanction", "8") is None


def test_lift(room: RoomState, log: Log) -> None:
    log(act(1, "ban"))
    log(act(2, "lift"))
    assert log.reason(message(1)) == ""
    assert room.ruling("sanction", "7") == Ruling("act2", "lift", "7", Position(1, 12), 1002.0)


def test_timeout_ends_by_log_time(log: Log) -> None:
    log(act(1, "timeout", seconds=10))
    assert log.reason(message(1), after=9.9) == "timedout"
    assert log.reason(message(2), after=0.1) == ""


def test_log_time_that_lies_before_the_act(room: RoomState, log: Log) -> None:
    """Rule R4: logs of two clusters differ; a negative difference counts as 0."""
    log(act(1, "timeout", seconds=10))
    log(seal())
    room.follow(AWS)
    on = Log(room)
    on.time = 500.0
    assert on.reason(message(1, epoch=2)) == "timedout"
    on.time = 1010.0
    assert on.reason(message(2, epoch=2)) == ""


def test_later_act_wins(log: Log) -> None:
    """Rule R2, be it the milder one."""
    log(act(1, "ban"))
    log(act(2, "timeout", seconds=10))
    assert log.reason(message(1), after=10.0) == ""
    log(act(3, "timeout", seconds=10))
    log(act(4, "ban"))
    assert log.reason(message(2), after=100.0) == "banned"


@pytest.mark.parametrize("kind", ["clear", "delete"])
def test_other_acts_sanction_nobody(room: RoomState, log: Log, kind: str) -> None:
    assert log.reason(act(1, kind)) == ""
    assert room.ruling("sanction", "7") is None
    log(act(2, "ban"))
    assert log.reason(act(3, kind)) == ""
    assert log.reason(message(1)) == "banned"


def test_acts_of_a_banned_moderator_are_valid(log: Log) -> None:
    """Who may moderate was decided by the moderator's edge (rule R1)."""
    log(act(1, "ban", MOD.user_id))
    assert log.reason(act(2, "ban", "8")) == ""
    assert log.reason(message(1, "q", "8")) == "banned"


def test_settings(room: RoomState, log: Log) -> None:
    """Each change adds to what was; none decides about records (rule R1)."""
    log(Change("c1", 1, "mod", 1, MOD, {"slow": 30, "subs-only": 1}))
    before = room.settings
    log(Change("c2", 1, "mod", 2, MOD, {"slow": 0}))
    assert room.settings == {"slow": 0, "subs-only": 1}
    assert before == {"slow": 30, "subs-only": 1}
    assert log.reason(message(1)) == ""


# rows of the store (rule R3) --------------------------------------------------------------------


def row(number: int, position: Position, kind: str = "ban", *, seconds: int = 0, since: float = 0.0) -> Ruling:
    return Ruling(f"act{number}", kind, "7", position, since, seconds)


def test_row_before_the_beginning(room: RoomState, log: Log) -> None:
    """A ban whose record lies before the reader's start, here in an older segment."""
    room.load([row(1, Position(0, 99))])
    assert room.sanctioned("7", 0.0) == "banned"
    assert log.reason(message(1)) == "banned"


def test_row_counts_from_its_position_on(room: RoomState, log: Log) -> None:
    room.load([row(1, Position(1, 12))])
    assert log.reason(message(1)) == ""
    assert room.sanctioned("7", 0.0) is None
    assert log(act(9, "clear")) is not None
    assert log.reason(message(2)) == "banned"


def test_rows_come_in_any_order(room: RoomState, log: Log) -> None:
    """Of several that lie behind, the latest counts, loaded at once or one after the other."""
    room.load([row(3, Position(1, 5)), row(1, Position(0, 3))])
    room.load([row(2, Position(1, 4), "lift")])
    assert log.reason(message(1)) == "banned"
    assert room.ruling("sanction", "7") == row(3, Position(1, 5))


def test_row_that_is_older_than_what_was_read(log: Log, room: RoomState) -> None:
    log(act(2, "lift"))
    room.load([row(1, Position(1, 10))])
    assert log.reason(message(1)) == ""


def test_row_of_a_record_that_is_read_as_well(log: Log, room: RoomState) -> None:
    room.load([row(1, Position(1, 11), "timeout", seconds=5, since=1001.0)])
    log(act(1, "timeout", seconds=5))
    assert log.reason(message(1)) == "timedout"
    assert log.reason(message(2), after=5.0) == ""


def test_timeout_row_has_its_log_time(room: RoomState, log: Log) -> None:
    room.load([row(1, Position(1, 3), "timeout", seconds=60, since=1000.0)])
    assert log.reason(message(1), after=59.0) == "timedout"
    assert log.reason(message(2), after=1.0) == ""


def test_row_of_a_later_segment(room: RoomState, log: Log) -> None:
    """It waits until the reader comes there, however high the sequences of this one."""
    room.load([row(1, Position(2, 8))])
    for number in range(1, 5):
        assert log.reason(message(number)) == ""
    log(seal())
    room.follow(AWS)
    on = Log(room)
    assert on.reason(message(9, epoch=2)) == "banned"


def test_rows_that_are_loaded_again_and_again(room: RoomState) -> None:
    """Each answer of the store brings all of them; a quiet room must not grow with every one."""
    for _ in range(100):
        room.load([row(1, Position(1, 50))])
    assert len(room._rows) == 1


# all readers agree ------------------------------------------------------------------------------

EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("message"), st.integers(0, 2), st.integers(7, 8)),
        st.tuples(st.just("repeat"), st.integers(0, 50), st.just(0)),
        st.tuples(st.sampled_from(["ban", "lift"]), st.just(0), st.integers(7, 8)),
        st.tuples(st.just("timeout"), st.integers(1, 9), st.integers(7, 8)),
        st.tuples(st.just("void"), st.sampled_from([-1, 1]), st.integers(7, 8)),
        st.tuples(st.just("seal"), st.integers(1, 20), st.integers(-4, 9)),
    ),
    max_size=40,
)


class History:
    """What was written to a channel: its segments, each with its log's entries.

    Args:
        start: number of the segment at whose beginning a second reader starts. No record written before
            is written once more behind it: whoever repeats for so long has long given up (rule L6).
    """

    def __init__(self, events: list[tuple[str, int, int]], start: int) -> None:
        self.segments = [MAIN]
        self.logs: list[list[Entry]] = [[]]
        self._time = 1000.0
        self._made = [0, 0, 0]
        self._acts = 0
        self._may_repeat: list[Record] = []
        for kind, number, user in events:
            self._add(kind, number, str(user), start)

    def _add(self, kind: str, number: int, user: str, start: int) -> None:
        epoch = self.segments[-1].epoch
        if kind == "message":
            self._made[number] += 1
            self._store(message(self._made[number], f"p{number}", user, epoch))
        elif kind == "repeat" and self._may_repeat:
            self._store(msgspec.structs.replace(self._may_repeat[number % len(self._may_repeat)], epoch=epoch))
        elif kind == "void":
            self._store(message(99, "late", user, epoch + number))
        elif kind == "seal":
            self._store(Open("early", epoch + 1))
            to = Segment(f"c{epoch}", epoch + 1, number, f"s{epoch}")
            self._store(seal(to, epoch))
            self._store(message(98, "late", "7", epoch))
            self._store(seal(Segment("event", epoch + 2, 1, "e1"), epoch))
            self.segments.append(to)
            self.logs.append([])
            self._time += float(user)
            if len(self.segments) - 1 == start:
                self._may_repeat = []
        elif kind in ("ban", "lift", "timeout"):
            self._acts += 1
            self._store(act(self._acts, kind, user, seconds=number, epoch=epoch))

    def _store(self, record: Record) -> None:
        log, segment = self.logs[-1], self.segments[-1]
        sequence = segment.at + 2 * len(log) + 1
        log.append(Entry(sequence, 0, self._time, record))
        self._time += 1.0
        if isinstance(record, Message | Act) and record.producer != "late" and record.epoch == segment.epoch:
            self._may_repeat.append(record)

    def read(self, room: RoomState, start: int) -> list[Outcome]:
        """The outcomes from segment `start` on; follows each seal."""
        outcomes: list[Outcome] = []
        for segment, log in zip(self.segments[start:], self.logs[start:], strict=True):
            if room.segment != segment:
                assert room.sealed
                assert room.sealed.to == segment
                room.follow(room.sealed.to)
            outcomes += [room.apply(entry) for entry in log]
        return outcomes


def rows_of(outcomes: list[Outcome]) -> list[Ruling]:
    """The rows that the store has when everything was read."""
    return [
        Ruling(
            outcome.record.id,
            outcome.record.kind,
            outcome.record.target,
            outcome.position,
            outcome.time,
            outcome.record.seconds,
        )
        for outcome in outcomes
        if isinstance(outcome, Valid) and isinstance(outcome.record, Act)
    ]


@settings(max_examples=300, deadline=None)
@given(events=EVENTS, start=st.integers(1, 3), known=st.integers(0, 40))
def test_readers_that_start_at_different_points_agree(
    events: list[tuple[str, int, int]], start: int, known: int
) -> None:
    """The later one has the rows of acts before its start, and of any that followed (rule R3)."""
    history = History(events, start)
    if len(history.segments) <= start:
        start = 0
    outcomes = history.read(RoomState(MAIN), 0)
    before = sum(len(log) for log in history.logs[:start])
    late = RoomState(history.segments[start])
    old, new = rows_of(outcomes[:before]), rows_of(outcomes[before:])
    late.load(new[:known])
    late.load(reversed(old))
    assert history.read(late, start) == outcomes[before:]


@settings(max_examples=100, deadline=None)
@given(events=EVENTS, cut=st.integers(0, 40))
def test_reader_that_begins_within_a_segment_agrees(events: list[tuple[str, int, int]], cut: int) -> None:
    """What is left of a segment is enough, with the rows (rules L5, R3)."""
    history = History([event for event in events if event[0] not in ("repeat", "seal")], 0)
    [log] = history.logs
    whole, late = RoomState(MAIN), RoomState(MAIN)
    outcomes = [whole.apply(entry) for entry in log]
    late.load(rows_of(outcomes))
    assert [late.apply(entry) for entry in log[cut:]] == outcomes[cut:]
