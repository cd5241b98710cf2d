"""Renders a channel's outcomes to the connections of this node: the port `Audience`.

An early joiner (JOIN-7) is a member but sees nothing; it becomes a reader when the channel says that it
is served.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

from godwit.edge import acts
from godwit.edge.commands.hosting import Hosting
from godwit.edge.company import Company
from godwit.edge.membership import nearest
from godwit.edge.ports import Member, Shown
from godwit.edge.standing import Standing
from godwit.tmi import render
from godwit.tmi.capabilities import Caps
from godwit.tmi.text import clean, cut
from godwit.values import Act, Addresses, Change, Message, Placement, Position, Produced, Tell, UserNotice

if TYPE_CHECKING:
    from godwit.edge.room import Room
    from godwit.edge.session import Session


class RoomAudience:
    """Shows what happens in one channel; see `ports.Audience`.

    Attributes:
        company: who is in it.
        waiting: those whose SERVERCHANGE waits.
        hosting: whom it hosts and raids.
        standing: what holds in it for those who decide.

    Args:
        room: the channel with its readers.
        sessions: producer -> connection, of this node.
        addresses: gives a cluster's public addresses.
    """

    __slots__ = (
        "_addresses", "_change", "_counts", "_dialect", "_early", "_newest", "_room", "_sessions", "company", "hosting",
        "standing", "waiting",
    )  # fmt: skip

    def __init__(self, room: Room, sessions: Mapping[str, Session], addresses: Callable[[str], Addresses]) -> None:
        self._room = room
        self._dialect = room.dialect
        self._counts = room.counts
        self._sessions = sessions
        self._addresses = addresses
        self._early: set[Session] = set()
        self._change: tuple[Placement, dict[Caps, bytes]] | None = None
        self._newest: Placement | None = None
        self.waiting: set[Session] = set()
        self.company = Company(room)
        self.hosting = Hosting()
        self.standing = Standing(room)

    def rests(self) -> bool:
        """Say whether it has nothing to remember but who is in the channel, and has nothing to tell."""
        busy = self._early or not self.hosting.blank or not self.standing.blank
        return not busy and self.company.rests()

    # membership -------------------------------------------------------------------------------

    def joined(self, member: Member, position: Position, *, home: bool, silent: bool, missing: int | None) -> None:
        """Answer a JOIN (JOIN-2 to JOIN-6), and tell what cannot be had any more (NOTICE-2)."""
        session, room = self._session(member), self._room
        if session is None:
            return
        if silent:
            self._early.add(session)
        else:
            self._early.discard(session)
            room.fanout.add(session)
        self.company.came(session)
        self.mind()
        self._room.tell(
            session,
            self._dialect.join_burst(
                session.caps,
                room.name,
                session.author(room.name),
                room_id=room.room_id,
                settings=room.channel.settings,
                others=self.company.names() if Caps.MEMBERSHIP in session.caps else (),
                position=None if silent else position,
                cluster=room.cluster,
                epoch=room.segment.epoch if room.segment else position.epoch,
                home=home,
                emote_sets=session.node.relations.emote_sets(room.name, room.room_id),
            ),
        )
        if not silent:
            self._tell_more(session)
        if missing:
            self._counts.gaps += 1
            self._room.tell(session, self._dialect.gap(session.caps, room.name, missing if missing > 0 else None))

    def redirected(self, member: Member, placement: Placement, *, asked: bool) -> None:
        """Send SERVERCHANGE, whatever the capabilities (SC-1 to SC-4), as soon as the client may be told (LIMIT-6)."""
        session = self._session(member)
        if session is None:
            return
        self._newest = placement
        if asked:
            session.node.pace.at_once(session, self._room)
        elif not session.node.pace.in_turn(session, self._room):
            self.waiting.add(session)
            return
        self.waiting.discard(session)
        self._redirect(session, placement)

    def untold(self) -> Collection[Member]:
        """Members whose SERVERCHANGE still waits."""
        return self.waiting

    def still_untold(self, waiting: Collection[Session], placement: Placement) -> None:
        """Take note of those who had to wait before the channel went to rest."""
        self.waiting.update(waiting)
        self._newest = placement

    def turn_came(self, session: Session) -> bool:
        """Send a SERVERCHANGE that had to wait, if there is still one to send: the newest (LIMIT-6)."""
        self.waiting.discard(session)
        room = self._room
        if self._newest is None or session not in room.channel.members or room.channel.home == room.cluster:
            return False
        self._redirect(session, self._newest)
        return True

    def forget(self, session: Session) -> None:
        """The connection need not be told any more where the channel went."""
        if session in self.waiting:
            self.waiting.discard(session)
            session.node.pace.forget(session, self._room)

    def _redirect(self, session: Session, placement: Placement) -> None:
        if self._change is None or self._change[0] is not placement:
            self._change = (placement, {})
        lines = self._change[1]
        data = lines.get(session.caps)
        cluster, epoch = placement.segment.cluster, placement.segment.epoch
        if data is None:
            data = lines[session.caps] = serverchange(self._room, session.caps, placement, self._addresses)
        self._counts.serverchanges += 1
        session.node.pace.sent_to(session, self._room.name, cluster, epoch)
        self._room.tell(session, data)

    def refused(self, member: Member) -> None:
        """Take note that the connection is not in the channel; one that was in it is sent PART (JOIN-7, PART-1)."""
        session = self._session(member)
        if session is None:
            return
        if session in self._early or session in self._room.fanout:
            self._put_out(session)
        else:
            session.rooms.pop(self._room.name, None)

    def served(self, member: Member) -> None:
        """Make an early joiner a reader (JOIN-7)."""
        session = self._session(member)
        if session is not None:
            self._early.discard(session)
            self._room.fanout.add(session)
            self.mind()
            self._tell_more(session)

    def parted(self, member: Member) -> None:
        """Send PART: the account is served elsewhere (PART-1)."""
        session = self._session(member)
        if session is not None:
            self._put_out(session)

    def evicted(self, member: Member, placement: Placement) -> None:
        """End a membership by the legacy rule: RECONNECT, or NOTICE with the new place and PART (NOTICE-5, PART-1)."""
        session = self._session(member)
        if session is None:
            return
        if self._room.legacy_rule == "reconnect":
            session.send_away()
            return
        cluster = placement.segment.cluster
        address = nearest(self._addresses(cluster), session.websocket, session.connection.secure) or "it"
        session.notice(self._room.name, "godwit_moved", cluster=cluster, address=address)
        self._put_out(session)

    def left(self, session: Session) -> None:
        """The connection has left by itself: it sees nothing from here on."""
        self.forget(session)
        early = session in self._early
        self._early.discard(session)
        if not (self._room.fanout.remove(session) or early):
            return  # it was never let in, so nobody was told that it came
        self.company.went(session)

    # who else is here -------------------------------------------------------------------------

    def mind(self) -> None:
        """Begin to follow who is in the channel, if a reader has MEMBERSHIP now and none had before."""
        self.company.mind()

    def announce(self) -> None:
        """Tell those with MEMBERSHIP who has come and gone since the last time (CAP-6, JOIN-8, MODE-1)."""
        self.company.announce()

    # what happens in the channel --------------------------------------------------------------

    def shown(self, shown: Shown) -> None:
        """Show a message to all readers but its producer (MSG-1)."""
        room, message = self._room, shown.message
        privmsg = self._dialect.privmsg
        room.fanout.message(
            lambda view: privmsg(
                view, room.name, message, time=shown.time, room_id=room.room_id, position=shown.position
            ),
            but=self._sessions.get(message.producer),
        )

    def replayed(self, member: Member, lines: list[Shown]) -> None:
        """Show one member what it has missed, its own messages too."""
        session, room = self._session(member), self._room
        if session is None:
            return
        for shown in lines:
            data = self._dialect.privmsg(
                session.caps,
                room.name,
                shown.message,
                time=shown.time,
                room_id=room.room_id,
                position=shown.position,
            )
            self._room.tell(session, data)

    def acted(self, act: Act, position: Position, time: float) -> None:
        """Show what an act does (CLEAR-1, CLEAR-2, HOST-1, MODE-1)."""
        self.hosting.acted(act, time)
        acts.show(self._room, act, time, but=self._sessions.get(act.producer))
        if act.kind == "ban":
            self._room.banned(act)

    def changed(self, change: Change, settings: dict[str, int]) -> None:
        """Show which room settings have changed (STATE-3, NOTICE-8)."""
        acts.show_change(self._room, change, but=self._sessions.get(change.producer))

    def announced(self, record: UserNotice, position: Position, time: float) -> None:
        """Show a USERNOTICE (UN-1)."""
        room = self._room
        usernotice = self._dialect.usernotice
        room.fanout.line(lambda caps: usernotice(caps, room.name, record, time=time, room_id=room.room_id))

    def noticed(self, record: Tell) -> None:
        """Show what operators have to say, or tell the owner who hosts the channel (NOTICE-7, HOST-1)."""
        room, text = self._room, cut(clean(record.text))
        if record.msg_id not in acts.FOR_THE_OWNER:
            room.fanout.line(lambda caps: self._dialect.notice(caps, room.name, record.msg_id, text))
            return
        for reader in list(room.fanout):
            if reader.nick == room.name and (
                data := self._dialect.owner_notice(reader.caps, room.name, record.msg_id, text)
            ):
                room.fanout.only(reader, data)

    def gap(self, missing: int | None) -> None:
        """Tell all readers that lines are missing (NOTICE-2)."""
        room = self._room
        self._counts.gaps += 1
        room.fanout.line(lambda caps: self._dialect.gap(caps, room.name, missing))

    # what becomes of a producer's records -----------------------------------------------------

    def acknowledged(self, record: Produced, position: Position, time: float) -> None:
        """Tell the producer that its record has taken effect: USERSTATE for what was said (MSG-1, STATE-1)."""
        room = self._room
        self._counts.acknowledged += 1
        session = self._sessions.get(record.producer)
        if isinstance(record, Message):
            if session is not None:
                room.tell(
                    session,
                    self._dialect.userstate(
                        session.caps,
                        room.name,
                        record.author,
                        msg_id=record.id,
                        nonce=record.nonce,
                        emote_sets=session.node.relations.emote_sets(room.name, room.room_id),
                    ),
                )
            return
        self.standing.settled(record.id)
        if session is not None:
            acts.acknowledge(session, room, record)

    def voided(self, record: Produced, reason: str) -> None:
        """Tell the producer why its record has taken no effect (NOTICE-3)."""
        room = self._room
        self._counts.voided += 1
        self.standing.settled(record.id)
        session = self._sessions.get(record.producer)
        if session is None:
            return
        if reason == "timedout":
            seconds = self.standing.seconds_left(session.account, session.node.clock.now())
            session.notice(room.name, "msg_timedout", channel=room.name, seconds=max(seconds, 1))
        elif reason == "banned":
            session.notice(room.name, "msg_banned", channel=room.name)
        else:
            session.notice(room.name, "godwit_unsent", text=acts.typed(record))

    def unknown(self, record: Produced) -> None:
        """Tell the producer that nobody knows what became of its record (NOTICE-4)."""
        self._counts.unknown += 1
        self.standing.settled(record.id)
        session = self._sessions.get(record.producer)
        if session is not None:
            session.notice(self._room.name, "godwit_unknown", text=acts.typed(record))

    # inside -----------------------------------------------------------------------------------

    def _session(self, member: Member) -> Session | None:
        """The connection behind a member; None if it has gone."""
        return self._sessions.get(member.producer)

    def _tell_more(self, session: Session) -> None:
        """What a reader is told behind the answer to its JOIN (MODE-1, HOST-1)."""
        if Caps.MEMBERSHIP in session.caps:
            self._room.tell(session, self.company.modes())
        if self._room.channel.hosting:
            acts.tell_hosting(session, self._room)

    def _put_out(self, session: Session) -> None:
        self._room.tell(session, render.part(session.nick, self._room.name))
        session.rooms.pop(self._room.name, None)
        self.left(session)


def serverchange(room: Room, caps: Caps, placement: Placement, addresses: Callable[[str], Addresses]) -> bytes:
    """SERVERCHANGE towards a placement, as those with some capabilities get it (SC-1 to SC-4).

    Args:
        addresses: gives a cluster's public addresses.
    """
    segment = placement.segment
    return render.serverchange(
        caps,
        room.name,
        destination=room.destination,
        cluster=segment.cluster,
        epoch=segment.epoch,
        addresses=addresses(segment.cluster),
        drain_until=placement.drain_until if placement.phase == "draining" else 0.0,
    )
