"""Lines about group chat, to the byte."""

from __future__ import annotations

import pytest

from godwit.tmi.capabilities import NONE, Caps
from godwit.tmi.render_group import room_news, whisper
from godwit.values import Author

FOO = Author("2109996", "foo", "Foo", "#3E2E18")
EVERYTHING = Caps.TAGS | Caps.COMMANDS


def said(caps: Caps, author: Author = FOO, emotes: str = "") -> bytes:
    """A whisper of `author`."""
    return whisper(caps, "target", author, "text", number=2, thread="21001676_470220570", emotes=emotes)


@pytest.mark.row("GROUP-1")
def test_whisper() -> None:
    """GROUP-1: the tags of a whisper."""
    plain = b":foo!foo@foo.tmi.twitch.tv WHISPER target :text\r\n"
    assert said(EVERYTHING) == (
        b"@badges=;color=#3E2E18;display-name=Foo;emotes=;message-id=2;thread-id=21001676_470220570;"
        b"turbo=0;user-id=2109996;user-type= " + plain
    )
    assert said(Caps.COMMANDS) == plain
    assert said(Caps.TAGS) == said(NONE) == b""
    staff = Author("7", "foo", badges=("staff/1", "turbo/1"), turbo=True, user_type="staff")
    assert said(EVERYTHING, staff, "25:0-3") == (
        b"@badges=staff/1,turbo/1;color=;display-name=foo;emotes=25:0-3;message-id=2;thread-id=21001676_470220570;"
        b"turbo=1;user-id=7;user-type=staff " + plain
    )


@pytest.mark.row("GROUP-6")
def test_news_of_rooms() -> None:
    """GROUP-6: who invites is named."""
    room = "_ann_1447033529452"
    assert room_news("bob", "ROOMINVITE", room, "ann") == (
        b":jtv!jtv@jtv.tmi.twitch.tv PRIVMSG bob :ROOMINVITE _ann_1447033529452 ann\r\n"
    )
    assert room_news("bob", "ROOMDELETED", room) == (
        b":jtv!jtv@jtv.tmi.twitch.tv PRIVMSG bob :ROOMDELETED _ann_1447033529452\r\n"
    )
