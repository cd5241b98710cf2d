"""How many channels a client is in at once (LIMIT-11)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from godwit.edge.session import Session

log = structlog.get_logger()


def may_join(session: Session, channel: str, later: Callable[[], None]) -> bool:
    """Say whether a connection may join one more channel, as far as that is clear at a glance.

    Channels count once for all connections of the account to this process, and not where it is moderator or owner.
    If that decides and is not known yet, the JOIN waits until it is.

    Args:
        later: joins the channel then, or at once.
    """
    most = session.node.settings.limits.channels
    if not most or session.owns(channel) or channel in (joined := _joined(session)) or len(joined) < most:
        return True
    _decide(session, channel, later)
    return False


def _decide(session: Session, channel: str, later: Callable[[], None]) -> None:
    """Join a channel if the client moderates it, or enough of those that it is in; waits until that is known."""
    if session not in session.node.pace.connections(session):
        return  # it has hung up meanwhile
    joined = _joined(session)
    if _moderates(session, channel) or _counted(session, joined) < session.node.settings.limits.channels:
        later()
        return
    asked = [(session, session.node.room(channel)), *((other, other.rooms[name]) for name, other in joined.items())]
    for other, room in asked:
        if not room.channel.known:
            again = partial(_decide_soon, session, channel, later)
            if not room.when_known(other, again, partial(_over, session, channel)):
                _over(session, channel)
            return
    _over(session, channel)


def _decide_soon(session: Session, channel: str, later: Callable[[], None]) -> None:
    """Decide in a turn of its own: this one is still that of the channel that was waited for."""
    session.node.loop.call_soon(session.guard, partial(_decide, session, channel, later))


def _joined(session: Session) -> dict[str, Session]:
    """The channels that the client is in, each with one of its connections."""
    return {name: other for other in session.node.pace.connections(session) for name in other.rooms}


def _counted(session: Session, joined: dict[str, Session]) -> int:
    return sum(not (session.owns(name) or _moderates(other, name)) for name, other in joined.items())


def _moderates(session: Session, channel: str) -> bool:
    return bool(session.account) and session.node.role(channel, session.account) == "mod"


def _over(session: Session, channel: str) -> None:
    """Drop a JOIN in silence."""
    session.node.counts.joins_over += 1
    log.info("channels_limit", nick=session.nick, channel=channel, cluster=session.node.cluster)
