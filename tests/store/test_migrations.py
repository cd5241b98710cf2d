"""Migrations make the tables of `schema.py`, once, and keep the old file."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine
from sqlalchemy.dialects import postgresql
from sqlalchemy.pool import NullPool
from sqlalchemy.schema import CreateIndex, CreateTable

from godwit.errors import StoreNotPrepared, StoreUnavailable
from godwit.store.database import begin_explicitly, sqlite_url
from godwit.store.migrations import Migrated, _config, _head, migrate, needs_migration
from godwit.store.schema import metadata
from godwit.store.sql import SqlStore
from godwit.values import Account, Move, Placement, Segment

HEAD = _head()
"""The newest revision."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the store will be."""
    return tmp_path / "godwit.sqlite3"


def execute(file: Path, statement: str) -> list[Any]:
    """Run one statement on a file."""
    with contextlib.closing(sqlite3.connect(file)) as connection, connection:
        return connection.execute(statement).fetchall()


def files_beside(file: Path) -> dict[str, bytes]:
    """What lies where the store is."""
    return {path.name: path.read_bytes() for path in file.parent.iterdir()}


def older_file(file: Path) -> sqlite3.Connection:
    """A file from elsewhere; the connection keeps what it wrote in the write-ahead log."""
    writer = sqlite3.connect(file)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("CREATE TABLE older (what)")
    writer.execute("INSERT INTO older VALUES ('kept')")
    writer.commit()
    file.chmod(0o640)
    return writer


async def test_from_nothing(file: Path) -> None:
    """A file is made, without a copy of one that was not there."""
    assert await needs_migration(sqlite_url(file))
    assert files_beside(file) == {}
    assert await migrate(sqlite_url(file)) == Migrated("", HEAD, None)
    assert not await needs_migration(sqlite_url(file))
    assert list(files_beside(file)) == [file.name]


async def test_from_an_empty_file(file: Path) -> None:
    """An empty file is as good as none."""
    execute(file, "SELECT 1")
    assert files_beside(file) == {file.name: b""}
    assert await needs_migration(sqlite_url(file))
    assert await migrate(sqlite_url(file)) == Migrated("", HEAD, None)
    assert list(files_beside(file)) == [file.name]


async def test_same_as_the_schema(file: Path) -> None:
    """What the migrations make is what `schema.py` says."""
    await migrate(sqlite_url(file))
    engine = create_engine(f"sqlite:///{file}")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
        connection.exec_driver_sql("DROP INDEX uq_moves_moving")
        connection.exec_driver_sql("ALTER TABLE tokens ADD COLUMN more VARCHAR")
        assert [difference[0] for difference in compare_metadata(context, metadata)] == ["add_index", "remove_column"]
    engine.dispose()


async def test_partial_index(file: Path) -> None:
    """What `compare_metadata` does not look into: moves not yet committed, those not over, and who hosts."""
    await migrate(sqlite_url(file))
    found = execute(file, "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql LIKE '%WHERE%' ORDER BY name")
    assert [statement for (statement,) in found] == [
        "CREATE INDEX ix_moves_unfinished ON moves (number) WHERE finished = 0",
        "CREATE INDEX ix_sanctions_hosts ON sanctions (target_login) WHERE kind = 'host'",
        "CREATE UNIQUE INDEX uq_moves_moving ON moves (channel) WHERE moving",
    ]


async def test_second_run(file: Path) -> None:
    """Where there is nothing to do, nothing is done and nothing is copied."""
    await migrate(sqlite_url(file))
    before = files_beside(file)
    assert await migrate(sqlite_url(file)) is None
    assert files_beside(file) == before


async def test_copy(file: Path) -> None:
    """A file with something in it is copied first, its write-ahead log included, with the same rights."""
    with contextlib.closing(older_file(file)):
        copy = file.with_name(f"godwit.sqlite3.before-{HEAD}")
        assert await migrate(sqlite_url(file)) == Migrated("", HEAD, copy)
    assert execute(copy, "SELECT * FROM older") == [("kept",)]
    assert execute(copy, "SELECT count(*) FROM sqlite_master WHERE name = 'placements'") == [(0,)]
    assert execute(file, "SELECT * FROM older") == [("kept",)]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o640


_BEFORE_ROLLOUTS = """
INSERT INTO default_placement VALUES ('default', 'main', 4, 7, 'm1', 0, 99.0);
INSERT INTO placements VALUES ('moved', 'aws', 9, 3, 'a1', 0, 'draining', 50.0);
INSERT INTO segments VALUES ('moved', 8, 'main', 0, 'm1', 0, 0.0, NULL, NULL);
INSERT INTO segments VALUES ('moved', 9, 'aws', 3, 'a1', 0, 50.0, 40.0, NULL);
INSERT INTO live VALUES ('moved', 1, 5.0), ('rowless', 1, 6.0), ('off', 0, 7.0);
INSERT INTO moves VALUES (1, 'm1', 'moved', 0, 0, 'aws', 'draining', NULL, 9, 3, 'a1', 0, 0, 'ann', '', '', 0, 5, '[]');
INSERT INTO accounts VALUES ('7', 'ann', 'Ann', '#FF0000', 'staff', 'known');
"""


async def test_from_before_rollouts(file: Path) -> None:
    """Moves belong to no rollout, and a channel that is live has a row from then on (C10); the rest stays."""
    engine = create_engine(f"sqlite:///{file}", poolclass=NullPool)
    begin_explicitly(engine)
    config = _config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    with contextlib.closing(sqlite3.connect(file)) as older:
        older.executescript(_BEFORE_ROLLOUTS)
    copy = file.with_name(f"godwit.sqlite3.before-{HEAD}")
    assert await migrate(sqlite_url(file)) == Migrated("0001", HEAD, copy)
    assert execute(copy, "SELECT count(*) FROM placements") == [(1,)]
    store = SqlStore(sqlite_url(file))
    await store.open()
    main = Segment("main", 4, 7, "m1")
    assert await store.rows() == [
        Placement("moved", Segment("aws", 9, 3, "a1"), "draining", 50.0, ("main",), drains=(50.0,)),
        Placement("rowless", main),
    ]
    assert await store.segments("rowless") == [main]
    assert (await store.placement("off")).default
    assert await store.account("ann") == Account("7", "ann", "Ann", "#FF0000", "staff", "known")
    assert await store.moves(unfinished=True) == [
        Move("m1", "moved", "aws", "draining", epoch=9, at=3, stream="a1", by="ann", version=5)
    ]
    await store.close()


async def test_all_or_nothing(file: Path) -> None:
    """A migration that fails in the middle leaves the file as it was."""
    execute(file, "CREATE TABLE segments (foreign_to_us)")
    with pytest.raises(StoreUnavailable, match="segments already exists"):
        await migrate(sqlite_url(file))
    assert execute(file, "SELECT name FROM sqlite_master") == [("segments",)]
    assert await needs_migration(sqlite_url(file))


async def test_newer_store(file: Path) -> None:
    """The tables of a newer version are left alone, and the message says what to do."""
    await migrate(sqlite_url(file))
    execute(file, "UPDATE alembic_version SET version_num = '9999'")
    assert await needs_migration(sqlite_url(file))
    with pytest.raises(StoreNotPrepared, match=r"newer Godwit .*9999"):
        await migrate(sqlite_url(file))
    assert list(files_beside(file)) == [file.name]


async def test_no_answer(tmp_path: Path) -> None:
    """A file that cannot be opened or is no database is an unavailable store."""
    with pytest.raises(StoreUnavailable, match="unable to open"):
        await migrate(sqlite_url(tmp_path / "missing" / "x.sqlite3"))
    (tmp_path / "text").write_text("no database at all, but a text of some length\n" * 50)
    with pytest.raises(StoreUnavailable, match="not a database"):
        await migrate(sqlite_url(tmp_path / "text"))


def test_tables_for_postgresql() -> None:
    """Nothing in the tables is SQLite's alone."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    for table in metadata.sorted_tables:
        assert str(CreateTable(table).compile(dialect=dialect)).strip().startswith(f"CREATE TABLE {table.name}")
        for index in table.indexes:
            CreateIndex(index).compile(dialect=dialect)


async def test_at_the_same_time(tmp_path: Path) -> None:
    """Several may start on one file or on several: each file is migrated once."""
    urls = [sqlite_url(tmp_path / name) for name in ("a", "b", "a", "b")]
    told = await asyncio.gather(*(migrate(url) for url in urls))
    assert sorted(str(done) for done in told) == [f"Migrated(before='', after='{HEAD}', copy=None)"] * 2 + ["None"] * 2
