"""Migrations of the tables (Alembic), run by the program itself: no alembic.ini.

A change of `schema.py` comes with a module in `versions/`, named `v0002_what_it_does.py`, whose
`down_revision` is the one before; a test compares the outcome of all of them with `schema.py`.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, make_url
from sqlalchemy.pool import NullPool

from godwit.errors import StoreNotPrepared
from godwit.store import postgres
from godwit.store.database import Result, answering, begin_explicitly
from godwit.store.urls import is_postgres

_one_at_a_time = threading.Lock()
"""Alembic's `op` belongs to the whole process, so one migration runs at a time."""


class Migrated(msgspec.Struct, frozen=True):
    """What a migration did.

    Attributes:
        before: the revision found; empty for new tables.
        after: the revision now.
        copy: where the file as it was has been kept, if there was one.
    """

    before: str
    after: str
    copy: Path | None


def is_current(connection: Connection) -> bool:
    """Say whether the tables are at this version's revision."""
    return _found(connection) == _head()


def check_current(connection: Connection) -> None:
    """Refuse tables that this version does not work with.

    Raises:
        StoreNotPrepared: says what to do.
    """
    found = _found(connection)
    if found == _head():
        return
    _refuse_newer(found)
    had = f"are at revision {found}, this version of Godwit needs {_head()}" if found else "are not there"
    raise StoreNotPrepared(f"the store's tables {had}: run 'godwit migrate' first, with the same settings")


async def needs_migration(url: str) -> bool:
    """Say whether `migrate` has something to do; makes no file.

    Raises:
        StoreUnavailable: no answer.
    """
    return await asyncio.to_thread(_needs_migration, url)


async def revisions(url: str) -> tuple[str, str]:
    """The revision of the tables, empty if there are none, and the one that this version works with; makes no file.

    Raises:
        StoreNotPrepared: the tables are those of a newer version, or the server is too old.
        StoreUnavailable: no answer.
    """
    return await asyncio.to_thread(_revisions, url), _head()


async def migrate(url: str) -> Migrated | None:
    """Bring the tables to this version's revision, all or nothing; None if they are there already.

    An existing SQLite file is copied to `<file>.before-<revision>` first. The work is done in a thread
    of its own; the caller's loop goes on.

    Raises:
        StoreNotPrepared: the tables are those of a newer version, or the server is too old.
        StoreUnavailable: no answer; nothing was changed.
    """
    return await asyncio.to_thread(_migrate, url)


def _needs_migration(url: str) -> bool:
    file = _file(url)
    if file is not None and not file.exists():
        return True
    return not _transaction(url, is_current)


def _revisions(url: str) -> str:
    file = _file(url)
    found = "" if file is not None and not file.exists() else _transaction(url, _found)
    _refuse_newer(found)
    return found


def _migrate(url: str) -> Migrated | None:
    def work(connection: Connection) -> Migrated | None:
        # Nobody else writes now. Another process may have migrated since we looked.
        before = _found(connection)
        if before == _head():
            return None
        _refuse_newer(before)
        copy = _copy(_file(url))
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        return Migrated(before, _head(), copy)

    with _one_at_a_time:
        return _transaction(url, work, write=True) if _needs_migration(url) else None


def _transaction(url: str, work: Callable[[Connection], Result], *, write: bool = False) -> Result:
    """Do `work` in one transaction, in this thread."""
    with answering():
        if is_postgres(url):
            return asyncio.run(_on_postgres(url, work, write=write))
        # The synchronous driver: the asynchronous one has threads that outlive a loop of ours.
        engine = create_engine(make_url(url).set(drivername="sqlite"), poolclass=NullPool)
        begin_explicitly(engine)
        with engine.execution_options(godwit_write=write).begin() as connection:
            return work(connection)


async def _on_postgres(url: str, work: Callable[[Connection], Result], *, write: bool) -> Result:
    async with postgres.for_migration(url).begin() as connection:
        await connection.run_sync(postgres.check_version)
        if write:
            await postgres.lock(connection, "migration")
        return await connection.run_sync(work)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


def _head() -> str:
    """The revision that this version's code works with."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def _found(connection: Connection) -> str:
    return MigrationContext.configure(connection).get_current_revision() or ""


def _refuse_newer(revision: str) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if revision and revision not in known:
        raise StoreNotPrepared(
            f"the store was written by a newer Godwit (revision {revision}, this one knows {_head()}): "
            f"run that version, or go back to the copy that was made before (of a file: <file>.before-{revision})"
        )


def _file(url: str) -> Path | None:
    """The SQLite file; None for a PostgreSQL."""
    database = None if is_postgres(url) else make_url(url).database
    return Path(database) if database else None


def _copy(file: Path | None) -> Path | None:
    """Copy a SQLite file that has something in it, its write-ahead log included."""
    if file is None or file.stat().st_size == 0:
        return None
    copy = file.with_name(f"{file.name}.before-{_head()}")
    partial = copy.with_name(f"{copy.name}.partial")
    # A copy is made whole or not at all, and is readable to those who may read the file.
    partial.unlink(missing_ok=True)
    os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(partial)) as target:
        source.backup(target)
    shutil.copymode(file, partial)
    os.replace(partial, copy)
    return copy
