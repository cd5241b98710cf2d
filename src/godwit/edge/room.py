"""One channel on one node, with all that belongs to it.

Whatever comes into a channel passes here, so that a fault in one channel ends with this channel: it is
logged and given up, its members get PART, and the next JOIN makes it anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Literal

import structlog

from godwit.chat.modes import duplicate_window
from godwit.edge.audience import RoomAudience
from godwit.edge.audience_2016 import RoomAudience2016
from godwit.edge.backend import Outside, RoomBackend
from godwit.edge.channel import EdgeChannel
from godwit.edge.fanout import Fanout
from godwit.edge.metrics import Counts
from godwit.edge.ports import Member
from godwit.edge.turn import Turn
from godwit.tmi import render
from godwit.tmi.dialect import dialect_of
from godwit.values import Act, Addresses, Message, Position, Produced, Segment

if TYPE_CHECKING:
    from godwit.edge.neighbours import Neighbours
    from godwit.edge.session import Session

log = structlog.get_logger()


class Room:
    """A channel, its readers, its I/O.

    Attributes:
        name: the channel's name.
        dialect: what is spoken to those who are here.
        idle_since: loop time since which nobody is here; None while somebody is.
        moderating: held while an act is checked and written, so that acts keep their order.

    Args:
        producer: a name for the channel's own records, unique for ever.
        numbers: counts all records of the process.
        neighbours: tells who is in the channel on other edges.
        gone: called when the room is given up.
        banned: called when it was read that somebody was banned, if that is to be told.
    """

    __slots__ = (
        "_backend",
        "_banned",
        "_gone",
        "_looking",
        "_outside",
        "_sessions",
        "audience",
        "channel",
        "counts",
        "dialect",
        "fanout",
        "idle_since",
        "moderating",
        "name",
        "neighbours",
    )

    def __init__(
        self,
        name: str,
        outside: Outside,
        *,
        producer: str,
        numbers: Iterator[int],
        turn: Turn,
        counts: Counts,
        sessions: Mapping[str, Session],
        addresses: Callable[[str], Addresses],
        neighbours: Neighbours,
        gone: Callable[[Room], None],
        banned: Callable[[Room, Act], None] | None = None,
    ) -> None:
        self.name = name
        self.neighbours = neighbours
        self.counts = counts
        self.idle_since: float | None = None
        self.moderating = asyncio.Lock()
        self.fanout = Fanout(name, turn)
        settings = outside.settings
        self.dialect = dialect_of(settings.edge.dialect, outside.cluster)
        audience = RoomAudience2016 if self.dialect.name == "2016" else RoomAudience
        self.audience: RoomAudience = audience(self, sessions, addresses)
        self._outside = outside
        self._sessions = sessions
        self._gone = gone
        self._banned = banned
        self._looking = False
        self._backend = RoomBackend(name, outside, self.fail)
        self.channel = EdgeChannel(
            name,
            outside.cluster,
            self._backend,
            self.audience,
            producer=producer,
            numbers=numbers,
            log=settings.log,
            move=settings.move,
            edge=settings.edge,
            duplicate_window=duplicate_window(settings.limits),
        )
        self._backend.channel = self.channel

    @property
    def backend(self) -> RoomBackend:
        """The channel's I/O."""
        return self._backend

    @property
    def cluster(self) -> str:
        """The cluster of the node."""
        return self._outside.cluster

    @property
    def raiding(self) -> bool:
        """Whether a raid has been ordered that has not gone yet."""
        return self.audience.hosting.raiding(self._outside.clock.now(), self._outside.settings.edge.raid_delay)

    @property
    def room_id(self) -> str:
        """User id of the channel's owner; 0 if there is none."""
        return self._backend.room_id or "0"

    @property
    def destination(self) -> Literal["tags", "parameter", "none"]:
        """How SERVERCHANGE names the destination."""
        return self._outside.settings.move.destination

    @property
    def legacy_rule(self) -> Literal["bridge", "part", "reconnect"]:
        """What happens to members that have not followed when the drain is over."""
        return self._outside.settings.move.legacy_rule

    @property
    def segment(self) -> Segment | None:
        """The segment that is read."""
        return self.channel.segment

    def session(self, member: Member) -> Session | None:
        """The connection behind a member; None if it has gone."""
        return self._sessions.get(member.producer)

    def message(self, msg_id: str) -> Message | None:
        """A recent message by its id."""
        for shown in reversed(self.channel.recent):
            if shown.message.id == msg_id:
                return shown.message
        return None

    def tell(self, session: Session, data: bytes) -> None:
        """Send one element to one connection, behind what waits for it in the channel; nothing for b""."""
        if data and not self.fanout.only(session, data):
            session.write(data)

    def banned(self, act: Act) -> None:
        """Take note that somebody was banned (GROUP-6)."""
        if self._banned:
            self._banned(self, act)

    # what sessions do -------------------------------------------------------------------------

    def join(self, session: Session, after: Position | None) -> None:
        """A connection wants in; the audience answers."""
        self._backend.asked_by(session.producer)
        self._backend.call(self.channel.join, session, after)

    def leave(self, session: Session) -> None:
        """A connection is out."""
        self._backend.call(self.channel.leave, session)
        self.audience.left(session)

    def known_to(self, session: Session) -> bool:
        """Whether all is known that decides what a connection may do, and nothing it wants waits for that."""
        channel = self.channel
        known = channel.known and self._backend.open and not channel.waits(session.producer)
        return known and session.node.relations.ready(session, self.name)

    def when_known(self, session: Session, call: Callable[[], None], otherwise: Callable[[], None]) -> bool:
        """Have something done for a connection once all is known that decides it, at once if it is (MSG-11).

        What one connection wants is done in the order in which it came.

        Args:
            otherwise: called instead, with nothing done, if that takes too long or the channel is given up.

        Returns:
            False if too much of the connection's waits already, or the room was closed.
        """
        if self.known_to(session):
            call()
            return True
        channel, relations = self.channel, session.node.relations
        relations.ready(session, self.name, self._look_again)
        taken = self._backend.open
        self._backend.asked_by(session.producer)

        def over(then: Callable[[], None]) -> None:
            session.waiting -= 1
            session.guard(then)

        def wait() -> None:
            nonlocal taken
            taken = channel.when_known(
                session.producer,
                partial(over, call),
                partial(over, otherwise),
                lambda: relations.ready(session, self.name),
            )

        session.waiting += 1
        self._backend.call(wait)
        if not taken:
            session.waiting -= 1
        return taken

    def _look_again(self) -> None:
        """Have the channel look once for all whose answers come together."""
        if not self._looking:
            self._looking = True
            self._outside.loop.call_soon(self._look)

    def _look(self) -> None:
        self._looking = False
        self._backend.call(self.channel.look_again)

    def submit(self, record: Produced) -> bool:
        """Take a record to append; False if too many of its producer wait already, or the room was closed."""
        backend = self._backend
        backend.asked_by(record.producer)
        if not backend.open:
            return False
        taken = backend.call(self.channel.submit, record) is not False  # if it failed, `fail` says what became of it
        if taken:
            self.counts.accepted += 1
        return taken

    # what the node does -----------------------------------------------------------------------

    def tick(self) -> None:
        """Let the channel try again what failed and end what is over."""
        self._backend.call(self.channel.tick)

    def announce(self) -> None:
        """Tell who has come and gone."""
        try:
            self.audience.announce()
        except Exception:
            # One channel's fault must not keep the others from being told.
            log.exception("announce_failed", channel=self.name, cluster=self.cluster)
            self.fail()

    def compared(self, segment: Segment, head: int, asked_at: float) -> None:
        """Tell the channel where its log ends (rule L1)."""
        if not self.channel.stands(segment, head, asked_at):
            self._backend.call(self.channel.compared, segment, head, asked_at)

    def close(self) -> None:
        """Read nothing any more."""
        self._backend.close()

    def fail(self) -> None:
        """Give the channel up because of a fault; the next JOIN makes it anew.

        Its members are out, and who has said something that was not read back is told (NOTICE-3, NOTICE-4).
        """
        self._backend.close()
        self.counts.channels_failed += 1
        try:
            self.channel.abandon()
        except Exception:
            # The channel is broken; its members are let out nevertheless.
            log.exception("abandon_failed", channel=self.name, cluster=self.cluster)
        self._gone(self)
        for session in [session for session in self._sessions.values() if session.rooms.get(self.name) is self]:
            del session.rooms[self.name]
            self.tell(session, render.part(session.nick, self.name))
            self.fanout.remove(session)
            self.audience.forget(session)
