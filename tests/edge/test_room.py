"""A fault in one channel ends with this channel."""

from __future__ import annotations

from structlog.testing import capture_logs

from tests.edge.world import world


async def test_a_channel_that_fails_is_given_up_and_made_anew() -> None:
    """PART-1."""
    async with world() as net:
        node = net.nodes["main"]
        ann, bob = await net.join("ann"), await net.join("bob")
        ann.send("JOIN #other")
        await ann.until("ROOMSTATE #other")

        def broken(*arguments: object) -> None:
            raise RuntimeError("broken")

        node.room("room").channel.live = broken  # type: ignore[method-assign, assignment]
        with capture_logs() as logs:
            bob.send("PRIVMSG #room :hello")
            assert await ann.until("PART") == [":ann!ann@ann.tmi.twitch.tv PART #room"]
            assert await bob.until("PART") == [":bob!bob@bob.tmi.twitch.tv PART #room"]
        assert [(entry["event"], entry["channel"]) for entry in logs] == [("channel_failed", "room")]
        assert node.counts.channels_failed == 1
        assert list(net.session("ann").rooms) == ["other"]
        ann.send("JOIN #room")
        await ann.until("ROOMSTATE #room")
        bob.send("PRIVMSG #room :again")
        await ann.until(":again")


async def test_a_message_is_found_by_its_id_while_it_is_recent() -> None:
    async with world(edge={"recent": 2}) as net:
        ann = await net.join("ann")
        ids = []
        for number in range(3):
            ann.send(f"PRIVMSG #room :{number}")
            ids.append((await ann.until("USERSTATE"))[-1].split(";id=")[1].split(";")[0])
        found = [net.nodes["main"].room("room").message(msg_id) for msg_id in ids]
        assert [message.text if message else None for message in found] == [None, "1", "2"]
