"""An edge of the simulation: the real `EdgeChannel` with the simulation as its node."""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import count
from math import inf
from random import Random
from typing import TYPE_CHECKING, Any

from godwit.chatlog.base import Page
from godwit.edge.channel import EdgeChannel
from godwit.edge.ports import Member, Shown
from godwit.edge.rest import Rest
from godwit.errors import AppendUnknown, StoreUnavailable
from godwit.store.base import Sanction
from godwit.values import Act, Change, Placement, Position, Produced, Record, Segment, Tell, UserNotice

if TYPE_CHECKING:
    from tests.model.clients import Connection
    from tests.model.world import World

SLACK = 120.0
"""Seconds by which the clocks of the logs may differ, and some."""


class Edge:
    """One edge with the run's one channel; implements `Backend` and `Audience`."""

    def __init__(self, world: World, cluster: str, name: str) -> None:
        self.world = world
        self.cluster = cluster
        self.name = name
        self.alive = True
        self.paused = False
        self._held: list[Callable[[], None]] = []
        self._closers: dict[Segment, Callable[[], None]] = {}
        self.connections: dict[str, Connection] = {}
        self._paces = Random(f"{world.seed} {name}")
        self._waits = self._paces.choice(((0.0,), (0.0, 0.0, 3.0), (1.0, 12.0, 25.0)))
        self._newest: Placement | None = None
        self._waiting: dict[Member, None] = {}
        self._told_late: dict[Member, float] = {}
        self._noticed: set[str] = set()
        self.refuses = self._paces.random() < 0.5
        self._sleeps = Random(f"{world.seed} {name} sleeps")
        self._numbers = count(1)
        self._lives = count(1)
        self._awake: EdgeChannel | None = None
        self._rest: Rest | None = None
        self._joining: dict[Connection, tuple[Position | None, float]] | None = None

    @property
    def channel(self) -> EdgeChannel:
        """The channel: made anew from what was kept of it, if it rests, or from nothing."""
        if self._awake is None:
            rest, self._rest = self._rest, None
            self._awake = self._channel(rest)
            joining, self._joining = self._joining or {}, None
            for member, (after, since) in joining.items():
                self._awake.join(member, after, since)
        return self._awake

    def _channel(self, rest: Rest | None = None) -> EdgeChannel:
        return EdgeChannel(
            self.world.channel, self.cluster, self, self,
            producer=f"{self.name}/edge{next(self._lives)}", numbers=self._numbers,
            log=self.world.log_settings, move=self.world.move_settings, edge=self.world.edge_settings, rest=rest,
        )  # fmt: skip

    # the world does things to it --------------------------------------------------------------

    def run(self, action: Callable[[], None]) -> None:
        """Do something in this process: at once, when it goes on again, or never."""
        if self.paused:
            self._held.append(action)
        elif self.alive:
            action()
            self.world.visit(f"edge:{self._awake.state.value if self._awake else 'at rest'}")

    def resume(self) -> None:
        self.paused = False
        held, self._held = self._held, []
        for action in held:
            self.run(action)

    def die(self) -> None:
        self.alive = False
        for close in self._closers.values():
            close()
        for connection in list(self.connections.values()):
            connection.lost()

    def tick(self) -> None:
        self.run(lambda: self.channel.tick())

    def doze(self) -> None:
        """Let the channel rest now and then, until something happens to it."""
        if self.alive and not self.paused and self._awake and self._sleeps.random() < 0.6:
            self._rest = self._awake.rest()
            self._awake = None if self._rest else self._awake

    def compare(self, then: Callable[[], None] = lambda: None) -> None:
        segment = self.segment
        if segment is None:
            return
        asked_at = self.world.now()

        def done(answer: tuple[int, str]) -> None:
            head, stream = answer
            self.run(lambda: self._compared(segment, head if stream == segment.stream else None, asked_at))
            self.run(then)

        def failed(_: BaseException) -> None:
            self.run(lambda: self._not_compared(segment))
            self.run(then)

        self.world.logs[segment.cluster].heads(self.world.channel, done, failed)

    def _compared(self, segment: Segment, head: int | None, asked_at: float) -> None:
        rest = self._rest
        if head is not None and rest is not None:
            if not rest.stands(segment, head, asked_at, self.world.move_settings.lease):
                self.channel.compared(segment, head, asked_at)
        elif head is not None:
            self.channel.compared(segment, head, asked_at)
        elif self._awake:
            self.channel.suspect(segment)
        self._look_at_rest()

    def _not_compared(self, segment: Segment) -> None:
        if self._awake:
            self.channel.read_failed(segment, 0)
        self._look_at_rest()

    def _look_at_rest(self) -> None:
        """Wake a channel whose log was not heard of for a lease."""
        if self._rest and self.now() - self._rest.compared > self.world.move_settings.lease:
            self.channel.tick()

    # what others may see ------------------------------------------------------------------------

    @property
    def needs_tick(self) -> bool:
        return self._awake is not None and self._awake.needs_tick

    @property
    def position(self) -> Position:
        return self._rest.here if self._rest else self.channel.position

    @property
    def members(self) -> Collection[Member]:
        return self._awake.members if self._awake else self._rest.members if self._rest else ()

    @property
    def segment(self) -> Segment | None:
        return self._awake.segment if self._awake else self._rest.segment if self._rest else None

    @property
    def rowless(self) -> bool:
        return self._awake.rowless if self._awake else self._rest is not None and self._rest.placement.default

    # at rest ------------------------------------------------------------------------------------

    def join(self, member: Connection, after: Position | None) -> None:
        """Somebody wants in, as `Room` lets them: without waking the channel, if that can be."""
        rest = self._rest
        if self._awake is None and (rest is None or self._joining is not None):
            first, self._joining = not self._joining, self._joining or {}
            self._joining[member] = (after, self.now())
            if first:
                self.ask()
        elif rest and rest.lets_in(self.cluster, after, self.now(), self.world.move_settings.lease):
            self._enter(rest, member, after)
        else:
            self.channel.join(member, after)

    def leave(self, member: Connection) -> None:
        if self._joining:
            self._joining.pop(member, None)
        if self._awake:
            self._awake.leave(member)
        elif self._rest:
            self._waiting.pop(member, None)
            self._rest.members = tuple(one for one in self._rest.members if one is not member)

    def _placed(self, placement: Placement, chain: list[Segment], sanctions: list[Sanction], asked_at: float) -> None:
        if self._rest and not sanctions and self._stays(self._rest, placement, chain, asked_at):
            return
        rest = None if self._awake or self._rest or sanctions else Rest.begun(placement, chain, asked_at)
        if rest and self._joining and rest.segment.cluster == self.cluster:
            self._rest = rest
            self.subscribe(rest.segment)
            self.compare(self._let_in)
        else:
            self.channel.placed(placement, chain, sanctions, asked_at)

    def _stays(self, rest: Rest, placement: Placement, chain: list[Segment], asked_at: float) -> bool:
        before, move = rest.segment, self.world.move_settings
        if rest.confirmed(placement, chain, asked_at, move.lease):
            return True
        late = self.now() - asked_at > move.lease
        if late or move.legacy_rule != "bridge" or not rest.follows(placement, chain, asked_at):
            return False
        self.world.visit("edge:followed at rest")
        self.unsubscribe(before)
        self.subscribe(rest.segment)
        if rest.segment.cluster != self.cluster:
            for member in rest.members:
                self.redirected(member, placement, asked=False)
        self.compare()
        return True

    def _let_in(self) -> None:
        rest, joining = self._rest, self._joining or {}
        for member, (after, _) in list(joining.items()):
            if rest is None or not rest.lets_in(self.cluster, after, self.now(), self.world.move_settings.lease):
                self.channel.look_again()
                return
            del joining[member]
            self._enter(rest, member, after)
        self._joining = None

    def _enter(self, rest: Rest, member: Connection, after: Position | None) -> None:
        self.world.visit("edge:let in at rest")
        missing = None if after is None or member in rest.members else 0
        if member not in rest.members:
            rest.members = (*rest.members, member)
        member.joined(rest.here, rest.segment.epoch, home=True, silent=False, missing=missing)

    def _ask_failed(self) -> None:
        if self._awake or self._joining:
            self.channel.ask_failed()

    # Backend ------------------------------------------------------------------------------------

    def now(self) -> float:
        return self.world.now()

    def subscribe(self, segment: Segment) -> None:
        self._closers[segment] = self.world.logs[segment.cluster].subscribe(
            self.world.channel, lambda entry: self.run(lambda: self.channel.live(segment, entry))
        )

    def unsubscribe(self, segment: Segment) -> None:
        if close := self._closers.pop(segment, None):
            close()

    def read(self, segment: Segment, after: int, purpose: int) -> None:
        def done(page: Page) -> None:
            self.run(lambda: self.channel.answer(segment, after, page, purpose))

        self.world.logs[segment.cluster].read(
            self.world.channel, after, done, lambda _: self.run(lambda: self.channel.read_failed(segment, purpose))
        )

    def append(self, segment: Segment, record: Record) -> None:
        def failed(error: BaseException) -> None:
            if isinstance(error, AppendUnknown):
                self.run(lambda: self.channel.append_unknown(segment, record))  # type: ignore[arg-type]
            else:
                self.run(lambda: self.channel.append_failed(segment, record))  # type: ignore[arg-type]

        def done(sequence: int) -> None:
            self.run(lambda: self.channel.appended(segment, record, sequence))  # type: ignore[arg-type]

        self.world.logs[segment.cluster].append(
            self.world.channel, record, segment.stream, done, failed, self.world.log_settings.append_timeout
        )

    def ask(self) -> None:
        asked_at = self.now()

        def failed(_: BaseException) -> None:
            self.run(self._ask_failed)

        def placement(placement: Placement) -> None:
            def chain(chain: list[Segment]) -> None:
                if chain[-1] != placement.segment:  # a commit fell between the two
                    failed(StoreUnavailable("read apart"))
                    return

                def sanctions(sanctions: list[Sanction]) -> None:
                    self.run(lambda: self._placed(placement, chain, sanctions, asked_at))

                since = asked_at - self.world.log_settings.max_age - SLACK
                self._store("sanctions", (self.world.channel,), sanctions, failed, since=since)

            self._store("segments", (self.world.channel,), chain, failed)

        self._store("placement", (self.world.channel,), placement, failed)

    def claim(self) -> None:
        self._store("pin", ([self.world.channel],), lambda _: self.ask(), lambda _: self.run(self._ask_failed))

    def commit(self, to: Segment) -> None:
        now = self.now()
        self._store(
            "commit", (self.world.channel, to),
            lambda placement: self.run(lambda: self.channel.committed(placement)),
            lambda _: self.run(lambda: self.channel.commit_failed()),
            drain_until=now + self.world.move_settings.drain, now=now,
        )  # fmt: skip

    def reached(self, segment: Segment, sequence: int) -> None:
        args = (self.world.channel, segment.epoch, sequence)
        self._store("note_reached", args, lambda _: None, lambda _: None)

    def place_sanction(self, sanction_id: str, position: Position, time: float) -> None:
        self.world.visit("edge:sanction placed")
        self._store(
            "place_sanction", (sanction_id, position, time),
            lambda _: self.run(lambda: self.channel.sanction_placed(sanction_id)), lambda _: None,
        )  # fmt: skip

    def _store(self, name: str, args: tuple[Any, ...], done: Any, failed: Any, **kwargs: Any) -> None:
        self.world.store.call(name, args, kwargs, done, failed)

    # Audience -----------------------------------------------------------------------------------

    def joined(self, member: Member, position: Position, *, home: bool, silent: bool, missing: int | None) -> None:
        epoch = self.channel.segment.epoch if self.channel.segment else 0
        self._of(member).joined(position, epoch, home=home, silent=silent, missing=missing)
        self.world.visit(f"edge:joined home={home} silent={silent} missing={missing}")

    def redirected(self, member: Member, placement: Placement, *, asked: bool) -> None:
        """At once, or when the member's turn has come, as fast as its client may be told (LIMIT-6)."""
        wait = 0.0 if asked else self._paces.choice(self._waits)
        self._newest = placement
        if not wait:
            self._waiting.pop(member, None)
            self._redirect(member)
        elif member not in self._waiting:
            self._waiting[member] = None
            self.world.schedule.after(wait, lambda: self.run(lambda: self._turn_came(member)))

    def untold(self) -> Collection[Member]:
        return self._waiting

    def _turn_came(self, member: Member) -> None:
        if member in self._waiting:
            del self._waiting[member]
            if member in self.members and self.segment and self.segment.cluster != self.cluster:
                self.world.visit("edge:told late")
                self._told_late[member] = self.now()
                self._redirect(member)

    def _redirect(self, member: Member) -> None:
        assert self._newest
        self.world.checker.redirected(self._newest)
        self._of(member).redirected(self._newest)

    def refused(self, member: Member) -> None:
        self.world.visit("edge:refused")
        self._of(member).refused()

    def shown(self, shown: Shown) -> None:
        for member in self.channel.served:
            if member.producer != shown.message.producer:
                self._of(member).line(shown)

    def replayed(self, member: Member, lines: list[Shown]) -> None:
        for shown in lines:
            if member.producer != shown.message.producer:
                self._of(member).line(shown)

    def acted(self, act: Act, position: Position, time: float) -> None:
        self.world.visit(f"edge:acted {act.kind}")
        self.world.checker.seen(self, act.id)

    def changed(self, change: Change, settings: dict[str, int]) -> None:
        self.world.visit("edge:changed")
        assert settings == self.channel.settings
        self.world.checker.seen(self, change.id)

    def announced(self, record: UserNotice, position: Position, time: float) -> None:
        """Not used by the runs."""

    def noticed(self, record: Tell) -> None:
        self.world.visit("edge:noticed")
        if record.id in self._noticed:
            self.world.checker.problems.append(f"{self.name} showed {record.id} twice")
        self._noticed.add(record.id)

    def acknowledged(self, record: Produced, position: Position, time: float) -> None:
        self.world.visit("edge:acknowledged")
        self.world.ledger.acknowledged(record, position)

    def voided(self, record: Produced, reason: str) -> None:
        self.world.visit(f"edge:voided {reason}")
        self.world.ledger.voided(record, reason)

    def unknown(self, record: Produced) -> None:
        self.world.visit("edge:unknown")
        self.world.ledger.unknown(record)

    def gap(self, missing: int | None) -> None:
        self.world.visit("edge:gap")
        for member in self.channel.served:
            self._of(member).gap(self.channel.recent_since)

    def served(self, member: Member) -> None:
        self.world.visit("edge:served")
        self._of(member).begin()

    def parted(self, member: Member) -> None:
        self.world.visit("edge:parted")
        self._of(member).parted()

    def evicted(self, member: Member, placement: Placement) -> None:
        self.world.visit("edge:evicted")
        if member in self._waiting or self.now() - self._told_late.get(member, -inf) < self.world.move_settings.lease:
            self.world.checker.problems.append(f"{member.account} was evicted too soon after it was told, or untold")
        self._of(member).parted()

    def _of(self, member: Member) -> Connection:
        return self.connections[member.producer]
