"""Who is in a channel on an edge: let in, served, early, sent after it, or out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import pytest

from godwit.chatlog.base import Page
from godwit.edge.attendance import Attendance
from godwit.edge.history import Recall
from godwit.edge.ports import Audience, Member, Shown
from godwit.values import (
    Act,
    Arrive,
    Author,
    Change,
    Entry,
    Message,
    Placement,
    Position,
    Produced,
    Segment,
    Tell,
    UserNotice,
)

NOW = 100.0
HERE = Position(1, 5)
PATIENCE = 10.0
HOLD = 45.0
MAIN = Segment("main", 1, 0, "m1")
AWS = Segment("aws", 2, 20, "a1")
AT_MAIN = Placement("room", MAIN)
AT_AWS = Placement("room", AWS, "draining", NOW + 60.0, ("main",), drains=(NOW + 60.0,))


@dataclass(frozen=True)
class Person:
    """A connection."""

    producer: str
    account: str


@dataclass
class Stands:
    """Where the channel stands on the edge of `cluster`."""

    cluster: str = "main"
    home: str = "main"
    previous: tuple[str, ...] = ()
    position: Position = HERE
    drains: dict[str, float] = field(default_factory=dict)


class Told(Audience):
    """Notes who is told what, in order."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.waiting: set[Member] = set()

    def _note(self, member: Member, event: str) -> None:
        self.events.append(f"{member.producer} {event}")

    def taken(self) -> list[str]:
        """What was told since the last call."""
        events, self.events = self.events, []
        return events

    def joined(self, member: Member, position: Position, *, home: bool, silent: bool, missing: int | None) -> None:
        how = " ".join(["home" if home else "away", *["silent"] * silent])
        self._note(member, f"joined {how} at {position} missing={missing}")

    def redirected(self, member: Member, placement: Placement, *, asked: bool) -> None:
        self._note(member, f"redirected to {placement.segment.cluster}{'' if asked else ' in turn'}")

    def untold(self) -> Collection[Member]:
        return self.waiting

    def refused(self, member: Member) -> None:
        self._note(member, "refused")

    def replayed(self, member: Member, lines: list[Shown]) -> None:
        self._note(member, "replayed " + "".join(line.message.id for line in lines))

    def served(self, member: Member) -> None:
        self._note(member, "served")

    def parted(self, member: Member) -> None:
        self._note(member, "parted")

    def evicted(self, member: Member, placement: Placement) -> None:
        self._note(member, f"evicted to {placement.segment.cluster}")

    def shown(self, shown: Shown) -> None: ...
    def acted(self, act: Act, position: Position, time: float) -> None: ...
    def changed(self, change: Change, settings: dict[str, int]) -> None: ...
    def announced(self, record: UserNotice, position: Position, time: float) -> None: ...
    def noticed(self, record: Tell) -> None: ...
    def acknowledged(self, record: Produced, position: Position, time: float) -> None: ...
    def voided(self, record: Produced, reason: str) -> None: ...
    def unknown(self, record: Produced) -> None: ...
    def gap(self, missing: int | None) -> None: ...


def line(name: str, epoch: int, sequence: int) -> Shown:
    return Shown(Position(epoch, sequence), 0.0, Message(name, epoch, "far", sequence, Author("9", "far"), "hi"))


def arrive(cluster: str, *accounts: str) -> Arrive:
    return Arrive("edge:1", 2, "edge", 1, cluster, accounts)


class Desk:
    """An attendance with lines `b` and `c` at hand, after 1-2, and all around it."""

    def __init__(self, stands: Stands, legacy_rule: str = "bridge") -> None:
        self.stands = stands
        self.told = Told()
        self.reads: list[tuple[Segment, int, int]] = []
        self.recall = Recall(100, lambda *read: self.reads.append(read))
        self.recall.learn([MAIN])
        self.recall.restart(Position(1, 2))
        self.recall.add(line("b", 1, 3))
        self.recall.add(line("c", 1, 5))
        self.attendance = Attendance(stands, self.told, self.recall, legacy_rule, lease=PATIENCE, hold=HOLD)

    def join(
        self, name: str, account: str = "", after: Position | None = None, *, redirect: Placement | None = None
    ) -> Person:
        """Somebody joins, the store has confirmed the placement, and who can be is let in."""
        person = Person(name, account)
        self.rejoin(person, after, redirect=redirect)
        return person

    def rejoin(self, person: Person, after: Position | None = None, *, redirect: Placement | None = None) -> None:
        """A connection joins (again)."""
        self.attendance.join(person, after, NOW)
        self.attendance.confirm(0, NOW)
        assert not self.attendance.admit(NOW, redirect=redirect)


def after_the_move(drain_until: float, legacy_rule: str = "part") -> Desk:
    """On main, with `ann` served there; then the channel moves to aws."""
    desk = Desk(Stands(), legacy_rule)
    desk.join("ann", "1")
    desk.told.taken()
    desk.stands.home, desk.stands.previous = "aws", ("main",)
    desk.stands.drains, desk.stands.position = {"main": drain_until}, Position(2, 20)
    return desk


# joining ----------------------------------------------------------------------------------------


def test_home() -> None:
    desk = Desk(Stands())
    ann = desk.join("ann", redirect=AT_MAIN)
    assert desk.told.taken() == ["ann joined home at 1-5 missing=None"]
    assert desk.attendance.members == {ann: True}
    assert not desk.attendance.waiting


def test_early() -> None:
    """Rule C12: let in, silent, and told where the channel is; only once the store was asked."""
    desk = Desk(Stands("aws"))
    ann = Person("ann", "1")
    desk.attendance.join(ann, None, NOW)
    assert desk.attendance.admit(NOW, redirect=AT_MAIN), "the store is to be asked"
    desk.attendance.confirm(1, NOW - 1.0)
    assert desk.attendance.admit(NOW, redirect=AT_MAIN), "it was asked before the JOIN"
    assert (desk.told.taken(), bool(desk.attendance.waiting)) == ([], True)
    desk.attendance.confirm(1, NOW)
    assert not desk.attendance.admit(NOW, redirect=AT_MAIN)
    assert desk.told.taken() == ["ann joined away silent at 1-5 missing=None", "ann redirected to main"]
    assert desk.attendance.members == {ann: False}


def test_waits_for_the_epoch_that_the_store_knows() -> None:
    desk = Desk(Stands())
    desk.attendance.join(Person("ann", "1"), None, NOW)
    desk.attendance.confirm(2, NOW)
    assert not desk.attendance.admit(NOW, redirect=None)
    assert desk.told.taken() == []
    desk.stands.position = Position(2, 20)
    desk.attendance.admit(NOW, redirect=None)
    assert desk.told.taken() == ["ann joined home at 2-20 missing=None"]


@pytest.mark.parametrize("legacy_rule", ["bridge", "part", "reconnect"])
def test_where_it_was_before(legacy_rule: str) -> None:
    """Rule C11: served during its own drain whatever the rule, and afterwards if that is `bridge`."""
    desk = Desk(Stands("main", "aws", ("main",), drains={"main": NOW + 1.0}), legacy_rule)
    ann = desk.join("ann", redirect=AT_AWS)
    assert desk.told.taken() == ["ann joined away at 1-5 missing=None", "ann redirected to aws"]
    assert desk.attendance.members == {ann: True}
    desk.stands.drains["main"] = NOW
    desk.join("bob", redirect=AT_AWS)
    served = ["bob joined away at 1-5 missing=None", "bob redirected to aws"]
    refused = ["bob redirected to aws", "bob refused"]
    assert desk.told.taken() == (served if legacy_rule == "bridge" else refused)


def test_each_cluster_has_its_own_drain() -> None:
    """Rule C11: the last switch prolongs nobody else's."""
    drains = {"aws": NOW + 30.0, "main": NOW}
    for cluster, last in (("main", "refused"), ("aws", "redirected to event")):
        desk = Desk(Stands(cluster, "event", ("aws", "main"), drains=drains), "part")
        desk.join("ann", redirect=Placement("room", Segment("event", 3, 1, "e1")))
        assert desk.told.taken()[-1] == f"ann {last}"


def test_drain_that_is_not_known_is_over() -> None:
    desk = Desk(Stands("main", "aws", ("main",)), "part")
    desk.join("ann", redirect=AT_AWS)
    assert desk.told.taken() == ["ann redirected to aws", "ann refused"]


def test_member_whose_join_is_refused() -> None:
    """It was in until now: it is out, and told so."""
    desk = after_the_move(NOW)
    [ann] = desk.attendance.members
    assert isinstance(ann, Person)
    desk.rejoin(ann, redirect=AT_AWS)
    assert desk.told.taken() == ["ann redirected to aws", "ann parted"]
    assert desk.attendance.members == {}
    assert not desk.attendance.waiting
    desk.rejoin(ann, redirect=AT_AWS)
    assert desk.told.taken() == ["ann redirected to aws", "ann refused"]


def test_leave() -> None:
    desk = Desk(Stands())
    ann, bob = desk.join("ann"), Person("bob", "")
    desk.attendance.join(bob, Position(3, 4), NOW)
    desk.attendance.join(Person("cat", ""), Position(4, 4), NOW)
    assert desk.attendance.oldest_wanted == 3
    for person in (ann, bob, bob):
        desk.attendance.leave(person)
    assert (desk.attendance.members, desk.attendance.oldest_wanted) == ({}, 4)


# resuming (rule F3) -----------------------------------------------------------------------------


def test_resume() -> None:
    desk = Desk(Stands())
    desk.join("ann", after=Position(1, 3))
    assert desk.told.taken() == ["ann joined home at 1-3 missing=0", "ann replayed c"]
    assert desk.attendance.oldest_wanted is None


def test_resume_of_a_member_that_is_served() -> None:
    """It is answered, and shown nothing twice."""
    desk = Desk(Stands())
    ann = desk.join("ann", after=Position(1, 3))
    desk.told.taken()
    desk.rejoin(ann, after=Position(1, 3))
    desk.rejoin(ann, after=Position(1, 0))
    assert desk.told.taken() == ["ann joined home at 1-5 missing=None"] * 2
    assert desk.attendance.members == {ann: True}
    assert desk.reads == []


def test_resume_of_a_member_that_is_served_where_the_channel_was() -> None:
    desk = after_the_move(NOW + 1.0)
    [ann] = desk.attendance.members
    assert isinstance(ann, Person)
    desk.rejoin(ann, after=Position(1, 3), redirect=AT_AWS)
    assert desk.told.taken() == ["ann joined away at 2-20 missing=None", "ann redirected to aws"]


def test_served_where_the_channel_never_was() -> None:
    """Having been served it stays so, also where others would be early."""
    desk = Desk(Stands())
    ann = desk.join("ann")
    desk.stands.home = "aws"
    desk.told.taken()
    desk.rejoin(ann, redirect=AT_AWS)
    assert desk.told.taken() == ["ann joined away at 1-5 missing=None", "ann redirected to aws"]
    assert desk.attendance.members == {ann: True}


def test_resume_of_an_early_member_at_home() -> None:
    """It was not served yet: it gets what it asks for, once the channel is here."""
    desk = Desk(Stands("aws"))
    ann = desk.join("ann", "1", redirect=AT_MAIN)
    desk.stands.home, desk.stands.previous = "aws", ("main",)
    desk.told.taken()
    desk.rejoin(ann, after=Position(1, 3))
    assert desk.told.taken() == ["ann joined home at 1-3 missing=0", "ann replayed c"]
    assert desk.attendance.members == {ann: True}


def test_resume_early() -> None:
    """Early is early: nothing is shown."""
    desk = Desk(Stands("aws"))
    desk.join("ann", after=Position(1, 3), redirect=AT_MAIN)
    assert desk.told.taken()[0] == "ann joined away silent at 1-5 missing=None"


def test_resume_with_nothing_missed() -> None:
    """It is told how far the channel has come without a line: the position that it named may expire (F3)."""
    desk = Desk(Stands(position=Position(3, 9)))
    desk.join("ann", after=Position(1, 5))
    assert desk.told.taken() == ["ann joined home at 3-9 missing=0", "ann replayed "]


def test_resume_from_ahead() -> None:
    """It waits until that is read; who makes a position up is told that something is missing."""
    desk = Desk(Stands())
    for name, sequence in (("ann", 6), ("bob", 99)):
        desk.attendance.join(Person(name, ""), Position(1, sequence), NOW)
    desk.attendance.admit(NOW + PATIENCE, redirect=None)
    assert desk.told.taken() == []
    desk.stands.position = Position(1, 6)
    desk.attendance.admit(NOW + PATIENCE, redirect=None)
    assert desk.told.taken() == ["ann joined home at 1-6 missing=0", "ann replayed "]
    desk.attendance.heard(NOW + 0.1)
    desk.attendance.admit(NOW + PATIENCE + 1.0, redirect=None)
    assert desk.told.taken() == ["bob joined home at 1-6 missing=-1", "bob replayed "]


def test_resume_from_ahead_while_the_log_is_away() -> None:
    """As long as the log has not been heard since, nobody can say that the position is made up."""
    desk = Desk(Stands())
    bob = Person("bob", "")
    desk.attendance.join(bob, Position(1, 99), NOW)
    desk.attendance.heard(NOW - 0.1)
    desk.attendance.admit(NOW + HOLD, redirect=None)
    assert desk.told.taken() == []
    desk.attendance.admit(NOW + HOLD + 0.1, redirect=None)
    assert desk.told.taken() == ["bob joined home at 1-5 missing=-1", "bob replayed "]


def test_resume_from_further_back() -> None:
    """Older lines are read first."""
    desk = Desk(Stands())
    ann = desk.join("ann", after=Position(1, 1))
    assert (desk.told.taken(), bool(desk.attendance.waiting)) == ([], True)
    [(segment, after, number)] = desk.reads
    records = (Message(name, 1, f"far{name}", 1, Author("9", "far"), "hi") for name in "zab")
    entries = tuple(Entry(sequence, sequence - 1, 0.0, record) for sequence, record in enumerate(records, start=1))
    desk.recall.answer(number, after, Page("m1", entries[:2], 2, 0))
    desk.attendance.admit(NOW, redirect=None)
    assert segment == MAIN
    assert desk.told.taken() == ["ann joined home at 1-1 missing=0", "ann replayed abc"]
    assert desk.attendance.members == {ann: True}


def test_resume_while_the_log_is_away() -> None:
    """Whoever resumes is let in when it answers again, and has missed nothing."""
    desk = Desk(Stands())
    ann = desk.join("ann", after=Position(1, 1))
    desk.recall.read_failed(desk.reads[0][2])
    desk.attendance.admit(NOW, redirect=None)
    desk.recall.retry()
    desk.attendance.admit(NOW + HOLD, redirect=None)
    assert desk.told.taken() == []
    _, after, number = desk.reads[1]
    record = Message("z", 1, "farz", 1, Author("9", "far"), "hi")
    desk.recall.answer(number, after, Page("m1", (Entry(2, 1, 0.0, record),), 2, 1))
    desk.attendance.admit(NOW + HOLD, redirect=None)
    assert desk.told.taken() == ["ann joined home at 1-1 missing=0", "ann replayed zbc"]
    assert desk.attendance.members == {ann: True}


def test_resume_while_the_log_is_away_for_too_long() -> None:
    """Also for a client that repeats its JOIN meanwhile."""
    desk = Desk(Stands())
    ann = desk.join("ann", after=Position(1, 1))
    desk.recall.read_failed(desk.reads[0][2])
    desk.attendance.join(ann, Position(1, 1), NOW + HOLD)
    desk.attendance.confirm(0, NOW + HOLD)
    desk.attendance.admit(NOW + HOLD, redirect=None)
    assert desk.told.taken() == []
    desk.attendance.admit(NOW + HOLD + 0.1, redirect=None)
    assert desk.told.taken() == ["ann joined home at 1-2 missing=-1", "ann replayed bc"]


# where the channel went (rule C5) ---------------------------------------------------------------


def test_announce() -> None:
    """Early members too; nobody is told where it is by whom it stands already."""
    desk = Desk(Stands("event"))
    desk.join("ann")
    desk.told.taken()
    desk.attendance.announce(AT_AWS, NOW)
    assert desk.told.taken() == ["ann redirected to aws in turn"]
    desk.attendance.announce(Placement("room", Segment("event", 3, 1, "e1")), NOW)
    assert desk.told.taken() == []


# early members when the channel comes (rule C12) ------------------------------------------------


def early() -> Desk:
    """On aws, before the channel is there: two connections of account 1, one of 2, and one of nobody."""
    desk = Desk(Stands("aws"))
    for name, account in (("ann1", "1"), ("ann2", "1"), ("bob", "2"), ("fan", "")):
        desk.join(name, account)
    desk.told.taken()
    return desk


def come(desk: Desk) -> None:
    desk.stands.home, desk.stands.previous = "aws", ("main",)


def test_the_channel_went_elsewhere() -> None:
    desk = early()
    desk.stands.home, desk.stands.previous = "event", ("main",)
    assert desk.attendance.welcome_early() == ()
    assert desk.told.taken() == []
    assert not any(desk.attendance.members.values())


def test_the_channel_came() -> None:
    """Who has no account is served at once, and told so once; the others with their record."""
    desk = early()
    come(desk)
    assert desk.attendance.welcome_early() == ("1", "2")
    assert desk.told.taken() == ["fan served"]
    assert desk.attendance.welcome_early() == ("1", "2")
    assert desk.told.taken() == [], "nobody is served twice"
    desk.attendance.arrive(arrive("aws", "1"))
    assert desk.told.taken() == ["ann1 served", "ann2 served"]
    assert desk.attendance.welcome_early() == ("2",)
    desk.attendance.arrive(arrive("aws", "1", "2"))
    assert desk.told.taken() == ["bob served"]
    assert all(desk.attendance.members.values())


def test_the_channel_came_and_went() -> None:
    """It is a home before by now: they are served there."""
    desk = early()
    desk.stands.home, desk.stands.previous = "event", ("aws", "main")
    assert desk.attendance.welcome_early() == ("1", "2")
    assert desk.told.taken() == ["fan served"]


def test_still_early() -> None:
    """Those who have left or are served meanwhile need no record."""
    desk = early()
    come(desk)
    assert desk.attendance.still_early(("1", "2", "3")) == ("1", "2")
    desk.attendance.leave(Person("ann1", "1"))
    assert desk.attendance.still_early(("1", "2")) == ("1", "2"), "another connection of it waits"
    desk.attendance.leave(Person("ann2", "1"))
    assert desk.attendance.still_early(("1", "2")) == ("2",)
    desk.attendance.arrive(arrive("aws", "2"))
    assert desk.attendance.still_early(("1", "2")) == ()


def test_arrived_elsewhere() -> None:
    """Who is served here is out; who is early here stays so, and so does who has no account."""
    desk = Desk(Stands())
    for name, account in (("ann", "1"), ("bob", "2"), ("fan", "")):
        desk.join(name, account)
    desk.told.taken()
    desk.attendance.arrive(arrive("aws", "1", ""))
    assert desk.told.taken() == ["ann parted"]
    assert [member.producer for member in desk.attendance.members] == ["bob", "fan"]
    waiting = early()
    waiting.attendance.arrive(arrive("event", "1", "2"))
    assert waiting.told.taken() == []
    assert len(waiting.attendance.members) == 4


# after the drain (rule C11) ---------------------------------------------------------------------


@pytest.mark.parametrize("legacy_rule", ["part", "reconnect"])
def test_evict(legacy_rule: str) -> None:
    """When its own cluster's drain is over, not before; who is early stays."""
    desk = after_the_move(NOW + 5.0, legacy_rule)
    desk.stands.drains["event"] = NOW - 50.0
    late = Person("late", "7")
    desk.attendance.members[late] = False
    assert desk.attendance.overstay()
    desk.attendance.evict(AT_AWS, NOW + 4.9)
    assert desk.told.taken() == []
    desk.attendance.evict(AT_AWS, NOW + 5.0)
    assert desk.told.taken() == ["ann evicted to aws"]
    assert desk.attendance.members == {late: False}
    assert not desk.attendance.overstay()
    desk.attendance.evict(AT_AWS, NOW + 6.0)
    assert desk.told.taken() == []


def test_nobody_overstays() -> None:
    """Where the rule is `bridge`, at home, where it never was, and where nobody is served."""
    bridge = after_the_move(NOW, "bridge")
    home = Desk(Stands("aws", "aws", ("main",)), "part")
    home.join("ann")
    elsewhere = Desk(Stands("event", "aws", ("main",)), "part")
    elsewhere.attendance.members[Person("ann", "1")] = True
    empty = after_the_move(NOW)
    empty.attendance.leave(next(iter(empty.attendance.members)))
    for desk in (bridge, home, elsewhere, empty):
        desk.told.taken()
        assert not desk.attendance.overstay()
        before = dict(desk.attendance.members)
        desk.attendance.evict(AT_AWS, NOW + 1e6)
        assert (desk.told.taken(), desk.attendance.members) == ([], before)


def tell_in_turn(desk: Desk, member: Member) -> None:
    """Tell where the channel went; the one member has to wait for it."""
    desk.told.waiting.add(member)
    desk.attendance.announce(AT_AWS, NOW)
    desk.told.taken()


def test_who_was_told_late_is_ended_a_lease_after_that() -> None:
    """LIMIT-6."""
    desk = after_the_move(NOW + 60.0)
    ann = next(iter(desk.attendance.members))
    tell_in_turn(desk, ann)
    for seconds in (50.0, 60.0, 75.0):
        desk.attendance.evict(AT_AWS, NOW + seconds)
    desk.told.waiting.clear()
    desk.attendance.evict(AT_AWS, NOW + 76.0)
    desk.attendance.evict(AT_AWS, NOW + 85.9)
    assert desk.told.taken() == []
    assert desk.attendance.overstay()
    desk.attendance.evict(AT_AWS, NOW + 86.0)
    assert desk.told.taken() == ["ann evicted to aws"]


def test_who_was_told_just_before_the_drain_is_over_has_a_lease_too() -> None:
    """LIMIT-6."""
    desk = after_the_move(NOW + 60.0)
    ann = next(iter(desk.attendance.members))
    tell_in_turn(desk, ann)
    desk.attendance.evict(AT_AWS, NOW + 58.0)
    desk.told.waiting.clear()
    desk.attendance.evict(AT_AWS, NOW + 59.0)
    desk.attendance.evict(AT_AWS, NOW + 68.9)
    assert desk.told.taken() == []
    desk.attendance.evict(AT_AWS, NOW + 69.0)
    assert desk.told.taken() == ["ann evicted to aws"]


def test_only_who_was_told_late_may_stay_longer() -> None:
    """LIMIT-6."""
    desk = Desk(Stands(), "part")
    ann, _ = desk.join("ann"), desk.join("bob")
    desk.stands.home, desk.stands.previous = "aws", ("main",)
    desk.stands.drains, desk.stands.position = {"main": NOW + 60.0}, Position(2, 20)
    tell_in_turn(desk, ann)
    desk.attendance.evict(AT_AWS, NOW + 60.0)
    assert desk.told.taken() == ["bob evicted to aws"]
    assert list(desk.attendance.members) == [ann]


def test_nobody_is_ended_in_the_moment_of_being_told() -> None:
    """LIMIT-6: an edge that reads of the move when the drain is over already."""
    desk = after_the_move(NOW - 5.0)
    desk.attendance.announce(AT_AWS, NOW)
    desk.attendance.evict(AT_AWS, NOW + 9.9)
    assert desk.told.taken() == ["ann redirected to aws in turn"]
    desk.attendance.evict(AT_AWS, NOW + 10.0)
    assert desk.told.taken() == ["ann evicted to aws"]
