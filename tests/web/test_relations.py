"""Followers, subscribers and emotes, by HTTP (HTTP-followers, HTTP-emotes)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from godwit.tmi.emotes import GLOBAL
from godwit.values import Account, Emote, Relation
from tests.web.conftest import World
from tests.web.test_directory import one_line_error


@pytest.mark.row("HTTP-followers")
async def test_followers(world: World, http: httpx.AsyncClient) -> None:
    """HTTP-followers: since a time, or from now on; in pages."""
    await world.store.add_account(Account("50", "bob"))
    since = await http.put("/channels/%23Room/followers/alice", json={"since": "2024-01-31T18:00Z", "by": "carol"})
    assert since.json() == {"login": "alice", "user_id": "42", "since": 1706724000.0}
    now = (await http.put("/channels/room/followers/@Bob", json={})).json()
    assert now == {"login": "bob", "user_id": "50", "since": world.clock.now()}
    assert (await http.get("/channels/room/followers")).json() == {"followers": [since.json(), now]}
    assert (await http.get("/channels/room/followers?after=42&limit=1")).json() == {"followers": [now]}
    assert (await http.delete("/channels/room/followers/bob?by=carol")).status_code == 204
    assert (await http.delete("/channels/room/followers/bob")).status_code == 204
    assert (await http.get("/channels/room/followers")).json() == {"followers": [since.json()]}
    lines = [(line.actor, line.action, line.subject, line.details) for line in await world.store.audit_log()]
    assert lines[-1] == ("carol", "channel follow", "room", "alice follows since 1706724000")
    assert lines[1] == ("carol", "channel follow", "room", "bob follows no more")


@pytest.mark.row("HTTP-followers")
async def test_subscribers(world: World, http: httpx.AsyncClient) -> None:
    """HTTP-followers: with tier and months; one that has ended is not listed, its months are kept."""
    await http.put("/channels/room/followers/alice", json={"since": 5})
    wanted = {"login": "alice", "user_id": "42", "months": 14, "tier": "2000"}
    assert (await http.put("/channels/room/subscribers/alice", json={"months": 14, "tier": "2000"})).json() == wanted
    assert (await http.get("/channels/room/subscribers")).json() == {"subscribers": [wanted]}
    assert await world.store.relations([("room", "42")]) == [Relation("room", "42", 5.0, True, 14, "2000")]
    await http.put("/channels/room/subscribers/alice", json={"months": 14, "active": False})
    assert (await http.get("/channels/room/subscribers")).json() == {"subscribers": []}
    assert await world.store.relations([("room", "42")]) == [Relation("room", "42", 5.0, False, 14)]
    assert (await http.delete("/channels/room/subscribers/alice")).status_code == 204
    assert await world.store.relations([("room", "42")]) == [Relation("room", "42", 5.0)]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/channels/room/followers/nobody", {}, 404),
        ("/channels/no room/followers/alice", {}, 400),
        ("/channels/room/followers/alice", {"since": "yesterday"}, 400),
        ("/channels/room/followers/alice", {"since": -5}, 400),
        ("/channels/room/followers/alice", {"since": "inf"}, 400),
        ("/channels/room/followers/alice", {"since": 1e300}, 400),
        ("/channels/room/followers/alice", {"until": 5}, 400),
        ("/channels/room/subscribers/alice", {"tier": "4000"}, 400),
        ("/channels/room/subscribers/alice", {"months": -1}, 400),
        ("/channels/room/subscribers/nobody", {}, 404),
    ],
)
async def test_refused(world: World, http: httpx.AsyncClient, path: str, body: dict[str, Any], status: int) -> None:
    """One line, and nothing is written."""
    response = await http.put(path, json=body)
    assert response.status_code == status
    one_line_error(response)
    assert await world.store.relations([("room", "42")]) == [Relation("room", "42")]
    assert not await world.store.audit_log()


@pytest.mark.row("HTTP-emotes")
async def test_emotes(world: World, http: httpx.AsyncClient) -> None:
    """HTTP-emotes: everybody's and a channel's, added, replaced, removed."""
    added = await http.post("/emotes", json={"code": ":3", "id": "500", "by": "carol"})
    assert (added.status_code, added.json()) == (201, {"code": ":3", "id": "500", "channel": ""})
    await http.post("/emotes", json={"code": "hi", "id": "300_HF", "channel": "#Room"})
    await http.post("/emotes", json={"code": "hi", "id": "301_HF", "channel": "room"})
    assert (await http.get("/emotes")).json() == {"emotes": [added.json()]}
    assert (await http.get("/emotes?channel=%23room")).json()["emotes"] == [
        {"code": "hi", "id": "301_HF", "channel": "room"}
    ]
    assert await world.store.emotes("room") == [Emote("hi", "301_HF", "room")]
    first = (await http.get("/emotes/first")).json()["emotes"]
    assert {"code": "Kappa", "id": "25", "channel": ""} in first
    assert len(first) == len(GLOBAL)
    gone = await http.request("DELETE", "/emotes", params={"code": "hi"})
    assert (gone.status_code, one_line_error(gone)) == (404, "there is no emote 'hi' for everybody")
    assert (await http.request("DELETE", "/emotes", params={"code": "hi", "channel": "room"})).status_code == 204
    assert await world.store.emotes("room") == []
    lines = [(line.actor, line.action, line.subject, line.details) for line in await world.store.audit_log()]
    assert lines[-1] == ("carol", "emote add", "", ":3 is 500")
    assert lines[0] == ("admin", "emote remove", "room", "hi")


@pytest.mark.parametrize(
    "body",
    [
        {"code": "two words", "id": "5"},
        {"code": "", "id": "5"},
        {"code": "a\u00a0b", "id": "5"},
        {"code": "a", "id": ""},
        {"code": "a", "id": "5/6"},
        {"code": "a", "id": "5,6"},
        {"code": "a", "id": "5:6"},
        {"code": "a", "id": "5", "channel": "no room"},
        {"code": "a"},
    ],
)
async def test_emotes_that_cannot_be(world: World, http: httpx.AsyncClient, body: dict[str, Any]) -> None:
    """What the tag could not carry is refused."""
    response = await http.post("/emotes", json=body)
    assert response.status_code == 400
    one_line_error(response)
    assert await world.store.emotes() == []
    assert not await world.store.audit_log()
