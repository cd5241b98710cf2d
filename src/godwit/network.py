"""The clusters of one process: their edges, where clients come in, and who serves for whom.

The addresses of a retired cluster serve another one: its listeners stay open and hand new connections to
the other's edges, and whoever is still connected to its own edges is sent a RECONNECT, spread over minutes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from itertools import count

import structlog

from godwit.chatlog.base import ChatLog
from godwit.clock import Clock
from godwit.edge.front import Front
from godwit.edge.node import GROUP, EdgeNode
from godwit.edge.pace import Pace
from godwit.errors import StoreUnavailable
from godwit.settings import Settings
from godwit.store.rollout_base import RolloutStore
from godwit.values import Addresses

log = structlog.get_logger()

LEFT = 6.0
"""Seconds that connections are given to be gone once they are closed."""

LOOK = 3.0
"""Seconds between two looks at which clusters are retired, without a wake."""

REST = 0.2
"""Seconds between two such looks at least, however often it is woken."""


class Network:
    """Edges and listeners of every cluster.

    Attributes:
        nodes: cluster -> its edges; empty until `open`.
        fronts: cluster -> its listeners; empty until `open`.
        addresses: cluster -> its public addresses as clients are told them; filled by `listen`.
        homes: clusters that channels may live on now, in order.
    """

    def __init__(self, settings: Settings) -> None:
        self.nodes: dict[str, list[EdgeNode]] = {}
        self.fronts: dict[str, Front] = {}
        self.addresses: dict[str, Addresses] = {name: Addresses() for name in settings.clusters}
        self.homes = [name for name in settings.clusters if name != GROUP]
        self._settings = settings
        self._own: dict[str, Addresses] = {}
        self._retired: Mapping[str, str] = {}
        self._wake = asyncio.Event()

    # from the bottom up -----------------------------------------------------------------------

    def open(self, store: RolloutStore, logs: Mapping[str, ChatLog], clock: Clock) -> None:
        """Make the edges; nobody gets in yet."""
        numbers, pace = count(1), Pace(self._settings, asyncio.get_running_loop().time)
        for cluster in self._settings.clusters:
            self.nodes[cluster] = [
                EdgeNode(
                    cluster,
                    logs,
                    store,
                    self._settings,
                    clock,
                    self.addresses.__getitem__,
                    numbers=numbers,
                    pace=pace,
                )
                for _ in range(self._settings.edge.edges)
            ]
            self.fronts[cluster] = Front(self.nodes[cluster], self._settings.edge)

    async def listen(self, ports: Callable[[int], tuple[int, int]], retired: Mapping[str, str]) -> None:
        """Let clients in.

        Args:
            ports: gives the ports for TCP and WebSocket of the cluster at a place of the list.
            retired: retired clusters, and what serves in their place.

        Raises:
            OSError: an address cannot be had.
        """
        self._hand_over(retired)
        for place, (cluster, front) in enumerate(self.fronts.items()):
            tcp_port, ws_port = ports(place)
            await front.listen(tcp_port=tcp_port, ws_port=ws_port)
            self._own[cluster] = self._public(cluster, front)
        self._tell_addresses()
        for node in self.all_nodes():
            node.start()

    def _public(self, cluster: str, front: Front) -> Addresses:
        """Where clients reach a cluster: as the settings say, else where it listens."""
        given = self._settings.directory.public.get(cluster)
        if given:
            return Addresses(**{kind: tuple(given.get(kind, ())) for kind in ("tcp", "tls", "ws", "wss")})
        tcp = (f"{front.tcp.host}:{front.tcp.port}",) if front.tcp else ()
        ws = (f"{front.ws.host}:{front.ws.port}",) if front.ws else ()
        return Addresses(tcp=tcp, ws=ws)

    # clusters that retire and come back -------------------------------------------------------

    def wake(self) -> None:
        """Something changed in the store: look at which clusters are retired."""
        self._wake.set()

    async def follow(self, store: RolloutStore) -> None:
        """Do as the store says of retired clusters, until cancelled."""
        leaving: dict[str, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                try:
                    async with asyncio.timeout(LOOK):
                        retired = await store.retired()
                        if retired != self._retired:
                            self._hand_over(retired)
                            self._tell_addresses()
                            await store.set_clusters(self.addresses)
                except (StoreUnavailable, TimeoutError) as error:
                    log.warning("retired_unknown", error=repr(error))
                for cluster in self.nodes:
                    if self.serving(cluster) == cluster:
                        if gone := leaving.pop(cluster, None):
                            gone.cancel()
                    elif cluster not in leaving:
                        leaving[cluster] = group.create_task(self._send_away(cluster), name=f"retire {cluster}")
                await asyncio.sleep(REST)
                try:
                    async with asyncio.timeout(LOOK):
                        await self._wake.wait()
                except TimeoutError:
                    continue

    def serving(self, cluster: str) -> str:
        """The cluster whose edges serve at the addresses of `cluster`: itself, unless it is retired."""
        seen = [cluster]
        while (into := self._retired.get(seen[-1])) and into in self.nodes:
            if into in seen:
                return cluster  # retired into one another: nobody is left to serve for them
            seen.append(into)
        return seen[-1]

    def _hand_over(self, retired: Mapping[str, str]) -> None:
        for cluster in self._retired.keys() - retired.keys():
            log.info("cluster_restored", cluster=cluster)
        for cluster in retired.keys() - self._retired.keys():
            log.info("cluster_retired", cluster=cluster, into=retired[cluster])
        self._retired = dict(retired)
        self.homes[:] = [name for name in self._settings.clusters if name != GROUP and name not in retired]
        for cluster, front in self.fronts.items():
            front.hand_to(self.nodes[self.serving(cluster)])

    def _tell_addresses(self) -> None:
        """Whoever asks for a retired cluster is told the addresses of the one that serves, then its own."""
        for cluster, own in self._own.items():
            serving = self._own[self.serving(cluster)]
            self.addresses[cluster] = Addresses(
                *(tuple(dict.fromkeys(pair[0] + pair[1])) for pair in zip(_kinds(serving), _kinds(own), strict=True))
            )

    async def _send_away(self, cluster: str) -> None:
        try:
            sent = await self.fronts[cluster].send_away(self._settings.edge.retire_spread)
        except Exception:
            # Whoever could not be sent away stays, and is served on.
            log.exception("retire_failed", cluster=cluster)
        else:
            log.info("cluster_empty", cluster=cluster, sent_away=sent)

    # from the top down ------------------------------------------------------------------------

    async def close(self) -> None:
        """Let nobody in any more, and send the clients away with the grace time of the settings."""
        for front in self.fronts.values():
            front.close()
        grace = self._settings.edge.reconnect_grace
        await asyncio.gather(*(node.stop(grace) for node in self.all_nodes()))
        try:
            async with asyncio.timeout(LEFT):
                await asyncio.gather(*(front.wait_empty() for front in self.fronts.values()))
        except TimeoutError:
            log.warning("connections_left", connections=sum(node.statistics().connections for node in self.all_nodes()))

    # what the others ask ----------------------------------------------------------------------

    def all_nodes(self) -> list[EdgeNode]:
        """Every edge of this process."""
        return [node for nodes in self.nodes.values() for node in nodes]

    def listening(self) -> dict[str, dict[str, str | None]]:
        """Where each cluster listens, by transport."""
        return {name: _listening(front) for name, front in self.fronts.items()}

    async def silent(self) -> str:
        """Says which clusters have no addresses yet; '' if all have."""
        silent = [name for name, addresses in self.addresses.items() if addresses == Addresses()]
        return f"not listening yet: {', '.join(silent)}" if silent else ""


def _kinds(addresses: Addresses) -> tuple[tuple[str, ...], ...]:
    return addresses.tcp, addresses.tls, addresses.ws, addresses.wss


def _listening(front: Front) -> dict[str, str | None]:
    return {
        "tcp": f"{front.tcp.host}:{front.tcp.port}" if front.tcp else None,
        "tls": None,
        "ws": f"ws://{front.ws.host}:{front.ws.port}/" if front.ws else None,
    }
