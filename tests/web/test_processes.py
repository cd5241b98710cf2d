"""The processes by HTTP (HTTP-processes)."""

from __future__ import annotations

from collections.abc import Sequence

import httpx
import pytest

from godwit.store.nodes_base import Node
from godwit.values import Addresses
from godwit.web.processes import Known
from tests.web.conftest import World

pytestmark = pytest.mark.row("HTTP-processes")

EDGE = Node("e1", "edge", "s", 5.0, 20.0, "aws", "http://a:9001", Addresses(tcp=("a:1",), wss=("a:2",)), "0.5")


async def test_processes(world: World) -> None:
    async def running() -> Sequence[Known]:
        return [Known(EDGE, 14.0, True, 0.25), Known(Node("c1", "controller", "s", 6.0, 7.0), 1.0, False)]

    world.more["running"] = running
    async with world.client() as http:
        edge, controller = (await http.get("/processes")).json()["processes"]
    assert edge == {
        "name": "e1",
        "role": "edge",
        "cluster": "aws",
        "alive": True,
        "started": 5.0,
        "seen": 14.0,
        "ahead": 0.25,
        "version": "0.5",
        "url": "http://a:9001",
        "tcp": ["a:1"],
        "tls": [],
        "ws": [],
        "wss": ["a:2"],
    }
    assert (controller["name"], controller["alive"], controller["ahead"]) == ("c1", False, None)
    async with world.client(token=None) as stranger:
        assert (await stranger.get("/processes")).status_code == 401


async def test_who_does_not_know_does_not_say(http: httpx.AsyncClient) -> None:
    assert (await http.get("/processes")).status_code == 404
