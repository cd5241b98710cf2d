"""Who is in a channel on an edge, as those who move channels see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from godwit.edge.room import Room


MOST_NAMED = 1000
"""With more members than this NAMES lists nobody, and JOIN and PART of others are not sent (JOIN-4, JOIN-8)."""


class Present(msgspec.Struct, frozen=True):
    """Who is in one channel, on one node.

    Attributes:
        members: connections in the channel, early joiners too.
        told: those of them that a move would have to be told to and who would notice it: neither early joiners
            nor wide connections.
        last_message: log time of the last message that was read here, 0 if there was none.
    """

    members: int = 0
    told: int = 0
    last_message: float = 0.0


def present(room: Room, wide: int) -> Present:
    """Count the members of a channel.

    Args:
        wide: a connection in more channels than this is a wide one: a bot that sits everywhere.
    """
    sessions = [room.session(member) for member in room.served]
    told = sum(session is not None and len(session.rooms) <= wide for session in sessions)
    return Present(len(room.members), told, room.last_message)


def logins(room: Room) -> list[str]:
    """The logins of the members, one for each connection."""
    return [session.protocol.nick for session in room.sessions()]


def named(room: Room) -> set[str] | int:
    """The logins of the members, or how many connections they are if these are too many to be named."""
    members = len(room.members)
    return members if members > MOST_NAMED else set(logins(room))
