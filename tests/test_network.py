"""The clusters of a process: retired, handed over, restored."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from ssl import SSLCertVerificationError

import pytest
from structlog.testing import capture_logs

from godwit.chatlog.memory import MemoryLog
from godwit.clock import FakeClock
from godwit.edge.front import Ports
from godwit.errors import InvalidSetting, StoreUnavailable
from godwit.local.certificate import own_certificate
from godwit.network import Network
from godwit.settings import EdgeSettings, Settings
from godwit.store.memory import MemoryStore
from godwit.tmi.capabilities import Caps
from godwit.tmi.render import serverchange
from godwit.values import Addresses, Segment
from tests.edge.test_front import secure
from tests.edge.world import DEADLINE, Client

CLUSTERS = ("main", "aws", "event", "group")


class Running:
    """A network that does as its store says."""

    def __init__(self, certificate: tuple[Path, Path] | None = None) -> None:
        edge = EdgeSettings(edges=2, ws=False, reconnect_grace=0.0, retire_spread=0.0)
        if certificate:
            edge = replace(edge, certificate=str(certificate[0]), key=str(certificate[1]))
        self.settings = Settings(clusters=CLUSTERS, edge=edge)
        self.store = MemoryStore()
        self.clock = FakeClock(1000.0)
        self.logs = {name: MemoryLog(name, f"{name}/1", self.clock) for name in CLUSTERS}
        self.network = Network(self.settings)

    async def retire(self, cluster: str, into: str) -> None:
        """Write it to the store and wait until it is done."""
        await self.store.retire(cluster, into, self.clock.now())
        self.network.wake()
        async with asyncio.timeout(DEADLINE):
            while (cluster in self.network.homes) == bool(into):  # noqa: ASYNC110  (a network tells nobody)
                await asyncio.sleep(0)

    async def client(self, cluster: str, nick: str) -> Client:
        """Somebody who has logged in at a cluster's address."""
        tcp = self.network.fronts[cluster].tcp
        assert tcp
        client = Client(*await asyncio.open_connection("127.0.0.1", tcp.port))
        client.send("CAP REQ :twitch.tv/commands", "PASS oauth:x", f"NICK {nick}")
        await client.until("GLOBALUSERSTATE")
        return client

    def address(self, cluster: str) -> str:
        """Where a cluster listens."""
        return str(self.network.listening()[cluster]["tcp"])

    def connections(self) -> dict[str, int]:
        """Connections by cluster of the edge."""
        return {
            name: sum(len(node.sessions) for node in nodes)
            for name, nodes in self.network.nodes.items()
            if any(node.sessions for node in nodes)
        }


@asynccontextmanager
async def running(certificate: tuple[Path, Path] | None = None, **retired: str) -> AsyncIterator[Running]:
    """A network with nobody in it, of which these clusters are retired."""
    run = Running(certificate)
    await run.store.set_default(Segment("aws", 1, 0, "aws/1"), hold_until=0.0)
    for cluster, into in retired.items():
        await run.store.retire(cluster, into, 0.0)
    run.network.open(run.store, run.logs, run.clock)
    await run.network.listen(lambda place: Ports(), await run.store.retired())
    following = asyncio.create_task(run.network.follow(run.store))
    try:
        yield run
    finally:
        following.cancel()
        await asyncio.wait([following])
        await run.network.close()


async def test_clusters_serve_themselves() -> None:
    async with running() as run:
        assert run.network.homes == ["main", "aws", "event"]
        assert await run.network.silent() == ""
        assert {name: addresses.tcp for name, addresses in run.network.addresses.items()} == {
            name: (run.address(name),) for name in CLUSTERS
        }
        clients = [await run.client(name, f"n{name}") for name in CLUSTERS]
        assert run.connections() == dict.fromkeys(CLUSTERS, 1)
        for client in clients:
            client.close()


async def test_before_it_listens_it_says_who_is_missing() -> None:
    assert await Network(Settings(clusters=("main", "aws"))).silent() == "not listening yet: main, aws"


async def test_a_retired_cluster_is_emptied_and_its_addresses_serve_the_other() -> None:
    async with running() as run:
        before = await run.client("main", "before")
        stays = await run.client("aws", "stays")
        with capture_logs() as logs:
            await run.retire("main", "aws")
            assert await before.rest() == [":tmi.twitch.tv RECONNECT"]
        assert ("cluster_retired", "aws") in [(entry["event"], entry.get("into")) for entry in logs]
        after = await run.client("main", "after")
        assert run.connections() == {"aws": 2}
        assert run.network.serving("main") == "aws"
        assert run.network.homes == ["aws", "event"]
        assert run.network.addresses["main"] == Addresses(tcp=(run.address("aws"), run.address("main")))
        assert run.network.addresses["aws"] == Addresses(tcp=(run.address("aws"),))
        assert (await run.store.clusters()) == run.network.addresses
        stays.close()
        after.close()


async def test_one_that_comes_back_serves_itself_again() -> None:
    async with running(main="aws") as run:
        first = await run.client("main", "first")
        assert run.connections() == {"aws": 1}
        await run.retire("main", "")
        second = await run.client("main", "second")
        assert run.connections() == {"main": 1, "aws": 1}
        assert await first.flush() == []
        assert run.network.homes == ["main", "aws", "event"]
        assert run.network.addresses["main"] == Addresses(tcp=(run.address("main"),))
        await run.retire("main", "event")
        assert await second.rest() == [":tmi.twitch.tv RECONNECT"]
        third = await run.client("main", "third")
        assert run.connections() == {"aws": 1, "event": 1}
        first.close()
        third.close()


async def test_retired_one_after_the_other() -> None:
    """The last one serves for all; a circle, or a cluster that is not here, serves itself."""
    async with running(main="aws", aws="event") as run:
        assert [run.network.serving(name) for name in CLUSTERS] == ["event", "event", "event", "group"]
        assert run.network.addresses["main"].tcp == (run.address("event"), run.address("main"))
    async with running(main="gone") as run:
        assert run.network.serving("main") == "main"
        assert run.network.homes == ["aws", "event"]
    async with running(main="aws", aws="main") as run:
        assert [run.network.serving(name) for name in ("main", "aws")] == ["main", "aws"]


async def test_a_store_that_is_silent_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(main="aws") as run:
        asked = asyncio.Event()

        async def retired() -> dict[str, str]:
            asked.set()
            raise StoreUnavailable("gone")

        with monkeypatch.context() as patch, capture_logs() as logs:
            patch.setattr(run.store, "retired", retired)
            run.network.wake()
            async with asyncio.timeout(DEADLINE):
                await asked.wait()
                await asyncio.sleep(0)
            assert run.network.serving("main") == "aws"
        assert "retired_unknown" in [entry["event"] for entry in logs]
        await run.retire("main", "")
        assert run.network.serving("main") == "main"


async def test_a_fault_in_sending_away_harms_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as run:
        client = await run.client("main", "stays")
        failed = asyncio.Event()

        async def send_away(spread: float) -> int:
            failed.set()
            raise RuntimeError("broken")

        monkeypatch.setattr(run.network.fronts["main"], "send_away", send_away)
        with capture_logs() as logs:
            await run.retire("main", "aws")
            async with asyncio.timeout(DEADLINE):
                await failed.wait()
            assert await client.flush() == []
        assert "retire_failed" in [entry["event"] for entry in logs]
        client.close()


async def test_a_process_with_edges_of_one_cluster_serves_the_other_in_its_place() -> None:
    """It makes edges of the other one when these are needed; who heard of it first does not matter."""
    run = Running()
    run.network = Network(run.settings, ("main",), shared=True)
    await run.store.set_default(Segment("main", 1, 0, "main/1"), hold_until=0.0)
    run.network.open(run.store, run.logs, run.clock)
    await run.network.listen(lambda place: Ports(), {})
    following = asyncio.create_task(run.network.follow(run.store))
    try:
        assert list(run.network.nodes) == ["main"]
        anna = await run.client("main", "anna")
        assert run.connections() == {"main": 1}
        run.network.places.retire({"main": "aws"})
        await run.store.retire("main", "aws", 0.0)
        run.network.wake()
        async with asyncio.timeout(DEADLINE):
            assert await anna.rest() == [":tmi.twitch.tv RECONNECT"]
        ben = await run.client("main", "ben")
        assert run.connections() == {"aws": 1}
        assert await ben.flush() == []
        assert await run.store.clusters() == {}
    finally:
        following.cancel()
        await asyncio.wait([following])
        await run.network.close()


@pytest.mark.row("TLS-1")
async def test_addresses_with_tls_are_told(tmp_path: Path) -> None:
    async with running(own_certificate(tmp_path, datetime.now(UTC))) as run:
        told, listening = run.network.addresses["aws"], run.network.listening()["aws"]
        assert told.ws == ()
        assert told.tls == (listening["tls"],)
        assert [f"wss://{address}/" for address in told.wss] == [listening["wss"]]
        assert len({told.tcp, told.tls, told.wss}) == 3
        line = serverchange(Caps.TAGS, "room", destination="tags", cluster="aws", epoch=2, addresses=told).decode()
        assert f";godwit-tls={told.tls[0]};godwit-ws=;godwit-wss={told.wss[0]} " in line
        assert len({each for name in CLUSTERS for each in run.network.addresses[name].tls}) == len(CLUSTERS)


@pytest.mark.row("TLS-2")
async def test_a_certificate_is_read_anew_and_a_broken_one_is_not_used(tmp_path: Path) -> None:
    first = own_certificate(tmp_path, datetime.now(UTC))
    (tmp_path / "old").mkdir()
    old = tmp_path / "old" / "old.crt"
    old.write_bytes(first[0].read_bytes())
    async with running(first) as run:
        port = int(run.network.addresses["main"].tls[0].rpartition(":")[2])
        ann = await secure(port, old, "ann")
        kept = first[1].read_bytes()
        first[1].write_text("broken")
        with capture_logs() as logs:
            run.network.renew_certificate()
        assert [(entry["event"], entry["log_level"]) for entry in logs] == [("certificate_not_renewed", "error")]
        bob = await secure(port, old, "bob")
        first[1].write_bytes(kept)
        first[0].unlink()
        own_certificate(tmp_path, datetime.now(UTC))
        with capture_logs() as logs:
            run.network.renew_certificate()
        assert [entry["event"] for entry in logs] == ["certificate_renewed"]
        cid = await secure(port, first[0], "cid")
        with pytest.raises(SSLCertVerificationError):
            await secure(port, old, "dan")
        for client in (ann, bob, cid):
            assert await client.flush() == []
            client.close()


async def test_a_broken_certificate_is_told_at_the_start(tmp_path: Path) -> None:
    certificate, key = own_certificate(tmp_path, datetime.now(UTC))
    key.write_text("broken")
    with pytest.raises(InvalidSetting, match="must be PEM"):
        async with running((certificate, key)):
            """It never comes to that."""


async def test_without_a_certificate_there_is_nothing_to_renew() -> None:
    async with running() as run:
        with capture_logs() as logs:
            run.network.renew_certificate()
        assert logs == []
