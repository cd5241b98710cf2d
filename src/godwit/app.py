"""One process with all roles: store, a chat log per cluster, edges, controller, directory and API.

Started from the bottom up and stopped from the top down: first nobody new gets in, then the clients
are sent away, then what served them ends, the store last.
"""

from __future__ import annotations

import asyncio
import os
import platform
import secrets
from collections.abc import Awaitable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import msgspec
import structlog
from prometheus_client import CollectorRegistry

from godwit import __version__, clocks
from godwit.chatlog.memory import MemoryLog
from godwit.clock import Clock, SystemClock
from godwit.control.meters import metric_names, read
from godwit.crowd import EdgeCrowd
from godwit.edge import metrics
from godwit.edge.auth.bearer import Bearer
from godwit.edge.backend import room_id
from godwit.edge.front import Ports, fixed_ports
from godwit.ending import end
from godwit.errors import InvalidSetting, StoreUnavailable
from godwit.ground import Ground, LogCollector, open_ground
from godwit.network import Network, Places, together
from godwit.roles.member import Member
from godwit.roles.roster import farthest
from godwit.settings import Settings
from godwit.steering import Steering
from godwit.store.nodes_base import Node
from godwit.store.sql import SqlStore
from godwit.values import GROUP, derived_id
from godwit.web import server, service
from godwit.web.changes import Changes
from godwit.web.health import Check
from godwit.web.processes import Known

log = structlog.get_logger()

EXPIRE = 10.0
"""Seconds between two looks at what has expired in the chat logs."""

TRIM = 3600.0
"""Seconds between two looks at which public events are too old to be kept."""

KEPT = 30 * 86_400.0
"""Seconds that public events are kept: whoever follows the feed may have been away for so long."""


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
        self._network = Network(settings)
        self._changes = Changes()
        self._up = AsyncExitStack()
        self._working: asyncio.Task[None] | None = None
        self._stopped = False
        self._member: Member | None = None
        self._node: Node

    async def start(self) -> dict[str, Any]:
        """Bring everything up and listen.

        Returns:
            What the ready file says: `pid`, `api`, `admin_token`, `clusters`.

        Raises:
            OSError: an address cannot be had.
            InvalidSetting: the certificate cannot be used.
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

    def reload(self) -> None:
        """Read the certificate anew (TLS-2)."""
        self._network.renew_certificate()

    def ports(self, place: int) -> Ports:
        """The ports to ask for, of the cluster at that place of the list."""
        return Ports() if self._ports_auto else fixed_ports(self._settings.edge, place)

    def _number(self) -> str:
        """What tells this process from others on this machine, the same after a restart if its port is."""
        if not self._ports_auto:
            return str(self._settings.directory.port)
        return f"auto:{os.getpid()}" if self._settings.store.url else "auto"

    # from the bottom up -----------------------------------------------------------------------

    async def _start(self) -> dict[str, Any]:
        settings, clock = self._settings, clocks.machine()
        ground = await open_ground(settings, clock, self._up)
        store, logs = ground.store, ground.logs
        await self._register(ground)
        registry = CollectorRegistry()
        registry.register(LogCollector(ground))
        metrics.register(registry, lambda: [node.statistics() for node in self._network.all_nodes()])
        steering = Steering(
            settings,
            store,
            logs,
            clock,
            self._network.places,
            EdgeCrowd(self._network.nodes),
            holder=settings.node.name or f"{platform.node()}:{self._number()}",
            reading=lambda: read(registry),
            changed=self._changed,
            skip_seal=os.environ.get("GODWIT_DEMO_FAULT") == "skip-seal",
        )
        web = await self._serve_http(ground, clock, steering, registry)
        self._up.push_async_callback(steering.resign)
        self._working = asyncio.create_task(self._work(ground, steering, web), name="app")
        self._up.push_async_callback(self._end_work)
        self._network.open(store, logs, clock, ground.hearsay)
        self._up.push_async_callback(self._network.close)
        await self._network.listen(self.ports, await store.retired())
        await store.set_clusters(self._network.addresses)
        steering.look_out()
        self._up.push_async_callback(steering.look_away)
        return self._ready(web)

    async def _register(self, ground: Ground) -> None:
        """In a store that others could use: see that nobody does, and say that this process does.

        Raises:
            InvalidSetting: who else runs.
        """
        name = self._settings.node.name or f"serve-{platform.node()}-{os.getpid()}"
        self._node = Node(name, "serve", secrets.token_hex(8), clocks.machine().now(), 0.0, version=__version__)
        if not self._settings.store.url:
            return
        others = await ground.store.nodes(now=await ground.store.clock())
        if others:
            raise InvalidSetting(
                f"other processes run on this store already: {', '.join(node.name for node in others)}; 'godwit serve' "
                "is one process for all: use 'godwit edge', 'godwit directory' and 'godwit controller' beside them"
            )
        # It hears of nobody: there is nobody else.
        self._member = Member(ground.store, self._node, Places(self._settings))
        await self._member.join()
        self._up.push_async_callback(self._member.leave)

    async def _serve_http(
        self, ground: Ground, clock: Clock, steering: Steering, registry: CollectorRegistry
    ) -> server.Running:
        store = ground.store

        async def works() -> str:
            return "" if self._working and not self._working.done() else "the controller does not run"

        directory = self._settings.directory

        async def running() -> Sequence[Known]:
            addresses = together(list(self._network.addresses.values()))
            node = msgspec.structs.replace(self._node, url=web.url, addresses=addresses)
            return [Known(node, clock.now(), alive=True, ahead=farthest(ground.clocks.ahead))]

        async def owner(channel: str) -> str | None:
            found = await room_id(store, self._settings, channel)
            return None if found == "0" else found

        bearer = Bearer(self._settings.auth, store, clock)
        self._up.push_async_callback(bearer.close)
        await bearer.start()
        app = service.build(
            store=store,
            clock=clock,
            addresses=self._network.addresses,
            admin_token=self._admin_token,
            changes=self._changes,
            on_wish=steering.wake,
            checks=(
                Check("store", ground.store_answers),
                Check("logs", ground.logs_answer),
                Check("controller", works),
                Check("edges", self._network.silent),
                Check("clock", ground.clocks.agree),
            ),
            registry=registry,
            room_id=owner,
            live=self._settings.live,
            feed_poll=directory.feed_poll,
            presence=steering.crowd.presence,
            metrics=metric_names(name for name in self._settings.clusters if name != GROUP),
            dry_run=steering.wishes.dry_run,
            samples=steering.outside.gatekeeper.samples,
            waiting=steering.explainer.waiting,
            explain=steering.explainer.explain,
            doctor=steering.examine,
            running=running,
            members=steering.crowd.left_behind,
            identify=bearer.identify,
            user_id=derived_id if self._settings.auth.mode == "open" else None,
        )
        await server.warm(app)
        web = await server.serve(app, directory.host, 0 if self._ports_auto else directory.port)
        self._up.push_async_callback(web.stop)
        self._up.callback(self._changes.close)
        return web

    async def _work(self, ground: Ground, steering: Steering, web: server.Running) -> None:
        """Everything that runs as long as the process does; if one ends, all end."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_endless("controller", steering.controller.run()), name="controller")
                group.create_task(_endless("outside", steering.watch()), name="outside")
                group.create_task(_endless("network", self._network.follow(ground.store)), name="network")
                group.create_task(_endless("http", web.wait_stopped()), name="http")
                group.create_task(_endless("expire", _expire(ground.embedded)), name="expire")
                if self._member is not None:
                    group.create_task(_endless("member", self._member.run()), name="member")
                group.create_task(_endless("clocks", ground.clocks.run()), name="clocks")
                group.create_task(_endless("trim", _trim(ground.store)), name="trim")
        except* Exception:
            # Whoever waits for the end stops the rest in order; here it is only told.
            log.exception("app_failed")

    def _changed(self) -> None:
        """Something was written: wake whoever waits for that."""
        self._changes.notify()
        self._network.wake()

    # from the top down ------------------------------------------------------------------------

    async def _end_work(self) -> None:
        if self._working is not None:
            await end(self._working)

    def _ready(self, web: server.Running) -> dict[str, Any]:
        return {
            "pid": os.getpid(),
            "api": web.url,
            "admin_token": self._admin_token,
            "clusters": self._network.listening(),
        }


async def _endless(name: str, work: Awaitable[None]) -> None:
    await work
    raise RuntimeError(f"{name} ended")


async def _expire(logs: Sequence[MemoryLog]) -> None:
    while True:
        await asyncio.sleep(EXPIRE)
        for chat_log in logs:
            chat_log.expire()


async def _trim(store: SqlStore) -> None:
    while True:
        await asyncio.sleep(TRIM)
        try:
            trimmed = await store.trim_feed(SystemClock().now() - KEPT)
        except StoreUnavailable as error:
            log.warning("feed_not_trimmed", error=str(error))
        else:
            log.info("feed_trimmed", events=trimmed)
