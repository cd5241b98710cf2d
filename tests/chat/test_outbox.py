"""What an edge has to say and has not yet read back (rules L4, L6, C6)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from godwit.chat.outbox import Outbox
from godwit.values import Author, Message, Produced

ANN = Author("1", "ann")


def record(number: int, producer: str = "p", epoch: int = 0) -> Message:
    return Message(f"{producer}{number}", epoch, producer, number, ANN, "hi")


def ids(records: object) -> list[str]:
    return [found.id for found in records]  # type: ignore[attr-defined]


@pytest.fixture
def box() -> Outbox:
    """An outbox that tries again after 1 s, holds for 10 s, and takes 3 of one producer."""
    return Outbox(most=3, hold=10.0, retry=1.0)


def test_empty(box: Outbox) -> None:
    assert not box
    assert len(box) == 0
    assert list(box.due(1, 0.0)) == []
    assert box.give_up(1e9) == []
    assert box.lose() == []
    assert box.abandon() == []
    box.resend()


def test_one_in_flight_per_producer(box: Outbox) -> None:
    """Rule L6: the next one goes when the one before it was read back."""
    for number in (1, 2):
        assert box.put(record(number), 0.0)
        assert box.put(record(number, "q"), 0.0)
    assert ids(box.due(1, 0.0)) == ["p1", "q1"]
    assert ids(box.due(1, 5.0)) == []
    assert box.read_back(record(1))
    assert ids(box.due(1, 5.0)) == ["p2"]
    assert box.read_back(record(2))
    assert len(box) == 2
    assert ids(box.due(1, 5.0)) == []


def test_epoch_is_that_of_the_segment(box: Outbox) -> None:
    box.put(record(1), 0.0)
    assert [found.epoch for found in box.due(7, 0.0)] == [7]


def test_too_many_of_one_producer(box: Outbox) -> None:
    """Refused, and the others are not concerned."""
    assert [box.put(record(number), 0.0) for number in (1, 2, 3, 4)] == [True, True, True, False]
    assert box.put(record(1, "q"), 0.0)
    assert len(box) == 4
    box.read_back(record(1))
    assert box.put(record(5), 0.0)
    assert [box.read_back(record(number)) for number in (2, 3, 4, 5)] == [True, True, False, True]


def test_read_back(box: Outbox) -> None:
    """Only the one that is next of its producer counts; under whatever epoch it was met."""
    box.put(record(1), 0.0)
    box.put(record(2), 0.0)
    list(box.due(1, 0.0))
    assert not box.read_back(record(2))
    assert not box.read_back(record(1, "q"))
    assert box.read_back(record(1, epoch=4))
    assert not box.read_back(record(1))
    assert box.read_back(record(2)), "read back before it was sent: an earlier life of it landed"
    assert not box


def test_failed_append_is_tried_again_later(box: Outbox) -> None:
    """Under the same id, and before what waits behind it."""
    box.put(record(1), 0.0)
    box.put(record(2), 0.0)
    [sent] = box.due(1, 0.0)
    box.refused(sent, 5.0)
    assert ids(box.due(1, 5.9)) == []
    assert ids(box.due(1, 6.0)) == ["p1"]


def test_failure_of_another_append_changes_nothing(box: Outbox) -> None:
    """An answer that comes late, from the segment before or of a record that is gone, is not about this try."""
    box.put(record(1), 0.0)
    [old] = box.due(1, 0.0)
    box.resend()
    [new] = box.due(2, 0.0)
    box.refused(old, 0.0)
    box.unanswered(old, 0.0)
    assert ids(box.due(2, 5.0)) == []
    box.refused(record(9, epoch=2), 0.0)
    box.unanswered(record(1, "q", epoch=2), 0.0)
    assert ids(box.due(2, 5.0)) == []
    box.refused(new, 0.0)
    assert ids(box.due(2, 5.0)) == ["p1"]


def test_resend(box: Outbox) -> None:
    """Rule C6: what is pending goes to the new segment, oldest first, before anything newer."""
    for number in (1, 2):
        box.put(record(number), 0.0)
        box.put(record(number, "q"), 0.0)
    [sent, _] = box.due(1, 0.0)
    box.unanswered(sent, 0.0)
    box.resend()
    again = list(box.due(2, 0.0))
    assert ids(again) == ["p1", "q1"]
    assert {found.epoch for found in again} == {2}
    box.read_back(again[0])
    assert ids(box.due(2, 0.0)) == ["p2"]


def test_held_too_long(box: Outbox) -> None:
    """Rule L6: after `hold` seconds, and with a word about whether it may have landed."""
    box.put(record(1), 0.0)
    box.put(record(2), 3.0)
    box.put(record(1, "q"), 5.0)
    list(box.due(1, 0.0))
    assert box.give_up(10.0) == []
    assert box.give_up(10.1) == [(record(1, epoch=1), True)]
    assert ids(box.due(1, 10.1)) == ["p2"]
    assert box.give_up(99.0) == [(record(2, epoch=1), True), (record(1, "q", epoch=1), True)]
    assert not box


def test_held_too_long_behind_another(box: Outbox) -> None:
    """What was never tried was certainly not said."""
    box.put(record(1), 0.0)
    box.put(record(2), 0.0)
    list(box.due(1, 0.0))
    assert box.give_up(11.0) == [(record(1, epoch=1), True), (record(2), False)]


def test_one_that_timed_out_still_counts_as_tried(box: Outbox) -> None:
    """A time-out means unknown, and a resend does not make it known."""
    box.put(record(1), 0.0)
    [sent] = box.due(1, 0.0)
    box.unanswered(sent, 0.0)
    [sent] = box.due(1, 1.0)
    box.refused(sent, 1.0)
    box.resend()
    assert box.give_up(11.0) == [(record(1, epoch=1), True)]


def test_one_that_was_in_flight_at_the_seal_counts_as_tried(box: Outbox) -> None:
    """What becomes of that try is not asked any more."""
    box.put(record(1), 0.0)
    [old] = box.due(1, 0.0)
    box.resend()
    [new] = box.due(2, 0.0)
    box.refused(old, 0.0)
    box.refused(new, 0.0)
    assert box.give_up(11.0) == [(record(1, epoch=2), True)]


def test_one_that_was_always_refused_was_not_said(box: Outbox) -> None:
    """Nor does it lie in a hole (rule L4)."""
    box.put(record(1), 0.0)
    for now in (0.0, 1.0):
        [sent] = box.due(1, now)
        box.refused(sent, now)
    assert box.lose() == []
    assert box.give_up(11.0) == [(record(1, epoch=1), False)]


def test_lose(box: Outbox) -> None:
    """Rule L4: what may lie in a hole is dropped; what was never tried is still to be said."""
    box.put(record(1), 0.0)
    box.put(record(2), 0.0)
    list(box.due(1, 0.0))
    box.put(record(1, "q"), 0.0)
    assert box.lose() == [(record(1, epoch=1), True)]
    assert sorted(ids(box.due(2, 0.0))) == ["p2", "q1"]


def test_abandon(box: Outbox) -> None:
    """All is dropped, in order of each producer, with a word about whether it may have landed."""
    box.put(record(1), 0.0)
    box.put(record(2), 0.0)
    list(box.due(3, 0.0))
    box.put(record(1, "q"), 0.0)
    assert box.abandon() == [(record(1, epoch=3), True), (record(2), False), (record(1, "q"), False)]
    assert not box
    assert list(box.due(3, 9.0)) == []


def test_producer_that_comes_again(box: Outbox) -> None:
    """An empty lane leaves nothing behind."""
    box.put(record(1), 0.0)
    list(box.due(1, 0.0))
    box.read_back(record(1))
    box.put(record(2), 20.0)
    assert ids(box.due(1, 20.0)) == ["p2"]
    assert box.give_up(20.0) == []


STEPS = ("put p", "put q", "due", "refuse", "time out", "land", "resend", "lose", "give up", "abandon")


@given(st.lists(st.sampled_from(STEPS), max_size=60))
def test_any_order_of_events(steps: list[str]) -> None:
    """Of each producer what is sent never goes back, at most one is in flight, and all is accounted for.

    Of what is given up it is said whether some try of it may have landed.
    """
    box = Outbox(most=5, hold=10.0, retry=1.0)
    now, epoch = 0.0, 1
    made = {"p": 0, "q": 0}
    flying: dict[str, Produced] = {}
    doubtful: set[str] = set()
    ended: list[str] = []
    refused = 0
    last = {"p": 0, "q": 0}
    for step in steps:
        now += 1.0
        if step.startswith("put"):
            producer = step[-1]
            made[producer] += 1
            refused += not box.put(record(made[producer], producer), now)
        elif step == "due":
            for sent in box.due(epoch, now):
                assert sent.producer not in flying
                assert sent.epoch == epoch
                assert sent.number >= last[sent.producer]
                last[sent.producer] = sent.number
                flying[sent.producer] = sent
        elif step in ("refuse", "time out"):
            for sent in flying.values():
                if step == "refuse":
                    box.refused(sent, now)
                else:
                    box.unanswered(sent, now)
                    doubtful.add(sent.id)
            flying.clear()
        elif step == "land":
            for sent in flying.values():
                assert box.read_back(sent)
                ended.append(sent.id)
            flying.clear()
        elif step == "resend":
            epoch += 1
            box.resend()
            doubtful |= {sent.id for sent in flying.values()}
            flying.clear()
        else:
            gone = box.give_up(now) if step == "give up" else box.lose() if step == "lose" else box.abandon()
            risky = doubtful | {sent.id for sent in flying.values()}
            assert all(tried == (lost.id in risky) for lost, tried in gone)
            ended += [lost.id for lost, _ in gone]
            flying = {producer: sent for producer, sent in flying.items() if sent.id not in ended}
    assert len(ended) == len(set(ended))
    assert len(box) + len(ended) + refused == sum(made.values())


class Plain:
    """An outbox that looks at everything each time: what may be in flight is found, not kept."""

    def __init__(self) -> None:
        self.lanes: dict[str, list[Produced]] = {"p": [], "q": [], "r": []}
        self.flying: set[str] = set()
        self.retry_at: dict[str, float] = {}
        self.since: dict[str, float] = {}

    def due(self, now: float) -> set[str]:
        firsts = {lane[0].id for lane in self.lanes.values() if lane}
        found = {first for first in firsts if first not in self.flying and self.retry_at.get(first, 0.0) <= now}
        self.flying |= found
        return found

    def later(self, sent: Produced, now: float) -> None:
        if self.lanes[sent.producer][:1] and self.lanes[sent.producer][0].id == sent.id:
            self.flying.discard(sent.id)
            self.retry_at[sent.id] = now + 1.5

    def drop(self, gone: set[str]) -> None:
        for lane in self.lanes.values():
            while lane and lane[0].id in gone:
                self.flying.discard(lane.pop(0).id)


@given(
    st.lists(st.tuples(st.sampled_from((*STEPS[2:], "put", "put", "due", "due")), st.sampled_from("pqr")), max_size=80)
)
def test_nobody_is_forgotten_and_nobody_goes_twice(steps: list[tuple[str, str]]) -> None:
    """Compared with an outbox that looks at everything each time, whatever comes back late, twice or never."""
    box, plain = Outbox(most=4, hold=10.0, retry=1.5), Plain()
    now, epoch, made = 0.0, 1, 0
    sent: dict[str, Produced] = {}
    for step, producer in steps:
        now += 1.0
        if step == "put":
            made += 1
            if box.put(record(made, producer, epoch), now):
                plain.lanes[producer].append(record(made, producer))
                plain.since[f"{producer}{made}"] = now
            else:
                assert len(plain.lanes[producer]) == 4
        elif step == "due":
            due = list(box.due(epoch, now))
            assert {found.epoch for found in due} <= {epoch}
            assert len(due) == len(set(ids(due)))
            assert set(ids(due)) == plain.due(now)
            sent |= {found.producer: found for found in due}
        elif step == "land" and producer in sent:
            first = plain.lanes[producer][:1]
            assert box.read_back(sent[producer]) == (ids(first) == [sent[producer].id])
            if ids(first) == [sent[producer].id]:
                plain.lanes[producer].pop(0)
        elif step in ("refuse", "time out") and producer in sent:
            (box.refused if step == "refuse" else box.unanswered)(sent[producer], now)
            if sent[producer].epoch == epoch:
                plain.later(sent[producer], now)
        elif step == "resend":
            epoch += 1
            box.resend()
            plain.flying.clear()
            plain.retry_at.clear()
        elif step == "give up":
            box.give_up(now)
            plain.drop({id_ for id_, since in plain.since.items() if now - since > 10.0})
        elif step == "lose":
            plain.drop({lost.id for lost, _ in box.lose()})
        elif step == "abandon":
            box.abandon()
            plain.drop(set(plain.since))
        assert len(box) == sum(map(len, plain.lanes.values()))
        assert bool(box) == any(plain.lanes.values())
