"""What processes tell each other of accounts by hearsay: JOINs that are free, what was charged, who is ignored.

Free JOINs are told in the turn of the loop in which SERVERCHANGE goes out; one that is lost only costs a
charged JOIN. Charges are collected for a tenth of a second: so long another process does not know of them. Of
messages only those are told of who say much; who is ignored, and which address is locked out, is told at once.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator

import msgspec

from godwit.chat.limits import Limits
from godwit.chat.speech import Said, Speech
from godwit.chatlog.hearsay import Hearsay

TOPIC = "accounts"

COLLECT = 0.1
"""Seconds for which charges are collected."""

LARGE = 2_000
"""Free JOINs, and as many charges, in one message at most."""

Ticket = tuple[str, str, str, int]
"""Account, channel, cluster and epoch of a free JOIN."""

Charged = tuple[str, str, int]
"""Account, its role, and how many JOINs or logins it was charged."""


Punished = tuple[str, float]
"""An account or an address, and for how many seconds."""


class Told(msgspec.Struct, frozen=True, array_like=True):
    """What a process tells."""

    by: str
    tickets: tuple[Ticket, ...] = ()
    joins: tuple[Charged, ...] = ()
    logins: tuple[Charged, ...] = ()
    said: tuple[Said, ...] = ()
    ignored: tuple[Punished, ...] = ()
    locked: tuple[Punished, ...] = ()


class Accounts:
    """Tells other processes of accounts, and takes over what they tell.

    Args:
        name: of this process, unique for ever.
        limits, speech: where what others tell is put down.
        now: the time in seconds, which never runs backwards.
    """

    def __init__(self, name: str, hearsay: Hearsay, limits: Limits, speech: Speech, now: Callable[[], float]) -> None:
        self._name = name
        self._hearsay = hearsay
        self._limits = limits
        self._speech = speech
        self._now = now
        self._tickets: list[Ticket] = []
        self._joins: Counter[tuple[str, str]] = Counter()
        self._logins: Counter[tuple[str, str]] = Counter()
        self._loop = asyncio.get_running_loop()
        self._later: asyncio.TimerHandle | None = None
        self._hearing = hearsay.hear(TOPIC, self._heard)

    def stop(self) -> None:
        """Tell and hear nothing any more."""
        self._hearing.close()
        if self._later:
            self._later.cancel()

    def grant(self, account: str, channel: str, cluster: str, epoch: int) -> None:
        """An account has been given a free JOIN."""
        if not self._tickets:
            self._loop.call_soon(self._tell)
        self._tickets.append((account, channel, cluster, epoch))

    def joined(self, account: str, bot: str) -> None:
        """An account was charged a JOIN."""
        self._joins[account, bot] += 1
        self._soon()

    def logged_in(self, account: str, bot: str) -> None:
        """An account was charged a login."""
        self._logins[account, bot] += 1
        self._soon()

    def said_much(self) -> None:
        """Somebody has said so much that others should know."""
        self._soon()

    def ignored(self, account: str, seconds: float) -> None:
        """An account is ignored for so long."""
        self._send(Told(self._name, ignored=((account, seconds),)))

    def locked_out(self, address: str, seconds: float) -> None:
        """An address is locked out for so long."""
        self._send(Told(self._name, locked=((address, seconds),)))

    def _soon(self) -> None:
        if self._later is None:
            self._later = self._loop.call_later(COLLECT, self._tell_charges)

    def _tell_charges(self) -> None:
        self._later = None
        self._tell()

    def _tell(self) -> None:
        for message in self._messages():
            self._send(message)

    def _send(self, message: Told) -> None:
        self._hearsay.tell(TOPIC, msgspec.msgpack.encode(message))

    def _messages(self) -> Iterator[Told]:
        tickets, joins, logins = self._tickets, _list(self._joins), _list(self._logins)
        said = self._speech.news()
        self._tickets = []
        self._joins.clear()
        self._logins.clear()
        for start in range(0, max(len(tickets), len(joins), len(logins), len(said)), LARGE):
            some = slice(start, start + LARGE)
            yield Told(self._name, tuple(tickets[some]), tuple(joins[some]), tuple(logins[some]), tuple(said[some]))

    def _heard(self, payload: bytes) -> None:
        told = msgspec.msgpack.decode(payload, type=Told)
        if told.by == self._name:
            return
        limits, now = self._limits, self._now()
        for account, channel, cluster, epoch in told.tickets:
            limits.grant(account, channel, cluster, epoch, now)
        for account, bot, count in told.joins:
            limits.joined_elsewhere(account, bot, count, now)
        for account, bot, count in told.logins:
            limits.logged_in_elsewhere(account, bot, count, now)
        for account, count, ordinary in told.said:
            self._speech.said_elsewhere(account, count, ordinary, now)
        for account, seconds in told.ignored:
            self._speech.ignore(account, seconds, now)
        for address, seconds in told.locked:
            self._speech.lock_out(address, seconds, now)


def _list(charges: Counter[tuple[str, str]]) -> list[Charged]:
    return [(account, bot, count) for (account, bot), count in charges.items()]
