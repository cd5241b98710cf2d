"""Several edge processes of one machine that share their ports, and one that looks after them.

The kernel spreads new connections over them (SO_REUSEPORT). One that dies is started again, under its name as soon
as that is free. The one that looks after them serves nobody itself.
"""

from __future__ import annotations

import asyncio
import os
import platform
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import structlog

from godwit.edge.front import Ports, fixed_ports
from godwit.ending import end
from godwit.errors import InvalidRequest, UnknownCluster
from godwit.ground import require_shared
from godwit.network import listening
from godwit.roles.child import Child
from godwit.settings import Settings
from godwit.values import Addresses

log = structlog.get_logger()

READY = "godwit: ready"
"""What a worker says when it listens."""

REST = 1.0
"""Seconds before a worker that died is started again."""


class Workers:
    """A program that consists of others.

    Args:
        cluster: whose clients they serve.
        count: how many there are.
        config, sets: where the settings come from, for the workers.
        ports_auto: take free ports instead of the settings' ones.
    """

    def __init__(
        self,
        settings: Settings,
        cluster: str,
        count: int,
        *,
        config: Path | None,
        sets: Sequence[str],
        ports_auto: bool,
    ) -> None:
        require_shared(settings, "edge")
        if cluster not in settings.clusters:
            raise UnknownCluster(f"there is no cluster {cluster}, only {', '.join(settings.clusters)}")
        self._settings = settings
        self._cluster = cluster
        self._count = count
        self._config = config
        self._sets = sets
        self._auto = ports_auto
        self._ports = ExitStack()
        self._children: list[Child] = []
        self._keeping: asyncio.Task[None] | None = None
        self._stopped = False

    async def start(self) -> dict[str, Any]:
        """Start all workers; returns what the ready file says.

        Raises:
            InvalidRequest: one does not start.
            OSError: a port cannot be had.
        """
        edge, place = self._settings.edge, self._settings.clusters.index(self._cluster)
        try:
            secure = bool(edge.certificate)
            wanted = {"tcp": edge.tcp, "ws": edge.ws, "tls": secure, "wss": secure}
            asked = Ports() if self._auto else fixed_ports(edge, place)
            found = {kind: self._reserve(getattr(asked, kind)) for kind, on in wanted.items() if on}
            ports = [f"edge.{kind}_port={port - place}" for kind, port in found.items()]
            self._children = [self._child(number, ports) for number in range(1, self._count + 1)]
            started = await asyncio.gather(*(child.start() for child in self._children), return_exceptions=True)
            for failed in started:
                if isinstance(failed, BaseException):
                    raise failed
        except BaseException:
            await self.stop()
            raise
        self._keeping = asyncio.create_task(self._keep(), name="workers")
        where = Addresses(**{kind: (f"{edge.host}:{port}",) for kind, port in found.items()})
        clusters = {self._cluster: listening(where)}
        return {"pid": os.getpid(), "api": "", "admin_token": self._settings.auth.admin_token, "clusters": clusters}

    def reload(self) -> None:
        """Have all workers read their certificate anew (TLS-2)."""
        for child in self._children:
            child.send(signal.SIGHUP)

    async def wait_stopped(self) -> None:
        """Wait until it has ended."""
        assert self._keeping
        await asyncio.shield(self._keeping)

    async def stop(self) -> None:
        """Have all workers send their clients away, and end. May be called twice."""
        if self._stopped:
            return
        self._stopped = True
        if self._keeping is not None:
            await end(self._keeping)
        edge = self._settings.edge
        patience = edge.drain_spread + edge.reconnect_grace + 30.0
        await asyncio.gather(*(child.stop(patience) for child in self._children))
        self._ports.close()

    def _reserve(self, port: int) -> int:
        """Keep a port for the workers, without listening on it."""
        host = self._settings.edge.host
        kept = self._ports.enter_context(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET))
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        kept.bind((host, port))
        return int(kept.getsockname()[1])

    def _child(self, number: int, ports: Sequence[str]) -> Child:
        name = self._settings.node.name or f"edge-{self._cluster}-{platform.node()}-{os.getpid()}"
        own = [*ports, "edge.reuse_port=true", "node.port=0", "node.url=", f"node.name={name}-{number}"]
        given = [*self._sets, *own]
        command = [sys.executable, "-m", "godwit", "edge", "--cluster", self._cluster]
        if self._config:
            command += ["--config", str(self._config)]
        command += [word for one in given for word in ("--set", one)]
        return Child(f"{name}-{number}", command, READY)

    async def _keep(self) -> None:
        async with asyncio.TaskGroup() as group:
            for child in self._children:
                group.create_task(self._keep_one(child), name=child.name)

    async def _keep_one(self, child: Child) -> None:
        while True:
            status = await child.wait()
            log.error("worker_ended", name=child.name, status=status)
            await asyncio.sleep(REST)
            try:
                await child.start()
            except InvalidRequest as error:
                log.error("worker_not_started", name=child.name, error=str(error))
