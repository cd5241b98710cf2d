"""What clients may do in a while, counted for all nodes of a process: JOINs, logins, what they say, and SERVERCHANGE.

SERVERCHANGE makes a client join again, so it goes out at most at a share of the client's JOIN limit
(LIMIT-6). What is past that waits in the client's lane, in order, an entry for each connection and channel;
what is sent in the end is where the channel lives by then. One wheel, of tenths of seconds, turns all lanes: no
lane has a task or a timer, and only clients that were told more than once lately have a lane.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

import structlog

from godwit.buckets import Bucket
from godwit.chat.limits import VERIFIED, Charge, Fading, Limit, Limits, table
from godwit.chat.speech import FINE, Saying, Speech, Whispering, Whispers, speech_table, whisper_table
from godwit.chatlog.hearsay import Hearsay
from godwit.edge.accounts import Accounts
from godwit.edge.deadlines import Wheel
from godwit.settings import Settings

if TYPE_CHECKING:
    from godwit.edge.session import Session

log = structlog.get_logger()

TURN = 0.1
"""Seconds between two turns of the wheel of those who wait to be told."""

LATE = 0.2
"""Seconds that may pass between two turns: so much of what a client may be told is saved up."""


class Teller(Protocol):
    """Somebody who has told a connection to wait for its turn."""

    def turn_came(self, session: Session) -> bool:
        """It is the connection's turn: tell it now; says whether there was still something to tell."""
        ...


def tokens(limit: Limit, share: float) -> tuple[float, float]:
    """Rate and size of a bucket that lets through at most `share` of a limit in any span as long as its window."""
    most = limit.count * min(share, 1.0)
    size = most * LATE / (limit.seconds + LATE)
    if size >= 1.0:
        return size / LATE, size
    return max(most - 1.0, most / 2) / limit.seconds, 1.0


def address_of(session: Session) -> str:
    """The address that a connection comes from, without the port; '' if it is not known."""
    return session.connection.peer.rpartition(":")[0]


class _Lane:
    """What one client is still to be told, and how fast."""

    __slots__ = ("bucket", "client", "pace", "slot", "waiting")

    def __init__(self, pace: Pace, client: str, bucket: Bucket) -> None:
        self.pace = pace
        self.client = client
        self.bucket = bucket
        self.slot = 0
        self.waiting: dict[tuple[Session, Teller], None] = {}

    def due(self, now: float) -> None:
        """Tell what may be told by now."""
        while self.waiting and self.bucket.wait(now) <= 0:
            session, teller = next(iter(self.waiting))
            del self.waiting[session, teller]
            try:
                told = teller.turn_came(session)
            except Exception:
                # One channel's fault must not keep the others waiting.
                log.exception("redirect_failed", nick=session.nick)
                continue
            if told:
                self.bucket.force(now)
        self.pace.rest(self, now)


class Pace:
    """The counters of a process; its nodes share one.

    Args:
        now: the time in seconds, which never runs backwards.
        hearsay: over which processes tell each other of free JOINs and of what was charged, if there are several.

    Attributes:
        now: the time in seconds.
        limits: JOINs and logins.
        speech: messages and commands.
        whispers: whispers.
    """

    def __init__(self, settings: Settings, now: Callable[[], float], hearsay: Hearsay | None = None) -> None:
        self.limits = Limits(table(settings.limits))
        self.speech = Speech(speech_table(settings.limits), shares=hearsay is not None)
        self.whispers = Whispers(whisper_table(settings.limits))
        self.now = now
        self._tokens: dict[bool, tuple[float, float]] = {}
        for bot in ("", VERIFIED) if settings.move.notice_share else ():
            if limit := self.limits.join_limit(bot):
                self._tokens[bot == VERIFIED] = tokens(limit, settings.move.notice_share)
        self._told: Fading[float] = Fading(max((1 / rate for rate, _ in self._tokens.values()), default=0.0))
        self._connections: dict[str, set[Session]] | None = {} if settings.limits.channels else None
        self._lanes: dict[str, _Lane] = {}
        self._wheel = Wheel(now() / TURN)
        self._accounts: Accounts | None = None
        if hearsay and self.limits.table:
            self._accounts = Accounts(uuid4().hex, hearsay, self.limits, self.speech, now)

    def stop(self) -> None:
        """Tell and hear nothing any more."""
        if self._accounts:
            self._accounts.stop()

    @property
    def lanes(self) -> int:
        """How many clients have a lane: something waits for them, or they were told more than once lately."""
        return len(self._lanes)

    # joining and logging in -------------------------------------------------------------------

    def join(self, session: Session, channel: str) -> Charge:
        """Charge a JOIN to the client, unless a move caused it (LIMIT-3, LIMIT-5)."""
        address = address_of(session) if self.limits.counts_addresses and not session.account else ""
        charge = self.limits.join(session.client, session.bot, channel, session.node.cluster, self.now(), address)
        if charge is Charge.CHARGED and self._accounts and session.account:
            self._accounts.joined(session.account, session.bot)
        return charge

    def login(self, account: str, bot: str) -> Charge:
        """Charge a login to an account (LIMIT-3)."""
        charge = self.limits.login(account, bot, self.now())
        if charge is Charge.CHARGED and self._accounts:
            self._accounts.logged_in(account, bot)
        return charge

    def came(self, session: Session) -> None:
        """Take note that a connection has logged in."""
        if self._connections is not None:
            self._connections.setdefault(session.client, set()).add(session)

    def went(self, session: Session) -> None:
        """Take note that a connection has gone, logged in or not."""
        if self._connections is not None and (others := self._connections.get(session.client)):
            others.discard(session)
            if not others:
                del self._connections[session.client]

    def connections(self, session: Session) -> Collection[Session]:
        """All connections of a client to this process; those are kept only if its channels are limited (LIMIT-11)."""
        return (self._connections or {}).get(session.client, ())

    def sent_to(self, session: Session, channel: str, cluster: str, epoch: int) -> None:
        """Take note that a connection was told where a channel went: its account may join there for free (LIMIT-5)."""
        if not session.account:
            return
        self.limits.grant(session.account, channel, cluster, epoch, self.now())
        if self._accounts:
            self._accounts.grant(session.account, channel, cluster, epoch)

    # saying something -------------------------------------------------------------------------

    def message(self, session: Session, channel: str, elevated: bool, came: float | None = None) -> Saying:
        """Count something that a connection says in a channel (LIMIT-7 to LIMIT-9).

        Args:
            channel: '' for a command, which is held against no limit of the channel.
            elevated: it is moderator, VIP or owner there.
            came: when it was sent; None for now.
        """
        speech, now, identity = self.speech, self.now() if came is None else came, session.identity
        account, bot = (identity.user_id, identity.bot) if identity is not None else ("", "")
        saying = speech.say(account, session.producer, bot, channel, elevated, now)
        if self._accounts is None and saying is FINE:
            return saying
        if saying is Saying.LOCKED_OUT:
            self._lock_out(address_of(session), now)
        elif self._accounts:
            if saying is Saying.IGNORED_FIRST and speech.table:
                self._accounts.ignored(session.account, speech.table.penalty)
            elif speech.has_news:
                self._accounts.said_much()
        return saying

    def most(self, session: Session) -> int | None:
        """How much a connection may say in a while, wherever it says it; None if there is no limit (LIMIT-7)."""
        return self.speech.most(session.bot)

    def ignored(self, session: Session) -> bool:
        """Say whether nothing that a connection says is heeded for a while (LIMIT-7, LIMIT-8)."""
        return self.speech.ignored(session.account, session.producer, self.now())

    def whisper(self, session: Session, recipient: str) -> Whispering:
        """Count a whisper to an account, named by its user id (LIMIT-10)."""
        return self.whispers.whisper(session.account, recipient, self.now())

    def locked_out(self, session: Session) -> bool:
        """Say whether a connection comes from an address that is locked out (LIMIT-8)."""
        return self.speech.locks_out and self.speech.locked_out(address_of(session), self.now())

    def _lock_out(self, address: str, now: float) -> None:
        table = self.speech.table
        if table is not None and address:
            self.speech.lock_out(address, table.penalty, now)
            if self._accounts:
                self._accounts.locked_out(address, table.penalty)

    # being told -------------------------------------------------------------------------------

    def in_turn(self, session: Session, teller: Teller) -> bool:
        """Ask whether a connection may be told now; if not, `teller` is called when its turn has come (LIMIT-6)."""
        now = self.now()
        lane = self._lane(session, now)
        if lane is None:
            return True
        may = not lane.waiting and lane.bucket.take(now)
        if not may:
            lane.waiting[session, teller] = None
        self.rest(lane, now)
        return may

    def at_once(self, session: Session, teller: Teller) -> None:
        """Take note that a connection is told now because it asked; others wait the longer for it (LIMIT-6)."""
        now = self.now()
        lane = self._lane(session, now)
        if lane is not None:
            lane.waiting.pop((session, teller), None)
            lane.bucket.force(now)
            self.rest(lane, now)

    def forget(self, session: Session, teller: Teller) -> None:
        """Take note that a connection need not be told any more."""
        lane = self._lanes.get(session.client)
        if lane is not None:
            lane.waiting.pop((session, teller), None)

    def turn(self) -> None:
        """Tell those whose turn has come; to be called every `TURN` seconds by somebody."""
        now = self.now()
        for lane in self._wheel.expire(now / TURN):
            lane.due(now)

    # inside -----------------------------------------------------------------------------------

    def _lane(self, session: Session, now: float) -> _Lane | None:
        """The client's lane; None if it may be told now, which is then noted.

        Most clients are told one thing in a while and never have a lane: only when it was is kept.
        """
        client = session.client
        lane = self._lanes.get(client)
        if lane is not None or not self._tokens:
            return lane
        told_at = self._told.get(client, now)
        if told_at is None:
            self._told.put(client, now)
            return None
        self._told.drop(client)
        lane = self._lanes[client] = _Lane(self, client, Bucket(*self._tokens[session.bot == VERIFIED]))
        lane.bucket.force(told_at)
        return lane

    def rest(self, lane: _Lane, now: float) -> None:
        """Let a lane rest until it can be gone on with; one that is as good as new is dropped."""
        if lane.waiting:
            self._wheel.set(lane, (now + lane.bucket.wait(now)) / TURN)
            return
        missing = lane.bucket.size - lane.bucket.level(now)
        if missing > 0:
            self._wheel.set(lane, (now + missing / lane.bucket.rate) / TURN)
        else:
            self._wheel.clear(lane)
            del self._lanes[lane.client]
