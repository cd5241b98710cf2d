"""The network by HTTP (HTTP-clusters)."""

from __future__ import annotations

import httpx
import msgspec
import pytest

from godwit.values import Move, Segment
from tests.web.conftest import World
from tests.web.test_directory import one_line_error

pytestmark = pytest.mark.row("HTTP-clusters")


class Finding(msgspec.Struct, frozen=True):
    """What a doctor tells."""

    kind: str


async def test_clusters(world: World, http: httpx.AsyncClient) -> None:
    """Addresses, channels, unfinished moves apart from them, which is the default, which is retired."""
    await world.place("alice", "aws", 2)
    await world.store.pin(["bob", "godwit__main_0"])
    source = Segment("main", 1, 0, "s")
    await world.store.begin_move(Move("m1", "bob", "aws", "opening", source=source, epoch=2))
    await world.store.begin_move(Move("m2", "godwit__main_0", "aws", "opening", source=source, epoch=2))
    await world.store.retire("group", "aws", 0.0)
    main, aws, group = (await http.get("/clusters")).json()["clusters"]
    assert aws == {
        "name": "aws",
        "tcp": ["irc.example.net:6668"],
        "tls": ["irc.example.net:6697"],
        "ws": ["127.0.0.1:8081"],
        "wss": [],
        "channels": 1,
        "moves": 1,
        "default": False,
        "retired_into": "",
    }
    assert (main["name"], main["default"], main["channels"], main["moves"]) == ("main", True, 1, 1)
    assert (group["name"], group["retired_into"]) == ("group", "aws")


async def test_what_the_doctor_says_is_told(world: World) -> None:
    """As it is."""

    async def doctor() -> dict[str, list[Finding]]:
        return {"findings": [Finding("stray")]}

    world.more["doctor"] = doctor
    async with world.client() as http:
        assert (await http.get("/doctor")).json() == {"findings": [{"kind": "stray"}]}


async def test_why_a_channel_is_where_it_is(world: World) -> None:
    """Asked by its stored name."""

    async def explain(channel: str) -> dict[str, str]:
        return {"channel": channel, "reason": "live"}

    world.more["explain"] = explain
    async with world.client() as http:
        assert (await http.get("/channels/%23Alice/explain")).json() == {"channel": "alice", "reason": "live"}
        response = await http.get("/channels/a%20b/explain")
    assert response.status_code == 400
    one_line_error(response)


async def test_where_the_controller_is_not_nobody_examines(http: httpx.AsyncClient) -> None:
    """503, saying so."""
    response = await http.get("/doctor")
    assert response.status_code == 503
    assert "controller" in one_line_error(response)


async def test_without_further_ado_the_store_says_why(http: httpx.AsyncClient) -> None:
    """It knows nearly all of it."""
    body = (await http.get("/channels/alice/explain")).json()
    assert (body["channel"], body["cluster"], body["reason"]) == ("alice", "main", "no rollout concerns it")
