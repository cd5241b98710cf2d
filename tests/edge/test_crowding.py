"""How many channels a client is in at once (LIMIT-11)."""

from __future__ import annotations

from typing import Any

import pytest

from godwit.store.base import Sanction
from godwit.values import Position
from tests.edge.world import Client, World, world

pytestmark = pytest.mark.row("LIMIT-11")


def limited() -> Any:
    """A network where a client may be in two channels, and join as often as it likes."""
    return world(limits={"preset": "off", "channels": 2})


async def joined(net: World, client: Client, *channels: str) -> list[str]:
    """Join channels, one by one; those that were let in."""
    client.send(*(f"JOIN #{channel}" for channel in channels))
    heard = []
    for _ in range(3):  # one JOIN may wait for what another one asks
        heard += await client.flush()
        await net.idle()
    return [line.split("#")[1].split(" ")[0] for line in [*heard, *await client.flush()] if " 366 " in line]


async def moderator(net: World, nick: str, channel: str) -> None:
    """Make somebody who is here a moderator, as an import does."""
    user_id = net.session(nick).account
    row = Sanction(f"{nick}-{channel}", channel, "mod", user_id, nick, "import", position=Position(0, 0))
    await net.store.add_sanction(row)


async def test_a_join_past_the_limit_is_dropped_in_silence() -> None:
    async with limited() as net:
        ann = await net.login("ann")
        assert await joined(net, ann, "a", "b", "c") == ["a", "b"]
        assert await joined(net, ann, "a") == ["a"]
        ann.send("PART #a")
        assert await joined(net, ann, "c", "a") == ["c"]
        assert net.nodes["main"].counts.joins_over == 2
        assert sorted(net.session("ann").rooms) == ["b", "c"]


async def test_all_connections_of_an_account_are_one_client() -> None:
    async with limited() as net:
        here, there, bob = await net.login("ann"), await net.login("ann", "aws"), await net.login("bob")
        assert await joined(net, here, "a") == ["a"]
        assert await joined(net, there, "a", "b", "c") == ["a", "b"]
        assert await joined(net, here, "c") == []
        assert await joined(net, bob, "c") == ["c"]
        there.close()
        await net.until(lambda: len(net.nodes["aws"].sessions) == 0)
        assert await joined(net, here, "c") == ["c"]


async def test_an_anonymous_connection_is_a_client() -> None:
    async with limited() as net:
        first, second = await net.login("justinfan1", caps=""), await net.login("justinfan1", "aws", caps="")
        assert await joined(net, first, "a", "b", "c") == ["a", "b"]
        assert await joined(net, second, "c") == ["c"]


async def test_where_it_is_owner_or_moderator_does_not_count() -> None:
    async with limited() as net:
        ann = await net.login("ann")
        await moderator(net, "ann", "late")
        await moderator(net, "ann", "early")
        assert sorted(await joined(net, ann, "ann", "early", "a", "b")) == ["a", "ann", "b", "early"]
        assert await joined(net, ann, "c") == []
        assert await joined(net, ann, "late") == ["late"]  # that it moderates there is found out first
        assert net.nodes["main"].counts.joins_over == 1


async def test_without_the_setting_nothing_is_kept() -> None:
    async with world(limits={"preset": "off"}) as net:
        ann = await net.login("ann")
        assert len(await joined(net, ann, *(f"r{number}" for number in range(150)))) == 150
        assert net.pace.connections(net.session("ann")) == ()


async def test_nothing_is_kept_of_those_who_have_gone() -> None:
    async with limited() as net:
        ann = await net.login("ann")
        session = net.session("ann")
        assert list(net.pace.connections(session)) == [session]
        ann.close()
        await net.nodes["main"].wait_empty()
        assert net.pace.connections(session) == ()


async def test_who_hangs_up_while_it_waits_leaves_nothing_behind() -> None:
    async with limited() as net:
        ann, node = await net.login("ann"), net.nodes["main"]
        assert await joined(net, ann, "a", "b") == ["a", "b"]
        await moderator(net, "ann", "late")
        ann.send("JOIN #late")
        ann.close()
        await node.wait_empty()
        await net.idle()
        assert node.members("late") == 0
