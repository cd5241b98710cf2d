"""Typed commands, over real connections."""

from __future__ import annotations

import asyncio

import pytest

from godwit.edge.moderation import seconds_of
from godwit.errors import StoreUnavailable
from godwit.store.base import Sanction
from godwit.values import Account, derived_id
from tests.edge.world import Client, World, world


async def _room(net: World) -> tuple[Client, Client, Client]:
    """The broadcaster, somebody, and somebody else, all in #boss."""
    return await net.join("boss", "boss"), await net.join("ann", "boss"), await net.join("bob", "boss")


async def _notice(client: Client) -> tuple[str, str]:
    """Id and text of the next NOTICE."""
    line = (await client.until(" NOTICE "))[-1]
    return line.split("msg-id=")[1].split(" ")[0].split(";")[0], line.split(" :")[-1]


async def test_a_ban_is_shown_to_all_and_told_to_who_is_banned() -> None:
    """CLEAR-1, NOTICE-1, MSG-4."""
    async with world() as net:
        boss, ann, bob = await _room(net)
        boss.send("PRIVMSG #boss :.ban @Ann being rude")
        assert await _notice(boss) == ("ban_success", "ann is now banned from this channel.")
        account = await net.store.account("ann")
        (line,) = await bob.until("CLEARCHAT")
        assert account
        assert f"target-user-id={account.user_id};" in line
        assert "ban-duration" not in line
        assert line.endswith(":tmi.twitch.tv CLEARCHAT #boss :ann")
        ann.send("PRIVMSG #boss :why")
        assert await _notice(ann) == ("msg_banned", "You are permanently banned from talking in boss.")
        assert await bob.flush() == []
        assert net.nodes["main"].counts.voided == 1


async def test_the_store_has_the_ban_before_the_log_and_its_place_afterwards() -> None:
    """Rule R2."""
    async with world() as net:
        boss, *_ = await _room(net)
        boss.send("PRIVMSG #boss :/ban ann spam")
        await _notice(boss)
        await net.idle()
        (row,) = await net.store.sanctions("boss")
        assert (row.kind, row.target_login, row.by, row.reason) == ("ban", "ann", "boss", "spam")
        assert row.position is not None
        assert row.position.epoch == 1


async def test_a_ban_whose_place_is_not_stored_yet_is_kept_by_who_begins_to_read_later() -> None:
    """Rule R3."""
    async with world() as net:

        async def place_sanction(*arguments: object) -> None:
            raise StoreUnavailable("away")

        net.store.place_sanction = place_sanction  # type: ignore[method-assign, assignment]
        boss, *_ = await _room(net)
        boss.send("PRIVMSG #boss :/ban ann")
        await _notice(boss)
        await net.move("boss", "aws")
        await boss.until("SERVERCHANGE")
        (row,) = await net.store.sanctions("boss")
        assert (row.position, row.time) == (None, net.clock.now())
        assert net.nodes["aws"].statistics().channels == 0
        late, ann = await net.join("late", "boss", "aws"), await net.login("ann", "aws")
        ann.send("PRIVMSG #boss :here I am again")
        assert (await _notice(ann))[0] == "msg_banned"
        assert await late.flush() == []
        assert await boss.flush() == []


async def test_a_timeout_says_how_long_and_ends() -> None:
    """CLEAR-1."""
    async with world() as net:
        boss, ann, bob = await _room(net)
        boss.send("PRIVMSG #boss :/timeout ann 1m30s")
        assert await _notice(boss) == ("timeout_success", "ann has been timed out for 90 seconds.")
        assert "ban-duration=90;" in (await bob.until("CLEARCHAT"))[-1]
        await net.idle()
        net.clock.advance(60.0)
        await net.nodes["main"].compare()
        ann.send("PRIVMSG #boss :sorry")
        assert await _notice(ann) == ("msg_timedout", "You are banned from talking in boss for 30 more seconds.")
        net.clock.advance(40.0)
        await net.nodes["main"].compare()
        ann.send("PRIVMSG #boss :back")
        await bob.until(":back")


async def test_acts_keep_their_order_however_long_the_store_takes() -> None:
    async with world() as net:
        boss, *_ = await _room(net)
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
        assert [(await _notice(boss))[0] for _ in range(2)] == ["ban_success", "unban_success"]


async def test_unban_lets_somebody_talk_again() -> None:
    async with world() as net:
        boss, ann, bob = await _room(net)
        boss.send("PRIVMSG #boss :/ban ann", "PRIVMSG #boss :/unban ann")
        assert await _notice(boss) == ("ban_success", "ann is now banned from this channel.")
        assert await _notice(boss) == ("unban_success", "ann is no longer banned from this channel.")
        ann.send("PRIVMSG #boss :thanks")
        await bob.until(":thanks")


async def test_untimeout_lets_somebody_talk_again() -> None:
    async with world() as net:
        boss, ann, bob = await _room(net)
        boss.send("PRIVMSG #boss :/timeout ann", "PRIVMSG #boss :/untimeout ann")
        assert await _notice(boss) == ("timeout_success", "ann has been timed out for 600 seconds.")
        assert await _notice(boss) == ("untimeout_success", "ann is no longer timed out in this channel.")
        ann.send("PRIVMSG #boss :thanks")
        await bob.until(":thanks")


async def test_clear_and_delete() -> None:
    """CLEAR-1, CLEAR-2."""
    async with world() as net:
        boss, ann, bob = await _room(net)
        ann.send("PRIVMSG #boss :oops")
        msg_id = (await bob.until(":oops"))[-1].split(";id=")[1].split(";")[0]
        boss.send(f"PRIVMSG #boss :/delete {msg_id}")
        assert await _notice(boss) == ("delete_message_success", "The message from ann is now deleted.")
        line = (await bob.until("CLEARMSG"))[-1]
        assert f"login=ann;room-id={derived_id('boss')};target-msg-id={msg_id};" in line
        assert line.endswith("CLEARMSG #boss :oops")
        boss.send("PRIVMSG #boss :/clear")
        assert (await bob.until("CLEARCHAT"))[-1].endswith(" CLEARCHAT #boss")


@pytest.mark.parametrize(
    ("typed", "msg_id"),
    [
        ("/ban", "usage_ban"),
        ("/ban nobody_here", "invalid_user"),
        ("/ban no-name", "invalid_user"),
        ("/ban boss", "bad_ban_self"),
        ("/timeout", "usage_timeout"),
        ("/timeout ann soon", "usage_timeout"),
        ("/timeout ann 0", "usage_timeout"),
        ("/timeout ann 3w", "bad_timeout_duration"),
        ("/timeout boss", "bad_timeout_self"),
        ("/unban", "usage_unban"),
        ("/unban ann", "bad_unban_no_ban"),
        ("/untimeout", "usage_untimeout"),
        ("/untimeout ann", "timeout_no_timeout"),
        ("/delete", "usage_delete"),
        ("/delete 0000", "bad_delete_message_error"),
        ("/me", "usage_me"),
        ("/w ann hello", "unrecognized_cmd"),
    ],
)
async def test_what_cannot_be_is_told(typed: str, msg_id: str) -> None:
    """MSG-4, NOTICE-1."""
    async with world() as net:
        boss, ann, _ = await _room(net)
        boss.send(f"PRIVMSG #boss :{typed}")
        assert (await _notice(boss))[0] == msg_id
        assert await ann.flush() == []
        assert await net.store.sanctions("boss") == []


async def test_a_second_ban_and_the_wrong_end_of_a_ban_are_told() -> None:
    async with world() as net:
        boss, *_ = await _room(net)
        told = []
        for typed in ("ban", "ban", "untimeout"):
            boss.send(f"PRIVMSG #boss :/{typed} ann")
            told.append((await _notice(boss))[0])
        assert told == ["ban_success", "already_banned", "untimeout_banned"]


async def test_only_the_broadcaster_may() -> None:
    async with world() as net:
        _, ann, bob = await _room(net)
        ann.send("PRIVMSG #boss :/ban bob")
        assert (await _notice(ann))[0] == "no_permission"
        assert await bob.flush() == []


async def test_commands_are_taken_in_any_channel() -> None:
    """MSG-5."""
    async with world() as net:
        ann = await net.login("ann")
        ann.send("PRIVMSG #jtv :/w bob hello")
        assert await ann.line() == "@msg-id=unrecognized_cmd :tmi.twitch.tv NOTICE #jtv :Unrecognized command: /w"


async def test_disconnect_closes() -> None:
    async with world() as net:
        ann = await net.login("ann")
        ann.send("PRIVMSG #jtv :/disconnect")
        assert await ann.rest() == []


async def test_a_store_that_is_away_is_told_and_nothing_is_done() -> None:
    """NOTICE-6."""
    async with world() as net:
        boss, ann, _ = await _room(net)

        async def add_sanction(sanction: Sanction) -> None:
            raise StoreUnavailable("down")

        net.store.add_sanction = add_sanction  # type: ignore[method-assign]
        boss.send("PRIVMSG #boss :/ban ann")
        assert (await _notice(boss))[0] == "godwit_unavailable"
        assert await ann.flush() == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("600", 600),
        ("10m", 600),
        ("1d2h", 93_600),
        ("2w", 1_209_600),
        ("5s", 5),
        ("", 0),
        ("m", 0),
        ("-5", 0),
        ("1y", 0),
    ],
)
def test_durations(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds
