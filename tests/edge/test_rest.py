"""Channels in which nothing happens rest: they are small, and nobody can tell."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from godwit.edge.node import ANNOUNCE, QUIET, EdgeNode
from godwit.edge.rest import FEW, Rest
from godwit.edge.room import Room
from godwit.store.base import Sanction
from godwit.values import Author, Message, Placement, Position, Segment
from tests.edge.channel_world import World as ChannelWorld
from tests.edge.world import world

MEMBERSHIP = "twitch.tv/tags twitch.tv/commands twitch.tv/membership"


def rest(node: EdgeNode, channel: str = "room") -> Room:
    """A channel that has gone to rest."""
    node.sweep(node.loop.time())
    room = node.held(channel)
    assert room is not None
    assert not room.awake
    return room


async def test_a_silent_channel_rests_and_wakes_when_somebody_speaks() -> None:
    async with world() as net:
        ann, bob = await net.join("ann"), await net.join("bob")
        room = rest(net.nodes["main"])
        assert [member.producer for member in room.members] == [net.session(nick).producer for nick in ("ann", "bob")]
        assert net.nodes["main"].presence("room").told == 2
        assert net.nodes["main"].statistics().home == 1
        bob.send("PRIVMSG #room :hello")
        assert ":hello" in (await ann.until("PRIVMSG"))[-1]
        assert "USERSTATE" in (await bob.until("USERSTATE"))[-1]
        assert room.awake


async def test_what_is_said_elsewhere_wakes_it() -> None:
    """MSG-1."""
    async with world() as net:
        other = await net.another("main2", "main")
        ann, bob = await net.join("ann"), await net.join("bob", cluster="main2")
        rest(net.nodes["main"])
        rest(other)
        bob.send("PRIVMSG #room :hello")
        assert ":hello" in (await ann.until("PRIVMSG"))[-1]


async def test_a_channel_that_remembers_something_rests_later_and_forgets_nothing() -> None:
    """SAY-duplicate, JOIN-2, rule F3."""
    async with world(limits={"preset": "now", "messages": 1000, "channel_interval": 0.001}) as net:
        node = net.nodes["main"]
        ann, bob = await net.join("ann"), await net.join("bob")
        bob.send("PRIVMSG #room :hello")
        await ann.until("PRIVMSG")
        await bob.until("USERSTATE")
        now = node.loop.time() + ANNOUNCE
        for _ in range(3):
            node.sweep(now)
        room = node.held("room")
        assert room is not None
        assert room.awake
        node.sweep(now + QUIET - 1)
        assert room.awake
        node.sweep(now + QUIET)
        assert not room.awake
        net.clock.advance(1.0)
        bob.send("PRIVMSG #room :hello")
        assert "msg_duplicate" in (await bob.until("NOTICE"))[-1]
        assert [shown.message.text for shown in room.channel.recent] == ["hello"]


async def test_it_follows_a_move_from_rest() -> None:
    """Rules C2, C5."""
    async with world() as net:
        ann = await net.join("ann")
        room = rest(net.nodes["main"])
        await net.claim("room")
        rest(net.nodes["main"])
        await net.move("room", "aws")
        assert "SERVERCHANGE #room" in (await ann.until("SERVERCHANGE"))[-1]
        await net.idle()
        assert rest(net.nodes["main"]) is room
        assert room.segment is not None
        assert room.segment.cluster == "aws"
        eve = await net.join("eve", cluster="aws")
        rest(net.nodes["aws"])
        eve.send("PRIVMSG #room :over here")
        assert ":over here" in (await ann.until("PRIVMSG"))[-1]


async def test_who_leaves_does_not_wake_it() -> None:
    async with world() as net:
        node = net.nodes["main"]
        ann, bob = await net.join("ann"), await net.join("bob")
        room = rest(node)
        ann.send("PART #room")
        await ann.until("PART")
        assert not room.awake
        assert [member.producer for member in room.members] == [net.session("bob").producer]
        bob.close()
        await net.until(lambda: not room.members)
        assert not room.awake
        now = node.loop.time()
        node.sweep(now)
        node.sweep(now + node.settings.edge.linger)
        assert node.held("room") is None


async def test_a_change_of_capabilities_wakes_it_only_for_membership() -> None:
    """CAP-6."""
    async with world() as net:
        ann = await net.join("ann", caps="twitch.tv/tags")
        room = rest(net.nodes["main"])
        ann.send("CAP REQ :twitch.tv/commands")
        await ann.until("ACK")
        assert not room.awake
        ann.send("CAP REQ :twitch.tv/membership")
        await ann.until("ACK")
        assert room.awake


async def test_who_listens_to_joins_is_told_of_them_after_a_rest() -> None:
    """JOIN-8, CAP-6."""
    async with world(edge={"ping_interval": 1000.0}) as net:
        node = net.nodes["main"]
        ann = await net.join("ann", caps=MEMBERSHIP)
        now = node.loop.time() + ANNOUNCE
        node.sweep(now)
        node.sweep(now + 1)
        room = node.held("room")
        assert room is not None
        assert not room.awake
        await net.join("bob")
        node.sweep(now + ANNOUNCE)
        assert (await ann.until("JOIN"))[-1] == ":bob!bob@bob.tmi.twitch.tv JOIN #room"
        net.session("bob").close("gone")
        await net.until(lambda: len(room.members) == 1)
        node.sweep(now + 2 * ANNOUNCE)
        assert (await ann.until("PART"))[-1] == ":bob!bob@bob.tmi.twitch.tv PART #room"


async def test_who_comes_elsewhere_is_told_after_a_rest() -> None:
    """JOIN-8."""
    async with world(edge={"ping_interval": 1000.0}) as net:
        other = await net.another("main2", "main")
        node = net.nodes["main"]
        ann = await net.join("ann", caps=MEMBERSHIP)
        now = node.loop.time() + ANNOUNCE
        for sweep in range(2):
            node.sweep(now + sweep)
            other.sweep(now + sweep)
        room = node.held("room")
        assert room is not None
        assert not room.awake
        await net.join("bob", cluster="main2")
        other.sweep(now + 2)
        await net.turns()
        assert not room.awake
        node.sweep(now + ANNOUNCE)
        assert (await ann.until("JOIN"))[-1] == ":bob!bob@bob.tmi.twitch.tv JOIN #room"


async def test_comparing_does_not_wake_it_while_all_is_well() -> None:
    """Rules L1, C7."""
    async with world() as net:
        node = net.nodes["main"]
        await net.join("ann")
        room = rest(node)
        for _ in range(5):
            net.clock.advance(5.0)
            await node.compare()
        assert not room.awake
        assert room.channel.known  # it has been compared all the while


async def test_a_log_that_is_silent_for_a_lease_wakes_it() -> None:
    """Rules C7, C8: it asks the store whether its place is another one."""
    async with world() as net:
        node = net.nodes["main"]
        await net.join("ann")
        room = rest(node)
        net.forget_log("main", "another")
        net.clock.advance(node.settings.move.lease + 1)
        await node.compare()
        assert room.awake


async def test_a_comparison_that_comes_late_does_not_wake_it() -> None:
    """Rule C7: a busy edge is not to ask for all its channels because it is busy; who wakes one has it ask."""
    async with world() as net:
        node = net.nodes["main"]
        ann = await net.join("ann")
        room = rest(node)
        net.clock.advance(node.settings.move.lease + 1)
        await node.compare()
        assert not room.awake
        assert not room.channel.known
        ann.send("PRIVMSG #room :hello")
        await ann.until("USERSTATE")
        assert room.channel.known


async def test_it_rests_while_somebody_is_still_to_be_told() -> None:
    """LIMIT-6, SC-4."""
    limits = {"preset": "now", "joins": 2, "messages": 1000}
    async with world(limits=limits, move={"notice_share": 0.5}) as net:
        node = net.nodes["main"]
        ann = await net.login("ann")
        ann.send("JOIN #a,#b")
        await ann.until(" 366 ann #b ")
        for channel in "ab":
            await net.claim(channel)
        for channel in "ab":
            await net.move(channel, "aws")
        assert "SERVERCHANGE #a" in (await ann.until("SERVERCHANGE"))[-1]
        await net.idle()
        room = rest(node, "b")
        assert node.statistics().untold == 1
        net.clock.advance(30.0)
        node.sweep(node.loop.time())
        assert "SERVERCHANGE #b" in (await ann.until("SERVERCHANGE"))[-1]
        assert room.untold == 0


async def test_who_leaves_need_not_be_told_any_more() -> None:
    """LIMIT-6."""
    async with world(limits={"preset": "now", "joins": 2}, move={"notice_share": 0.5}) as net:
        node = net.nodes["main"]
        ann = await net.login("ann")
        ann.send("JOIN #a,#b")
        await ann.until(" 366 ann #b ")
        for channel in "ab":
            await net.claim(channel)
            await net.move(channel, "aws")
        await net.idle()
        rest(node, "b")
        ann.send("PART #b")
        await ann.until("PART #b")
        assert node.statistics().untold == 0
        net.clock.advance(30.0)
        node.sweep(node.loop.time())
        assert not [line for line in await ann.flush() if "SERVERCHANGE #b" in line]


async def test_it_goes_with_the_default_placement() -> None:
    """Rule C10."""
    async with world() as net:
        node = net.nodes["main"]
        ann = await net.join("ann")
        room = rest(node)
        assert room.rowless
        await net.store.set_default(Segment("aws", 2, 0, "stream-aws"), hold_until=0.0)
        await node.check_default()
        assert "SERVERCHANGE #room" in (await ann.until("SERVERCHANGE"))[-1]


@pytest.mark.parametrize("busy", ["append", "ask", "read", "nothing"])
def test_a_channel_with_something_under_way_does_not_rest(busy: str) -> None:
    net = ChannelWorld()
    edge = net.edge("main")
    edge.held.add(busy)
    ann = edge.join("ann")
    edge.say(ann, "hello")
    if busy != "nothing":
        assert edge.channel.rest() is None
        edge.release(busy)
    assert edge.channel.rest(content=False) is None
    assert edge.channel.rest() is not None


def test_a_channel_with_an_early_joiner_does_not_rest() -> None:
    """JOIN-7, rule C12."""
    net = ChannelWorld()
    edge = net.edge("aws")
    ann = edge.join("ann")
    assert edge.channel.members == {ann: False}
    assert edge.channel.rest() is None


async def test_a_channel_of_which_nothing_is_known_is_joined_without_waking_it() -> None:
    """JOIN-2, rules C7, C10, L5."""
    async with world() as net:
        node = net.nodes["main"]
        ann, bob = await net.join("ann"), await net.join("bob")
        room = node.held("room")
        assert room is not None
        assert not room.awake
        assert not room.unread
        assert room.rowless
        assert [member.producer for member in room.members] == [net.session(nick).producer for nick in ("ann", "bob")]
        assert node.presence("room").told == 2
        bob.send("PRIVMSG #room :hello")
        assert ":hello" in (await ann.until("PRIVMSG"))[-1]


async def test_many_are_asked_for_together() -> None:
    async with world() as net:
        ann, asked = await net.login("ann"), 0
        placements = net.store.placements

        async def count(channels: Sequence[str]) -> list[Placement]:
            nonlocal asked
            asked += 1
            return await placements(channels)

        net.store.placements = count  # type: ignore[method-assign]
        ann.send("JOIN " + ",".join(f"#c{number}" for number in range(50)))
        await ann.until(" 366 ann #c49 ")
        assert asked <= 2
        rooms = net.session("ann").rooms.values()
        assert len(rooms) == 50
        assert not any(room.awake for room in rooms)


@pytest.mark.parametrize("how", ["bans", "early", "listener", "with a row"])
async def test_a_channel_of_which_more_must_be_known_wakes(how: str) -> None:
    """Rules R3, C11, L5, JOIN-4."""
    async with world() as net:
        if how == "bans":
            row = Sanction("1", "room", "ban", "7", "eve", "import", position=Position(0, 0))
            await net.store.add_sanction(row)
        elif how == "with a row":
            await net.store.pin(["room"])
        cluster = "aws" if how == "early" else "main"
        await net.join("ann", cluster=cluster, caps=MEMBERSHIP if how == "listener" else "twitch.tv/tags")
        room = net.nodes[cluster].held("room")
        assert room is not None
        assert room.awake


async def test_who_leaves_before_the_store_has_answered_is_not_let_in() -> None:
    async with world() as net:
        node, ann = net.nodes["main"], await net.login("ann")
        ann.send("JOIN #room", "PART #room")
        await net.idle()
        assert not [line for line in await ann.flush() if " 366 " in line]
        room = node.held("room")
        assert room is None or not room.members


async def test_a_join_on_knowledge_older_than_a_lease_asks_the_store() -> None:
    """Rule C7."""
    async with world() as net:
        await net.join("ann")
        await net.store.set_default(Segment("aws", 2, 0, "stream-aws"), hold_until=0.0)
        net.clock.advance(net.nodes["main"].settings.move.lease + 1)
        bob = await net.login("bob")
        bob.send("JOIN #room")
        heard = await bob.until("SERVERCHANGE")
        assert [line for line in heard if "SERVERCHANGE #room" in line]


async def test_it_follows_the_default_placement_without_waking() -> None:
    """Rules C5, C10."""
    async with world() as net:
        main, aws = net.nodes["main"], net.nodes["aws"]
        ann = await net.join("ann")
        room = rest(main)
        await net.store.set_default(Segment("aws", 2, 0, net.logs["aws"].stream("room")), hold_until=0.0)
        await main.check_default()
        assert "SERVERCHANGE #room" in (await ann.until("SERVERCHANGE"))[-1]
        assert not room.awake
        assert not room.unread
        assert room.segment is not None
        assert room.segment.cluster == "aws"
        eve = await net.join("eve", cluster="aws")
        over_there = aws.held("room")
        assert over_there is not None
        assert not over_there.awake
        eve.send("PRIVMSG #room :over here")
        assert ":over here" in (await ann.until("PRIVMSG"))[-1]
        ann.send("PRIVMSG #room :me too")
        assert ":me too" in (await eve.until("PRIVMSG"))[-1]


async def test_what_was_said_there_before_it_followed_is_read() -> None:
    """Rules L1, L5: whoever claims the channel just before its log is heard of."""
    async with world() as net:
        main = net.nodes["main"]
        ann = await net.join("ann")
        room = rest(main)
        to = Segment("aws", 2, 0, net.logs["aws"].stream("room"))
        await net.store.set_default(to, hold_until=0.0)
        author = Author("7", "eve")
        await net.logs["aws"].append("room", Message("m1", 2, "eve-1", 1, author, "early bird"), stream=to.stream)
        await main.check_default()
        assert ":early bird" in (await ann.until("PRIVMSG"))[-1]
        assert room.awake


async def test_who_waits_to_be_told_is_told_at_rest() -> None:
    """LIMIT-6, rule C10."""
    async with world(limits={"preset": "now", "joins": 2, "messages": 1000}, move={"notice_share": 0.5}) as net:
        node = net.nodes["main"]
        ann = await net.login("ann")
        ann.send("JOIN #a,#b")
        await ann.until(" 366 ann #b ")
        await net.store.set_default(Segment("aws", 2, 0, net.logs["aws"].stream("room")), hold_until=0.0)
        await node.check_default()
        assert "SERVERCHANGE #a" in (await ann.until("SERVERCHANGE"))[-1]
        room = rest(node, "b")
        assert room.untold == 1
        net.clock.advance(30.0)
        node.sweep(node.loop.time())
        assert "SERVERCHANGE #b" in (await ann.until("SERVERCHANGE"))[-1]
        assert room.untold == 0
        assert not room.awake


SEGMENT = Segment("main", 3, 5, "s")
ROWLESS = Placement("room", SEGMENT, default=True)


def begun() -> Rest:
    """A channel at rest that was compared with its log a second after the store was asked."""
    found = Rest.begun(ROWLESS, [SEGMENT], 100.0)
    assert found is not None
    assert not found.lets_in("main", None, 100.0, 10.0)  # its log was not heard of
    assert found.stands(SEGMENT, 5, 101.0, 10.0)
    return found


def test_only_a_channel_without_a_row_begins_at_rest() -> None:
    """Rule C10."""
    assert Rest.begun(Placement("room", SEGMENT), [SEGMENT], 100.0) is None
    assert Rest.begun(ROWLESS, [Segment("aws", 2, 0, "t"), SEGMENT], 100.0) is None


@pytest.mark.parametrize(
    ("cluster", "after", "now", "expected"),
    [
        ("main", None, 111.0, True),
        ("main", None, 111.1, False),
        ("aws", None, 105.0, False),
        ("main", Position(3, 5), 105.0, True),
        ("main", Position(1, 900), 105.0, True),
        ("main", Position(3, 6), 105.0, False),
    ],
)
def test_who_is_let_in_at_rest(cluster: str, after: Position | None, now: float, expected: bool) -> None:
    """Rules C7, C11, F3."""
    assert begun().lets_in(cluster, after, now, 10.0) is expected


def test_a_crowd_is_not_let_in_at_rest() -> None:
    found = begun()
    found.members = (Anybody(),) * FEW
    assert not found.lets_in("main", None, 105.0, 10.0)


class Anybody:
    producer = "p"
    account = "1"


@pytest.mark.parametrize(
    ("to", "default", "chain"),
    [
        (Segment("aws", 4, 0, "t", unclean=True), True, 1),
        (Segment("aws", 3, 0, "t"), True, 1),
        (Segment("aws", 2, 0, "t"), True, 1),
        (Segment("aws", 4, 0, "t"), False, 1),
        (Segment("aws", 4, 0, "t"), True, 2),
    ],
)
def test_what_it_does_not_follow_at_rest(to: Segment, default: bool, chain: int) -> None:
    """Rules C8, C10."""
    found = begun()
    assert not found.follows(Placement("room", to, default=default), [SEGMENT, to][-chain:], 102.0)
    assert found.segment == SEGMENT
    assert found.lets_in("main", None, 105.0, 10.0)


def test_it_follows_and_must_be_compared() -> None:
    """Rules C10, L5."""
    found, to = begun(), Segment("aws", 4, 7, "t")
    assert found.follows(Placement("room", to, default=True), [to], 102.0)
    assert found.here == Position(4, 7)
    assert not found.compared
    assert not found.stands(to, 8, 103.0, 10.0)
    assert found.stands(to, 7, 103.0, 10.0)
    assert found.lets_in("aws", None, 105.0, 10.0)
