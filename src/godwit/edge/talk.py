"""PRIVMSG: what somebody says becomes a record, if it may be said (MSG-1, MSG-2, MSG-7, MSG-8; SAY-exempt and on)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from os import urandom
from typing import TYPE_CHECKING

from godwit.chat.modes import MINUTE, Refusal
from godwit.edge.commands.durations import in_words
from godwit.edge.quota import may_say, may_wait
from godwit.tmi.emotes import emote_ranges, is_emotes
from godwit.tmi.events import MessageSent
from godwit.tmi.text import addressed
from godwit.values import Message, Reply

if TYPE_CHECKING:
    from godwit.edge.room import Room
    from godwit.edge.session import Session


def message_sent(session: Session, event: MessageSent) -> None:
    """Have a message appended; it is acknowledged when it is read back. The channel need not be joined (LIMIT-2).

    What decides must be known first: it waits, in its place, until it is (MSG-11).
    """
    node = session.node
    if not node.serves(event.channel):
        session.notice(event.channel, "msg_room_not_found")
    elif node.groups is not None:
        node.groups.admit(session, event.channel, partial(_take, session, event))
    else:
        _take(session, event)


def _take(session: Session, event: MessageSent) -> None:
    """Say it, once all is known that decides whether it may be said."""
    node = session.node
    room, now = node.held(event.channel), node.clock.now()
    if room is not None and room.known_to(session, now):
        _say(session, room, event, now)
        return
    if not may_wait(session, event.channel):
        return
    room = session.node.room(event.channel)
    unsent = partial(session.notice, event.channel, "godwit_unsent", text=event.text)
    if not room.when_known(session, partial(_say_late, session, room, event, node.pace.now()), unsent):
        session.notice(event.channel, "msg_ratelimit")


def _say_late(session: Session, room: Room, event: MessageSent, came: float) -> None:
    """Say what had to wait."""
    _say(session, room, event, session.node.clock.now(), came)


def _say(session: Session, room: Room, event: MessageSent, now: float, came: float | None = None) -> None:
    """Have a message appended, or tell why not.

    Args:
        came: when it came, in the pace's time, if it had to wait: limits are for what clients send.
    """
    channel, name, identity = room.channel, room.name, session.identity
    author, speaker = session.voice(name, channel.role(identity.user_id) if identity is not None else "")
    if not may_say(session, name, speaker.exempt, came):
        return
    text, action = event.text, event.action
    emotes, closed = session.node.relations.place(name)
    refusal: Refusal | None
    if identity is not None and identity.suspended:
        refusal = Refusal("msg_suspended")
    elif closed:
        refusal = Refusal("msg_channel_suspended")
    else:
        only_emotes = partial(_only_emotes, text, emotes)
        refusal = channel.refusal(speaker, text, now, action=action, only_emotes=only_emotes)
    if refusal is not None:
        session.notice(name, refusal.msg_id, **_filled(refusal, name))
        return
    reply = _reply(room, event.reply_to) if event.reply_to else None
    shown = addressed(text, reply) if reply else text
    found = emote_ranges(shown, emotes)
    if not room.submit(
        Message(_new_id(), 0, session.producer, 0, author, text, action, event.nonce, reply, emotes=found), now
    ):
        session.notice(name, "msg_ratelimit")


def _only_emotes(text: str, emotes: Mapping[str, str]) -> bool:
    return is_emotes(text, emote_ranges(text, emotes))


_ids: list[str] = []
"""Ids that have been drawn: every message needs one, and the system takes as long for one as for many."""


def _new_id() -> str:
    """A random UUID (version 4) as text."""
    if not _ids:
        drawn = urandom(4096).hex()
        for start in range(0, len(drawn), 32):
            d = drawn[start : start + 32]
            _ids.append(f"{d[:8]}-{d[8:12]}-4{d[13:16]}-{'89ab'[int(d[16], 16) & 3]}{d[17:20]}-{d[20:]}")
    return _ids.pop()


def _filled(refusal: Refusal, channel: str) -> dict[str, object]:
    """What is filled into the text of a NOTICE: numbers of seconds, and all longer times in words."""
    values: dict[str, object] = {"channel": channel}
    for name, seconds in refusal.values.items():
        values[name] = seconds if name == "seconds" else in_words(seconds - seconds % MINUTE)
    return values


def _reply(room: Room, msg_id: str) -> Reply | None:
    """The message that is answered, if it is known; else the answer is an ordinary message (MSG-7)."""
    parent = room.message(msg_id)
    if parent is None:
        return None
    author, thread = parent.author, None
    if parent.reply:
        first = parent.reply.thread or parent.reply
        thread = Reply(first.msg_id, first.user_id, first.user_login, first.display_name, "")
    return Reply(msg_id, author.user_id, author.login, author.display_name, parent.text, thread)
