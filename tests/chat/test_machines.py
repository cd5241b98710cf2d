"""State machines over the room: readers that begin whenever they like agree, and the modes do as their rows say."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from godwit.chat.modes import DUPLICATE_WINDOW, UNIQUE_WINDOW, Modes, Speaker
from godwit.chat.room import Outcome, RoomState, Ruling, Valid, Void, rulings_of
from godwit.values import Act, Author, Change, Entry, Message, Open, Position, Record, Seal, Segment

USERS = ("7", "8", "9")
MOD = Author("1", "mod", mod=True)
users = st.sampled_from(USERS)
SETTINGS: tuple[dict[str, int], ...] = (
    {}, {"slow": 5}, {"r9k": 1}, {"slow": 5, "r9k": 1}, {"r9k": 1, "followers-only": -1}, {"followers-only": 0},
    {"followers-only": 1}, {"subs-only": 1}, {"emote-only": 1}, {"emote-only": 1, "subs-only": 1, "followers-only": 1},
)  # fmt: skip


class Readers(RuleBasedStateMachine):
    """One channel as several readers see it, against what a naive reading of its whole history says.

    A reader that begins late has the rows of the store, and of its segment's log what has not expired.
    """

    def __init__(self) -> None:
        super().__init__()
        self.segment = Segment("main", 1, 3, "m1")
        self.log: list[Entry] = []
        self.expired = self.segment.at
        self.rows: dict[str, list[Ruling]] = {}
        self.readers = [RoomState(self.segment)]
        self.time, self.number, self.moves = 1000.0, 0, 0
        self.bans: dict[str, tuple[str, float, int]] = {}
        self.roles: dict[str, str] = {}
        self.settings: dict[str, int] = {}
        self.hosting = ""

    @initialize(user=st.none() | users)
    def imported(self, user: str | None) -> None:
        """Operators may bring roles, which count from the beginning."""
        if user:
            self.rows["import"] = [Ruling("import", "mod", user, Position(0, 0), 5.0)]
            self.readers[0].load(self.rows["import"])
            self.roles[user] = "mod"

    def append(self, record: Record) -> list[Outcome]:
        """Put a record into the log; what it does for each reader."""
        at = self.log[-1].sequence if self.log else self.segment.at
        self.time += 1.0
        entry = Entry(at + 2, at, self.time, record)
        self.log.append(entry)
        return [reader.apply(entry) for reader in self.readers]

    def act(self, kind: str, target: str = "", **more: Any) -> None:
        self.number += 1
        act = Act(f"act{self.number}", self.segment.epoch, "mod", self.number, kind, MOD, target, **more)  # type: ignore[arg-type]
        self.done(act)

    def done(self, record: Act | Change) -> None:
        for outcome in self.append(record):
            assert isinstance(outcome, Valid)
            self.rows[record.id] = rulings_of(record, outcome.position, outcome.time)

    @rule(kind=st.sampled_from(["ban", "timeout"]), user=users, seconds=st.integers(1, 9))
    def sanctions(self, kind: str, user: str, seconds: int) -> None:
        self.act(kind, user, seconds=seconds if kind == "timeout" else 0)
        self.bans[user] = (kind, self.time, seconds)

    @rule(user=users)
    def lifts(self, user: str) -> None:
        self.act("lift", user)
        self.bans.pop(user, None)

    @rule(kind=st.sampled_from(["mod", "unmod", "vip", "unvip"]), user=users)
    def gives_a_role(self, kind: str, user: str) -> None:
        self.act(kind, user, target_login=f"user{user}")
        self.roles[user] = "" if kind.startswith("un") else kind

    @rule(kind=st.sampled_from(["host", "unhost"]), user=users)
    def hosts(self, kind: str, user: str) -> None:
        self.act(kind, user, target_login=f"user{user}")
        self.hosting = f"user{user}" if kind == "host" else ""

    @rule(kind=st.sampled_from(["clear", "delete", "raid", "unraid"]), user=users)
    def passes(self, kind: str, user: str) -> None:
        self.act(kind, user)

    @rule(changed=st.dictionaries(st.sampled_from(["slow", "r9k"]), st.integers(0, 3), min_size=1))
    def sets(self, changed: dict[str, int]) -> None:
        self.number += 1
        self.done(Change(f"act{self.number}", self.segment.epoch, "mod", self.number, MOD, changed))
        self.settings |= changed

    @rule(user=users)
    def says(self, user: str) -> None:
        self.number += 1
        name = f"m{self.number}"
        said = Message(name, self.segment.epoch, "p", self.number, Author(user, f"user{user}"), "hi")
        kind, since, seconds = self.bans.get(user, ("", 0.0, 0))
        outcomes = self.append(said)
        over = kind == "timeout" and self.time - since >= seconds
        reason = "" if not kind or over else "banned" if kind == "ban" else "timedout"
        for outcome in outcomes:
            assert (outcome.reason if isinstance(outcome, Void) else "") == reason

    @precondition(lambda self: self.log)
    @rule(pick=st.integers(0, 100))
    def lands_again(self, pick: int) -> None:
        """A copy that comes late does nothing, wherever it comes from."""
        record = self.log[pick % len(self.log)].record
        here = isinstance(record, Message | Act | Change) and record.epoch == self.segment.epoch
        if here and len(self.readers) == 1 and self.expired == self.segment.at:
            assert isinstance(self.append(record)[0], Void)
        self.append(msgspec.structs.replace(record, epoch=self.segment.epoch + 1))

    @rule(at=st.integers(1, 9))
    def moves_on(self, at: int) -> None:
        self.moves += 1
        epoch = self.segment.epoch
        to = Segment(f"c{self.moves}", epoch + 1, at, f"s{self.moves}")
        self.append(Open("early", epoch + 1))
        self.append(Seal(f"seal{epoch}", epoch, to))
        self.segment, self.log, self.expired = to, [], to.at
        for reader in self.readers:
            reader.follow(to)

    @precondition(lambda self: self.log)
    @rule(part=st.floats(0.0, 1.0))
    def expires(self, part: float) -> None:
        """The oldest records of the log are gone."""
        gone = round(part * len(self.log))
        if gone:
            self.expired = max(self.expired, self.log[gone - 1].sequence)

    @rule(known=st.integers(0, 100))
    def comes_late(self, known: int) -> None:
        """Another reader: it loads the rows, reads what is left, and loads the rest of the rows on the way."""
        late = RoomState(self.segment)
        rows = [ruling for rulings in self.rows.values() for ruling in rulings]
        late.load(ruling for ruling in rows if ruling.position <= Position(self.segment.epoch, self.expired))
        late.load(rows[:known])
        for entry in self.log:
            if entry.sequence > self.expired:
                late.apply(entry)
        late.load(reversed(rows))
        late.reach(self.log[-1].sequence if self.log else self.segment.at)
        self.readers = [*self.readers[-2:], late]

    @invariant()
    def all_agree(self) -> None:
        for reader in self.readers:
            assert {user: reader.role(user) for user in USERS} == {user: self.roles.get(user, "") for user in USERS}
            assert reader.settings == self.settings
            assert reader.hosting == self.hosting
            for user in USERS:
                ruling = reader.ruling("sanction", user)
                stands = None if ruling is None or ruling.kind == "lift" else ruling.kind
                assert stands == self.bans.get(user, (None,))[0]


class OneEdge(RuleBasedStateMachine):
    """What one edge lets be said, against a search through all that was ever said there."""

    def __init__(self) -> None:
        super().__init__()
        self.modes = Modes(DUPLICATE_WINDOW)
        self.now = 1000.0
        self.settings: dict[str, int] = {}
        self.said: list[tuple[float, str, str, dict[str, int]]] = []

    @rule(seconds=st.sampled_from([0.0, 0.5, 4.0, 29.5, 30.0, 1800.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(changed=st.sampled_from(SETTINGS))
    def is_set(self, changed: dict[str, int]) -> None:
        self.settings = {"slow": 0, "r9k": 0, **changed}

    @rule(
        user=users,
        text=st.sampled_from(["Hello everybody", "hello EVERYBODY!", "hi"]),
        exempt=st.sampled_from([False, False, False, True]),
        subscriber=st.booleans(),
        followed=st.sampled_from([None, 0.0, 59.0, 60.0]),
        emotes=st.booleans(),
    )
    def says(self, user: str, text: str, exempt: bool, subscriber: bool, followed: float | None, emotes: bool) -> None:
        speaker = Speaker(user, exempt, subscriber, 0.0 if followed is None else self.now - followed)
        refusal = self.modes.refusal(speaker, text, self.settings, self.now, action=False, only_emotes=lambda: emotes)
        expected = "" if exempt else self.why_not(user, text, subscriber, followed, emotes)
        assert (refusal.msg_id if refusal else "") == expected
        if refusal is None:
            message = Message("m", 1, "p", 1, Author(user, "u"), text)
            self.modes.said(message, self.settings, self.now)
            self.said.append((self.now, user, text, self.settings))

    def why_not(self, user: str, text: str, subscriber: bool, followed: float | None, emotes: bool) -> str:
        set_ = self.settings
        minutes = set_.get("followers-only", -1)
        if set_.get("subs-only") and not subscriber:
            return "msg_subsonly"
        if minutes >= 0 and not subscriber and (followed is None or followed < 60 * minutes):
            kind = "_followed" if followed is not None else "" if minutes else "_zero"
            return f"msg_followersonly{kind}"
        if set_.get("emote-only") and not emotes:
            return "msg_emoteonly"
        while_slow = [time for time, who, _ in self.while_on("slow") if who == user]
        if set_.get("slow") and while_slow and self.now - while_slow[-1] < set_["slow"]:
            return "msg_slowmode"
        lately = [other for time, _, other in self.while_on("r9k") if self.now - time < UNIQUE_WINDOW]
        if set_.get("r9k") and bare(text) in map(bare, lately) and len(bare(text)) > 9:
            return "msg_r9k"
        own = [(time, other) for time, who, other, _ in self.said if who == user]
        if own and own[-1][1] == text and self.now - own[-1][0] < DUPLICATE_WINDOW:
            return "msg_duplicate"
        return ""

    def while_on(self, mode: str) -> list[tuple[float, str, str]]:
        """What was said since something was last said with the mode off."""
        found: list[tuple[float, str, str]] = []
        for time, who, text, then in self.said:
            found = [*found, (time, who, text)] if then.get(mode) else []
        return found


def bare(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum())


MANY = settings(max_examples=40, stateful_step_count=30, deadline=None)
Readers.TestCase.settings = MANY
OneEdge.TestCase.settings = MANY
TestReaders = Readers.TestCase
TestOneEdge = OneEdge.TestCase
