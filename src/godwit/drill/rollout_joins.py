"""How often each client joined and was told to: counted from the raw lines of its connections.

A JOIN is free if the client had been told by SERVERCHANGE, on any of its connections, that the channel is on the
cluster that it joins on; each telling makes one JOIN free, and a newer move takes the place of an older one. All
other JOINs count, in windows that begin with the first one counted after the last window. Being told counts in
every span as long as the window.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping

import msgspec

from godwit.drill.lines import read
from godwit.drill.link import Dial, Link, Receiver
from godwit.drill.plan import Transport


class Joins(msgspec.Struct, frozen=True):
    """What the book says.

    Attributes:
        charged, free: JOINs that counted, and that did not.
        over: counted JOINs past their client's limit.
        most: the most that counted in one window, of the client with the highest limit.
        told: SERVERCHANGE lines.
        told_over: of these, how many came when their client had been told of as many as it may join.
        most_told: the most that one client was told of in a window's time, of the client with the highest limit.
        problems: the first few offenders, in words.
    """

    charged: int = 0
    free: int = 0
    over: int = 0
    most: int = 0
    told: int = 0
    told_over: int = 0
    most_told: int = 0
    problems: tuple[str, ...] = ()


class _Client(msgspec.Struct):
    charged: list[float] = []
    free: int = 0
    told: list[float] = []
    tickets: dict[str, list[tuple[str, int]]] = {}


class JoinBook:
    """Keeps the book.

    Args:
        limit: how often a client may join in a window.
        window: its length, in seconds.
    """

    def __init__(self, limit: Callable[[str], int], window: float) -> None:
        self._limit = limit
        self._window = window
        self._clients: dict[str, _Client] = defaultdict(_Client)

    def joined(self, client: str, channel: str, cluster: str, at: float) -> None:
        """A client sent JOIN for a channel to a cluster."""
        account = self._clients[client]
        tickets = account.tickets.get(channel, [])
        ticket = next((ticket for ticket in tickets if ticket[0] == cluster), None)
        if ticket is None:
            account.charged.append(at)
        else:
            tickets.remove(ticket)
            account.free += 1

    def told(self, client: str, channel: str, cluster: str, epoch: int, at: float) -> None:
        """A client was told that a channel is on a cluster ('' if the line did not say)."""
        account = self._clients[client]
        account.told.append(at)
        if cluster:
            tickets = [*account.tickets.get(channel, ()), (cluster, epoch)]
            newest = max(ticket[1] for ticket in tickets)
            account.tickets[channel] = [ticket for ticket in tickets if ticket[1] == newest]

    def verdict(self) -> Joins:
        """Count everything."""
        charged = free = over = told = told_over = most = most_told = widest = 0
        problems = []
        for name, client in self._clients.items():
            limit = self._limit(name)
            filled = fullest_window(client.charged, self._window)
            past = over_limit(client.charged, limit, self._window)
            spans = past_span(client.told, limit, self._window)
            if past:
                problems.append(f"{name} sent {past} JOINs past its limit: {filled} in a window of {limit}")
            if spans[0]:
                problems.append(f"{name} was told of {spans[1]} moves within {self._window:g} s: it may join {limit}")
            charged, free, told = charged + len(client.charged), free + client.free, told + len(client.told)
            over, told_over = over + past, told_over + spans[0]
            if limit >= widest:
                most, most_told = (0, 0) if limit > widest else (most, most_told)
                widest, most, most_told = limit, max(most, filled), max(most_told, spans[1])
        return Joins(charged, free, over, most, told, told_over, most_told, tuple(problems[:5]))


def windows(times: list[float], window: float) -> list[int]:
    """How many fall in each window; one begins with the first time that is in none."""
    counts: list[int] = []
    begin = float("-inf")
    for time in times:
        if time >= begin + window:
            begin = time
            counts.append(0)
        counts[-1] += 1
    return counts


def fullest_window(times: list[float], window: float) -> int:
    """The most in one window."""
    return max(windows(times, window), default=0)


def over_limit(times: list[float], limit: int, window: float) -> int:
    """How many are past the limit of their window."""
    return sum(max(count - limit, 0) for count in windows(times, window))


def past_span(times: list[float], limit: int, span: float) -> tuple[int, int]:
    """How many come when `limit` lie less than `span` before them, and the most that lie so close together."""
    past = most = first = 0
    for last, time in enumerate(times):
        while times[first] <= time - span:
            first += 1
        most = max(most, last - first + 1)
        past += last - first + 1 > limit
    return past, most


class _Ear:
    """Hears what comes on a link before its receiver does."""

    def __init__(self, tap: Tap, receiver: Receiver) -> None:
        self._tap = tap
        self._receiver = receiver

    def line(self, data: bytes) -> None:
        self._tap.heard(data)
        self._receiver.line(data)

    def closed(self, reason: str) -> None:
        self._receiver.closed(reason)


class _Mouth:
    """Sees what is sent on a link."""

    def __init__(self, tap: Tap, link: Link, cluster: str) -> None:
        self._tap = tap
        self._link = link
        self._cluster = cluster

    def send(self, line: str) -> None:
        self._tap.said(line, self._cluster)
        self._link.send(line)

    def close(self) -> None:
        self._link.close()


class Tap:
    """Enters into a book what goes over the links of one client.

    Args:
        dial: opens the links.
        clusters: address -> cluster.
        now: the time in seconds.
    """

    def __init__(
        self, book: JoinBook, client: str, dial: Dial, clusters: Mapping[str, str], now: Callable[[], float]
    ) -> None:
        self._book = book
        self._client = client
        self._dial = dial
        self._clusters = clusters
        self._now = now

    async def open(self, transport: Transport, address: str, receiver: Receiver) -> Link:
        """Open a link that is listened to."""
        link = await self._dial(transport, address, _Ear(self, receiver))
        return _Mouth(self, link, self._clusters[address.removeprefix("ws://").rstrip("/")])

    def said(self, line: str, cluster: str) -> None:
        """The client sent a line."""
        if "JOIN" not in line:
            return
        parsed = read(line.encode())
        if parsed.command == "JOIN":
            for channel in parsed.param(0).split(","):
                self._book.joined(self._client, channel.removeprefix("#"), cluster, self._now())

    def heard(self, data: bytes) -> None:
        """A line came for the client."""
        if b"SERVERCHANGE" not in data:
            return
        line = read(data)
        if line.command == "SERVERCHANGE":
            epoch = line.tags.get("godwit-epoch", "")
            cluster = line.tags.get("godwit-cluster", "") if epoch.isdecimal() else ""
            self._book.told(
                self._client, line.param(0).removeprefix("#"), cluster, int(epoch) if cluster else 0, self._now()
            )
