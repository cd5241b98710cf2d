"""The operators' API."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from godwit.errors import EdgeUnavailable, StoreUnavailable
from godwit.values import Move, Segment
from tests.web.conftest import World
from tests.web.test_directory import one_line_error

CLOSED = [
    ("GET", "/channels/alice"),
    ("POST", "/channels/alice/move"),
    ("POST", "/channels/alice/live"),
    ("GET", "/moves"),
    ("GET", "/moves/m1"),
    ("GET", "/moves/m1/wait"),
    ("GET", "/accounts"),
    ("POST", "/accounts"),
    ("POST", "/accounts/alice/token"),
    ("GET", "/accounts/alice/tokens"),
    ("DELETE", "/accounts/alice/tokens/t1"),
    ("POST", "/accounts/alice/end"),
    ("DELETE", "/accounts/alice"),
    ("GET", "/audit"),
    ("GET", "/accounts/alice"),
    ("PUT", "/accounts/alice"),
    ("POST", "/import/{what}"),
    ("GET", "/emotes"),
    ("GET", "/emotes/first"),
    ("POST", "/emotes"),
    ("DELETE", "/emotes"),
    ("GET", "/channels/alice/bans"),
    ("POST", "/channels/alice/bans"),
    ("DELETE", "/channels/alice/bans/alice"),
    ("GET", "/channels/alice/roles"),
    ("PUT", "/channels/alice/roles/alice"),
    ("DELETE", "/channels/alice/roles/alice"),
    ("GET", "/channels/alice/followers"),
    ("PUT", "/channels/alice/followers/alice"),
    ("DELETE", "/channels/alice/followers/alice"),
    ("GET", "/channels/alice/subscribers"),
    ("PUT", "/channels/alice/subscribers/alice"),
    ("DELETE", "/channels/alice/subscribers/alice"),
    ("POST", "/channels/alice/usernotices"),
    ("GET", "/channels/alice/facts"),
    ("PUT", "/channels/alice/facts"),
    ("GET", "/channels/alice/explain"),
    ("POST", "/channels/import"),
    ("GET", "/holds"),
    ("GET", "/clusters"),
    ("GET", "/doctor"),
    ("POST", "/wishes"),
    ("GET", "/wishes"),
    ("GET", "/wishes/w1"),
    ("POST", "/rollouts/plan"),
    ("GET", "/rollouts"),
    ("GET", "/rollouts/r1"),
    ("GET", "/rollouts/r1/items"),
    ("GET", "/rollouts/r1/events"),
    ("GET", "/rollouts/r1/issues"),
    ("GET", "/rollouts/r1/report"),
]


async def wish(http: httpx.AsyncClient, channel: str = "alice", **body: Any) -> httpx.Response:
    """Ask for a move."""
    return await http.post(f"/channels/{channel}/move", json={"to": "aws", **body})


async def untouched(world: World) -> bool:
    """Nothing was recorded and nobody was woken."""
    return not (await world.store.moves() or await world.store.audit_log() or world.wishes)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic dGhlLWFkbWluLXRva2Vu"},
        {"Authorization": "Bearer"},
    ],
)
async def test_nothing_is_told_without_the_token(stranger: httpx.AsyncClient, headers: dict[str, str]) -> None:
    """401, saying what to send."""
    for method, path in CLOSED:
        response = await stranger.request(method, path, headers=headers)
        assert (path, response.status_code) == (path, 401)
        assert response.headers["www-authenticate"] == "Bearer"
        assert "Authorization: Bearer" in one_line_error(response)


def described_path(path: str) -> str:
    """A path as the description has it."""
    for part, name in (
        ("/channels/alice", "/channels/{name}"),
        ("/moves/m1", "/moves/{move_id}"),
        ("/wishes/w1", "/wishes/{wish_id}"),
        ("/rollouts/r1", "/rollouts/{name}"),
        ("/tokens/t1", "/tokens/{token_id}"),
        ("/alice", "/{login}"),
    ):
        path = path.replace(part, name)
    return path


async def test_the_list_of_closed_calls_is_complete(http: httpx.AsyncClient) -> None:
    """A call that is added later is tested too."""
    described = (await http.get("/openapi.json")).json()["paths"]
    closed = {
        (method.upper(), path)
        for path, calls in described.items()
        for method, call in calls.items()
        if call.get("security")
    }
    listed = {(method, described_path(path)) for method, path in CLOSED}
    assert closed == listed
    open_to_all = {path for path, calls in described.items() for call in calls.values() if not call.get("security")}
    assert open_to_all == {
        "/servers",
        "/api/channels/{login}/chat_properties",
        "/healthz",
        "/readyz",
        "/metrics",
        "/changes",
        "/changes/stream",
        "/moves/public",
        "/group/user/{login}/chatters",
        "/hosts",
        "/hooks/live",
        "/hooks/eventsub",
    }


async def test_a_channel_nobody_placed(http: httpx.AsyncClient) -> None:
    """All the keys."""
    assert (await http.get("/channels/%23Bob")).json() == {
        "channel": "bob",
        "cluster": "main",
        "epoch": 1,
        "state": "settled",
        "live": False,
        "previous": [],
        "drain_until": 0.0,
        "default": True,
        "move": None,
    }


async def test_a_channel_that_drains(world: World, http: httpx.AsyncClient) -> None:
    """Where it was is told too."""
    await world.place("alice", "aws", 2)
    body = (await http.get("/channels/alice")).json()
    assert (body["cluster"], body["epoch"], body["state"]) == ("aws", 2, "draining")
    assert (body["previous"], body["drain_until"], body["default"]) == (["main"], 60.0, False)


async def test_a_wish_is_recorded_told_and_audited(world: World, http: httpx.AsyncClient) -> None:
    """202 with the move; the controller is woken, once."""
    response = await wish(http, reason="the rollout", by="ann")
    assert response.status_code == 202
    body = response.json()
    now = world.clock.now()
    assert body == {
        "id": body["id"],
        "channel": "alice",
        "from": None,
        "to": "aws",
        "epoch": 0,
        "state": "wished",
        "forced": False,
        "by": "ann",
        "reason": "the rollout",
        "error": "",
        "unshown": 0,
        "version": 0,
        "history": [{"state": "wished", "time": now}],
        "dry_run": False,
    }
    stored = await world.store.move(body["id"])
    assert stored is not None
    assert (stored.channel, stored.target, stored.state) == ("alice", "aws", "wished")
    assert world.wishes == [None]
    (line,) = (await http.get("/audit?subject=alice")).json()["entries"]
    assert line == {
        "number": 1,
        "time": now,
        "actor": "ann",
        "action": "move",
        "subject": "alice",
        "reason": "the rollout",
        "details": f"to aws, move {body['id']}",
    }
    assert (await http.get("/channels/alice")).json()["move"] == body


async def test_a_move_to_an_unknown_cluster_is_refused(world: World, http: httpx.AsyncClient) -> None:
    """The clusters there are, are told."""
    response = await wish(http, to="azure")
    assert response.status_code == 404
    assert one_line_error(response).endswith("choose one of main, aws")
    assert await untouched(world)


async def test_a_move_of_an_invalid_name_is_refused(world: World, http: httpx.AsyncClient) -> None:
    """The name is shown."""
    response = await wish(http, "a%20b")
    assert response.status_code == 400
    assert "'a b' cannot be a channel" in one_line_error(response)
    assert await untouched(world)


async def test_a_live_channel_is_moved_by_force_only(world: World, http: httpx.AsyncClient) -> None:
    """Force needs a reason, and says so in the audit."""
    await world.store.set_live("alice", True, 0.0)
    refused = await wish(http, reason="now")
    assert refused.status_code == 409
    assert "--force --reason" in one_line_error(refused)
    without = await wish(http, force=True, reason="  ")
    assert without.status_code == 400
    assert "needs a reason" in one_line_error(without)
    assert await untouched(world)
    forced = await wish(http, force=True, reason="the host burns")
    assert forced.status_code == 202
    assert forced.json()["forced"] is True
    (line,) = await world.store.audit_log()
    assert (line.reason, "by force" in line.details) == ("the host burns", True)


async def test_force_without_a_reason_is_refused_for_any_channel(world: World, http: httpx.AsyncClient) -> None:
    """Also where it would not be needed."""
    assert (await wish(http, force=True)).status_code == 400
    assert await untouched(world)


async def test_a_move_to_a_retired_cluster_is_refused(world: World, http: httpx.AsyncClient) -> None:
    """Its addresses serve another one: say which, and what to do; also in a dry run."""
    await world.store.retire("aws", "main", 0.0)
    await world.place("alice", "event", 2)
    world.wishes.clear()
    for dry_run in (False, True):
        response = await wish(http, dry_run=dry_run)
        assert response.status_code == 409
        assert "aws is retired into main" in one_line_error(response)
        assert "godwit cluster restore aws" in one_line_error(response)
    assert await untouched(world)


async def test_a_dry_run_says_what_would_be_done(world: World, http: httpx.AsyncClient) -> None:
    """The view of the move that would begin, without an id; nothing is recorded."""
    response = await wish(http, dry_run=True, reason="the rollout")
    assert response.status_code == 200
    body = response.json()
    assert (body["dry_run"], body["id"], body["from"], body["to"], body["epoch"]) == (True, "", "main", "aws", 2)
    assert await untouched(world)
    assert (await wish(http)).json()["dry_run"] is False


async def test_a_dry_run_is_refused_as_the_act_is(world: World, http: httpx.AsyncClient) -> None:
    """With the same words: live, under way, there already, unknown."""
    await world.store.set_live("bob", True, 0.0)
    await wish(http, "carol")
    for channel, to in (("alice", "main"), ("alice", "azure"), ("bob", "aws"), ("carol", "aws"), ("a%20b", "aws")):
        act, dry = await wish(http, channel, to=to), await wish(http, channel, to=to, dry_run=True)
        assert dry.status_code == act.status_code >= 400
        assert one_line_error(dry) == one_line_error(act)


async def test_a_second_move_is_refused_and_told_how_to_watch_the_first(world: World, http: httpx.AsyncClient) -> None:
    """The move under way is named."""
    first = (await wish(http)).json()
    response = await wish(http, to="aws")
    assert response.status_code == 409
    text = one_line_error(response)
    assert first["id"] in text
    assert "godwit channel show" in text
    assert [move.id for move in await world.store.moves()] == [first["id"]]
    assert world.wishes == [None]


async def test_a_move_to_where_the_channel_is_is_refused(world: World, http: httpx.AsyncClient) -> None:
    """There is nothing to do."""
    response = await wish(http, to="main")
    assert response.status_code == 409
    assert "already on main" in one_line_error(response)
    assert await untouched(world)


@pytest.mark.parametrize(
    "body",
    [{}, {"to": 1}, {"to": "aws", "force": "perhaps"}, {"to": "aws", "by": ""}, {"to": "aws", "reason": "x" * 501}, []],
)
async def test_a_wish_that_cannot_be_read_is_refused(world: World, http: httpx.AsyncClient, body: Any) -> None:
    """400, one line."""
    response = await http.post("/channels/alice/move", json=body)
    assert response.status_code == 400
    one_line_error(response)
    assert await untouched(world)


async def test_moves_are_listed(world: World, http: httpx.AsyncClient) -> None:
    """By channel, newest first, or those that go on."""
    first = (await wish(http)).json()
    second = (await wish(http, "bob")).json()
    move = await world.store.move(first["id"])
    assert move is not None
    await world.store.journal(move, "failed", 5.0)

    async def ids(query: str) -> list[str]:
        return [move["id"] for move in (await http.get(f"/moves{query}")).json()["moves"]]

    assert await ids("") == [second["id"], first["id"]]
    assert await ids("?channel=%23alice") == [first["id"]]
    assert await ids("?unfinished=true") == [second["id"]]
    assert await ids("?limit=1") == [second["id"]]


async def test_a_move_tells_where_it_comes_from(world: World, http: httpx.AsyncClient) -> None:
    """Once the controller has looked."""
    source = Segment("main", 1, 0, "s")
    await world.store.begin_move(Move("m1", "alice", "aws", "opening", source=source, epoch=2))
    body = (await http.get("/moves/m1")).json()
    assert (body["from"], body["to"], body["epoch"]) == ("main", "aws", 2)


@pytest.mark.parametrize("path", ["/moves/m9", "/moves/m9/wait"])
async def test_an_unknown_move(http: httpx.AsyncClient, path: str) -> None:
    """404, naming it."""
    response = await http.get(path)
    assert response.status_code == 404
    assert one_line_error(response) == "there is no move 'm9'"


async def test_waiting_for_a_move(world: World, http: httpx.AsyncClient) -> None:
    """The answer comes when the state does."""
    move_id = (await wish(http)).json()["id"]
    waiter = asyncio.create_task(http.get(f"/moves/{move_id}/wait?until=draining&timeout=60"))
    move = await world.store.move(move_id)
    assert move is not None
    await world.store.journal(move, "draining", 5.0)
    world.changes.notify()
    body = (await waiter).json()
    assert body["state"] == "draining"
    assert body["history"][-1] == {"state": "draining", "time": 5.0}


@pytest.mark.parametrize("query", ["until=opened", "timeout=-1", "timeout=61", "timeout=nan", "after_version=x"])
async def test_a_wait_that_cannot_be_is_refused(http: httpx.AsyncClient, query: str) -> None:
    """400, one line."""
    response = await http.get(f"/moves/m1/wait?{query}")
    assert response.status_code == 400
    one_line_error(response)


async def test_live_and_offline(world: World, http: httpx.AsyncClient) -> None:
    """Both are recorded and audited."""
    response = await http.post("/channels/%23alice/live", json={"live": True, "by": "ann"})
    assert response.json() == {"channel": "alice", "live": True}
    assert await world.store.is_live("alice")
    assert (await http.get("/channels/alice")).json()["live"] is True
    await http.post("/channels/alice/live", json={"live": False})
    assert not await world.store.is_live("alice")
    assert [(line.actor, line.action) for line in await world.store.audit_log()] == [
        ("admin", "offline"),
        ("ann", "live"),
    ]


async def test_accounts(world: World, http: httpx.AsyncClient) -> None:
    """Added once, listed by login, removed."""
    added = await http.post("/accounts", json={"login": "Bob"})
    assert added.status_code == 201
    again = await http.post("/accounts", json={"login": "bob"})
    assert (again.status_code, again.json()) == (200, added.json())
    listed = (await http.get("/accounts")).json()["accounts"]
    assert [(row["login"], row["display_name"]) for row in listed] == [("alice", "Alice"), ("bob", "bob")]
    assert (await http.get("/accounts?after=alice")).json()["accounts"] == [added.json()]
    assert (await http.delete("/accounts/bob?by=ann")).status_code == 204
    assert await world.store.account("bob") is None
    gone = await http.delete("/accounts/bob")
    assert gone.status_code == 404
    assert one_line_error(gone) == "there is no account bob"
    assert [(line.actor, line.action) for line in await world.store.audit_log()] == [
        ("ann", "account remove"),
        ("admin", "account add"),
    ]


@pytest.mark.parametrize("login", ["a b", "justinfan7", "#bob", ""])
async def test_an_account_of_an_impossible_login_is_refused(http: httpx.AsyncClient, login: str) -> None:
    """400, one line."""
    response = await http.post("/accounts", json={"login": login})
    assert response.status_code == 400
    one_line_error(response)


async def test_a_token_is_shown_once_and_lets_in(world: World, http: httpx.AsyncClient) -> None:
    """It is new each time, and in no list and no audit."""
    response = await http.post("/accounts/Alice/token")
    assert response.status_code == 201
    body = response.json()
    found = await world.store.check_token(body["token"])
    assert found is not None
    assert (found[0].login, found[1].id) == ("alice", body["id"])
    assert found[1].scopes == ("chat:read", "chat:edit", "channel:moderate", "whispers:edit")
    other = (await http.post("/accounts/alice/token", json={"scopes": ["chat:read"]})).json()
    assert other["token"] != body["token"]
    assert other["scopes"] == ["chat:read"]
    told = (await http.get("/audit")).text + (await http.get("/accounts")).text
    assert body["token"] not in told


async def test_a_token_for_nobody(http: httpx.AsyncClient) -> None:
    """404, saying how to add the account."""
    response = await http.post("/accounts/bob/token")
    assert response.status_code == 404
    assert "godwit account add bob" in one_line_error(response)


async def test_a_store_that_does_not_answer(
    world: World, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503: nothing is wrong with the request."""

    async def silent(channel: str) -> bool:
        raise StoreUnavailable("disk on fire")

    monkeypatch.setattr(world.store, "is_live", silent)
    response = await http.get("/channels/alice")
    assert response.status_code == 503
    assert one_line_error(response) == "the store does not answer; try again"


async def test_an_edge_that_does_not_answer(
    world: World, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 too, and it is named: its operator can do something about it."""

    async def silent(channel: str) -> bool:
        raise EdgeUnavailable("edge e1 at http://e1 does not answer: look at its log")

    monkeypatch.setattr(world.store, "is_live", silent)
    response = await http.get("/channels/alice")
    assert response.status_code == 503
    assert one_line_error(response) == "edge e1 at http://e1 does not answer: look at its log"


async def test_a_bot_is_added_with_its_role(http: httpx.AsyncClient) -> None:
    """Roles that there are not are refused."""
    added = await http.post("/accounts", json={"login": "robo", "bot": "verified"})
    assert (added.status_code, added.json()["bot"]) == (201, "verified")
    assert (await http.post("/accounts", json={"login": "other", "bot": "golden"})).status_code == 400
