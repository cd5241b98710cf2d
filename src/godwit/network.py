"""The clusters of one process: their edges, where clients come in, and who serves for whom.

The addresses of a retired cluster serve another one: its listeners stay open and hand new connections to
the other's edges, and whoever is still connected to its own edges is sent a RECONNECT, spread over minutes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count

import structlog

from godwit.chatlog.base import ChatLog
from godwit.chatlog.hearsay import Hearsay, LocalHearsay
from godwit.clock import Clock
from godwit.edge.auth.gate import Gate
from godwit.edge.front import Front, Ports
from godwit.edge.node import EdgeNode
from godwit.edge.pace import Pace
from godwit.edge.session import Session
from godwit.errors import InvalidSetting, StoreUnavailable
from godwit.settings import Settings
from godwit.store.rollout_base import RolloutStore
from godwit.values import GROUP, Addresses
from godwit.wire.certificates import server_context
from godwit.wire.listener import Listener

log = structlog.get_logger()

LEFT = 6.0
"""Seconds that connections are given to be gone once they are closed."""

LOOK = 3.0
"""Seconds between two looks at which clusters are retired, without a wake."""

REST = 0.2
"""Seconds between two such looks at least, however often it is woken."""


class Places:
    """Where clients reach each cluster, and who serves for whom.

    Attributes:
        addresses: cluster -> its public addresses as clients are told them.
        homes: clusters that channels may live on now, in order.
    """

    def __init__(self, settings: Settings) -> None:
        self.addresses: dict[str, Addresses] = {name: Addresses() for name in settings.clusters}
        self.homes = [name for name in settings.clusters if name != GROUP]
        self._settings = settings
        self._own: dict[str, Addresses] = {}
        self._retired: Mapping[str, str] = {}

    def hear(self, own: Mapping[str, Addresses]) -> None:
        """Take note of where the edges of clusters listen; what the settings say of a cluster comes first."""
        for cluster, addresses in own.items():
            given = self._settings.directory.public.get(cluster)
            self._own[cluster] = (
                Addresses(**{kind: tuple(given.get(kind, ())) for kind in ("tcp", "tls", "ws", "wss")})
                if given
                else addresses
            )
        self._tell()

    def retire(self, retired: Mapping[str, str]) -> bool:
        """Take note of which clusters are retired, and what serves in their place; says whether that is news."""
        if retired == self._retired:
            return False
        for cluster in self._retired.keys() - retired.keys():
            log.info("cluster_restored", cluster=cluster)
        for cluster in retired.keys() - self._retired.keys():
            log.info("cluster_retired", cluster=cluster, into=retired[cluster])
        self._retired = dict(retired)
        self.homes[:] = [name for name in self._settings.clusters if name != GROUP and name not in retired]
        self._tell()
        return True

    def serving(self, cluster: str) -> str:
        """The cluster whose edges serve at the addresses of `cluster`: itself, unless it is retired."""
        seen = [cluster]
        while (into := self._retired.get(seen[-1])) and into in self.addresses:
            if into in seen:
                return cluster  # retired into one another: nobody is left to serve for them
            seen.append(into)
        return seen[-1]

    def _tell(self) -> None:
        """Whoever asks for a retired cluster is told the addresses of the one that serves, then its own."""
        for cluster, own in self._own.items():
            self.addresses[cluster] = together([self._own.get(self.serving(cluster), own), own])

    async def unknown(self) -> str:
        """A readiness check: says which clusters have no addresses yet; '' if all have."""
        silent = [name for name, addresses in self.addresses.items() if addresses == Addresses()]
        return f"not listening yet: {', '.join(silent)}" if silent else ""


class Network:
    """Edges and listeners of the clusters that this process serves.

    Attributes:
        here: the clusters that clients reach in this process.
        places: where they reach all clusters.
        nodes: cluster -> its edges; empty until `open`.
        fronts: cluster -> its listeners; empty until `open`.

    Args:
        here: by default all clusters.
        shared: other processes have edges too: what they all know of addresses comes from elsewhere.
    """

    def __init__(self, settings: Settings, here: Sequence[str] | None = None, *, shared: bool = False) -> None:
        self.here = tuple(settings.clusters if here is None else here)
        self.places = Places(settings)
        self.nodes: dict[str, list[EdgeNode]] = {}
        self.fronts: dict[str, Front] = {}
        self._settings = settings
        self._shared = shared
        self._make: Callable[[str], EdgeNode]
        self._pace: Pace | None = None
        self._gate: Gate | None = None
        self._started = False
        self._handed: dict[str, str] = {}
        self._wake = asyncio.Event()

    @property
    def addresses(self) -> dict[str, Addresses]:
        """Cluster -> its public addresses as clients are told them; filled by `listen`."""
        return self.places.addresses

    @property
    def homes(self) -> list[str]:
        """Clusters that channels may live on now, in order."""
        return self.places.homes

    # from the bottom up -----------------------------------------------------------------------

    def open(
        self, store: RolloutStore, logs: Mapping[str, ChatLog], clock: Clock, hearsay: Hearsay | None = None
    ) -> None:
        """Make the edges; nobody gets in yet.

        Args:
            hearsay: over which they talk with edges of other processes, if there are any.
        """
        hearsay = hearsay or LocalHearsay()
        numbers = count(1)
        pace = self._pace = Pace(self._settings, asyncio.get_running_loop().time, hearsay)
        gate = self._gate = Gate(self._settings.auth, store, clock)

        def make(cluster: str) -> EdgeNode:
            return EdgeNode(
                cluster,
                logs,
                store,
                self._settings,
                clock,
                self.addresses.__getitem__,
                numbers=numbers,
                pace=pace,
                hearsay=hearsay,
                gate=gate,
            )

        self._make = make
        for cluster in self.here:
            self.fronts[cluster] = Front(self._edges(cluster), self._settings.edge)

    def _edges(self, cluster: str) -> list[EdgeNode]:
        """The cluster's edges in this process, made if there are none yet."""
        if cluster not in self.nodes:
            self.nodes[cluster] = [self._make(cluster) for _ in range(self._settings.edge.edges)]
            if self._started:
                for node in self.nodes[cluster]:
                    node.start()
        return self.nodes[cluster]

    async def listen(self, ports: Callable[[int], Ports], retired: Mapping[str, str]) -> None:
        """Let clients in.

        Args:
            ports: gives the ports of the cluster at a place of the list of all clusters.
            retired: retired clusters, and what serves in their place.

        Raises:
            OSError: an address cannot be had.
            InvalidSetting: the certificate, or the authority for logins, cannot be used.
            StoreUnavailable: no answer.
        """
        edge = self._settings.edge
        secure = server_context(edge.certificate, edge.key) if edge.certificate else None
        if self._gate:
            await self._gate.open()
        self.places.retire(retired)
        self._hand_over()
        for cluster, front in self.fronts.items():
            await front.listen(ports(self._settings.clusters.index(cluster)), secure)
        self.places.hear(self.own())
        self._started = True
        for node in self.all_nodes():
            node.start()

    def renew_certificate(self) -> None:
        """Read the certificate anew, for those who come in from now on (TLS-2).

        One that cannot be used is told in the log, and the old one stays.
        """
        edge = self._settings.edge
        if not edge.certificate:
            return
        try:
            secure = server_context(edge.certificate, edge.key)
        except InvalidSetting as error:
            log.error("certificate_not_renewed", error=str(error))
            return
        for front in self.fronts.values():
            front.renew(secure)
        log.info("certificate_renewed", certificate=edge.certificate)

    def own(self) -> dict[str, Addresses]:
        """Where the clusters of this process listen."""
        return {cluster: _addresses(front) for cluster, front in self.fronts.items()}

    # clusters that retire and come back -------------------------------------------------------

    def wake(self) -> None:
        """Something changed in the store: look at which clusters are retired."""
        self._wake.set()

    async def follow(self, store: RolloutStore) -> None:
        """Do as the store says of retired clusters and of logins that have ended, until cancelled."""
        leaving: dict[str, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            if self._gate:
                group.create_task(self._gate.watch(self._sessions), name="watch logins")
            while True:
                self._wake.clear()
                try:
                    async with asyncio.timeout(LOOK):
                        self.places.retire(await store.retired())
                        if self._hand_over() and not self._shared:
                            await store.set_clusters(self.addresses)
                except (StoreUnavailable, TimeoutError) as error:
                    log.warning("retired_unknown", error=repr(error))
                for cluster in self.fronts:
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
        return self.places.serving(cluster)

    def _hand_over(self) -> bool:
        """Have each front hand new connections to the edges that serve; says whether any of that is news."""
        before, self._handed = self._handed, {cluster: self.serving(cluster) for cluster in self.fronts}
        for cluster, serving in self._handed.items():
            if before.get(cluster, cluster) != serving:
                self.fronts[cluster].hand_to(self._edges(serving))
        return self._handed != before

    async def _send_away(self, cluster: str) -> None:
        try:
            sent = await self.fronts[cluster].send_away(self._settings.edge.retire_spread)
        except Exception:
            # Whoever could not be sent away stays, and is served on.
            log.exception("retire_failed", cluster=cluster)
        else:
            log.info("cluster_empty", cluster=cluster, sent_away=sent)

    # from the top down ------------------------------------------------------------------------

    async def close(self, spread: float = 0.0) -> None:
        """Let nobody in any more, and send the clients away with the grace time of the settings.

        Args:
            spread: seconds over which the RECONNECTs are spread; 0 sends them all at once.
        """
        for front in self.fronts.values():
            front.close()
        grace = self._settings.edge.reconnect_grace
        if spread:
            everybody = Front(self.all_nodes(), self._settings.edge)
            try:
                async with asyncio.timeout(spread + grace + LEFT):
                    await everybody.send_away(spread)
            except TimeoutError:
                log.warning("drain_over", connections=self._connections())
        await asyncio.gather(*(node.stop(grace) for node in self.all_nodes()))
        if self._pace:
            self._pace.stop()
        if self._gate:
            await self._gate.close()
        try:
            async with asyncio.timeout(LEFT):
                await asyncio.gather(*(front.wait_empty() for front in self.fronts.values()))
        except TimeoutError:
            log.warning("connections_left", connections=self._connections())

    def _sessions(self) -> Iterator[Session]:
        return (session for node in self.all_nodes() for session in node.sessions)

    def _connections(self) -> int:
        return sum(node.statistics().connections for node in self.all_nodes())

    # what the others ask ----------------------------------------------------------------------

    def all_nodes(self) -> list[EdgeNode]:
        """Every edge of this process."""
        return [node for nodes in self.nodes.values() for node in nodes]

    def listening(self) -> dict[str, dict[str, str | None]]:
        """Where each cluster listens, by transport."""
        return {name: listening(_addresses(front)) for name, front in self.fronts.items()}

    async def silent(self) -> str:
        """Says which clusters have no addresses yet; '' if all have."""
        return await self.places.unknown()


def together(found: Sequence[Addresses]) -> Addresses:
    """The addresses of several, each once, in order."""
    return Addresses(
        *(tuple(dict.fromkeys(sum(lists, ()))) for lists in zip(*(_kinds(one) for one in found), strict=True))
    )


def _kinds(addresses: Addresses) -> tuple[tuple[str, ...], ...]:
    return addresses.tcp, addresses.tls, addresses.ws, addresses.wss


def _addresses(front: Front) -> Addresses:
    return Addresses(*(_at(listener) for listener in (front.tcp, front.tls, front.ws, front.wss)))


def _at(listener: Listener | None) -> tuple[str, ...]:
    return (f"{listener.host}:{listener.port}",) if listener else ()


def listening(addresses: Addresses) -> dict[str, str | None]:
    """Where a cluster listens, by transport, as the ready file says it."""
    tcp, tls, ws, wss = (next(iter(kind), None) for kind in _kinds(addresses))
    return {"tcp": tcp, "tls": tls, "ws": ws and f"ws://{ws}/", "wss": wss and f"wss://{wss}/"}
