"""The list of processes: what the store knows of them, and what they say themselves."""

from __future__ import annotations

import httpx
import pytest
from prometheus_client import CollectorRegistry

from godwit.clock import FakeClock
from godwit.roles import inside
from godwit.roles.roster import Roster, farthest
from godwit.store.memory_nodes import MemoryNodes
from godwit.store.nodes_base import Node
from godwit.web.processes import Known

TOKEN = "the-admin-token"
NOW = 100.0


def node(name: str, until: float, url: str = "") -> Node:
    return Node(name, "edge", f"s-{name}", 5.0, until, "main", url, version="0.5")


@pytest.fixture
async def registry() -> MemoryNodes:
    found = MemoryNodes(FakeClock(NOW))
    for each in (node("a", 106.0, "http://a"), node("b", 106.0, "http://b"), node("c", 99.0, "http://a")):
        await found.register(each, 5.0)
    return found


def network() -> httpx.AsyncClient:
    """Where only the process a answers."""
    app = inside.build((), CollectorRegistry(), TOKEN, about=lambda: inside.About({"x": -0.5, "y": 0.1}))
    answers = httpx.ASGITransport(app)

    async def serve(request: httpx.Request) -> httpx.Response:
        if request.url.host != "a":
            raise httpx.ConnectError("refused")
        answer = await answers.handle_async_request(request)
        return httpx.Response(answer.status_code, content=await answer.aread())

    return httpx.AsyncClient(transport=httpx.MockTransport(serve))


async def test_list(registry: MemoryNodes) -> None:
    """One that is silent, and one that died, are in it."""
    a, b, c = await Roster(registry, network(), TOKEN).list()
    assert a == Known(node("a", 106.0, "http://a"), 100.0, True, -0.5)
    assert (b.node.name, b.alive, b.ahead) == ("b", True, None)
    assert (c.node.name, c.seen, c.alive, c.ahead) == ("c", 93.0, False, None)


async def test_strangers_are_told_nothing(registry: MemoryNodes) -> None:
    assert [known.ahead for known in await Roster(registry, network(), "wrong").list()] == [None, None, None]


def test_farthest() -> None:
    assert farthest({"a": 0.0, "b": -3.0, "c": 2.0}) == -3.0
    assert farthest({}) is None
