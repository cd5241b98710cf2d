"""Edges, directory and controllers over a real PostgreSQL and NATS, all in the test's own process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from godwit.app import App
from godwit.chatlog.jetstream_prepare import prepare
from godwit.clock import SystemClock
from godwit.errors import InvalidRequest, UnknownCluster
from godwit.roles.controller import Controller
from godwit.roles.directory import Directory
from godwit.roles.edge import Edge
from godwit.roles.process import Process
from godwit.settings import (
    AuthSettings,
    ControlSettings,
    EdgeSettings,
    LimitSettings,
    NatsSettings,
    NodeSettings,
    Settings,
    StoreSettings,
)
from godwit.steering import Steering
from godwit.store.nodes_base import Node
from godwit.values import Addresses
from tests.edge.world import DEADLINE, Client
from tests.nats import Node as NatsServer
from tests.nats import node
from tests.postgres import Databases

TOKEN = "the-admin-token"
CLUSTERS = ("main", "aws")


class Fleet:
    """Processes that a test starts."""

    def __init__(self, settings: Settings, server: NatsServer, up: AsyncExitStack) -> None:
        self.settings = settings
        self.server = server
        self._up = up

    def named(self, name: str) -> Settings:
        """The settings of one process."""
        return replace(self.settings, node=NodeSettings(name=name))

    async def start(self, process: Process) -> dict[str, Any]:
        """Start one; it ends with the test."""
        self._up.push_async_callback(process.stop)
        return await process.start()

    async def edge(self, name: str, cluster: str = "main") -> tuple[Edge, dict[str, Any]]:
        """One more edge."""
        edge = Edge(self.named(name), cluster, ports_auto=True)
        return edge, await self.start(edge)


@pytest.fixture
async def fleet(databases: Databases, tmp_path: Path) -> AsyncIterator[Fleet]:
    async with AsyncExitStack() as up:
        server = await up.enter_async_context(node(tmp_path / "nats"))
        settings = Settings(
            clusters=CLUSTERS,
            store=StoreSettings(url=await databases.empty_store(), connections=3),
            nats=NatsSettings(
                servers={name: [server.url] for name in CLUSTERS}, streams=2, replicas=1, max_bytes=10_000_000
            ),
            auth=AuthSettings(admin_token=TOKEN),
            edge=EdgeSettings(reconnect_grace=0.0, drain_spread=0.0),
            limits=LimitSettings(preset="off"),
            control=ControlSettings(probes=False),
        )
        for name in CLUSTERS:
            await prepare(name, [server.url], settings.nats, settings.log)
        yield Fleet(settings, server, up)


async def joined(ready: dict[str, Any], nick: str) -> Client:
    """Somebody in the room, at an edge's address."""
    (cluster,) = ready["clusters"].values()
    host, port = cluster["tcp"].split(":")
    client = Client(*await asyncio.open_connection(host, int(port)))
    client.send("CAP REQ :twitch.tv/tags twitch.tv/commands", "PASS oauth:x", f"NICK {nick}", "JOIN #room")
    await client.until("ROOMSTATE")
    return client


def at(url: str) -> httpx.AsyncClient:
    """An operator at an address."""
    return httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=DEADLINE)


async def readiness(url: str) -> dict[str, Any]:
    """What a process says of itself."""
    async with at(url) as http:
        found: dict[str, Any] = (await http.get("/readyz")).json()
        return found


async def test_processes_work_together(fleet: Fleet) -> None:
    """In any order: a controller without edges, edges without a directory."""
    controller = await fleet.start(Controller(fleet.named("controller")))
    _, one = await fleet.edge("one")
    _, two = await fleet.edge("two", "aws")
    directory = await fleet.start(Directory(fleet.named("directory"), ports_auto=True))
    for told in (controller, one, two, directory):
        assert (await readiness(told["api"]))["status"] == "ready"
    anna, ben = await joined(one, "anna"), await joined(two, "ben")
    async with at(directory["api"]) as api:
        assert directory["clusters"] == {**one["clusters"], **two["clusters"]}
        answer = await api.post("/channels/room/move", json={"to": "aws"})
        assert answer.status_code == 202, answer.text
        waits = f"/moves/{answer.json()['id']}/wait?until=draining&timeout=20"
        move = (await api.get(waits)).json()
        assert move["state"] == "draining"
        found = (await api.get("/servers", params={"channel": "room"})).json()
        assert found["servers"] == [two["clusters"]["aws"]["tcp"]]
        anna.send("PRIVMSG #room :over there")
        await ben.until(":over there")
        assert (await api.get("/doctor")).json()["clean"]
    async with at(controller["api"]) as http:
        assert "godwit_controller_leads 1.0" in (await http.get("/metrics")).text
        assert (await http.get("/inside/insight")).json() == {"leads": True, "holding": {}, "samples": []}
    async with at(one["api"]) as http:
        presence = await http.post("/inside/presence", json={"channels": ["room"]})
        assert presence.json()[0]["members"] == 1
        metrics = (await http.get("/metrics")).text
        assert 'godwit_edge_connections{cluster="main"} 1.0' in metrics
        assert 'godwit_log_connections{cluster="aws"} 1.0' in metrics


@pytest.mark.parametrize(("variable", "skips"), [("skip-seal", True), ("drop", False)])
async def test_the_demos_fault(fleet: Fleet, monkeypatch: pytest.MonkeyPatch, variable: str, skips: bool) -> None:
    """A controller is told of it by the environment; nothing else asks for it."""
    asked: list[bool] = []

    class SpiedSteering(Steering):
        """Notes what it is asked for."""

        def __init__(self, *args: Any, skip_seal: bool = False, **more: Any) -> None:
            asked.append(skip_seal)
            super().__init__(*args, skip_seal=skip_seal, **more)

    monkeypatch.setattr("godwit.roles.controller.Steering", SpiedSteering)
    monkeypatch.setenv("GODWIT_DEMO_FAULT", variable)
    await fleet.start(Controller(fleet.named("controller")))
    assert asked == [skips]


async def test_an_end_in_order_is_no_fault(fleet: Fleet) -> None:
    """Its log must not tell of one: operators are told to have an alarm for that."""
    for process in (
        Directory(fleet.named("directory"), ports_auto=True),
        Edge(fleet.named("one"), "main", ports_auto=True),
    ):
        await fleet.start(process)
        with capture_logs() as logs:
            await process.stop()
        assert [line["event"] for line in logs if line["log_level"] == "error"] == []
        assert [line["event"] for line in logs].count("ends") == 1


async def test_a_clock_that_goes_wrong(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process is not ready while it lasts, and the list of processes tells; who died is in the list, too."""

    class Adjustable(SystemClock):
        ahead = 0.0

        def now(self) -> float:
            return super().now() + self.ahead

    clock = Adjustable()
    monkeypatch.setattr("godwit.clocks.EVERY", 0.05)
    directory = await fleet.start(Directory(fleet.named("directory"), ports_auto=True))
    monkeypatch.setattr("godwit.clocks.machine", lambda: clock)
    edge, one = await fleet.edge("one")
    now = await edge._ground.store.clock()
    await edge._ground.store.register(Node("two", "edge", "s", now - 60.0, now - 1.0, "aws"), now)
    async with at(directory["api"]) as api:

        async def processes() -> dict[str, dict[str, Any]]:
            return {found["name"]: found for found in (await api.get("/processes")).json()["processes"]}

        found = await processes()
        assert sorted(found) == ["directory", "one", "two"]
        assert (found["one"]["role"], found["one"]["cluster"], found["one"]["alive"]) == ("edge", "main", True)
        assert found["one"]["tcp"] == [one["clusters"]["main"]["tcp"]]
        assert [each["ahead"] for each in found.values()] == [0.0, 0.0, None]
        assert not found["two"]["alive"]
        clock.ahead = 30.0
        async with asyncio.timeout(DEADLINE):
            while (await readiness(one["api"]))["status"] == "ready":
                pass
        failed = (await readiness(one["api"]))["failed"]
        assert "this machine's clock is 30 s ahead of that of" in failed["clock"]
        assert 29.0 < (await processes())["one"]["ahead"] < 31.0
        assert (await readiness(directory["api"]))["status"] == "ready"


async def test_readiness_tells_the_truth(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the start to the end: while it starts, while its logs are away, while it sends its clients away."""
    opening, may_open = asyncio.Event(), asyncio.Event()
    whole = Edge._open

    async def waits(edge: Edge) -> Addresses:
        opening.set()
        await may_open.wait()
        return await whole(edge)

    monkeypatch.setattr(Edge, "_open", waits)
    fleet.settings = replace(fleet.settings, edge=EdgeSettings(reconnect_grace=DEADLINE, drain_spread=0.0))
    edge = Edge(fleet.named("one"), "main", ports_auto=True)
    starting = asyncio.create_task(fleet.start(edge))
    async with asyncio.timeout(DEADLINE):
        await opening.wait()
    url = edge._member.node.url
    assert (await readiness(url))["failed"] == {"edge": "it is starting"}
    may_open.set()
    told = await starting
    assert (await readiness(url))["status"] == "ready"

    await fleet.server.kill()
    await until_ready(url, "no chat log of main, aws")
    await fleet.server.start()
    await until_ready(url)

    anna = await joined(told, "anna")
    ending = asyncio.create_task(edge.stop())
    await anna.until(" RECONNECT")
    assert (await readiness(url))["failed"] == {"edge": "it ends"}
    assert await edge._ground.store.nodes("edge", now=0.0) == [edge._member.node]
    assert edge._member.node.addresses == Addresses()
    anna.close()
    await ending
    with pytest.raises(httpx.ConnectError):
        await readiness(url)


async def until_ready(url: str, but: str = "") -> None:
    """Wait until a process is ready, but for its logs."""
    async with asyncio.timeout(DEADLINE):
        while (await readiness(url)).get("failed", {}).get("logs", "") != but:
            pass


async def test_an_edge_that_ends_sends_its_clients_away(fleet: Fleet) -> None:
    """First it is no longer named; the others learn it is gone."""
    edge, one = await fleet.edge("one")
    _, two = await fleet.edge("two")
    anna = await joined(one, "anna")
    await edge.stop()
    assert any(line.endswith(" RECONNECT") for line in await anna.rest())
    directory = await fleet.start(Directory(fleet.named("directory"), ports_auto=True))
    assert directory["clusters"]["main"] == two["clusters"]["main"]
    await edge.stop()


async def test_a_name_that_is_taken(fleet: Fleet) -> None:
    """Who comes second does not start, and harms nobody."""
    _, one = await fleet.edge("one")
    with pytest.raises(InvalidRequest, match="there is a process named one already: edge at http"):
        await fleet.edge("one", "aws")
    assert (await readiness(one["api"]))["status"] == "ready"
    anna = await joined(one, "anna")
    anna.send("PRIVMSG #room :still here")
    await anna.until(" USERSTATE ")


async def test_one_process_for_all_is_not_one_of_many(fleet: Fleet) -> None:
    """They would not know of each other's members."""
    app = App(fleet.named("all"), ports_auto=True)
    await app.start()
    with pytest.raises(InvalidRequest, match="'godwit serve' runs on this store already"):
        await fleet.edge("one")
    await app.stop()
    await fleet.edge("one")
    with pytest.raises(InvalidRequest, match="other processes run on this store already: one"):
        await App(fleet.named("all"), ports_auto=True).start()


async def test_a_cluster_that_is_not(fleet: Fleet) -> None:
    with pytest.raises(UnknownCluster, match="there is no cluster moon, only main, aws"):
        await fleet.edge("one", "moon")


async def test_a_part_that_fails_ends_the_process(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(self: object) -> None:
        raise RuntimeError("as the test wants it")

    monkeypatch.setattr("godwit.roles.member.Member.run", fails)
    edge, _ = await fleet.edge("one")
    async with asyncio.timeout(DEADLINE):
        await edge.wait_stopped()
