"""Answers of logs and store, good and bad, as a channel gets them."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from godwit.chatlog.base import Page
from godwit.edge.backend import room_id
from godwit.errors import ChatLogUnavailable, StoreUnavailable
from godwit.settings import AuthSettings, Settings
from godwit.store.memory import MemoryStore
from godwit.values import Account, Placement, Segment
from tests.edge.logs import Gate
from tests.edge.world import world


@pytest.mark.parametrize("error", [StoreUnavailable("down"), RuntimeError("broken")])
async def test_a_join_waits_for_a_store_that_is_away(error: Exception) -> None:
    async with world() as net:
        node, answer = net.nodes["main"], net.store.placement
        ann = await net.login("ann")

        async def placement(channel: str) -> Placement:
            raise error

        net.store.placement = placement  # type: ignore[method-assign]
        with capture_logs() as logs:
            ann.send("JOIN #room")
            assert await ann.flush() == []
            await net.idle()
        assert [entry["event"] for entry in logs if entry["log_level"] != "info"] == ["ask_failed"]
        net.store.placement = answer  # type: ignore[method-assign]
        node.sweep(node.loop.time())
        await ann.until("ROOMSTATE")


async def test_placement_and_chain_that_do_not_agree_are_read_again() -> None:
    async with world() as net:
        chain, asked = net.store.segments, 0

        async def segments(channel: str) -> list[Segment]:
            nonlocal asked
            asked += 1
            return await chain(channel) if asked > 1 else []

        net.store.segments = segments  # type: ignore[method-assign]
        await net.join("ann")
        assert asked == 2


@pytest.mark.parametrize("error", [StoreUnavailable("down"), RuntimeError("broken")])
async def test_a_commit_that_failed_is_tried_again_before_anybody_is_told(error: Exception) -> None:
    """SC-4."""
    async with world() as net:
        node, commit = net.nodes["main"], net.store.commit
        ann = await net.join("ann")
        ann.send("PRIVMSG #room :hello")
        await ann.until("USERSTATE")

        async def fail(*arguments: Any, **named: Any) -> Placement:
            raise error

        net.store.commit = fail  # type: ignore[method-assign]
        await net.move("room", "aws")
        await net.idle()
        assert await ann.flush() == []
        net.store.commit = commit  # type: ignore[method-assign]
        node.sweep(node.loop.time())
        await ann.until("SERVERCHANGE")
        assert (await net.store.placement("room")).segment.cluster == "aws"


async def test_a_read_that_failed_is_tried_again() -> None:
    gates: dict[str, Gate] = {}

    async def read(channel: str, after: int, limit: int = 500) -> Page:
        raise ChatLogUnavailable("away")

    async with world(lambda log: gates.setdefault(log.cluster, Gate(log))) as net:
        node = net.nodes["main"]
        gates["main"].read = read  # type: ignore[method-assign]
        ann = await net.login("ann")
        ann.send("JOIN #room")
        await net.idle()
        assert await ann.flush() == []
        del gates["main"].read
        node.sweep(node.loop.time())
        await ann.until("ROOMSTATE")


async def test_a_channel_on_a_cluster_that_is_not_known_here_waits() -> None:
    async with world() as net:
        await net.store.set_default(Segment("elsewhere", 2, 0, "stream-elsewhere"), hold_until=0.0)
        ann = await net.login("ann")
        ann.send("JOIN #room", "PRIVMSG #room :hello")
        await net.idle()
        assert await ann.flush() == []
        net.nodes["main"].sweep(net.nodes["main"].loop.time())
        await net.nodes["main"].compare()
        assert await ann.flush() == []


async def test_the_owner_of_a_channel_comes_to_be_with_open_authentication_only() -> None:
    store = MemoryStore()
    tokens = Settings(auth=AuthSettings(mode="tokens"))
    assert await room_id(store, tokens, "dallas") == "0"
    assert await store.accounts() == []
    found = await room_id(store, Settings(), "dallas")
    assert await store.account("dallas") == Account(found, "dallas")
    assert await room_id(store, tokens, "dallas") == found
