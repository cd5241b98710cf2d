"""What concerns the stream, and announcements, over real connections."""

from __future__ import annotations

import pytest

from tests.edge.commands.stage import stage


@pytest.mark.row("CMD-marker", "NOTICE-godwit_marker", "NOTICE-godwit_offline", "NOTICE-usage_marker")
async def test_markers() -> None:
    async with stage() as room:
        offline = "That can be done while the channel is live only."
        usage = (
            'Usage: "/marker <optional comment>" - Adds a stream marker (with an optional comment, max 140 characters) '
            "at the current timestamp. You can use markers in the Highlighter for easier editing."
        )
        await room.play(("boss", "/marker", "NOTICE-godwit_offline", offline))
        await room.net.store.set_live("boss", True, 0.0)
        await room.play(
            ("boss", "/marker what a play", "NOTICE-godwit_marker", "A stream marker has been added."),
            ("boss", f"/marker {'x' * 141}", "NOTICE-usage_marker", usage),
            ("mod", "/marker", "NOTICE-no_permission", "You don't have permission to perform that action."),
        )
        (line,) = await room.net.store.audit_log(subject="boss", action="marker")
        assert (line.actor, line.details) == ("boss", "what a play")


@pytest.mark.row(
    "CMD-commercial", "NOTICE-commercial_success", "NOTICE-bad_commercial_error", "NOTICE-usage_commercial"
)
async def test_commercials() -> None:
    async with stage() as room:
        usage = (
            'Usage: "/commercial <length>" - Triggers a commercial. Length (optional) must be a positive number of '
            "seconds."
        )
        rest = (
            "second commercial break. Please keep in mind that your stream is still live and not everyone will get a "
            "commercial."
        )
        failed = "Failed to start commercial."
        await room.play(("boss", "/commercial", "NOTICE-bad_commercial_error", failed))
        await room.net.store.set_live("boss", True, 0.0)
        await room.play(
            ("boss", "/commercial", "NOTICE-commercial_success", f"Initiating 30 {rest}"),
            ("boss", "/commercial 60", "NOTICE-commercial_success", f"Initiating 60 {rest}"),
            ("boss", "/commercial 181", "NOTICE-bad_commercial_error", failed),
            ("boss", "/commercial -1", "NOTICE-usage_commercial", usage),
        )
        lines = await room.net.store.audit_log(subject="boss", action="commercial")
        assert [line.details for line in lines] == ["60", "30"]


@pytest.mark.row("CMD-announce", "UN-1", "STATE-1")
@pytest.mark.parametrize(
    ("command", "color"),
    [
        ("announce", "PRIMARY"),
        ("announceblue", "BLUE"),
        ("announcegreen", "GREEN"),
        ("announceorange", "ORANGE"),
        ("announcepurple", "PURPLE"),
    ],
)
async def test_announcements(command: str, color: str) -> None:
    async with stage() as room:
        await room.hears("bob")
        mine = await room.says("mod", f"/{command} Game  night tonight! Kappa")
        (line,) = await room.hears("bob")
        assert f";login=mod;mod=1;msg-id=announcement;msg-param-color={color};" in line
        assert line.endswith(" :tmi.twitch.tv USERNOTICE #boss :Game night tonight! Kappa")
        assert ";emotes=25:20-24;" in line
        assert [line.split(" :tmi.twitch.tv ")[1].split(" ")[0] for line in mine] == ["USERNOTICE", "USERSTATE"]


@pytest.mark.row("CMD-announce", "NOTICE-usage_announce", "NOTICE-no_permission")
async def test_who_may_announce_and_how() -> None:
    async with stage() as room:
        usage = (
            'Usage: "/announce <message>" - Call attention to your message with a highlight. Use "/announceblue", '
            '"/announcegreen", "/announceorange" or "/announcepurple" for another color.'
        )
        await room.play(
            ("mod", "/announce", "NOTICE-usage_announce", usage),
            ("vic", "/announce hi", "NOTICE-no_permission", "You don't have permission to perform that action."),
        )
