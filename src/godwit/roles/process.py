"""What all processes of a network have in common: the ground, the registry, an internal HTTP, an orderly end."""

from __future__ import annotations

import asyncio
import os
import platform
import secrets
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Any

import httpx
import structlog
from prometheus_client import CollectorRegistry

from godwit import __version__, clocks
from godwit.clock import Clock
from godwit.control.ports import Crowd
from godwit.ending import end
from godwit.errors import InvalidRequest, StoreUnavailable
from godwit.ground import Ground, LogCollector, open_ground, require_shared
from godwit.network import Places
from godwit.roles import inside
from godwit.roles.member import ALIVE, Member
from godwit.roles.remote import http_client
from godwit.settings import Settings
from godwit.store.nodes_base import Node, Role
from godwit.values import Addresses
from godwit.web import server
from godwit.web.health import Check, Writes

log = structlog.get_logger()


class Process(ABC):
    """One process of many: a program as `godwit.cli.serve.run` runs it.

    Attributes:
        role: what it does.
        places: where the clusters are.

    Args:
        cluster: whose clients an edge serves; empty for other roles.
    """

    role: Role

    def __init__(self, settings: Settings, *, cluster: str = "", places: Places | None = None) -> None:
        self.places = places or Places(settings)
        self._settings = settings
        self._cluster = cluster
        self._clock: Clock = clocks.machine()
        self._registry = CollectorRegistry()
        self._up = AsyncExitStack()
        self._http: httpx.AsyncClient
        self._ground: Ground
        self._member: Member
        self._inside: server.Running
        self._working: asyncio.Task[None] | None = None
        self._why: InvalidRequest | None = None
        self._draining = False
        self._stopped = False

    async def start(self) -> dict[str, Any]:
        """Bring everything up.

        Returns:
            What the ready file says.

        Raises:
            OSError: an address cannot be had.
            InvalidRequest: settings, store and logs do not fit, or another process has this one's name.
            StoreUnavailable, ChatLogUnavailable: no answer.
        """
        require_shared(self._settings, self.role)
        try:
            return await self._start()
        except BaseException:
            await self.stop()
            raise

    async def wait_stopped(self) -> None:
        """Wait until it has ended, by `stop` or by a fault, which the log tells.

        Raises:
            InvalidRequest: it could not go on; says why.
        """
        assert self._working
        await asyncio.shield(self._working)
        if self._why:
            raise self._why

    async def stop(self) -> None:
        """Send the clients away if it has any, then end. May be called twice."""
        if not self._stopped:
            self._stopped = self._draining = True
            log.info("ends", role=self.role)
            await self._up.aclose()

    # what each role is ------------------------------------------------------------------------

    @abstractmethod
    async def _open(self) -> Addresses:
        """Bring up what the role has; tells where clients reach it. What must be undone goes on the stack."""

    @abstractmethod
    def _work(self) -> Sequence[tuple[str, Awaitable[None]]]:
        """Everything that runs as long as the process does, with names; if one ends, all end."""

    def _checks(self) -> Sequence[Check]:
        """What must work besides the store and the logs for the process to be ready."""
        return ()

    def _crowd(self) -> Crowd | None:
        """What the edges of this process know, if it has any."""
        return None

    def _waker(self) -> Callable[[], None] | None:
        """What to call when there may be something to do, if the role waits for that."""
        return None

    def _insight(self) -> Callable[[], Awaitable[object]] | None:
        """What to ask for what the role knows of rollouts, if it does."""
        return None

    def _told(self) -> dict[str, Any]:
        """What the ready file says of the role."""
        return {"api": self._inside.url, "clusters": {}}

    # from the bottom up -----------------------------------------------------------------------

    async def _start(self) -> dict[str, Any]:
        node = self._settings.node
        self._http = await self._up.enter_async_context(http_client())
        self._ground = await open_ground(self._settings, self._clock, self._up, patience=self._settings.node.patience)
        self._registry.register(LogCollector(self._ground))
        self._inside = await server.serve(
            inside.build(
                [*self._all_checks(), Check("writes", Writes(self._ground.store.check_writes).probe)],
                self._registry,
                self._settings.auth.admin_token,
                crowd=self._crowd(),
                wake=self._waker(),
                insight=self._insight(),
                about=lambda: inside.About(self._ground.clocks.ahead),
            ),
            node.host,
            node.port,
        )
        self._up.push_async_callback(self._inside.stop)
        mine = Node(
            node.name or self._name(),
            self.role,
            secrets.token_hex(8),
            self._clock.now(),
            0.0,
            cluster=self._cluster,
            url=node.url or self._inside.url,
            version=__version__,
        )
        # Before anything else: who has a name that is taken must not touch anything.
        self._member = Member(self._ground.store, mine, self.places, retires=self.role != "edge")
        # Pushed first: a start that is ended in the middle of it may be registered or not.
        self._up.push_async_callback(self._member.leave)
        await self._member.join()
        await self._member.look()
        if [each for each in self._member.others if each.role == "serve"]:
            raise InvalidRequest(
                "'godwit serve' runs on this store already, with edges of its own: end it first, it is gone for others "
                f"{ALIVE:g} s after it was killed"
            )
        # Pushed first, so that it goes on giving signs of life while clients are sent away.
        self._up.push_async_callback(self._end_work)
        addresses = await self._open()
        await self._member.change(addresses)
        self._working = asyncio.create_task(self._run(), name=self.role)
        return {"pid": os.getpid(), "admin_token": self._settings.auth.admin_token, **self._told()}

    def _name(self) -> str:
        return "-".join(filter(None, (self.role, self._cluster, platform.node(), str(os.getpid()))))

    def _all_checks(self) -> list[Check]:
        async def serves() -> str:
            if self._draining:
                return "it ends"
            return "" if self._working and not self._working.done() else "it is starting"

        return [
            Check(self.role, serves),
            Check("store", self._store_answers),
            Check("logs", self._logs_answer),
            Check("clock", self._clock_agrees),
            *self._checks(),
        ]

    async def _store_answers(self) -> str:
        with suppress(StoreUnavailable):
            return await self._ground.store_answers()
        return "the store does not answer"

    async def _logs_answer(self) -> str:
        return await self._ground.logs_answer()

    async def _clock_agrees(self) -> str:
        return await self._ground.clocks.agree()

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for name, work in (
                    ("member", self._member.run()),
                    ("clocks", self._ground.clocks.run()),
                    ("inside", self._inside.wait_stopped()),
                    *self._work(),
                ):
                    group.create_task(self._endless(name, work), name=name)
        except* InvalidRequest as refused:
            self._why = InvalidRequest("; ".join(str(each) for each in refused.exceptions))
            log.error("process_ends", role=self.role, why=str(self._why))
        except* Exception:
            # Whoever waits for the end stops the rest in order; here it is only told.
            log.exception("process_failed", role=self.role)

    async def _end_work(self) -> None:
        if self._working is not None:
            await end(self._working)

    async def _endless(self, name: str, work: Awaitable[None]) -> None:
        await work
        if not self._draining:
            raise RuntimeError(f"{name} ended")
