"""How often a client may join and log in, and which JOINs are free; pure, with the time passed in.

A client is an account with all its connections, or one anonymous connection. Counters are windows that
fill whole (LIMIT-3); a JOIN that a move caused is paid with a ticket instead (LIMIT-5). Nothing is kept of
a client that has been quiet for longer than its window, or its tickets, last.
"""

from __future__ import annotations

from enum import Enum
from typing import Generic, TypeVar

import msgspec

from godwit.buckets import Window
from godwit.settings import LimitSettings

VERIFIED = "verified"
"""The role of an account (`values.Account.bot`) that has limits of its own."""

TICKET_LIFE = 3600.0
"""Seconds for which a ticket is good."""

MOST_TICKETS = 200_000
"""Tickets of one account at once; of more the oldest are dropped."""

V = TypeVar("V")


class Limit(msgspec.Struct, frozen=True):
    """At most `count` within one filling of `seconds`."""

    count: int
    seconds: float


class Table(msgspec.Struct, frozen=True):
    """The limits of an era.

    Attributes:
        joins, verified_joins: JOINs of an ordinary client, and of a verified bot.
        logins, verified_logins: logins of an account; of anonymous clients they are not counted.
        disconnects: a JOIN past the limit ends the connection; else it is dropped in silence.
        address_joins: JOINs of all anonymous connections from one address, if they are limited together.
    """

    joins: Limit
    verified_joins: Limit
    logins: Limit
    verified_logins: Limit
    disconnects: bool = False
    address_joins: Limit | None = None


PRESETS = {
    "now": Table(
        joins=Limit(20, 10.0),
        verified_joins=Limit(2000, 10.0),
        logins=Limit(20, 10.0),
        verified_logins=Limit(200, 10.0),
    ),
    "2016": Table(
        joins=Limit(50, 15.0),
        verified_joins=Limit(50, 15.0),
        logins=Limit(50, 10.0),
        verified_logins=Limit(50, 10.0),
        disconnects=True,
        address_joins=Limit(50, 10.0),
    ),
}
"""The limits of today, and of early 2016, when there were no verified bots."""

ADDRESS_WINDOW = 10.0
"""Seconds for which JOINs of an address count, unless settings or preset say otherwise."""


def table(settings: LimitSettings) -> Table | None:
    """The limits that settings ask for: a preset with the numbers that are given; None for no limits."""
    preset = PRESETS.get(settings.preset)
    if preset is None:
        return None
    joins, logins = settings.join_window, settings.login_window
    address = preset.address_joins
    if address or settings.address_joins:
        address = _limit(address or Limit(0, ADDRESS_WINDOW), settings.address_joins, joins)
    return Table(
        joins=_limit(preset.joins, settings.joins, joins),
        verified_joins=_limit(preset.verified_joins, settings.verified_joins, joins),
        logins=_limit(preset.logins, settings.logins, logins),
        verified_logins=_limit(preset.verified_logins, settings.verified_logins, logins),
        disconnects=preset.disconnects,
        address_joins=address,
    )


def _limit(preset: Limit, count: int, seconds: float) -> Limit:
    return Limit(count or preset.count, seconds or preset.seconds)


class Charge(Enum):
    """What becomes of a JOIN or a login."""

    CHARGED = "charged"
    """It may be done, and counts."""
    FREE = "free"
    """It may be done and counts nothing: a move caused it."""
    OVER = "over"
    """It is past the limit."""
    OVER_FIRST = "over first"
    """The same, and the first one for a while: worth a line in the log."""


class Fading(Generic[V]):
    """Forgets what was not asked for between `seconds` and twice as long, all at once and at no cost."""

    __slots__ = ("_old", "_seconds", "_since", "_young")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since = float("-inf")
        self._young: dict[str, V] = {}
        self._old: dict[str, V] = {}

    @property
    def kept(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, key: str, now: float) -> V | None:
        """What is kept under a key; it is young again."""
        if now - self._since >= self._seconds:
            self._old = self._young if now - self._since < 2 * self._seconds else {}
            self._young = {}
            self._since = now
        found = self._young.get(key)
        if found is None and self._old:
            found = self._old.pop(key, None)
            if found is not None:
                self._young[key] = found
        return found

    def put(self, key: str, value: V) -> None:
        """Keep something that `get` has just not found."""
        self._young[key] = value

    def drop(self, key: str) -> None:
        """Forget something that `get` has just found."""
        del self._young[key]


class _Counter(Window):
    """A client's window, and when it may be told of in the log again."""

    __slots__ = ("quiet_until",)

    def __init__(self, limit: Limit) -> None:
        super().__init__(limit.count, limit.seconds)
        self.quiet_until = float("-inf")


class _Counters:
    """The windows of all clients for one kind of thing."""

    __slots__ = ("_counters", "_ordinary", "_verified")

    def __init__(self, ordinary: Limit, verified: Limit) -> None:
        self._ordinary = ordinary
        self._verified = verified
        self._counters: Fading[_Counter] = Fading(max(ordinary.seconds, verified.seconds))

    @property
    def kept(self) -> int:
        return self._counters.kept

    def limit(self, bot: str) -> Limit:
        """The limit of a role."""
        return self._verified if bot == VERIFIED else self._ordinary

    def charge(self, client: str, bot: str, now: float) -> Charge:
        counter = self._counter(client, bot, now)
        if counter.take(now):
            return Charge.CHARGED
        if now < counter.quiet_until:
            return Charge.OVER
        counter.quiet_until = now + counter.seconds
        return Charge.OVER_FIRST

    def note(self, client: str, bot: str, count: int, now: float) -> None:
        """Charge what was let through elsewhere; what is past the limit is not held against the next window."""
        counter = self._counter(client, bot, now)
        counter.force(now, min(count, counter.level(now)))

    def _counter(self, client: str, bot: str, now: float) -> _Counter:
        limit, counter = self.limit(bot), self._counters.get(client, now)
        if counter is None or counter.limit != limit.count:
            counter = _Counter(limit)
            self._counters.put(client, counter)
        return counter


class _Ticket(msgspec.Struct, gc=False):
    cluster: str
    epoch: int
    until: float
    count: int = 1


class Tickets:
    """JOINs that moves have caused and that are still to come (LIMIT-5).

    A connection that is told where a channel went gives its account one JOIN of that channel on that
    cluster. Tickets for a newer epoch replace older ones.

    Args:
        most: tickets of one account at once.
    """

    __slots__ = ("_accounts", "_most")

    def __init__(self, most: int = MOST_TICKETS) -> None:
        self._accounts: Fading[dict[str, _Ticket]] = Fading(TICKET_LIFE)
        self._most = most

    def grant(self, account: str, channel: str, cluster: str, epoch: int, now: float) -> None:
        """Give an account a free JOIN of `channel` on `cluster`."""
        tickets, ticket = self._accounts.get(account, now), _Ticket(cluster, epoch, now + TICKET_LIFE)
        if tickets is None:
            self._accounts.put(account, {channel: ticket})
            return
        known = tickets.get(channel)
        if known is not None and known.until > now:
            if known.epoch > epoch:
                return
            ticket.count += known.count if known.epoch == epoch else 0
        tickets.pop(channel, None)  # so that they stand in the order in which they die
        tickets[channel] = ticket
        while (oldest := next(iter(tickets))) and (len(tickets) > self._most or tickets[oldest].until <= now):
            del tickets[oldest]

    def use(self, account: str, channel: str, cluster: str, now: float) -> bool:
        """Pay a JOIN of `channel` on `cluster` with a ticket; says whether there was one."""
        tickets = self._accounts.get(account, now)
        ticket = tickets.get(channel) if tickets else None
        if tickets is None or ticket is None or ticket.cluster != cluster or ticket.until <= now:
            return False
        ticket.count -= 1
        if not ticket.count:
            del tickets[channel]
            if not tickets:
                self._accounts.drop(account)
        return True


class Limits:
    """The counters of all clients of a process.

    Args:
        table: what to keep to; None for no limits.
    """

    __slots__ = ("_addresses", "_joins", "_logins", "_tickets", "table")

    def __init__(self, table: Table | None) -> None:
        self.table = table
        self._joins = _Counters(table.joins, table.verified_joins) if table else None
        self._logins = _Counters(table.logins, table.verified_logins) if table else None
        address = table.address_joins if table else None
        self._addresses = _Counters(address, address) if address else None
        self._tickets = Tickets()

    @property
    def kept(self) -> int:
        """How many counters are kept."""
        return sum(counters.kept for counters in (self._joins, self._logins, self._addresses) if counters)

    @property
    def counts_addresses(self) -> bool:
        """Whether JOINs of anonymous connections are charged to their address, too."""
        return self._addresses is not None

    @property
    def disconnects(self) -> bool:
        """Whether a JOIN past the limit ends the connection (LIMIT-4)."""
        return self.table is not None and self.table.disconnects

    def join_limit(self, bot: str) -> Limit | None:
        """How often a client of that role may join; None for as often as it likes."""
        return self._joins.limit(bot) if self._joins else None

    def join(self, client: str, bot: str, channel: str, cluster: str, now: float, address: str = "") -> Charge:
        """Charge a JOIN of `channel` on `cluster` to a client, unless it has a ticket.

        Args:
            client: user id of the account, or the name of an anonymous connection.
            bot: the account's role.
            address: where an anonymous connection comes from; it is charged, too.
        """
        if self._joins is None:
            return Charge.CHARGED
        if self._tickets.use(client, channel, cluster, now):
            return Charge.FREE
        charge = self._joins.charge(client, bot, now)
        if charge is Charge.CHARGED and address and self._addresses:
            return self._addresses.charge(address, "", now)
        return charge

    def login(self, account: str, bot: str, now: float) -> Charge:
        """Charge a login to an account."""
        return self._logins.charge(account, bot, now) if self._logins else Charge.CHARGED

    def joined_elsewhere(self, account: str, bot: str, count: int, now: float) -> None:
        """Charge JOINs that another process let through."""
        if self._joins is not None:
            self._joins.note(account, bot, count, now)

    def logged_in_elsewhere(self, account: str, bot: str, count: int, now: float) -> None:
        """Charge logins that another process let through."""
        if self._logins is not None:
            self._logins.note(account, bot, count, now)

    def grant(self, account: str, channel: str, cluster: str, epoch: int, now: float) -> None:
        """Give an account that is told of a move a free JOIN of `channel` on `cluster`."""
        if self._joins is not None:
            self._tickets.grant(account, channel, cluster, epoch, now)
