"""Two processes that write to one PostgreSQL: each race is stopped in the middle, and a few are run wild."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from godwit.errors import InvalidRequest, MoveRefused, StaleEpoch, StoreUnavailable
from godwit.rollout.values import Advance, Event, Facts, Hold
from godwit.store.database import Result, Work
from godwit.store.nodes_base import Node
from godwit.store.sql import SqlStore
from godwit.values import Account, Addresses, Move, Segment
from tests.postgres import Databases

MAIN = Segment("main", 1, 0, "m1")
AWS = Segment("aws", 2, 7, "a1")
MOVE = Move("m1", "room", "aws", "opened")


class Stopping(SqlStore):
    """A store that can be stopped just before it commits, with all its locks in hand."""

    def __init__(self, url: str, name: str) -> None:
        super().__init__(url, name=name)
        self.stopping = False
        self.stopped = asyncio.Event()
        self.go_on = asyncio.Event()

    async def _transaction(self, engine: AsyncEngine, work: Work[Result]) -> Result:
        async def and_stop(connection: Any) -> Result:
            result = await work(connection)
            if self.stopping:
                self.stopped.set()
                await self.go_on.wait()
            return result

        return await super()._transaction(engine, and_stop)


Stores = Callable[[str], Awaitable[Stopping]]


@pytest.fixture
async def stores(databases: Databases) -> AsyncIterator[Stores]:
    """Opens one more store on the same database, with the default at `MAIN`."""
    url = await databases.empty_store()
    async with contextlib.AsyncExitStack() as stack:

        async def opened(name: str) -> Stopping:
            store = Stopping(url, name)
            await store.open()
            stack.push_async_callback(store.close)
            stack.callback(store.go_on.set)
            return store

        await (await opened("setup")).set_default(MAIN, hold_until=0.0)
        yield opened


async def is_blocked(looking: SqlStore, call: asyncio.Task[Any]) -> bool:
    """Wait until the call waits for a lock; False if it has ended instead."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'second' AND wait_event_type = 'Lock'"

    async def blocked(connection: Any) -> int:
        return int((await connection.exec_driver_sql(query)).scalar_one())

    while not call.done():
        if await looking._read(blocked):
            return True
    return False


Call = Callable[[SqlStore], Awaitable[Any]]

# What is there before, what comes first and is stopped, what comes second, what the second one is told.
RACES: dict[str, tuple[list[Call], Call, Call, Any]] = {
    "live, then the seal": (
        [lambda store: store.begin_move(MOVE)],
        lambda store: store.set_live("room", True, 1.0),
        lambda store: store.journal(MOVE, "sealing", 2.0),
        lambda told: told.state == "cancelled" and "went live" in told.error,
    ),
    "the seal, then live": (
        [lambda store: store.begin_move(MOVE)],
        lambda store: store.journal(MOVE, "sealing", 2.0),
        lambda store: store.set_live("room", True, 1.0),
        lambda told: told is None,
    ),
    "a hold, then the seal": (
        [lambda store: store.begin_move(MOVE)],
        lambda store: store.hold(Hold("room", "ann", "why", 1.0)),
        lambda store: store.journal(MOVE, "sealing", 2.0),
        lambda told: told.state == "cancelled",
    ),
    "the seal, then a hold": (
        [lambda store: store.begin_move(MOVE)],
        lambda store: store.journal(MOVE, "sealing", 2.0),
        lambda store: store.hold(Hold("room", "ann", "why", 1.0)),
        lambda told: told is None,
    ),
    "two steps of one move": (
        [lambda store: store.begin_move(MOVE)],
        lambda store: store.journal(MOVE, "sealing", 2.0),
        lambda store: store.journal(MOVE, "cancelled", 2.0),
        lambda told: told is None,
    ),
    "a pin, then the default": (
        [],
        lambda store: store.pin(["room"]),
        lambda store: store.set_default(AWS, hold_until=9.0),
        lambda told: told == AWS,
    ),
    "the default, then a commit over its epoch": (
        [],
        lambda store: store.set_default(AWS, hold_until=9.0),
        lambda store: store.commit("room", Segment("event", 2, 1, "e1"), drain_until=0.0, now=1.0),
        lambda told: told.default and told.segment == AWS,
    ),
    "the default, then a pin": (
        [],
        lambda store: store.set_default(AWS, hold_until=9.0),
        lambda store: store.pin(["room"]),
        lambda told: told == 1,
    ),
    "two commits": (
        [lambda store: store.pin(["room"])],
        lambda store: store.commit("room", Segment("event", 5, 1, "e1"), drain_until=0.0, now=1.0),
        lambda store: store.commit("room", AWS, drain_until=0.0, now=1.0),
        lambda told: told.segment.epoch == 5,
    ),
    "two first commits": (
        [],
        lambda store: store.commit("room", Segment("event", 5, 1, "e1"), drain_until=0.0, now=1.0),
        lambda store: store.commit("room", AWS, drain_until=0.0, now=1.0),
        lambda told: told.segment.epoch == 5,
    ),
    "two moves of one channel": (
        [],
        lambda store: store.begin_move(MOVE),
        lambda store: store.begin_move(Move("m2", "room", "event", "wished")),
        MoveRefused,
    ),
    "a move that ends, then another": (
        [lambda store: store.begin_move(MOVE)],
        lambda store: store.journal(MOVE, "draining", 2.0),
        lambda store: store.begin_move(Move("m2", "room", "event", "wished")),
        lambda told: told.id == "m2",
    ),
    "a decision, then another leader": (
        [lambda store: store.lead("controller", "one", now=0.0, until=10.0)],
        lambda store: store.advance(Advance(1.0, events=(Event("x", 1.0),)), term=1),
        lambda store: store.lead("controller", "two", now=10.0, until=20.0),
        lambda told: (told.holder, told.term) == ("two", 2),
    ),
    "another leader, then a decision": (
        [lambda store: store.lead("controller", "one", now=0.0, until=10.0)],
        lambda store: store.lead("controller", "two", now=10.0, until=20.0),
        lambda store: store.advance(Advance(1.0, events=(Event("x", 1.0),)), term=1),
        StaleEpoch,
    ),
    "two leaders": (
        [],
        lambda store: store.lead("controller", "one", now=0.0, until=10.0),
        lambda store: store.lead("controller", "two", now=0.0, until=10.0),
        lambda told: (told.holder, told.term) == ("one", 1),
    ),
    "two lists of clusters": (
        [],
        lambda store: store.set_clusters({"main": Addresses(), "aws": Addresses()}),
        lambda store: store.set_clusters({"aws": Addresses(), "event": Addresses()}),
        lambda told: told is None,
    ),
    "two retire": (
        [],
        lambda store: store.retire("main", "aws", 1.0),
        lambda store: store.retire("main", "aws", 1.0),
        lambda told: told is None,
    ),
    "two accounts of one name": (
        [],
        lambda store: store.add_account(Account("", "ann")),
        lambda store: store.add_account(Account("", "ann")),
        lambda told: told.user_id == "1",
    ),
    "an account that goes, then its token": (
        [lambda store: store.add_account(Account("", "ann"))],
        lambda store: store.remove_account("ann"),
        lambda store: store.add_token("ann", "token", (), 1.0),
        InvalidRequest,
    ),
    "two processes of one name": (
        [],
        lambda store: store.register(Node("a", "edge", "s1", 1.0, 9.0), 1.0),
        lambda store: store.register(Node("a", "edge", "s2", 1.0, 9.0), 1.0),
        InvalidRequest,
    ),
    "one process in place of another that ends": (
        [lambda store: store.register(Node("a", "edge", "s1", 1.0, 9.0), 1.0)],
        lambda store: store.unregister("a", "s1"),
        lambda store: store.register(Node("a", "edge", "s2", 1.0, 9.0), 1.0),
        lambda told: told.session == "s2",
    ),
}


@pytest.mark.parametrize("race", RACES)
async def test_race(stores: Stores, race: str) -> None:
    """The second waits for the first, and is told what follows from it."""
    before, first, second, expected = RACES[race]
    one, two = await stores("first"), await stores("second")
    for call in before:
        await call(one)
    one.stopping = True
    leading = asyncio.ensure_future(first(one))
    await one.stopped.wait()
    following = asyncio.ensure_future(second(two))
    assert await is_blocked(await stores("looking"), following)
    one.go_on.set()
    await leading
    if isinstance(expected, type):
        with pytest.raises(expected):
            await following
    else:
        assert expected(await following)


async def test_feed_in_the_order_of_commits(stores: Stores) -> None:
    """What has a higher number is not there before what has a lower one; channels have nothing else in common."""
    one, two, looking = await stores("first"), await stores("second"), await stores("looking")
    one.stopping = True
    leading = asyncio.create_task(one.commit("a", AWS, drain_until=0.0, now=1.0))
    await one.stopped.wait()
    following = asyncio.create_task(two.commit("b", AWS, drain_until=0.0, now=1.0))
    assert await is_blocked(looking, following)
    assert await looking.feed(after=0) == []
    one.go_on.set()
    await asyncio.gather(leading, following)
    assert [(event.number, event.channel) for event in await looking.feed(after=0)] == [(1, "a"), (2, "b")]


async def test_reopen_while_others_commit(stores: Stores) -> None:
    """A row that comes while logs are opened anew has its segment, whether it was reopened or not."""
    one, two = await stores("first"), await stores("second")
    await one.commit("a", AWS, drain_until=0.0, now=1.0)
    one.stopping = True
    leading = asyncio.create_task(one.commit("a", Segment("aws", 5, 1, "a1"), drain_until=0.0, now=1.0))
    await one.stopped.wait()
    reopening = asyncio.create_task(two.reopen({"aws": "a2"}))
    assert await is_blocked(await stores("looking"), reopening)
    one.go_on.set()
    await asyncio.gather(leading, reopening)
    newest = (await two.placement("a")).segment
    assert newest == Segment("aws", 7, 0, "a2", unclean=True)
    assert (await two.segments("a"))[-1] == newest


async def test_a_process_that_stops_with_locks(stores: Stores, databases: Databases) -> None:
    """Once the server has ended its connection, nothing of it is there and others go on; it is told when it wakes up.

    The server does so by itself after a while (`idle_in_transaction_session_timeout`).
    """
    one, two = await stores("first"), await stores("second")
    one.stopping = True
    leading = asyncio.create_task(one.lead("controller", "one", now=0.0, until=10.0))
    await one.stopped.wait()
    following = asyncio.create_task(two.lead("controller", "two", now=0.0, until=10.0))
    assert await is_blocked(await stores("looking"), following)
    ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'first'"
    await databases.server.execute(ended)
    assert (await following).holder == "two"
    one.go_on.set()
    with pytest.raises(StoreUnavailable):
        await leading
    one.stopping = False
    assert (await one.lead("controller", "one", now=0.0, until=10.0)).holder == "two"


# run wild ---------------------------------------------------------------------------------------


async def test_leases_run_wild(stores: Stores) -> None:
    """Never two holders with one term, and terms grow."""
    holders = {name: await stores(name) for name in ("one", "two", "three")}
    seen: dict[int, set[str]] = {}
    time = iter(range(1000))

    async def contend(name: str, store: SqlStore) -> None:
        for _ in range(30):
            now = float(next(time))
            lease = await store.lead("controller", name, now=now, until=now + 3)
            seen.setdefault(lease.term, set()).add(lease.holder)
            if lease.holder == name and lease.term % 3 == 0:
                await store.resign("controller", name)

    await asyncio.gather(*(contend(name, store) for name, store in holders.items()))
    assert all(len(held) == 1 for held in seen.values())
    assert len(seen) > 3


async def test_commits_run_wild(stores: Stores) -> None:
    """Batches over the same channels in different orders: epochs grow, chains are whole, the feed has no hole."""
    chance = random.Random(4)
    channels = [f"c{number}" for number in range(12)]
    writers = [await stores(f"writer{number}") for number in range(3)]
    reader = await stores("reader")
    numbers: list[int] = []
    done = asyncio.Event()

    async def write(store: SqlStore) -> None:
        for epoch in range(2, 17):
            batch = chance.sample(channels, 8)
            told = await store.commit_many(
                [(channel, Segment("aws", epoch, epoch, "a1")) for channel in batch], drain_until=0.0, now=1.0
            )
            assert all(placement.segment.epoch >= epoch for placement in told)
            await store.settle_many([(channel, epoch) for channel in chance.sample(channels, 8)])
            await store.set_facts([Facts(channel, members=epoch) for channel in chance.sample(channels, 8)])

    async def page() -> None:
        while True:
            finished = done.is_set()
            events = await reader.feed(after=numbers[-1] if numbers else 0, limit=3)
            numbers.extend(event.number for event in events)
            if finished and not events:
                return

    reading = asyncio.create_task(page())
    await asyncio.gather(*(write(store) for store in writers))
    done.set()
    await reading
    assert numbers == list(range(1, len(numbers) + 1))
    switches = 0
    for channel in channels:
        chain = [segment.epoch for segment in await reader.segments(channel)]
        assert chain == sorted(set(chain))
        assert (await reader.placement(channel)).segment.epoch == chain[-1]
        switches += len(chain) - 1
    assert switches == len(numbers)


async def test_moves_run_wild(stores: Stores) -> None:
    """Of all who begin a move of a channel one does, at any time."""
    rivals = [await stores(f"rival{number}") for number in range(3)]
    begun: list[str] = []

    async def begin(number: int, store: SqlStore) -> None:
        for turn in range(12):
            try:
                move = await store.begin_move(Move(f"{number}-{turn}", "room", "aws", "wished"))
            except MoveRefused:
                continue
            moving = await store.moves(channel="room", moving=True)
            assert [one.id for one in moving] == [move.id]
            assert await store.journal(move, "cancelled", 1.0)
            begun.append(move.id)

    await asyncio.gather(*(begin(number, store) for number, store in enumerate(rivals)))
    assert begun
    assert {move.id for move in await rivals[0].moves(channel="room")} == set(begun)


async def test_two_that_wait_for_each_other(stores: Stores) -> None:
    """Locks taken crosswise: the one that the server refuses is tried again, and both are written."""
    one, two = await stores("first"), await stores("second")
    await one.pin(["a", "b"])
    met = asyncio.Barrier(2)
    tries: list[str] = []

    async def crosswise(store: SqlStore, names: list[str]) -> None:
        async def work(connection: Any) -> None:
            tries.append(names[0])
            await store._locked(connection, names[:1])
            if len(tries) <= 2:
                await met.wait()
            await store._locked(connection, names[1:])

        await store._write(work)

    await asyncio.gather(crosswise(one, ["a", "b"]), crosswise(two, ["b", "a"]))
    assert len(tries) == 3


async def test_restart_under_load(stores: Stores, databases: Databases) -> None:
    """While the server is away calls raise `StoreUnavailable`; afterwards they go on, and what was told is there."""
    writers = [await stores(f"writer{number}") for number in range(2)]
    told: dict[str, int] = {}
    refused = asyncio.Event()
    back = False

    async def write(number: int, store: SqlStore) -> None:
        channel, epoch, since = f"c{number}", 1, 0
        while since < 5:
            epoch += 1
            try:
                await store.commit(channel, Segment("aws", epoch, epoch, "a1"), drain_until=0.0, now=1.0)
            except StoreUnavailable:
                refused.set()
                continue
            told[channel] = epoch
            since += back

    writing = [asyncio.create_task(write(number, store)) for number, store in enumerate(writers)]
    while len(told) < 2:
        await writers[0].last_event()
    await asyncio.to_thread(databases.server.kill)
    await refused.wait()
    await asyncio.to_thread(databases.server.start)
    back = True
    await asyncio.gather(*writing)
    reader = await stores("reader")
    for channel, epoch in told.items():
        assert (await reader.placement(channel)).segment.epoch == epoch
    last = await reader.last_event()
    assert [event.number for event in await reader.feed(after=0, limit=10_000)] == list(range(1, last + 1))
