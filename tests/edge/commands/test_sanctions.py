"""Bans, timeouts, their ends, and lines that are removed, over real connections."""

from __future__ import annotations

import asyncio

import pytest

from godwit.errors import StoreUnavailable
from godwit.store.base import Sanction
from godwit.values import Account
from tests.edge.commands.stage import Stage, stage

Step = tuple[str, str, str, str]

BANNED = "ann is now banned from this channel."
SILENT = "ann has been timed out for 600 seconds."
ABUSE = "Please email support@twitch.tv if"

PLAYS: dict[str, list[Step]] = {
    "CMD-ban": [
        ("mod", "/ban ann being rude", "NOTICE-ban_success", BANNED),
        ("mod", "/ban ann", "NOTICE-already_banned", "ann is already banned in this channel."),
        ("mod", "/ban mod", "NOTICE-bad_ban_self", "You cannot ban yourself."),
        ("boss", "/ban boss", "NOTICE-bad_ban_self", "You cannot ban yourself."),
        ("mod", "/ban boss", "NOTICE-bad_ban_broadcaster", "You cannot ban the broadcaster."),
        ("sue", "/ban boss", "NOTICE-bad_ban_broadcaster", "You cannot ban the broadcaster."),
        (
            "mod",
            "/ban mo2",
            "NOTICE-bad_ban_mod",
            "You cannot ban moderator mo2 unless you are the owner of this channel.",
        ),
        (
            "boss",
            "/ban sue",
            "NOTICE-bad_ban_staff",
            f"You cannot ban staff sue. {ABUSE} a staff member is being abusive.",
        ),
        ("mod", "/ban ada", "NOTICE-bad_ban_admin", f"You cannot ban admin ada. {ABUSE} an admin is being abusive."),
        (
            "mod",
            "/ban gil",
            "NOTICE-bad_ban_global_mod",
            f"You cannot ban global moderator gil. {ABUSE} a global moderator is being abusive.",
        ),
        ("mod", "/ban justinfan12", "NOTICE-bad_ban_anon", "You cannot ban anonymous users."),
        ("mod", "/ban nobody_here", "NOTICE-invalid_user", "Invalid username: nobody_here"),
        ("mod", "/ban no-name", "NOTICE-invalid_user", "Invalid username: no-name"),
        ("ann", "/ban bob", "NOTICE-no_permission", "You don't have permission to perform that action."),
    ],
    "CMD-unban": [
        ("mod", "/unban ann", "NOTICE-bad_unban_no_ban", "ann is not banned from this channel."),
        ("mod", "/ban ann", "NOTICE-ban_success", BANNED),
        ("mod", "/unban @Ann", "NOTICE-unban_success", "ann is no longer banned from this channel."),
        ("mod", "/timeout ann", "NOTICE-timeout_success", SILENT),
        ("mod", "/unban ann", "NOTICE-untimeout_success", "ann is no longer timed out in this channel."),
        ("mod", "/unban nobody_here", "NOTICE-invalid_user", "Invalid username: nobody_here"),
        ("vic", "/unban ann", "NOTICE-no_permission", "You don't have permission to perform that action."),
    ],
    "CMD-timeout": [
        ("mod", "/timeout ann", "NOTICE-timeout_success", SILENT),
        ("gil", ".timeout ann 1d2h spam", "NOTICE-timeout_success", "ann has been timed out for 93600 seconds."),
        ("mod", "/timeout ann 2w", "NOTICE-timeout_success", "ann has been timed out for 1209600 seconds."),
        (
            "mod",
            "/timeout ann 1209601",
            "NOTICE-bad_timeout_duration",
            "You cannot time a user out for more than 2 weeks.",
        ),
        ("mod", "/timeout mod", "NOTICE-bad_timeout_self", "You cannot timeout yourself."),
        ("mod", "/timeout boss", "NOTICE-bad_timeout_broadcaster", "You cannot timeout the broadcaster."),
        (
            "mod",
            "/timeout mo2",
            "NOTICE-bad_timeout_mod",
            "You cannot timeout moderator mo2 unless you are the owner of this channel.",
        ),
        (
            "mod",
            "/timeout sue",
            "NOTICE-bad_timeout_staff",
            f"You cannot timeout staff sue. {ABUSE} a staff member is being abusive.",
        ),
        (
            "mod",
            "/timeout ada",
            "NOTICE-bad_timeout_admin",
            f"You cannot timeout admin ada. {ABUSE} an admin is being abusive.",
        ),
        (
            "mod",
            "/timeout gil",
            "NOTICE-bad_timeout_global_mod",
            f"You cannot timeout global moderator gil. {ABUSE} a global moderator is being abusive.",
        ),
        ("mod", "/timeout justinfan12", "NOTICE-bad_timeout_anon", "You cannot timeout anonymous users."),
        ("boss", "/timeout mo2 5", "NOTICE-timeout_success", "mo2 has been timed out for 5 seconds."),
        ("mod", "/ban bob", "NOTICE-ban_success", "bob is now banned from this channel."),
        ("mod", "/timeout bob", "NOTICE-already_banned", "bob is already banned in this channel."),
    ],
    "CMD-untimeout": [
        ("mod", "/untimeout ann", "NOTICE-timeout_no_timeout", "ann is not timed out from this channel."),
        ("mod", "/timeout ann", "NOTICE-timeout_success", SILENT),
        ("mod", "/untimeout ann", "NOTICE-untimeout_success", "ann is no longer timed out in this channel."),
        ("mod", "/ban ann", "NOTICE-ban_success", BANNED),
        (
            "mod",
            "/untimeout ann",
            "NOTICE-untimeout_banned",
            'ann is permanently banned. Use "/unban" to remove a ban.',
        ),
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


@pytest.mark.row("CLEAR-1", "NOTICE-msg_banned", "MSG-4")
async def test_a_ban_is_shown_to_all_and_told_to_who_is_banned() -> None:
    async with stage() as room:
        await room.hears("bob")
        await room.told("mod", "/ban ann being rude")
        (line,) = await room.hears("bob")
        assert f"target-user-id={room.ids['ann']};" in line
        assert "ban-duration" not in line
        assert line.endswith(":tmi.twitch.tv CLEARCHAT #boss :ann")
        assert await room.told("ann", "why") == [("msg_banned", "You are permanently banned from talking in boss.")]
        assert await room.hears("bob") == []


@pytest.mark.row("CMD-3")
async def test_the_store_has_the_row_with_its_place_and_the_audit_says_who_and_why() -> None:
    """Rule R2."""
    async with stage() as room:
        await room.told("mod", "/ban ann spam and lies")
        row = (await room.net.store.sanctions("boss"))[-1]
        assert (row.kind, row.target_login, row.by, row.reason) == ("ban", "ann", "mod", "spam and lies")
        assert row.position is not None
        assert row.position.epoch == 1
        (line,) = await room.net.store.audit_log(subject="boss")
        assert (line.actor, line.action, line.reason, line.details) == ("mod", "ban", "spam and lies", "ann")


@pytest.mark.row("CMD-ban")
@pytest.mark.parametrize(("nick", "act"), [("mo2", "unmod"), ("vic", "unvip")])
async def test_who_is_banned_has_no_role_any_more(nick: str, act: str) -> None:
    async with stage() as room:
        assert [msg_id for msg_id, _ in await room.told("boss", f"/ban {nick}")] == ["ban_success"]
        channel = room.net.nodes["main"].room("boss").channel
        assert channel.role(room.ids[nick]) == ""
        await room.told("boss", f"/unban {nick}")
        assert channel.role(room.ids[nick]) == ""
        assert [row.kind for row in await room.net.store.sanctions("boss") if row.target == room.ids[nick]] == [
            act,
            "lift",
        ]


async def test_a_ban_whose_place_is_not_stored_yet_is_kept_by_who_begins_to_read_later() -> None:
    """Rule R3."""
    async with stage() as room:
        net = room.net

        async def place_sanction(*arguments: object) -> None:
            raise StoreUnavailable("away")

        net.store.place_sanction = place_sanction  # type: ignore[method-assign, assignment]
        await room.told("boss", "/ban ann")
        await net.move("boss", "aws")
        await (await room.client("boss")).until("SERVERCHANGE")
        assert [row.position for row in await net.store.sanctions("boss") if row.kind == "ban"] == [None]
        assert net.nodes["aws"].statistics().channels == 0
        late, ann = await net.join("late", "boss", "aws"), await net.login("ann", "aws")
        ann.send("PRIVMSG #boss :here I am again")
        assert "msg-id=msg_banned" in (await ann.until("NOTICE"))[-1]
        assert await late.flush() == []


@pytest.mark.row("CLEAR-1", "NOTICE-msg_timedout")
async def test_a_timeout_says_how_long_and_ends() -> None:
    async with stage() as room:
        net = room.net
        await room.hears("bob")
        await room.told("mod", "/timeout ann 1m30s")
        assert "ban-duration=90;" in (await room.hears("bob"))[-1]
        net.clock.advance(60.0)
        await net.nodes["main"].compare()
        assert await room.told("ann", "sorry") == [
            ("msg_timedout", "You are banned from talking in boss for 30 more seconds.")
        ]
        net.clock.advance(40.0)
        await net.nodes["main"].compare()
        await room.says("ann", "back")
        assert [line.split(" :")[-1] for line in await room.hears("bob")] == ["back"]
        assert await room.told("mod", "/untimeout ann") == [
            ("timeout_no_timeout", "ann is not timed out from this channel.")
        ]


@pytest.mark.row("CMD-3")
async def test_acts_keep_their_order_however_long_the_store_takes() -> None:
    async with stage() as room:
        net, boss = room.net, await room.client("boss")
        account, asked, answered = net.store.account, asyncio.Event(), asyncio.Event()

        async def slow_at_first(login: str) -> Account | None:
            if not asked.is_set():
                asked.set()
                await answered.wait()
            return await account(login)

        net.store.account = slow_at_first  # type: ignore[method-assign]
        boss.send("PRIVMSG #boss :/ban ann", "PRIVMSG #boss :/unban ann")
        await asked.wait()
        assert await boss.flush() == []
        answered.set()
        assert "ban_success" in (await boss.until("NOTICE"))[-1]
        assert "unban_success" in (await boss.until("NOTICE"))[-1]


@pytest.mark.row("CMD-unban", "CMD-untimeout")
@pytest.mark.parametrize(("does", "undoes"), [("ban", "unban"), ("timeout", "untimeout"), ("timeout", "unban")])
async def test_who_is_forgiven_may_talk_again(does: str, undoes: str) -> None:
    async with stage() as room:
        await room.hears("bob")
        await room.told("mod", f"/{does} ann")
        await room.told("mod", f"/{undoes} ann")
        await room.says("ann", "thanks")
        assert (await room.hears("bob"))[-1].endswith(":thanks")


async def _said(room: Stage, nick: str) -> str:
    """The id of a message that somebody has said."""
    return next(
        part.removeprefix("id=")
        for line in await room.says(nick, "oops")
        for part in line.split(";")
        if part[:3] == "id="
    )


@pytest.mark.row("CMD-delete", "CMD-clear", "CLEAR-1", "CLEAR-2", "NOTICE-delete_message_success")
async def test_clear_and_delete() -> None:
    async with stage() as room:
        msg_id = await _said(room, "ann")
        await room.hears("bob")
        assert await room.told("mod", f"/delete {msg_id}") == [
            ("delete_message_success", "The message from ann is now deleted.")
        ]
        (line,) = await room.hears("bob")
        assert line.startswith(f"@login=ann;room-id={room.ids['boss']};target-msg-id={msg_id};tmi-sent-ts=")
        assert line.endswith(" :tmi.twitch.tv CLEARMSG #boss :oops")
        assert await room.told("mod", "/clear") == []
        (line,) = await room.hears("bob")
        assert line.startswith(f"@room-id={room.ids['boss']};tmi-sent-ts=")
        assert line.endswith(" :tmi.twitch.tv CLEARCHAT #boss")


@pytest.mark.row(
    "CMD-delete",
    "NOTICE-bad_delete_message_broadcaster",
    "NOTICE-bad_delete_message_mod",
    "NOTICE-bad_delete_message_error",
)
async def test_whose_messages_may_not_be_deleted() -> None:
    async with stage() as room:
        boss, mod, mo2 = [await _said(room, nick) for nick in ("boss", "mod", "mo2")]
        await room.play(
            (
                "mod",
                f"/delete {boss}",
                "NOTICE-bad_delete_message_broadcaster",
                "You cannot delete the broadcaster's messages.",
            ),
            (
                "mod",
                f"/delete {mo2}",
                "NOTICE-bad_delete_message_mod",
                "You cannot delete messages from another moderator mo2.",
            ),
            (
                "mod",
                "/delete 0000",
                "NOTICE-bad_delete_message_error",
                "The message could not be deleted: nothing recent has this id.",
            ),
            ("mod", f"/delete {mod}", "NOTICE-delete_message_success", "The message from mod is now deleted."),
            ("boss", f"/delete {mo2}", "NOTICE-delete_message_success", "The message from mo2 is now deleted."),
            ("boss", f"/delete {boss}", "NOTICE-delete_message_success", "The message from boss is now deleted."),
        )


@pytest.mark.row("NOTICE-6", "NOTICE-godwit_unavailable")
async def test_a_store_that_is_away_is_told_and_nothing_is_done() -> None:
    async with stage() as room:

        async def add_sanction(sanction: Sanction) -> None:
            raise StoreUnavailable("down")

        room.net.store.add_sanction = add_sanction  # type: ignore[method-assign]
        await room.hears("ann")
        assert await room.told("boss", "/ban ann") == [
            ("godwit_unavailable", "That could not be done now; nothing was changed. Please try again.")
        ]
        assert await room.hears("ann") == []
        assert await room.net.store.audit_log(subject="boss") == []


@pytest.mark.row("CMD-ban", "CMD-timeout")
@pytest.mark.parametrize("does", ["/ban ann banned", "/timeout ann 600 banned"])
async def test_any_reason_may_be_given(does: str) -> None:
    async with stage() as room:
        told = await room.told("mod", does)
        assert [text for _, text in told] == [BANNED if does.startswith("/ban") else SILENT]
