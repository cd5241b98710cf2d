"""The database behind `SqlStore`: engine, transactions, and what its silence is called."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from sqlalchemy import URL, Connection, Engine, Executable, Insert, Row, Table, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, NotSupportedError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from godwit.ending import end
from godwit.errors import InvalidRequest, StoreNotPrepared, StoreUnavailable
from godwit.store import postgres
from godwit.store.urls import is_postgres

BUSY_TIMEOUT = 5.0
"""Seconds that a write to SQLite waits, all in all: for other writes of this process, and for other processes.

One deadline for both: when another process keeps the file, all who wait are told after as long, not one by one.
"""

CHUNK = 500
"""Rows named in one statement."""

CONNECTIONS = 5
"""How many connections to PostgreSQL a process keeps, unless it is told otherwise."""

LAST = 10.0
"""Seconds that transactions under way are given when the store is closed."""

FAREWELL = 3.0
"""Seconds that its connections are then given to be closed in an orderly way."""

TRIES = 5
"""How often a transaction is tried that was in the way of another one."""

Result = TypeVar("Result")
Key = TypeVar("Key", bound=str)
Value = TypeVar("Value", bound=msgspec.Struct)
Work = Callable[[AsyncConnection], Awaitable[Result]]
"""What is done within one transaction."""

_OURS = (IntegrityError, DataError, ProgrammingError, NotSupportedError)


def sqlite_url(path: str | Path) -> str:
    """The URL of a SQLite file, whatever characters its path has."""
    return URL.create("sqlite+aiosqlite", database=str(path)).render_as_string(hide_password=False)


def chunks(keys: Iterable[Key]) -> Iterator[Sequence[Key]]:
    """The keys in portions that one statement can name, each once and in order: locks are taken in that order too."""
    each = sorted(set(keys))
    return (each[start : start + CHUNK] for start in range(0, len(each), CHUNK))


def structs(rows: Iterable[Row[Any]], kind: type[Value]) -> list[Value]:
    """Rows as values that have fields of the same names."""
    names: list[str] = []
    found: list[Value] = []
    for row in rows:
        names = names or [str(name) for name in row._fields]  # one that is quoted in SQL is no plain string
        found.append(msgspec.convert(dict(zip(names, row, strict=True)), kind))
    return found


@contextmanager
def answering() -> Iterator[None]:
    """Turn a database that does not answer into `StoreUnavailable`; errors of ours stay what they are."""
    try:
        yield
    except DBAPIError as error:
        if hasattr(error.orig, "sqlstate"):
            _refuse(error)
        elif isinstance(error, _OURS) and not error.connection_invalidated:
            raise
        raise StoreUnavailable(f"the store did not answer: {postgres.told(error)}") from error
    except PoolTimeout as error:
        raise StoreUnavailable("the store did not answer: all connections to it are busy") from error
    except OSError as error:
        raise StoreUnavailable(f"the store did not answer: {str(error) or 'time-out'}") from error


def _refuse(error: DBAPIError) -> None:
    """Raise what an error of PostgreSQL means, unless it means that there is no answer."""
    match postgres.meaning(error):
        case "value":
            raise InvalidRequest(f"the store cannot keep this: {postgres.told(error)}") from error
        case "bug":
            raise error


def to_json(value: Any) -> str:
    """A value as JSON text; moves carry a few of them, and msgspec writes them several times as fast as `json`."""
    return msgspec.json.encode(value).decode()


class Database:
    """An async engine with short transactions for reading and for writing.

    PostgreSQL runs at READ COMMITTED: what may not change meanwhile is locked, in the order default placement, rows of
    channels, moves, feed, and rows of one table in the order of their keys. Should two wait for each other all the
    same, the one that the server refuses is tried again: `work` may be called more than once.

    SQLite runs in WAL mode, so readers do not wait for the writer. `synchronous` is FULL: an
    acknowledged commit is on the disk. NORMAL would survive a killed process too, but not a loss of
    power, and a placement that went back would hand out its epoch a second time: clients that know
    the first would ignore the second. The price is one sync a write, and writes here are rare.

    A transaction that has begun runs to its end, even if its caller is cancelled: a connection that is
    torn away in the middle of a statement can hold the file's lock until it is garbage-collected.
    """

    def __init__(self, url: str, *, name: str = "godwit", connections: int = CONNECTIONS) -> None:
        """Prepare; nothing is opened before `open`.

        Args:
            url: `postgresql://...` with its password, or what `sqlite_url` makes.
            name: what PostgreSQL lists the connections as.
            connections: how many connections to PostgreSQL are kept, at most.
        """
        self.url = url
        self._is_sqlite = not is_postgres(url)
        # SQLite has one writer; those of this process queue here instead of polling the file's lock.
        self._writer = asyncio.Lock()
        self._open = False
        self._running: set[asyncio.Task[Any]] = set()
        if self._is_sqlite:
            self._engine = create_async_engine(url, json_serializer=to_json, json_deserializer=msgspec.json.decode)
            event.listen(self._engine.sync_engine, "connect", _set_up_sqlite)
            begin_explicitly(self._engine.sync_engine)
        else:
            self._engine = postgres.pooled(url, name=name, size=connections)
        self._for_writing = self._engine.execution_options(godwit_write=True)

    async def close(self) -> None:
        """End what is under way, then close all connections; later calls raise `StoreUnavailable`."""
        self._open = False
        await end(*self._running, grace=LAST)
        # A server that hangs takes no farewell.
        await end(asyncio.create_task(self._engine.dispose(), name="store closes"), grace=FAREWELL)

    async def _read(self, work: Work[Result]) -> Result:
        """Do `work` in a transaction that only reads."""
        return await self._to_the_end(self._transaction(self._engine, work))

    async def _write(self, work: Work[Result]) -> Result:
        """Do `work` in a transaction that writes: committed if it returns, undone if it raises."""
        call = self._in_turn(work) if self._is_sqlite else self._transaction(self._for_writing, work)
        return await self._to_the_end(call)

    async def _in_turn(self, work: Work[Result]) -> Result:
        """Do `work` when the writes before it are done; what is left of the time is for other processes."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + BUSY_TIMEOUT
        try:
            async with asyncio.timeout_at(deadline):
                await self._writer.acquire()
        except TimeoutError as error:
            raise StoreUnavailable("the store did not answer: writes before this one did not come to an end") from error
        try:
            left = max(0, math.ceil((deadline - loop.time()) * 10)) * 100
            engine = self._for_writing
            if left != _patience():
                engine = engine.execution_options(godwit_patience=left)
            return await self._transaction(engine, work)
        finally:
            self._writer.release()

    async def _fetch(self, query: Executable) -> Sequence[Row[Any]]:
        """The rows of one query."""

        async def work(connection: AsyncConnection) -> Sequence[Row[Any]]:
            return (await connection.execute(query)).all()

        return await self._read(work)

    async def _change(self, statement: Executable) -> int:
        """Execute one statement; returns the number of rows that it changed."""

        async def work(connection: AsyncConnection) -> int:
            return (await connection.execute(statement)).rowcount

        return await self._write(work)

    async def _transaction(self, engine: AsyncEngine, work: Work[Result]) -> Result:
        with answering():
            for _ in range(TRIES - 1):
                try:
                    return await _once(engine, work)
                except DBAPIError as error:
                    if self._is_sqlite or postgres.meaning(error) != "again":
                        raise
                except StoreNotPrepared as error:
                    # It was once: a password or a server that has changed is nobody's request.
                    raise StoreUnavailable(str(error)) from error
            return await _once(engine, work)

    async def _alone(self, connection: AsyncConnection, name: postgres.Lock) -> None:
        """Keep others from the same work until the transaction ends; SQLite has one writer anyway."""
        if not self._is_sqlite:
            await postgres.lock(connection, name)

    async def _to_the_end(self, call: Coroutine[Any, Any, Result]) -> Result:
        if not self._open:
            call.close()
            raise StoreUnavailable("the store is not open")
        task = asyncio.create_task(call)
        self._running.add(task)
        task.add_done_callback(self._ended)
        await asyncio.wait([task])  # it runs on if its caller is cancelled
        if task.cancelled():
            raise StoreUnavailable("the store was closed before it answered")
        return task.result()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # if its caller has gone, nobody else asks for it

    def _insert_new(self, table: Table) -> Insert:
        """An INSERT that leaves a row alone which is there already (its `rowcount` is then 0)."""
        if self._is_sqlite:
            return sqlite.insert(table).on_conflict_do_nothing()
        return postgresql.insert(table).on_conflict_do_nothing()

    def _put(self, table: Table, *key: str) -> Insert:
        """An INSERT that replaces a row with the same `key`, but for columns that it is not given."""
        new = sqlite.insert(table) if self._is_sqlite else postgresql.insert(table)
        others = {column.name: new.excluded[column.name] for column in table.columns if column.name not in key}
        others.pop("number", None)
        return new.on_conflict_do_update(index_elements=key, set_=others)


async def _once(engine: AsyncEngine, work: Work[Result]) -> Result:
    async with engine.begin() as connection:
        return await work(connection)


def begin_explicitly(engine: Engine) -> None:
    """Let the engine, and not SQLite's driver, say where a transaction begins; it then covers DDL too."""
    event.listen(engine, "connect", _leave_transactions_alone)
    event.listen(engine, "begin", _begin_sqlite)


def _leave_transactions_alone(connection: Any, _record: object) -> None:
    connection.isolation_level = None


def _set_up_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout = {_patience()}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _patience() -> int:
    """Milliseconds to wait for another process by default."""
    return int(BUSY_TIMEOUT * 1000)


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the lock at once: one that reads first and then finds that another wrote would fail.
    options = connection.get_execution_options()
    patience = options.get("godwit_patience", _patience())
    if connection.info.get("godwit_patience", _patience()) != patience:
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {patience}")
        connection.info["godwit_patience"] = patience
    writing = options.get("godwit_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
