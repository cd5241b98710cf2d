"""One client connection: a transport, the protocol, deadlines, and the channels it is in.

Handlers are functions by event, one module per family: `login`, `membership`, `talk`. A fault in one of
them is logged and closes this connection only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import structlog

from godwit.chat.authors import author as author_of
from godwit.chat.authors import is_exempt
from godwit.chat.modes import Speaker
from godwit.chat.room import Role
from godwit.edge import login, membership, notices, talk
from godwit.edge.auth.base import Grant
from godwit.edge.auth.scopes import Scopes
from godwit.edge.commands.table import command_sent
from godwit.tmi import events, render
from godwit.tmi.capabilities import Caps
from godwit.tmi.login import LoginFailure
from godwit.tmi.server import ServerConnection
from godwit.values import Account, Author, Relation, owner_of
from godwit.wire.connection import NOT_READING, Connection, State
from godwit.wire.websocket import GOING_AWAY

if TYPE_CHECKING:
    from godwit.edge.node import EdgeNode
    from godwit.edge.room import Room

log = structlog.get_logger()


class Session:
    """A client connection on a node; in its channels a `ports.Member`.

    Attributes:
        producer: its name as a producer of records, unique for ever.
        identity: who logged in; None before that.
        grant: what its token lets it do; None before the login, and for anonymous connections.
        rooms: the channels it is in, or wants to be in, by name.
        waiting: how much of what it wants waits until enough is known of a channel.
        heard: loop time of the last bytes from the client.
        pinged: loop time of the last PING to it; 0 before the first.
        slot: the deadline wheel's note.
    """

    __slots__ = (
        "_leaving",
        "_voice",
        "connection",
        "grant",
        "heard",
        "identity",
        "node",
        "pinged",
        "producer",
        "protocol",
        "rooms",
        "slot",
        "waiting",
    )

    def __init__(self, node: EdgeNode, connection: Connection, producer: str) -> None:
        self.node = node
        self.connection = connection
        self.producer = producer
        self.protocol = ServerConnection(node.settings.edge.max_line, node.dialect)
        self.identity: Account | None = None
        self.grant: Grant | None = None
        self.rooms: dict[str, Room] = {}
        self.waiting = 0
        self.heard = node.loop.time()
        self.pinged = 0.0
        self.slot = 0
        self._leaving = False
        self._voice: tuple[Account, str, Role, Relation | None, Author, Speaker] | None = None

    # who it is --------------------------------------------------------------------------------

    @property
    def nick(self) -> str:
        """Its login; '' before the login is done."""
        return self.protocol.nick

    @property
    def account(self) -> str:
        """User id of its account, '' for anonymous connections."""
        return self.identity.user_id if self.identity else ""

    @property
    def client(self) -> str:
        """Whom its JOINs are charged to: its account with all its connections, or an anonymous one itself (LIMIT-3)."""
        return self.account or self.producer

    @property
    def bot(self) -> str:
        """The role of its account, '' for an ordinary one."""
        return self.identity.bot if self.identity else ""

    @property
    def scopes(self) -> Scopes:
        """What its token lets it do; None for everything."""
        return self.grant.scopes if self.grant else None

    @property
    def caps(self) -> Caps:
        """Its capabilities now."""
        return self.protocol.caps

    @property
    def websocket(self) -> bool:
        """Whether it came in over WebSocket."""
        return self.connection.websocket

    def owns(self, channel: str) -> bool:
        """Whether it is the broadcaster of the channel, or has made the group room (GROUP-5)."""
        owner = owner_of(channel) if channel[0] == "_" else channel
        return self.nick == owner and bool(self.account)

    def author(self, channel: str) -> Author:
        """Its account as the channel sees it (rule R1: these facts travel in the record)."""
        return self.voice(channel, self.node.role(channel, self.account))[0]

    def exempt(self, channel: str) -> bool:
        """Whether it is moderator, VIP or owner of a channel, or may moderate everywhere (SAY-exempt)."""
        return self.voice(channel, self.node.role(channel, self.account))[1].exempt

    def voice(self, channel: str, role: Role) -> tuple[Author, Speaker]:
        """What is shown of its account in a channel, and what decides whether it may speak there.

        Args:
            role: what it is there, beside the owner.
        """
        account, known = self.identity, self._voice
        if account is None or not account.user_id:
            return Author("", self.nick), Speaker("")
        relation = self.node.relations.relation(channel, account.user_id)
        if (
            known is None
            or known[0] is not account
            or known[1] != channel
            or known[2] != role
            or known[3] is not relation
        ):
            owner = self.owns(channel)
            author = author_of(account, owner=owner, role=role, relation=relation)
            since = relation.follows_since if relation is not None else 0.0
            speaker = Speaker(account.user_id, is_exempt(author, owner=owner), author.subscriber, since)
            self._voice = known = (account, channel, role, relation, author, speaker)
        return known[4], known[5]

    # what the connection says -----------------------------------------------------------------

    def data_received(self, connection: Connection, data: bytes) -> None:
        """Act on what the client sent."""
        self.heard = self.node.loop.time()
        self.act(self.protocol.receive_data(data))

    def closed(self, connection: Connection, reason: str) -> None:
        """Leave everything; a login that is still being checked comes too late."""
        self.protocol.close()
        if reason == NOT_READING:
            self.node.counts.slow_readers += 1
        for room in list(self.rooms.values()):
            room.leave(self)
        self.rooms.clear()
        self.node.forget(self)

    # what goes to the client ------------------------------------------------------------------

    def act(self, happened: Iterable[events.Event]) -> None:
        """Act on events in their order, then send what the protocol has to say."""
        try:
            for event in happened:
                _HANDLERS[type(event)](self, event)
            if not self.protocol.quiet:
                self.drain()
        except Exception:
            self._failed()

    def guard(self, call: Callable[[], None]) -> None:
        """Do something on behalf of the client, of which others must not learn if it fails."""
        try:
            call()
        except Exception:
            self._failed()

    def _failed(self) -> None:
        """End this connection: one session's fault must not reach the others."""
        log.exception("session_failed", nick=self.nick, peer=self.connection.peer)
        self.node.counts.sessions_failed += 1
        self.connection.close("internal error")

    def drain(self) -> None:
        """Send what the protocol has to say, behind the lines that wait in channels."""
        pieces = self.protocol.data_to_send()
        if pieces:
            self._catch_up()
            self.connection.write_frames(pieces)
        if self.protocol.closing:
            self.connection.close("closed by the protocol")

    def write(self, element: bytes) -> None:
        """Send one element (one WebSocket frame) behind the lines that wait in channels."""
        if element:
            self._catch_up()
            self.connection.write(element)

    def _catch_up(self) -> None:
        if self.connection.fanouts:
            self.node.turn.catch_up(self, (room.fanout for room in self.rooms.values() if room.awake), len(self.rooms))

    def notice(self, channel: str, msg_id: str, /, **values: object) -> None:
        """Send a NOTICE about a channel, behind the lines that wait in it (NOTICE-1)."""
        dialect = self.node.dialect
        text = notices.text(msg_id, dialect.name, **values)
        data = dialect.notice(self.caps, channel, msg_id, text)
        room = self.rooms.get(channel)
        if room is None:
            self.write(data)
        else:
            room.tell(self, data)

    def close(self, reason: str) -> None:
        """Close in order: what is queued, or waits in channels, goes out first."""
        self._catch_up()
        self.connection.close(reason, GOING_AWAY)

    def end(self) -> None:
        """Refuse the account that logged in long ago, and close (LOGIN-11)."""
        if not self.protocol.closing:
            self.protocol.login_failed(LoginFailure.AUTHENTICATION_FAILED)
            self.drain()

    def send_away(self) -> None:
        """Send RECONNECT, and close after the grace time (RC-1, RC-2)."""
        if not self._leaving:
            self._leaving = True
            self.write(render.reconnect(self.caps))
            self.node.wheel.set(self, self.node.loop.time() + self.node.settings.edge.reconnect_grace)

    # deadlines --------------------------------------------------------------------------------

    def due(self, now: float) -> None:
        """End a login that takes too long, ask a silent client, close a dead one (LOGIN-10, PING-2, PING-3)."""
        if self.connection.state is not State.OPEN:
            return  # it has gone since the deadlines that come together were taken out
        edge = self.node.settings.edge
        if self._leaving:
            self.close("reconnect")
        elif not self.protocol.registered:
            self.node.counts.overdue += 1
            if not self.protocol.closing:
                self.protocol.login_failed(LoginFailure.UNSUCCESSFUL)
            self.drain()
        elif self.pinged > self.heard:
            self.node.counts.overdue += 1
            self.close("ping timeout")
        elif now - self.heard >= edge.ping_interval:
            self.pinged = now
            self.write(render.ping())
            self.node.wheel.set(self, now + edge.pong_timeout)
        else:
            self.node.wheel.set(self, self.heard + edge.ping_interval)


def _capabilities_changed(session: Session, event: events.CapabilitiesChanged) -> None:
    for room in session.rooms.values():
        room.regroup(session)


def _nothing(session: Session, event: events.Event) -> None:
    """Nothing is to be done: that it was heard is enough."""


def _refused(session: Session, event: events.Refused) -> None:
    log.debug("refused", nick=session.nick, reason=event.reason)


_HANDLERS: dict[type[Any], Callable[[Session, Any], None]] = {
    events.LoginRequested: login.login_requested,
    events.JoinRequested: membership.join_requested,
    events.PartRequested: membership.part_requested,
    events.InquireRequested: membership.inquire_requested,
    events.MessageSent: talk.message_sent,
    events.CommandSent: command_sent,
    events.CapabilitiesChanged: _capabilities_changed,
    events.PongReceived: _nothing,
    events.QuitRequested: _nothing,
    events.Refused: _refused,
}
