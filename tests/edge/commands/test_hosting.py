"""Hosting and raiding, over real connections."""

from __future__ import annotations

import pytest

from godwit.edge.commands import hosting
from godwit.errors import StoreUnavailable
from godwit.values import Placement
from tests.edge.commands.stage import Stage, notices, stage

Step = tuple[str, str, str, str]

HOSTING = "Now hosting ann."


@pytest.mark.row("CMD-host", "HOST-1", "NOTICE-host_on", "NOTICE-hosts_remaining")
async def test_a_host_is_shown_to_all_and_the_sender_is_told_what_is_left() -> None:
    async with stage() as room:
        await room.hears("bob")
        await room.hears("boss")
        target, on = ":tmi.twitch.tv HOSTTARGET #boss :ann 2", f"@msg-id=host_on :tmi.twitch.tv NOTICE #boss :{HOSTING}"
        left = "@msg-id=hosts_remaining :tmi.twitch.tv NOTICE #boss :2 host commands remaining this half hour."
        assert await room.says("boss", "/host @Ann") == [target, on, left]
        assert await room.hears("bob") == [target, on]


@pytest.mark.row("CMD-host", "NOTICE-host_success_viewers")
async def test_the_owner_of_the_other_channel_alone_is_told() -> None:
    async with stage() as room:
        ann, fan = await room.net.join("ann", "ann"), await room.net.join("fan", "ann")
        for nick in ("bob", "vic"):
            await room.hears(nick)
        await room.told("boss", "/host ann")
        await room.hears("boss")
        assert notices(await ann.flush(), "ann") == [
            ("host_success_viewers", "boss is now hosting you for up to 3 viewers.")
        ]
        assert await fan.flush() == []


@pytest.mark.row("CMD-host", "NOTICE-host_success")
async def test_the_owner_is_told_of_a_host_without_viewers() -> None:
    async with stage() as room:
        ann, boss = await room.net.join("ann", "ann"), await room.net.login("boss")
        boss.send("PRIVMSG #boss :/host ann")
        await room.net.idle()
        await room.net.idle()
        assert notices(await ann.flush(), "ann") == [("host_success", "boss is now hosting you.")]


@pytest.mark.row("HOST-1", "JOIN-2")
async def test_who_joins_is_told_whom_the_channel_hosts() -> None:
    async with stage() as room:
        await room.told("boss", "/host ann")
        bob = await room.net.login("bob")
        bob.send("JOIN #boss")
        await bob.until("ROOMSTATE")
        assert await bob.flush() == [
            ":tmi.twitch.tv HOSTTARGET #boss :ann -",
            f"@msg-id=host_on :tmi.twitch.tv NOTICE #boss :{HOSTING}",
        ]


@pytest.mark.row(
    "CMD-host",
    "NOTICE-bad_host_self",
    "NOTICE-bad_host_hosting",
    "NOTICE-bad_host_error",
    "NOTICE-bad_host_rejected",
    "NOTICE-bad_host_rate_exceeded",
)
async def test_what_cannot_be_hosted() -> None:
    async with stage() as room:
        bob = await room.net.join("bob", "bob")
        bob.send("PRIVMSG #bob :/ban boss")
        await bob.until("ban_success")
        await room.net.store.set_account("ada", channel_suspended=True)
        await room.play(
            ("boss", "/host boss", "NOTICE-bad_host_self", "A channel cannot host itself."),
            (
                "boss",
                "/host nobody_here",
                "NOTICE-bad_host_error",
                "There was a problem hosting nobody_here. Please try again in a minute.",
            ),
            ("boss", "/host bob", "NOTICE-bad_host_rejected", "This channel is unable to be hosted."),
            ("boss", "/host ada", "NOTICE-bad_host_rejected", "This channel is unable to be hosted."),
            ("mod", "/host ann", "NOTICE-no_permission", "You don't have permission to perform that action."),
        )
        for nick, left in (("ann", 2), ("mod", 1), ("vic", 0)):
            told = await room.told("boss", f"/host {nick}")
            assert told[-1] == ("hosts_remaining", f"{left} host commands remaining this half hour.")
        await room.play(
            ("boss", "/host vic", "NOTICE-bad_host_hosting", "This channel is already hosting vic."),
            (
                "boss",
                "/host ann",
                "NOTICE-bad_host_rate_exceeded",
                "Host target cannot be changed more than 3 times every half hour.",
            ),
        )
        room.net.clock.advance(1801.0)
        await room.net.nodes["main"].compare()
        assert [msg_id for msg_id, _ in await room.told("boss", "/host ann")] == ["host_on", "hosts_remaining"]


@pytest.mark.row("CMD-unhost", "HOST-1", "NOTICE-host_off", "NOTICE-not_hosting")
async def test_unhost() -> None:
    async with stage() as room:
        await room.hears("bob")
        await room.told("boss", "/host ann")
        await room.hears("bob")
        off, text = ":tmi.twitch.tv HOSTTARGET #boss :- 0", ":tmi.twitch.tv NOTICE #boss :Exited host mode."
        assert await room.says("boss", "/unhost") == [off, f"@msg-id=host_off {text}"]
        assert await room.hears("bob") == [off, f"@msg-id=host_off {text}"]
        assert await room.told("boss", "/unhost") == [("not_hosting", "No channel is currently being hosted.")]


async def _wait(room: Stage, seconds: float) -> None:
    """Let all see to what is due in so many seconds of the loop's time; the clock goes on as far."""
    node = room.net.nodes["main"]
    room.net.clock.advance(seconds)
    await node.compare()
    node.sweep(node.loop.time() + seconds)
    await room.net.idle()


RAIDING = 'Raiding ann in 10 seconds. Use "/unraid" to cancel the raid.'


@pytest.mark.row("CMD-raid", "UN-1", "NOTICE-godwit_raid")
async def test_a_raid_goes_when_its_time_has_come() -> None:
    async with stage(edge={"ping_interval": 1000.0}) as room:
        ann = await room.net.join("ann", "ann")
        for nick in ("bob", "vic"):
            await room.hears(nick)
        assert await room.told("boss", "/raid ann") == [("godwit_raid", RAIDING)]
        await _wait(room, 5.0)
        assert await ann.flush() == []
        await _wait(room, 12.0)
        (line,) = await ann.flush()
        assert line.startswith("@badge-info=;badges=;color=;display-name=boss;emotes=;flags=;id=")
        assert ";login=boss;mod=0;msg-id=raid;msg-param-displayName=boss;msg-param-login=boss;" in line
        assert ";msg-param-viewerCount=3;" in line
        assert f";room-id={room.ids['ann']};" in line
        assert ";system-msg=3\\sraiders\\sfrom\\sboss\\shave\\sjoined!;" in line
        assert line.endswith(" :tmi.twitch.tv USERNOTICE #ann")


@pytest.mark.row("CMD-raid")
async def test_a_raid_goes_although_who_ordered_it_has_gone() -> None:
    async with stage(edge={"ping_interval": 1000.0}) as room:
        ann, boss = await room.net.join("ann", "ann"), await room.net.join("boss", "boss")
        boss.send("PRIVMSG #boss :/raid ann")
        await boss.until("godwit_raid")
        boss.close()
        await room.net.until(lambda: room.net.nodes["main"].members("boss") == 0)
        await _wait(room, 12.0)
        (line,) = await ann.flush()
        assert line.endswith(" USERNOTICE #ann")


@pytest.mark.row("CMD-unraid")
async def test_a_raid_can_be_called_off_by_who_comes_back() -> None:
    async with stage(edge={"ping_interval": 1000.0, "raid_delay": 60.0, "linger": 5.0}) as room:
        ann, boss = await room.net.join("ann", "ann"), await room.net.join("boss", "boss")
        boss.send("PRIVMSG #boss :/raid ann", "PART #boss")
        await boss.until("godwit_raid")
        node = room.net.nodes["main"]
        await room.net.until(lambda: node.members("boss") == 0)
        for seconds in (1.0, 8.0):
            node.sweep(node.loop.time() + seconds)
        assert await room.told("boss", "/unraid") == [("unraid_success", "The raid has been cancelled.")]
        await _wait(room, 70.0)
        assert await ann.flush() == []


@pytest.mark.row("CMD-raid")
async def test_a_raid_may_go_at_once() -> None:
    async with stage(edge={"raid_delay": 0.0}) as room:
        ann = await room.net.join("ann", "ann")
        assert [msg_id for msg_id, _ in await room.told("boss", "/raid ann")] == ["godwit_raid"]
        await room.net.idle()
        assert [line.rpartition(" :tmi.twitch.tv ")[2] for line in await ann.flush()] == ["USERNOTICE #ann"]


@pytest.mark.row("CMD-raid", "NOTICE-raid_notice_restricted_chat")
@pytest.mark.parametrize("mode", ["followers", "subscribers"])
async def test_who_raids_is_told_that_the_chat_is_restricted(mode: str) -> None:
    async with stage() as room:
        ann = await room.net.join("ann", "ann")
        ann.send(f"PRIVMSG #ann :/{mode}")
        await ann.until("NOTICE")
        assert await room.told("boss", "/raid ann") == [
            ("godwit_raid", RAIDING),
            ("raid_notice_restricted_chat", "This channel has follower or subscriber only chat."),
        ]


@pytest.mark.row(
    "CMD-raid",
    "NOTICE-raid_error_self",
    "NOTICE-raid_error_unexpected",
    "NOTICE-raid_error_forbidden",
    "NOTICE-raid_error_already_raiding",
)
async def test_what_cannot_be_raided() -> None:
    async with stage() as room:
        bob = await room.net.join("bob", "bob")
        bob.send("PRIVMSG #bob :/ban boss")
        await bob.until("ban_success")
        await room.net.store.set_account("ada", channel_suspended=True)
        await room.play(
            ("boss", "/raid boss", "NOTICE-raid_error_self", "A channel cannot raid itself."),
            (
                "boss",
                "/raid nobody_here",
                "NOTICE-raid_error_unexpected",
                "There was a problem raiding nobody_here. Please try again in a minute.",
            ),
            ("boss", "/raid bob", "NOTICE-raid_error_forbidden", "You cannot raid this channel."),
            ("boss", "/raid ada", "NOTICE-raid_error_forbidden", "You cannot raid this channel."),
            ("mod", "/raid ann", "NOTICE-no_permission", "You don't have permission to perform that action."),
            ("boss", "/raid ann", "NOTICE-godwit_raid", RAIDING),
            ("boss", "/raid vic", "NOTICE-raid_error_already_raiding", "You already have a raid in progress."),
        )


@pytest.mark.row("CMD-unraid", "UN-1", "NOTICE-unraid_success", "NOTICE-unraid_error_no_active_raid")
async def test_a_raid_may_be_called_off_from_any_edge() -> None:
    async with stage(edge={"ping_interval": 1000.0}) as room:
        net = room.net
        none = ("unraid_error_no_active_raid", "You do not have an active raid.")
        assert await room.told("boss", "/unraid") == [none]
        ann = await net.join("ann", "ann")
        await net.another("twin", "main")
        twin = await net.join("boss", "boss", "twin")
        await room.told("boss", "/raid ann")
        twin.send("PRIVMSG #boss :/unraid")
        await net.idle()
        lines = await twin.flush()
        assert notices(lines) == [("unraid_success", "The raid has been cancelled.")]
        (line,) = [line for line in lines if "USERNOTICE" in line]
        assert ";msg-id=unraid;" in line
        assert ";system-msg=The\\sraid\\shas\\sbeen\\scancelled.;" in line
        assert line.endswith(" USERNOTICE #boss")
        assert any("msg-id=unraid" in line for line in await room.hears("boss"))
        await _wait(room, 12.0)
        assert await ann.flush() == []
        assert await room.told("boss", "/unraid") == [none]


@pytest.mark.row("CMD-host", "CMD-raid")
async def test_a_channel_of_which_nothing_is_heard_does_not_hold_up_what_others_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with stage() as room:
        for nick in ("boss", "mod"):
            await room.says(nick, "hi")

        async def silent(channels: object) -> list[Placement]:
            raise StoreUnavailable("down")

        monkeypatch.setattr(hosting, "PATIENCE", 0.0)
        monkeypatch.setattr(room.net.store, "placements", silent)
        (await room.client("boss")).send("PRIVMSG #boss :/host ann", "PRIVMSG #boss :/raid ann")
        assert [msg_id for msg_id, _ in await room.told("mod", "/ban bob")] == ["ban_success"]
        assert [msg_id for msg_id, _ in notices(await room.hears("boss"))] == [
            "bad_host_error",
            "raid_error_unexpected",
        ]
