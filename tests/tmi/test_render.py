"""Lines to clients, to the byte."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pytest

from godwit.errors import LocalProtocolError
from godwit.tmi import render
from godwit.tmi.capabilities import NONE, Caps
from godwit.values import Account, Addresses, Author, Message, Position, Reply

ALL = Caps.TAGS | Caps.COMMANDS | Caps.MEMBERSHIP | Caps.POSITION
BOTH = Caps.TAGS | Caps.COMMANDS
RONNI = Author(
    "1337", "ronni", "Ronni", "#0D4200", badges=("global_mod/1", "turbo/1"), turbo=True, user_type="global_mod"
)
FAN = Author("", "justinfan1")
AWS = Addresses(tcp=("irc.example:6667", "irc.example:80"), ws=("ws.example:80",))


def message(text: str = "Kappa Keepo Kappa", author: Author = RONNI, **more: object) -> Message:
    return Message("b34ccfc7", 2, "p", 1, author, text, **more)  # type: ignore[arg-type]


def privmsg(caps: Caps, what: Message) -> bytes:
    return render.privmsg(caps, "dallas", what, time=1507246572.675, room_id="1337", position=Position(2, 1041))


# what is said -----------------------------------------------------------------------------------


def test_message_with_tags() -> None:
    """MSG-6, MSG-9."""
    assert privmsg(Caps.TAGS, message(emotes="25:0-4,12-16/1902:6-10")) == (
        b"@badge-info=;badges=global_mod/1,turbo/1;color=#0D4200;display-name=Ronni;emote-only=1;"
        b"emotes=25:0-4,12-16/1902:6-10;"
        b"first-msg=0;flags=;id=b34ccfc7;mod=0;returning-chatter=0;room-id=1337;subscriber=0;"
        b"tmi-sent-ts=1507246572675;turbo=1;user-id=1337;user-type=global_mod"
        b" :ronni!ronni@ronni.tmi.twitch.tv PRIVMSG #dallas :Kappa Keepo Kappa\r\n"
    )


@pytest.mark.parametrize("caps", [NONE, Caps.COMMANDS | Caps.MEMBERSHIP, Caps.POSITION])
def test_message_without_tags(caps: Caps) -> None:
    """CAP-6, CAP-7, rule 16 of the dialect: no tags for who did not ask."""
    expected = b":ronni!ronni@ronni.tmi.twitch.tv PRIVMSG #dallas :Kappa Keepo Kappa\r\n"
    assert privmsg(caps, message(nonce="n", first=True)) == expected


def test_optional_tags_of_a_message() -> None:
    """MSG-6, MSG-8, CAP-7."""
    vip = Author("1", "foo", vip=True, mod=True, subscriber=True, badge_info=("subscriber/8",))
    tags, _, _ = privmsg(ALL, message("x", vip, nonce="a b;c", first=True)).decode().partition(" ")
    assert tags == (
        "@badge-info=subscriber/8;badges=;client-nonce=a\\sb\\:c;color=;display-name=foo;emotes=;first-msg=1;flags=;"
        "godwit-position=2-1041;id=b34ccfc7;mod=1;returning-chatter=0;room-id=1337;subscriber=1;"
        "tmi-sent-ts=1507246572675;turbo=0;user-id=1;user-type=;vip=1"
    )


def test_action() -> None:
    """MSG-3, MSG-9, rule 19 of the dialect: ranges count from behind the ACTION mark."""
    line = privmsg(Caps.TAGS, message("\U0001f600 Kappa", action=True, emotes="25:2-6")).decode()
    assert line.endswith(" PRIVMSG #dallas :\x01ACTION \U0001f600 Kappa\x01\r\n")
    assert ";emotes=25:2-6;" in line


def test_reply() -> None:
    """MSG-7."""
    reply = Reply("p1", "7", "foo", "Riot Games", "what; now")
    line = privmsg(Caps.TAGS, message("this Kappa", reply=reply, emotes="25:17-21")).decode()
    assert line.endswith(" PRIVMSG #dallas :@Riot Games this Kappa\r\n")
    assert ";emotes=25:17-21;" in line
    assert (
        ";reply-parent-display-name=Riot\\sGames;reply-parent-msg-body=what\\:\\snow;reply-parent-msg-id=p1;"
        "reply-parent-user-id=7;reply-parent-user-login=foo;"
        "reply-thread-parent-display-name=Riot\\sGames;reply-thread-parent-msg-id=p1;reply-thread-parent-user-id=7;"
        "reply-thread-parent-user-login=foo;returning-chatter=0;"
    ) in line
    assert privmsg(NONE, message("this", reply=reply)).endswith(b"#dallas :@Riot Games this\r\n")


def test_reply_in_a_thread() -> None:
    """MSG-7."""
    reply = Reply("p2", "7", "foo", "Foo", "yes", thread=Reply("p1", "8", "bar", "", ""))
    line = privmsg(Caps.TAGS, message("no", reply=reply)).decode()
    assert ";reply-parent-msg-id=p2;" in line
    assert (
        ";reply-thread-parent-display-name=bar;reply-thread-parent-msg-id=p1;reply-thread-parent-user-id=8;"
        "reply-thread-parent-user-login=bar;"
    ) in line


def test_text_that_would_break_the_line_is_refused() -> None:
    """LINE-3."""
    with pytest.raises(LocalProtocolError):
        privmsg(NONE, message("a\r\nQUIT"))


# joining ----------------------------------------------------------------------------------------


def burst(caps: Caps, author: Author = RONNI, others: tuple[str, ...] = ("foo",)) -> list[str]:
    data = render.join_burst(
        caps,
        "dallas",
        author,
        room_id="40286300",
        settings={"slow": 5},
        others=others,
        position=Position(2, 7),
        cluster="aws",
        epoch=3,
        home=False,
    )
    return data.decode().removesuffix("\r\n").split("\r\n")


def test_answer_to_a_join_in_order() -> None:
    """JOIN-2, STATE-1, STATE-2, rule 9 of the dialect."""
    assert burst(BOTH) == [
        ":ronni!ronni@ronni.tmi.twitch.tv JOIN #dallas",
        ":ronni.tmi.twitch.tv 353 ronni = #dallas :ronni",
        ":ronni.tmi.twitch.tv 366 ronni #dallas :End of /NAMES list",
        "@badge-info=;badges=global_mod/1,turbo/1;color=#0D4200;display-name=Ronni;emote-sets=0;mod=0;subscriber=0;"
        "user-type=global_mod :tmi.twitch.tv USERSTATE #dallas",
        "@emote-only=0;followers-only=-1;r9k=0;rituals=0;room-id=40286300;slow=5;subs-only=0"
        " :tmi.twitch.tv ROOMSTATE #dallas",
    ]


def test_answer_to_a_join_without_capabilities() -> None:
    """CAP-6, rule 16 of the dialect."""
    assert burst(NONE) == burst(Caps.TAGS) == burst(BOTH)[:3]


def test_answer_to_a_join_with_commands_only() -> None:
    """CAP-6."""
    expected = [*burst(NONE), ":tmi.twitch.tv USERSTATE #dallas", ":tmi.twitch.tv ROOMSTATE #dallas"]
    assert burst(Caps.COMMANDS) == burst(Caps.COMMANDS | Caps.POSITION) == expected


def test_anonymous_clients_get_no_userstate() -> None:
    """JOIN-3, LOGIN-3, rule 10 of the dialect."""
    assert [line.split(" :tmi.twitch.tv ")[-1] for line in burst(BOTH, FAN)] == [
        ":justinfan1!justinfan1@justinfan1.tmi.twitch.tv JOIN #dallas",
        ":justinfan1.tmi.twitch.tv 353 justinfan1 = #dallas :justinfan1",
        ":justinfan1.tmi.twitch.tv 366 justinfan1 #dallas :End of /NAMES list",
        "ROOMSTATE #dallas",
    ]
    assert render.userstate(BOTH, "dallas", FAN, msg_id="x") == b""
    assert render.globaluserstate(BOTH, Account("", "justinfan1")) == b""


def test_names_of_others() -> None:
    """JOIN-4."""
    assert burst(Caps.MEMBERSHIP, others=("foo", "ronni", "bar"))[1:] == [
        ":ronni.tmi.twitch.tv 353 ronni = #dallas :foo bar",
        ":ronni.tmi.twitch.tv 353 ronni = #dallas :ronni",
        ":ronni.tmi.twitch.tv 366 ronni #dallas :End of /NAMES list",
    ]


def test_many_names_take_several_lines() -> None:
    """JOIN-4."""
    others = tuple(f"somebody{number}" for number in range(200))
    lines = render.names(Caps.MEMBERSHIP, "ronni", "dallas", others).decode().split("\r\n")
    listed = [line.partition(" :")[2].split() for line in lines[:-2]]
    assert [name for row in listed for name in row] == [*others, "ronni"]
    assert 5 < len(listed) < 10
    assert max(map(len, lines)) < 500


def test_place_of_the_answer() -> None:
    """JOIN-6, CAP-7."""
    assert burst(ALL)[-1] == (
        "@emote-only=0;followers-only=-1;godwit-cluster=aws;godwit-epoch=3;godwit-home=0;godwit-position=2-7;r9k=0;"
        "rituals=0;room-id=40286300;slow=5;subs-only=0 :tmi.twitch.tv ROOMSTATE #dallas"
    )


def test_early_join_promises_no_position() -> None:
    """JOIN-6."""
    line = render.roomstate(ALL, "a", room_id="1", settings={}, cluster="aws", epoch=1, home=False)
    assert b"godwit-home=0" in line
    assert b"godwit-position" not in line


def test_change_of_settings() -> None:
    """STATE-3."""
    line = render.roomstate_change(ALL, "a", room_id="1", changed={"slow": 10})
    assert line == b"@room-id=1;slow=10 :tmi.twitch.tv ROOMSTATE #a\r\n"


def test_join_and_part() -> None:
    """JOIN-2, PART-1."""
    assert render.join("foo", "a") == b":foo!foo@foo.tmi.twitch.tv JOIN #a\r\n"
    assert render.part("foo", "a") == b":foo!foo@foo.tmi.twitch.tv PART #a\r\n"


# state and notices ------------------------------------------------------------------------------


def test_acknowledgement() -> None:
    """STATE-1, MSG-1, MSG-8, rule 15 of the dialect: the sender gets a USERSTATE."""
    assert render.userstate(BOTH, "a", Author("1", "foo", mod=True), msg_id="b34c", nonce="f00") == (
        b"@badge-info=;badges=;client-nonce=f00;color=;display-name=foo;emote-sets=0;id=b34c;mod=1;subscriber=0;"
        b"user-type= :tmi.twitch.tv USERSTATE #a\r\n"
    )


def test_notice() -> None:
    """NOTICE-1."""
    assert render.notice(BOTH, "a", "slow_off", "No more.") == (
        b"@msg-id=slow_off :tmi.twitch.tv NOTICE #a :No more.\r\n"
    )
    assert render.notice(Caps.COMMANDS, "a", "slow_off", "No more.") == b":tmi.twitch.tv NOTICE #a :No more.\r\n"
    assert render.notice(ALL, "*", "", "Invalid NICK") == b":tmi.twitch.tv NOTICE * :Invalid NICK\r\n"


@pytest.mark.parametrize(
    ("missing", "tag", "text"),
    [(3, b"3", b"3 messages"), (1, b"1", b"1 message"), (None, b"unknown", b"Some messages")],
)
def test_gap(missing: int | None, tag: bytes, text: bytes) -> None:
    """NOTICE-2."""
    rest = b" :tmi.twitch.tv NOTICE #a :" + text + b" of this channel could not be shown here.\r\n"
    assert render.gap(ALL, "a", missing) == b"@godwit-missing=" + tag + b";msg-id=godwit_gap" + rest
    assert render.gap(BOTH, "a", missing) == b"@msg-id=godwit_gap" + rest


_NEEDS_COMMANDS: list[Callable[[Caps], bytes]] = [
    lambda caps: render.globaluserstate(caps, Account("1", "foo")),
    lambda caps: render.userstate(caps, "a", RONNI),
    lambda caps: render.roomstate(caps, "a", room_id="1", settings={}),
    lambda caps: render.roomstate_change(caps, "a", room_id="1", changed={}),
    lambda caps: render.notice(caps, "a", "x", "y"),
    lambda caps: render.gap(caps, "a", 1),
    lambda caps: render.reconnect(caps),
]


@pytest.mark.parametrize("line", _NEEDS_COMMANDS)
def test_what_needs_commands(line: Callable[[Caps], bytes]) -> None:
    """CAP-6, rule 16 of the dialect."""
    assert line(Caps.TAGS | Caps.MEMBERSHIP | Caps.POSITION) == b""
    assert line(Caps.COMMANDS).startswith(b":tmi.twitch.tv ")


# moving -----------------------------------------------------------------------------------------


def serverchange(caps: Caps, destination: Literal["tags", "parameter", "none"], until: float = 0.0) -> bytes:
    return render.serverchange(
        caps, "channel", destination=destination, cluster="aws", epoch=2, addresses=AWS, drain_until=until
    )


@pytest.mark.parametrize("caps", [NONE, Caps.COMMANDS, Caps.MEMBERSHIP | Caps.POSITION])
def test_bare_serverchange(caps: Caps) -> None:
    """SC-1, rule 17 of the dialect: to every member, exactly this."""
    assert serverchange(caps, "tags") == b":tmi.twitch.tv SERVERCHANGE #channel\r\n"


def test_serverchange_with_tags() -> None:
    """SC-2."""
    assert serverchange(Caps.TAGS, "tags", 12.5) == (
        b"@godwit-cluster=aws;godwit-drain-until=12500;godwit-epoch=2;godwit-tcp=irc.example:6667,irc.example:80;"
        b"godwit-tls=;godwit-ws=ws.example:80;godwit-wss= :tmi.twitch.tv SERVERCHANGE #channel\r\n"
    )
    assert b";godwit-drain-until=;" in serverchange(ALL, "tags")


@pytest.mark.parametrize("caps", [NONE, ALL])
def test_other_forms_of_serverchange(caps: Caps) -> None:
    """SC-3, rule 17 of the dialect: the channel stays the first parameter."""
    assert serverchange(caps, "parameter") == b":tmi.twitch.tv SERVERCHANGE #channel aws\r\n"
    assert serverchange(caps, "none") == b":tmi.twitch.tv SERVERCHANGE #channel\r\n"


def test_reconnect() -> None:
    """RC-1, rule 18 of the dialect: a prefix, no parameter."""
    assert render.reconnect(ALL) == b":tmi.twitch.tv RECONNECT\r\n"


def test_inquire() -> None:
    """INQ-1."""
    assert render.inquire("a", "aws", "host:6667") == b":tmi.twitch.tv INQUIRE #a aws host:6667\r\n"
    assert render.inquire("a", "aws", "host:6667", caps=Caps.TAGS, epoch=2) == (
        b"@godwit-epoch=2 :tmi.twitch.tv INQUIRE #a aws host:6667\r\n"
    )


def test_server_ping() -> None:
    """PING-2."""
    assert render.ping() == b"PING :tmi.twitch.tv\r\n"


def test_no_line_of_one_word() -> None:
    """LINE-3, rule 6 of the dialect: libraries read the second word of every line."""
    lines = [line(Caps.COMMANDS) for line in _NEEDS_COMMANDS]
    lines += [render.ping(), render.pong(""), render.pong("x"), serverchange(NONE, "none"), privmsg(NONE, message())]
    assert min(len(line.split()) for line in lines) == 2


def test_rows_of_names_are_as_full_as_they_can_be() -> None:
    """JOIN-4: by another way to cut them; a name that is too long for a row does not stop it."""
    others = [f"user{number**3}" for number in range(300)]
    rows: list[list[str]] = [[]]
    for name in others:
        if len(" ".join([*rows[-1], name])) > render.MAX_NAMES:
            rows.append([])
        rows[-1].append(name)
    lines = render.names(Caps.MEMBERSHIP, "ronni", "dallas", [*others, "ronni"]).decode().split("\r\n")
    assert [line.rpartition(":")[2] for line in lines[:-3]] == [" ".join(row) for row in rows]
    assert len(rows) > 5
    long = "x" * 500
    assert f" :{long} b\r\n" in render.names(Caps.MEMBERSHIP, "ronni", "dallas", [long, "b"]).decode()
