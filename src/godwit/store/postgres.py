"""PostgreSQL: how the store connects to it, and what its errors mean."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

import asyncpg
from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from godwit.errors import StoreNotPrepared
from godwit.store.urls import shown

OLDEST = 13
"""The oldest PostgreSQL that the store is written for."""

CONNECT = 5.0
"""Seconds to wait for a connection."""

ANSWER = 15.0
"""Seconds to wait for an answer from a server that has gone silent; a living one has given up before (`_LIMITS`)."""

POOL_WAIT = 10.0
"""Seconds to wait for another call of this process to give its connection back."""

_LIMITS = {
    "default_transaction_isolation": "read committed",
    "statement_timeout": "10s",
    "lock_timeout": "5s",
    # A process that stops in mid-transaction, or is cut off, keeps its locks no longer than this.
    "idle_in_transaction_session_timeout": "5s",
    "jit": "off",
}

_MIGRATING = {"statement_timeout": "0", "lock_timeout": "60s"}

_LOCKS = 0x60D_817
"""The first half of the names of advisory locks; the second says what is locked."""

Lock = Literal["migration", "clusters", "retired"]
_NAMES: tuple[Lock, ...] = ("migration", "clusters", "retired")

Meaning = Literal["bug", "value", "again", "lost"]
"""What an error says: of our SQL; of a value that cannot be kept; that a repetition may do; that there is no answer."""

_AGAIN = ("40001", "40P01")
"""Serialization failure, deadlock."""

_BUGS = ("0A", "23", "42")
"""Classes of errors that no other state of the server would have spared us."""


def pooled(url: str, *, name: str, size: int) -> AsyncEngine:
    """An engine that keeps `size` connections at most; the server lists them under `name`."""
    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=_connector(url, name, _LIMITS, ANSWER),
        pool_size=size,
        max_overflow=0,
        pool_timeout=POOL_WAIT,
        pool_use_lifo=True,
    )
    event.listen(engine.sync_engine.pool, "checkout", _refuse_closed)
    return engine


def for_migration(url: str) -> AsyncEngine:
    """An engine whose statements may take long."""
    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=_connector(url, "godwit migrate", _LIMITS | _MIGRATING, None),
        poolclass=NullPool,
    )


def _connector(url: str, name: str, settings: Mapping[str, str], answer: float | None) -> Callable[[], Awaitable[Any]]:
    async def connect() -> Any:
        try:
            return await asyncpg.connect(
                url,
                timeout=CONNECT,
                command_timeout=answer,
                server_settings={**settings, "application_name": name},
                # Of several hosts the one that takes writes; a stand-by would answer with yesterday's placements.
                target_session_attrs="read-write",
            )
        except (ValueError, asyncpg.SyntaxOrAccessError) as error:
            raise StoreNotPrepared(f"store.url = {shown(url)} cannot be: {error}") from error
        except asyncpg.InvalidAuthorizationSpecificationError as error:
            raise StoreNotPrepared(f"store.url: {error}; look at its user, and at store.password_file") from error

    return connect


def _refuse_closed(dbapi_connection: Any, _record: object, _proxy: object) -> None:
    """Let the pool replace a connection that the server has closed meanwhile."""
    if dbapi_connection.driver_connection.is_closed():
        raise DisconnectionError("closed by the server")


def check_version(connection: Connection) -> None:
    """Refuse a server that is too old.

    Raises:
        StoreNotPrepared: says what it is and what is needed.
    """
    major, *rest = connection.dialect.server_version_info or (0,)
    if int(major) < OLDEST:
        version = ".".join(map(str, (major, *rest)))
        raise StoreNotPrepared(f"store.url: this is PostgreSQL {version}; Godwit needs {OLDEST} or newer")


async def lock(connection: AsyncConnection, name: Lock) -> None:
    """Wait until no other transaction holds this lock; it is held until the transaction ends."""
    await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCKS}, {_NAMES.index(name)})")


def meaning(error: DBAPIError) -> Meaning:
    """What an error of the driver or the server means."""
    cause = error.orig.__cause__ if error.orig else None
    state: str = getattr(cause, "sqlstate", None) or ""
    if state in _AGAIN or isinstance(cause, asyncpg.InvalidCachedStatementError):
        return "again"
    if state.startswith("22") or isinstance(cause, ValueError):
        return "value"
    if isinstance(cause, asyncpg.InsufficientPrivilegeError):
        return "lost"
    return "bug" if state[:2] in _BUGS else "lost"


def told(error: DBAPIError) -> str:
    """An error in words, without the driver's decoration."""
    cause = error.orig.__cause__ if error.orig else None
    return str(cause or error.orig)
