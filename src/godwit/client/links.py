"""One connection, and the way to one cluster, as plain state; `roads.Roads` alone changes them.

A connection goes through these states; a lost one is never used again::

    OPENING  ->  it is being connected
    LOGIN    ->  connected, capabilities and login are asked for
    READY    ->  the login is done: channels may be joined
    GONE     ->  closed or lost
"""

from __future__ import annotations

from enum import IntEnum

from godwit.tmi.client import ClientConnection
from godwit.tmi.follow import Side
from godwit.values import Addresses


class LinkState(IntEnum):
    """How far a connection has come; it only ever grows."""

    OPENING = 0
    LOGIN = 1
    READY = 2
    GONE = 3


class Room(IntEnum):
    """How a channel stands on one connection."""

    ASKED = 0
    OVERDUE = 1
    IN = 2


class Link:
    """One connection.

    Attributes:
        rooms: the channels that are joined here, or asked for.
        unacked: messages that were sent here and are not acknowledged yet.
        leaving: the server goes down; nothing new is begun here.
        heard: when something last came.
    """

    __slots__ = ("connection", "heard", "id", "leaving", "ready_at", "rooms", "route", "state", "unacked")

    def __init__(self, number: int, route: Route, now: float) -> None:
        self.id = number
        self.route = route
        self.connection = ClientConnection()
        self.state = LinkState.OPENING
        self.rooms: dict[str, Room] = {}
        self.unacked = 0
        self.leaving = False
        self.heard = now
        self.ready_at = now

    @property
    def side(self) -> Side:
        """The connection as the follower of a channel knows it."""
        return Side(self.route.key, self.id)

    @property
    def idle(self) -> bool:
        """Whether nobody needs it."""
        wanted = self.route.link is self and (self.route.wanting or self.route.asking)
        return not (self.rooms or self.unacked or wanted)


class Route:
    """The way to one cluster.

    Attributes:
        key: what the client calls the cluster: its name, or the only address that is known of it.
        name: what the cluster calls itself.
        link: where channels are joined; None if there is no connection, or it is leaving.
        wanting: channels that want to be joined and have not been asked for.
        asking: channels whose place is to be asked here (INQ-1).
        attempt: attempts to connect that failed in a row.
        not_before: no attempt before this time.
    """

    __slots__ = ("addresses", "asking", "attempt", "key", "link", "name", "not_before", "waiting", "wanting")

    def __init__(self, key: str, addresses: Addresses) -> None:
        self.key = key
        self.name = key
        self.addresses = addresses
        self.link: Link | None = None
        self.wanting: dict[str, None] = {}
        self.asking: dict[str, None] = {}
        self.attempt = 0
        self.not_before = 0.0
        self.waiting = False
