"""PRIVMSG: what somebody says becomes a record (MSG-1, MSG-2, MSG-7, MSG-8)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from godwit.tmi.emotes import emote_ranges
from godwit.tmi.events import MessageSent
from godwit.tmi.text import addressed
from godwit.values import Message, Reply

if TYPE_CHECKING:
    from godwit.edge.room import Room
    from godwit.edge.session import Session


def message_sent(session: Session, event: MessageSent) -> None:
    """Have a message appended; it is acknowledged when it is read back. The channel need not be joined (LIMIT-2)."""
    if session.node.quiet:
        session.notice(event.channel, "msg_room_not_found")
        return
    room = session.node.room(event.channel)
    reply = _reply(room, event.reply_to) if event.reply_to else None
    message = Message(
        id=str(uuid4()),
        epoch=0,
        producer=session.producer,
        number=0,
        author=session.author(event.channel),
        text=event.text,
        action=event.action,
        nonce=event.nonce,
        reply=reply,
        emotes=emote_ranges(addressed(event.text, reply), session.node.relations.emotes(event.channel)),
    )
    if not room.submit(message):
        session.notice(event.channel, "msg_ratelimit")


def _reply(room: Room, msg_id: str) -> Reply | None:
    """The message that is answered, if it is known; else the answer is an ordinary message (MSG-7)."""
    parent = room.message(msg_id)
    if parent is None:
        return None
    author = parent.author
    return Reply(msg_id, author.user_id, author.login, author.display_name, parent.text)
