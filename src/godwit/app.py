"""One process with all roles: store, a chat log per cluster, edges, controller, directory and API.

Started from the bottom up and stopped from the top down: first nobody new gets in, then the clients
are sent away, then what served them ends, the store last.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Awaitable, Mapping
from contextlib import AsyncExitStack
from itertools import count
from typing import Any
from uuid import uuid4

import structlog
from prometheus_client import CollectorRegistry

from godwit.chatlog.base import ChatLog
from godwit.chatlog.memory import MemoryLog
from godwit.clock import SystemClock
from godwit.control.controller import Controller
from godwit.edge import metrics
from godwit.edge.backend import room_id
from godwit.edge.front import Front
from godwit.edge.node import GROUP, EdgeNode
from godwit.errors import InvalidSetting, StoreUnavailable
from godwit.settings import Settings
from godwit.store.database import sqlite_url
from godwit.store.migrations import migrate
from godwit.store.sql import SqlStore
from godwit.values import Addresses, Segment
from godwit.web import server, service
from godwit.web.changes import Changes
from godwit.web.health import Check

log = structlog.get_logger()

EXPIRE = 10.0
"""Seconds between two looks at what has expired in the chat logs."""

EVERY = 2**31 - 1
"""A limit for questions to the store that cuts nothing off."""

LEFT = 6.0
"""Seconds that connections are given to be gone once they are closed."""


class App:
    """A chat server.

    Args:
        settings: all of them.
        ports_auto: take free ports instead of the settings' ones.
    """

    def __init__(self, settings: Settings, ports_auto: bool = False) -> None:
        self._settings = settings
        self._ports_auto = ports_auto
        self._admin_token = settings.auth.admin_token or secrets.token_urlsafe(24)
        self._addresses: dict[str, Addresses] = {name: Addresses() for name in settings.clusters}
        self._nodes: dict[str, list[EdgeNode]] = {}
        self._fronts: dict[str, Front] = {}
        self._changes = Changes()
        self._up = AsyncExitStack()
        self._working: asyncio.Task[None] | None = None
        self._stopped = False

    async def start(self) -> dict[str, Any]:
        """Bring everything up and listen.

        Returns:
            What the ready file says: `pid`, `api`, `admin_token`, `clusters`.

        Raises:
            OSError: an address cannot be had.
            InvalidRequest: the settings and the store do not fit.
            StoreUnavailable: the store cannot be opened.
        """
        try:
            return await self._start()
        except BaseException:
            await self.stop()
            raise

    async def wait_stopped(self) -> None:
        """Wait until it has ended, by `stop` or by a fault, which the log tells."""
        assert self._working
        await asyncio.shield(self._working)

    async def stop(self) -> None:
        """Send the clients away with a grace time, then end. May be called twice."""
        if not self._stopped:
            self._stopped = True
            await self._up.aclose()

    def ports(self, place: int) -> tuple[int, int]:
        """The ports for TCP and WebSocket to ask for, of the cluster at that place of the list."""
        edge = self._settings.edge
        return (0, 0) if self._ports_auto else (edge.tcp_port + place, edge.ws_port + place)

    # from the bottom up -----------------------------------------------------------------------

    async def _start(self) -> dict[str, Any]:
        settings, clock = self._settings, SystemClock()
        store = await self._open_store()
        logs = {name: MemoryLog(name, uuid4().hex, clock, settings.log) for name in settings.clusters}
        await self._place(store, logs)
        controller = Controller(
            store,
            logs,
            clock,
            settings.move,
            clusters=[name for name in settings.clusters if name != GROUP],
            drained=self._drained,
            changed=self._changes.notify,
            skip_seal=os.environ.get("GODWIT_DEMO_FAULT") == "skip-seal",
        )
        web = await self._serve_http(store, clock, controller)
        self._working = asyncio.create_task(self._work(logs, controller, web), name="app")
        self._up.push_async_callback(self._end_work)
        self._make_edges(store, logs, clock)
        self._up.push_async_callback(self._send_clients_away)
        await self._listen()
        await store.set_clusters(self._addresses)
        return self._ready(web)

    async def _open_store(self) -> SqlStore:
        url = sqlite_url(self._settings.store.path)
        migrated = await migrate(url)
        if migrated is not None:
            log.info("store_migrated", **{name: str(getattr(migrated, name)) for name in migrated.__struct_fields__})
        store = SqlStore(url)
        await store.open()
        self._up.push_async_callback(store.close)
        return store

    async def _place(self, store: SqlStore, logs: Mapping[str, MemoryLog]) -> None:
        """Open anew what the logs of the last process held, and see that there is a default placement (L2, C1)."""
        await self._refuse_strays(store)
        streams = {name: chat_log.stream("") for name, chat_log in logs.items()}
        reopened = await store.reopen(streams)
        if reopened:
            log.info("channels_reopened", channels=reopened)
        first = self._settings.clusters[0]
        if first == GROUP:
            raise InvalidSetting(
                f"clusters: {GROUP!r} is for group chat and cannot be the default; name another one first"
            )
        try:
            default = await store.default_placement()
        except StoreUnavailable:
            default = await store.set_default(Segment(first, 1, 0, streams[first]), hold_until=0.0)
        if default.cluster not in logs:
            raise InvalidSetting(
                f"clusters: the store's default placement is on {default.cluster!r}, which is not among "
                f"{', '.join(logs)}; add it, or use another store.path"
            )
        log.info("default_placement", cluster=default.cluster, epoch=default.epoch)

    async def _refuse_strays(self, store: SqlStore) -> None:
        """Refuse a store that has channels or moves on clusters without a log here: they would wait for ever.

        Raises:
            InvalidSetting: such clusters, how much there is on them, and what to do.
        """
        known, missing = set(self._settings.clusters), set[str]()
        channels, moves, after = 0, 0, ""
        while rows := await store.rows(after):
            elsewhere = [row.segment.cluster for row in rows if row.segment.cluster not in known]
            channels += len(elsewhere)
            missing.update(elsewhere)
            after = rows[-1].channel
        for move in await store.moves(unfinished=True, limit=EVERY):
            named = {move.target} | ({move.source.cluster} if move.source else set())
            moves += not named <= known
            missing |= named - known
        if missing:
            raise InvalidSetting(
                f"clusters: the store uses {', '.join(map(repr, sorted(missing)))} too (channels: {channels}, "
                f"unfinished moves: {moves}); add what is missing and move the channels away first, "
                "or use another store.path"
            )

    def _make_edges(self, store: SqlStore, logs: Mapping[str, ChatLog], clock: SystemClock) -> None:
        settings, numbers = self._settings, count(1)
        for cluster in settings.clusters:
            nodes = [
                EdgeNode(cluster, logs, store, settings, clock, self._addresses.__getitem__, numbers=numbers)
                for _ in range(settings.edge.edges)
            ]
            self._nodes[cluster] = nodes
            self._fronts[cluster] = Front(nodes, settings.edge)

    async def _listen(self) -> None:
        for place, (cluster, front) in enumerate(self._fronts.items()):
            tcp_port, ws_port = self.ports(place)
            await front.listen(tcp_port=tcp_port, ws_port=ws_port)
            self._addresses[cluster] = self._public(cluster, front)
        for node in self._all_nodes():
            node.start()

    def _public(self, cluster: str, front: Front) -> Addresses:
        """Where clients reach a cluster: as the settings say, else where it listens."""
        given = self._settings.directory.public.get(cluster)
        if given:
            return Addresses(**{kind: tuple(given.get(kind, ())) for kind in ("tcp", "tls", "ws", "wss")})
        tcp = (f"{front.tcp.host}:{front.tcp.port}",) if front.tcp else ()
        ws = (f"{front.ws.host}:{front.ws.port}",) if front.ws else ()
        return Addresses(tcp=tcp, ws=ws)

    async def _serve_http(self, store: SqlStore, clock: SystemClock, controller: Controller) -> server.Running:
        async def store_answers() -> str:
            await store.default_placement()
            return ""

        async def works() -> str:
            return "" if self._working and not self._working.done() else "the controller does not run"

        async def listens() -> str:
            silent = [name for name, addresses in self._addresses.items() if addresses == Addresses()]
            return f"not listening yet: {', '.join(silent)}" if silent else ""

        registry = CollectorRegistry()
        metrics.register(registry, lambda: [node.statistics() for node in self._all_nodes()])
        directory = self._settings.directory

        async def owner(channel: str) -> str | None:
            found = await room_id(store, self._settings, channel)
            return None if found == "0" else found

        app = service.build(
            store=store,
            clock=clock,
            addresses=self._addresses,
            admin_token=self._admin_token,
            changes=self._changes,
            on_wish=controller.wake,
            checks=(Check("store", store_answers), Check("controller", works), Check("edges", listens)),
            registry=registry,
            room_id=owner,
        )
        web = await server.serve(app, directory.host, 0 if self._ports_auto else directory.port)
        self._up.push_async_callback(web.stop)
        self._up.callback(self._changes.close)
        return web

    async def _work(self, logs: Mapping[str, MemoryLog], controller: Controller, web: server.Running) -> None:
        """Everything that runs as long as the process does; if one ends, all end."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_endless("controller", controller.run()), name="controller")
                group.create_task(_endless("http", web.wait_stopped()), name="http")
                group.create_task(_endless("expire", _expire(logs)), name="expire")
        except* Exception:
            # Whoever waits for the end stops the rest in order; here it is only told.
            log.exception("app_failed")

    # from the top down ------------------------------------------------------------------------

    async def _send_clients_away(self) -> None:
        for front in self._fronts.values():
            front.close()
        grace = self._settings.edge.reconnect_grace
        await asyncio.gather(*(node.stop(grace) for node in self._all_nodes()))
        try:
            async with asyncio.timeout(LEFT):
                await asyncio.gather(*(front.wait_empty() for front in self._fronts.values()))
        except TimeoutError:
            log.warning(
                "connections_left", connections=sum(node.statistics().connections for node in self._all_nodes())
            )

    async def _end_work(self) -> None:
        if self._working is not None:
            self._working.cancel()
            await asyncio.wait([self._working])

    # what the others ask ----------------------------------------------------------------------

    def _all_nodes(self) -> list[EdgeNode]:
        return [node for nodes in self._nodes.values() for node in nodes]

    def _drained(self, channel: str, cluster: str) -> bool:
        """Whether nobody is in the channel on that cluster any more."""
        return not any(node.members(channel) for node in self._nodes.get(cluster, ()))

    def _ready(self, web: server.Running) -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "api": web.url,
            "admin_token": self._admin_token,
            "clusters": {name: _listening(front) for name, front in self._fronts.items()},
        }


def _listening(front: Front) -> dict[str, str | None]:
    return {
        "tcp": f"{front.tcp.host}:{front.tcp.port}" if front.tcp else None,
        "tls": None,
        "ws": f"ws://{front.ws.host}:{front.ws.port}/" if front.ws else None,
    }


async def _endless(name: str, work: Awaitable[None]) -> None:
    await work
    raise RuntimeError(f"{name} ended")


async def _expire(logs: Mapping[str, MemoryLog]) -> None:
    while True:
        await asyncio.sleep(EXPIRE)
        for chat_log in logs.values():
            chat_log.expire()
