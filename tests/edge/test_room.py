"""A fault in one channel ends with this channel."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from godwit.edge.audience import RoomAudience
from godwit.edge.node import ANNOUNCE
from godwit.edge.room import Room
from godwit.store.base import Sanction
from godwit.values import Change
from tests.edge.logs import Gate
from tests.edge.world import spoil, world


def _break(room: Room) -> None:
    """Let the room fail as at a fault of its channel."""
    spoil(room.channel, "tick")
    room.tick()


async def test_a_channel_that_fails_is_given_up_and_made_anew() -> None:
    """PART-1, NOTICE-4."""
    async with world() as net:
        node = net.nodes["main"]
        ann, bob = await net.join("ann"), await net.join("bob")
        ann.send("JOIN #other")
        await ann.until("ROOMSTATE #other")
        spoil(node.room("room").channel, "live")
        with capture_logs() as logs:
            bob.send("PRIVMSG #room :hello")
            assert await ann.until("PART") == [":ann!ann@ann.tmi.twitch.tv PART #room"]
            unknown, part = await bob.until("PART")
            assert unknown.startswith("@msg-id=godwit_unknown ")
            assert part == ":bob!bob@bob.tmi.twitch.tv PART #room"
        assert [(entry["event"], entry["channel"]) for entry in logs] == [("channel_failed", "room")]
        assert node.counts.channels_failed == 1
        assert list(net.session("ann").rooms) == ["other"]
        ann.send("JOIN #room")
        await ann.until("ROOMSTATE #room")
        bob.send("PRIVMSG #room :again")
        await ann.until(":again")


async def test_who_has_something_pending_is_told_when_the_channel_is_given_up() -> None:
    """NOTICE-3, NOTICE-4."""
    gates: dict[str, Gate] = {}
    async with world(lambda log: gates.setdefault(log.cluster, Gate(log))) as net:
        node = net.nodes["main"]
        ann, bob = await net.join("ann"), await net.join("bob")
        await net.claim("room")
        gates["main"].shut()
        ann.send("PRIVMSG #room :on its way", "PRIVMSG #room :behind it")
        await ann.flush()
        _break(node.room("room"))
        told = [line.partition(" ")[0] + line[line.rindex(" :") :] for line in (await ann.until("PART"))[:-1]]
        assert told == [
            "@msg-id=godwit_unknown :Your message may or may not have been delivered: on its way",
            "@msg-id=godwit_unsent :Your message was not sent because the chat did not answer: behind it",
        ]
        assert await bob.flush() == [":bob!bob@bob.tmi.twitch.tv PART #room"]
        gates["main"].open()


async def test_members_are_out_though_the_pending_cannot_be_told() -> None:
    async with world() as net:
        node = net.nodes["main"]
        ann = await net.join("ann")
        room = node.room("room")
        spoil(room.channel, "tick", "abandon")
        with capture_logs() as logs:
            room.tick()
        assert [entry["event"] for entry in logs] == ["channel_failed", "abandon_failed"]
        await ann.until("PART")
        assert node.statistics().channels == 0


async def test_a_room_that_was_given_up_takes_nothing() -> None:
    async with world() as net:
        node = net.nodes["main"]
        await net.join("ann")
        room, session = node.room("room"), net.session("ann")
        _break(room)
        assert not room.submit(Change("c1", 0, session.producer, 0, session.author("room"), {"slow": 30}))
        assert node.counts.accepted == 0


async def test_an_act_is_done_though_its_channel_was_given_up_meanwhile() -> None:
    async with world() as net:
        node, add = net.nodes["main"], net.store.add_sanction
        asked, answered = asyncio.Event(), asyncio.Event()
        boss = await net.join("boss", "boss")
        await net.login("ann")

        async def add_sanction(sanction: Sanction) -> None:
            asked.set()
            await answered.wait()
            await add(sanction)

        net.store.add_sanction = add_sanction  # type: ignore[method-assign]
        boss.send("PRIVMSG #boss :/ban ann")
        await asked.wait()
        _break(node.room("boss"))
        answered.set()
        await boss.until("ban_success")


async def test_a_message_is_found_by_its_id_while_it_is_recent() -> None:
    async with world(edge={"recent": 2}) as net:
        ann = await net.join("ann")
        ids = []
        for number in range(3):
            ann.send(f"PRIVMSG #room :{number}")
            ids.append((await ann.until("USERSTATE"))[-1].split(";id=")[1].split(";")[0])
        found = [net.nodes["main"].room("room").message(msg_id) for msg_id in ids]
        assert [message.text if message else None for message in found] == [None, "1", "2"]


async def test_who_has_come_is_told_though_another_channel_fails_at_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(edge={"ping_interval": 1000.0}) as net:
        node, caps = net.nodes["main"], "twitch.tv/membership"
        first, second = await net.join("ann", "first", caps=caps), await net.join("bob", "second", caps=caps)
        await net.join("eve", "second")

        def broken(audience: RoomAudience) -> None:
            if audience is node.room("first").audience:
                raise RuntimeError("broken")
            announce(audience)

        announce = RoomAudience.announce
        monkeypatch.setattr(RoomAudience, "announce", broken)
        with capture_logs() as logs:
            node.sweep(node.loop.time() + ANNOUNCE)
        assert [(entry["event"], entry["channel"]) for entry in logs] == [("announce_failed", "first")]
        assert await second.until("JOIN") == [":eve!eve@eve.tmi.twitch.tv JOIN #second"]
        assert await first.until("PART") == [":ann!ann@ann.tmi.twitch.tv PART #first"]
