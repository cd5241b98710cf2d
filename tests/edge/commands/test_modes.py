"""Room settings, over real connections."""

from __future__ import annotations

import pytest

from godwit.edge.commands.modes import told
from tests.edge.commands.stage import notices, stage

Step = tuple[str, str, str, str]

PLAYS: dict[str, list[Step]] = {
    "CMD-slow": [
        (
            "mod",
            "/slow",
            "NOTICE-slow_on",
            "This room is now in slow mode. You may send messages every 30 seconds.",
        ),
        ("mod", "/slow 30", "NOTICE-already_slow_on", "This room is already in 30-second slow mode."),
        (
            "mod",
            "/slow 300",
            "NOTICE-slow_on",
            "This room is now in slow mode. You may send messages every 300 seconds.",
        ),
        (
            "mod",
            "/slow 86401",
            "NOTICE-bad_slow_duration",
            "You cannot set slow delay to more than 86400 seconds.",
        ),
        ("ann", "/slow", "NOTICE-no_permission", "You don't have permission to perform that action."),
    ],
    "CMD-slowoff": [
        ("mod", "/slowoff", "NOTICE-already_slow_off", "This room is not in slow mode."),
        (
            "mod",
            "/slow 5",
            "NOTICE-slow_on",
            "This room is now in slow mode. You may send messages every 5 seconds.",
        ),
        ("mod", "/slowoff", "NOTICE-slow_off", "This room is no longer in slow mode."),
    ],
    "CMD-followers": [
        ("mod", "/followers", "NOTICE-followers_on_zero", "This room is now in followers-only mode."),
        (
            "mod",
            "/followers",
            "NOTICE-already_followers_on",
            "This room is already in 0 minutes followers-only mode.",
        ),
        (
            "mod",
            "/followers 30",
            "NOTICE-followers_on",
            "This room is now in 30 minutes followers-only mode.",
        ),
        (
            "mod",
            "/followers 30m",
            "NOTICE-already_followers_on",
            "This room is already in 30 minutes followers-only mode.",
        ),
        ("mod", "/followers 1 week", "NOTICE-followers_on", "This room is now in 1 week followers-only mode."),
        (
            "mod",
            "/followers 5 days 12 hours",
            "NOTICE-followers_on",
            "This room is now in 5 days 12 hours followers-only mode.",
        ),
    ],
    "CMD-followersoff": [
        ("mod", "/followersoff", "NOTICE-already_followers_off", "This room is not in followers-only mode."),
        ("mod", "/followers 0", "NOTICE-followers_on_zero", "This room is now in followers-only mode."),
        ("mod", "/followersoff", "NOTICE-followers_off", "This room is no longer in followers-only mode."),
    ],
    "CMD-subscribers": [
        ("mod", "/subscribers", "NOTICE-subs_on", "This room is now in subscribers-only mode."),
        ("mod", "/subscribers", "NOTICE-already_subs_on", "This room is already in subscribers-only mode."),
    ],
    "CMD-subscribersoff": [
        ("mod", "/subscribersoff", "NOTICE-already_subs_off", "This room is not in subscribers-only mode."),
        ("mod", "/subscribers", "NOTICE-subs_on", "This room is now in subscribers-only mode."),
        ("mod", "/subscribersoff", "NOTICE-subs_off", "This room is no longer in subscribers-only mode."),
    ],
    "CMD-emoteonly": [
        ("mod", "/emoteonly", "NOTICE-emote_only_on", "This room is now in emote-only mode."),
        ("mod", "/emoteonly", "NOTICE-already_emote_only_on", "This room is already in emote-only mode."),
    ],
    "CMD-emoteonlyoff": [
        ("mod", "/emoteonlyoff", "NOTICE-already_emote_only_off", "This room is not in emote-only mode."),
        ("mod", "/emoteonly", "NOTICE-emote_only_on", "This room is now in emote-only mode."),
        ("mod", "/emoteonlyoff", "NOTICE-emote_only_off", "This room is no longer in emote-only mode."),
    ],
    "CMD-uniquechat": [
        ("mod", "/uniquechat", "NOTICE-r9k_on", "This room is now in r9k mode."),
        ("mod", "/r9kbeta", "NOTICE-already_r9k_on", "This room is already in r9k mode."),
    ],
    "CMD-uniquechatoff": [
        ("mod", "/r9kbetaoff", "NOTICE-already_r9k_off", "This room is not in r9k mode."),
        ("mod", "/r9kbeta", "NOTICE-r9k_on", "This room is now in r9k mode."),
        ("mod", "/uniquechatoff", "NOTICE-r9k_off", "This room is no longer in r9k mode."),
        ("mod", ".r9kbeta", "NOTICE-r9k_on", "This room is now in r9k mode."),
        ("mod", ".r9kbetaoff", "NOTICE-r9k_off", "This room is no longer in r9k mode."),
    ],
}


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(steps, id=command, marks=pytest.mark.row(command, *{row for _, _, row, _ in steps}))
        for command, steps in PLAYS.items()
    ],
)
async def test_every_outcome_of_a_command(steps: list[Step]) -> None:
    async with stage() as room:
        await room.play(*steps)


@pytest.mark.row("STATE-3", "NOTICE-8", "CMD-slow")
async def test_everybody_is_told_of_a_change_and_who_made_it_once() -> None:
    async with stage() as room:
        await room.hears("ann")
        lines = await room.says("mod", "/slow 20")
        state = f"@room-id={room.ids['boss']};slow=20 :tmi.twitch.tv ROOMSTATE #boss"
        notice = (
            "@msg-id=slow_on :tmi.twitch.tv NOTICE #boss "
            ":This room is now in slow mode. You may send messages every 20 seconds."
        )
        assert lines == [state, notice]
        assert await room.hears("ann") == [state, notice]


@pytest.mark.row("NOTICE-8", "MSG-5")
async def test_who_changes_a_setting_without_having_joined_is_told() -> None:
    async with stage() as room:
        mod = await room.net.login("mod")
        mod.send("PRIVMSG #boss :/emoteonly")
        await room.net.idle()
        assert notices(await mod.flush()) == [("emote_only_on", "This room is now in emote-only mode.")]


@pytest.mark.row("NOTICE-1")
async def test_without_the_capability_it_is_done_and_nothing_is_told() -> None:
    async with stage() as room:
        mod = await room.client("mod", caps="")
        mod.send("PRIVMSG #boss :/slow 20")
        assert await room.hears("mod") == []
        assert room.net.nodes["main"].room("boss").channel.settings == {"slow": 20}


@pytest.mark.row("CMD-slow")
async def test_the_row_of_a_change_has_the_setting_and_its_value() -> None:
    """Rule R2."""
    async with stage() as room:
        await room.told("mod", "/slow 20")
        (row,) = [row for row in await room.net.store.sanctions("boss") if row.kind == "set"]
        assert (row.target, row.seconds, row.by, row.position is None) == ("slow", 20, "mod", False)


@pytest.mark.parametrize(
    ("settings", "ids"),
    [
        ({"slow": 5, "r9k": 0}, ["slow_on", "r9k_off"]),
        ({"followers-only": 0}, ["followers_on_zero"]),
        ({"rituals": 1}, []),
    ],
)
def test_what_is_told_of_settings(settings: dict[str, int], ids: list[str]) -> None:
    assert [msg_id for msg_id, _ in told(settings)] == ids
