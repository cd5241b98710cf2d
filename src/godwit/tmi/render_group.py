"""Lines to clients about group chat: whispers, and what becomes of group rooms; the rules are those of `render`."""

from __future__ import annotations

from typing import Literal

from godwit.tmi.capabilities import Caps
from godwit.tmi.login import SERVER
from godwit.tmi.message import encode
from godwit.tmi.tags import flag, tagged
from godwit.values import Author

RoomWord = Literal["ROOMINVITE", "ROOMCHANGED", "ROOMBAN", "ROOMDELETED"]
"""What clients of group rooms listen for."""


def whisper(caps: Caps, target: str, author: Author, text: str, *, number: int, thread: str, emotes: str = "") -> bytes:
    """A whisper, as the one sees it to whom it goes; needs COMMANDS (GROUP-1).

    Args:
        target: the login to whom it goes.
        number: counts the whispers of the thread, from 1.
        thread: the two user ids, the smaller first, joined by `_`.
        emotes: where emotes stand in the text, as in the tag of that name.
    """
    if Caps.COMMANDS not in caps:
        return b""
    tags = {
        "badges": ",".join(author.badges),
        "color": author.color,
        "display-name": author.display_name or author.login,
        "emotes": emotes,
        "message-id": str(number),
        "thread-id": thread,
        "turbo": flag(author.turbo),
        "user-id": author.user_id,
        "user-type": author.user_type,
    }
    login = author.login
    rest = f":{login}!{login}@{login}.{SERVER} WHISPER {target} :{text}"
    return tagged(tags if Caps.TAGS in caps else {}, rest)


def room_news(nick: str, word: RoomWord, room: str, by: str = "") -> bytes:
    """Something happened to a group room or to one's place in it; needs no capability (GROUP-6).

    Args:
        by: who did it, where that is told.
    """
    return encode(f":jtv!jtv@jtv.{SERVER} PRIVMSG {nick} :{word} {room}" + (f" {by}" if by else ""))
