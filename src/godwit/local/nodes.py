"""A whole network of many processes on one machine: NATS, PostgreSQL, edges, a directory, controllers.

What dies is started again, where it was. Everything ends in order, from the edges down, each process by its id.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import structlog

from godwit.chatlog.jetstream_prepare import prepare
from godwit.config import load
from godwit.ending import end
from godwit.errors import InvalidRequest
from godwit.local.nats import NatsCluster, free_ports
from godwit.local.postgres import Postgres
from godwit.network import listening
from godwit.roles.child import Child
from godwit.settings import Settings
from godwit.store.migrations import migrate
from godwit.values import Addresses

log = structlog.get_logger()

READY = "godwit: ready"
"""What a process of Godwit says when it works."""

FAULT_VARIABLE = "GODWIT_DEMO_FAULT"
"""The one variable of Godwit's that its processes are given: settings come from the file."""

REST = 0.5
"""Seconds before what died is started again."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large the network is.

    Attributes:
        nats: NATS servers per cluster, 1 or 3.
        edges: edge processes per cluster.
    """

    clusters: tuple[str, ...] = ("main", "aws")
    nats: int = 3
    edges: int = 2
    controllers: int = 2


class LocalNetwork:
    """The program of `godwit up --nodes`.

    Attributes:
        directory: its files: a log of each process, `godwit.toml`, `processes.json`.

    Args:
        directory: an existing one; by default a temporary one, which stays.
        sets: settings for all processes, `KEY=VALUE`.
        own_sets: more of them for one process of Godwit, told its name and the settings that all share.

    Raises:
        InvalidRequest: such a network cannot be.
    """

    def __init__(
        self,
        size: Size,
        directory: Path | None = None,
        sets: Sequence[str] = (),
        own_sets: Callable[[str, Settings], Sequence[str]] = lambda name, settings: (),
    ) -> None:
        if size.nats not in (1, 3):
            raise InvalidRequest(f"a cluster has 1 or 3 NATS servers here, not {size.nats}")
        self.directory = (directory or Path(tempfile.mkdtemp(prefix="godwit-nodes-"))).absolute()
        self._size = size
        self._sets = list(sets)
        self._own_sets = own_sets
        self._token = secrets.token_urlsafe(24)
        self._postgres: Postgres | None = None
        self._nats: list[NatsCluster] = []
        self._children: dict[str, Child] = {}
        self._about: dict[str, dict[str, Any]] = {}
        self._config = self.directory / "godwit.toml"
        self._keeping: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None

    async def start(self) -> dict[str, Any]:
        """Start everything; returns what the ready file says.

        Raises:
            InvalidRequest: something does not start.
        """
        try:
            return await self._start()
        except BaseException:
            undoing = asyncio.create_task(self.stop(), name="undoes the start")
            while not undoing.done():
                # Whoever is in a hurry still waits for this: nobody else would end what runs already.
                with suppress(asyncio.CancelledError):
                    await asyncio.shield(undoing)
            raise

    async def wait_stopped(self) -> None:
        """Wait until it has ended."""
        assert self._keeping
        await asyncio.shield(self._keeping)

    async def stop(self) -> None:
        """End everything in order. May be called twice: each call returns when all has ended."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._end(), name="ends the network")
        await asyncio.shield(self._ending)

    async def _end(self) -> None:
        if self._keeping is not None:
            await end(self._keeping)
        for role in ("edge", "directory", "controller"):
            found = [child for name, child in self._children.items() if self._about[name]["role"] == role]
            await asyncio.gather(*(child.stop(60.0) for child in found))
        await asyncio.gather(*(node.stop() for cluster in self._nats for node in cluster.nodes))
        if self._postgres is not None:
            await self._postgres.stop()

    def processes(self) -> dict[str, dict[str, Any]]:
        """What runs, by name: role, process id (0 if it does not run now), cluster and addresses."""
        return {name: {"pid": child.pid, **self._about[name]} for name, child in self._children.items()}

    # from the bottom up -----------------------------------------------------------------------

    async def _start(self) -> dict[str, Any]:
        self.directory.mkdir(parents=True, exist_ok=True)
        size = self._size
        postgres = self._postgres = Postgres(self.directory)
        self._nats = [NatsCluster(cluster, self.directory, size.nats) for cluster in size.clusters]
        await _all(postgres.start(), *(cluster.start() for cluster in self._nats))
        self._note("postgres", "postgres", postgres.process)
        for cluster, nodes in zip(size.clusters, self._nats, strict=True):
            for node, url in zip(nodes.nodes, nodes.urls, strict=True):
                self._note(node.name, "nats", node, cluster=cluster, url=url)
        settings = self._configure(postgres.url)
        await migrate(settings.store.url)
        await _all(*(prepare(name, urls, settings.nats, settings.log) for name, urls in settings.nats.servers.items()))
        self._make_processes(settings)
        godwit = [child for name, child in self._children.items() if self._about[name]["role"] in ROLES]
        await _all(*(child.start() for child in godwit))
        self._write_processes()
        self._keeping = asyncio.create_task(self._keep(), name="processes")
        return self._told()

    def _configure(self, store: str) -> Settings:
        """Write the settings that all processes share, and read them as these will."""
        listed = {name: nodes.urls for name, nodes in zip(self._size.clusters, self._nats, strict=True)}
        lines = [
            f"clusters = {msgspec.json.encode(self._size.clusters).decode()}",
            "[store]",
            f"url = {msgspec.json.encode(store).decode()}",
            "[auth]",
            f'admin_token = "{self._token}"',
            "[nats]",
            f"replicas = {self._size.nats}",
            "[nats.servers]",
            *(f"{name} = {msgspec.json.encode(urls).decode()}" for name, urls in listed.items()),
        ]
        with open(os.open(self._config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write("\n".join([*lines, ""]))
        return load(self._config, {}, self._sets).settings

    def _make_processes(self, settings: Settings) -> None:
        size, place = self._size, settings.clusters.index
        kinds = ("tcp", "ws", "tls", "wss") if settings.edge.certificate else ("tcp", "ws")
        ports = iter(free_ports(1 + len(kinds) * size.edges * len(size.clusters)))
        http = next(ports)
        self._process(settings, "directory-1", "directory", f"directory.port={http}", api=f"http://127.0.0.1:{http}")
        for number in range(1, size.controllers + 1):
            self._process(settings, f"controller-{number}", "controller")
        for cluster in size.clusters:
            for number in range(1, size.edges + 1):
                own = {kind: next(ports) for kind in kinds}
                where = Addresses(**{kind: (f"{settings.edge.host}:{port}",) for kind, port in own.items()})
                self._process(
                    settings,
                    f"edge-{cluster}-{number}",
                    "edge",
                    *(f"edge.{kind}_port={port - place(cluster)}" for kind, port in own.items()),
                    cluster=cluster,
                    **{kind: address for kind, address in listening(where).items() if address},
                )

    def _process(self, settings: Settings, name: str, role: str, *sets: str, **about: str) -> None:
        command = [sys.executable, "-m", "godwit", role, "--config", str(self._config), "--name", name]
        if "cluster" in about:
            command += ["--cluster", about["cluster"]]
        own = self._own_sets(name, settings)
        command += [word for one in (*self._sets, *sets, *own) for word in ("--set", one)]
        environment = {
            key: value for key, value in os.environ.items() if not key.startswith("GODWIT_") or key == FAULT_VARIABLE
        }
        child = Child(name, command, READY, file=self.directory / f"{name}.log", how={"env": environment})
        self._note(name, role, child, **about)

    def _note(self, name: str, role: str, child: Child, **about: str) -> None:
        self._children[name] = child
        self._about[name] = {"role": role, **about}

    # while it runs ----------------------------------------------------------------------------

    async def _keep(self) -> None:
        async with asyncio.TaskGroup() as group:
            for child in self._children.values():
                group.create_task(self._keep_one(child), name=child.name)

    async def _keep_one(self, child: Child) -> None:
        while True:
            status = await child.wait()
            log.warning("ended", process=child.name, status=status)
            await asyncio.sleep(REST)
            try:
                await child.start()
            except InvalidRequest as error:
                log.warning("not_started", process=child.name, error=str(error))
            else:
                self._write_processes()

    def _write_processes(self) -> None:
        """Tell by which ids the processes run now."""
        draft = self.directory / ".processes.json"
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(self.processes())))
        draft.replace(self.directory / "processes.json")

    def _told(self) -> dict[str, Any]:
        processes = self.processes()
        first = {
            cluster: next(each for each in processes.values() if each.get("cluster") == cluster and "tcp" in each)
            for cluster in self._size.clusters
        }
        return {
            "pid": os.getpid(),
            "api": processes["directory-1"]["api"],
            "admin_token": self._token,
            "clusters": {
                name: {kind: about.get(kind) for kind in ("tcp", "tls", "ws", "wss")} for name, about in first.items()
            },
            "directory": str(self.directory),
            "processes": processes,
        }


ROLES = ("edge", "directory", "controller")
"""The processes that are Godwit's own."""


async def _all(*work: Any) -> None:
    """Do all of it at once; if some of it fails, the rest comes to its end first.

    Raises:
        InvalidRequest: the first that failed.
    """
    for outcome in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
