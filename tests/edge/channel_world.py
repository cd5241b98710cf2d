"""Channels on edges without a node: real logs and a real store, answered when a test says so."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from godwit.chatlog.base import Subscription
from godwit.chatlog.memory import MemoryLog
from godwit.clock import FakeClock
from godwit.edge.channel import EdgeChannel
from godwit.edge.ports import Member, Shown
from godwit.errors import DeadLog
from godwit.settings import EdgeSettings, LogSettings, MoveSettings
from godwit.store.base import Sanction
from godwit.store.memory import MemoryStore
from godwit.values import (
    Act,
    Author,
    Change,
    Entry,
    Message,
    Open,
    Placement,
    Position,
    Produced,
    Record,
    Seal,
    Segment,
    Tell,
    UserNotice,
)

LOG = LogSettings(max_age=900.0, append_timeout=5.0)
MOVE = MoveSettings(lease=10.0, drain=60.0)
EDGE = EdgeSettings(pending_per_sender=5, recent=100)


def done(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that never suspends, as those of logs and stores in memory."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    coroutine.close()
    raise AssertionError("it suspended")


@dataclass(eq=False)
class Person:
    """A connection; `told` is what it was told, in order."""

    producer: str
    account: str
    told: list[str] = field(default_factory=list)

    @property
    def lines(self) -> str:
        """The ids of the messages it was shown, in order."""
        return " ".join(event[5:] for event in self.told if event.startswith("line "))

    @property
    def events(self) -> list[str]:
        """All but messages."""
        return [event for event in self.told if not event.startswith("line ")]


class Edge:
    """One edge's channel with all that lies around it: `Backend` and `Audience` in one.

    Attributes:
        held: names of calls that wait until they are released.
        failing: names of calls that fail; what would be stored is not.
        lost: names of calls of which the effect comes about and the answer is a failure.
        deaf: live entries do not come.
        calls: the names of all calls made, in order.
        said: what the audience was told about records and for all members.
        late: members whose SERVERCHANGE is said to wait.
        welcomed: early joiners that were said to be served from then on, in order.
    """

    def __init__(self, world: World, cluster: str) -> None:
        self.world = world
        self.cluster = cluster
        self.held: set[str] = set()
        self.failing: set[str] = set()
        self.lost: set[str] = set()
        self.deaf = False
        self.calls: list[str] = []
        self.said: list[str] = []
        self.welcomed: list[Person] = []
        self.acknowledgements: list[tuple[str, Position, float]] = []
        self.limit = 500
        self.late: set[Member] = set()
        self._queue: deque[tuple[str, Callable[[], None]]] = deque()
        self._open: dict[Segment, Subscription] = {}
        self._numbers = count(1)
        self.channel = EdgeChannel(
            "room",
            cluster,
            self,
            self,
            producer=f"{cluster}/edge",
            numbers=self._numbers,
            log=world.log_settings,
            move=world.move_settings,
            edge=world.edge_settings,
            duplicate_window=30.0,
        )

    # what people do -----------------------------------------------------------------------------

    def join(self, name: str, account: str | None = None, after: Position | None = None) -> Person:
        """Somebody joins, and everything that can happen does; `account` is the name unless given."""
        person = Person(name, name if account is None else account)
        self.rejoin(person, after)
        return person

    def rejoin(self, person: Person, after: Position | None = None) -> None:
        """A connection joins (again)."""
        self.channel.join(person, after)
        self.world.run()

    def say(self, person: Person, name: str, user: str = "") -> bool:
        """A member says something; `name` is the message's id."""
        taken = self.put(person, name, user)
        self.world.run()
        return taken

    def put(self, person: Person, name: str, user: str = "") -> bool:
        """The same, and nothing happens yet but in the channel itself."""
        author = Author(user or person.account, person.account)
        return self.channel.submit(Message(name, 0, person.producer, 0, author, "hi"))

    def tick(self, seconds: float = 1.0) -> None:
        """Time passes, and the channel's tick comes once."""
        self.world.clock.advance(seconds)
        self.channel.tick()
        self.world.run()

    # turning the crank --------------------------------------------------------------------------

    def run(self) -> bool:
        """Answer one call that is not held; says whether there was one."""
        for index, (name, answer) in enumerate(self._queue):
            if name not in self.held:
                del self._queue[index]
                answer()
                return True
        return False

    def release(self, *names: str) -> None:
        """Let calls of these names go through again, and run."""
        self.held -= set(names)
        self.world.run()

    @property
    def waiting(self) -> list[str]:
        """The names of calls that wait for their answers."""
        return [name for name, _ in self._queue]

    def _call(self, name: str, act: Callable[[], Any], answer: Callable[[Any], None], fail: Callable[[], None]) -> None:
        self.calls.append(name)

        def finish() -> None:
            if name in self.failing:
                fail()
                return
            value = act()
            if name in self.lost:
                fail()
            else:
                answer(value)

        self._queue.append((name, finish))

    # Backend ------------------------------------------------------------------------------------

    def now(self) -> float:
        return self.world.clock.now()

    def subscribe(self, segment: Segment) -> None:
        assert segment not in self._open

        def deliver(entry: Entry) -> None:
            if not self.deaf:
                self.channel.live(segment, entry)

        self._open[segment] = self.world.logs[segment.cluster].subscribe("room", deliver, lambda: None)

    def unsubscribe(self, segment: Segment) -> None:
        self._open.pop(segment).close()

    def read(self, segment: Segment, after: int, purpose: int) -> None:
        name = "backfill" if purpose else "read"
        self._call(
            name,
            lambda: done(self.world.logs[segment.cluster].read("room", after, self.limit)),
            lambda page: self.channel.answer(segment, after, page, purpose),
            lambda: self.channel.read_failed(segment, purpose),
        )

    def append(self, segment: Segment, record: Record) -> None:
        assert isinstance(record, Produced)

        def store() -> int | None:
            try:
                stored: int = done(self.world.logs[segment.cluster].append("room", record, stream=segment.stream))
            except DeadLog:
                return None
            return stored

        def answer(sequence: int | None) -> None:
            if sequence is None:
                self.channel.append_failed(segment, record)
            else:
                self.channel.appended(segment, record, sequence)

        def fail() -> None:
            if "append" in self.lost:
                self.channel.append_unknown(segment, record)
            else:
                self.channel.append_failed(segment, record)

        self._call("append", store, answer, fail)

    def ask(self) -> None:
        self._ask("ask")

    def claim(self) -> None:
        self._ask("claim")

    def _ask(self, name: str) -> None:
        asked_at = self.now()
        store = self.world.store

        def find() -> tuple[Placement, list[Segment], list[Sanction]]:
            if name == "claim":
                done(store.pin(["room"]))
            return done(store.placement("room")), done(store.segments("room")), done(store.sanctions("room", since=0.0))

        def answer(found: tuple[Placement, list[Segment], list[Sanction]]) -> None:
            placement, chain, sanctions = found
            self.channel.placed(placement, chain, sanctions, asked_at)

        self._call(name, find, answer, self.channel.ask_failed)

    def commit(self, to: Segment) -> None:
        now = self.now()
        self._call(
            "commit",
            lambda: done(self.world.store.commit("room", to, drain_until=now + MOVE.drain, now=now)),
            self.channel.committed,
            self.channel.commit_failed,
        )

    def reached(self, segment: Segment, sequence: int) -> None:
        self._call(
            "reached",
            lambda: done(self.world.store.note_reached("room", segment.epoch, sequence)),
            lambda _: None,
            lambda: None,
        )

    def place_sanction(self, sanction_id: str, position: Position, time: float) -> None:
        self._call(
            "place_sanction",
            lambda: done(self.world.store.place_sanction(sanction_id, position, time)),
            lambda _: self.channel.sanction_placed(sanction_id),
            lambda: None,
        )

    # Audience -----------------------------------------------------------------------------------

    def joined(self, member: Member, position: Position, *, home: bool, silent: bool, missing: int | None) -> None:
        where = "home" if home else "away"
        how = " silent" if silent else ""
        gap = "" if missing is None else f" missing={missing}"
        _person(member).told.append(f"joined {where}{how} at {position}{gap}")

    def redirected(self, member: Member, placement: Placement, *, asked: bool) -> None:
        _person(member).told.append(f"redirected to {placement.segment.cluster}-{placement.segment.epoch}")

    def untold(self) -> Collection[Member]:
        return self.late

    def refused(self, member: Member) -> None:
        _person(member).told.append("refused")

    def shown(self, shown: Shown) -> None:
        for member in self.channel.served:
            self._show(member, shown)

    def replayed(self, member: Member, lines: list[Shown]) -> None:
        for shown in lines:
            self._show(member, shown)

    def _show(self, member: Member, shown: Shown) -> None:
        if member.producer != shown.message.producer:
            _person(member).told.append(f"line {shown.message.id}")

    def acted(self, act: Act, position: Position, time: float) -> None:
        self.said.append(f"acted {act.id} at {position}")

    def changed(self, change: Change, settings: dict[str, int]) -> None:
        self.said.append(f"changed {settings}")

    def announced(self, record: UserNotice, position: Position, time: float) -> None:
        self.said.append(f"announced {record.kind} at {position}")

    def noticed(self, record: Tell) -> None:
        self.said.append(f"noticed {record.text}")

    def acknowledged(self, record: Produced, position: Position, time: float) -> None:
        self.said.append(f"ack {record.id} {position.epoch}")
        self.acknowledgements.append((record.id, position, time))

    def voided(self, record: Produced, reason: str) -> None:
        self.said.append(f"void {record.id} {reason}")

    def unknown(self, record: Produced) -> None:
        self.said.append(f"unknown {record.id}")

    def gap(self, missing: int | None) -> None:
        self.said.append(f"gap {missing}")

    def served(self, member: Member) -> None:
        self.welcomed.append(_person(member))

    def parted(self, member: Member) -> None:
        _person(member).told.append("parted")

    def evicted(self, member: Member, placement: Placement) -> None:
        _person(member).told.append(f"evicted to {placement.segment.cluster}")


def _person(member: Member) -> Person:
    assert isinstance(member, Person)
    return member


class World:
    """#room on `main` by default, with edges as a test wants them."""

    def __init__(self, *, move: MoveSettings = MOVE, edge: EdgeSettings = EDGE, log: LogSettings = LOG) -> None:
        self.log_settings, self.move_settings, self.edge_settings = log, move, edge
        self.clock = FakeClock(1000.0)
        self.store = MemoryStore()
        self.logs = {name: self._log(name, 1) for name in ("main", "aws", "event")}
        self.edges: list[Edge] = []
        self._moves = 0
        done(self.store.set_default(Segment("main", 1, 0, "main/1"), hold_until=0.0))

    def _log(self, cluster: str, generation: int) -> MemoryLog:
        return MemoryLog(cluster, f"{cluster}/{generation}", self.clock, self.log_settings)

    def edge(self, cluster: str = "main") -> Edge:
        """One more edge."""
        self.edges.append(Edge(self, cluster))
        return self.edges[-1]

    def run(self) -> None:
        """Answer everything that is not held, until nothing is left to answer."""
        for _ in range(10_000):
            if not any(edge.run() for edge in self.edges):
                return
        raise AssertionError("it goes on and on")

    def tick(self, seconds: float = 1.0) -> None:
        """Time passes, and each channel's tick comes once."""
        self.clock.advance(seconds)
        for edge in self.edges:
            edge.channel.tick()
        self.run()

    def append(self, cluster: str, record: Record) -> int:
        """Have a record in a cluster's log."""
        stored: int = done(self.logs[cluster].append("room", record, stream=self.logs[cluster].stream("room")))
        return stored

    def write(self, name: str, cluster: str = "main", epoch: int = 1, user: str = "7") -> int:
        """Have somebody's line in a cluster's log, and the edges read it."""
        stored = self.append(cluster, Message(name, epoch, f"far/{name}", 1, Author(user, "far"), "hi"))
        self.run()
        return stored

    def stored(self, cluster: str) -> list[str]:
        """The ids of the produced records in a log with their epochs, in order."""
        entries = done(self.logs[cluster].read("room", 0)).entries
        return [f"{entry.record.id} {entry.record.epoch}" for entry in entries if isinstance(entry.record, Produced)]

    @property
    def segment(self) -> Segment:
        """Where the store says that the channel is."""
        placement: Placement = done(self.store.placement("room"))
        return placement.segment

    def open(self, to: str, *, epoch: int = 0, unclean: bool = False) -> Segment:
        """Open a segment; alone that means nothing."""
        self._moves += 1
        epoch = epoch or self.segment.epoch + 1
        at = self.append(to, Open(f"open{self._moves}", epoch))
        return Segment(to, epoch, at, self.logs[to].stream("room"), unclean)

    def seal(self, to: Segment) -> None:
        """Seal the channel's segment; the edges read it."""
        source = self.segment
        self.append(source.cluster, Seal(f"seal{self._moves}", source.epoch, to))
        self.run()

    def move(self, to: str) -> Segment:
        """Open and seal; the edges do the rest."""
        segment = self.open(to)
        self.seal(segment)
        return segment

    def commit(self, to: Segment) -> None:
        """Have a segment in the store, by somebody else."""
        done(self.store.commit("room", to, drain_until=self.clock.now() + MOVE.drain, now=self.clock.now()))

    def claim(self) -> None:
        """Give the channel a row."""
        done(self.store.pin(["room"]))

    def expire(self) -> None:
        """All that may expire does."""
        self.clock.advance(self.log_settings.max_age)
        for log in self.logs.values():
            log.expire()

    def recreate(self, cluster: str) -> None:
        """A log is lost, and a new and empty one is in its place."""
        self.logs[cluster] = self._log(cluster, 2)
