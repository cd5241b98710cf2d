"""What a client is doing, in numbers."""

from __future__ import annotations

import msgspec


class Statistics(msgspec.Struct, frozen=True):
    """What a client is doing.

    Attributes:
        channels: wanted by the user; `shown` of them are being shown.
        connections: that are logged in, and `connecting` that are not yet.
        opened: connections that were ever begun, and `failures` of those that ended without our wish.
        moves: changes of cluster that channels have gone through.
        messages: that were shown.
        saying: messages that wait to be sent, and `unacknowledged` that were sent;
            `acknowledged` ever.
        queued: events that wait for the user, and `dropped` that found the queue full.
    """

    channels: int
    shown: int
    connections: int
    connecting: int
    opened: int
    failures: int
    moves: int
    messages: int
    saying: int
    unacknowledged: int
    acknowledged: int
    queued: int
    dropped: int
