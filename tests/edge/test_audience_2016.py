"""What a room looks like on a cluster that speaks the dialect of 2016."""

from __future__ import annotations

import pytest

from godwit.values import Author, Message, Tell, UserNotice
from tests.edge.commands.stage import stage
from tests.edge.world import world

OLD = {"dialect": {"main": "2016"}}
SUB = Author("7", "sub", "Sub", "#0000FF", subscriber=True)


@pytest.mark.row("OLD-1", "OLD-4")
async def test_each_cluster_shows_a_channel_in_its_dialect() -> None:
    async with world(edge=OLD) as net:
        await net.claim("room")
        old, new = await net.join("old"), await net.join("new", "room", "aws")
        await net.move("room", "aws")
        await old.until("SERVERCHANGE")
        old.send("PRIVMSG #room :from old")
        *_, state = await old.until("USERSTATE")
        assert "badge-info" not in state
        line = (await new.until("PRIVMSG"))[-1]
        assert line.startswith("@badge-info=;")
        new.send("PRIVMSG #room :from new")
        *_, state = await new.until("USERSTATE")
        assert "badge-info" in state
        line = (await old.until("PRIVMSG"))[-1]
        assert "badge-info" not in line
        assert ";turbo=0;" in line


@pytest.mark.row("OLD-4")
async def test_joining_is_answered_in_the_dialect() -> None:
    async with world(edge=OLD) as net:
        client = await net.login("ann")
        client.send("JOIN #room")
        *_, userstate, roomstate = await client.until("ROOMSTATE")
        assert userstate == (
            "@color=;display-name=ann;emote-sets=0;mod=0;subscriber=0;turbo=0;user-type= :tmi.twitch.tv USERSTATE #room"
        )
        assert roomstate.startswith("@broadcaster-lang=;r9k=0;room-id=")


@pytest.mark.row("OLD-2", "OLD-9", "OLD-4")
async def test_feedback_is_a_notice_or_comes_from_jtv() -> None:
    async with stage(edge=OLD) as play:
        assert await play.told("mod", "/ban bob") == [("ban_success", "bob is now banned from this room.")]
        assert await play.told("mod", "/mods") == [("room_mods", "The moderators of this room are: mo2, mod")]
        await play.client("ann", caps="")
        await play.hears("ann")
        lines = await play.says("mod", "/slow 30")
        assert "@slow=30 :tmi.twitch.tv ROOMSTATE #boss" in lines
        assert await play.hears("ann") == [
            ":jtv!jtv@jtv.tmi.twitch.tv PRIVMSG #boss "
            ":This room is now in slow mode. You may send messages every 30 seconds."
        ]
        assert await play.says("ann", "/slowoff") == [
            ":jtv!jtv@jtv.tmi.twitch.tv PRIVMSG #boss :You don't have permission to perform that action."
        ]


@pytest.mark.row("OLD-5")
async def test_what_a_moderator_does() -> None:
    async with stage(edge=OLD) as play:
        await play.hears("ann")
        await play.says("mod", "/timeout bob 60 too rude")
        assert await play.hears("ann") == ["@ban-duration=60;ban-reason=too\\srude :tmi.twitch.tv CLEARCHAT #boss :bob"]
        await play.says("mod", "/clear")
        assert await play.hears("ann") == [":tmi.twitch.tv CLEARCHAT #boss"]


@pytest.mark.row("OLD-3")
@pytest.mark.parametrize(
    ("msg_id", "text", "shown"),
    [
        (
            "host_success_viewers",
            "Ann is now hosting you for up to 5 viewers.",
            "Ann is now hosting you for 5 viewers.",
        ),
        ("host_success", "Ann is now hosting you.", "Ann is now hosting you."),
    ],
)
async def test_the_owner_is_told_who_hosts(msg_id: str, text: str, shown: str) -> None:
    async with stage(edge=OLD) as play:
        await play.says("boss", "first")
        await play.hears("ann")
        tell = Tell("t", 1, "t", 1, text, msg_id=msg_id)
        await play.net.logs["main"].append("boss", tell, stream="stream-main")
        assert await play.hears("boss") == [f":jtv!jtv@jtv.tmi.twitch.tv PRIVMSG boss :{shown}"]
        assert await play.hears("ann") == []


@pytest.mark.row("OLD-6")
async def test_what_happens_around_an_account() -> None:
    async with stage(edge=OLD) as play:
        await play.says("boss", "first")
        await play.client("ann", caps="")
        await play.hears("ann")
        record = UserNotice("u", 1, "u", 1, "resub", SUB, "words", {"cumulative-months": "6"}, "hi")
        await play.net.logs["main"].append("boss", record, stream="stream-main")
        assert await play.hears("ann") == [
            ":twitchnotify!twitchnotify@twitchnotify.tmi.twitch.tv PRIVMSG #boss :Sub subscribed for 6 months in a row!"
        ]
        (line,) = await play.hears("boss")
        assert ";msg-id=resub;msg-param-months=6;" in line
        assert line.endswith(" :tmi.twitch.tv USERNOTICE #boss :hi")


@pytest.mark.row("OLD-7")
@pytest.mark.parametrize(
    ("said", "target"),
    [("TWITCHCLIENT", "kim"), ("TWITCHCLIENT 2", "kim"), ("TWITCHCLIENT 3", "#boss"), ("JTVCLIENT #boss", "kim")],
)
async def test_old_clients_are_told_who_speaks_and_what_is_cleared(said: str, target: str) -> None:
    async with stage(edge=OLD) as play:
        await play.says("boss", "first")
        client = await play.client("kim", caps="")
        client.send(said)
        await play.hears("kim")
        message = Message("m", 1, "m", 1, SUB, "hello")
        await play.net.logs["main"].append("boss", message, stream="stream-main")
        assert await play.hears("kim") == [
            f":jtv PRIVMSG {target} :USERCOLOR sub #0000FF",
            f":jtv PRIVMSG {target} :SPECIALUSER sub subscriber",
            f":jtv PRIVMSG {target} :EMOTESET sub [0]",
            ":sub!sub@sub.tmi.twitch.tv PRIVMSG #boss :hello",
        ]
        (line,) = await play.hears("boss")
        assert line.endswith(" PRIVMSG #boss :hello")
        await play.says("mod", "/timeout bob")
        assert await play.hears("kim") == [f":jtv PRIVMSG {target} :CLEARCHAT bob"]
        assert await play.says("kim", "my own line") == []


@pytest.mark.row("OLD-7")
async def test_old_clients_that_know_clearchat_are_not_told_twice() -> None:
    async with stage(edge=OLD) as play:
        client = await play.client("kim")
        client.send("TWITCHCLIENT 3")
        await play.hears("kim")
        await play.says("mod", "/clear")
        assert await play.hears("kim") == [":tmi.twitch.tv CLEARCHAT #boss"]


@pytest.mark.row("LOGIN-9", "OLD-7")
async def test_in_the_dialect_of_now_old_clients_are_told_nothing() -> None:
    async with stage() as play:
        client = await play.client("kim", caps="")
        client.send("TWITCHCLIENT 3")
        await play.hears("kim")
        await play.says("mod", "hello")
        assert await play.hears("kim") == [":mod!mod@mod.tmi.twitch.tv PRIVMSG #boss :hello"]
