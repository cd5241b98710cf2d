"""The crowd and the numbers of edges in other processes, over their internal HTTP."""

from __future__ import annotations

from collections.abc import Sequence

import httpx
import pytest
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from godwit.control.ports import Presence
from godwit.errors import EdgeUnavailable
from godwit.roles import inside
from godwit.roles.remote import RemoteControllers, RemoteCrowd, RemoteReadings, http_client
from godwit.store.nodes_base import Node
from godwit.values import Segment
from godwit.web.health import Check

pytestmark = pytest.mark.row("HTTP-inside")

TOKEN = "the-admin-token"
HERE = Segment("main", 3, 7, "s")


class Some:
    """What one process knows: members by channel."""

    def __init__(self, members: dict[str, int]) -> None:
        self.members = members

    async def presence(self, channels: Sequence[str]) -> list[Presence]:
        return [Presence(name, self.members.get(name, 0), 1, 10.0 * self.members.get(name, 0)) for name in channels]

    async def left_behind(self, channel: str, cluster: str) -> list[str]:
        return [f"{cluster}{number}" for number in range(self.members.get(channel, 0))]

    async def views(self, channels: Sequence[str]) -> dict[str, list[tuple[str, Segment]]]:
        return {name: [("main-1", HERE)] for name in channels if name in self.members}


class Counts(Collector):
    """What one process counts."""

    def __init__(self, connections: int, logins: int) -> None:
        self.connections, self.logins = connections, logins

    def collect(self) -> list[GaugeMetricFamily | CounterMetricFamily]:
        gauge = GaugeMetricFamily("godwit_edge_connections", "c", labels=["cluster"])
        gauge.add_metric(["main"], self.connections)
        counter = CounterMetricFamily("godwit_edge_logins", "l", labels=["cluster"])
        counter.add_metric(["main"], self.logins)
        return [gauge, counter]


class Processes:
    """Processes that are reached without sockets."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.woken = 0
        self.ended: list[Node] = []
        self._apps: dict[str, httpx.ASGITransport] = {}
        self.http = httpx.AsyncClient(transport=httpx.MockTransport(self._serve))

    def add(self, name: str, members: dict[str, int], *counts: Collector) -> None:
        """One more edge."""
        registry = CollectorRegistry()
        for one in counts:
            registry.register(one)
        Gauge("other", "not an edge's", registry=registry).set(1)
        app = inside.build((), registry, TOKEN, crowd=Some(members), wake=self._wake)
        self._apps[name] = httpx.ASGITransport(app)
        self.nodes.append(Node(name, "edge", f"s-{name}", 0.0, 9.0, cluster="main", url=f"http://{name}"))

    async def look(self) -> None:
        """Find out who has ended meanwhile."""
        for node in self.ended:
            self.nodes.remove(node)
        self.ended.clear()

    def _wake(self) -> None:
        self.woken += 1

    async def _serve(self, request: httpx.Request) -> httpx.Response:
        transport = self._apps.get(request.url.host)
        if transport is None:
            raise httpx.ConnectError("refused")
        answer = await transport.handle_async_request(request)
        return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())


@pytest.fixture
def two() -> Processes:
    found = Processes()
    found.add("one", {"room": 2}, Counts(3, 10))
    found.add("two", {"room": 1, "den": 1}, Counts(4, 20))
    return found


async def test_all_edges_count_together(two: Processes) -> None:
    crowd = RemoteCrowd(lambda: two.nodes, two.look, two.http, TOKEN)
    assert await crowd.presence(["den", "room"]) == [Presence("den", 1, 2, 10.0), Presence("room", 3, 2, 20.0)]
    assert await crowd.left_behind("room", "aws") == ["aws0", "aws1", "aws0"]
    assert await crowd.views(["room", "den", "none"]) == {
        "room": [("one/main-1", HERE), ("two/main-1", HERE)],
        "den": [("two/main-1", HERE)],
    }


async def test_without_edges_nobody_is_there(two: Processes) -> None:
    crowd = RemoteCrowd(list, two.look, two.http, TOKEN)
    assert await crowd.presence(["room"]) == [Presence("room")]
    assert await crowd.left_behind("room", "main") == []
    assert await crowd.views(["room"]) == {}


async def test_silence_of_one_edge_is_not_nobody(two: Processes) -> None:
    two.nodes.append(Node("dead", "edge", "s", 0.0, 9.0, url="http://dead"))
    crowd = RemoteCrowd(lambda: two.nodes, two.look, two.http, TOKEN)
    with pytest.raises(EdgeUnavailable, match="edge dead at http://dead does not say who is there"):
        await crowd.presence(["room"])
    with pytest.raises(EdgeUnavailable):
        await crowd.left_behind("room", "main")


async def test_who_has_ended_meanwhile_is_left_out(two: Processes) -> None:
    """It said so to the store, and took its clients with it."""
    gone = Node("gone", "edge", "s", 0.0, 9.0, url="http://gone")
    two.nodes.append(gone)
    two.ended.append(gone)
    crowd = RemoteCrowd(lambda: two.nodes, two.look, two.http, TOKEN)
    assert await crowd.presence(["room"]) == [Presence("room", 3, 2, 20.0)]
    assert two.ended == []


async def test_strangers_are_told_nothing(two: Processes) -> None:
    with pytest.raises(EdgeUnavailable, match="401"):
        await RemoteCrowd(lambda: two.nodes, two.look, two.http, "wrong").views(["room"])
    answer = await two.http.post(
        "http://one/inside/presence", content=b"[]", headers={"Authorization": f"Bearer {TOKEN}"}
    )
    assert answer.status_code == 400
    assert "error" in answer.json()


async def test_counters_of_a_process_that_has_ended_stay(two: Processes) -> None:
    """They only grow; its connections are gone."""
    readings = RemoteReadings(lambda: two.nodes, two.http)
    assert readings() == {}
    await readings.read()
    assert readings() == {("connections", "main"): 7.0, ("logins_total", "main"): 30.0}
    del two.nodes[0]
    two.nodes.append(Node("dead", "edge", "s", 0.0, 9.0, url="http://dead"))
    await readings.read()
    assert readings() == {("connections", "main"): 4.0, ("logins_total", "main"): 30.0}


async def test_controllers_are_woken_if_they_hear(two: Processes) -> None:
    two.nodes.append(Node("dead", "controller", "s", 0.0, 9.0, url="http://dead"))
    controllers = RemoteControllers(lambda: two.nodes, two.http, TOKEN)
    controllers.wake()
    await controllers.heard()
    assert two.woken == 2
    await controllers.close()


async def test_health_is_for_everybody() -> None:
    async def red() -> str:
        return "it ends"

    app = inside.build([Check("edge", red)], CollectorRegistry(), TOKEN)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as http:
        assert (await http.get("/healthz")).status_code == 200
        assert (await http.get("/readyz")).json() == {"status": "not ready", "failed": {"edge": "it ends"}}
        assert (await http.post("/inside/wake")).status_code == 404
    async with http_client() as plain:
        assert plain.timeout.read == 3.0
