"""Metrics made from the statistics of nodes."""

from __future__ import annotations

from dataclasses import fields

from prometheus_client import CollectorRegistry

from godwit.edge import metrics
from godwit.edge.metrics import Counts, EdgeStatistics


def _node(cluster: str, members: int, accepted: int) -> EdgeStatistics:
    return EdgeStatistics(
        cluster=cluster,
        connections=members,
        channels=1,
        home=1,
        members=members,
        untold=1,
        deliveries=7,
        tasks=0,
        counts=Counts(accepted=accepted),
    )


def test_nodes_of_a_cluster_are_added_up() -> None:
    registry, nodes = CollectorRegistry(), [_node("main", 2, 3), _node("main", 5, 4), _node("aws", 1, 0)]
    metrics.register(registry, lambda: nodes)
    assert registry.get_sample_value("godwit_edge_members", {"cluster": "main"}) == 7
    assert registry.get_sample_value("godwit_edge_members", {"cluster": "aws"}) == 1
    assert registry.get_sample_value("godwit_edge_accepted_total", {"cluster": "main"}) == 7
    assert registry.get_sample_value("godwit_edge_deliveries_total", {"cluster": "main"}) == 14
    nodes.append(_node("aws", 4, 0))
    assert registry.get_sample_value("godwit_edge_members", {"cluster": "aws"}) == 5


def test_free_joins_are_shown_apart() -> None:
    """LIMIT-5."""
    registry, node = CollectorRegistry(), _node("main", 0, 0)
    node.counts.joins_charged, node.counts.joins_free, node.counts.joins_over = 3, 2, 1
    metrics.register(registry, lambda: [node, node])
    assert registry.get_sample_value("godwit_edge_joins_total", {"cluster": "main", "charged": "yes"}) == 6
    assert registry.get_sample_value("godwit_edge_joins_total", {"cluster": "main", "charged": "no"}) == 4
    assert registry.get_sample_value("godwit_edge_joins_over_total", {"cluster": "main"}) == 2
    assert registry.get_sample_value("godwit_edge_untold", {"cluster": "main"}) == 2


def test_every_count_is_shown() -> None:
    registry = CollectorRegistry()
    metrics.register(registry, lambda: [_node("main", 0, 0)])
    for field in fields(Counts):
        if field.name in ("joins_charged", "joins_free"):
            continue  # one metric with a label
        assert registry.get_sample_value(f"godwit_edge_{field.name}_total", {"cluster": "main"}) == 0, field.name
