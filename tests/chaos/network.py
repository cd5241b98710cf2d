"""The network under test: `LocalNetwork` with our own listeners between its processes and their servers.

There are two sites, one for each cluster: its edges are there, its NATS servers, and one controller. PostgreSQL and the
directory are at the first. Between a process and each server that it uses is a proxy of its site.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from nats.aio.client import Client as NatsClient
from nats.errors import Error as NatsError

from godwit.local.nats import free_ports
from godwit.local.nodes import LocalNetwork, Size
from godwit.settings import Settings
from tests.chaos.proxy import Proxy, Wire

CLUSTERS = ("main", "aws")

ANSWER = 5.0
"""Seconds that a process is given to answer a question."""

QUICK = (
    "limits.preset=off",
    "control.probes=false",
    "move.lease=2",
    "move.drain=1",
    "log.compare_interval=1",
    "edge.reconnect_grace=0.5",
    "edge.drain_spread=0.5",
)
"""Short times, so that much goes on; what is left out is as it is for everybody."""

SOCKET = ".s.PGSQL.5432"


class Unwell(Exception):
    """The network does not answer as it should."""


class ChaosNetwork:
    """A whole network of real processes, and what can be done to it.

    Attributes:
        nodes: the processes.
        told: what the ready file would say.

    Args:
        directory: for all files.
        nats: NATS servers per cluster, 1 or 3.
    """

    def __init__(self, directory: Path, nats: int = 3, sets: Sequence[str] = ()) -> None:
        self.directory = directory
        self.told: dict[str, Any] = {}
        self._sockets = Path(tempfile.mkdtemp(prefix="godwit-chaos-"))
        self._nats: dict[tuple[str, str], list[Proxy]] = {
            (site, cluster): [Proxy() for _ in range(nats)] for site in CLUSTERS for cluster in CLUSTERS
        }
        self._store = {site: Proxy(self._sockets / site / SOCKET) for site in CLUSTERS}
        self._inside: dict[str, str] = {}
        self.nodes = LocalNetwork(Size(CLUSTERS, nats), directory, [*QUICK, *sets], self._own)
        self._http = httpx.AsyncClient(timeout=ANSWER, trust_env=False)

    async def start(self) -> None:
        """Start everything.

        Raises:
            InvalidRequest: something does not start.
        """
        self._sockets.chmod(0o755)
        for site in CLUSTERS:
            (self._sockets / site).mkdir()
        for proxy in self._proxies():
            await proxy.start()
        self.told = await self.nodes.start()
        self._http.headers["Authorization"] = f"Bearer {self.told['admin_token']}"

    async def stop(self) -> None:
        """End everything."""
        await self.nodes.stop()
        for proxy in self._proxies():
            await proxy.close()
        await self._http.aclose()

    # what there is ----------------------------------------------------------------------------

    def names(self, role: str, cluster: str = "") -> list[str]:
        """The processes of a role, of all clusters or of one."""
        return [
            name
            for name, about in self.nodes.processes().items()
            if about["role"] == role and cluster in ("", about.get("cluster"))
        ]

    def about(self, name: str) -> dict[str, Any]:
        """What is known of a process."""
        return self.nodes.processes()[name]

    def addresses(self, cluster: str) -> list[str]:
        """`host:port` of all edges of a cluster."""
        return [self.about(name)["tcp"] for name in self.names("edge", cluster)]

    def said_by(self, name: str) -> str:
        """What a process has logged."""
        return (self.directory / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def errors(self) -> list[str]:
        """What Godwit's processes have logged as errors: faults of the world outside are never one."""
        return [
            f"{name} logged {line}"
            for name in self._inside
            for line in self.said_by(name).splitlines()
            if "level=error" in line or "level=critical" in line or line.startswith("Traceback")
        ]

    def between(self, site: str, cluster: str) -> Wire:
        """The way from a site's processes to the NATS servers of a cluster."""
        return Wire(self._nats[site, cluster])

    def to_store(self, *sites: str) -> Wire:
        """The way from sites to PostgreSQL."""
        return Wire(self._store[site] for site in sites)

    def everywhere(self) -> Wire:
        """All ways that there are."""
        return Wire(self._proxies())

    # what can be done -------------------------------------------------------------------------

    def signal(self, name: str, number: signal.Signals) -> bool:
        """Send a process a signal; says whether it ran."""
        pid = self.about(name)["pid"]
        if pid:
            os.kill(pid, number)
        return bool(pid)

    async def ask(self, method: str, path: str, body: Any = None, *, patience: float = ANSWER) -> Any:
        """Ask the API; a body that is text is sent as it is, else as JSON.

        Raises:
            Unwell: no answer, or a bad one.
        """
        given = {"content": body} if isinstance(body, str) else {"json": body}
        try:
            answer = await self._http.request(method, self.told["api"] + path, timeout=patience, **given)
        except httpx.HTTPError as error:
            raise Unwell(f"{method} {path}: {type(error).__name__}") from error
        if answer.status_code >= 300:
            raise Unwell(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
        return answer.json()

    async def unready(self) -> list[str]:
        """Which processes of Godwit are not ready, and why."""

        async def look(name: str) -> str:
            try:
                answer = await self._http.get(self._inside[name] + "/readyz")
            except httpx.HTTPError as error:
                return f"{name}: {type(error).__name__}"
            return "" if answer.status_code == 200 else f"{name}: {answer.text[:200]}"

        return [found for found in await asyncio.gather(*map(look, self._inside)) if found]

    async def js(self, cluster: str, verb: str, body: Any = None) -> dict[str, Any]:
        """Ask the JetStream API of a cluster's servers, directly.

        Raises:
            Unwell: no answer.
        """
        client = NatsClient()
        urls = [self.about(name)["url"] for name in self.names("nats", cluster)]

        async def met(error: Exception) -> None:
            """Servers are away at times."""

        try:
            async with asyncio.timeout(ANSWER):
                await client.connect(urls, error_cb=met, allow_reconnect=False, connect_timeout=1)
                answer = await client.request(f"$JS.API.{verb}", json.dumps(body).encode() if body else b"", timeout=3)
        except (NatsError, OSError, TimeoutError) as error:
            raise Unwell(f"$JS.API.{verb}: {type(error).__name__} {error}") from error
        finally:
            await client.close()
        found: dict[str, Any] = json.loads(answer.data)
        return found

    async def streams(self, cluster: str) -> dict[str, dict[str, Any]]:
        """What is known of the streams of a cluster, by name.

        Raises:
            Unwell: no answer.
        """
        names = (await self.js(cluster, "STREAM.NAMES"))["streams"] or []
        return {name: await self.js(cluster, f"STREAM.INFO.{name}") for name in names}

    # how it is put together -------------------------------------------------------------------

    def _proxies(self) -> list[Proxy]:
        return [*(proxy for proxies in self._nats.values() for proxy in proxies), *self._store.values()]

    def _own(self, name: str, settings: Settings) -> list[str]:
        """The settings of one process: everything that it reaches is a proxy of its site."""
        site = CLUSTERS[1] if "aws" in name or name == "controller-2" else CLUSTERS[0]
        store = urlsplit(settings.store.url)
        for proxy in self._store.values():
            proxy.target = Path(store.query.removeprefix("host=")) / SOCKET
        sets = [f"store.url=postgresql://godwit@/godwit?host={self._sockets / site}"]
        for cluster in CLUSTERS:
            proxies = self._nats[site, cluster]
            for proxy, url in zip(proxies, settings.nats.servers[cluster], strict=True):
                where = urlsplit(url)
                proxy.target = (str(where.hostname), int(where.port or 0))
            sets.append(f"nats.servers.{cluster}=" + ",".join(f"nats://127.0.0.1:{proxy.port}" for proxy in proxies))
        [port] = free_ports(1)
        self._inside[name] = f"http://127.0.0.1:{port}"
        return [*sets, f"node.port={port}"]
