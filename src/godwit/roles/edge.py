"""`godwit edge`: the connections of one cluster's clients, as one process of many."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any, Literal

import structlog

from godwit.control.ports import Crowd
from godwit.crowd import EdgeCrowd
from godwit.edge import metrics
from godwit.edge.front import Ports, fixed_ports
from godwit.errors import UnknownCluster
from godwit.network import Network
from godwit.roles.process import Process
from godwit.settings import Settings
from godwit.values import Addresses

log = structlog.get_logger()


class Edge(Process):
    """An edge process.

    Args:
        cluster: whose clients it serves.
        ports_auto: take free ports instead of the settings' ones.
    """

    role: Literal["edge"] = "edge"

    def __init__(self, settings: Settings, cluster: str, *, ports_auto: bool = False) -> None:
        if cluster not in settings.clusters:
            raise UnknownCluster(f"there is no cluster {cluster}, only {', '.join(settings.clusters)}")
        self._network = Network(settings, (cluster,), shared=True)
        super().__init__(settings, cluster=cluster, places=self._network.places)
        self._ports_auto = ports_auto
        metrics.register(self._registry, lambda: [node.statistics() for node in self._network.all_nodes()])

    async def _open(self) -> Addresses:
        store = self._ground.store
        self._network.open(store, self._ground.logs, self._clock, self._ground.hearsay)
        self._up.push_async_callback(self._drain)
        await self._network.listen(
            lambda place: Ports() if self._ports_auto else fixed_ports(self._settings.edge, place),
            await store.retired(),
        )
        return self._network.own()[self._cluster]

    async def _drain(self) -> None:
        """Let nobody in, tell the others so, and send everybody away bit by bit."""
        await self._member.change(Addresses())
        await self._network.close(self._settings.edge.drain_spread)

    def reload(self) -> None:
        """Read the certificate anew (TLS-2)."""
        self._network.renew_certificate()

    def _work(self) -> Sequence[tuple[str, Awaitable[None]]]:
        return [("network", self._network.follow(self._ground.store))]

    def _crowd(self) -> Crowd:
        return EdgeCrowd(self._network.nodes)

    def _told(self) -> dict[str, Any]:
        return {"api": self._inside.url, "clusters": self._network.listening()}
