"""Who is in a channel on an edge, as those who move channels see it."""

from __future__ import annotations

from godwit.edge.presence import Present
from godwit.values import Segment
from tests.edge.world import world


async def test_nobody_is_in_a_channel_that_is_not_held() -> None:
    async with world() as net:
        node = net.nodes["main"]
        assert node.presence("room") == Present(0, 0, 0.0)
        assert node.logins("room") == []
        assert node.view("room") is None
        assert node.statistics().channels == 0  # asking makes none


async def test_members_and_where_they_stand() -> None:
    async with world() as net:
        await net.join("ann")
        await net.join("ann")
        await net.join("justinfan1")
        node = net.nodes["main"]
        assert node.presence("room") == Present(3, 3, 0.0)
        assert sorted(node.logins("room")) == ["ann", "ann", "justinfan1"]
        assert node.view("room") == Segment("main", 1, 0, "stream-main")


async def test_a_wide_connection_need_not_be_told() -> None:
    async with world(edge={"wide": 2}) as net:
        ann, node = await net.join("ann"), net.nodes["main"]
        ann.send("JOIN #other")
        await ann.until("ROOMSTATE")
        assert node.presence("room").told == 1
        ann.send("JOIN #third")
        await ann.until("ROOMSTATE")
        assert node.presence("room") == Present(1, 0, 0.0)
        ann.send("PART #third")
        await ann.until("PART")
        assert node.presence("room").told == 1


async def test_an_early_joiner_need_not_be_told() -> None:
    async with world() as net:
        early = await net.join("ann", cluster="aws")
        assert net.nodes["aws"].presence("room") == Present(1, 0, 0.0)
        await net.move("room", "aws")
        await early.flush()
        await net.until(lambda: net.nodes["aws"].presence("room").told == 1)


async def test_the_last_message_is_that_of_the_log() -> None:
    async with world(edge={"recent": 0}) as net:
        ann, node = await net.join("ann"), net.nodes["main"]
        net.clock.advance(5.0)
        ann.send("PRIVMSG #room :one")
        await ann.until("USERSTATE")
        said = net.clock.now()
        net.clock.advance(5.0)
        assert node.presence("room").last_message == said


async def test_a_reader_stands_in_the_new_segment_after_a_move() -> None:
    async with world() as net:
        ann, node = await net.join("ann"), net.nodes["main"]
        await net.move("room", "aws")
        await ann.until("SERVERCHANGE")
        segment = node.view("room")
        assert segment is not None
        assert (segment.cluster, segment.epoch) == ("aws", 2)
        assert node.logins("room") == ["ann"]
