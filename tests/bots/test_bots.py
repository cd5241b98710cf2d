"""The bots by themselves, against the least server: each logs in, joins, speaks, hears and answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.bots.driver import DEADLINE, bot
from tests.bots.fake_tmi import FakeTmi, fake_tmi

KINDS = ["tmi", "twitchio", "irc"]
TAGGED = {"irc": ("--caps", "twitch.tv/tags", "twitch.tv/commands")}


@pytest.fixture
async def fake() -> AsyncIterator[FakeTmi]:
    async with fake_tmi() as server:
        yield server


def address(fake: FakeTmi, kind: str) -> str:
    return fake.tcp if kind == "irc" else fake.ws


async def spoken(fake: FakeTmi) -> tuple[str, str]:
    async with asyncio.timeout(DEADLINE):
        return await fake.spoken.get()


@pytest.mark.parametrize("kind", KINDS)
async def test_bot_joins_speaks_hears_and_answers(fake: FakeTmi, kind: str) -> None:
    async with bot(kind, address(fake, kind), "robin", "room", *TAGGED.get(kind, ())) as robin:
        robin.say("one")
        robin.say("two")
        assert [await spoken(fake), await spoken(fake)] == [("robin", "one"), ("robin", "two")]

        [peer] = fake.peers
        await peer.say("wren", "room", "good morning", "id-1")
        await peer.say("wren", "room", "good evening", "id-2")
        await robin.message("wren", "good evening")
        assert robin.heard() == [("wren", "good morning"), ("wren", "good evening")]
        assert [e["id"] for e in robin.named("message")] == ["id-1", "id-2"]

        robin.answer({"!ping": "pong"})
        robin.say("listening")
        assert await spoken(fake) == ("robin", "listening")
        await peer.say("wren", "room", "!ping", "id-3")
        assert await spoken(fake) == ("robin", "pong")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tags", ["", "@godwit-cluster=aws;godwit-epoch=2;godwit-tcp=127.0.0.1:6668;godwit-wss= "])
async def test_bot_passes_raw_lines_on_and_survives_a_server_change(fake: FakeTmi, kind: str, tags: str) -> None:
    async with bot(kind, address(fake, kind), "robin", "room", *TAGGED.get(kind, ())) as robin:
        [peer] = fake.peers
        await peer.server_change("room", tags)
        await robin.event("raw", line=f"{tags}:tmi.twitch.tv SERVERCHANGE #room")
        await peer.say("wren", "room", "still there?", "id-1")
        await robin.message("wren", "still there?")
        robin.say("yes")
        assert await spoken(fake) == ("robin", "yes")


async def test_plain_irc_bot_hears_lines_without_tags(fake: FakeTmi) -> None:
    async with bot("irc", fake.tcp, "robin", "room") as robin:
        await fake.peers[0].say("wren", "room", "plain", "id-1")
        event = await robin.message("wren", "plain")
        assert event["id"] is None


async def test_irc_bot_with_two_connections_says_where_it_heard(fake: FakeTmi) -> None:
    async with fake_tmi() as other, bot("irc", fake.tcp, "robin", "room", "--also", other.tcp) as robin:
        for server in (fake, other):
            await robin.event("joined", at=server.tcp)
            await server.peers[0].say("wren", "room", f"at {server.tcp}", "id-1")
            event = await robin.message("wren", f"at {server.tcp}")
            assert event["at"] == server.tcp
        robin.answer({"!ping": "pong"})
        robin.say("listening")
        assert await spoken(fake) == ("robin", "listening")
        await other.peers[0].say("wren", "room", "!ping", "id-2")
        assert await spoken(other) == ("robin", "pong")
