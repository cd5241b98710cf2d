"""An edge of the simulation: the real `EdgeChannel` with the simulation as its node."""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import count
from math import inf
from random import Random
from typing import TYPE_CHECKING, Any

from godwit.chatlog.base import Page
from godwit.edge.channel import EdgeChannel, State
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
        self.channel = self._channel()

    def _channel(self, rest: Rest | None = None) -> EdgeChannel:
        """The channel, made anew from what was kept of it, if anything."""
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
            self.world.visit(f"edge:{self.channel.state.value}")

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
        """Let the channel rest now and then, and go on at once."""
        if self.alive and not self.paused and self._sleeps.random() < 0.3 and (rest := self.channel.rest()):
            self.channel = self._channel(rest)
            self.world.visit("edge:rested")

    def compare(self) -> None:
        segment = self.channel.segment
        if segment is None:
            return
        asked_at = self.world.now()

        def done(answer: tuple[int, str]) -> None:
            head, stream = answer
            if stream != segment.stream:
                self.run(lambda: self.channel.suspect(segment))
            else:
                self.run(lambda: self.channel.compared(segment, head, asked_at))

        self.world.logs[segment.cluster].heads(
            self.world.channel, done, lambda _: self.run(lambda: self.channel.read_failed(segment, 0))
        )

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
            self.run(lambda: self.channel.ask_failed())

        def placement(placement: Placement) -> None:
            def chain(chain: list[Segment]) -> None:
                if chain[-1] != placement.segment:  # a commit fell between the two
                    failed(StoreUnavailable("read apart"))
                    return

                def sanctions(sanctions: list[Sanction]) -> None:
                    self.run(lambda: self.channel.placed(placement, chain, sanctions, asked_at))

                since = asked_at - self.world.log_settings.max_age - SLACK
                self._store("sanctions", (self.world.channel,), sanctions, failed, since=since)

            self._store("segments", (self.world.channel,), chain, failed)

        self._store("placement", (self.world.channel,), placement, failed)

    def claim(self) -> None:
        self._store(
            "pin", ([self.world.channel],), lambda _: self.ask(), lambda _: self.run(lambda: self.channel.ask_failed())
        )

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
            if member in self.channel.members and self.channel.home != self.cluster:
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

    @property
    def live(self) -> bool:
        return self.channel.state is State.LIVE
