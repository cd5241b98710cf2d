"""Whether somebody may say something now, by the scopes of the token and by the limits.

Who may not is told, or not, as the rules have it (AUTH-5, AUTH-6, LIMIT-7 to LIMIT-10).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from godwit.chat.speech import FINE, Saying, Whispering
from godwit.edge.auth.scopes import EDIT, lacking, may_speak
from godwit.store.rollout_base import HIDDEN

if TYPE_CHECKING:
    from godwit.edge.session import Session

log = structlog.get_logger()

WHISPERS = "jtv"
"""The channel that NOTICEs about whispers are sent to on the cluster of group chat (GROUP-2)."""


def may_say(session: Session, channel: str, elevated: bool, came: float | None = None) -> bool:
    """Count a message to a channel and say whether it may be appended; if not, all that is to be done was done.

    Args:
        elevated: the sender is moderator, VIP or owner of the channel.
        came: when it came, in the pace's time; None for now.
    """
    if session.grant is not None and not may_speak(session.grant.scopes):
        session.notice(channel, "godwit_read_only")
        return False
    return _counted(session, channel, elevated, came, shown=True)


def may_command(session: Session, channel: str, name: str, elevated: bool) -> bool:
    """The same for a command that was typed in a channel, named without its slash."""
    scope = lacking(session.scopes, name)
    if scope:
        session.notice(channel, "godwit_read_only" if scope == EDIT else "godwit_scope", scope=scope)
        return False
    return _counted(session, channel, elevated, None, shown=False)


def may_wait(session: Session, channel: str) -> bool:
    """Say whether something may be said in a channel at once or wait there; if not, all that is to be done was done.

    Else anybody could have any number of channels read, just by talking to them (MSG-11).
    """
    room = session.node.held(channel)
    if room is not None and room.known_to(session, session.node.clock.now()):
        return True
    if session.node.pace.ignored(session):
        session.node.counts.messages_over += 1
        return False
    most = session.node.pace.most(session)
    if most is None or session.waiting < max(most, session.node.settings.edge.pending_per_sender):
        return True
    session.notice(channel, "msg_ratelimit")
    return False


def may_whisper(session: Session, recipient: str, channel: str = WHISPERS) -> bool:
    """Count a whisper to an account, named by its user id; says whether it may be delivered.

    Args:
        channel: where the sender is told if not.
    """
    whispering = session.node.pace.whisper(session, recipient)
    if whispering is Whispering.FINE:
        return True
    session.notice(channel, whispering.value)
    return False


def _counted(session: Session, channel: str, elevated: bool, came: float | None, *, shown: bool) -> bool:
    if channel.startswith(HIDDEN) and session.nick.startswith(HIDDEN):
        return True  # a rehearsal is as fast as what it plays; nobody else is in its room
    saying = session.node.pace.message(session, channel if shown else "", elevated, came)
    if saying is FINE:
        return True
    session.node.counts.messages_over += 1
    if saying is Saying.TOO_FAST:
        session.notice(channel, "msg_ratelimit")
    elif saying is Saying.IGNORED_FIRST:
        log.warning("message_limit", nick=session.nick, channel=channel, cluster=session.node.cluster)
    elif saying is Saying.LOCKED_OUT:
        log.warning("locked_out", nick=session.nick, channel=channel, peer=session.connection.peer)
        session.connection.close("message limit")
    return False
