"""One channel on one node, with all that belongs to it.

Whatever comes into a channel passes here, so that a fault in one channel ends with this channel: it is
logged and given up, its members get PART, and the next JOIN makes it anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal

import msgspec
import structlog

from godwit.chat.modes import duplicate_window
from godwit.chat.room import Role
from godwit.edge import asleep
from godwit.edge.audience import RoomAudience
from godwit.edge.audience_2016 import RoomAudience2016
from godwit.edge.backend import RoomBackend
from godwit.edge.channel import EdgeChannel
from godwit.edge.fanout import Fanout
from godwit.edge.metrics import Counts
from godwit.edge.ports import Member
from godwit.edge.rest import Rest
from godwit.tmi import render
from godwit.tmi.capabilities import Caps
from godwit.tmi.dialect import Dialect
from godwit.values import Act, Message, Placement, Position, Produced, Segment

if TYPE_CHECKING:
    from godwit.edge.backend import Answer
    from godwit.edge.company import Company
    from godwit.edge.house import House
    from godwit.edge.neighbours import Neighbours
    from godwit.edge.session import Session

log = structlog.get_logger()


class Room:
    """A channel, its readers, its I/O.

    A room in which nothing happens rests: then it has no `channel`, `audience` and `fanout`, and is a tenth as large.
    Whoever wants one of these wakes it.

    Attributes:
        name: the channel's name.
        channel: what is read, admitted and appended.
        audience: shows it.
        fanout: to whom.
        rested: what is kept of it while it rests, else None.
    """

    __slots__ = (
        "_awake",
        "_backend",
        "_company",
        "_house",
        "_joining",
        "_lock",
        "_looking",
        "_untold",
        "audience",
        "channel",
        "fanout",
        "name",
        "rested",
    )

    channel: EdgeChannel
    audience: RoomAudience
    fanout: Fanout

    def __init__(self, name: str, house: House) -> None:
        self.name = name
        self._house = house
        self._backend = RoomBackend(name, house.outside, self)
        self._lock: asyncio.Lock | None = None
        self._awake = False
        self.rested: Rest | None = None
        self._company: Company | None = None
        self._untold: tuple[Session, ...] = ()
        self._joining: dict[Session, tuple[Position | None, float]] | None = None
        """While the store is asked for a channel of which nothing is known: who wants in, after what, since when."""
        self._looking = False

    # at rest ----------------------------------------------------------------------------------

    if not TYPE_CHECKING:  # for a type checker they are always there

        def __getattr__(self, name: str) -> object:
            # Not properties: those cost 50 ns at each of ten and more looks per message, and this nothing.
            if name not in ("channel", "audience", "fanout"):
                raise AttributeError(name)
            self._wake()
            return getattr(self, name)

    def _wake(self) -> None:
        house, rest = self._house, self.rested
        outside, settings = house.outside, house.outside.settings
        self.fanout = Fanout(self.name, house.turn)
        audience = RoomAudience2016 if house.dialect.name == "2016" else RoomAudience
        self.audience = audience(self, house.sessions, house.addresses)
        if self._company is not None:
            self.audience.company = self._company
        if rest is not None and self._untold:
            self.audience.still_untold(self._untold, rest.placement)
        self.channel = EdgeChannel(
            self.name,
            outside.cluster,
            self._backend,
            self.audience,
            producer=house.producers(),
            numbers=house.numbers,
            log=settings.log,
            move=settings.move,
            edge=settings.edge,
            duplicate_window=duplicate_window(settings.limits),
            rest=rest,
        )
        self._awake, self.rested, self._company, self._untold = True, None, None, ()
        for session in map(self.session, rest.members if rest else ()):
            if session is not None:
                self.fanout.add(session)
        outside.stirred.add(self.name)  # so that it is looked at whether it may rest again
        joining, self._joining = self._joining or {}, None
        for session, (after, since) in joining.items():
            self._backend.call(self.channel.join, session, after, since)

    def rest(self, *, content: bool) -> bool:
        """Let go of what matters only while something happens; says whether it rests now.

        Args:
            content: even if the channel has something to remember, which is kept.
        """
        if not self._awake:
            return True
        if self.moderated or not self._backend.open or not self.audience.rests():
            return False
        rest = self.channel.rest(content=content)
        if rest is None:
            return False
        self._share(rest)
        for reader in list(self.fanout):
            self.fanout.remove(reader)
        self._company = None if self.audience.company.blank else self.audience.company
        self._untold = self._house.shared(tuple(self.audience.waiting))
        self._awake, self.rested = False, rest
        del self.channel, self.audience, self.fanout
        return True

    def _share(self, rest: Rest) -> None:
        """Keep once what is the same in most channels."""
        shared = self._house.shared
        segment = shared(rest.segment)
        if segment is not rest.segment:
            rest.placement = msgspec.structs.replace(rest.placement, segment=segment)
        rest.since, rest.members = shared(rest.since), shared(rest.members)

    @property
    def awake(self) -> bool:
        """Whether it does not rest."""
        return self._awake

    @property
    def members(self) -> Collection[Member]:
        """Who is let in, early joiners too."""
        return self.channel.members if self._awake else self.rested.members if self.rested else ()

    @property
    def served(self) -> Collection[Member]:
        """Members that are shown lines."""
        return self.channel.served if self._awake else self.rested.members if self.rested else ()

    @property
    def last_message(self) -> float:
        """Log time of the last message that was read, 0 if there was none."""
        return self.channel.last_message if self._awake else self.rested.last_message if self.rested else 0.0

    @property
    def segment(self) -> Segment | None:
        """The segment that is read."""
        return self.channel.segment if self._awake else self.rested.segment if self.rested else None

    @property
    def rowless(self) -> bool:
        """Whether the channel is where the default placement says (rule C10)."""
        return self.channel.rowless if self._awake else self.rested is not None and self.rested.placement.default

    def astray(self, default: Segment) -> bool:
        """Whether the channel has no row and is not where the default placement says (rule C10)."""
        if self.rested is not None:
            placement = self.rested.placement
            return placement.default and placement.segment is not default and placement.segment != default
        return self.rowless and self.segment != default

    @property
    def untold(self) -> int:
        """How many members are still to be told where the channel went."""
        return len(self.audience.untold() if self._awake else self._untold)

    @property
    def idle(self) -> bool:
        """Nobody is here and nothing is pending."""
        return self.channel.idle if self._awake else not (self.members or self._joining)

    @property
    def needs_tick(self) -> bool:
        """Whether a tick is due soon."""
        return self._awake and self.channel.needs_tick

    @property
    def calm(self) -> bool:
        """Whether a tick would change nothing."""
        if self._awake:
            return self.channel.calm
        outside = self._house.outside
        return self.rested is None or outside.clock.now() - self.rested.compared <= outside.settings.move.lease

    def role(self, user_id: str) -> Role:
        """What an account is in the channel, beside its owner."""
        if self._awake:
            return self.channel.role(user_id)
        content = self.rested.content if self.rested else None
        return content.room.role(user_id) if content else ""

    @property
    def _listeners(self) -> Company | None:
        """Who is in the channel, as far as somebody may have to be told."""
        return self.audience.company if self._awake else self._company

    # what it is -------------------------------------------------------------------------------

    @property
    def counts(self) -> Counts:
        """What has happened on the node."""
        return self._house.counts

    @property
    def dialect(self) -> Dialect:
        """What is spoken to those who are here."""
        return self._house.dialect

    @property
    def neighbours(self) -> Neighbours:
        """Who is in channels on other edges."""
        return self._house.neighbours

    @property
    def moderating(self) -> asyncio.Lock:
        """Held while an act is checked and written, so that acts keep their order."""
        if self._lock is None:
            self._lock = asyncio.Lock()
        return self._lock

    @property
    def moderated(self) -> bool:
        """Whether an act is being checked and written."""
        return self._lock is not None and self._lock.locked()

    @property
    def backend(self) -> RoomBackend:
        """The channel's I/O."""
        return self._backend

    @property
    def cluster(self) -> str:
        """The cluster of the node."""
        return self._house.outside.cluster

    @property
    def raiding(self) -> bool:
        """Whether a raid has been ordered that has not gone yet."""
        outside = self._house.outside
        return self._awake and self.audience.hosting.raiding(outside.clock.now(), outside.settings.edge.raid_delay)

    @property
    def room_id(self) -> str:
        """User id of the channel's owner; 0 if there is none."""
        return self._backend.room_id or "0"

    @property
    def destination(self) -> Literal["tags", "parameter", "none"]:
        """How SERVERCHANGE names the destination."""
        return self._house.outside.settings.move.destination

    @property
    def legacy_rule(self) -> Literal["bridge", "part", "reconnect"]:
        """What happens to members that have not followed when the drain is over."""
        return self._house.outside.settings.move.legacy_rule

    def session(self, member: Member) -> Session | None:
        """The connection behind a member; None if it has gone."""
        return self._house.sessions.get(member.producer)

    def sessions(self) -> Iterator[Session]:
        """The connections behind all members that have not gone."""
        found = map(self._house.sessions.get, [member.producer for member in self.members])
        return (session for session in found if session is not None)

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
        if self._house.banned:
            self._house.banned(self, act)

    # what sessions do -------------------------------------------------------------------------

    def join(self, session: Session, after: Position | None) -> None:
        """A connection wants in; the audience answers, unless the channel need not wake for that."""
        if not self._awake and self._company is None and asleep.can_join(session):
            if self._joining is not None or self.rested is None:
                self._arrive(session, after)
                return
            if self._lets_in(self.rested, after):
                self._backend.call(asleep.join, self, self.rested, session)
                return
        self._backend.asked_by(session.producer)
        self._backend.call(self.channel.join, session, after)

    def _arrive(self, session: Session, after: Position | None) -> None:
        if self._joining is None:
            self._joining = {}
        self._joining[session] = (after, self._backend.now())
        self._backend.asked_by(session.producer)
        self._house.lookups.arrive(self, session.producer)

    def _lets_in(self, rest: Rest, after: Position | None) -> bool:
        return rest.lets_in(self.cluster, after, self._backend.now(), self._house.outside.settings.move.lease)

    def leave(self, session: Session) -> None:
        """A connection is out."""
        if self._joining:
            self._joining.pop(session, None)
        rest = self.rested
        if rest is None and not self._awake:
            self._house.outside.stirred.add(self.name)
            return  # nothing was ever known of the channel
        if rest is None or self._company is not None:
            self._backend.call(self.channel.leave, session)
            self.audience.left(session)
            return
        if session in self._untold:
            session.node.pace.forget(session, self)
            self._untold = tuple(one for one in self._untold if one is not session)
        # A bot that hangs up leaves 100,000 channels at once: they need not wake for it.
        left = tuple(member for member in rest.members if member is not session)
        if len(left) < len(rest.members):
            rest.members = self._house.shared(left)
            self.neighbours.touch(self.name, session.nick)
            self._house.outside.stirred.add(self.name)

    def turn_came(self, session: Session) -> bool:
        """Tell a connection where the channel went that had to wait for its turn (LIMIT-6)."""
        rest = self.rested
        if rest is None:
            return self.audience.turn_came(session)
        self._untold = tuple(one for one in self._untold if one is not session)
        if session not in rest.members or rest.segment.cluster == self.cluster:
            return False
        asleep.redirect(self, rest, session, self._house.addresses)
        return True

    def regroup(self, session: Session) -> None:
        """Take note that a connection's capabilities have changed."""
        if self._awake or Caps.MEMBERSHIP in session.caps or self._company is not None:
            self.fanout.regroup(session)
            self.audience.mind()

    def known_to(self, session: Session, now: float) -> bool:
        """Whether all is known that decides what a connection may do, and nothing it wants waits for that."""
        known = self.channel.known_to(session.producer, now) and self._backend.open
        return known and session.node.relations.ready(session, self.name)

    def when_known(self, session: Session, call: Callable[[], None], otherwise: Callable[[], None]) -> bool:
        """Have something done for a connection once all is known that decides it, at once if it is (MSG-11).

        What one connection wants is done in the order in which it came.

        Args:
            otherwise: called instead, with nothing done, if that takes too long or the channel is given up.

        Returns:
            False if too much of the connection's waits already, or the room was closed.
        """
        if self.known_to(session, self._house.outside.clock.now()):
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
            self._house.outside.loop.call_soon(self._look)

    def _look(self) -> None:
        self._looking = False
        self._backend.call(self.channel.look_again)

    def submit(self, record: Produced, now: float | None = None) -> bool:
        """Take a record to append; False if too many of its producer wait already, or the room was closed."""
        backend = self._backend
        backend.asked_by(record.producer)
        if not backend.open:
            return False
        # If it failed, `fail` says what became of it.
        taken = backend.call(self.channel.submit, record, now) is not False
        if taken:
            self._house.counts.accepted += 1
        return taken

    # what the node does -----------------------------------------------------------------------

    def tick(self) -> None:
        """Let the channel try again what failed and end what is over."""
        self._backend.call(self.channel.tick)

    def has_news(self) -> None:
        """Take note that somebody may have come or gone: it is told with what others have to tell."""
        self._house.news.add(self.name)

    def heard_news(self) -> None:
        """Take note that somebody may have come or gone on another edge."""
        if company := self._listeners:
            company.has_news()

    def announce(self) -> None:
        """Tell who has come and gone."""
        if not (self._awake or self._company):
            return  # nobody listened, so it went to rest
        try:
            self.audience.announce()
        except Exception:
            # One channel's fault must not keep the others from being told.
            log.exception("announce_failed", channel=self.name, cluster=self.cluster)
            self.fail()

    def compared(self, segment: Segment, head: int, asked_at: float) -> None:
        """Tell the channel where its log ends (rule L1); one that rests has found something that it did not know."""
        if self.rested is None and self.channel.stands(segment, head, asked_at):
            return
        self._backend.call(self.channel.compared, segment, head, asked_at)

    def confirmed(self, placement: Placement, chain: Sequence[Segment], asked_at: float) -> bool:
        """Take what the store says without waking the channel, if that can be done; says whether it was.

        It can if nothing changes, and if the default placement took along a channel in which nobody must be put out
        for that.
        """
        rest, move = self.rested, self._house.outside.settings.move
        if rest is None:
            return False
        if rest.confirmed(placement, chain, asked_at, move.lease):
            return True
        late = self._backend.now() - asked_at > move.lease
        if late or move.legacy_rule != "bridge" or not rest.follows(placement, chain, asked_at):
            return False
        self._backend.call(self._followed, rest)
        return True

    def _followed(self, rest: Rest) -> None:
        self._share(rest)
        self._backend.subscribe(rest.segment)
        self._untold = asleep.announce(self, rest, self._untold, self._house.addresses)

    def arrived(self, answer: Answer | None) -> None:
        """Take what the store says of a channel of which nothing was known; None if it did not answer.

        What must be read wakes, and takes the answer itself.
        """
        self._backend.call(self._arrived, answer)

    def _arrived(self, answer: Answer | None) -> None:
        if self._awake or self.rested is not None or not self._joining:
            return  # if the channel was woken meanwhile, it has asked by itself
        rest = None
        if answer is not None and not answer.sanctions:
            rest = Rest.begun(answer.placement, answer.chain, answer.asked_at)
        if answer is None or rest is None or rest.segment.cluster != self.cluster:
            self._backend.keep(answer)
            self._wake()
            return
        self._backend.room_id = answer.room_id or self._backend.room_id
        self._share(rest)
        self._backend.subscribe(rest.segment)
        self.rested = rest

    def let_in(self) -> None:
        """Let in who wants in, now that the store and the log were asked; what cannot be answered yet wakes it."""
        self._backend.call(self._let_in)

    def _let_in(self) -> None:
        rest, joining = self.rested, self._joining
        if not joining or self._awake:
            self._joining = None
            return
        for session, (after, _) in list(joining.items()):
            if rest is None or not self._lets_in(rest, after):
                self._wake()  # with all who are left
                return
            del joining[session]
            asleep.join(self, rest, session)
        self._joining = None
        if rest is not None:
            rest.members = self._house.shared(rest.members)

    @property
    def unread(self) -> bool:
        """Whether the channel rests where its log has not been heard of yet (rule L5)."""
        return self.rested is not None and not self.rested.compared

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
        self._house.gone(self)
        for session in [session for session in self._house.sessions.values() if session.rooms.get(self.name) is self]:
            del session.rooms[self.name]
            self.tell(session, render.part(session.nick, self.name))
            self.fanout.remove(session)
            self.audience.forget(session)
