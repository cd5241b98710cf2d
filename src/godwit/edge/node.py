"""An edge: the connections and channels of one cluster that one loop serves.

Who owns what: the node owns its sessions, rooms and tasks; each changes from the loop's thread only.
A fault in a session closes that session, one in a channel gives that channel up; the rest goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from itertools import count
from uuid import uuid4

import msgspec
import structlog

from godwit.chat.room import Role
from godwit.chatlog.base import ChatLog
from godwit.chatlog.hearsay import ENDED, Ended, Hearsay, LocalHearsay
from godwit.clock import Clock
from godwit.edge.auth.gate import Gate
from godwit.edge.backend import Answer, Outside
from godwit.edge.deadlines import Wheel
from godwit.edge.groups import LOOK, Groups
from godwit.edge.house import House
from godwit.edge.lookups import Lookups
from godwit.edge.metrics import Counts, EdgeStatistics
from godwit.edge.neighbours import Neighbours
from godwit.edge.pace import TURN, Pace
from godwit.edge.presence import Present, logins, named, present
from godwit.edge.relations import REFRESH, Relations
from godwit.edge.room import Room
from godwit.edge.session import Session
from godwit.edge.tasks import Tasks
from godwit.edge.turn import Turn
from godwit.edge.whispers import Whispers
from godwit.errors import StoreUnavailable
from godwit.settings import Settings
from godwit.store.base import Store
from godwit.tmi import render
from godwit.tmi.dialect import dialect_of
from godwit.values import GROUP, Addresses, Segment, is_room
from godwit.wire.connection import Connection
from godwit.wire.sending import best

log = structlog.get_logger()

SWEEP = 1.0
"""Seconds between two looks at deadlines and at channels that need one."""

ANNOUNCE = 10.0
"""Seconds for which JOIN and PART of others are collected (JOIN-8)."""

QUIET = 60.0
"""Seconds in which nothing happens, after which a channel rests that has something to remember."""

SLICE = 200
"""Channels, or deadlines, that are looked after in one go; channels are compared with one question per log."""


class EdgeNode:
    """One edge of a cluster.

    Attributes:
        name: unique for ever; part of the names of everything that this node produces.
        quiet: this is the cluster of group chat: its rooms are here, and ordinary channels are silent.
        groups: who is in these rooms; None elsewhere.
        counts: what has happened so far.
        relations: what is known of accounts in channels.
        dialect: what is spoken here.
        whispers: where whispers go; None in the dialect of 2016 but on the cluster of group chat (GROUP-2).

    Args:
        logs: cluster -> its chat log; an edge reads those of all clusters.
        addresses: gives a cluster's public addresses.
        numbers: counts the records of the process, if several nodes share it.
        pace: counts what its clients do, if several nodes share it.
        hearsay: over which it talks with other edges, if there are any.
        gate: lets its clients in, if several nodes share it.
    """

    def __init__(
        self,
        cluster: str,
        logs: Mapping[str, ChatLog],
        store: Store,
        settings: Settings,
        clock: Clock,
        addresses: Callable[[str], Addresses],
        *,
        numbers: Iterator[int] | None = None,
        pace: Pace | None = None,
        hearsay: Hearsay | None = None,
        gate: Gate | None = None,
    ) -> None:
        self.cluster = cluster
        self.store = store
        self.settings = settings
        self.clock = clock
        self.addresses = addresses
        self.loop = asyncio.get_running_loop()
        self.name = uuid4().hex
        self.quiet = cluster == GROUP
        self.dialect = dialect_of(settings.edge.dialect, cluster)
        self.counts = Counts()
        self.tasks = Tasks()
        self.turn = Turn(self.loop, best(settings.edge.native))
        self.wheel = Wheel(self.loop.time())
        self.pace = pace or Pace(settings, self.loop.time)
        self.gate = gate or Gate(settings.auth, store, clock)
        self.relations = Relations(store, self.loop.time, self.tasks, self._roles_came)
        self._logs = logs
        self._outside = Outside(cluster, logs, store, clock, settings, self.loop, self.tasks)
        self._lookups = Lookups(self._outside, self._ask)
        self._names = count(1)
        self._sessions: dict[str, Session] = {}
        self._rooms: dict[str, Room] = {}
        self._stopping = False
        self._empty = asyncio.Event()
        self._empty.set()
        self._announced = self.loop.time()
        self._left: dict[str, float] = {}
        """Channels in which nobody is left, and since when: those for which it is longest come first."""
        self._quiet: dict[str, float] = {}
        """Channels that have something to remember, and when something happened there last; in the same order."""
        hearsay = hearsay or LocalHearsay()
        self.neighbours = Neighbours(self.name, hearsay, self._here, self._has_news, self._operators)
        self.whispers: Whispers | None = None
        if self.quiet or self.dialect.name != "2016":
            self.whispers = Whispers(store, hearsay, partial(self.relations.emotes, ""))
        self.groups: Groups | None = None
        if self.quiet and self.whispers:
            self.groups = Groups(
                store,
                clock,
                self.whispers.of,
                self.loop.time,
                self.loop.call_soon,
                self.tasks,
                settings.edge.pending_per_sender,
            )
        self._house = House(
            self._outside,
            producers=lambda: f"{self.name}-{next(self._names)}",
            numbers=numbers or count(1),
            turn=self.turn,
            counts=self.counts,
            dialect=self.dialect,
            sessions=self._sessions,
            addresses=self.addresses,
            neighbours=self.neighbours,
            lookups=self._lookups,
            gone=self._give_up,
            banned=self.groups.banned if self.groups else None,
        )
        self._hearing = hearsay.hear(ENDED, self._end_accounts)

    # connections ------------------------------------------------------------------------------

    def accept(self, connection: Connection) -> Session:
        """Take a connection that is ready; returns its owner. A `wire.listener.Factory`."""
        session = Session(self, connection, f"{self.name}-{next(self._names)}")
        self._sessions[session.producer] = session
        self._empty.clear()
        self.wheel.set(session, self.loop.time() + self.settings.edge.login_timeout)
        if self._stopping:
            session.close("shutting down")
        return session

    def logged_in(self, session: Session) -> None:
        """Take note that a connection has logged in: from now on it must answer PINGs."""
        self.counts.logins += 1
        self.pace.came(session)
        if self.whispers:
            self.whispers.came(session)
        self.wheel.set(session, session.heard + self.settings.edge.ping_interval)

    def forget(self, session: Session) -> None:
        """Take note that a connection has gone."""
        self.pace.went(session)
        if self.whispers:
            self.whispers.went(session)
        self.wheel.clear(session)
        self._sessions.pop(session.producer, None)
        if not self._sessions:
            self._empty.set()

    def _end_accounts(self, payload: bytes) -> None:
        """Close the connections of accounts that were removed, or whose tokens were revoked (LOGIN-11)."""
        accounts = frozenset(msgspec.msgpack.decode(payload, type=Ended).accounts)
        for session in list(self._sessions.values()):
            if session.account in accounts:
                session.end()

    @property
    def sessions(self) -> Collection[Session]:
        """The connections, logged in or not."""
        return self._sessions.values()

    # channels ---------------------------------------------------------------------------------

    def room(self, name: str) -> Room:
        """The channel of that name, made if it is not held yet."""
        room = self._rooms.get(name)
        if room is None:
            room = self._rooms[name] = Room(name, self._house)
        self._left.pop(name, None)
        self._outside.stirred.add(name)
        return room

    def serves(self, channel: str) -> bool:
        """Whether what is said in a channel is shown here: in group rooms here or elsewhere alone (GROUP-4)."""
        return (channel[0] == "_" and is_room(channel)) == self.quiet

    def held(self, name: str) -> Room | None:
        """The channel of that name, if it is held."""
        return self._rooms.get(name)

    def role(self, channel: str, user_id: str) -> Role:
        """What an account is in a channel that it does not own, as far as is known on this node."""
        room = self._rooms.get(channel)
        return room.role(user_id) if room else ""

    def members(self, name: str) -> int:
        """How many connections are in a channel, on this node."""
        room = self._rooms.get(name)
        return len(room.members) if room else 0

    def presence(self, name: str) -> Present:
        """Who is in a channel, on this node."""
        room = self._rooms.get(name)
        return present(room, self.settings.edge.wide) if room else Present()

    def logins(self, name: str) -> list[str]:
        """The logins of those in a channel, one for each connection to this node."""
        room = self._rooms.get(name)
        return logins(room) if room else []

    def _here(self, name: str) -> set[str] | int:
        room = self._rooms.get(name)
        return named(room) if room else set()

    def _operators(self, name: str) -> Collection[str]:
        room = self._rooms.get(name)
        return room.audience.company.operators_here() if room else ()

    def _has_news(self, name: str) -> None:
        room = self._rooms.get(name)
        if room:
            room.heard_news()

    def view(self, name: str) -> Segment | None:
        """The segment in which the channel stands here; None if it is not held, or not placed yet."""
        room = self._rooms.get(name)
        return room.segment if room else None

    def _give_up(self, room: Room) -> None:
        if self._rooms.get(room.name) is room:
            del self._rooms[room.name]
            self.neighbours.forget(room.name)
            if room.members:
                self.neighbours.upset(room.name)

    # the node's life --------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to look after deadlines and channels; ends with `stop`."""
        log_, move = self.settings.log, self.settings.move
        self.tasks.start(self._repeat(SWEEP, self._sweep), f"sweep {self.cluster}")
        self.tasks.start(self._repeat(TURN, self._tell), f"tell {self.cluster}")
        self.tasks.start(self._repeat(log_.compare_interval, self.compare), f"compare {self.cluster}")
        self.tasks.start(self._repeat(move.lease / 2, self.check_default), f"default placement {self.cluster}")
        self.tasks.start(self.relations.check(), f"people {self.cluster}")
        self.tasks.start(self._repeat(REFRESH, self.relations.check), f"people {self.cluster}")
        if self.groups:
            self.tasks.start(self.groups.look(), "room news")
            self.tasks.start(self._repeat(LOOK, self.groups.look), "room news")

    async def stop(self, grace: float) -> None:
        """End: RECONNECT to all, lines for `grace` seconds more, then close (RC-1, RC-2).

        Who hands connections to the node must have stopped accepting.

        Args:
            grace: seconds; it ends early when nobody is left.
        """
        self._stopping = True
        log.info("edge_stopping", cluster=self.cluster, connections=len(self._sessions), grace=grace)
        for session in list(self._sessions.values()):
            session.write(render.reconnect(session.caps))
        await self._wait_empty(grace)
        self.turn.flush()
        self._hearing.close()
        if self.whispers:
            self.whispers.stop()
        self.neighbours.stop()
        for session in list(self._sessions.values()):
            session.close("shutting down")
        for room in list(self._rooms.values()):
            room.close()
        await self.tasks.close()

    async def wait_empty(self) -> None:
        """Wait until every connection is gone."""
        await self._empty.wait()

    async def _wait_empty(self, patience: float) -> None:
        try:
            async with asyncio.timeout(patience):
                await self._empty.wait()
        except TimeoutError:
            return

    def statistics(self) -> EdgeStatistics:
        """How the node is doing."""
        home = members = untold = 0
        for room in self._rooms.values():
            rest = room.rested  # as nearly all do: properties would take three times as long
            segment = room.segment if rest is None else rest.placement.segment
            home += segment is not None and segment.cluster == self.cluster
            members += len(room.members if rest is None else rest.members)
            untold += room.untold
        return EdgeStatistics(
            cluster=self.cluster,
            connections=len(self._sessions),
            channels=len(self._rooms),
            home=home,
            members=members,
            untold=untold,
            deliveries=self.turn.delivered,
            tasks=len(self.tasks),
            counts=self.counts,
        )

    # looking after things ---------------------------------------------------------------------

    async def _repeat(self, interval: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(interval)
            try:
                await work()
            except Exception:
                # Whatever it met this time, there must be a next time.
                log.exception("upkeep_failed", cluster=self.cluster, work=work.__name__)

    async def _sweep(self) -> None:
        for _ in self._portions(self.loop.time()):
            await asyncio.sleep(0)  # what comes meanwhile does not wait for what is due to thousands

    async def _tell(self) -> None:
        self.pace.turn()

    def sweep(self, now: float) -> None:
        """See to what is due by loop time `now`: deadlines, channels in trouble, idle channels, JOIN and PART.

        And to the clients whose turn it is to be told where their channels went, of all nodes that share the pace.
        """
        for _ in self._portions(now):
            pass

    def _portions(self, now: float) -> Iterator[None]:
        """Do what `sweep` does, in portions that take a few milliseconds each."""
        self.pace.turn()
        for number, timed in enumerate(self.wheel.expire(now), 1):
            try:
                if not timed.slot:  # else it was given another deadline while others had their turn
                    timed.due(now)
            except Exception:
                # One session's fault must not cost the others their deadlines.
                log.exception("deadline_failed", cluster=self.cluster)
            if number % SLICE == 0:
                yield
        yield from self._look_after(now)
        self.neighbours.sweep()
        if now - self._announced >= ANNOUNCE:
            self._announced = now
            for name in self._house.take_news():
                if room := self._rooms.get(name):
                    room.announce()
                    self._outside.stirred.add(name)  # it may rest now
                    yield

    def _look_after(self, now: float) -> Iterator[None]:
        """See to the channels to which something has happened, and let those rest to which nothing does."""
        stirred, self._outside.stirred = self._outside.stirred, set()
        for number, name in enumerate(stirred, 1):
            room = self._rooms.get(name)
            if room is not None:
                if room.needs_tick:
                    room.tick()  # which stirs it again
                self._let_rest(room, now)
            if number % SLICE == 0:
                yield
        for number, name in enumerate(_over(self._quiet, now - QUIET), 1):
            if room := self._rooms.get(name):
                room.rest(content=True)
            if number % SLICE == 0:
                yield
        for name in _over(self._left, now - self.settings.edge.linger):
            room = self._rooms.get(name)
            if room is not None and room.idle:
                room.close()
                self._give_up(room)

    def _let_rest(self, room: Room, now: float) -> None:
        """Let a channel rest to which something has happened, if that is over; nobody may be here for a while only."""
        name = room.name
        self._quiet.pop(name, None)
        if not room.idle:
            self._left.pop(name, None)
        elif room.moderated or room.raiding:
            self._left.pop(name, None)
            self._outside.stirred.add(name)  # it is looked at again
        else:
            self._left.setdefault(name, now)
        if not room.rest(content=False):
            self._quiet[name] = now

    async def compare(self) -> None:
        """Compare every channel with the end of its log (rule L1), then let each see what is due."""
        rooms = list(self._rooms.values())
        for start in range(0, len(rooms), SLICE):
            await self._lookups.compare(rooms[start : start + SLICE])
            for room in rooms[start : start + SLICE]:
                if not room.calm:
                    room.tick()
            await asyncio.sleep(0)  # whatever came meanwhile is not kept waiting by thousands of channels

    async def _ask(self, rooms: Sequence[Room]) -> list[Answer | None]:
        return await self._outside.ask([room.backend.question(claim=False) for room in rooms])

    async def _roles_came(self) -> None:
        """Ask the store anew for all channels: operators have brought roles."""
        await self._lookups.refresh(list(self._rooms.values()))

    async def check_default(self) -> None:
        """Let channels without a row ask anew that are not where the default placement says (rule C10)."""
        try:
            async with asyncio.timeout(self.settings.move.lease):
                default = await self.store.default_placement()
        except (StoreUnavailable, TimeoutError) as error:
            log.warning("default_unknown", cluster=self.cluster, error=repr(error))
            return
        elsewhere = [room for room in self._rooms.values() if room.astray(default)]
        try:
            await self._lookups.refresh(elsewhere)
        except (StoreUnavailable, TimeoutError) as error:
            log.warning("default_not_followed", cluster=self.cluster, error=repr(error))


def _over(since: dict[str, float], before: float) -> list[str]:
    """Take out those whose time, in whose order they are, has come."""
    over: list[str] = []
    for name, time in since.items():
        if time > before:
            break
        over.append(name)
    for name in over:
        del since[name]
    return over
