"""What is PostgreSQL's alone: its URLs, its errors, its migrations, and what happens when it does not answer."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from structlog.testing import capture_logs

from godwit.errors import InvalidRequest, StoreNotPrepared, StoreUnavailable
from godwit.rollout.values import Hold
from godwit.store import database, postgres
from godwit.store.migrations import Migrated, _head, migrate, needs_migration
from godwit.store.schema import metadata
from godwit.store.sql import SqlStore
from godwit.values import Segment
from tests.postgres import Databases

HEAD = _head()
"""The newest revision."""

MAIN = Segment("main", 1, 0, "m1")


def test_old_server() -> None:
    """A server that is too old is refused; one that is old enough is not."""
    for version in ((13, 0), (18, 1)):
        postgres.check_version(_connected(version))
    with pytest.raises(StoreNotPrepared, match=r"this is PostgreSQL 12\.9; Godwit needs 13 or newer"):
        postgres.check_version(_connected((12, 9)))


def _connected(version: tuple[int, ...]) -> Any:
    return SimpleNamespace(dialect=SimpleNamespace(server_version_info=version))


async def refused(url: str) -> str:
    """What opening a store says."""
    with pytest.raises((StoreUnavailable, StoreNotPrepared)) as caught:
        await SqlStore(url).open()
    assert "\n" not in str(caught.value)
    return f"{type(caught.value).__name__}: {caught.value}"


async def test_who_cannot_be_reached(databases: Databases) -> None:
    """One line that says where it was looked for; it may come up, so it is no fault of the settings."""
    told = await refused("postgresql://ann:s3cret@127.0.0.1:1/x")
    assert told.startswith("StoreUnavailable: the store did not answer: [Errno 111] Connect call failed")
    assert told.endswith("store.url is postgresql://ann:***@127.0.0.1:1/x")
    assert 'database "nix" does not exist; store.url is postgresql://godwit@' in await refused(
        databases.server.url("nix")
    )


async def test_wrong_urls(databases: Databases) -> None:
    """One line that names the setting, and no password."""
    url = databases.server.url("postgres")
    assert 'cannot be: unrecognized configuration parameter "nonsense"' in await refused(f"{url}&nonsense=1")
    told = await refused("postgresql://ann:s3cret@h:port/x")
    assert told.startswith("StoreNotPrepared: store.url = postgresql://ann:***@h:port/x cannot be")
    assert 'role "ann" does not exist; look at its user' in await refused(url.replace("godwit@", "ann:s3cret@"))


async def test_not_migrated(databases: Databases) -> None:
    """Nothing is made silently; the message says what to do, and what was done once is not done again."""
    url = await databases.new()
    assert "the store's tables are not there: run 'godwit migrate' first" in await refused(url)
    assert await needs_migration(url)
    assert await migrate(url) == Migrated("", HEAD, None)
    assert await migrate(url) is None
    await databases.server.execute("UPDATE alembic_version SET version_num = '0002'", database=_name(url))
    assert f"are at revision 0002, this version of Godwit needs {HEAD}" in await refused(url)


async def test_newer_tables(databases: Databases) -> None:
    """The tables of a newer version are left alone."""
    url = await databases.new()
    await migrate(url)
    await databases.server.execute("UPDATE alembic_version SET version_num = '9999'", database=_name(url))
    assert "newer Godwit (revision 9999" in await refused(url)
    with pytest.raises(StoreNotPrepared, match="newer Godwit"):
        await migrate(url)


def _name(url: str) -> str:
    return urlsplit(url).path[1:]


async def test_two_migrate_at_once(databases: Databases) -> None:
    """Several processes may: the second waits for the first, and finds nothing to do."""
    url = await databases.new()
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "import asyncio, sys, godwit.store.migrations as m; print(asyncio.run(m.migrate(sys.argv[1])))",
            url,
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(2)
    ]
    told = [(await process.communicate())[0].decode().strip() for process in processes]
    assert sorted(told) == [f"Migrated(before='', after='{HEAD}', copy=None)", "None"]


async def test_a_migration_that_fails_leaves_nothing(databases: Databases) -> None:
    """All or nothing."""
    url = await databases.new()
    await databases.server.execute("CREATE TABLE nodes (foreign_to_us int)", database=_name(url))
    with pytest.raises(Exception, match='"nodes" already exists'):
        await migrate(url)
    assert await needs_migration(url)
    await databases.server.execute("DROP TABLE nodes", database=_name(url))
    assert await migrate(url) == Migrated("", HEAD, None)


async def test_same_as_the_schema(databases: Databases) -> None:
    """What the migrations make is what `schema.py` says, and names are compared letter by letter."""
    store = SqlStore(await databases.empty_store())
    await store.open()

    def differences(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, metadata))

    async def collations(connection: Any) -> set[str | None]:
        query = "SELECT collation_name FROM information_schema.columns WHERE table_schema = 'public' AND data_type = "
        rows = await connection.exec_driver_sql(query + "'character varying' AND table_name <> 'alembic_version'")
        return {row[0] for row in rows}

    assert await store._read(lambda connection: connection.run_sync(differences)) == []
    assert await store._read(collations) == {"C"}
    await store.close()


async def test_how_it_is_listed(databases: Databases) -> None:
    """An operator sees whose connection it is, and that no statement and no idle transaction lasts for ever."""
    store = SqlStore(await databases.empty_store(), name="godwit edge aws-1")
    await store.open()

    async def settings(connection: Any) -> list[str]:
        names = (
            "application_name",
            "statement_timeout",
            "idle_in_transaction_session_timeout",
            "transaction_isolation",
        )
        return [(await connection.exec_driver_sql(f"SHOW {name}")).scalar_one() for name in names]

    assert await store._read(settings) == ["godwit edge aws-1", "10s", "5s", "read committed"]
    await store.close()


async def test_what_it_cannot_keep(databases: Databases) -> None:
    """A text or a number that PostgreSQL does not take is refused, and the store goes on."""
    store = SqlStore(await databases.empty_store())
    await store.open()
    for hold in (Hold("room", "ann", "zero \0", 1.0), Hold("room", "ann", "half \ud800", 1.0)):
        with pytest.raises(InvalidRequest, match="the store cannot keep this"):
            await store.hold(hold)
    with pytest.raises(InvalidRequest, match="out of int64 range"):
        await store.note_reached("room", 1 << 70, 1)
    assert await store.holds() == []
    await store.close()


async def test_a_bug_stays_one(databases: Databases) -> None:
    """Wrong SQL is not taken for silence."""
    store = SqlStore(await databases.empty_store())
    await store.open()
    with pytest.raises(Exception, match="does not exist") as caught:
        await store._read(lambda connection: connection.exec_driver_sql("SELECT nothing"))
    assert not isinstance(caught.value, StoreUnavailable)
    await store.close()


async def test_a_server_that_hangs(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts as away after a while; when it wakes up, so does the store."""
    monkeypatch.setattr(postgres, "ANSWER", 2.0)
    monkeypatch.setattr(postgres, "CONNECT", 2.0)
    store = SqlStore(await databases.empty_store())
    await store.open()
    await store.set_default(MAIN, hold_until=0.0)
    processes = databases.server.backends()
    try:
        for pid in processes:
            os.kill(pid, signal.SIGSTOP)
        with pytest.raises(StoreUnavailable, match="time-out"):
            await store.placement("room")
    finally:
        for pid in processes:
            os.kill(pid, signal.SIGCONT)
    monkeypatch.setattr(postgres, "CONNECT", 5.0)
    assert (await store.placement("room")).segment == MAIN
    await store.close()


async def test_closing_does_not_wait_for_a_server_that_hangs(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither for what is under way nor for a farewell."""
    monkeypatch.setattr(database, "LAST", 0.1)
    monkeypatch.setattr(database, "FAREWELL", 0.1)
    store = SqlStore(await databases.empty_store())
    await store.open()
    await store.set_default(MAIN, hold_until=0.0)
    processes = databases.server.backends()
    try:
        for pid in processes:
            os.kill(pid, signal.SIGSTOP)
        asking = asyncio.create_task(store.placement("room"))
        await asyncio.sleep(0)
        with capture_logs() as logs:
            await store.close()
        assert logs == []
    finally:
        for pid in processes:
            os.kill(pid, signal.SIGCONT)
    with pytest.raises(StoreUnavailable, match="closed before it answered"):
        await asking
    with pytest.raises(StoreUnavailable, match="not open"):
        await store.placement("room")


async def test_all_connections_busy(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits too long for a connection of this process is told so."""
    monkeypatch.setattr(postgres, "POOL_WAIT", 0.05)
    store = SqlStore(await databases.empty_store(), connections=1)
    await store.open()
    taken, free = asyncio.Event(), asyncio.Event()

    async def hold(connection: Any) -> None:
        taken.set()
        await free.wait()

    holding = asyncio.create_task(store._read(hold))
    await taken.wait()
    with pytest.raises(StoreUnavailable, match="all connections to it are busy"):
        await store.last_event()
    free.set()
    await holding
    assert await store.last_event() == 0
    await store.close()


async def test_connections_that_the_server_closed(databases: Databases) -> None:
    """They are replaced before anybody's call fails on them."""
    store = SqlStore(await databases.empty_store(), name="closed")
    await store.open()
    closed = asyncio.Event()
    async with store._engine.connect() as connection:
        raw = (await connection.get_raw_connection()).driver_connection
    assert raw is not None
    raw.add_termination_listener(lambda _: closed.set())
    await databases.server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'closed'"
    )
    await closed.wait()
    assert await store.last_event() == 0
    await store.close()


async def test_a_password_that_was_changed(databases: Databases) -> None:
    """While it runs, a store that is not let in any more is one that does not answer; nobody asked for that."""
    server = databases.server
    await server.execute("CREATE ROLE guest LOGIN SUPERUSER")
    url = (await databases.empty_store()).replace("godwit@", "guest@")
    store = SqlStore(url, name="guest")
    await store.open()
    await server.execute(
        "ALTER ROLE guest NOLOGIN", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'guest'"
    )
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await store.last_event()
    await server.execute("ALTER ROLE guest LOGIN")
    assert await store.last_event() == 0
    await store.close()
    await server.execute("DROP ROLE guest")
