"""MODE, and who is named where too many are: over real connections, on several edges."""

from __future__ import annotations

import pytest

from tests.edge.commands.stage import ROOM, Stage, stage
from tests.edge.world import ALL, Client

MEMBERSHIP = f"{ALL} twitch.tv/membership"


async def swept(room: Stage) -> None:
    """Let all edges sweep, let what they say arrive, and let them tell who came and went."""
    net = room.net
    await net.idle()
    for _ in range(3):
        for node in net.nodes.values():
            node.sweep(node.loop.time())
        await net.turns()
    for node in net.nodes.values():
        if node.members(ROOM):
            node.room(ROOM).audience.announce()


async def enters(room: Stage, nick: str, edge: str = "main") -> tuple[Client, list[str]]:
    """Somebody with MEMBERSHIP comes; also whom NAMES lists."""
    client = await room.net.login(nick, edge, MEMBERSHIP)
    client.send(f"JOIN #{ROOM}")
    lines = await client.until("ROOMSTATE")
    return client, [name for line in lines if " 353 " in line for name in line.split(" :")[-1].split()]


def modes(lines: list[str]) -> list[str]:
    """The changes among lines, as `+o nick`; all of them are in the room."""
    head = f":jtv MODE #{ROOM} "
    return [line.removeprefix(head) for line in lines if line.startswith(head)]


@pytest.mark.row("MODE-1", "CAP-6")
async def test_who_joins_is_told_who_is_an_operator() -> None:
    async with stage() as room:
        for nick in ("mod", "ann", "vic", "gil", "sue"):
            await room.client(nick)
        bob, _ = await enters(room, "bob")
        assert modes(await bob.flush()) == ["+o gil", "+o mod", "+o sue"]
        boss, _ = await enters(room, "boss")
        assert modes(await boss.flush()) == ["+o gil", "+o mod", "+o sue"]
        await swept(room)
        assert modes(await bob.flush()) == ["+o boss"]
        assert modes(await boss.flush()) == ["+o boss"]
        assert modes(await room.hears("ann")) == []


@pytest.mark.row("MODE-1", "JOIN-8")
async def test_operators_who_come_and_go_are_told_in_batches_behind_their_join() -> None:
    async with stage() as room:
        ann, _ = await enters(room, "ann")
        mod = await room.client("mod")
        assert await ann.flush() == []
        await swept(room)
        assert await ann.flush() == [":mod!mod@mod.tmi.twitch.tv JOIN #boss", ":jtv MODE #boss +o mod"]
        mod.send("PART #boss")
        await mod.until("PART")
        await swept(room)
        assert await ann.flush() == [":mod!mod@mod.tmi.twitch.tv PART #boss", ":jtv MODE #boss -o mod"]


@pytest.mark.row("MODE-1")
async def test_an_operator_who_is_here_twice_is_one_until_both_have_gone() -> None:
    async with stage() as room:
        ann, _ = await enters(room, "ann")
        first, second = await room.net.join("mod", ROOM), await room.net.join("mod", ROOM)
        await swept(room)
        assert modes(await ann.flush()) == ["+o mod"]
        first.send("PART #boss")
        await first.until("PART")
        await swept(room)
        assert modes(await ann.flush()) == []
        second.send("PART #boss")
        await second.until("PART")
        await swept(room)
        assert modes(await ann.flush()) == ["-o mod"]


@pytest.mark.row("MODE-1", "CMD-mod", "CMD-unmod")
async def test_who_becomes_a_moderator_is_an_operator() -> None:
    async with stage() as room:
        ann, _ = await enters(room, "ann")
        await room.told("boss", "/mod bob")
        await room.told("boss", "/mod ann")
        await swept(room)
        assert modes(await ann.flush()) == ["+o ann", "+o boss"]  # bob is not here
        await room.told("boss", "/unmod ann")
        await swept(room)
        assert modes(await ann.flush()) == ["-o ann"]


@pytest.mark.row("MODE-1")
async def test_moderators_on_other_edges_are_operators_too() -> None:
    async with stage() as room:
        await room.net.another("twin", "main")
        await room.net.join("mod", ROOM, "twin")
        await swept(room)
        ann, _ = await enters(room, "ann")
        await swept(room)
        assert modes(await ann.flush()) == ["+o mod"]


@pytest.mark.row("JOIN-4", "JOIN-8", "MODE-1")
async def test_of_too_many_only_the_operators_are_listed_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("company", "presence"):
        monkeypatch.setattr(f"godwit.edge.{module}.MOST_NAMED", 2)
    async with stage() as room:
        for nick in ("mod", "vic", "bob"):
            await room.client(nick)
        ann, listed = await enters(room, "ann")
        assert listed == ["mod", "ann"]
        assert modes(await ann.flush()) == ["+o mod"]
        await room.client("boss")
        await room.client("guest")
        await swept(room)
        assert await ann.flush() == [":jtv MODE #boss +o boss"]
        assert room.net.nodes["main"].room(ROOM).audience.company.viewers() == 6


@pytest.mark.row("JOIN-4", "MODE-1")
async def test_an_edge_with_too_many_names_its_operators_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("company", "presence"):
        monkeypatch.setattr(f"godwit.edge.{module}.MOST_NAMED", 2)
    async with stage() as room:
        await room.net.another("twin", "main")
        for nick in ("mod", "vic", "bob"):
            await room.client(nick)
        await swept(room)
        ann, _ = await enters(room, "ann", "twin")
        await swept(room)
        assert modes(await ann.flush()) == ["+o mod"]
        eve, listed = await enters(room, "eve", "twin")
        assert listed == ["mod", "eve"]
        assert modes(await eve.flush()) == ["+o mod"]
        company = room.net.nodes["twin"].room(ROOM).audience.company
        assert company.viewers() == 5
        await room.told("boss", "/mod vic")
        await swept(room)
        assert modes(await ann.flush()) == ["+o boss", "+o vic"]


@pytest.mark.row("MODE-1", "HOST-1", "JOIN-7")
async def test_an_early_joiner_is_told_when_the_channel_comes() -> None:
    async with stage() as room:
        for nick in ("boss", "mod"):
            await room.client(nick)
        await room.told("boss", "/host ann")
        early, _ = await enters(room, "bob", "aws")
        lines = await early.flush()
        assert [line for line in lines if "MODE" in line or "HOSTTARGET" in line] == []
        await room.net.move(ROOM, "aws")
        await room.net.idle()
        lines = await early.flush()
        assert ":tmi.twitch.tv HOSTTARGET #boss :ann -" in lines
        await swept(room)
        assert sorted(modes(lines + await early.flush())) == ["+o boss", "+o mod"]
