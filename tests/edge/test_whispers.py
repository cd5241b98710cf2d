"""Whispers over real connections (GROUP-1 to GROUP-3)."""

from __future__ import annotations

import pytest

from godwit.edge.whispers import TOPIC, thread_of
from godwit.errors import StoreUnavailable
from godwit.values import derived_id
from tests.edge.world import ALL, Client, World, world

WORDS = " WHISPER bob :"


async def said(net: World, client: Client) -> list[str]:
    """The whispers that somebody has heard since the last time."""
    await net.idle()
    await net.turns()
    return [line for line in await client.flush() if " WHISPER " in line]


def test_threads() -> None:
    assert thread_of("470220570", "21001676") == thread_of("21001676", "470220570") == "21001676_470220570"
    assert thread_of("b", "a") == "a_b"


@pytest.mark.row("GROUP-1", "CMD-w")
async def test_a_whisper() -> None:
    """GROUP-1: with its tags, to the one alone, and nothing to the sender."""
    async with world() as net:
        ann, bob, cid = await net.login("ann"), await net.login("bob"), await net.login("cid")
        await net.store.set_account("ann", display_name="Ann A", color="#3E2E18", badges=("turbo/1",))
        ann = await net.login("ann")
        ann.send("PRIVMSG #jtv :/w bob hello  Kappa")
        thread = thread_of(derived_id("ann"), derived_id("bob"))
        assert await said(net, bob) == [
            "@badges=turbo/1;color=#3E2E18;display-name=Ann\\sA;emotes=25:6-10;message-id=1;"
            f"thread-id={thread};turbo=1;user-id={derived_id('ann')};user-type= "
            ":ann!ann@ann.tmi.twitch.tv WHISPER bob :hello Kappa"
        ]
        assert await ann.flush() == []
        assert await cid.flush() == []
        bob.send("PRIVMSG #nowhere :.w ANN yes")
        (line,) = await said(net, ann)
        assert f"message-id=2;thread-id={thread};" in line
        assert line.endswith(" WHISPER ann :yes")


@pytest.mark.row("GROUP-1")
async def test_all_connections_hear_it_as_they_can() -> None:
    """GROUP-1: on every cluster; commands are needed, tags come if they are wanted."""
    async with world() as net:
        await net.another("twin", "aws")
        ann = await net.login("ann", "aws")
        hears = [await net.login("bob", cluster) for cluster in ("main", "aws", "group", "twin")]
        bare, deaf = await net.login("bob", caps="twitch.tv/commands"), await net.login("bob", caps="twitch.tv/tags")
        ann.send("PRIVMSG #ann :/w bob hello")
        for bob in hears:
            (line,) = await said(net, bob)
            assert line.endswith(WORDS + "hello")
        assert await said(net, bare) == [f":ann!ann@ann.tmi.twitch.tv{WORDS}hello"]
        assert await said(net, deaf) == []


@pytest.mark.row("GROUP-3")
async def test_whispers_come_once_and_in_order() -> None:
    """GROUP-3: what comes twice is known, what is sent together stays in order; who is away has missed it."""
    async with world() as net:
        ann, bob = await net.login("ann"), await net.login("bob", "aws")
        heard: list[bytes] = []
        net.hearsay.hear(TOPIC, heard.append)
        ann.send(*(f"PRIVMSG #jtv :/w bob line {number}" for number in range(20)))
        await net.until(lambda: len(heard) == 20)
        net.hearsay.tell(TOPIC, heard[0])
        lines = await said(net, bob)
        assert [line.partition(WORDS)[2] for line in lines] == [f"line {number}" for number in range(20)]
        assert [f"message-id={number};" in line for number, line in enumerate(lines, 1)] == [True] * 20
        bob.close()
        await net.until(lambda: not net.nodes["aws"].sessions)
        ann.send("PRIVMSG #jtv :/w bob missed")
        await net.until(lambda: len(heard) == 22)
        assert await ann.flush() == []
        assert await said(net, await net.login("bob", "aws")) == []


@pytest.mark.row(
    "GROUP-2", "NOTICE-whisper_banned", "NOTICE-whisper_banned_recipient", "NOTICE-whisper_limit_per_sec", "LIMIT-10"
)
async def test_errors() -> None:
    """GROUP-2: on group chat to #jtv, elsewhere where it was typed."""
    async with world(limits={"preset": "now", "whispers_per_second": 1}) as net:
        await net.login("bob")
        await net.login("eve")
        await net.store.set_account("eve", suspended=True)
        for cluster, told_in in (("main", "home"), ("group", "jtv")):
            ann = await net.login("ann", cluster)
            ann.send("PRIVMSG #home :/w bob hello", "PRIVMSG #home :/w bob again")
            ann.send("PRIVMSG #home :/w eve hello", "PRIVMSG #home :/w ann hello", "PRIVMSG #home :/w bob")
            await net.idle()
            assert sorted(await ann.flush()) == [
                f"@msg-id={msg_id} :tmi.twitch.tv NOTICE #{told_in} :{text}"
                for msg_id, text in (
                    ("whisper_banned_recipient", "That user has been banned from receiving whispers."),
                    ("whisper_invalid_args", "Usage: <login> <message>"),
                    ("whisper_invalid_self", "You cannot whisper to yourself."),
                    ("whisper_limit_per_sec", "You are sending whispers too fast. Try again in a second."),
                )
            ]
            net.clock.advance(2.0)
            eve = await net.login("eve", cluster)
            eve.send("PRIVMSG #home :/w bob hello")
            assert await eve.flush() == [
                f"@msg-id=whisper_banned :tmi.twitch.tv NOTICE #{told_in} :You have been banned from sending whispers."
            ]


@pytest.mark.row("GROUP-2")
async def test_in_2016_only_group_chat_has_whispers() -> None:
    """GROUP-2: elsewhere they neither come nor go."""
    async with world(edge={"dialect": {"main": "2016"}}) as net:
        ann, bob, there = await net.login("ann"), await net.login("bob"), await net.login("bob", "group")
        ann.send("PRIVMSG #jtv :/w bob hello")
        await net.idle()
        unknown = "@msg-id=unrecognized_cmd :tmi.twitch.tv NOTICE #jtv :Unrecognized command: /w"
        assert await ann.flush() == [unknown]
        assert await said(net, there) == []
        (await net.login("ann", "group")).send("PRIVMSG #jtv :/w bob hello")
        assert len(await said(net, there)) == 1
        assert await said(net, bob) == []


@pytest.mark.row("GROUP-3")
async def test_the_store_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """GROUP-3: nothing was sent, and the sender is told."""
    async with world() as net:
        ann, bob = await net.login("ann"), await net.login("bob")

        async def away(thread: str) -> int:
            raise StoreUnavailable("away")

        monkeypatch.setattr(net.store, "next_whisper", away)
        ann.send("PRIVMSG #jtv :/w bob hello")
        await net.idle()
        (line,) = await ann.flush()
        assert line.startswith("@msg-id=godwit_unavailable ")
        assert await said(net, bob) == []


async def test_who_has_gone_is_forgotten() -> None:
    async with world() as net:
        whispers = net.nodes["main"].whispers
        assert whispers
        ann, twin = await net.login("ann"), await net.login("ann", caps=ALL)
        (await net.login("justinfan5")).close()
        assert [session.nick for session in whispers.of(derived_id("ann"))] == ["ann", "ann"]
        twin.close()
        await net.until(lambda: len(net.nodes["main"].sessions) == 1)
        assert len(whispers.of(derived_id("ann"))) == 1
        ann.close()
        await net.until(lambda: not net.nodes["main"].sessions)
        assert whispers.of(derived_id("ann")) == []
