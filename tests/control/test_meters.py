"""Built-in metrics: readings compared, and every name documented."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from godwit.control.meters import FOLLOWED, METERS, WINDOW, Meters, metric_names, read
from godwit.control.probes import ProbeView
from godwit.edge import metrics
from godwit.edge.metrics import Counts, EdgeStatistics
from tests.control.outside_world import Pauses

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "gates.md"

FINE = {"main": ProbeView(9, 0.01, 0.02), "aws": ProbeView(9, 0.03, 0.04)}


class World:
    """Two clusters whose edges count, and a clock."""

    def __init__(self) -> None:
        self.pauses = Pauses()
        self.edges = {"main": Counts(), "aws": Counts()}
        self.connections = {"main": 0, "aws": 0}
        self.views = dict(FINE)
        registry = CollectorRegistry()
        metrics.register(registry, self.statistics)
        self.meters = Meters(lambda: read(registry), lambda: self.views, now=self.pauses.now, sleep=self.pauses)

    def statistics(self) -> list[EdgeStatistics]:
        """As edges give them."""
        nothing: dict[str, Any] = {field.name: 0 for field in fields(EdgeStatistics)}
        return [
            EdgeStatistics(
                **{**nothing, "cluster": name, "connections": self.connections[name], "members": 7, "counts": counts}
            )
            for name, counts in self.edges.items()
        ]

    def after(self, seconds: float, name: str = "main", connections: int | None = None, **counted: int) -> None:
        """Take a reading, and let some time pass in which an edge counted something."""
        self.meters.take()
        self.pauses.time += seconds
        if connections is not None:
            self.connections[name] = connections
        for counter, number in counted.items():
            setattr(self.edges[name], counter, getattr(self.edges[name], counter) + number)


def test_every_metric_has_numbers_where_all_is_fine() -> None:
    world = World()
    world.connections["main"] = 10
    world.after(60, "main", accepted=10)
    for name in METERS:
        value, detail = world.meters.value(name)
        assert value is not None, name
        assert name in detail


def test_what_grew_in_the_window_counts() -> None:
    world = World()
    world.after(30, "main", gaps=100)
    world.after(30, "main", gaps=3)
    world.after(30, "aws", gaps=2)
    world.after(0)
    assert world.meters.value("gaps") == (5.0, "gaps 5 in 60 s")
    assert world.meters.value("gaps@aws")[0] == 2.0
    assert world.meters.value("gaps@main")[0] == 3.0


def test_old_readings_are_forgotten() -> None:
    world = World()
    for _ in range(100):
        world.after(WINDOW / 10, gaps=1)
    world.meters.take()
    assert world.meters.value("gaps")[0] == 10.0


@pytest.mark.parametrize(
    ("name", "counted", "value"),
    [
        ("publish_errors", {"accepted": 200, "voided": 1, "unknown": 1}, 0.01),
        ("publish_errors", {"voided": 1}, None),
        ("unknown", {"unknown": 2}, 2.0),
        ("refused_logins", {"logins_refused": 4}, 4.0),
        ("slow_readers", {"slow_readers": 5}, 5.0),
        ("joins_over", {"joins_over": 7}, 7.0),
        ("failures", {"channels_failed": 1, "sessions_failed": 2}, 3.0),
        ("serverchanges", {"serverchanges": 6}, 6.0),
        ("disconnects", {"logins": 5, "connections": 95}, 0.1),
        ("disconnects", {"logins": 5, "connections": 110}, 0.0),
        ("connections", {"connections": 95}, 95.0),
        ("members", {}, 14.0),
    ],
)
def test_each_metric(name: str, counted: dict[str, int], value: float | None) -> None:
    world = World()
    world.connections["main"] = 100
    world.after(60, "main", **counted)
    assert world.meters.value(name)[0] == value


def test_there_is_nothing_to_compare_with_at_first() -> None:
    world = World()
    assert world.meters.value("gaps")[0] is None
    world.meters.take()
    assert world.meters.value("gaps")[0] is None
    assert world.meters.value("members")[0] == 14.0


def test_delivery_is_that_of_the_slowest_cluster_and_needs_all() -> None:
    world = World()
    assert world.meters.value("delivery_p99") == (0.04, "delivery_p99 40.0 ms on aws")
    assert world.meters.value("delivery_p50@main") == (0.01, "delivery_p50 10.0 ms on main")
    world.views["main"] = ProbeView()
    assert world.meters.value("delivery_p99") == (None, "the probes have no numbers of main")
    assert world.meters.value("delivery_p99@aws")[0] == 0.04
    assert world.meters.value("delivery_p99@mars")[0] is None


def test_unknown_names_are_told_apart() -> None:
    world = World()
    assert "no metric 'beauty'" in world.meters.value("beauty")[1]
    assert "no cluster 'mars'" in world.meters.value("gaps@mars")[1]


async def test_readings_are_taken_again_and_again() -> None:
    world, taken = World(), 0

    async def pause(seconds: float) -> None:
        nonlocal taken
        taken += 1
        world.pauses.time += seconds
        if taken == 3:
            raise InterruptedError

    world.meters._sleep = pause
    with pytest.raises(InterruptedError):
        await world.meters.run()
    assert world.meters.value("gaps") == (0.0, "gaps 0 in 15 s")


def test_names_with_and_without_a_cluster() -> None:
    world = World()
    names = metric_names(["main", "aws"])
    assert {"gaps", "gaps@aws", "delivery_p99@main", FOLLOWED} <= set(names)
    assert [name for name in names if "no metric" in world.meters.value(name)[1]] == [FOLLOWED]


def test_every_metric_is_documented() -> None:
    rows = dict(re.findall(r"^\| `([a-z0-9_]+)` \| (.*?) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert {name: rows.get(name) for name in METERS} == {name: meter.meaning for name, meter in METERS.items()}
    assert FOLLOWED in rows
