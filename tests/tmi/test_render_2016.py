"""Lines of the dialect of 2016, to the byte."""

from __future__ import annotations

import pytest

from godwit.tmi import render, render_2016
from godwit.tmi.capabilities import NONE, Caps
from godwit.values import Account, Act, ActKind, Author, Message, Position, Reply, UserNotice

BOTH = Caps.TAGS | Caps.COMMANDS
POSITION = BOTH | Caps.POSITION
RONNI = Author(
    "1337", "ronni", "Ronni", "#0D4200", ("subscriber/6", "turbo/1"), ("subscriber/6",), subscriber=True, turbo=True
)
FAN = Author("", "justinfan1")


def message(text: str = "Kappa yes", **more: object) -> Message:
    return Message("b34c", 2, "p", 1, RONNI, text, nonce="f00", first=True, **more)  # type: ignore[arg-type]


def privmsg(caps: Caps, what: Message) -> bytes:
    return render_2016.privmsg(caps, "dallas", what, time=1.5, room_id="9", position=Position(2, 1041))


# tags -------------------------------------------------------------------------------------------


@pytest.mark.row("OLD-4")
def test_a_message() -> None:
    tags = (
        b"badges=subscriber/6,turbo/1;color=#0D4200;display-name=Ronni;emotes=25:0-4;%sid=b34c;mod=0;room-id=9;"
        b"subscriber=1;turbo=1;user-id=1337;user-type="
    )
    rest = b" :ronni!ronni@ronni.tmi.twitch.tv PRIVMSG #dallas :Kappa yes\r\n"
    assert privmsg(Caps.TAGS, message(emotes="25:0-4")) == b"@" + tags % b"" + rest
    assert privmsg(POSITION, message(emotes="25:0-4")) == b"@" + tags % b"godwit-position=2-1041;" + rest
    assert privmsg(NONE, message()) == rest[1:]


@pytest.mark.row("OLD-4")
def test_a_reply_is_text_with_the_name_in_front_and_an_action_stays_one() -> None:
    answered = Reply("a1", "7", "ann", "Ann", "hello?")
    assert privmsg(NONE, message("hi", reply=answered)).endswith(b" PRIVMSG #dallas :@Ann hi\r\n")
    assert b"reply" not in privmsg(Caps.TAGS, message("hi", reply=answered))
    assert privmsg(NONE, message("waves", action=True)).endswith(b" :\x01ACTION waves\x01\r\n")


@pytest.mark.row("OLD-4")
def test_userstate() -> None:
    def userstate(caps: Caps, author: Author = RONNI, nonce: str = "") -> bytes:
        return render_2016.userstate(caps, "dallas", author, msg_id="b34c", nonce=nonce, emote_sets="0,9")

    tags = b"%scolor=#0D4200;display-name=Ronni;emote-sets=0,9;%smod=0;subscriber=1;turbo=1;user-type="
    rest = b" :tmi.twitch.tv USERSTATE #dallas\r\n"
    assert userstate(BOTH) == b"@" + tags % (b"", b"") + rest
    assert userstate(BOTH, nonce="f00") == b"@" + tags % (b"client-nonce=f00;", b"id=b34c;") + rest
    assert userstate(Caps.COMMANDS) == rest[1:]
    assert userstate(Caps.TAGS) == userstate(BOTH, FAN) == b""


@pytest.mark.row("OLD-4")
def test_globaluserstate_ends_the_welcome() -> None:
    account = Account("1337", "ronni", "Ronni", "#0D4200", badges=("turbo/1",))
    state = (
        b"@color=#0D4200;display-name=Ronni;emote-sets=0;turbo=1;user-id=1337;user-type="
        b" :tmi.twitch.tv GLOBALUSERSTATE\r\n"
    )
    assert render_2016.welcome(BOTH, account) == render.welcome(NONE, account) + state
    assert render_2016.welcome(Caps.COMMANDS, account).endswith(b"\r\n:tmi.twitch.tv GLOBALUSERSTATE\r\n")
    assert render_2016.welcome(Caps.TAGS, account) == render.welcome(NONE, account)
    fan = Account("", "justinfan1")
    assert render_2016.welcome(BOTH, fan) == render.welcome(NONE, fan)


@pytest.mark.row("OLD-4")
def test_the_answer_to_a_join_tells_the_settings_of_the_time() -> None:
    def burst(caps: Caps) -> list[bytes]:
        settings = {"slow": 30, "followers-only": 10}
        return render_2016.join_burst(
            caps, "dallas", RONNI, room_id="9", settings=settings, position=Position(2, 7), cluster="main", epoch=2
        ).splitlines()

    first = [
        b":ronni!ronni@ronni.tmi.twitch.tv JOIN #dallas",
        b":ronni.tmi.twitch.tv 353 ronni = #dallas :ronni",
        b":ronni.tmi.twitch.tv 366 ronni #dallas :End of /NAMES list",
    ]
    assert burst(NONE) == first
    assert burst(Caps.COMMANDS) == [*first, b":tmi.twitch.tv USERSTATE #dallas", b":tmi.twitch.tv ROOMSTATE #dallas"]
    assert burst(BOTH)[4] == b"@broadcaster-lang=;r9k=0;room-id=9;slow=30;subs-only=0 :tmi.twitch.tv ROOMSTATE #dallas"
    assert burst(POSITION)[4] == (
        b"@broadcaster-lang=;godwit-cluster=main;godwit-epoch=2;godwit-home=1;godwit-position=2-7;r9k=0;room-id=9;"
        b"slow=30;subs-only=0 :tmi.twitch.tv ROOMSTATE #dallas"
    )


@pytest.mark.row("OLD-4")
def test_a_change_of_settings_is_told_as_far_as_it_has_a_name() -> None:
    def change(caps: Caps, **changed: int) -> bytes:
        settings = {name.replace("_", "-"): value for name, value in changed.items()}
        return render_2016.roomstate_change(caps, "dallas", room_id="9", changed=settings)

    assert change(BOTH, slow=30) == b"@slow=30 :tmi.twitch.tv ROOMSTATE #dallas\r\n"
    assert change(BOTH, r9k=1, emote_only=1) == b"@r9k=1 :tmi.twitch.tv ROOMSTATE #dallas\r\n"
    assert change(Caps.COMMANDS, subs_only=1) == b":tmi.twitch.tv ROOMSTATE #dallas\r\n"
    assert change(BOTH, followers_only=10) == change(Caps.TAGS, slow=30) == b""


# notices ----------------------------------------------------------------------------------------


@pytest.mark.row("OLD-2")
def test_jtv_tells_those_without_commands_what_others_are_told_by_notice() -> None:
    slow = ("dallas", "slow_off", "This room is no longer in slow mode.")
    jtv = b":jtv!jtv@jtv.tmi.twitch.tv PRIVMSG #dallas :This room is no longer in slow mode.\r\n"
    assert render_2016.notice(NONE, *slow) == render_2016.notice(Caps.TAGS, *slow) == jtv
    assert render_2016.notice(BOTH, *slow) == render.notice(BOTH, *slow)
    assert render_2016.notice(NONE, "*", "", "Invalid NICK") == b":tmi.twitch.tv NOTICE * :Invalid NICK\r\n"


@pytest.mark.row("OLD-2", "NOTICE-2")
def test_lines_that_are_missing() -> None:
    assert render_2016.gap(BOTH, "dallas", 3) == render.gap(BOTH, "dallas", 3)
    assert render_2016.gap(NONE, "dallas", 1) == (
        b":jtv!jtv@jtv.tmi.twitch.tv PRIVMSG #dallas :1 message of this channel could not be shown here.\r\n"
    )


@pytest.mark.row("OLD-3")
@pytest.mark.parametrize("caps", [NONE, BOTH])
def test_jtv_tells_who_hosts(caps: Caps) -> None:
    def told(text: str) -> bytes:
        return render_2016.owner_notice(caps, "dallas", "host_success_viewers", text)

    start = b":jtv!jtv@jtv.tmi.twitch.tv PRIVMSG dallas :Ronni is now hosting you"
    assert told("Ronni is now hosting you for up to 5 viewers.") == start + b" for 5 viewers.\r\n"
    assert told("Ronni is now hosting you.") == start + b".\r\n"


# what happens in a room -------------------------------------------------------------------------


@pytest.mark.row("OLD-5")
def test_clearchat() -> None:
    def clear(caps: Caps = BOTH, login: str = "", seconds: int = 0, reason: str = "") -> bytes:
        return render_2016.clearchat(
            caps, "a", room_id="1", time=2.5, target_login=login, target_id="7", seconds=seconds, reason=reason
        )

    assert clear() == b":tmi.twitch.tv CLEARCHAT #a\r\n"
    assert clear(login="foo") == b":tmi.twitch.tv CLEARCHAT #a :foo\r\n"
    assert clear(login="foo", seconds=60, reason="too rude") == (
        b"@ban-duration=60;ban-reason=too\\srude :tmi.twitch.tv CLEARCHAT #a :foo\r\n"
    )
    assert clear(Caps.COMMANDS, "foo", 60, "rude") == b":tmi.twitch.tv CLEARCHAT #a :foo\r\n"
    assert clear(Caps.TAGS, "foo") == b""


@pytest.mark.row("OLD-5")
def test_there_is_no_clearmsg() -> None:
    assert render_2016.clearmsg(BOTH, "a", login="foo", target_msg_id="b34c", text="bad", time=2.5) == b""


def usernotice(caps: Caps, kind: str, system_msg: str = "", text: str = "", **params: str) -> bytes:
    tags = {name.replace("_", "-"): value for name, value in params.items()}
    record = UserNotice("u1", 2, "p", 1, kind, RONNI, system_msg, tags, text)
    return render_2016.usernotice(caps, "dallas", record, time=1.5, room_id="9")


NOTIFY = b":twitchnotify!twitchnotify@twitchnotify.tmi.twitch.tv PRIVMSG #dallas :"


@pytest.mark.row("OLD-6")
def test_a_resub_is_a_usernotice() -> None:
    tags = (
        b"@badges=subscriber/6,turbo/1;color=#0D4200;display-name=Ronni;emotes=;login=ronni;mod=0;msg-id=resub;"
        b"msg-param-months=6;room-id=9;subscriber=1;system-msg=Ronni\\shas\\ssubscribed\\sfor\\s6\\smonths!;turbo=1;"
        b"user-id=1337;user-type= "
    )
    rest = b":tmi.twitch.tv USERNOTICE #dallas"
    assert usernotice(BOTH, "resub", "words", "hi", cumulative_months="6", sub_plan="1000") == tags + rest + b" :hi\r\n"
    assert usernotice(Caps.COMMANDS, "resub", "words", cumulative_months="6") == rest + b"\r\n"
    resub = usernotice(Caps.TAGS, "resub", "words", "hi", cumulative_months="6")
    assert resub == NOTIFY + b"Ronni subscribed for 6 months in a row!\r\n"


@pytest.mark.row("OLD-6")
@pytest.mark.parametrize("caps", [NONE, BOTH])
def test_what_else_happens_is_told_by_twitchnotify_or_said_by_its_author(caps: Caps) -> None:
    assert usernotice(caps, "sub", "words", "hi") == NOTIFY + b"Ronni just subscribed!\r\n"
    assert usernotice(caps, "raid", "5 raiders from Ronni have joined!") == NOTIFY + (
        b"5 raiders from Ronni have joined!\r\n"
    )
    said = usernotice(caps, "announcement", text="a party")
    assert said.endswith(b":ronni!ronni@ronni.tmi.twitch.tv PRIVMSG #dallas :a party\r\n")
    assert (b";id=u1;" in said) == (Caps.TAGS in caps)
    assert usernotice(caps, "mystery") == b""
    assert usernotice(caps, "raid", "two\r\nlines") == NOTIFY + b"twolines\r\n"


# old clients ------------------------------------------------------------------------------------


@pytest.mark.row("OLD-7")
def test_who_speaks_is_described() -> None:
    assert render_2016.about(RONNI) == [
        "USERCOLOR ronni #0D4200",
        "SPECIALUSER ronni subscriber",
        "SPECIALUSER ronni turbo",
        "EMOTESET ronni [0]",
    ]
    assert render_2016.about(Author("7", "ann")) == ["EMOTESET ann [0]"]
    for kind, special in (("staff", True), ("admin", True), ("global_mod", False), ("mod", False)):
        found = "SPECIALUSER ann " + kind in render_2016.about(Author("7", "ann", user_type=kind))
        assert found == special, kind


@pytest.mark.row("OLD-7")
def test_lines_for_old_clients() -> None:
    assert render_2016.described("#dallas", "CLEARCHAT ann") == b":jtv PRIVMSG #dallas :CLEARCHAT ann\r\n"
    assert render_2016.described("bob", "CLEARCHAT") == b":jtv PRIVMSG bob :CLEARCHAT\r\n"


@pytest.mark.row("OLD-7")
@pytest.mark.parametrize(
    ("kind", "target", "viewers", "told"),
    [
        ("ban", "ann", 0, ["CLEARCHAT ann"]),
        ("timeout", "ann", 0, ["CLEARCHAT ann"]),
        ("clear", "", 0, ["CLEARCHAT"]),
        ("host", "ann", 12, ["HOSTTARGET ann 12"]),
        ("host", "ann", 0, ["HOSTTARGET ann -"]),
        ("unhost", "", 0, ["HOSTTARGET - 0"]),
        ("lift", "ann", 0, []),
        ("delete", "ann", 0, []),
    ],
)
def test_what_old_clients_are_told_of_acts(kind: ActKind, target: str, viewers: int, told: list[str]) -> None:
    act = Act("a", 1, "p", 1, kind, RONNI, "7" if target else "", target, viewers=viewers)
    assert render_2016.about_act(act) == told
