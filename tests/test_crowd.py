"""Who is where, over several edges and clusters."""

from __future__ import annotations

from godwit.control.ports import Presence
from godwit.crowd import EdgeCrowd
from godwit.edge.node import EdgeNode
from tests.edge.world import World, world


def _crowd(net: World) -> EdgeCrowd:
    """Two edges of main, of which the second is empty, and those of the others."""
    spare = EdgeNode("main", net.logs, net.store, net.settings, net.clock, net.addresses)
    return EdgeCrowd({"main": [net.nodes["main"], spare], "aws": [net.nodes["aws"]]})


async def test_all_edges_count_together() -> None:
    async with world() as net:
        crowd = _crowd(net)
        await net.join("anna")
        await net.join("anna")
        ben = await net.join("ben", cluster="aws")
        talker = await net.join("cleo")
        net.clock.advance(5.0)
        talker.send("PRIVMSG #room :hi")
        await talker.until("USERSTATE")
        assert await crowd.presence(["other", "room"]) == [
            Presence("other"),
            Presence("room", members=4, told=3, last_message=net.clock.now()),
        ]
        assert sorted(await crowd.left_behind("room", "main")) == ["anna", "anna", "cleo"]
        assert await crowd.left_behind("room", "aws") == ["ben"]
        assert await crowd.left_behind("room", "nowhere") == []
        ben.close()


async def test_edges_are_named_and_say_where_they_stand() -> None:
    async with world() as net:
        crowd = _crowd(net)
        await net.join("anna")
        await net.join("ben", cluster="aws")
        here = (await net.store.placement("room")).segment
        assert await crowd.views(["other", "room"]) == {"room": [("main-1", here), ("aws-1", here)]}
