"""What is done for connections in a channel at rest without waking it: in very many channels at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from godwit.edge.audience import serverchange
from godwit.edge.rest import Rest
from godwit.tmi.capabilities import Caps
from godwit.values import Addresses

if TYPE_CHECKING:
    from godwit.edge.room import Room
    from godwit.edge.session import Session


def can_join(session: Session) -> bool:
    """Say whether a connection's JOIN can be answered: it does not want to know who else is there."""
    return Caps.MEMBERSHIP not in session.caps


def join(room: Room, rest: Rest, session: Session) -> None:
    """Answer a JOIN (JOIN-2 to JOIN-5); as `RoomAudience.joined` where nothing stands in the channel."""
    session.write(
        room.dialect.join_burst(
            session.caps,
            room.name,
            session.author(room.name),
            room_id=room.room_id,
            settings={},
            position=rest.here,
            cluster=room.cluster,
            epoch=rest.segment.epoch,
            emote_sets=session.node.relations.emote_sets(room.name, room.room_id),
        )
    )
    if session not in rest.members:
        rest.members = (*rest.members, session)
    room.neighbours.touch(room.name, session.nick)


def announce(
    room: Room, rest: Rest, untold: Iterable[Session], addresses: Callable[[str], Addresses]
) -> tuple[Session, ...]:
    """Tell the members where the channel went, those whose turn it is (SC-1 to SC-4, LIMIT-6).

    Args:
        untold: who waits already.

    Returns:
        Who waits now.
    """
    waiting = dict.fromkeys(untold)
    if rest.segment.cluster != room.cluster:
        for session in room.sessions():
            if session.node.pace.in_turn(session, room):
                waiting.pop(session, None)
                redirect(room, rest, session, addresses)
            else:
                waiting[session] = None
    return tuple(waiting)


def redirect(room: Room, rest: Rest, session: Session, addresses: Callable[[str], Addresses]) -> None:
    """Send SERVERCHANGE to one connection, whatever its capabilities (SC-1)."""
    segment = rest.segment
    room.counts.serverchanges += 1
    session.node.pace.sent_to(session, room.name, segment.cluster, segment.epoch)
    session.write(serverchange(room, session.caps, rest.placement, addresses))
