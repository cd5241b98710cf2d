"""The lines that an edge keeps, and what it reads again for those who come from further back."""

from __future__ import annotations

import pytest

from godwit.chat.room import Ruling
from godwit.chatlog.base import Page
from godwit.edge import history as module
from godwit.edge.history import DOUBTS, Backfill, History, Recall
from godwit.edge.ports import Shown
from godwit.values import Act, Author, Entry, Message, Open, Position, Record, Seal, Segment

MAIN = Segment("main", 1, 0, "m1")
AWS = Segment("aws", 2, 20, "a1")
EVENT = Segment("event", 3, 30, "e1")
MOD = Author("9", "mod")


def message(name: str, epoch: int = 1, number: int = 0, user: str = "7") -> Message:
    """A line; each is of a producer of its own unless a number is given."""
    return Message(name, epoch, "p" if number else name, number or 1, Author(user, "ann"), "hi")


def shown(epoch: int, sequence: int) -> Shown:
    return Shown(Position(epoch, sequence), 0.0, message(f"{epoch}-{sequence}", epoch))


def places(lines: object) -> list[str]:
    return [str(line.position) for line in lines]  # type: ignore[attr-defined]


# what is kept -----------------------------------------------------------------------------------


def test_after_a_position() -> None:
    history = History(Position(1, 0), 10)
    for sequence in (3, 5, 8):
        history.add(shown(1, sequence))
    history.add(shown(2, 1))
    assert places(history.after(Position(1, 0)) or ()) == ["1-3", "1-5", "1-8", "2-1"]
    assert places(history.after(Position(1, 5)) or ()) == ["1-8", "2-1"]
    assert places(history.after(Position(1, 6)) or ()) == ["1-8", "2-1"]
    assert history.after(Position(2, 1)) == []
    assert history.after(Position(9, 9)) == []


def test_before_the_beginning() -> None:
    """None: it does not reach so far back, which is not the same as nothing."""
    history = History(Position(1, 5), 10)
    assert history.after(Position(1, 4)) is None
    assert history.after(Position(1, 5)) == []


def test_too_many() -> None:
    """The oldest are forgotten; the record says since when it is complete."""
    history = History(Position(1, 0), 2)
    for sequence in (3, 5, 8, 9):
        history.add(shown(1, sequence))
    assert places(history.lines) == ["1-8", "1-9"]
    assert history.since == Position(1, 5)
    assert history.after(Position(1, 4)) is None
    assert places(history.after(Position(1, 5)) or ()) == ["1-8", "1-9"]


def test_none_kept() -> None:
    history = History(Position(1, 0), 0)
    history.add(shown(1, 3))
    assert (list(history.lines), history.since) == ([], Position(1, 3))


def test_restart() -> None:
    history = History(Position(1, 0), 10)
    history.add(shown(1, 3))
    history.restart(Position(1, 7))
    assert (list(history.lines), history.since) == ([], Position(1, 7))


def test_prepend() -> None:
    history = History(Position(2, 4), 10)
    history.add(shown(2, 6))
    history.prepend([shown(1, 3), shown(2, 1)], Position(1, 2))
    assert places(history.lines) == ["1-3", "2-1", "2-6"]
    assert history.since == Position(1, 2)


def test_prepend_too_many() -> None:
    """Somebody waits for them: they are kept until the next line comes."""
    history = History(Position(2, 4), 2)
    history.add(shown(2, 6))
    history.prepend([shown(1, 3), shown(2, 1)], Position(1, 2))
    assert places(history.lines) == ["1-3", "2-1", "2-6"]
    assert history.since == Position(1, 2)
    history.add(shown(2, 7))
    assert places(history.lines) == ["2-6", "2-7"]
    assert history.since == Position(2, 1)


def test_keep_all() -> None:
    """Nothing is forgotten that older lines are being read up to."""
    history = History(Position(1, 0), 2)
    for sequence in (3, 5, 8):
        history.add(shown(1, sequence), keep_all=True)
    assert places(history.lines) == ["1-3", "1-5", "1-8"]
    assert history.since == Position(1, 0)
    history.add(shown(1, 9))
    assert (places(history.lines), history.since) == (["1-8", "1-9"], Position(1, 5))


# what is read again -----------------------------------------------------------------------------


class Log:
    """What a cluster's log has, answered in pages; stale at first if a test wants it."""

    def __init__(self, segment: Segment, *records: Record, first: int | None = None) -> None:
        start = segment.at + 1 if first is None else first
        self.stream = segment.stream
        self.entries = [Entry(sequence, sequence - 1, 0.0, record) for sequence, record in enumerate(records, start)]
        self.floor = 0
        self.limit = 2
        self.stale = 0
        self.reads = 0

    def read(self, after: int) -> Page:
        self.reads += 1
        if self.stale:
            self.stale -= 1
            return Page(self.stream, (), after, self.floor)
        found = [entry for entry in self.entries if entry.sequence > max(after, self.floor)]
        if len(found) > self.limit:
            return Page(self.stream, tuple(found[: self.limit]), found[self.limit - 1].sequence, self.floor, more=True)
        upto = self.entries[-1].sequence if self.entries else 0
        return Page(self.stream, tuple(found), max(upto, self.floor), self.floor)


def seal(to: Segment) -> Seal:
    return Seal(f"seal:{to.cluster}", to.epoch - 1, to)


class Logs:
    """The channel's whole life: three lines on main, three on aws, three on event."""

    def __init__(self) -> None:
        self.main = Log(MAIN, message("a"), message("b"), message("c"), seal(AWS), message("void"))
        self.aws = Log(AWS, *(message(name, 2) for name in "def"), seal(EVENT), message("late", 1))
        self.event = Log(EVENT, *(message(name, 3) for name in "ghi"))
        self.chain = [MAIN, AWS, EVENT]

    def run(self, until: Position, *rulings: Ruling, start: int = 0) -> Backfill:
        """Drive a backfill to its end."""
        backfill = Backfill(self.chain[start:], until, list(rulings))
        for _ in range(100):
            after = backfill.wanted()
            if backfill.done:
                return backfill
            assert after is not None, "it waits for nothing"
            backfill.answer(after, getattr(self, backfill.segment.cluster).read(after))
        raise AssertionError("it reads on and on")


@pytest.fixture
def logs() -> Logs:
    return Logs()


def names(backfill: Backfill) -> str:
    return "".join(line.message.id for line in backfill.lines)


def test_one_segment(logs: Logs) -> None:
    """Up to the position at which the history begins, this one included."""
    backfill = logs.run(Position(1, 2))
    assert (names(backfill), backfill.since, backfill.failed) == ("ab", Position(1, 0), False)
    assert places(backfill.lines) == ["1-1", "1-2"]


def test_along_the_chain(logs: Logs) -> None:
    """By the seals, without what is void."""
    backfill = logs.run(Position(3, 32))
    assert (names(backfill), backfill.since, backfill.failed) == ("abcdefgh", Position(1, 0), False)


def test_from_the_middle_of_the_chain(logs: Logs) -> None:
    backfill = logs.run(Position(3, 31), start=1)
    assert (names(backfill), backfill.since) == ("defg", Position(2, 20))
    assert logs.main.reads == 0


def test_to_the_beginning_of_a_segment(logs: Logs) -> None:
    """The history of an edge that began with the newest segment."""
    backfill = logs.run(Position(3, 30))
    assert (names(backfill), backfill.failed) == ("abcdef", False)


def test_long_segment(logs: Logs) -> None:
    logs.event = Log(EVENT, *(message(str(number), 3) for number in range(50)))
    backfill = logs.run(Position(3, 75), start=2)
    assert len(backfill.lines) == 45


def test_answer_older_than_the_end(logs: Logs) -> None:
    """The end is known: it is asked for until it comes (rule L1)."""
    logs.event.stale = 5
    assert names(logs.run(Position(3, 32), start=2)) == "gh"


def test_seal_missing_from_a_stale_answer(logs: Logs) -> None:
    """There must be a seal, so it is asked for again."""
    logs.main.stale = DOUBTS
    backfill = logs.run(Position(2, 22))
    assert (names(backfill), backfill.since, backfill.failed) == ("abcde", Position(1, 0), False)


def test_doubts_are_there_for_each_segment(logs: Logs) -> None:
    logs.main.stale = logs.aws.stale = DOUBTS
    assert names(logs.run(Position(3, 31))) == "abcdefg"


def test_seal_that_has_gone(logs: Logs) -> None:
    """Then the next segment is read, and nobody is told that it were complete before."""
    del logs.main.entries[-2:]
    backfill = logs.run(Position(2, 22))
    assert (names(backfill), backfill.since, backfill.failed) == ("de", Position(2, 20), False)
    assert logs.main.reads > DOUBTS


def test_expired_beginning(logs: Logs) -> None:
    """What is left counts from the floor on (rule L4)."""
    logs.main.floor = 1
    backfill = logs.run(Position(2, 21))
    assert (names(backfill), backfill.since) == ("bcd", Position(1, 1))


def test_seal_is_left_of_an_expired_segment(logs: Logs) -> None:
    """Rule L3: it leads on."""
    logs.main.floor = 3
    backfill = logs.run(Position(2, 21))
    assert (names(backfill), backfill.since) == ("d", Position(1, 3))


def test_expires_while_it_is_read(logs: Logs) -> None:
    """A hole behind what was read: what lies before it does not count."""
    logs.aws.floor = 22
    backfill = logs.run(Position(2, 23))
    assert (names(backfill), backfill.since, backfill.failed) == ("f", Position(2, 22), False)


def test_dead_log_in_the_chain(logs: Logs) -> None:
    """Rule L2: another log has nothing of this channel's; it goes on with what follows."""
    logs.main = Log(Segment("main", 1, 0, "m2"), message("x"), seal(AWS))
    backfill = logs.run(Position(2, 22))
    assert (names(backfill), backfill.since, backfill.failed) == ("de", Position(2, 20), False)


def test_dead_log_at_the_end(logs: Logs) -> None:
    """Then what was read does not reach the history."""
    logs.aws = Log(Segment("aws", 2, 20, "a2"), message("x", 2))
    assert logs.run(Position(2, 22)).failed


def test_chain_that_ends_too_early(logs: Logs) -> None:
    """The segments in between are not known, and no seal leads there."""
    del logs.main.entries[-2:]
    logs.chain = [MAIN]
    assert logs.run(Position(3, 31)).failed


def test_seal_that_leads_beyond_the_end(logs: Logs) -> None:
    """A forced segment is the history's; nothing of what it left out is read."""
    logs.main = Log(MAIN, message("a"), Seal("late", 1, Segment("event", 3, 30, "e1")))
    backfill = logs.run(Position(2, 20))
    assert (names(backfill), backfill.failed) == ("a", False)


def test_failed_read(logs: Logs) -> None:
    backfill = Backfill(logs.chain, Position(3, 31), [])
    backfill.wanted()
    backfill.read_failed()
    assert backfill.done
    assert backfill.failed
    assert backfill.wanted() is None


def test_one_read_at_a_time(logs: Logs) -> None:
    backfill = Backfill(logs.chain, Position(3, 31), [])
    assert backfill.wanted() == 0
    assert backfill.wanted() is None
    backfill.answer(0, logs.main.read(0))
    assert backfill.wanted() == 2


def test_void_lines_are_not_shown(logs: Logs) -> None:
    """Bans in the log, repeats, and what is no message."""
    ban = Act("ban", 1, "mod", 1, "ban", MOD, "8")
    records = (
        Open("o", 1),
        message("a", number=1),
        message("b", user="8"),
        ban,
        message("c", user="8"),
        message("a", number=1),
    )
    logs.main = Log(MAIN, *records, message("d"))
    logs.main.limit = 50
    assert names(logs.run(Position(1, 7))) == "abd"


def test_rows_of_the_store(logs: Logs) -> None:
    """A ban counts from its position on, also if its record is not among those read (rule R3)."""
    before = Ruling("old", "ban", "7", Position(0, 5))
    assert names(logs.run(Position(1, 3), before)) == ""
    within = Ruling("new", "ban", "7", Position(2, 22))
    assert names(logs.run(Position(2, 23), within)) == "abcd"


# both together ----------------------------------------------------------------------------------


class Reads:
    """A recall that has begun at 3-30, and the reads it asks for."""

    def __init__(self, logs: Logs, most: int = 100) -> None:
        self.asked: list[tuple[Segment, int, int]] = []
        self.recall = Recall(most, lambda *read: self.asked.append(read))
        self.recall.chain = logs.chain
        self.recall.restart(Position(3, 30))
        self.recall.add(shown(3, 31))
        self._logs = logs

    def run(self) -> None:
        """Answer until nothing is asked."""
        while self.asked:
            segment, after, number = self.asked.pop(0)
            self.recall.answer(number, after, getattr(self._logs, segment.cluster).read(after))


def test_nothing_older_is_read_unasked(logs: Logs) -> None:
    reads = Reads(logs)
    assert places(reads.recall.after(Position(3, 30)) or ()) == ["3-31"]
    assert reads.recall.after(Position(2, 22)) is None
    assert reads.asked == []


def test_fetch(logs: Logs) -> None:
    """From the segment of the position on; asked for once, however many want it."""
    reads = Reads(logs)
    assert reads.recall.fetch(Position(2, 22))
    assert reads.recall.fetch(Position(1, 1))
    assert reads.asked == [(AWS, 20, 1)]
    reads.run()
    assert reads.recall.since == Position(2, 20)
    assert places(reads.recall.after(Position(2, 22)) or ()) == ["2-23", "3-31"]
    assert reads.recall.after(Position(1, 1)) is None
    assert reads.recall.fetch(Position(1, 1))
    reads.run()
    assert len(reads.recall.after(Position(1, 1)) or ()) == 6


def test_nothing_older_to_fetch(logs: Logs) -> None:
    """Also what lies below a forced segment is not for those who resume (rule C8)."""
    reads = Reads(logs)
    assert not reads.recall.fetch(Position(3, 1))
    logs.chain[2] = Segment("event", 3, 30, "e1", unclean=True)
    assert not reads.recall.fetch(Position(1, 1))
    reads.recall.chain = []
    assert not reads.recall.fetch(Position(1, 1))
    assert reads.asked == []


def test_before_the_channel_had_a_row_nothing_was_said() -> None:
    """So whoever was there then has missed nothing; within the first segment lines may be missing."""
    recall = Recall(10, lambda segment, after, purpose: None)
    recall.restart(Position(2, 20))
    recall.add(shown(2, 21))
    assert recall.after(Position(1, 7)) is None
    recall.learn([AWS])
    assert places(recall.after(Position(1, 7)) or ()) == ["2-21"]
    recall.restart(Position(2, 25))
    assert recall.after(Position(1, 7)) is None
    recall.learn([MAIN, AWS])
    assert recall.after(Position(1, 7)) is None


def test_fetch_without_an_answer_is_tried_again_at_the_next_tick(logs: Logs) -> None:
    """A log that is away for a while is no reason to say that lines are missing; what was kept stays."""
    reads = Reads(logs)
    assert reads.recall.fetch(Position(1, 1))
    reads.recall.read_failed(1)
    asked = len(reads.asked)
    assert reads.recall.fetch(Position(1, 1))
    assert len(reads.asked) == asked, "it is not asked again and again"
    assert places(reads.recall.lines) == ["3-31"]
    assert reads.recall.since == Position(3, 30)
    reads.recall.retry()
    assert reads.recall.fetch(Position(1, 1))
    reads.run()
    assert places(reads.recall.after(Position(1, 1)) or ()) == ["1-2", "1-3", "2-21", "2-22", "2-23", "3-31"]


def test_fetch_without_an_answer_is_given_up_by_whoever_does_not_insist(logs: Logs) -> None:
    reads = Reads(logs)
    assert reads.recall.fetch(Position(1, 1))
    reads.recall.read_failed(1)
    assert not reads.recall.fetch(Position(1, 1), insist=False)
    assert reads.recall.fetch(Position(1, 1)), "others may go on waiting"


def test_fetch_that_was_overtaken(logs: Logs) -> None:
    """The history began anew meanwhile: what was read does not reach it."""
    reads = Reads(logs)
    assert reads.recall.fetch(Position(1, 1))
    reads.recall.restart(Position(3, 40))
    reads.run()
    assert (places(reads.recall.lines), reads.recall.since) == ([], Position(3, 40))


def test_fetch_of_more_than_is_kept(logs: Logs) -> None:
    """Who waits gets it all; with the next line it is cut off, and can be read again."""
    reads = Reads(logs, most=3)
    assert reads.recall.fetch(Position(1, 1))
    reads.run()
    assert places(reads.recall.after(Position(1, 1)) or ()) == ["1-2", "1-3", "2-21", "2-22", "2-23", "3-31"]
    assert not reads.recall.fetch(Position(1, 1)), "it would be no different"
    reads.recall.add(shown(3, 32))
    assert places(reads.recall.lines) == ["2-23", "3-31", "3-32"]
    assert reads.recall.after(Position(1, 1)) is None
    assert reads.recall.fetch(Position(1, 1))


def test_lines_that_come_while_older_ones_are_read(logs: Logs) -> None:
    """However many they are, the two ends meet."""
    reads = Reads(logs, most=1)
    assert reads.recall.fetch(Position(2, 22))
    for sequence in (32, 33, 34):
        reads.recall.add(shown(3, sequence))
    reads.run()
    assert places(reads.recall.after(Position(2, 22)) or ()) == ["2-23", "3-31", "3-32", "3-33", "3-34"]
    reads.recall.add(shown(3, 35))
    assert places(reads.recall.lines) == ["3-35"]


def test_what_was_followed_beyond_the_stores_chain_is_kept(logs: Logs) -> None:
    """The store may not know of a switch yet that was met in the log."""
    recall = Reads(logs).recall
    recall.learn([MAIN])
    assert recall.chain == [MAIN, AWS, EVENT]
    other = Segment("group", 3, 5, "g1")
    recall.learn([MAIN, other])
    assert recall.chain == [MAIN, other]
    recall.learn([])
    assert recall.chain == [MAIN, other]


def test_rulings_are_bounded(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest are dropped, and the newest are kept."""
    monkeypatch.setattr(module, "RULINGS", 2)
    recall = Reads(logs).recall
    kept = []
    for number in range(1, 7):
        recall.ruled(Ruling(f"r{number}", "ban", "7", Position(3, number)))
        kept.append("".join(ruling.id for ruling in recall.rulings))
    assert kept == ["r1", "r1r2", "r1r2r3", "r1r2r3r4", "r3r4r5", "r3r4r5r6"]


def test_answers_that_nobody_waits_for(logs: Logs) -> None:
    reads = Reads(logs)
    reads.recall.answer(1, 0, logs.main.read(0))
    reads.recall.read_failed(1)
    assert reads.recall.fetch(Position(2, 22))
    reads.recall.read_failed(7)
    reads.recall.answer(7, 0, logs.main.read(0))
    reads.run()
    assert reads.recall.since == Position(2, 20)
