"""The numbers of a process's edges for Prometheus.

Nodes count in plain integers; the metrics are made when somebody asks for them, so that counting
costs nothing on the way of a message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


@dataclass(slots=True)
class Counts:
    """What has happened on a node since it started."""

    logins: int = 0
    logins_refused: int = 0
    accepted: int = 0
    acknowledged: int = 0
    voided: int = 0
    unknown: int = 0
    serverchanges: int = 0
    joins_charged: int = 0
    joins_free: int = 0
    joins_over: int = 0
    logins_over: int = 0
    messages_over: int = 0
    gaps: int = 0
    slow_readers: int = 0
    overdue: int = 0
    channels_failed: int = 0
    sessions_failed: int = 0


@dataclass(frozen=True, slots=True)
class EdgeStatistics:
    """How a node is doing.

    Attributes:
        connections: connections that are ready, logged in or not.
        channels: channels it holds.
        members: memberships: connections times the channels each is in.
        untold: SERVERCHANGE lines that wait until their clients may be told.
        deliveries: lines handed to connections, each counted once per reader.
        tasks: background work under way.
        home: channels whose home is this node's cluster.
    """

    cluster: str
    connections: int
    channels: int
    home: int
    members: int
    untold: int
    deliveries: int
    tasks: int
    counts: Counts


_GAUGES = {
    "connections": "Connections that are ready, logged in or not.",
    "channels": "Channels that an edge holds.",
    "home": "Channels on an edge whose home is its own cluster.",
    "members": "Memberships: connections times the channels each is in.",
    "untold": "SERVERCHANGE lines that wait until their clients may be told (LIMIT-6).",
}

_COUNTERS = {
    "logins": "Logins that were accepted.",
    "logins_refused": "Logins that were refused.",
    "accepted": "Messages taken to be appended.",
    "acknowledged": "Messages read back from the log and acknowledged.",
    "voided": "Messages that took no effect: banned, timed out, or the log was away.",
    "unknown": "Messages whose fate is unknown; their senders were told.",
    "serverchanges": "SERVERCHANGE lines sent.",
    "joins_over": "JOINs that were dropped because they were past the client's limit.",
    "logins_over": "Logins that were refused because they were past the account's limit.",
    "messages_over": "Messages and commands that were refused or ignored because they were past a limit.",
    "gaps": "Gap notices sent.",
    "slow_readers": "Connections cut because they did not read.",
    "overdue": "Connections closed because they did not log in or answer a PING in time.",
    "channels_failed": "Channels given up because of a fault of ours.",
    "sessions_failed": "Connections closed because of a fault of ours.",
}


class EdgeCollector(Collector):
    """Turns the statistics of nodes into metrics."""

    def __init__(self, statistics: Callable[[], Iterable[EdgeStatistics]]) -> None:
        self._statistics = statistics

    def collect(self) -> Iterator[Metric]:
        """Make the metrics as they are now; nodes of one cluster are added up."""
        clusters: dict[str, list[EdgeStatistics]] = {}
        for node in self._statistics():
            clusters.setdefault(node.cluster, []).append(node)
        for name, text in _GAUGES.items():
            gauge = GaugeMetricFamily(f"godwit_edge_{name}", text, labels=["cluster"])
            for cluster, nodes in clusters.items():
                gauge.add_metric([cluster], sum(getattr(node, name) for node in nodes))
            yield gauge
        for name, text in _COUNTERS.items():
            counter = CounterMetricFamily(f"godwit_edge_{name}", text, labels=["cluster"])
            for cluster, nodes in clusters.items():
                counter.add_metric([cluster], sum(getattr(node.counts, name) for node in nodes))
            yield counter
        joins = CounterMetricFamily(
            "godwit_edge_joins",
            "JOINs that were let in: charged to the client's limit, or not because a move caused them.",
            labels=["cluster", "charged"],
        )
        for cluster, nodes in clusters.items():
            joins.add_metric([cluster, "yes"], sum(node.counts.joins_charged for node in nodes))
            joins.add_metric([cluster, "no"], sum(node.counts.joins_free for node in nodes))
        yield joins
        deliveries = CounterMetricFamily(
            "godwit_edge_deliveries", "Lines handed to connections, each counted once per reader.", labels=["cluster"]
        )
        for cluster, nodes in clusters.items():
            deliveries.add_metric([cluster], sum(node.deliveries for node in nodes))
        yield deliveries


def register(registry: CollectorRegistry, statistics: Callable[[], Iterable[EdgeStatistics]]) -> None:
    """Show the statistics of nodes in `registry`."""
    registry.register(EdgeCollector(statistics))
