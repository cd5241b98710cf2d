"""The test network of `tests.client.network` on real sockets of this machine, and a clock for clients."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count

from godwit.clock import FakeClock
from godwit.values import Addresses
from godwit.wire.connection import Connection, State
from godwit.wire.listener import Listener, listen_tcp, listen_ws
from tests.client.network import Cluster, Network, Peer


class FakeTime(FakeClock):
    """A clock that a test moves by hand, with sleepers that wake when their time has come."""

    def __init__(self) -> None:
        super().__init__()
        self._sleepers: list[tuple[float, asyncio.Future[None]]] = []

    async def sleep(self, seconds: float) -> None:
        """Wait until the test has moved time so far."""
        if seconds > 0:
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._sleepers.append((self.now() + seconds, waiting))
            await waiting

    def advance(self, seconds: float) -> None:
        """Move time forward and wake those whose time has come."""
        super().advance(seconds)
        for due, waiting in self._sleepers:
            if due <= self.now() and not waiting.done():
                waiting.set_result(None)
        self._sleepers = [sleeper for sleeper in self._sleepers if not sleeper[1].done()]


class _Door:
    """One connection of a live server."""

    def __init__(self, live: Live, peer: Peer) -> None:
        self.live = live
        self.peer = peer

    def data_received(self, connection: Connection, data: bytes) -> None:
        self.peer.lines.append(data)
        for event in self.peer.connection.receive_data(data):
            self.peer.cluster.act(self.peer, event)
        self.peer.collect()
        self.live.flush()
        self.live.changed.set()

    def closed(self, connection: Connection, reason: str) -> None:
        self.peer.cluster.peers.pop(self.peer.link, None)
        self.live.connections.pop(self.peer.link, None)
        self.live.changed.set()


class Live:
    """Clusters that listen on free ports; what they say leaves with `flush`."""

    def __init__(self, transport: str) -> None:
        self.network = Network()
        self.transport = transport
        self.listeners: dict[str, Listener] = {}
        self.connections: dict[int, Connection] = {}
        self.changed = asyncio.Event()
        self._numbers = count(1)

    async def start(self) -> None:
        """Listen."""
        listen = listen_ws if self.transport == "ws" else listen_tcp
        for cluster in self.network.clusters.values():
            listener = await listen("127.0.0.1", 0, self._factory(cluster))
            self.listeners[cluster.name] = listener
            cluster.address = f"127.0.0.1:{listener.port}"
            cluster.addresses = Addresses(**{self.transport: (cluster.address,)})

    async def stop(self) -> None:
        """Stop, and wait until everybody has left."""
        for listener in self.listeners.values():
            listener.close()
            await listener.wait_empty()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so; looked at whenever a server heard something or lost a connection."""
        while not condition():
            self.changed.clear()
            await self.changed.wait()

    @property
    def accepted(self) -> int:
        """Connections that ever came."""
        return sum(listener.statistics().accepted for listener in self.listeners.values())

    def cut(self, cluster: str) -> None:
        """Cut all connections of a cluster."""
        for connection in list(self.listeners[cluster].connections):
            connection.abort("cut")

    def show(self, channel: str = "room") -> None:
        """Show every member everything."""
        for cluster in self.network.clusters.values():
            cluster.show(channel)
        self.flush()

    def move(self, channel: str, to: str) -> None:
        """Move a room and say so."""
        self.network.move(channel, to)
        self.flush()

    def flush(self) -> None:
        """Send what is on the wires."""
        for peer in self.network.peers():
            connection = self.connections.get(peer.link)
            if connection is None or peer.held:
                continue
            connection.write_frames(peer.wire)
            peer.wire.clear()
            if peer.connection.closing and connection.state is State.OPEN:
                connection.close("login refused")

    def _factory(self, cluster: Cluster) -> _Factory:
        return _Factory(self, cluster, self._numbers)


class _Factory:
    """Makes the server's end of connections to one cluster."""

    def __init__(self, live: Live, cluster: Cluster, numbers: count[int]) -> None:
        self._live = live
        self._cluster = cluster
        self._numbers = numbers

    def __call__(self, connection: Connection) -> _Door:
        link = next(self._numbers)
        peer = self._cluster.peers[link] = Peer(self._cluster, link)
        self._live.connections[link] = connection
        return _Door(self._live, peer)
