"""`SqlStore` over a SQLite file keeps the store's contract, and what only a file can show."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from godwit.errors import StoreNotPrepared, StoreUnavailable
from godwit.store.database import BUSY_TIMEOUT, sqlite_url
from godwit.store.migrations import migrate
from godwit.store.relations import _BY_PAIRS
from godwit.store.rollout_base import RolloutStore
from godwit.store.schema import issues
from godwit.store.sql import SqlStore
from godwit.values import Account, Placement, Segment
from tests.conformance.nodes import NodeSuite
from tests.conformance.rollout_store import MakeRolloutStore, RolloutStoreSuite
from tests.conformance.store import AWS, MAIN, MakeStore, StoreSuite


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the store is; the name needs quoting in a URL."""
    return tmp_path / "a store? 100%.sqlite3"


@pytest.fixture
async def make_store(file: Path) -> AsyncIterator[MakeRolloutStore]:
    """Opens one more store on the file; all are closed at the end."""
    await migrate(sqlite_url(file))
    async with contextlib.AsyncExitStack() as stack:

        async def make() -> RolloutStore:
            store = SqlStore(sqlite_url(file))
            await store.open()
            stack.push_async_callback(store.close)
            return store

        yield make


class TestSqlStore(StoreSuite):
    """The suite of stores; each store has connections of its own."""


class TestSqlRollouts(RolloutStoreSuite):
    """The suite of what rollouts need."""


class TestSqlNodes(NodeSuite):
    """The suite of registries of processes."""


async def test_tokens_are_not_in_the_file(make_store: MakeStore, file: Path) -> None:
    """The plain token is nowhere on the disk, write-ahead log included."""
    store = await make_store()
    await store.add_account(Account("", "ann_the_login"))
    await store.add_token("ann_the_login", "s3cret-token-of-ann", ["chat:read"], 5.0)
    assert await store.check_token("s3cret-token-of-ann") is not None
    written = b"".join(path.read_bytes() for path in file.parent.iterdir())
    assert b"ann_the_login" in written
    assert b"s3cret-token-of-ann" not in written


async def test_durable_settings(make_store: MakeStore, file: Path) -> None:
    """Readers and the writer do not block each other, commits reach the disk, foreign keys hold."""
    store = await make_store()
    assert isinstance(store, SqlStore)
    found = [
        (await store._fetch(text(f"PRAGMA {name}")))[0][0]
        for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    ]
    assert found == ["wal", 2, 1, 5000]


_WRITER = """
import asyncio, sys
from godwit.store.sql import SqlStore
from godwit.values import Segment

async def main():
    store = SqlStore(sys.argv[1])
    await store.open()
    epoch = 1
    while True:
        epoch += 1
        await store.commit("room", Segment("aws", epoch, epoch, "a1"), drain_until=0.0, now=1.0)
        print(epoch, flush=True)

asyncio.run(main())
"""


async def test_an_acknowledged_commit_survives_kill(make_store: MakeStore, file: Path) -> None:
    """A process that is killed while it commits loses nothing that was acknowledged."""
    store = await make_store()
    await store.set_default(MAIN, hold_until=0.0)
    writer = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _WRITER, sqlite_url(file), stdout=asyncio.subprocess.PIPE
    )
    assert writer.stdout is not None
    told = [await writer.stdout.readline() for _ in range(30)]
    writer.kill()
    told += (await writer.stdout.read()).splitlines(keepends=True)
    await writer.wait()
    # A last line that was cut off tells nothing.
    acknowledged = max(int(line) for line in told if line.endswith(b"\n"))
    placement = await store.placement("room")
    assert placement.segment.epoch in (acknowledged, acknowledged + 1)
    assert [segment.epoch for segment in await store.segments("room")] == list(range(1, placement.segment.epoch + 1))


class SlowStore(SqlStore):
    """A store whose commits wait in the middle of their transaction."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()

    async def _add_segments(self, *args: Any) -> None:
        self.begun.set()
        await self.go_on.wait()
        await super()._add_segments(*args)


async def test_a_cancelled_write_runs_to_its_end(make_store: MakeStore, file: Path) -> None:
    """Whoever gives up in the middle of a write tears away no connection, and `close` waits for the rest."""
    other = await make_store()
    await other.set_default(MAIN, hold_until=0.0)
    store = SlowStore(sqlite_url(file))
    await store.open()
    write = asyncio.create_task(store.commit("room", AWS, drain_until=60.0, now=1.0))
    await store.begun.wait()
    write.cancel()
    await asyncio.wait([write])
    assert write.cancelled()
    assert (await other.placement("room")).default
    closing = asyncio.create_task(store.close())
    store.go_on.set()
    await closing
    assert (await other.placement("room")).segment == AWS


async def test_cancelled_anywhere(make_store: MakeStore) -> None:
    """Wherever a write was when its caller gave up, the next one is served and all is of one piece."""
    store = await make_store()
    await store.set_default(MAIN, hold_until=0.0)
    for turns in range(40):
        segment = Segment("aws", turns + 2, 1, "a1")
        write = asyncio.create_task(store.commit("room", segment, drain_until=0.0, now=1.0))
        for _ in range(turns):
            await asyncio.sleep(0)
        write.cancel()
        await asyncio.wait([write])
        assert (await store.settle("room", turns + 2)).segment == (await store.segments("room"))[-1]


async def test_a_failed_write_leaves_nothing(make_store: MakeStore, file: Path) -> None:
    """Placement and segment are written together or not at all."""
    store = await make_store()
    await store.set_default(MAIN, hold_until=0.0)
    with contextlib.closing(sqlite3.connect(file)) as other:
        other.execute(
            "CREATE TRIGGER no BEFORE INSERT ON segments WHEN new.epoch = 2 BEGIN SELECT raise(abort, 'no'); END"
        )
        with pytest.raises(Exception, match="no"):
            await store.commit("room", AWS, drain_until=60.0, now=1.0)
        other.execute("DROP TRIGGER no")
    assert await store.placement("room") == Placement("room", MAIN, default=True)
    assert await store.segments("room") == [MAIN]


async def test_another_process_holds_the_lock(
    make_store: MakeStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that waits too long for another process is told so; readers go on."""
    monkeypatch.setattr("godwit.store.database.BUSY_TIMEOUT", 0.01)
    store = await make_store()
    await store.set_default(MAIN, hold_until=0.0)
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            await store.commit("room", AWS, drain_until=60.0, now=1.0)
        assert (await store.placement("room")).default
        other.execute("ROLLBACK")
    assert (await store.commit("room", AWS, drain_until=60.0, now=1.0)).segment == AWS


async def test_one_deadline_for_the_queue_and_the_file(
    make_store: MakeStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was spent in the queue is not left for other processes: nobody waits twice."""
    await (await make_store()).set_default(MAIN, hold_until=0.0)
    store = SlowStore(sqlite_url(file))
    await store.open()

    async def patience(connection: AsyncConnection) -> int:
        return int((await connection.exec_driver_sql("PRAGMA busy_timeout")).scalar_one())

    first = asyncio.create_task(store.commit("room", AWS, drain_until=60.0, now=1.0))
    await store.begun.wait()
    second = asyncio.create_task(store._write(patience))
    for _ in range(10):
        await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    real = loop.time
    monkeypatch.setattr(loop, "time", lambda: real() + 3.0)
    store.go_on.set()
    await first
    assert 0 < await second <= (BUSY_TIMEOUT - 3.0) * 1000
    assert await store._write(patience) == BUSY_TIMEOUT * 1000
    assert await store._read(patience) == BUSY_TIMEOUT * 1000
    await store.close()


async def test_a_queue_that_does_not_move(make_store: MakeStore, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits behind a write that does not end is told so; that one goes on."""
    monkeypatch.setattr("godwit.store.database.BUSY_TIMEOUT", 0.01)
    await (await make_store()).set_default(MAIN, hold_until=0.0)
    store = SlowStore(sqlite_url(file))
    await store.open()
    first = asyncio.create_task(store.commit("room", AWS, drain_until=60.0, now=1.0))
    await store.begun.wait()
    async with asyncio.timeout(20):
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="writes before this one"):
                await store.set_live("room", True, 1.0)
    store.go_on.set()
    assert (await first).segment == AWS
    await store.set_live("room", True, 1.0)
    await store.close()


async def test_whether_writes_come_through(
    make_store: MakeRolloutStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They do not while another process keeps the file, though reads do."""
    monkeypatch.setattr("godwit.store.database.BUSY_TIMEOUT", 0.01)
    store = await make_store()
    await store.set_default(MAIN, hold_until=0.0)
    await store.check_writes()
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            await store.check_writes()
        other.execute("ROLLBACK")
    await store.check_writes()


async def test_no_answer(tmp_path: Path) -> None:
    """A file that cannot be opened, is none of ours, or has no tables yet is an unavailable store."""
    with pytest.raises(StoreUnavailable, match="unable to open"):
        await SqlStore(sqlite_url(tmp_path / "missing" / "x.sqlite3")).open()
    (tmp_path / "text").write_text("no database at all, but a text of some length\n" * 50)
    with pytest.raises(StoreUnavailable, match="not a database"):
        await SqlStore(sqlite_url(tmp_path / "text")).open()
    with pytest.raises(StoreNotPrepared, match="run 'godwit migrate' first"):
        await SqlStore(sqlite_url(tmp_path / "empty")).open()


async def test_closed(make_store: MakeStore, file: Path) -> None:
    """Before it is opened and after it is closed a store does not answer."""
    store = SqlStore(sqlite_url(file))
    with pytest.raises(StoreUnavailable, match="not open"):
        await store.placement("room")
    await store.open()
    await store.close()
    with pytest.raises(StoreUnavailable, match="not open"):
        await store.set_live("room", True, 1.0)


def test_statements_for_postgresql(file: Path) -> None:
    """The two statements that SQLAlchemy has for each database apart say the same in both."""
    store = SqlStore(sqlite_url(file))
    for is_sqlite, dialect in ((True, sqlite.dialect()), (False, postgresql.dialect())):  # type: ignore[no-untyped-call]
        store._is_sqlite = is_sqlite
        new = str(store._insert_new(issues).compile(dialect=dialect))
        assert new.endswith("ON CONFLICT DO NOTHING")
        put = str(store._put(issues, "id").compile(dialect=dialect))
        assert "ON CONFLICT (id) DO UPDATE SET rollout = excluded.rollout, wave = excluded.wave" in put
        assert "number = excluded" not in put, "it is given once"


async def test_relations_are_looked_up_by_their_key(file: Path) -> None:
    """SQLite reads the whole table for some ways of asking for many pairs."""
    await migrate(sqlite_url(file))
    with contextlib.closing(sqlite3.connect(file)) as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {_BY_PAIRS}", {"pairs": '[["a", "1"]]'}).fetchall()
    assert any("SEARCH known USING" in step[3] and "(channel=? AND user_id=?)" in step[3] for step in plan)
    assert not any("SCAN known" in step[3] for step in plan)
