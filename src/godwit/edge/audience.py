"""Renders a channel's outcomes to the connections of this node: the port `Audience`.

An early joiner (JOIN-7) is a member but sees nothing; it becomes a reader when the channel says that it
is served.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

from godwit.edge import moderation
from godwit.edge.ports import Member, Shown
from godwit.edge.presence import MOST_NAMED, named
from godwit.tmi import render
from godwit.tmi.capabilities import Caps
from godwit.tmi.text import clean, cut
from godwit.values import Act, Addresses, Change, Message, Placement, Position, Produced, Tell, UserNotice

if TYPE_CHECKING:
    from godwit.edge.room import Room
    from godwit.edge.session import Session


class RoomAudience:
    """Shows what happens in one channel; see `ports.Audience`.

    Args:
        room: the channel with its readers.
        sessions: producer -> connection, of this node.
        addresses: gives a cluster's public addresses.
    """

    __slots__ = ("_addresses", "_change", "_early", "_newest", "_news", "_room", "_sessions", "_told", "_untold")

    def __init__(self, room: Room, sessions: Mapping[str, Session], addresses: Callable[[str], Addresses]) -> None:
        self._room = room
        self._sessions = sessions
        self._addresses = addresses
        self._early: set[Session] = set()
        self._change: tuple[Placement, dict[Caps, bytes]] | None = None
        self._newest: Placement | None = None
        self._untold: set[Member] = set()
        self._news = False
        self._told: set[str] | None = None

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
        self._touch(session)
        self.mind()
        self._room.tell(
            session,
            render.join_burst(
                session.caps,
                room.name,
                session.author(room.name),
                room_id=room.room_id,
                settings=room.channel.settings,
                others=self.names() if Caps.MEMBERSHIP in session.caps else (),
                position=None if silent else position,
                cluster=room.cluster,
                epoch=room.segment.epoch if room.segment else position.epoch,
                home=home,
            ),
        )
        if missing:
            room.counts.gaps += 1
            self._room.tell(session, render.gap(session.caps, room.name, missing if missing > 0 else None))

    def redirected(self, member: Member, placement: Placement, *, asked: bool) -> None:
        """Send SERVERCHANGE, whatever the capabilities (SC-1 to SC-4), as soon as the client may be told (LIMIT-6)."""
        session = self._session(member)
        if session is None:
            return
        self._newest = placement
        if asked:
            session.node.pace.at_once(session, self)
        elif not session.node.pace.in_turn(session, self):
            self._untold.add(session)
            return
        self._untold.discard(session)
        self._redirect(session, placement)

    def untold(self) -> Collection[Member]:
        """Members whose SERVERCHANGE still waits."""
        return self._untold

    def turn_came(self, session: Session) -> bool:
        """Send a SERVERCHANGE that had to wait, if there is still one to send: the newest (LIMIT-6)."""
        self._untold.discard(session)
        room = self._room
        if self._newest is None or session not in room.channel.members or room.channel.home == room.cluster:
            return False
        self._redirect(session, self._newest)
        return True

    def forget(self, session: Session) -> None:
        """The connection need not be told any more where the channel went."""
        if session in self._untold:
            self._untold.discard(session)
            session.node.pace.forget(session, self)

    def _redirect(self, session: Session, placement: Placement) -> None:
        if self._change is None or self._change[0] is not placement:
            self._change = (placement, {})
        lines = self._change[1]
        data = lines.get(session.caps)
        cluster, epoch = placement.segment.cluster, placement.segment.epoch
        if data is None:
            data = lines[session.caps] = render.serverchange(
                session.caps,
                self._room.name,
                destination=self._room.destination,
                cluster=cluster,
                epoch=epoch,
                addresses=self._addresses(cluster),
                drain_until=placement.drain_until if placement.phase == "draining" else 0.0,
            )
        self._room.counts.serverchanges += 1
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
        addresses = self._addresses(cluster)
        address = next(iter((*addresses.ws, *addresses.wss) if session.websocket else addresses.tcp), "it")
        self._notice(session, "godwit_moved", cluster=cluster, address=address)
        self._put_out(session)

    def left(self, session: Session) -> None:
        """The connection has left by itself: it sees nothing from here on."""
        self.forget(session)
        early = session in self._early
        self._early.discard(session)
        if not (self._room.fanout.remove(session) or early):
            return  # it was never let in, so nobody was told that it came
        self._touch(session)

    # who else is here -------------------------------------------------------------------------

    def names(self) -> list[str]:
        """Who is in the channel, on any edge, for NAMES; nobody if they are too many (JOIN-4)."""
        return sorted(self._everybody() or ())

    def mind(self) -> None:
        """Begin to follow who is in the channel, if a reader has MEMBERSHIP now and none had before."""
        if self._told is None and self._room.fanout.listens(Caps.MEMBERSHIP):
            self._told = self._everybody()
            self._room.neighbours.mind(self._room.name)

    def has_news(self) -> None:
        """Take note that somebody may have come or gone."""
        self._news = True

    def announce(self) -> None:
        """Tell those with MEMBERSHIP who has come and gone since the last time (CAP-6, JOIN-8)."""
        if not self._news:
            return
        self._news = False
        before, self._told = self._told, None
        name = self._room.name
        if not self._room.fanout.listens(Caps.MEMBERSHIP):
            self._room.neighbours.forget(name)
            return
        now = self._told = self._everybody()
        if before is None or now is None or before == now:
            return
        came = [(nick, render.join(nick, name)) for nick in sorted(now - before)]
        went = b"".join(render.part(nick, name) for nick in sorted(before - now))
        for reader in list(self._room.fanout):
            if Caps.MEMBERSHIP in reader.caps:
                data = b"".join(line for nick, line in came if nick != reader.nick) + went
                if data:
                    self._room.fanout.only(reader, data)

    def _everybody(self) -> set[str] | None:
        """The logins of all members that are known, on this edge and on others; None if they are too many."""
        here, elsewhere = named(self._room), self._room.neighbours.elsewhere(self._room.name)
        if isinstance(here, int) or elsewhere is None:
            return None
        here |= elsewhere
        return here if len(here) <= MOST_NAMED else None

    def _touch(self, session: Session) -> None:
        self._news = True
        self._room.neighbours.touch(self._room.name, session.nick)

    # what happens in the channel --------------------------------------------------------------

    def shown(self, shown: Shown) -> None:
        """Show a message to all readers but its producer (MSG-1)."""
        room, message = self._room, shown.message
        room.fanout.message(
            lambda view: render.privmsg(
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
            data = render.privmsg(
                session.caps,
                room.name,
                shown.message,
                time=shown.time,
                room_id=room.room_id,
                position=shown.position,
            )
            self._room.tell(session, data)

    def acted(self, act: Act, position: Position, time: float) -> None:
        """Show a moderation act: CLEARCHAT or CLEARMSG (CLEAR-1, CLEAR-2)."""
        room = self._room
        if act.kind == "delete":
            said = room.message(act.deletes)
            room.fanout.line(
                lambda caps: render.clearmsg(
                    caps,
                    room.name,
                    login=act.target_login,
                    target_msg_id=act.deletes,
                    text=said.text if said else "",
                    time=time,
                    room_id=room.room_id,
                )
            )
        elif act.kind != "lift":
            room.fanout.line(
                lambda caps: render.clearchat(
                    caps,
                    room.name,
                    room_id=room.room_id,
                    time=time,
                    target_login=act.target_login,
                    target_id=act.target,
                    seconds=act.seconds,
                )
            )

    def changed(self, change: Change, settings: dict[str, int]) -> None:
        """Show which room settings have changed (STATE-3)."""
        room = self._room
        room.fanout.line(
            lambda caps: render.roomstate_change(caps, room.name, room_id=room.room_id, changed=change.settings)
        )

    def announced(self, record: UserNotice, position: Position, time: float) -> None:
        """Show a USERNOTICE (UN-1)."""
        room = self._room
        room.fanout.line(lambda caps: render.usernotice(caps, room.name, record, time=time, room_id=room.room_id))

    def noticed(self, record: Tell) -> None:
        """Show what operators have to say (NOTICE-7)."""
        room, text = self._room, cut(clean(record.text))
        room.fanout.line(lambda caps: render.notice(caps, room.name, record.msg_id, text))

    def gap(self, missing: int | None) -> None:
        """Tell all readers that lines are missing (NOTICE-2)."""
        room = self._room
        room.counts.gaps += 1
        room.fanout.line(lambda caps: render.gap(caps, room.name, missing))

    # what becomes of a producer's records -----------------------------------------------------

    def acknowledged(self, record: Produced, position: Position, time: float) -> None:
        """Tell the producer that its record has taken effect: USERSTATE for a message (MSG-1, STATE-1)."""
        room = self._room
        room.counts.acknowledged += 1
        session = self._sessions.get(record.producer)
        if session is None:
            return
        if isinstance(record, Message):
            self._room.tell(
                session,
                render.userstate(session.caps, room.name, record.author, msg_id=record.id, nonce=record.nonce),
            )
        elif isinstance(record, Act) and record.kind != "clear":
            self._acknowledge_act(session, record)

    def voided(self, record: Produced, reason: str) -> None:
        """Tell the producer why its record has taken no effect (NOTICE-3)."""
        room = self._room
        room.counts.voided += 1
        session = self._sessions.get(record.producer)
        if session is None:
            return
        if reason == "timedout" and isinstance(record, Message):
            session.node.tasks.start(moderation.tell_timeout(session, room), "msg_timedout")
        elif reason == "banned":
            self._notice(session, "msg_banned", channel=room.name)
        else:
            self._notice(session, "godwit_unsent", text=_said(record))

    def unknown(self, record: Produced) -> None:
        """Tell the producer that nobody knows what became of its record (NOTICE-4)."""
        self._room.counts.unknown += 1
        session = self._sessions.get(record.producer)
        if session is not None:
            self._notice(session, "godwit_unknown", text=_said(record))

    # inside -----------------------------------------------------------------------------------

    def _acknowledge_act(self, session: Session, act: Act) -> None:
        if act.kind == "lift":
            self._notice(session, f"{act.reason}_success", user=act.target_login)
        elif act.kind == "delete":
            self._notice(session, "delete_message_success", user=act.target_login)
        else:
            self._notice(session, f"{act.kind}_success", user=act.target_login, seconds=act.seconds)

    def _session(self, member: Member) -> Session | None:
        """The connection behind a member; None if it has gone."""
        return self._sessions.get(member.producer)

    def _notice(self, session: Session, msg_id: str, **values: object) -> None:
        session.notice(self._room.name, msg_id, **values)

    def _put_out(self, session: Session) -> None:
        self._room.tell(session, render.part(session.nick, self._room.name))
        session.rooms.pop(self._room.name, None)
        self.left(session)


def _said(record: Produced) -> str:
    """What somebody tried to say or do, for a NOTICE."""
    if isinstance(record, Message):
        return record.text
    return f"/{record.kind} {record.target_login}".rstrip() if isinstance(record, Act) else "a change of settings"
