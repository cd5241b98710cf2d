"""The table of commands: who may, what is missing, what counts, what waits."""

from __future__ import annotations

from random import Random

import pytest
from structlog.testing import capture_logs

from godwit.edge.commands.table import COMMANDS, Who
from godwit.edge.notices import TEXTS
from godwit.errors import StoreUnavailable
from tests.edge.commands.stage import notices, stage

USAGE: dict[str, tuple[str, ...]] = {
    "NOTICE-usage_ban": ("/ban",),
    "NOTICE-usage_unban": ("/unban",),
    "NOTICE-usage_timeout": ("/timeout", "/timeout ann soon", "/timeout ann 0", "/timeout ann -5"),
    "NOTICE-usage_untimeout": ("/untimeout",),
    "NOTICE-usage_clear": ("/clear everything",),
    "NOTICE-usage_delete": ("/delete",),
    "NOTICE-usage_slow_on": ("/slow soon", "/slow 0", "/slow -1"),
    "NOTICE-usage_slow_off": ("/slowoff now",),
    "NOTICE-usage_followers_on": ("/followers soon", "/followers 4 months", "/followers 129601"),
    "NOTICE-usage_followers_off": ("/followersoff now",),
    "NOTICE-usage_subs_on": ("/subscribers now",),
    "NOTICE-usage_subs_off": ("/subscribersoff now",),
    "NOTICE-usage_emote_only_on": ("/emoteonly now",),
    "NOTICE-usage_emote_only_off": ("/emoteonlyoff now",),
    "NOTICE-usage_r9k_on": ("/r9kbeta now", "/uniquechat now"),
    "NOTICE-usage_r9k_off": ("/r9kbetaoff now", "/uniquechatoff now"),
    "NOTICE-usage_mod": ("/mod",),
    "NOTICE-usage_unmod": ("/unmod",),
    "NOTICE-usage_mods": ("/mods please",),
    "NOTICE-usage_vip": ("/vip",),
    "NOTICE-usage_unvip": ("/unvip",),
    "NOTICE-usage_vips": ("/vips please",),
    "NOTICE-usage_host": ("/host",),
    "NOTICE-usage_unhost": ("/unhost ann",),
    "NOTICE-usage_raid": ("/raid",),
    "NOTICE-usage_unraid": ("/unraid ann",),
    "NOTICE-usage_commercial": ("/commercial soon", "/commercial 0"),
    "NOTICE-usage_announce": ("/announce", "/announcegreen"),
    "NOTICE-usage_color": ("/color",),
    "NOTICE-usage_me": ("/me", ".me"),
    "NOTICE-usage_disconnect": ("/disconnect now",),
    "NOTICE-usage_help": ("/help help",),
}


@pytest.mark.row(*USAGE)
async def test_how_commands_are_used() -> None:
    async with stage() as room:
        for row, typed in USAGE.items():
            msg_id = row.removeprefix("NOTICE-")
            for text in typed:
                told = await room.told("boss", text)
                assert told == [(msg_id, TEXTS[msg_id].format(number=30))], text
                assert told[0][1].startswith('Usage: "/')
        assert {row.kind for row in await room.net.store.sanctions("boss")} == {"mod", "vip"}


@pytest.mark.row("NOTICE-no_permission")
async def test_who_may_what() -> None:
    """A command without its words is explained to who may use it, and refused to who may not."""
    few, some, every = {Who.ANYBODY}, {Who.ANYBODY, Who.MODERATOR}, set(Who)
    allowed = {"ann": few, "vic": few, "mod": some, "gil": some, "boss": every, "sue": every, "ada": every}
    async with stage() as room:
        for nick, who in allowed.items():
            for name, command in COMMANDS.items():
                if command.scoped and command.least:
                    told = [msg_id for msg_id, _ in await room.told(nick, f"/{name}")]
                    assert told == [command.usage if command.who in who else "no_permission"], (nick, name)


@pytest.mark.row("CMD-help", "NOTICE-cmds_available", "NOTICE-no_help", "NOTICE-usage_ban", "NOTICE-usage_w")
async def test_help_says_what_one_may_use() -> None:
    async with stage() as room:
        head = "Commands available to you in this room (use /help <command> for details): "
        ((msg_id, text),) = await room.told("ann", "/help")
        assert msg_id == "cmds_available"
        assert text == head + "/mods /vips /help /color /me /w /disconnect"
        ((_, text),) = await room.told("mod", "/help")
        assert "/ban " in text
        assert "/raid" not in text
        ((_, text),) = await room.told("boss", "/help")
        assert text == head + " ".join(f"/{name}" for name in COMMANDS)
        assert len(text) < 500
        assert await room.told("ann", "/help /BAN") == [("usage_ban", TEXTS["usage_ban"])]
        assert await room.told("ann", "/help w") == [("usage_w", 'Usage: "/w <login> <message>" - Whisper to a user.')]
        assert await room.told("ann", "/help dance") == [("no_help", "No help available.")]


@pytest.mark.row("NOTICE-unrecognized_cmd", "MSG-4", "MSG-5")
async def test_commands_that_do_not_exist() -> None:
    async with stage() as room:
        unknown = [("unrecognized_cmd", "Unrecognized command: /dance")]
        assert await room.told("ann", "/dance") == unknown
        assert await room.told("ann", ".dance all night", "jtv") == unknown


@pytest.mark.row("CMD-3")
async def test_words_too_many_are_ignored() -> None:
    async with stage() as room:
        assert [msg_id for msg_id, _ in await room.told("boss", "/mod ann and bob")] == ["mod_success"]
        assert [msg_id for msg_id, _ in await room.told("mod", "/slow 5 please")] == ["slow_on"]


@pytest.mark.row("LIMIT-7")
async def test_commands_that_do_not_exist_count_too() -> None:
    async with stage(limits={"preset": "now"}) as room:
        ann = await room.client("ann")
        ann.send(*["PRIVMSG #boss :/dance"] * 21)
        assert len(notices(await room.hears("ann"))) == 20


@pytest.mark.row("NOTICE-unrecognized_cmd")
async def test_the_cluster_of_group_chat_takes_only_what_is_not_about_a_channel() -> None:
    async with stage() as room:
        boss = await room.net.login("boss", "group")
        boss.send("PRIVMSG #boss :/ban ann", "PRIVMSG #jtv :/color red")
        await room.net.idle()
        lines = await boss.flush()
        assert notices(lines) == [("unrecognized_cmd", "Unrecognized command: /ban")]
        assert notices(lines, "jtv") == [("color_changed", "Your color has been changed.")]


@pytest.mark.row("MSG-11")
async def test_a_command_waits_until_the_room_is_known() -> None:
    async with stage() as room:
        mod = await room.net.login("mod")
        mod.send("PRIVMSG #boss :/mods", "PRIVMSG #boss :/clear")
        await room.net.idle()
        assert notices(await mod.flush()) == [("room_mods", "The moderators of this channel are: mo2, mod")]


@pytest.mark.row("LIMIT-7", "CMD-3")
async def test_commands_count_as_something_said() -> None:
    async with stage(limits={"preset": "now"}) as room:
        ann = await room.client("ann")
        ann.send(*["PRIVMSG #boss :/mods"] * 21)
        await room.net.idle()
        assert len(notices(await room.hears("ann"))) == 20
        mod = await room.client("mod")
        mod.send(*["PRIVMSG #boss :/mods"] * 21)
        await room.net.idle()
        assert len(notices(await room.hears("mod"))) == 21


@pytest.mark.row("LIMIT-8")
async def test_in_2016_too_many_commands_end_the_connection() -> None:
    async with stage(limits={"preset": "2016"}) as room:
        ann = await room.client("ann")
        ann.send(*["PRIVMSG #boss :/mods"] * 20)
        assert len(notices(await room.hears("ann"))) == 20
        ann.send("PRIVMSG #boss :/mods")
        assert await ann.rest() == []


@pytest.mark.row("LIMIT-2")
async def test_what_waits_is_bounded() -> None:
    async with stage(edge={"pending_per_sender": 2}) as room:
        mod = await room.net.login("mod")
        mod.send(*["PRIVMSG #boss :/mods"] * 3)
        await room.net.idle()
        assert sorted(msg_id for msg_id, _ in notices(await mod.flush())) == ["msg_ratelimit", "room_mods", "room_mods"]


@pytest.mark.row("SAY-suspended", "NOTICE-msg_suspended", "CMD-disconnect")
async def test_a_suspended_account_may_only_go() -> None:
    async with stage() as room:
        await room.net.store.set_account("mod", suspended=True)
        told = [("msg_suspended", "Your account has been suspended.")]
        for text in ("/ban ann", "/color red", "/mods"):
            assert await room.told("mod", text) == told
        mod = await room.client("mod")
        mod.send("PRIVMSG #jtv :/disconnect")
        assert await mod.rest() == []


@pytest.mark.row("SAY-suspended", "NOTICE-msg_channel_suspended")
async def test_in_a_suspended_channel_nothing_is_done() -> None:
    async with stage() as room:
        mod = await room.net.login("mod")
        await room.net.store.set_account("boss", channel_suspended=True)
        await room.net.nodes["main"].relations.check()
        mod.send("PRIVMSG #boss :/clear", "PRIVMSG #boss :/color red")
        await room.net.idle()
        assert sorted(msg_id for msg_id, _ in notices(await mod.flush())) == ["color_changed", "msg_channel_suspended"]


@pytest.mark.row("CMD-3", "NOTICE-no_permission")
async def test_who_is_no_moderator_any_more_when_the_turn_comes_may_not() -> None:
    async with stage() as room:
        boss, mod = await room.client("boss"), await room.client("mod")
        lock = room.net.nodes["main"].room("boss").moderating
        await lock.acquire()
        boss.send("PRIVMSG #boss :/unmod mod")
        await boss.flush()
        mod.send("PRIVMSG #boss :/ban ann")
        await mod.flush()
        lock.release()
        assert [msg_id for msg_id, _ in notices(await room.hears("mod"))] == ["no_permission"]


@pytest.mark.row("NOTICE-godwit_unavailable")
async def test_a_channel_that_is_given_up_meanwhile_is_told() -> None:
    async with stage() as room:
        node, mod = room.net.nodes["main"], await room.client("mod")
        given_up = node.room("boss")
        await given_up.moderating.acquire()
        mod.send("PRIVMSG #boss :/ban ann")
        await mod.flush()
        given_up.fail()
        given_up.moderating.release()
        await room.net.idle()
        assert [msg_id for msg_id, _ in notices(await mod.flush())] == ["godwit_unavailable"]
        assert await room.net.store.audit_log(subject="boss") == []


@pytest.mark.row(
    "NOTICE-6",
    "NOTICE-godwit_unavailable",
    "NOTICE-bad_host_error",
    "NOTICE-bad_unhost_error",
    "NOTICE-raid_error_unexpected",
    "NOTICE-unraid_error_unexpected",
    "NOTICE-bad_commercial_error",
)
async def test_what_cannot_be_done_now_is_told() -> None:
    async with stage() as room:
        await room.told("boss", "/host ann")
        await room.told("boss", "/raid ann")
        room.net.clock.advance(9.0)
        again = "Please try again in a minute."

        async def down(*args: object, **kwargs: object) -> None:
            raise StoreUnavailable("down")

        room.net.store.add_sanction = room.net.store.audit = down  # type: ignore[method-assign]
        room.net.store.is_live = down  # type: ignore[method-assign, assignment]
        await room.play(
            (
                "boss",
                "/slow",
                "NOTICE-godwit_unavailable",
                "That could not be done now; nothing was changed. Please try again.",
            ),
            ("boss", "/host mod", "NOTICE-bad_host_error", f"There was a problem hosting mod. {again}"),
            ("boss", "/unhost", "NOTICE-bad_unhost_error", f"There was a problem exiting host mode. {again}"),
            ("boss", "/unraid", "NOTICE-unraid_error_unexpected", f"There was a problem stopping the raid. {again}"),
            ("boss", "/commercial", "NOTICE-bad_commercial_error", "Failed to start commercial."),
        )
        room.net.clock.advance(9.0)
        await room.play(
            ("boss", "/raid mod", "NOTICE-raid_error_unexpected", f"There was a problem raiding mod. {again}")
        )


@pytest.mark.row("MSG-4", "MSG-10", "NOTICE-1")
async def test_whatever_is_typed_is_answered_and_breaks_nothing() -> None:
    random = Random(4)
    pieces = [
        "ann",
        "@Boss",
        "mod",
        "sue",
        "nobody_here",
        "no-name",
        "#vic",
        "10",
        "-1",
        "1w",
        "9" * 12,
        "\x00",
        "é",
        "{x}",
        "%s",
    ]
    pieces += ["blue", "#aabbcc", ":", ";", "\\s", "/ban", "x" * 300, ""]
    async with stage() as room:
        node = room.net.nodes["main"]
        with capture_logs() as logs:
            for nick in ("boss", "mod", "ann"):
                for name in [*COMMANDS, "dance"]:
                    for _ in range(3):
                        text = " ".join(random.choices(pieces, k=random.randrange(4)))
                        if name in ("me", "disconnect"):
                            continue
                        heard = await room.says(nick, f"/{name} {text}")
                        assert heard, (nick, name, text)
                        await room.net.idle()
        assert node.counts.sessions_failed == node.counts.channels_failed == 0
        assert [entry for entry in logs if entry["event"] == "task_failed"] == []
