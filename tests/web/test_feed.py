"""The change feed, apart from HTTP (HTTP-changes)."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from structlog.testing import capture_logs

from godwit.errors import StoreUnavailable
from godwit.rollout.values import Event
from godwit.store.memory import MemoryStore
from godwit.values import Segment
from godwit.web import feed as feed_module
from godwit.web.changes import Changes
from godwit.web.feed import Batch, Feed
from tests.web.conftest import until

pytestmark = pytest.mark.row("HTTP-changes")

LONG = 600.0


class LookedAt(MemoryStore):
    """A store that counts looks at its feed, tells of them, and may be silent."""

    def __init__(self) -> None:
        super().__init__()
        self.looks: asyncio.Queue[int] = asyncio.Queue()
        self.silent = False

    async def feed(
        self, *, after: int, public: bool = False, rollout: str | None = None, limit: int = 1000
    ) -> list[Event]:
        """Read, and tell it."""
        self.looks.put_nowait(after)
        if self.silent:
            raise StoreUnavailable("no answer")
        return await super().feed(after=after, public=public, rollout=rollout, limit=limit)

    async def move_to(self, channel: str, cluster: str, epoch: int) -> None:
        """Commit a move."""
        await self.commit(channel, Segment(cluster, epoch, 7, "s"), drain_until=0.0, now=float(epoch))


@pytest.fixture(autouse=True)
def no_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks follow each other at once."""
    monkeypatch.setattr(feed_module, "GAP", 0.0)


@pytest.fixture
async def store() -> LookedAt:
    """A store whose channels are on main."""
    made = LookedAt()
    await made.set_default(Segment("main", 1, 0, "s"), hold_until=0.0)
    return made


def numbers(batch: Batch) -> list[int]:
    """The numbers of a batch."""
    return [number for number, _ in batch.changes]


async def test_a_batch_is_told_as_json(store: LookedAt) -> None:
    """Each change says what it is."""
    await store.move_to("alice", "aws", 2)
    await store.set_default(Segment("aws", 2, 0, "s"), hold_until=0.0, now=3.0)
    await store.retire("main", "aws", 4.0)
    told = msgspec.json.decode((await Feed(store, Changes(), LONG).read(0)).encoded())
    assert told == {
        "next": 3,
        "changes": [
            {
                "number": 1,
                "time": 2.0,
                "kind": "moved",
                "channel": "alice",
                "cluster": "aws",
                "epoch": 2,
                "from": "main",
            },
            {"number": 2, "time": 3.0, "kind": "default", "cluster": "aws", "epoch": 2, "from": "main"},
            {"number": 3, "time": 4.0, "kind": "retired", "cluster": "main", "into": "aws"},
        ],
    }


async def test_the_number_of_this_moment(store: LookedAt) -> None:
    """Nothing else."""
    await store.move_to("alice", "aws", 2)
    assert (await Feed(store, Changes(), LONG).now()).encoded() == b'{"next":1,"changes":[]}'


async def test_who_waits_is_woken_by_a_change(store: LookedAt) -> None:
    """This process wrote it and said so."""
    changes = Changes()
    feed = Feed(store, changes, LONG)
    waiter = asyncio.create_task(feed.wait(0, 10, LONG))
    await until(lambda: feed.waiting and store.looks.qsize() > 1)
    await store.move_to("alice", "aws", 2)
    changes.notify()
    assert numbers(await waiter) == [1]
    assert feed.waiting == 0


async def test_a_change_told_by_nobody_is_seen_all_the_same(store: LookedAt) -> None:
    """Another process may have written it."""
    feed = Feed(store, Changes(), 0.001)
    waiter = asyncio.create_task(feed.wait(0, 10, LONG))
    await store.looks.get()
    await store.move_to("alice", "aws", 2)
    assert numbers(await waiter) == [1]


async def test_one_looks_for_all(store: LookedAt) -> None:
    """A hundred who wait cost one look at the store."""
    await store.move_to("alice", "aws", 2)
    changes = Changes()
    feed = Feed(store, changes, LONG)
    waiters = [asyncio.create_task(feed.wait(1, 10, LONG)) for _ in range(100)]
    await until(lambda: feed._up)
    for _ in range(20):
        await asyncio.sleep(0)
    while not store.looks.empty():
        store.looks.get_nowait()
    await store.move_to("alice", "main", 3)
    changes.notify()
    batches = await asyncio.gather(*waiters)
    assert {tuple(numbers(batch)) for batch in batches} == {(2,)}
    # One for the change, one that finds no more.
    assert store.looks.qsize() == 2
    assert len({id(batch.changes[0][1]) for batch in batches}) == 1


async def test_no_change_ends_a_wait_after_a_while(store: LookedAt) -> None:
    """The cursor stays."""
    await store.move_to("alice", "aws", 2)
    feed = Feed(store, Changes(), LONG)
    assert await feed.wait(1, 10, 0.001) == Batch(1)
    assert await feed.wait(1, 10, 0.0) == Batch(1)


async def test_closing_ends_all_waits(store: LookedAt) -> None:
    """A process that stops keeps nobody waiting."""
    changes = Changes()
    feed = Feed(store, changes, LONG)
    waiter = asyncio.create_task(feed.wait(0, 10, LONG))
    await store.looks.get()
    changes.close()
    assert await waiter == Batch(0)


async def test_a_cursor_behind_what_was_trimmed_is_reset(store: LookedAt) -> None:
    """Said aloud: something may have been missed."""
    await store.move_to("alice", "aws", 2)
    await store.move_to("bob", "aws", 3)
    await store.move_to("carol", "aws", 4)
    await store.trim_feed(4.0)
    feed = Feed(store, Changes(), LONG)
    assert (await feed.wait(1, 10, LONG)).encoded() == b'{"next":3,"reset":true,"changes":[]}'
    assert numbers(await feed.wait(2, 10, LONG)) == [3]


async def test_a_cursor_from_the_future_is_reset(store: LookedAt) -> None:
    """The store is another one than that which gave it."""
    await store.move_to("alice", "aws", 2)
    feed = Feed(store, Changes(), LONG)
    assert await feed.wait(7, 10, LONG) == Batch(1, reset=True)
    assert await feed.wait(1, 10, 0.0) == Batch(1)


async def test_who_is_far_behind_reads_on_page_by_page(store: LookedAt, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is missed between what the store has and what is kept in memory."""
    monkeypatch.setattr(feed_module, "KEPT", 3)
    monkeypatch.setattr(feed_module, "PAGE", 2)
    changes = Changes()
    feed = Feed(store, changes, LONG)
    first = asyncio.create_task(feed.wait(0, 1, LONG))
    await until(lambda: feed._up)
    for number in range(20):
        await store.move_to(f"channel{number}", "aws", 2)
    changes.notify()
    assert numbers(await first) == [1]
    idle = asyncio.create_task(feed.wait(20, 1, LONG))
    await until(lambda: feed._last == 20)
    assert 3 <= len(feed._kept) <= 5
    cursor, seen = 0, list[int]()
    while cursor < 20:
        batch = await feed.wait(cursor, 2, LONG)
        seen += numbers(batch)
        cursor = batch.next
    assert seen == list(range(1, 21))
    changes.close()
    assert (await idle).changes == ()


async def test_the_rooms_of_probes_are_nobodys_business(store: LookedAt) -> None:
    """They are passed over, wherever they are read."""
    for number in range(3):
        await store.move_to(f"godwit__probe_{number}", "aws", 2)
    await store.move_to("alice", "aws", 2)
    changes = Changes()
    feed = Feed(store, changes, LONG)
    assert numbers(await feed.read(0, 1)) == [4]
    assert await feed.wait(1, 10, 0.0) == await feed.wait(3, 10, 0.0)
    waiter = asyncio.create_task(feed.wait(4, 10, LONG))
    await until(lambda: feed._up)
    await store.move_to("godwit__probe_1", "main", 3)
    changes.notify()
    await until(lambda: feed._last == 5)
    assert not waiter.done()
    await store.move_to("alice", "main", 3)
    changes.notify()
    assert numbers(await waiter) == [6]


async def test_a_store_that_does_not_answer_is_asked_again(store: LookedAt) -> None:
    """Those who wait go on waiting."""
    changes = Changes()
    feed = Feed(store, changes, 0.001)
    waiter = asyncio.create_task(feed.wait(0, 10, LONG))
    await until(lambda: feed._up)
    with capture_logs() as logs:
        store.silent = True
        while not any(line["event"] == "change_feed_waits" for line in logs):
            await store.looks.get()
            await asyncio.sleep(0)
    store.silent = False
    await store.move_to("alice", "aws", 2)
    assert numbers(await waiter) == [1]


async def test_when_nobody_waits_nobody_looks(store: LookedAt) -> None:
    """The one who looks ends, and begins anew with the next who waits."""
    changes = Changes()
    feed = Feed(store, changes, 0.001)
    await feed.wait(0, 10, 0.001)
    assert feed._watch is not None
    await feed._watch
    await store.move_to("alice", "aws", 2)
    assert numbers(await feed.wait(0, 10, LONG)) == [1]
    waiter = asyncio.create_task(feed.wait(1, 10, LONG))
    await until(lambda: feed._up)
    await store.move_to("alice", "main", 3)
    assert numbers(await waiter) == [2]
