"""The doors of a network: the edges' addresses as the directory tells them, who goes in where, and how many came."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence

from godwit.drill.link import Link, Receiver, SocketLink
from godwit.drill.operator import Listed, Operator
from godwit.drill.plan import Part, Transport
from godwit.drill.result import Node
from godwit.drill.server import Ready
from godwit.errors import GodwitError

PATIENCE = 15.0
"""Seconds after a network's start until its directory knows all edges."""


class NotListed(GodwitError):
    """The directory does not name all edges of a cluster."""


class Doors:
    """The edges of the clusters that a drill uses.

    Args:
        listed: what the directory says, by cluster.
        turns: of each client, see `plan.turns`.
    """

    def __init__(self, ready: Ready, listed: Mapping[str, Listed], turns: Mapping[str, int]) -> None:
        self._processes = ready.processes
        self._listed = listed
        self._turns = turns
        self._names = {
            plain(address): name
            for cluster in listed
            for name, edge in ready.edges(cluster).items()
            for address in (edge.tcp, edge.ws)
        }
        self._came: Counter[str] = Counter()

    def home(self, part: Part, cluster: str) -> dict[Transport, str]:
        """Where a client goes first, in turn."""
        listed, turn = self._listed[cluster], self._turns[part.name]
        return {"tcp": _turn(listed.servers, turn), "ws": _turn(listed.websockets_servers, turn)}

    def away(self, part: Part, cluster: str) -> int:
        """Its turn elsewhere: those who were together at the edges of `cluster` part, so that all ways are used."""
        return self._turns[part.name] // len(self._listed[cluster].servers)

    async def open(self, transport: Transport, address: str, receiver: Receiver) -> Link:
        """Open a link, and count it.

        Raises:
            OSError: nobody is there.
        """
        link = await SocketLink.open(transport, address, receiver)
        self._came[self._names.get(plain(address), address)] += 1
        return link

    def nodes(self) -> tuple[Node, ...]:
        """All processes, if there are many, with the number of connections that clients made to each."""
        return tuple(
            Node(name, process.role, process.cluster, self._came[name]) for name, process in self._processes.items()
        )

    def unused(self, cluster: str, clients: int) -> list[str]:
        """The edges of a cluster to which nobody came, though as many clients as this did come to the cluster."""
        edges = [
            name for name, process in self._processes.items() if (process.role, process.cluster) == ("edge", cluster)
        ]
        return [name for name in edges if not self._came[name]] if clients >= len(edges) else []


async def find(operator: Operator, ready: Ready, clusters: Sequence[str], turns: Mapping[str, int]) -> Doors:
    """Ask the directory for the edges of these clusters, until it names all of them.

    Raises:
        NotListed: it does not come to that.
        ApiError, OSError, msgspec.MsgspecError: the directory does not answer as it should.
    """
    end = time.monotonic() + PATIENCE
    listed: dict[str, Listed] = {}
    for cluster in clusters:
        edges = ready.edges(cluster).values()
        wanted = {plain(edge.tcp) for edge in edges}, {plain(edge.ws) for edge in edges}
        while True:
            found = listed[cluster] = await operator.servers(cluster)
            named = set(found.servers), set(found.websockets_servers)
            if named == wanted:
                break
            if time.monotonic() > end:
                raise NotListed(f"the directory names {found.servers} as {cluster}, not {sorted(wanted[0])}")
            await asyncio.sleep(0.1)
    return Doors(ready, listed, turns)


def plain(address: str) -> str:
    """`host:port` of an address or a `ws://` URL."""
    return address.removeprefix("ws://").rstrip("/")


def _turn(addresses: Sequence[str], turn: int) -> str:
    return addresses[turn % len(addresses)]
