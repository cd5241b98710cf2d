"""An edge over real sockets: login, JOIN, PRIVMSG, and what a node does for its channels."""

from __future__ import annotations

from tests.edge.world import world


async def test_join_is_answered_in_one_burst_in_order() -> None:
    async with world() as net:
        client = await net.login("ronni")
        client.send("JOIN #dallas")
        lines = await client.until("ROOMSTATE")
        assert [line.split(" ")[2 if line.startswith("@") else 1] for line in lines] == [
            "JOIN",
            "353",
            "366",
            "USERSTATE",
            "ROOMSTATE",
        ]
