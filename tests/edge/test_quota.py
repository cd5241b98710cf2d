"""What becomes of those who say too much (LIMIT-7 to LIMIT-10)."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from godwit.edge import quota
from tests.edge.world import Client, world

NOW = {"preset": "now", "messages": 3, "elevated_messages": 5, "whispers_per_second": 1, "whisper_recipients": 2}
THEN = {"preset": "2016", "messages": 3, "elevated_messages": 5}


def limited(**changed: Any) -> Any:
    """A network with small numbers of today's limits."""
    return world(limits=NOW | changed)


async def lines(client: Client) -> list[str]:
    """What a client has heard."""
    return [line.partition(" :tmi.twitch.tv ")[2] for line in await client.flush()]


@pytest.mark.row("LIMIT-7")
async def test_past_the_limit_all_is_dropped_in_silence() -> None:
    async with limited() as net:
        ann, node = await net.login("ann"), net.nodes["main"]
        session = net.session("ann")
        with capture_logs() as logs:
            said = [quota.may_say(session, f"room{number}", False) for number in range(5)]
        assert said == [True, True, True, False, False]
        assert not quota.may_command(session, "ann", "ban", True)
        assert await lines(ann) == []
        assert [entry["nick"] for entry in logs if entry["event"] == "message_limit"] == ["ann"]
        assert node.counts.messages_over == 3
        net.clock.advance(1800.0)
        assert quota.may_say(session, "room", False)


@pytest.mark.row("LIMIT-7")
async def test_all_connections_of_an_account_are_one() -> None:
    async with limited() as net:
        for cluster in ("main", "aws"):
            await net.login("ann", cluster)
        here, there = net.session("ann"), net.session("ann", "aws")
        assert [quota.may_say(here, "a", False), quota.may_say(there, "b", False)] == [True, True]
        assert quota.may_command(here, "a", "color", False)
        assert not quota.may_say(there, "c", False)


@pytest.mark.row("LIMIT-7")
async def test_what_the_server_itself_plays_is_not_limited() -> None:
    """In a hidden room, as a hidden account; neither alone will do."""
    async with limited() as net:
        for nick in ("godwit__talker_1", "ann"):
            await net.login(nick)
        hidden, ann = net.session("godwit__talker_1"), net.session("ann")
        assert all(quota.may_say(hidden, "godwit__shadow_1", False) for _ in range(50))
        assert [quota.may_say(hidden, "room", False) for _ in range(2)] == [True, False]
        assert [quota.may_say(ann, "godwit__shadow_1", False) for _ in range(2)] == [True, False]


@pytest.mark.row("LIMIT-9")
async def test_too_fast_for_a_channel() -> None:
    async with limited() as net:
        ann, session = await net.login("ann"), net.session("ann")
        assert quota.may_say(session, "room", False)
        assert not quota.may_say(session, "room", False)
        assert await lines(ann) == ["NOTICE #room :" + "Your message was not sent because you are sending messages "
                                    "too quickly."]  # fmt: skip
        net.clock.advance(1.0)
        assert quota.may_say(session, "room", False)


@pytest.mark.row("LIMIT-8")
async def test_in_2016_the_connection_ends_and_its_address_is_locked_out() -> None:
    async with world(limits=THEN) as net:
        ann, bob = await net.login("ann"), await net.login("bob", "aws")
        session = net.session("ann")
        assert [quota.may_say(session, "ann", True) for _ in range(4)] == [True] * 4
        with capture_logs() as logs:
            assert not quota.may_say(session, "room", False)
        assert [entry["nick"] for entry in logs if entry["event"] == "locked_out"] == ["ann"]
        assert await ann.rest() == []
        for nick in ("ann", "cid", "justinfan1"):
            late = await net.connect()
            late.send("PASS oauth:x", f"NICK {nick}")
            assert await late.rest() == [":tmi.twitch.tv NOTICE * :Login unsuccessful"]
        assert await bob.flush() == []
        net.clock.advance(7200.0)
        assert await net.login("cid")


@pytest.mark.row("NOTICE-whisper_limit_per_sec", "NOTICE-godwit_whisper_recipients")
@pytest.mark.row("LIMIT-10")
async def test_whispers_past_a_limit() -> None:
    async with limited() as net:
        ann, session = await net.login("ann"), net.session("ann")
        assert quota.may_whisper(session, "1")
        assert not quota.may_whisper(session, "1")
        net.clock.advance(1.0)
        assert quota.may_whisper(session, "2")
        net.clock.advance(1.0)
        assert not quota.may_whisper(session, "3")
        assert await ann.flush() == [
            "@msg-id=whisper_limit_per_sec :tmi.twitch.tv NOTICE #jtv :You are sending whispers too fast. "
            "Try again in a second.",
            "@msg-id=godwit_whisper_recipients :tmi.twitch.tv NOTICE #jtv :You have whispered to too many people "
            "today.",
        ]
