"""Moderators and VIPs, over real connections."""

from __future__ import annotations

import pytest

from godwit.edge.commands import roles
from tests.edge.commands.stage import stage

Step = tuple[str, str, str, str]

PLAYS: dict[str, list[Step]] = {
    "CMD-mod": [
        ("boss", "/mod ann", "NOTICE-mod_success", "You have added ann as a moderator of this channel."),
        ("boss", "/mod ann", "NOTICE-bad_mod_mod", "ann is already a moderator of this channel."),
        ("boss", "/mod boss", "NOTICE-bad_mod_mod", "boss is already a moderator of this channel."),
        ("sue", "/mod vic", "NOTICE-mod_success", "You have added vic as a moderator of this channel."),
        ("boss", "/vips", "NOTICE-no_vips", "This channel does not have any VIPs."),
        ("boss", "/ban bob", "NOTICE-ban_success", "bob is now banned from this channel."),
        (
            "boss",
            "/mod bob",
            "NOTICE-bad_mod_banned",
            "bob is banned in this channel. You must unban this user before granting mod status.",
        ),
        ("boss", "/mod nobody_here", "NOTICE-invalid_user", "Invalid username: nobody_here"),
        ("mod", "/mod ann", "NOTICE-no_permission", "You don't have permission to perform that action."),
        ("gil", "/mod ann", "NOTICE-no_permission", "You don't have permission to perform that action."),
        (
            "ann",
            "/timeout vic",
            "NOTICE-bad_timeout_mod",
            "You cannot timeout moderator vic unless you are the owner of this channel.",
        ),
    ],
    "CMD-unmod": [
        ("boss", "/unmod mod", "NOTICE-unmod_success", "You have removed mod as a moderator of this channel."),
        ("boss", "/unmod mod", "NOTICE-bad_unmod_mod", "mod is not a moderator of this channel."),
        ("boss", "/unmod vic", "NOTICE-bad_unmod_mod", "vic is not a moderator of this channel."),
        ("mod", "/clear", "NOTICE-no_permission", "You don't have permission to perform that action."),
    ],
    "CMD-mods": [
        ("ann", "/mods", "NOTICE-room_mods", "The moderators of this channel are: mo2, mod"),
        ("boss", "/unmod mo2", "NOTICE-unmod_success", "You have removed mo2 as a moderator of this channel."),
        ("boss", ".mods", "NOTICE-room_mods", "The moderators of this channel are: mod"),
        ("boss", "/unmod mod", "NOTICE-unmod_success", "You have removed mod as a moderator of this channel."),
        ("ann", "/mods", "NOTICE-no_mods", "There are no moderators of this channel."),
    ],
    "CMD-vip": [
        ("boss", "/vip ann", "NOTICE-vip_success", "You have added ann as a VIP of this channel."),
        ("boss", "/vip ann", "NOTICE-bad_vip_grantee_already_vip", "ann is already a VIP of this channel."),
        ("boss", "/vip mod", "NOTICE-vip_success", "You have added mod as a VIP of this channel."),
        ("boss", "/mods", "NOTICE-room_mods", "The moderators of this channel are: mo2"),
        ("boss", "/ban bob", "NOTICE-ban_success", "bob is now banned from this channel."),
        (
            "boss",
            "/vip bob",
            "NOTICE-bad_vip_grantee_banned",
            "bob is banned in this channel. You must unban this user before granting VIP status.",
        ),
        ("mo2", "/vip bob", "NOTICE-no_permission", "You don't have permission to perform that action."),
    ],
    "CMD-unvip": [
        ("boss", "/unvip vic", "NOTICE-unvip_success", "You have removed vic as a VIP of this channel."),
        ("boss", "/unvip vic", "NOTICE-bad_unvip_grantee_not_vip", "vic is not a VIP of this channel."),
        ("boss", "/unvip mod", "NOTICE-bad_unvip_grantee_not_vip", "mod is not a VIP of this channel."),
    ],
    "CMD-vips": [
        ("ann", "/vips", "NOTICE-vips_success", "The VIPs of this channel are: vic."),
        ("boss", "/vip ann", "NOTICE-vip_success", "You have added ann as a VIP of this channel."),
        ("ann", "/vips", "NOTICE-vips_success", "The VIPs of this channel are: ann, vic."),
        ("boss", "/unvip vic", "NOTICE-unvip_success", "You have removed vic as a VIP of this channel."),
        ("boss", "/unvip ann", "NOTICE-unvip_success", "You have removed ann as a VIP of this channel."),
        ("ann", "/vips", "NOTICE-no_vips", "This channel does not have any VIPs."),
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


@pytest.mark.row("CMD-vip", "NOTICE-bad_vip_max_vips_reached")
async def test_a_channel_has_so_many_vips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roles, "MOST_VIPS", 2)
    async with stage() as room:
        await room.play(
            ("boss", "/vip ann", "NOTICE-vip_success", "You have added ann as a VIP of this channel."),
            (
                "boss",
                "/vip bob",
                "NOTICE-bad_vip_max_vips_reached",
                "This channel has 2 VIPs, and cannot have more.",
            ),
        )


@pytest.mark.row("CMD-mod", "CMD-3")
async def test_two_commands_at_once_are_decided_one_after_the_other() -> None:
    async with stage() as room:
        boss = await room.client("boss")
        boss.send(
            "PRIVMSG #boss :/mod ann", "PRIVMSG #boss :/mods", "PRIVMSG #boss :/mod ann", "PRIVMSG #boss :/unmod ann"
        )
        await room.net.idle()
        lines = [line for line in await room.hears("boss") if "NOTICE" in line]
        assert sorted(line.split(" :")[0] for line in lines) == [
            "@msg-id=bad_mod_mod",
            "@msg-id=mod_success",
            "@msg-id=room_mods",
            "@msg-id=unmod_success",
        ]
        assert any(line.endswith(": ann, mo2, mod") for line in lines)


@pytest.mark.row("CMD-mod")
async def test_a_role_holds_on_every_edge_and_after_a_move() -> None:
    """Rule R2."""
    async with stage() as room:
        net = room.net
        await room.told("boss", "/mod ann")
        await net.move("boss", "aws")
        await (await room.client("boss")).until("SERVERCHANGE")
        ann = await net.login("ann", "aws")
        ann.send("PRIVMSG #boss :/timeout bob 5")
        assert (await ann.until("NOTICE"))[-1].endswith(":bob has been timed out for 5 seconds.")
