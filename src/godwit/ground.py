"""What everything stands on: the store and the chat logs, opened as the settings say.

Many processes share a PostgreSQL and NATS servers. What they share is made and changed by `godwit migrate` alone; a
process that finds it missing or different says what to do and does not start. One process by itself has a SQLite
file, which it migrates, and logs that end with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TypeVar
from uuid import uuid4

import structlog
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from godwit.chatlog.base import ChatLog
from godwit.chatlog.hearsay import Hearsay, LocalHearsay
from godwit.chatlog.hearsay_nats import NatsHearsay
from godwit.chatlog.jetstream import JetStreamLog
from godwit.chatlog.memory import MemoryLog
from godwit.chatlog.whole import WholeLog
from godwit.clock import Clock
from godwit.clocks import Ask, Clocks
from godwit.errors import ChatLogUnavailable, InvalidSetting, StoreUnavailable
from godwit.settings import Settings
from godwit.store.database import sqlite_url
from godwit.store.migrations import migrate
from godwit.store.sql import SqlStore
from godwit.values import GROUP, Segment

log = structlog.get_logger()

AGAIN = 0.5
"""Seconds between two attempts."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ground:
    """Store and logs that are open.

    Attributes:
        logs: cluster -> its chat log.
        embedded: those of the logs that are in this process and end with it.
        hearsay: over which edges talk with each other.
        clocks: ours against those of what is shared.
    """

    store: SqlStore
    logs: Mapping[str, ChatLog]
    embedded: tuple[MemoryLog, ...]
    hearsay: Hearsay
    clocks: Clocks

    async def store_answers(self) -> str:
        """A readiness check of the store."""
        await self.store.default_placement()
        return ""

    async def logs_answer(self) -> str:
        """A readiness check of the logs."""
        silent = [name for name, each in self.logs.items() if isinstance(each, WholeLog) and not _ready(each)]
        return f"no chat log of {', '.join(silent)}" if silent else ""


class LogCollector(Collector):
    """Turns what the chat logs count into metrics."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Make the metrics as they are now."""
        counted = {
            name: each.inner.statistics()
            for name, each in self._ground.logs.items()
            if isinstance(each, WholeLog) and isinstance(each.inner, JetStreamLog)
        }
        for name in sorted({name for counts in counted.values() for name in counts}):
            gauge = GaugeMetricFamily(
                f"godwit_log_{name}", f"What this process counts of a chat log: {name}.", labels=["cluster"]
            )
            for cluster, counts in counted.items():
                gauge.add_metric([cluster], counts[name])
            yield gauge


def _ready(whole: WholeLog) -> bool:
    return isinstance(whole.inner, JetStreamLog) and whole.inner.ready


def require_shared(settings: Settings, role: str) -> None:
    """Refuse to run one process of many with what cannot be shared.

    Raises:
        InvalidSetting: what is missing.
    """
    missing = [
        name
        for name, given in (
            ("store.url", settings.store.url),
            ("nats.servers", settings.nats.servers),
            ("auth.admin_token or auth.admin_token_file", settings.auth.admin_token),
        )
        if not given
    ]
    if missing:
        raise InvalidSetting(
            f"godwit {role} is one process of many and needs {', '.join(missing)}; 'godwit serve' does everything "
            "in one process without them, 'godwit up --nodes' starts many for trying"
        )


async def open_store(settings: Settings, up: AsyncExitStack) -> SqlStore:
    """Open the store; a SQLite file is migrated first.

    Raises:
        StoreUnavailable: no answer.
        InvalidRequest: it does not fit this version.
    """
    url = settings.store.url
    if not url:
        url = sqlite_url(settings.store.path)
        migrated = await migrate(url)
        if migrated is not None:
            log.info("store_migrated", **{name: str(getattr(migrated, name)) for name in migrated.__struct_fields__})
    name = f"godwit {settings.node.name}".rstrip()
    store = SqlStore(url, name=name, connections=settings.store.connections)
    await store.open()
    up.push_async_callback(store.close)
    return store


async def open_logs(
    settings: Settings, clock: Clock, up: AsyncExitStack, *, patience: float = 0.0
) -> Mapping[str, ChatLog]:
    """Open the chat log of every cluster: in NATS if it is configured, else in this process.

    Args:
        patience: seconds to wait for each that does not answer yet.

    Raises:
        ChatLogUnavailable: no answer.
        LogNotPrepared: what to do first.
    """
    if not settings.nats.servers:
        return {name: MemoryLog(name, uuid4().hex, clock, settings.log) for name in settings.clusters}
    logs: dict[str, ChatLog] = {}
    for name in settings.clusters:
        inner = JetStreamLog(name, settings.nats.servers[name], settings.nats, settings.log)
        try:
            await _patiently(patience, inner.open)
        except ChatLogUnavailable as error:
            listed = ", ".join(settings.nats.servers[name])
            raise ChatLogUnavailable(f"cluster {name}: no NATS server answers at {listed}: {error}") from error
        up.push_async_callback(inner.close)
        logs[name] = WholeLog(inner)
    return logs


async def open_ground(settings: Settings, clock: Clock, up: AsyncExitStack, *, patience: float = 0.0) -> Ground:
    """Open store and logs, and see that there is a default placement that fits.

    Args:
        up: what was opened is closed with it.
        patience: seconds to wait for those that do not answer yet.

    Raises:
        InvalidRequest: the settings, the store, the logs and the clocks do not fit; says what to do.
        StoreUnavailable, ChatLogUnavailable: no answer.
    """
    store = await _patiently(patience, lambda: open_store(settings, up))
    await _refuse_strays(settings, store)
    logs = await open_logs(settings, clock, up, patience=patience)
    embedded = tuple(each for each in logs.values() if isinstance(each, MemoryLog))
    clocks = _clocks(settings, clock, store, logs)
    await _patiently(patience, clocks.require)
    ground = Ground(store, logs, embedded, _hearsay(settings, up), clocks)
    if embedded:
        # What the logs of an earlier process held has ended with it (L2).
        reopened = await store.reopen({each.cluster: each.stream("") for each in embedded})
        if reopened:
            log.info("channels_reopened", channels=reopened)
    await _place(settings, ground)
    return ground


def _clocks(settings: Settings, clock: Clock, store: SqlStore, logs: Mapping[str, ChatLog]) -> Clocks:
    theirs: dict[str, Ask] = {"the database": store.clock} if settings.store.url else {}
    for name, each in logs.items():
        if isinstance(each, WholeLog) and isinstance(each.inner, JetStreamLog):
            theirs[f"the chat log of {name}"] = each.inner.clock
    return Clocks(clock, theirs)


def _hearsay(settings: Settings, up: AsyncExitStack) -> Hearsay:
    if not settings.nats.servers:
        return LocalHearsay()
    hearsay = NatsHearsay(settings.nats.servers, credentials=settings.nats.credentials)
    hearsay.open()
    up.push_async_callback(hearsay.close)
    return hearsay


async def _patiently(patience: float, work: Callable[[], Awaitable[T]]) -> T:
    deadline = asyncio.get_running_loop().time() + patience
    told = ""
    while True:
        try:
            return await work()
        except (StoreUnavailable, ChatLogUnavailable) as error:
            if asyncio.get_running_loop().time() >= deadline:
                raise
            if str(error) != told:
                told = str(error)
                log.warning("waits_at_start", error=told)
        await asyncio.sleep(AGAIN)


async def _place(settings: Settings, ground: Ground) -> None:
    """See that there is a default placement (C1), on a cluster and a log that there are."""
    first = settings.clusters[0]
    if first == GROUP:
        raise InvalidSetting(f"clusters: {GROUP!r} is for group chat and cannot be the default; name another one first")
    try:
        default = await ground.store.default_placement()
    except StoreUnavailable:
        stream = ground.logs[first].stream("")
        default = await ground.store.set_default(Segment(first, 1, 0, stream), hold_until=0.0)
    if default.cluster not in ground.logs:
        raise InvalidSetting(
            f"clusters: the store's default placement is on {default.cluster!r}, which is not among "
            f"{', '.join(ground.logs)}; add it, or use another {_which(settings)}"
        )
    log.info("default_placement", cluster=default.cluster, epoch=default.epoch)
    if ground.logs[default.cluster].stream("") != default.stream:
        log.error("log_is_another", cluster=default.cluster, what_to_do="godwit doctor, then godwit repair --force")


async def _refuse_strays(settings: Settings, store: SqlStore) -> None:
    """Refuse a store that has channels or moves on clusters without a log here: they would wait for ever.

    Raises:
        InvalidSetting: such clusters, how much there is on them, and what to do.
    """
    known = set(settings.clusters)
    missing = {name: uses for name, uses in (await store.clusters_in_use()).items() if name not in known}
    if missing:
        raise InvalidSetting(
            f"clusters: the store uses {', '.join(map(repr, sorted(missing)))} too "
            f"(channels and unfinished moves: {sum(missing.values())}); add what is missing and move the channels "
            f"away first, or use another {_which(settings)}"
        )


def _which(settings: Settings) -> str:
    return "store.url" if settings.store.url else "store.path"
