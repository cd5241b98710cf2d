"""The directory tells where the edges are; clients are spread over them, and counted."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from godwit.drill import doors
from godwit.drill.doors import NotListed, find
from godwit.drill.operator import Operator
from godwit.drill.plan import FOLLOWING, Part
from godwit.drill.result import Node
from tests.drill.toy import Toy

PARTS = [Part(f"follower{number}", "follower", "tcp", FOLLOWING, ("room",)) for number in range(8)]
TURNS = {part.name: turn for turn, part in enumerate(PARTS)}
CLUSTERS = ("main", "aws")


@pytest.fixture
async def toy() -> AsyncIterator[Toy]:
    """A server with two edges per cluster."""
    async with Toy(edges=2) as toy:
        yield toy


@pytest.fixture
async def operator(toy: Toy) -> AsyncIterator[Operator]:
    """Asks it."""
    operator = Operator(toy.ready.api, toy.ready.admin_token, 1)
    yield operator
    operator.close()


class Nobody:
    """Hears nothing."""

    def line(self, data: bytes) -> None:
        """Take a line."""

    def closed(self, reason: str) -> None:
        """Learn of the end."""


async def test_everybody_is_dealt_an_edge(toy: Toy, operator: Operator) -> None:
    """At home in turn, and elsewhere so that all ways from edge to edge occur."""
    found = await find(operator, toy.ready, CLUSTERS, TURNS)
    first, second = toy.listed["main"]
    homes = [found.home(part, "main") for part in PARTS]
    assert [home["tcp"] for home in homes] == [first.tcp, second.tcp] * 4
    assert [f"ws://{home['ws']}/" for home in homes] == [first.ws, second.ws] * 4
    ways = [(turn % 2, found.away(part, "main") % 2) for turn, part in enumerate(PARTS)]
    assert {way: ways.count(way) for way in ways} == {(0, 0): 2, (0, 1): 2, (1, 0): 2, (1, 1): 2}


async def test_who_came_is_counted(toy: Toy, operator: Operator) -> None:
    """By edge, whatever the transport; one that nobody came to is named if somebody ought to have."""
    found = await find(operator, toy.ready, CLUSTERS, TURNS)
    first = toy.listed["main"][0]
    links = [await found.open("tcp", first.tcp, Nobody()), await found.open("ws", first.ws, Nobody())]
    assert found.nodes() == (
        Node("edge-main-1", "edge", "main", 2),
        Node("edge-main-2", "edge", "main", 0),
        Node("edge-aws-1", "edge", "aws", 0),
        Node("edge-aws-2", "edge", "aws", 0),
    )
    assert found.unused("main", 2) == ["edge-main-2"]
    assert found.unused("main", 1) == []
    for link in links:
        link.close()


async def test_one_process(operator: Operator) -> None:
    """It has one edge of each cluster, and there are no nodes to tell of."""
    async with Toy() as toy:
        alone = Operator(toy.ready.api, toy.ready.admin_token, 1)
        found = await find(alone, toy.ready, CLUSTERS, TURNS)
        assert {found.home(part, "main")["tcp"] for part in PARTS} == {toy.ready.clusters["main"].tcp}
        assert found.nodes() == ()
        assert found.unused("main", 8) == []
        alone.close()


async def test_a_directory_that_hides_an_edge(toy: Toy, operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given time to learn of it, then that is an error."""
    monkeypatch.setattr(doors, "PATIENCE", 0.0)
    hidden = toy.listed["aws"].pop()
    with pytest.raises(NotListed, match=f"as aws, not .*{hidden.tcp}"):
        await find(operator, toy.ready, CLUSTERS, TURNS)
