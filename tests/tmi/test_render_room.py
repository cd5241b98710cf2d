"""Lines about what happens in a room, to the byte."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from godwit.tmi import render_room
from godwit.tmi.capabilities import Caps
from godwit.values import Author, UserNotice

BOTH = Caps.TAGS | Caps.COMMANDS
RONNI = Author(
    "1337", "ronni", "Ronni", "#0D4200", badges=("global_mod/1", "turbo/1"), turbo=True, user_type="global_mod"
)


def test_clearchat() -> None:
    """CLEAR-1."""
    clear = render_room.clearchat
    assert clear(BOTH, "a", room_id="1", time=2.5) == b"@room-id=1;tmi-sent-ts=2500 :tmi.twitch.tv CLEARCHAT #a\r\n"
    assert clear(BOTH, "a", room_id="1", time=2.5, target_login="foo", target_id="7") == (
        b"@room-id=1;target-user-id=7;tmi-sent-ts=2500 :tmi.twitch.tv CLEARCHAT #a :foo\r\n"
    )
    assert clear(BOTH, "a", room_id="1", time=2.5, target_login="foo", target_id="7", seconds=60) == (
        b"@ban-duration=60;room-id=1;target-user-id=7;tmi-sent-ts=2500 :tmi.twitch.tv CLEARCHAT #a :foo\r\n"
    )
    assert clear(Caps.COMMANDS, "a", room_id="1", time=2.5) == b":tmi.twitch.tv CLEARCHAT #a\r\n"


def test_clearmsg() -> None:
    """CLEAR-2."""
    assert render_room.clearmsg(BOTH, "a", login="foo", target_msg_id="b34c", text="bad words", time=2.5) == (
        b"@login=foo;room-id=;target-msg-id=b34c;tmi-sent-ts=2500 :tmi.twitch.tv CLEARMSG #a :bad words\r\n"
    )


@pytest.mark.row("HOST-1")
@pytest.mark.parametrize(
    ("target", "viewers", "shown"), [("dallas", 12, b"dallas 12"), ("dallas", 0, b"dallas -"), ("", 0, b"- 0")]
)
def test_hosttarget(target: str, viewers: int, shown: bytes) -> None:
    for caps in (BOTH, Caps.COMMANDS):
        assert render_room.hosttarget(caps, "a", target, viewers) == b":tmi.twitch.tv HOSTTARGET #a :" + shown + b"\r\n"


@pytest.mark.row("MODE-1")
def test_mode() -> None:
    assert render_room.mode("a", "ronni", "+o") == b":jtv MODE #a +o ronni\r\n"
    assert render_room.mode("a", "ronni", "-o") == b":jtv MODE #a -o ronni\r\n"


@pytest.mark.row("UN-1")
def test_usernotice() -> None:
    record = UserNotice(
        "u1", 2, "p", 1, "resub", RONNI, "Ronni has subscribed!", {"months": "6"}, "Kappa yes", emotes="25:0-4"
    )
    assert render_room.usernotice(BOTH, "dallas", record, time=1.5, room_id="9") == (
        b"@badge-info=;badges=global_mod/1,turbo/1;color=#0D4200;display-name=Ronni;emotes=25:0-4;flags=;id=u1;"
        b"login=ronni;mod=0;msg-id=resub;msg-param-months=6;room-id=9;subscriber=0;"
        b"system-msg=Ronni\\shas\\ssubscribed!;tmi-sent-ts=1500;user-id=1337;user-type=global_mod "
        b":tmi.twitch.tv USERNOTICE #dallas :Kappa yes\r\n"
    )
    silent = UserNotice("u2", 2, "p", 2, "raid", RONNI)
    assert render_room.usernotice(Caps.COMMANDS, "dallas", silent, time=1.5, room_id="9") == (
        b":tmi.twitch.tv USERNOTICE #dallas\r\n"
    )


_NEEDS_COMMANDS: list[Callable[[Caps], bytes]] = [
    lambda caps: render_room.clearchat(caps, "a", room_id="1", time=1),
    lambda caps: render_room.clearmsg(caps, "a", login="foo", target_msg_id="x", text="y", time=1),
    lambda caps: render_room.hosttarget(caps, "a", "b"),
    lambda caps: render_room.usernotice(caps, "a", UserNotice("u", 1, "p", 1, "raid", RONNI), time=1, room_id="1"),
]


@pytest.mark.row("CAP-6")
@pytest.mark.parametrize("line", _NEEDS_COMMANDS)
def test_what_needs_commands(line: Callable[[Caps], bytes]) -> None:
    assert line(Caps.TAGS | Caps.MEMBERSHIP | Caps.POSITION) == b""
    assert line(Caps.COMMANDS).startswith(b":tmi.twitch.tv ")
