"""PRIVMSG and USERSTATE are written out for speed; they are as if made like any other line with tags (LINE-4)."""

from __future__ import annotations

import random

import pytest

from godwit.errors import LocalProtocolError
from godwit.tmi import render
from godwit.tmi.capabilities import Caps
from godwit.tmi.emotes import is_emotes
from godwit.tmi.tags import flag, millis, tagged
from godwit.tmi.text import addressed
from godwit.values import Author, Message, Position, Reply

ALL = int(Caps.TAGS | Caps.COMMANDS | Caps.MEMBERSHIP | Caps.POSITION)


def any_text(dice: random.Random) -> str:
    """What somebody else chose: anything, now and then even what cannot be on a line."""
    return "".join(dice.choices("aB1 ;\\:=/,@é🦩\r\n", k=dice.randrange(4))) + "\0" * (dice.random() < 0.002)


def any_author(dice: random.Random) -> Author:
    """Somebody."""
    yes = iter([dice.random() < 0.5 for _ in range(4)])
    return Author(
        dice.choice(["", "1337", "a-b_c"]),
        dice.choice(["ann", "ann", "justinfan7"]),
        any_text(dice),
        dice.choice(["", "#0D4200"]),
        tuple(any_text(dice) for _ in range(dice.randrange(3))),
        tuple(any_text(dice) for _ in range(dice.randrange(2))),
        mod=next(yes),
        subscriber=next(yes),
        vip=next(yes),
        turbo=next(yes),
        user_type=dice.choice(["", "staff"]),
    )


def any_reply(dice: random.Random, thread: Reply | None = None) -> Reply:
    """The message that is answered."""
    texts = iter([any_text(dice) for _ in range(5)])
    return Reply(next(texts), next(texts), next(texts), next(texts), next(texts), thread)


def whole(tags: dict[str, str], rest: str, caps: Caps) -> bytes | None:
    """A line with its tags for who wants them; None if it cannot be one."""
    try:
        return tagged(tags if Caps.TAGS in caps else {}, rest)
    except LocalProtocolError:
        return None


def look(author: Author, nonce: str) -> dict[str, str]:
    """The tags that both lines have."""
    tags = {
        "badge-info": ",".join(author.badge_info),
        "badges": ",".join(author.badges),
        "color": author.color,
        "display-name": author.display_name or author.login,
        "mod": flag(author.mod),
        "subscriber": flag(author.subscriber),
        "user-type": author.user_type,
    }
    return {**tags, "client-nonce": nonce} if nonce else tags


def answered(reply: Reply) -> dict[str, str]:
    """The tags of an answer (MSG-7)."""
    parent = reply.thread or reply
    return {
        "reply-parent-display-name": reply.display_name or reply.user_login,
        "reply-parent-msg-body": reply.msg_body,
        "reply-parent-msg-id": reply.msg_id,
        "reply-parent-user-id": reply.user_id,
        "reply-parent-user-login": reply.user_login,
        "reply-thread-parent-display-name": parent.display_name or parent.user_login,
        "reply-thread-parent-msg-id": parent.msg_id,
        "reply-thread-parent-user-id": parent.user_id,
        "reply-thread-parent-user-login": parent.user_login,
    }


@pytest.mark.parametrize("seed", range(4))
def test_a_message_is_as_any_other_line(seed: int) -> None:
    """MSG-3, MSG-6 to MSG-9."""
    dice = random.Random(seed)
    for _ in range(500):
        author, caps, nonce, time = any_author(dice), Caps(dice.randrange(ALL + 1)), any_text(dice), dice.random() * 4e9
        reply = dice.choice([None, any_reply(dice), any_reply(dice, any_reply(dice))])
        text, emotes = dice.choice([("hi", ""), ("a; b\\", ""), ("Kappa", "25:0-4"), ("Kappa x", "25:0-4")])
        position = dice.choice([None, Position(2, 1041)])
        said = Message(
            "b34ccfc7", 2, "p", 1, author, text,
            action=dice.random() < 0.3, nonce=nonce, reply=reply, emotes=emotes, first=dice.random() < 0.3,
        )  # fmt: skip
        tags = look(author, nonce) | {
            "emotes": emotes,
            "first-msg": flag(said.first),
            "flags": "",
            "id": said.id,
            "returning-chatter": "0",
            "room-id": "7",
            "tmi-sent-ts": millis(time),
            "turbo": flag(author.turbo),
            "user-id": author.user_id,
        }
        shown = addressed(text, reply)
        if author.vip:
            tags["vip"] = "1"
        if is_emotes(shown, emotes):
            tags["emote-only"] = "1"
        if position and Caps.POSITION in caps:
            tags["godwit-position"] = str(position)
        if reply:
            tags |= answered(reply)
        text = f"\x01ACTION {shown}\x01" if said.action else shown
        expected = whole(tags, f"{render.user(author.login)} PRIVMSG #dallas :{text}", caps)
        if expected is None:
            with pytest.raises(LocalProtocolError):
                render.privmsg(caps, "dallas", said, time=time, room_id="7", position=position)
        else:
            found = render.privmsg(caps, "dallas", said, time=time, room_id="7", position=position)
            assert found == expected


@pytest.mark.parametrize("seed", range(2))
def test_userstate_is_as_any_other_line(seed: int) -> None:
    """STATE-1, EMOTE-4."""
    dice = random.Random(seed)
    for _ in range(500):
        author, caps, nonce = any_author(dice), Caps(dice.randrange(ALL + 1)), any_text(dice)
        msg_id = dice.choice(["", "b34ccfc7"])
        tags = look(author, nonce) | {"emote-sets": "0,7"} | ({"id": msg_id} if msg_id else {})
        expected: bytes | None = b""
        if Caps.COMMANDS in caps and author.login == "ann":
            expected = whole(tags, ":tmi.twitch.tv USERSTATE #dallas", caps)
        if expected is None:
            with pytest.raises(LocalProtocolError):
                render.userstate(caps, "dallas", author, msg_id=msg_id, nonce=nonce, emote_sets="0,7")
        else:
            found = render.userstate(caps, "dallas", author, msg_id=msg_id, nonce=nonce, emote_sets="0,7")
            assert found == expected
