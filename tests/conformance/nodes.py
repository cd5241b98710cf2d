"""The suite that every `godwit.store.nodes_base.NodeRegistry` passes.

A back-end's test module gives a class of its own that inherits `NodeSuite`, and a fixture `make_store`: each call of
what it yields opens one more registry on the same, at first empty, data.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from godwit.errors import InvalidRequest
from godwit.store.nodes_base import FORGOTTEN, Node, NodeRegistry
from godwit.values import Addresses

MakeRegistry = Callable[[], Awaitable[NodeRegistry]]

EDGE = Node(
    "aws-1", "edge", "s1", 5.0, 20.0, "aws", "http://a:9001", Addresses(tcp=("a:1", "a:2"), wss=("a:3",)), "0.3"
)


def edge(**changes: object) -> Node:
    """An edge of aws, with changes."""
    return msgspec.structs.replace(EDGE, **changes)


class NodeSuite:
    """The fixtures give two registries on the same data."""

    @pytest.fixture
    async def registry(self, make_store: MakeRegistry) -> NodeRegistry:
        """A registry without nodes."""
        return await make_store()

    @pytest.fixture
    async def rival(self, registry: NodeRegistry, make_store: MakeRegistry) -> NodeRegistry:
        """Another one on the same data, as a second process would have it."""
        return await make_store()

    async def test_register(self, registry: NodeRegistry, rival: NodeRegistry) -> None:
        """All see who runs, by name and by role."""
        assert await rival.nodes(now=5.0) == []
        controller = Node("b", "controller", "s2", 6.0, 30.0)
        assert await registry.register(controller, 6.0) == controller
        assert await registry.register(EDGE, 5.0) == EDGE
        assert await rival.nodes(now=6.0) == [EDGE, controller]
        assert await rival.nodes("controller", now=6.0) == [controller]
        assert await rival.nodes("directory", now=6.0) == []

    async def test_end(self, registry: NodeRegistry, rival: NodeRegistry) -> None:
        """Who does not beat counts as dead; who beats does not."""
        await registry.register(EDGE, 5.0)
        assert await rival.nodes(now=19.9) == [EDGE]
        assert await rival.nodes(now=20.0) == []
        assert await registry.beat("aws-1", "s1", 40.0)
        assert await rival.nodes(now=20.0) == [edge(until=40.0)]
        assert not await registry.beat("aws-1", "s0", 50.0)
        assert not await registry.beat("aws-2", "s1", 50.0)
        assert await rival.nodes(now=20.0) == [edge(until=40.0)]

    async def test_register_again(self, registry: NodeRegistry, rival: NodeRegistry) -> None:
        """A process may say more of itself later, and one whose answer was lost may say it again."""
        await registry.register(EDGE, 5.0)
        later = edge(addresses=Addresses(tcp=("a:9",)), until=50.0)
        assert await registry.register(later, 6.0) == later
        assert await rival.nodes(now=6.0) == [later]

    async def test_name_taken(self, registry: NodeRegistry, rival: NodeRegistry) -> None:
        """Of two with one name the second is refused, until the first has ended or is dead."""
        await registry.register(EDGE, 5.0)
        second = edge(session="s2", started=19.0, until=60.0, role="directory", cluster="")
        with pytest.raises(InvalidRequest, match=r"named aws-1 already: edge at http://a:9001, for 14 s.* free in 1 s"):
            await rival.register(second, 19.0)
        assert await rival.nodes(now=19.0) == [EDGE]
        assert await rival.register(second, 20.0) == second
        assert await registry.nodes(now=20.0) == [second]
        assert not await registry.beat("aws-1", "s1", 90.0), "it has been replaced"
        assert not await registry.unregister("aws-1", "s1")
        assert await registry.nodes(now=20.0) == [second]

    async def test_unregister(self, registry: NodeRegistry, rival: NodeRegistry) -> None:
        """Who ends makes room at once."""
        await registry.register(EDGE, 5.0)
        assert await registry.unregister("aws-1", "s1")
        assert not await registry.unregister("aws-1", "s1")
        assert await rival.nodes(now=6.0) == []
        assert await rival.register(edge(session="s2"), 6.0) == edge(session="s2")

    async def test_same_name_at_once(self, registry: NodeRegistry, rival: NodeRegistry) -> None:
        """Of two that start at once one gets the name."""
        told = await asyncio.gather(
            registry.register(EDGE, 5.0), rival.register(edge(session="s2"), 5.0), return_exceptions=True
        )
        assert [type(answer) for answer in told if not isinstance(answer, Node)] == [InvalidRequest]
        assert await rival.nodes(now=5.0) == [answer for answer in told if isinstance(answer, Node)]

    async def test_the_dead_are_forgotten(self, registry: NodeRegistry, rival: NodeRegistry) -> None:
        """A day later."""
        await registry.register(EDGE, 5.0)
        await rival.register(edge(name="b", session="s2"), 20.0 + FORGOTTEN)
        assert await registry.beat("aws-1", "s1", 30.0)
        await rival.register(edge(name="b", session="s2"), 30.1 + FORGOTTEN)
        assert not await registry.beat("aws-1", "s1", 40.0)

    async def test_clock(self, registry: NodeRegistry) -> None:
        """Here it is the machine's own; a day's difference would be the time zone's."""
        before = time.time()
        assert before - 1.0 < await registry.clock() < time.time() + 1.0
