"""What anybody may read: changes and planned moves (HTTP-changes, HTTP-moves)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import cast

import httpx
import pytest

from godwit.rollout.values import Item
from godwit.web import public
from godwit.web.server import serve
from tests.web.conftest import World, until
from tests.web.rollout_world import started
from tests.web.test_directory import one_line_error


@pytest.mark.row("HTTP-changes")
async def test_changes_since_a_number(world: World, stranger: httpx.AsyncClient) -> None:
    """First the number of the moment, then what came behind it."""
    assert (await stranger.get("/changes")).json() == {"next": 0, "changes": []}
    await world.place("alice", "aws", 2)
    response = await stranger.get("/changes?since=0")
    assert response.json() == {
        "next": 1,
        "changes": [
            {
                "number": 1,
                "time": 0.0,
                "kind": "moved",
                "channel": "alice",
                "cluster": "aws",
                "epoch": 2,
                "from": "main",
            }
        ],
    }
    assert response.headers["cache-control"] == "no-store"
    assert (await stranger.get("/changes?since=1&wait=0")).json() == {"next": 1, "changes": []}


@pytest.mark.row("HTTP-changes")
async def test_a_cursor_that_is_no_longer_kept(world: World, stranger: httpx.AsyncClient) -> None:
    """Said aloud."""
    await world.place("alice", "aws", 2)
    await world.store.trim_feed(10.0)
    assert (await stranger.get("/changes?since=0")).json() == {"next": 1, "reset": True, "changes": []}


async def test_a_change_ends_a_wait(world: World, stranger: httpx.AsyncClient) -> None:
    """As soon as it is told."""
    asked = asyncio.create_task(stranger.get("/changes?since=0&wait=60"))
    await until(lambda: world.changes.next()._waiters)
    await world.place("alice", "aws", 2)
    world.changes.notify()
    assert (await asked).json()["next"] == 1


@pytest.mark.row("HTTP-changes")
async def test_changes_as_events(world: World) -> None:
    """Over a real connection, by either address, from where the client was."""
    await world.place("alice", "aws", 2)
    running = await serve(world.app(), "127.0.0.1", 0)
    try:
        async with httpx.AsyncClient(base_url=running.url) as client:
            for path, headers in (
                ("/changes/stream?since=0", {}),
                ("/changes", {"Accept": "text/event-stream", "Last-Event-ID": "0"}),
                ("/changes/stream?since=7", {"Last-Event-ID": "0"}),
            ):
                async with client.stream("GET", path, headers={"Origin": "http://page", **headers}) as response:
                    assert response.headers["access-control-allow-origin"] == "*"
                    assert response.headers["content-type"].startswith("text/event-stream")
                    lines = cast(AsyncGenerator[str, None], response.aiter_lines())
                    read = [line async for line in _until_data(lines)]
                assert read[:3] == ["retry: 3000", "id: 0", ""]
                assert read[3] == "id: 1"
    finally:
        world.changes.close()
        await running.stop()


async def _until_data(lines: AsyncGenerator[str, None]) -> AsyncIterator[str]:
    async with contextlib.aclosing(lines):
        async for line in lines:
            yield line
            if line.startswith("data:"):
                return


@pytest.mark.parametrize("query", ["since=-1", "since=9223372036854775808", "limit=0", "limit=1001", "wait=61"])
async def test_questions_that_cannot_be_are_refused(stranger: httpx.AsyncClient, query: str) -> None:
    """400, one line."""
    response = await stranger.get(f"/changes?{query}")
    assert response.status_code == 400
    one_line_error(response)


@pytest.mark.parametrize("number", ["x", "-1", "9223372036854775808", "\xb2"])
async def test_an_event_id_that_is_no_number_is_refused(stranger: httpx.AsyncClient, number: str) -> None:
    """400, one line."""
    response = await stranger.get("/changes/stream", headers=[(b"Last-Event-ID", number.encode("latin-1"))])
    assert response.status_code == 400
    one_line_error(response)


async def test_only_so_many_may_wait(stranger: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one is told to come back later."""
    monkeypatch.setattr(public, "WATCHERS", 0)
    for path in ("/changes?since=0", "/changes/stream"):
        response = await stranger.get(path)
        assert response.status_code == 503
        assert response.headers["retry-after"] == "5"
        one_line_error(response)
    assert (await stranger.get("/changes")).status_code == 200


@pytest.mark.row("HTTP-changes", "HTTP-moves")
async def test_any_web_page_may_read_them(stranger: httpx.AsyncClient) -> None:
    """CORS."""
    for path in ("/changes", "/moves/public"):
        response = await stranger.get(path, headers={"Origin": "http://page"})
        assert response.headers["access-control-allow-origin"] == "*"


@pytest.mark.row("HTTP-moves")
async def test_planned_moves(world: World, stranger: httpx.AsyncClient) -> None:
    """Those that wait, with their wave, page by page; what is under way or done is not planned any more."""
    items = [
        Item("r1", "alice", 0, "main"),
        Item("r1", "bob", 1, "main", goal="back"),
        Item("r1", "carol", 1, "main", state="done"),
        Item("r1", "dave", 1, "event", state="moving"),
        Item("r1", "erin", 1, "event"),
    ]
    await started(world.store, items)
    first = (await stranger.get("/moves/public?limit=2")).json()
    assert first == {
        "moves": [
            {"channel": "alice", "from": "main", "to": "aws", "rollout": "autumn", "wave": "staff"},
            {"channel": "bob", "from": "aws", "to": "main", "rollout": "autumn", "wave": "rest"},
        ],
        "next": "1:bob",
    }
    second = (await stranger.get(f"/moves/public?state=planned&limit=2&after={first['next']}")).json()
    assert [move["channel"] for move in second["moves"]] == ["erin"]
    assert second["next"] == ""


async def test_rollouts_that_ended_plan_nothing(world: World, stranger: httpx.AsyncClient) -> None:
    """And pages go on from one rollout to the next."""
    await started(world.store, [Item("r1", "alice", 0, "main")], state="aborted")
    await started(world.store, [Item("r2", "alice", 0, "main")], rollout_id="r2")
    await started(world.store, [Item("r3", "alice", 0, "main")], rollout_id="r3", state="paused")
    cursor, seen = "", []
    while True:
        page = (await stranger.get(f"/moves/public?limit=1&after={cursor}")).json()
        seen += page["moves"]
        cursor = page["next"]
        if not cursor:
            break
    assert len(seen) == 2


@pytest.mark.row("HTTP-moves")
async def test_done_moves(world: World, stranger: httpx.AsyncClient) -> None:
    """From the feed, oldest first."""
    await world.place("alice", "aws", 2)
    await world.store.retire("group", "aws", 5.0)
    await world.place("alice", "main", 3)
    first = (await stranger.get("/moves/public?state=done&limit=1")).json()
    assert first == {"moves": [{"channel": "alice", "from": "main", "to": "aws", "time": 0.0}], "next": "1"}
    rest = (await stranger.get("/moves/public?state=done&after=1")).json()
    assert [(move["from"], move["to"]) for move in rest["moves"]] == [("aws", "main")]
    assert rest["next"] == ""


@pytest.mark.parametrize(
    "query", ["state=never", "after=x", "after=%C2%B2", "state=done&after=x", "state=done&after=99999999999999999999"]
)
async def test_lists_that_cannot_be_are_refused(stranger: httpx.AsyncClient, query: str) -> None:
    """400, one line."""
    response = await stranger.get(f"/moves/public?{query}")
    assert response.status_code == 400
    one_line_error(response)
