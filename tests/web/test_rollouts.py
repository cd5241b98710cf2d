"""Rollouts by HTTP (HTTP-rollouts)."""

from __future__ import annotations

import asyncio

import httpx
import msgspec
import pytest

from godwit.rollout.values import Advance, Event, Issue, Item, Rollout
from godwit.values import Move
from godwit.web import rollouts as rollouts_module
from tests.web.conftest import World, until
from tests.web.rollout_world import started, write
from tests.web.test_directory import one_line_error

pytestmark = pytest.mark.row("HTTP-rollouts")

ITEMS = [
    Item("r1", "alice", 0, "main", state="done", before=3, followed=2, stayed=("songbot",), verified="ok"),
    Item("r1", "bob", 1, "main"),
    Item("r1", "carol", 1, "main", state="failed", error="the log did not answer"),
    Item("r1", "dave", 1, "main", goal="back", state="done"),
]


async def test_the_list(world: World, http: httpx.AsyncClient) -> None:
    """Newest first, with how far each is."""
    await started(world.store, ITEMS)
    await started(world.store, rollout_id="r2", state="aborted")
    rows = (await http.get("/rollouts")).json()["rollouts"]
    assert [row["id"] for row in rows] == ["r2", "r1"]
    assert rows[1] == {
        "id": "r1",
        "name": "autumn",
        "number": 1,
        "to": "aws",
        "state": "running",
        "why": "",
        "by": "carol",
        "created": 1_000_000.0,
        "done": 2,
        "total": 4,
    }
    assert len((await http.get("/rollouts?limit=1")).json()["rollouts"]) == 1


@pytest.mark.parametrize("name", ["r1", "autumn", "latest"])
async def test_how_far_a_rollout_is(world: World, name: str) -> None:
    """Waves with counts, open issues, and why what waits is waiting."""

    async def waiting(rollout: Rollout) -> dict[str, int]:
        return {f"live in {rollout.id}": 1}

    world.more["waiting"] = waiting
    await started(
        world.store,
        ITEMS,
        issues=[
            Issue("i1", "r1", 1, "songbot answers twice", "erin", 1.0),
            Issue("i2", "r1", 1, "gone", "erin", 1.0, 2.0, "erin", "restarted"),
        ],
    )
    async with world.client() as http:
        body = (await http.get(f"/rollouts/{name}")).json()
    assert (body["id"], body["state"], body["done"], body["total"]) == ("r1", "running", 2, 4)
    staff, rest = body["waves"]
    assert (staff["name"], staff["state"], staff["counts"], staff["done"]) == ("staff", "moving", {"done": 1}, 1)
    assert rest["counts"] == {"waiting": 1, "failed": 1, "done": 1}
    assert rest["back"] == {"done": 1}
    assert [issue["text"] for issue in body["issues"]] == ["songbot answers twice"]
    assert body["issues"][0]["wave"] == "rest"
    assert body["waiting"] == {"live in r1": 1}
    assert body["budget"] == {
        "in_flight": 20,
        "cold_in_flight": 1000,
        "hot_per_second": 1.0,
        "cold_per_second": 500.0,
    }
    assert body["history"] == [{"state": "running", "time": 1_000_000.0, "by": "carol", "why": "time to go"}]


async def test_an_unknown_rollout(http: httpx.AsyncClient) -> None:
    """404, whatever is asked of it."""
    for path in ("", "/items", "/events", "/issues", "/report"):
        response = await http.get(f"/rollouts/spring{path}")
        assert response.status_code == 404
        one_line_error(response)


async def test_a_change_of_the_rollout_ends_a_wait(world: World, http: httpx.AsyncClient) -> None:
    """As soon as it is told."""
    rollout = await started(world.store, ITEMS)
    version = (await http.get("/rollouts/r1")).json()["version"]
    asked = asyncio.create_task(http.get(f"/rollouts/r1?version={version}&wait=60"))
    await until(lambda: world.changes.next()._waiters)
    await write(world.store, Advance(1.0, msgspec.structs.replace(rollout, state="paused", why="a gate")))
    world.changes.notify()
    assert (await asked).json()["state"] == "paused"


async def test_a_move_of_a_channel_ends_a_wait(
    world: World, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A little later: many of them are told together."""
    monkeypatch.setattr(rollouts_module, "SETTLE", 0.001)
    await started(world.store, ITEMS)
    version = (await http.get("/rollouts/r1")).json()["version"]
    asked = asyncio.create_task(http.get(f"/rollouts/r1?version={version}&wait=60"))
    await until(lambda: world.changes.next()._waiters)
    lease = await world.store.lead("controller", "test", now=1.0, until=10**9)
    await world.store.advance(Advance(1.0, items=(msgspec.structs.replace(ITEMS[1], state="done"),)), term=lease.term)
    assert (await asked).json()["done"] == 3


async def test_who_knows_an_older_version_is_answered_at_once(world: World, http: httpx.AsyncClient) -> None:
    """And so is who asks for one that has ended, or for no time at all."""
    await started(world.store, ITEMS)
    assert (await http.get("/rollouts/r1?version=old&wait=60")).status_code == 200
    version = (await http.get("/rollouts/r1")).json()["version"]
    assert (await http.get(f"/rollouts/r1?version={version}&wait=0")).status_code == 200
    await started(world.store, rollout_id="r2", state="finished")
    version = (await http.get("/rollouts/r2")).json()["version"]
    assert (await http.get(f"/rollouts/r2?version={version}&wait=60")).status_code == 200


async def test_items(world: World, http: httpx.AsyncClient) -> None:
    """By name, of one wave, of one state, page by page."""
    await started(world.store, ITEMS)

    async def names(query: str) -> list[str]:
        return [item["channel"] for item in (await http.get(f"/rollouts/r1/items{query}")).json()["items"]]

    assert await names("") == ["alice", "bob", "carol", "dave"]
    assert await names("?state=done") == ["alice", "dave"]
    assert await names("?wave=rest&after=%23Bob") == ["carol", "dave"]
    page = (await http.get("/rollouts/r1/items?limit=1")).json()
    assert page["next"] == "alice"
    item = page["items"][0]
    assert (item["wave"], item["before"], item["followed"], item["stayed"]) == ("staff", 3, 2, ["songbot"])
    assert (await http.get("/rollouts/r1/items?after=carol")).json()["next"] == ""


@pytest.mark.parametrize(
    ("query", "hint"), [("wave=other", "staff, rest"), ("state=gone", "state"), ("after=a%20b", "cannot be a channel")]
)
async def test_items_that_cannot_be(world: World, http: httpx.AsyncClient, query: str, hint: str) -> None:
    """400, one line."""
    await started(world.store, ITEMS)
    response = await http.get(f"/rollouts/r1/items?{query}")
    assert response.status_code == 400
    assert hint in one_line_error(response)


async def test_events(world: World, http: httpx.AsyncClient) -> None:
    """Those of this rollout, oldest first; who asks for more waits."""
    await started(world.store)
    await started(world.store, rollout_id="r2")
    body = (await http.get("/rollouts/r1/events")).json()
    assert [(event["kind"], event["details"]) for event in body["events"]] == [("rollout.started", {"channels": 0})]
    assert (await http.get(f"/rollouts/r1/events?after={body['next']}")).json() == {"events": [], "next": body["next"]}
    asked = asyncio.create_task(http.get(f"/rollouts/r1/events?after={body['next']}&wait=60"))
    await until(lambda: world.changes.next()._waiters)
    lease = await world.store.lead("controller", "test", now=1.0, until=10**9)
    event = Event("rollout.gate", 1.0, rollout="r1", details={"gate": "p99"})
    await world.store.advance(Advance(1.0, events=(event,)), term=lease.term)
    world.changes.notify()
    assert [event["kind"] for event in (await asked).json()["events"]] == ["rollout.gate"]


async def test_issues(world: World, http: httpx.AsyncClient) -> None:
    """All, or the open ones."""
    await started(
        world.store,
        issues=[
            Issue("i1", "r1", 0, "songbot answers twice", "erin", 1.0),
            Issue("i2", "r1", 1, "slow", "erin", 2.0, 3.0, "carol", "not any more"),
        ],
    )
    rows = (await http.get("/rollouts/r1/issues")).json()["issues"]
    assert [(row["id"], row["wave"], row["resolution"]) for row in rows] == [
        ("i1", "staff", ""),
        ("i2", "rest", "not any more"),
    ]
    assert [row["id"] for row in (await http.get("/rollouts/r1/issues?open=true")).json()["issues"]] == ["i1"]


async def test_the_report(world: World, http: httpx.AsyncClient) -> None:
    """As JSON and as Markdown; whoever never followed is named."""
    await started(world.store, ITEMS)
    move = Move("m1", "alice", "aws", "wished", rollout="r1", history=(("wished", 1.0),))
    await world.store.begin_move(move)
    as_json = await http.get("/rollouts/r1/report")
    assert as_json.headers["content-type"] == "application/json"
    assert as_json.json()["name"] == "autumn"
    as_text = await http.get("/rollouts/r1/report?format=md")
    assert as_text.headers["content-type"].startswith("text/markdown")
    assert as_text.text.startswith("# Rollout autumn")
    assert "songbot" in as_text.text
    assert (await http.get("/rollouts/r1/report?format=pdf")).status_code == 400
