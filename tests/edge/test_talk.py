"""What is said, over real connections."""

from __future__ import annotations

import re
from uuid import RFC_4122, UUID

import pytest

from godwit.chatlog.base import ChatLog
from godwit.errors import AppendUnknown, ChatLogUnavailable
from tests.edge.logs import Gate
from tests.edge.world import World, world


async def test_a_message_is_acknowledged_to_its_sender_and_shown_to_the_others() -> None:
    """MSG-1, MSG-8, STATE-1."""
    async with world() as net:
        ann, bob = await net.join("ann"), await net.join("bob")
        ann.send("@client-nonce=f00 PRIVMSG #room :hello   there ")
        (ack,) = await ann.until("USERSTATE")
        (seen,) = await bob.until("PRIVMSG")
        found = re.search(r";id=([0-9a-f-]{36});", ack)
        assert found
        assert f";id={found[1]};" in seen
        assert "client-nonce=f00;" in ack
        assert "client-nonce=f00;" in seen
        assert seen.endswith(" :ann!ann@ann.tmi.twitch.tv PRIVMSG #room :hello there")
        assert await ann.flush() == []


async def test_views_differ_and_nothing_else_does() -> None:
    """CAP-6, CAP-7."""
    async with world() as net:
        ann, plain = await net.join("ann", caps=""), await net.join("plain", caps="")
        tagged = await net.join("tagged", caps="twitch.tv/tags")
        placed = await net.login("placed", caps="twitch.tv/tags twitch.tv/commands godwit/position")
        placed.send("JOIN #room")
        await placed.until("ROOMSTATE")
        ann.send("PRIVMSG #room :hello")
        (line,), (with_tags,), (with_place,) = [await client.until("PRIVMSG") for client in (plain, tagged, placed)]
        assert line == ":ann!ann@ann.tmi.twitch.tv PRIVMSG #room :hello"
        assert with_tags.startswith("@")
        assert with_tags.endswith(line)
        assert "godwit" not in with_tags
        assert ";godwit-position=1-1;" in with_place
        assert await ann.flush() == []  # no USERSTATE without commands


async def test_one_senders_messages_keep_their_order_and_everybody_sees_the_same() -> None:
    async with world() as net:
        ann, bob, eve = [await net.join(nick) for nick in ("ann", "bob", "eve")]
        for number in range(50):
            ann.send(f"PRIVMSG #room :a{number}")
            bob.send(f"PRIVMSG #room :b{number}")
        seen: list[str] = []
        while len(seen) < 100:
            seen.append((await eve.until("PRIVMSG"))[-1].split(" :")[-1])
        assert [text for text in seen if text[0] == "a"] == [f"a{number}" for number in range(50)]
        assert [text for text in seen if text[0] == "b"] == [f"b{number}" for number in range(50)]
        others = [line.split(" :")[-1] for line in await bob.flush() if "PRIVMSG" in line]
        assert others == [text for text in seen if text[0] == "a"]


async def test_action_and_reply() -> None:
    """MSG-3, MSG-7."""
    async with world() as net:
        ann, bob = await net.join("ann"), await net.join("bob")
        ann.send("PRIVMSG #room :/me waves")
        (line,) = await bob.until("PRIVMSG")
        assert line.endswith(" :\x01ACTION waves\x01")
        found = re.search(r";id=([0-9a-f-]{36});", line)
        assert found
        bob.send(f"@reply-parent-msg-id={found[1]} PRIVMSG #room :hi", "@reply-parent-msg-id=none PRIVMSG #room :ho")
        reply, other = (await ann.until(":ho"))[-2:]
        assert reply.endswith(" :@ann hi")
        assert f"reply-parent-msg-id={found[1]};" in reply
        assert f"reply-thread-parent-msg-id={found[1]};" in reply
        assert other.endswith(" :ho")
        assert "reply-parent" not in other
        second = re.search(r";id=([0-9a-f-]{36});", reply)
        assert second
        ann.send(f"@reply-parent-msg-id={second[1]} PRIVMSG #room :hey")
        answer = (await bob.until(":@bob hey"))[-1]
        assert f"reply-parent-msg-id={second[1]};" in answer
        assert f"reply-thread-parent-msg-id={found[1]};" in answer
        assert "reply-thread-parent-user-login=ann;" in answer


async def test_one_may_talk_where_one_has_not_joined() -> None:
    """MSG-1."""
    async with world() as net:
        ann, bob = await net.login("ann"), await net.join("bob")
        ann.send("@client-nonce=n PRIVMSG #room :hello")
        assert "client-nonce=n;" in (await ann.until("USERSTATE"))[-1]
        await bob.until(":hello")
        ann.send("PRIVMSG #nobody :is here")
        assert (await ann.until("USERSTATE"))[-1].endswith("USERSTATE #nobody")


async def test_anonymous_clients_are_not_heard() -> None:
    """LOGIN-4."""
    async with world() as net:
        fan, bob = await net.join("justinfan1"), await net.join("bob")
        fan.send("PRIVMSG #room :hello", "PRIVMSG #room :/ban bob")
        assert await fan.flush() == []
        assert await bob.flush() == []


@pytest.mark.row("NOTICE-msg_ratelimit")
async def test_too_many_that_wait_are_refused() -> None:
    """LIMIT-2."""
    gates: dict[str, Gate] = {}

    def gate(log: ChatLog) -> ChatLog:
        return gates.setdefault(log.cluster, Gate(log))

    async with world(gate, edge={"pending_per_sender": 3}) as net:
        ann, bob = await net.join("ann"), await net.join("bob")
        gates["main"].shut()
        ann.send(*(f"PRIVMSG #room :{number}" for number in range(5)))
        refused = "@msg-id=msg_ratelimit :tmi.twitch.tv NOTICE #room :"
        assert [line.startswith(refused) for line in await ann.flush()] == [True, True]
        gates["main"].open()
        assert [line.split(" :")[-1] for line in await bob.until(":2")] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("error", "msg_id"), [(AppendUnknown("late"), "godwit_unknown"), (ChatLogUnavailable("away"), "godwit_unsent")]
)
async def test_a_message_that_the_log_does_not_take_is_told_to_its_sender(error: Exception, msg_id: str) -> None:
    """NOTICE-1, NOTICE-3, NOTICE-4, NOTICE-godwit_unknown, NOTICE-godwit_unsent."""
    gates: dict[str, Gate] = {}
    async with world(lambda log: gates.setdefault(log.cluster, Gate(log)), log={"hold": 3.0}) as net:
        ann, bob = await net.join("ann"), await net.join("bob")
        gates["main"].error = error
        ann.send("PRIVMSG #room :lost")
        await _tried(net, gates["main"])
        net.clock.advance(4.0)
        net.nodes["main"].sweep(net.nodes["main"].loop.time())
        (line,) = await ann.until("NOTICE")
        assert line.startswith(f"@msg-id={msg_id} :tmi.twitch.tv NOTICE #room :")
        assert line.endswith(": lost")
        counts = net.nodes["main"].counts
        assert (counts.unknown, counts.voided) == ((1, 0) if msg_id == "godwit_unknown" else (0, 1))
        assert await bob.flush() == []


async def test_what_waited_too_long_is_told_apart_by_whether_it_was_tried() -> None:
    """NOTICE-1, NOTICE-3, NOTICE-4, NOTICE-godwit_unknown, NOTICE-godwit_unsent."""
    gates: dict[str, Gate] = {}
    async with world(lambda log: gates.setdefault(log.cluster, Gate(log)), log={"hold": 3.0}) as net:
        ann = await net.join("ann")
        gates["main"].shut()
        ann.send("PRIVMSG #room :first", "PRIVMSG #room :second")
        assert await ann.flush() == []
        net.clock.advance(4.0)
        net.nodes["main"].sweep(net.nodes["main"].loop.time())
        first, second = [(await ann.until("NOTICE"))[-1] for _ in range(2)]
        assert first.startswith("@msg-id=godwit_unknown ")
        assert first.endswith(": first")
        assert second.startswith("@msg-id=godwit_unsent ")
        assert second.endswith(": second")


async def test_a_message_that_failed_is_tried_again_and_shown_once() -> None:
    gates: dict[str, Gate] = {}
    async with world(lambda log: gates.setdefault(log.cluster, Gate(log))) as net:
        ann, bob = await net.join("ann"), await net.join("bob")
        gates["main"].error = AppendUnknown("late")
        ann.send("PRIVMSG #room :hello")
        await _tried(net, gates["main"])
        gates["main"].error = None
        net.clock.advance(2.0)
        net.nodes["main"].sweep(net.nodes["main"].loop.time())
        await ann.until("USERSTATE")
        assert [line.split(" :")[-1] for line in await bob.until("PRIVMSG")] == ["hello"]


async def _tried(net: World, gate: Gate) -> None:
    """Wait until an append has been tried and its outcome has reached the channel."""
    await gate.wait_tried()
    while net.nodes["main"].statistics().tasks:
        await net.idle()


async def test_ids_are_random_uuids() -> None:
    async with world() as net:
        ann = await net.join("ann")
        ann.send(*(f"PRIVMSG #room :{number}" for number in range(50)))
        found = [re.search(r";id=([0-9a-f-]+);", (await ann.until("USERSTATE"))[-1]) for _ in range(50)]
        ids = [UUID(each[1]) for each in found if each]
        assert len(set(ids)) == 50
        assert {(each.version, each.variant) for each in ids} == {(4, RFC_4122)}
