"""Commands about oneself, over real connections."""

from __future__ import annotations

import pytest

from godwit.edge.commands.own import COLORS
from godwit.edge.notices import TEXTS
from tests.edge.commands.stage import stage

CHANGED = "Your color has been changed."


@pytest.mark.row("CMD-color", "NOTICE-color_changed", "NOTICE-usage_color")
async def test_colors() -> None:
    async with stage() as room:
        usage = TEXTS["usage_color"]
        await room.play(
            ("ann", "/color Blue", "NOTICE-color_changed", CHANGED),
            ("ann", "/color #a1b2c3", "NOTICE-color_changed", CHANGED),
            ("ann", "/color", "NOTICE-usage_color", usage),
            ("ann", "/color Mauve", "NOTICE-usage_color", usage),
            ("ann", "/color #12345", "NOTICE-usage_color", usage),
        )
        account = await room.net.store.account("ann")
        assert account
        assert account.color == "#A1B2C3"


@pytest.mark.row("CMD-color", "STATE-1", "MSG-6")
async def test_what_is_said_next_has_the_new_color() -> None:
    async with stage() as room:
        await room.hears("bob")
        await room.told("ann", ".color hotpink")
        assert ";color=#FF69B4;" in (await room.says("ann", "look"))[-1]
        assert ";color=#FF69B4;" in (await room.hears("bob"))[-1]


@pytest.mark.row("CMD-color", "MSG-5")
async def test_any_channel_will_do() -> None:
    async with stage() as room:
        assert await room.told("ann", "/color Red", "tmijs") == [("color_changed", CHANGED)]


@pytest.mark.row("CMD-color", "NOTICE-turbo_only_color")
async def test_any_color_may_be_for_turbo_alone() -> None:
    async with stage(edge={"turbo_colors": True}) as room:
        await room.net.store.set_account("bob", badges=("turbo/1",))
        names = (
            "Blue, BlueViolet, CadetBlue, Chocolate, Coral, DodgerBlue, Firebrick, GoldenRod, Green, HotPink, "
            "OrangeRed, Red, SeaGreen, SpringGreen, YellowGreen"
        )
        await room.play(
            (
                "ann",
                "/color #a1b2c3",
                "NOTICE-turbo_only_color",
                f"Only turbo users can specify an arbitrary hex color. Use one of the following instead: {names}.",
            ),
            ("ann", "/color GoldenRod", "NOTICE-color_changed", CHANGED),
            ("bob", "/color #a1b2c3", "NOTICE-color_changed", CHANGED),
        )


def test_the_usage_names_every_color() -> None:
    assert all(name in TEXTS["usage_color"] for name in COLORS)


@pytest.mark.row("CMD-me", "NOTICE-usage_me", "MSG-3")
async def test_me() -> None:
    async with stage() as room:
        await room.hears("bob")
        usage = 'Usage: "/me <message>" - Send an "emote" message in the third person.'
        assert await room.told("ann", "/me") == [("usage_me", usage)]
        await room.says("ann", "/me waves")
        assert [line.split(" PRIVMSG ")[-1] for line in await room.hears("bob")] == ["#boss :\x01ACTION waves\x01"]


@pytest.mark.row("CMD-disconnect", "NOTICE-usage_disconnect")
async def test_disconnect() -> None:
    async with stage() as room:
        usage = 'Usage: "/disconnect" - Reconnects to chat.'
        assert await room.told("ann", "/disconnect now", "jtv") == [("usage_disconnect", usage)]
        ann = await room.client("ann")
        ann.send("PRIVMSG #jtv :/disconnect")
        assert await ann.rest() == []


@pytest.mark.row(
    "CMD-w", "NOTICE-whisper_invalid_args", "NOTICE-whisper_invalid_login", "NOTICE-whisper_invalid_self", "MSG-5"
)
async def test_whispers() -> None:
    async with stage() as room:
        usage = "Usage: <login> <message>"
        assert await room.told("ann", "/w @Bob  hello  there", "jtv") == []
        assert await room.told("ann", "/w", "jtv") == [("whisper_invalid_args", usage)]
        assert await room.told("ann", "/w bob", "jtv") == [("whisper_invalid_args", usage)]
        assert await room.told("ann", "/w nobody_here hi") == [
            ("whisper_invalid_login", "No user matching that login.")
        ]
        assert await room.told("ann", "/w ann hi") == [("whisper_invalid_self", "You cannot whisper to yourself.")]


@pytest.mark.row("NOTICE-unrecognized_cmd", "GROUP-2")
async def test_in_the_dialect_of_2016_there_are_no_whispers_but_in_group_chat() -> None:
    async with stage(edge={"dialect": {"main": "2016"}}) as room:
        assert await room.told("ann", "/w bob hello", "jtv") == [("unrecognized_cmd", "Unrecognized command: /w")]
