"""The exact account of a drill: what was said, what was acknowledged, who had to hear it, who did.

Pure: it is told of facts and counts them. The facts are raw: what a talker wrote to its socket, the
USERSTATE that acknowledged it, and each PRIVMSG line as it came from a socket.

The rules of the account:

1. A message is *expected* at every client that had joined its channel when it was sent and had not
   left it when it was acknowledged, except at its sender (protocol row MSG-1). One that was never
   acknowledged is expected nowhere.
2. A client listens to a channel on one connection at a time: the last on which its JOIN was answered.
   A message counts as *delivered* when its line comes on that connection, or came on an earlier one
   while that was the one listened to. This is the least that a follower does (rule F1).
3. Expected and not delivered is *lost*.
4. A line that comes twice on one connection is *duplicated*, whether it was expected or not.
   A follower's line that comes on two of its connections is *overlap*, which is right and counted
   apart; but if the two carry different ids the follower could not tell, and it is duplicated.
   A talker's own line on another connection than it was sent on is overlap too.
5. A line is *misordered* if on its connection, or among the lines its client listened to, it comes
   after a line that belongs behind it: by the one order that fits all readers, or by its talker's numbers.
6. A line that nobody said like that, in that channel, to that client is *foreign*: unknown, altered,
   under another id than was acknowledged, in a channel that was not joined, or back on the connection
   that it was sent on (MSG-1).
7. The *silence* of a delivered line is the time from its sending to its arrival; the longest one
   per role is told, over every client of the role and every expected message.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Literal

import msgspec

from godwit.drill import order
from godwit.drill.lines import number_of

Role = Literal["follower", "legacy"]
Key = tuple[str, int]
"""A message of a channel: its talker and the talker's number there."""

EXAMPLES = 3
"""How many offenders of a kind are named per channel."""


class Reception(msgspec.Struct, frozen=True):
    """One PRIVMSG line as it came to a client.

    Attributes:
        connection: the number of the connection that it came on.
        talker: who said it, by the line's prefix.
        id: the tag; empty on a connection without tags.
    """

    client: str
    role: Role
    channel: str
    connection: int
    talker: str
    text: str
    id: str
    at: float


class Count(msgspec.Struct, frozen=True):
    """What the account says, of one channel or of all.

    Attributes:
        longest_silence_ms: per role, in milliseconds.
        problems: the first few offenders, in words.
    """

    sent: int = 0
    acknowledged: int = 0
    unacknowledged: int = 0
    expected: int = 0
    delivered: int = 0
    lost: int = 0
    duplicated: int = 0
    misordered: int = 0
    foreign: int = 0
    overlap: int = 0
    longest_silence_ms: dict[Role, float] = {}
    problems: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        """Say whether everything that was said was acknowledged and heard as it had to be."""
        return (
            self.unacknowledged == self.lost == self.duplicated == self.misordered == self.foreign == 0
            and self.acknowledged == self.sent
            and self.delivered == self.expected
        )


class _Sent(msgspec.Struct):
    text: str
    connection: int
    at: float
    id: str = ""
    acknowledged_at: float = math.inf


class _Reader(msgspec.Struct):
    """One client in one channel: its lines and, as bare numbers, the connections it turned to."""

    role: Role
    since: float = math.inf
    until: float = math.inf
    log: list[Reception | int] = []


class _Channel(msgspec.Struct):
    sent: dict[Key, _Sent] = {}
    readers: dict[str, _Reader] = {}


class Ledger:
    """The account. Times are seconds on any one clock; connections are numbers the caller chooses."""

    def __init__(self) -> None:
        self._channels: dict[str, _Channel] = defaultdict(_Channel)
        self._by_nonce: dict[str, _Sent] = {}
        self._unacknowledged = 0
        self._problems: list[str] = []

    @property
    def channels(self) -> tuple[str, ...]:
        """The channels with any entry."""
        return tuple(self._channels)

    @property
    def unacknowledged(self) -> int:
        """How many messages wait for their acknowledgement now."""
        return self._unacknowledged

    def joined(self, client: str, role: Role, channel: str, connection: int, at: float) -> None:
        """A JOIN of `client` was answered on `connection`: that is where it listens from now on."""
        reader = self._channels[channel].readers.setdefault(client, _Reader(role))
        reader.since = min(reader.since, at)
        reader.until = math.inf
        reader.log.append(connection)

    def left(self, client: str, channel: str, at: float) -> None:
        """`client` left the channel altogether, on its own wish."""
        self._channels[channel].readers[client].until = at

    def sent(self, talker: str, channel: str, number: int, text: str, nonce: str, connection: int, at: float) -> None:
        """`talker` wrote its message `number` of this channel to the socket of `connection`."""
        message = _Sent(text, connection, at)
        self._channels[channel].sent[talker, number] = message
        self._by_nonce[nonce] = message
        self._unacknowledged += 1

    def acknowledged(self, nonce: str, msg_id: str, at: float) -> None:
        """A USERSTATE told the sender of `nonce` that its message is in, as `msg_id`."""
        message = self._by_nonce.get(nonce)
        if message is None:
            self._problems.append(f"acknowledged but never sent: nonce {nonce}")
        elif message.id:
            self._problems.append(f"acknowledged twice: {message.text!r}, as {message.id} and as {msg_id}")
        else:
            message.id, message.acknowledged_at = msg_id, at
            self._unacknowledged -= 1

    def heard(self, line: Reception) -> None:
        """A PRIVMSG line came from a socket."""
        reader = self._channels[line.channel].readers.setdefault(line.client, _Reader(line.role))
        reader.log.append(line)

    def count(self, channel: str, before: float = math.inf) -> Count:
        """Count one channel.

        Args:
            before: messages acknowledged at or after this time are not expected yet.
        """
        return _Audit(channel, self._channels[channel], before).count()

    def verdict(self) -> Count:
        """Count everything, for good."""
        total = add(self.count(channel) for channel in self._channels)
        return msgspec.structs.replace(
            total, foreign=total.foreign + len(self._problems), problems=(*self._problems[:EXAMPLES], *total.problems)
        )


def add(counts: Iterable[Count]) -> Count:
    """Add up the counts of several channels; of silences the longest is kept."""
    totals: dict[str, int] = defaultdict(int)
    silence: dict[Role, float] = {}
    problems: list[str] = []
    for count in counts:
        for field in _NUMBERS:
            totals[field] += getattr(count, field)
        for role, value in count.longest_silence_ms.items():
            silence[role] = max(silence.get(role, 0.0), value)
        problems += count.problems
    return Count(**totals, longest_silence_ms=silence, problems=tuple(problems))


_NUMBERS = tuple(field for field in Count.__struct_fields__ if field not in ("longest_silence_ms", "problems"))


class _Lines(msgspec.Struct):
    """What one client heard in one channel, sorted out.

    Attributes:
        by_connection: what came on each connection, in order, without repetitions.
        listened: the same for the lines the client listened to.
        arrived: when each of these came.
    """

    by_connection: dict[int, list[Key]] = {}
    listened: list[Key] = []
    arrived: dict[Key, float] = {}


class _Audit:
    """Counts one channel once."""

    def __init__(self, name: str, channel: _Channel, before: float) -> None:
        self._name = name
        self._channel = channel
        self._before = before
        self._offenders: dict[str, list[str]] = defaultdict(list)
        self._overlap = 0

    def count(self) -> Count:
        channel = self._channel
        lines = {client: self._sort_out(client, reader) for client, reader in channel.readers.items()}
        self._check_order(lines)
        expected = delivered = 0
        silence: dict[Role, float] = {}
        for client, reader in channel.readers.items():
            arrived = lines[client].arrived
            for key, message in channel.sent.items():
                if not self._is_expected(client, reader, key, message):
                    continue
                expected += 1
                at = arrived.get(key)
                if at is None:
                    self._offend("lost", client, key, message.id)
                else:
                    delivered += 1
                    silence[reader.role] = max(silence.get(reader.role, 0.0), (at - message.at) * 1000)
        unacknowledged = [key for key, message in channel.sent.items() if not message.id]
        for key in unacknowledged:
            self._offend("not acknowledged", key[0], key, "")
        return Count(
            sent=len(channel.sent),
            acknowledged=len(channel.sent) - len(unacknowledged),
            unacknowledged=len(unacknowledged),
            expected=expected,
            delivered=delivered,
            lost=expected - delivered,
            duplicated=len(self._offenders["heard twice"]),
            misordered=len(self._offenders["out of order"]),
            foreign=len(self._offenders["foreign"]),
            overlap=self._overlap,
            longest_silence_ms=silence,
            problems=tuple(text for offenders in self._offenders.values() for text in offenders[:EXAMPLES]),
        )

    def _is_expected(self, client: str, reader: _Reader, key: Key, message: _Sent) -> bool:
        return (
            client != key[0]
            and bool(message.id)
            and message.acknowledged_at < self._before
            and reader.since <= message.at
            and message.acknowledged_at <= reader.until
        )

    def _sort_out(self, client: str, reader: _Reader) -> _Lines:
        lines = _Lines()
        listening: int | None = None
        seen: dict[int, set[Key | str]] = defaultdict(set)
        ids: dict[Key, str] = {}
        elsewhere: set[Key] = set()
        for entry in reader.log:
            if isinstance(entry, int):
                listening = entry
                continue
            key = (entry.talker, number_of(entry.text))
            if not self._is_genuine(client, reader, key, entry):
                self._offend("foreign", client, key, entry.id)
                continue
            here = seen[entry.connection]
            if key in here or (entry.id and entry.id in here):
                self._offend("heard twice", client, key, entry.id)
                continue
            here.add(key)
            if entry.id:
                here.add(entry.id)
            if ids.setdefault(key, entry.id) != entry.id:
                self._offend("heard twice", client, key, entry.id)
            elif key in elsewhere or client == entry.talker:
                self._overlap += 1
            elsewhere.add(key)
            lines.by_connection.setdefault(entry.connection, []).append(key)
            if entry.connection == listening and key not in lines.arrived and client != entry.talker:
                lines.listened.append(key)
                lines.arrived[key] = entry.at
        return lines

    def _is_genuine(self, client: str, reader: _Reader, key: Key, entry: Reception) -> bool:
        message = self._channel.sent.get(key)
        return (
            message is not None
            and message.text == entry.text
            and not (client == entry.talker and message.connection == entry.connection)
            and not (message.id and entry.id and message.id != entry.id)
            and reader.since < math.inf
        )

    def _check_order(self, lines: dict[str, _Lines]) -> None:
        orders: list[tuple[str, list[Key]]] = []
        for client, found in lines.items():
            orders += [(client, keys) for keys in found.by_connection.values()]
            if len(found.by_connection) > 1:
                orders.append((client, found.listened))
        ranked = order.ranks(keys for _, keys in orders)
        late: dict[tuple[str, Key], None] = {}
        for client, keys in orders:
            late.update(((client, key), None) for key in order.late(keys, ranked))
            late.update(((client, key), None) for key in _descending(keys))
        for client, key in late:
            self._offend("out of order", client, key, "")

    def _offend(self, what: str, client: str, key: Key, msg_id: str) -> None:
        talker, number = key
        name = f" (id {msg_id})" if msg_id else ""
        self._offenders[what].append(f"#{self._name}: {what}: message {number} of {talker}{name}, at {client}")


def _descending(keys: Iterable[Key]) -> list[Key]:
    """The messages that came after a higher number of the same talker."""
    highest: dict[str, int] = {}
    found: list[Key] = []
    for talker, number in keys:
        if number < highest.get(talker, 0):
            found.append((talker, number))
        else:
            highest[talker] = number
    return found
