"""One run: a channel, three clusters, six edges, people, controllers and everything that goes wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec

from godwit.errors import MoveRefused
from godwit.rollout.values import Advance
from godwit.settings import EdgeSettings, LogSettings, MoveSettings
from godwit.store.base import Sanction
from godwit.store.memory import MemoryStore
from godwit.values import Act, Author, Change, Entry, Move, MoveState, Placement, Position, Segment, Tell
from tests.model.check import Checker, Ledger
from tests.model.clients import Client, Following, Legacy
from tests.model.controllers import Controller, Process
from tests.model.edges import Edge
from tests.model.faults import Chances, Log, Store
from tests.model.schedule import Schedule, at_once

CLUSTERS = ("main", "aws", "event")
KINDS: tuple[Literal["ban", "timeout", "lift", "mod", "unmod", "vip", "unvip", "host", "unhost"], ...] = (
    *("ban", "timeout", "lift", "lift") * 3, "mod", "mod", "unmod", "vip", "unvip", "host", "unhost",
)  # fmt: skip
"""What somebody does who acts; sanctions more often than the rest, for they decide what is in force."""

TALK = 60.0
"""Seconds during which people talk and things go wrong."""
QUIET = 90.0
"""Seconds after which all must be well again."""


class World:
    """Builds a run from its seed and plays it."""

    channel = "room"

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.schedule = Schedule(seed)
        self.rng = rng = self.schedule.rng
        self.visits: Counter[str] = Counter()
        self.label = ""
        self.healed = False
        self.evacuated = False
        self._names = 0
        self.chances = (
            Chances() if rng.random() < 0.7 else Chances(*(p * 3 for p in msgspec.structs.astuple(Chances())))
        )
        self.calm = rng.random() < 0.1
        """Nothing goes wrong in this run, so nothing may be told to have gone wrong."""
        if self.calm or rng.random() < 0.2:
            self.chances = Chances(0, 0, 0, 0, 0, 0, 0, 0, 0)
        self.log_settings = LogSettings(
            max_age=600.0 if self.calm else rng.choice((25.0, 600.0)),
            max_records=5000 if self.calm else rng.choice((30, 5000)), compare_interval=2.0,
            append_timeout=2.0, hold=15.0, duplicate_window=24.0,
        )  # fmt: skip
        if self.log_settings.max_age < 60.0 or self.log_settings.max_records < 100:
            # An append that lands when what was said after it has expired looks new to a new reader: not promised.
            self.chances.very_late = self.chances.append_late = self.chances.append_twice = 0.0
        self.move_settings = MoveSettings(
            lease=6.0, drain=8.0, legacy_rule=rng.choice(("bridge", "bridge", "part", "reconnect"))
        )
        self.edge_settings = EdgeSettings(recent=rng.choice((3, 500)), pending_per_sender=5)
        self.records: dict[str, list[Entry]] = {}
        self.logs = {
            cluster: Log(cluster, self.schedule, self.log_settings, self.chances, rng.uniform(-30, 30))
            for cluster in CLUSTERS
        }
        for cluster in CLUSTERS:
            self._keep(cluster)
        self.store = Store(MemoryStore(), self.schedule, self.chances)
        first = Segment("main", 1, 0, self.logs["main"].real.stream(self.channel))
        at_once(self.store.real.set_default(first, hold_until=0.0))
        self._first = first
        self.ledger = Ledger()
        self.late: list[str] = []
        self.actors: dict[str, str] = {}
        """On which cluster somebody acted."""
        self.checker = Checker(self)
        self.edges = [Edge(self, cluster, self.name(f"{cluster}-")) for cluster in CLUSTERS for _ in range(2)]
        self.clients: list[Client] = []
        deadly = 0.0 if self.calm else rng.choice((0.0, 0.03, 0.1))
        self.controllers = [self.controller(deadly) for _ in range(2)]
        self._cast()
        self.imported: dict[str, str] = {}
        """Account -> role that operators brought, which counts from the beginning."""
        if rng.random() < 0.3:
            self._import(rng.choice(self.clients).account)
        self._script()

    # what the others ask ------------------------------------------------------------------------

    def now(self) -> float:
        return self.schedule.now()

    def name(self, kind: str) -> str:
        self._names += 1
        return f"{kind}{self._names}"

    def visit(self, what: str) -> None:
        self.visits[what] += 1

    def placement(self) -> Placement:
        placement: Placement = at_once(self.store.real.placement(self.channel))
        return placement

    def chain(self) -> list[Segment]:
        chain: list[Segment] = at_once(self.store.real.segments(self.channel))
        return chain

    def first_segment(self) -> Segment:
        return self.chain()[0]

    def moves(self) -> list[Move]:
        moves: list[Move] = at_once(self.store.real.moves(channel=self.channel))
        return moves

    def sanctions(self) -> list[Sanction]:
        rows: list[Sanction] = at_once(self.store.real.sanctions(self.channel, since=0.0))
        return rows

    def controller(self, deadly: float) -> Process:
        """A new controller."""
        return Controller(self, deadly)

    def replace(self, controller: Process, *, keep: bool = False) -> None:
        """Another controller takes over after a while; a zombie stays around."""
        fresh = self.controller(controller.deadly)
        if not keep:
            self.controllers.remove(controller)
        if len(self.controllers) < 5:
            self.schedule.after(self.rng.uniform(0.5, 4.0), lambda: self._take_up(fresh))

    def _take_up(self, controller: Process) -> None:
        controller.deadly *= not self.healed
        self.controllers.append(controller)

    def _keep(self, cluster: str) -> None:
        """Keep every record ever appended, for the checker."""
        real = self.logs[cluster].real
        kept = self.records.setdefault(real.stream(self.channel), [])
        real.subscribe(self.channel, kept.append, lambda: None)

    # who is there -------------------------------------------------------------------------------

    def _cast(self) -> None:
        rng = self.rng
        for number in range(rng.randint(1, 3)):
            self.clients.append(Legacy(self, f"legacy{number}", ("main",)))
        self.clients.append(Legacy(self, "elsewhere", (rng.choice(("aws", "event")),)))
        self.clients.append(Legacy(self, "twin", ("main", "aws")))
        for number in range(rng.randint(1, 3)):
            self.clients.append(Following(self, f"follower{number}", rng.choice(CLUSTERS)))
        for client in self.clients:
            self.schedule.after(rng.uniform(0, 6), client.start)  # type: ignore[attr-defined]

    # what happens -------------------------------------------------------------------------------

    def _script(self) -> None:
        rng = self.rng
        at = self._at
        for _ in range(rng.randint(30, 70)):
            at(rng.uniform(0, TALK), lambda: rng.choice(self.clients).speak())
        for _ in range(rng.randint(1, 6)):
            at(rng.uniform(2, TALK), self._wish)
        for _ in range(rng.randint(0, 8)):
            at(rng.uniform(2, TALK), self._act)
        for _ in range(rng.choice((0, 0, 3))):
            at(rng.uniform(5, TALK), lambda: rng.choice(self.clients).again())
        if not self.calm:
            self._script_faults()
        for _ in range(rng.choice((0, 0, 1, 2))):
            rivals = rng.uniform(2, TALK)
            at(rivals, self._wish)
            at(rivals + rng.uniform(0.0, 0.3), lambda: self._wish(rogue=True))
        for _ in range(rng.choice((0, 0, 4))):
            at(rng.uniform(2, TALK), self._live_flip)
        for _ in range(rng.choice((0, 0, 3))):
            at(rng.uniform(2, TALK), self._cancel)
        for _ in range(rng.choice((0, 0, 0, 3))):
            at(rng.uniform(2, TALK), self._announce)
        at(TALK, self._heal)
        for _ in range(10):
            at(rng.uniform(TALK + 40, TALK + 60), self._speak_late)
        at(TALK + QUIET - 15, self._newcomer)
        self._every(1.0, self._tick)
        self._every(self.log_settings.compare_interval, self._compare)
        self._every(0.5, self._wake)
        self._every(3.0, self._expire)
        self._every(1.0, lambda: self.checker.stored(self.placement()))
        self._every(self.move_settings.lease / 3, self._watch_default)

    def _script_faults(self) -> None:
        rng, at = self.rng, self._at
        for _ in range(rng.choice((0, 0, 1, 3))):
            at(rng.uniform(5, TALK), self._edge_dies)
        for _ in range(rng.choice((0, 0, 1, 3))):
            at(rng.uniform(5, TALK), self._edge_pauses)
        for _ in range(rng.choice((0, 0, 1, 2))):
            at(rng.uniform(5, TALK), self._log_away)
        for _ in range(rng.choice((0, 0, 1))):
            at(rng.uniform(5, TALK), self._store_away)
        if rng.random() < 0.15:
            at(rng.uniform(20, TALK - 10), self._disaster)
        if rng.random() < 0.15:
            self._strike(rng.choice(("opening", "opened", "sealing", "sealed")))
        if rng.random() < 0.25:
            at(rng.uniform(0, 8), self._change_default)
        if rng.random() < 0.3:  # an edge falls asleep with an answer of the store in its hands (C7)
            at_once(self.store.real.pin([self.channel]))
            for _ in range(2):
                at(rng.uniform(0.005, 0.06), lambda: setattr(rng.choice(self.edges), "paused", True))

    def _at(self, time: float, action: Callable[[], None]) -> None:
        self.schedule.after(time, action)

    def _every(self, interval: float, action: Callable[[], Any]) -> None:
        def again() -> None:
            action()
            self.schedule.after(interval, again)

        self.schedule.after(self.rng.uniform(0, interval), again)

    def _speak_late(self) -> None:
        """When all is well again everybody who is served must hear this."""
        before = set(self.ledger.sent)
        self.rng.choice(self.clients).speak()
        self.late += [name for name in self.ledger.sent if name not in before]

    def _live_flip(self) -> None:
        """The stream begins, and ends after a while."""
        at_once(self.store.real.set_live(self.channel, True, self.now()))
        end = self.store.real.set_live(self.channel, False, self.now())
        self.schedule.after(self.rng.uniform(0.5, 5.0), lambda: at_once(end))

    def _tick(self) -> None:
        for edge in self.edges:
            if edge.needs_tick:
                edge.tick()
            edge.doze()

    def _compare(self) -> None:
        for edge in self.edges:
            if edge.alive:
                edge.compare()

    def _wake(self) -> None:
        for controller in list(self.controllers):
            controller.wake()

    def _expire(self) -> None:
        for log in self.logs.values():
            log.real.expire()

    def _wish(self, *, evacuate: bool = False, rogue: bool = False, target: str = "") -> None:
        here = self.placement().segment.cluster
        target = target or self.rng.choice([cluster for cluster in CLUSTERS if cluster != here])
        move = Move(
            self.name("move"), self.channel, target, "wished", forced=evacuate, evacuate=evacuate, reason="a run"
        )
        try:
            if rogue:  # two moves at once, as after a store was restored: the log must still decide (C2)
                self.store.real._moves[move.id] = move
            else:
                at_once(self.store.real.begin_move(move))
        except MoveRefused:
            self.visit("wish refused")
            if evacuate:
                self.schedule.after(1.0, lambda: self._wish(evacuate=True, target=target))

    def _cancel(self) -> None:
        """Somebody wants the moves under way no more: those that are not sealed end, the others go on (abort)."""
        lease = at_once(self.store.real.lead("controller", "operator", now=self.now(), until=self.now()))
        ended = ("settled", "cancelled", "failed")
        under_way = tuple(move.id for move in self.moves() if move.state not in ended and not move.evacuate)
        at_once(self.store.real.advance(Advance(self.now(), cancel=under_way, cancel_error="aborted"), term=lease.term))

    def _act(self) -> None:
        """Somebody, on any cluster, moderates or changes the room: the row first, then the record (rule R2)."""
        rng = self.rng
        able = [c for client in self.clients for c in client.connections if c.open and c.member and c.edge.alive]
        if not able:
            return
        connection, name = rng.choice(able), self.name("act")
        who, target = connection.account, rng.choice(self.clients[1:]).account
        record: Act | Change
        if rng.random() < 0.3:
            setting, value = rng.choice(("slow", "subs-only")), rng.randint(0, 5)
            record = Change(name, 0, connection.producer, 0, Author(who, who), {setting: value})
            row = Sanction(name, self.channel, "set", setting, "", who, seconds=value, time=self.now())
        else:
            kind = rng.choice(KINDS)
            seconds = rng.randint(1, 30) if kind == "timeout" else 0
            record = Act(name, 0, connection.producer, 0, kind, Author(who, who), target, target, seconds)
            subject = "" if kind in ("host", "unhost") else target
            row = Sanction(name, self.channel, kind, subject, target, who, seconds=seconds, time=self.now())
        at_once(self.store.real.add_sanction(row))
        self.actors[name] = connection.edge.cluster
        connection.act(record)

    def _import(self, who: str) -> None:
        """Operators bring a moderator before anybody is there."""
        row = Sanction("import", self.channel, "mod", who, who, "operator", position=Position(0, 0), time=self.now())
        at_once(self.store.real.add_sanction(row))
        self.imported[who] = "mod"

    def _newcomer(self) -> None:
        """An edge that reads the channel for the first time, when all has happened: it must know what the others do."""
        self.edges.append(Edge(self, self.rng.choice(CLUSTERS), self.name("newcomer-")))
        self.edges[-1].ask()

    def _announce(self) -> None:
        """Operators have something to say; now and then the same is appended again, much later."""
        here = self.placement().segment
        name = self.name("tell")
        tell = Tell(name, here.epoch, name, 1, text="it moves soon")

        def append() -> None:
            log, timeout = self.logs[here.cluster], self.log_settings.append_timeout
            log.append(self.channel, tell, here.stream, lambda _: None, lambda _: None, timeout)

        append()
        if self.rng.random() < 0.5:
            self.schedule.after(self.rng.uniform(5.0, 50.0), append)

    def _edge_dies(self) -> None:
        edge = self.rng.choice(self.edges)
        if not edge.alive:
            return
        self.visit("edge dies")
        edge.die()
        fresh = Edge(self, edge.cluster, self.name(f"{edge.cluster}-"))
        self.schedule.after(self.rng.uniform(0.5, 5.0), lambda: self.edges.append(fresh))

    def _edge_pauses(self) -> None:
        edge = self.rng.choice(self.edges)
        edge.paused = True
        self.visit("edge pauses")
        self.schedule.after(self.rng.choice((1.0, 4.0, 10.0, 35.0, 55.0)), edge.resume)

    def _log_away(self) -> None:
        log = self.logs[self.rng.choice(CLUSTERS)]
        log.away = True
        self.visit("log away")
        self.schedule.after(self.rng.choice((1.0, 5.0, 20.0)), lambda: setattr(log, "away", False))
        if self.rng.random() < 0.2 and self.placement().segment.cluster == log.cluster and not self.healed:
            self._evacuate(log.cluster)

    def _store_away(self) -> None:
        self.store.away = True
        self.visit("store away")
        self.schedule.after(self.rng.choice((1.0, 5.0, 20.0)), lambda: setattr(self.store, "away", False))

    def _strike(self, state: str) -> None:
        """When a move has come so far, the log of its source is lost, or somebody evacuates the channel."""
        journal = self.store.real.journal_many

        async def watched(steps: Sequence[tuple[Move, MoveState]], now: float) -> list[Move | None]:
            written = await journal(steps, now)
            if written[0] and written[0].state == state and not written[0].evacuate and not self.healed:
                self.store.real.journal_many = journal  # type: ignore[method-assign]
                if self.rng.random() < 0.7:
                    self._disaster(reopen=True)
                else:
                    others = [name for name in CLUSTERS if name not in (written[0].target, self.home())]
                    self.evacuated = True
                    self.schedule.after(0.0, lambda: self._wish(evacuate=True, rogue=True, target=others[0]))
            return written

        self.store.real.journal_many = watched  # type: ignore[method-assign]

    def home(self) -> str:
        """The cluster where the channel is."""
        return self.placement().segment.cluster

    def _disaster(self, *, reopen: bool = False) -> None:
        """A cluster's log is lost; what lived there is opened anew, or evacuated by force (rules L2, C8)."""
        here = self.placement().segment.cluster
        self.visit("log recreated")
        self.logs[here].recreate()
        self._keep(here)
        if reopen or self.placement().default or self.rng.random() < 0.5:
            at_once(self.store.real.reopen({here: self.logs[here].real.stream(self.channel)}))
            self.evacuated = True
        else:
            self._evacuate(here)

    def _evacuate(self, cluster: str) -> None:
        self.visit("evacuation")
        self.evacuated = True
        target = self.rng.choice([other for other in CLUSTERS if other != cluster])
        rogue = self.rng.random() < 0.5
        self.schedule.after(self.rng.uniform(0.1, 3.0), lambda: self._wish(evacuate=True, rogue=rogue, target=target))

    def _change_default(self) -> None:
        """Channels without a row move at once (rule C10)."""
        before = at_once(self.store.real.default_placement())
        target = self.rng.choice(("aws", "event"))
        to = Segment(target, before.epoch + 1, 0, self.logs[target].real.stream(self.channel))
        at_once(self.store.real.set_default(to, hold_until=self.now() + self.move_settings.lease))
        self.visit(f"default changed rowless={self.placement().default}")

    def _watch_default(self) -> None:
        for edge in self.edges:
            if edge.alive and edge.rowless:
                edge.ask()

    def _heal(self) -> None:
        self.healed = True
        for name in msgspec.structs.fields(Chances):
            setattr(self.chances, name.name, 0.0)
        for log in self.logs.values():
            log.away = False
        self.store.away = False
        for edge in self.edges:
            edge.resume()
        for controller in self.controllers:
            controller.deadly = 0.0

    # playing ------------------------------------------------------------------------------------

    def play(self) -> list[str]:
        """Play the run; returns the broken promises."""
        self.schedule.run(self.now() + TALK + QUIET)
        for segment in zip(self.chain(), self.chain()[1:], strict=False):
            self.visit(f"chain {segment[0].cluster}->{segment[1].cluster} unclean={segment[1].unclean}")
        for move in self.moves():
            states = [state for state, _ in move.history]
            for before, after in zip(["wished", *states], states, strict=False):
                self.visit(f"transition {before}->{after}")
        return self.checker.verdict()
