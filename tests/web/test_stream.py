"""Server-sent events (HTTP-changes)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from godwit.web.changes import Changes
from godwit.web.feed import Batch, Feed
from godwit.web.stream import EventStream, events
from tests.web.conftest import until
from tests.web.test_feed import LONG, LookedAt, no_gap, store

pytestmark = pytest.mark.row("HTTP-changes")

__all__ = ["no_gap", "store"]


class Client:
    """Who reads a stream, without a socket."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.gone = asyncio.Event()
        self.reads = True

    async def receive(self) -> dict[str, Any]:
        """Nothing until the client goes."""
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """Take what comes, if the client reads."""
        if not self.reads:
            await asyncio.Event().wait()
        self.messages.put_nowait(message)

    async def body(self) -> bytes:
        """The next piece."""
        message = await self.messages.get()
        assert message["type"] == "http.response.body"
        return bytes(message["body"])

    def follow(self, stream: EventStream) -> asyncio.Task[None]:
        """Begin to read."""
        return asyncio.create_task(stream({"type": "http"}, self.receive, self.send))


def test_events_carry_their_numbers() -> None:
    """A client that comes back says the last one."""
    assert events(Batch(3, ((2, b'{"a":1}'), (3, b"{}")))) == b'id: 2\ndata: {"a":1}\n\nid: 3\ndata: {}\n\n'
    assert events(Batch(9, reset=True)) == b'id: 9\ndata: {"reset":true,"next":9}\n\n'
    assert events(Batch(9)) == b""


async def test_a_stream_begins_with_this_moment_and_goes_on(store: LookedAt) -> None:
    """The number of the moment comes first, so that nothing is missed if the connection breaks at once."""
    await store.move_to("alice", "aws", 2)
    changes, client = Changes(), Client()
    task = client.follow(EventStream(Feed(store, changes, LONG), None))
    start = await client.messages.get()
    assert start["status"] == 200
    headers = dict(start["headers"])
    assert headers[b"content-type"].startswith(b"text/event-stream")
    assert b"content-length" not in headers
    assert await client.body() == b"retry: 3000\nid: 1\n\n"
    await store.move_to("alice", "main", 3)
    changes.notify()
    assert (await client.body()).startswith(b'id: 2\ndata: {"number":2,')
    changes.close()
    await task
    assert (await client.messages.get())["more_body"] is False


async def test_a_stream_goes_on_where_the_client_was(store: LookedAt) -> None:
    """Also when it was told that it missed something."""
    for epoch in (2, 3, 4):
        await store.move_to("alice", "aws", epoch)
    await store.trim_feed(3.0)
    changes, client = Changes(), Client()
    feed = Feed(store, changes, LONG)
    task = client.follow(EventStream(feed, 2))
    await client.messages.get()
    assert await client.body() == b"retry: 3000\nid: 2\n\n"
    assert (await client.body()).startswith(b"id: 3\n")
    client.gone.set()
    await task
    late = Client()
    task = late.follow(EventStream(feed, 0))
    await late.messages.get()
    await late.body()
    assert await late.body() == events(Batch(3, reset=True))
    late.gone.set()
    await task


async def test_a_sign_of_life(store: LookedAt) -> None:
    """A comment, which clients pass over."""
    client = Client()
    task = client.follow(EventStream(Feed(store, Changes(), LONG), 0, keep_alive=0.001))
    await client.messages.get()
    await client.body()
    assert await client.body() == b": alive\n\n"
    client.gone.set()
    await task


async def test_a_client_that_goes_ends_it(store: LookedAt) -> None:
    """Nobody waits any more."""
    client, feed = Client(), Feed(store, Changes(), LONG)
    task = client.follow(EventStream(feed, 0))
    await client.messages.get()
    await client.body()
    await until(lambda: feed.waiting)
    client.gone.set()
    await task
    assert feed.waiting == 0


async def test_a_client_that_does_not_read_is_cut(store: LookedAt) -> None:
    """Nothing is read for it meanwhile."""
    client, feed = Client(), Feed(store, Changes(), LONG)
    stream = EventStream(feed, 0, patience=0.001)
    with capture_logs() as logs:
        task = client.follow(stream)
        await client.messages.get()
        client.reads = False
        await task
    assert [line["event"] for line in logs] == ["change_stream_cut"]
    assert client.messages.empty()


async def test_a_store_that_does_not_answer_ends_it(store: LookedAt) -> None:
    """The client comes back by itself and says where it was."""
    store.silent = True
    client = Client()
    await client.follow(EventStream(Feed(store, Changes(), LONG), 0))
    await client.messages.get()
    await client.body()
    assert (await client.messages.get())["more_body"] is False


async def test_a_fault_is_not_swallowed(store: LookedAt, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is logged where all faults are."""

    async def broken(*_: object) -> Batch:
        raise RuntimeError("broken")

    feed = Feed(store, Changes(), LONG)
    monkeypatch.setattr(feed, "wait", broken)
    with pytest.raises(RuntimeError, match="broken"):
        await Client().follow(EventStream(feed, 0))
