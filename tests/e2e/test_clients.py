"""What users of real libraries do, all through the unmodified libraries: what they call, and what they are told."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bots.driver import Bot, bot
from tests.e2e.harness import serve

TOKEN = "stream-server"
TAGS = ("--caps", "twitch.tv/tags", "twitch.tv/commands", "twitch.tv/membership")

# What tmi.js is told to do in #boss by its owner, and what its promise resolves with if that is not the arguments.
CALLS: list[tuple[str, list[Any], Any]] = [
    ("mod", ["#boss", "ann"], None),
    ("mods", ["#boss"], ["ann"]),
    ("unmod", ["#boss", "ann"], None),
    ("mods", ["#boss"], []),
    ("vip", ["#boss", "ann"], None),
    ("vips", ["#boss"], ["ann"]),
    ("unvip", ["#boss", "ann"], None),
    ("vips", ["#boss"], []),
    ("slow", ["#boss", 30], None),
    ("slowoff", ["#boss"], None),
    ("followersonly", ["#boss", 10], None),
    ("followersonlyoff", ["#boss"], None),
    ("subscribers", ["#boss"], None),
    ("subscribersoff", ["#boss"], None),
    ("emoteonly", ["#boss"], None),
    ("emoteonlyoff", ["#boss"], None),
    ("r9kbeta", ["#boss"], None),
    ("r9kbetaoff", ["#boss"], None),
    ("timeout", ["#boss", "ann", 60, "calm down"], None),
    ("unban", ["#boss", "ann"], None),
    ("ban", ["#boss", "ann", "rude"], None),
    ("unban", ["#boss", "ann"], None),
    ("clear", ["#boss"], None),
    ("color", ["Firebrick"], None),
    ("commercial", ["#boss", 30], None),
    ("host", ["#boss", "ann"], ["#boss", "ann", 2]),
    ("unhost", ["#boss"], None),
    ("join", ["#ann"], None),
    ("say", ["#ann", "visiting"], None),
    ("part", ["#ann"], None),
    ("action", ["#boss", "waves"], ["#boss", "\x01ACTION waves\x01"]),
    ("raw", ["PRIVMSG #boss :as it stands"], None),
]

# What comes to nothing, and why.
REFUSED: list[tuple[str, list[Any], str]] = [
    ("ban", ["#boss", "boss"], "bad_ban_self"),
    ("unban", ["#boss", "ann"], "bad_unban_no_ban"),
    ("timeout", ["#boss", "boss", 60], "bad_timeout_self"),
    ("unmod", ["#boss", "ann"], "bad_unmod_mod"),
    ("unvip", ["#boss", "ann"], "bad_unvip_grantee_not_vip"),
    ("emoteonlyoff", ["#boss"], "already_emote_only_off"),
    ("deletemessage", ["#boss", "no-such-id"], "bad_delete_message_error"),
    ("color", ["nocolor"], "usage_color"),
    ("unhost", ["#boss"], "not_hosting"),
    ("host", ["#boss", "nobody_has_this"], "bad_host_error"),
    ("whisper", ["nobody_has_this", "psst"], "whisper_invalid_login"),
]


async def told(listener: Bot, what: str, *args: Any) -> None:
    """Wait until a library has told its user of something, with at least these arguments."""

    def found() -> bool:
        return any(event["args"][: len(args)] == list(args) for event in listener.named("told", what=what))

    await listener.until(found, f"{what} {args}")


@pytest.mark.row("CMD-ban", "CMD-mods", "CMD-vips", "CMD-color", "CMD-w", "CMD-host", "MSG-5", "MSG-10", "GROUP-1")
async def test_tmi_js_has_an_answer_to_all_its_commands(tmp_path: Any) -> None:
    async with (
        serve(tmp_path, f"live.token={TOKEN}") as server,
        bot("tmi", server.ws(), "boss", "boss") as boss,
        bot("tmi", server.ws(), "ann", "boss") as ann,
    ):
        ann.say("good morning")
        said = await boss.message("ann", "good morning")
        assert (await boss.call("deletemessage", "#boss", said["id"]))["value"] == ["#boss"]
        await told(ann, "messagedeleted", "#boss", "ann", "good morning")

        async with server.http() as client:
            answer = await client.post(f"/hooks/live?token={TOKEN}", data={"channel": "boss", "state": "online"})
            assert answer.is_success
        for method, args, value in CALLS:
            result = await boss.call(method, *args)
            assert result.get("value") == (args if value is None else value), (method, result)
        assert (await boss.call("ping"))["value"][0] >= 0.0
        for method, args, error in REFUSED:
            result = await boss.call(method, *args)
            assert result.get("error") == error, (method, result)
        assert (await ann.call("slow", "#boss", 5))["error"] == "no_permission"

        # The library takes silence for success here, so it must not be told to be patient.
        assert (await boss.call("whisper", "ann", "psst", patience=0))["value"] == ["ann", "psst"]
        await ann.event("whisper", text="psst", **{"from": "boss"})

        await ann.message("boss", "as it stands")
        for what, args in (
            ("slowmode", ["#boss", True, 30]),
            ("slowmode", ["#boss", False, 0]),
            ("followersonly", ["#boss", True, 10]),
            ("followersonly", ["#boss", False, 0]),
            ("subscribers", ["#boss", True]),
            ("emoteonly", ["#boss", True]),
            ("r9kbeta", ["#boss", True]),
            ("timeout", ["#boss", "ann", None, 60]),
            ("ban", ["#boss", "ann", None]),
            ("clearchat", ["#boss"]),
            ("hosting", ["#boss", "ann"]),
            ("unhost", ["#boss"]),
        ):
            await told(ann, what, *args)
        assert ("boss", "waves") in ann.heard()


@pytest.mark.row("MSG-7", "CMD-mod", "CMD-timeout", "GROUP-1", "UN-2", "STATE-1", "STATE-2", "STATE-3", "JOIN-4")
async def test_twitchio_and_irc_talk_reply_moderate_and_whisper(tmp_path: Any) -> None:
    async with (
        serve(tmp_path) as server,
        bot("irc", server.tcp(), "boss", "boss", *TAGS) as boss,
        bot("twitchio", server.ws(), "helper", "boss") as helper,
        bot("irc", server.tcp(), "ann", "boss", *TAGS) as ann,
    ):
        # What it is in the room, and the room's settings.
        state = (await boss.event("told", what="userstate"))["tags"]
        assert state["badges"] == "broadcaster/1"
        state = (await ann.event("told", what="roomstate"))["tags"]
        assert (state["slow"], state["followers-only"], state["subs-only"]) == ("0", "-1", "0")

        def names() -> set[str]:
            return {name for event in ann.named("told", what="namreply") for name in event["args"][-1].split()}

        await ann.until(lambda: names() == {"ann", "boss", "helper"}, "NAMES")

        # Replies.
        ann.say("!hello")
        await ann.message("helper", "@ann hello ann")
        (question,) = [event for event in boss.named("message") if event["text"] == "!hello"]
        boss.send(f"@reply-parent-msg-id={question['id']} PRIVMSG #boss :welcome")
        await helper.message("boss", "@ann welcome")

        # A moderator moderates.
        boss.say("/mod helper")
        await boss.event("notice", text="You have added helper as a moderator of this channel.")
        helper.say("/timeout ann 60 too loud")
        await helper.event("notice", id="timeout_success")
        shown = await ann.event("told", what="clearchat")
        assert (shown["args"], shown["tags"]["ban-duration"]) == (["ann"], "60")
        ann.say("may I?")
        await ann.until(lambda: any("You are banned" in e["text"] for e in ann.named("notice")), "msg_timedout")
        helper.say("/untimeout ann")
        await helper.event("notice", id="untimeout_success")
        helper.say("done")
        await ann.message("helper", "done")
        await told(helper, "userstate", "helper", True, {"moderator": "1"})
        boss.say("/slow 30")
        await ann.until(lambda: any(e["tags"].get("slow") == "30" for e in ann.named("told", what="roomstate")), "slow")
        await helper.event("notice", id="slow_on")

        # Whispers, there and back.
        helper.answer({"psst": "yes?"})
        ann.send("PRIVMSG #jtv :/w helper psst")
        await helper.event("whisper", text="psst", **{"from": "ann"})
        await ann.event("whisper", text="yes?", **{"from": "helper"})

        # A subscription.
        async with server.http() as client:
            body = {"kind": "resub", "login": "ann", "text": "again!", "params": {"cumulative-months": "6"}}
            answer = await client.post("/channels/boss/usernotices", json=body)
            assert answer.is_success, answer.text
        shown = await boss.event("told", what="usernotice")
        assert shown["args"] == ["again!"]
        assert shown["tags"]["msg-param-cumulative-months"] == "6"
        await told(helper, "usernotice", "boss", "resub", "ann")
        for each in (boss, helper, ann):
            assert each.named("error") == each.named("disconnected") == [], each.nick
