"""`JetStreamLog` over a leaf node: a process reads and appends to the log of a cluster at another site."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from godwit.chatlog.base import ChatLog
from godwit.chatlog.jetstream import JetStreamLog
from godwit.chatlog.jetstream_prepare import prepare
from godwit.chatlog.jetstream_views import Doubt
from godwit.errors import ChatLogUnavailable
from godwit.settings import LogSettings, NatsSettings
from tests.chatlog.test_jetstream import KEPT, may_go
from tests.chatlog.test_jetstream_faults import check_stored, head_of, insist
from tests.conformance.chatlog import DEADLINE, ChatLogSuite, Reader, add, message, page_upto, sequences
from tests.nats import Node, Wire, admin, node, nodes, pause, wire

DOMAINS = {"main": "main", "aws": "aws"}
NATS = NatsSettings(streams=2, replicas=1, max_bytes=50_000_000, domains=DOMAINS)
THREE = NatsSettings(streams=2, replicas=3, max_bytes=50_000_000, domains=DOMAINS)
LOG = LogSettings(append_timeout=2.0)
BRIEF = LogSettings(max_age=1.0)
"""For tests that let records expire; they do so a second after that."""


class Sites:
    """A server of aws, and one of main at another site, which is its leaf node."""

    def __init__(self, aws: Node, main: Node, line: Wire) -> None:
        self.aws = aws
        self.main = main
        self.line = line


@asynccontextmanager
async def two_sites(store: Path) -> AsyncIterator[Sites]:
    """Both servers and the line between them."""
    async with (
        node(store / "aws", domain="aws") as aws,
        wire(aws.leaf_port) as line,
        node(store / "main", domain="main", remotes=[line.port]) as main,
    ):
        await main.logged("Leafnode connection created")
        yield Sites(aws, main, line)


class LeafRig:
    """The log of aws, as processes at both sites have it."""

    def __init__(self, sites: Sites, settings: LogSettings) -> None:
        self._sites = sites
        self._settings = settings
        self._logs: list[JetStreamLog] = []

    async def open(self) -> ChatLog:
        """Every other way is through the leaf node, the first one too."""
        near = self._sites.aws if len(self._logs) % 2 else self._sites.main
        log = JetStreamLog("aws", [near.url], NATS, self._settings)
        self._logs.append(log)
        await log.open()
        return log

    async def recreate(self) -> None:
        async with admin(self._sites.aws.url) as operator:
            await operator.remove()
        await prepare("aws", [self._sites.main.url], NATS, self._settings)

    async def expire(self) -> None:
        async with admin(self._sites.aws.url) as operator, asyncio.timeout(DEADLINE):
            for name in await operator.streams():
                upto = (await operator.call(f"STREAM.INFO.{name}"))["state"]["last_seq"]
                while any(may_go(each) and each["seq"] <= upto for each in await operator.messages(name)):
                    await pause()
                    await self._logs[0].sweep()

    async def close(self) -> None:
        """Close all ways to the log."""
        for log in self._logs:
            await log.close()


@pytest.fixture
async def rig(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[LeafRig]:
    settings = BRIEF if "expire" in request.function.__code__.co_names else KEPT
    async with two_sites(tmp_path) as sites:
        await prepare("aws", [sites.main.url], NATS, settings)
        rig = LeafRig(sites, settings)
        yield rig
        await rig.close()


class TestOverALeafNode(ChatLogSuite):
    """The suite, by turns through the leaf node and without."""


@asynccontextmanager
async def opened(*urls: str, nats: NatsSettings = NATS) -> AsyncIterator[JetStreamLog]:
    """A way to the log of aws that gives up a server soon."""
    log = JetStreamLog("aws", urls, nats, LOG, doubt=Doubt(0.5, 0.5, 0.5))
    try:
        await log.open()
        yield log
    finally:
        await log.close()


async def test_both_ways(tmp_path: Path) -> None:
    """One line between two sites is enough for both: whoever accepts it reads and writes over it, too."""
    async with two_sites(tmp_path) as sites:
        for cluster, far in (("aws", sites.main), ("main", sites.aws)):
            made = await prepare(cluster, [far.url], NATS, LOG)
            log = JetStreamLog(cluster, [far.url], NATS, LOG)
            await log.open()
            async with AsyncExitStack() as stack:
                stack.push_async_callback(log.close)
                stored = await add(log, "room", message(1))
                assert log.stream("room") in made.created
                assert sequences((await page_upto(log, "room", 0, stored[0])).entries) == stored


async def test_three_sites(tmp_path: Path) -> None:
    """Two that connect to the same third one have each other's logs over it."""
    async with (
        node(tmp_path / "aws", domain="aws") as aws,
        node(tmp_path / "main", domain="main", remotes=[aws.leaf_port]) as main,
        node(tmp_path / "event", domain="event", remotes=[aws.leaf_port]) as event,
    ):
        nats = NatsSettings(streams=2, replicas=1, max_bytes=1_000_000, domains=DOMAINS | {"event": "event"})
        await prepare("main", [event.url], nats, LOG)
        async with admin(main.url) as operator:
            assert len(await operator.streams()) == 2
        log = JetStreamLog("main", [event.url], nats, LOG)
        try:
            await log.open()
            reader = Reader(log, "room", fresh=True)
            await reader.wait_current()
            stored = await add(log, "room", message(1), message(2))
            await reader.wait_read(stored[-1])
            assert sequences(reader.entries) == stored
        finally:
            await log.close()


async def test_each_has_its_own_streams(tmp_path: Path) -> None:
    """A domain says whose streams are meant, whatever server is asked; an unknown one has none."""
    async with two_sites(tmp_path) as sites:
        await prepare("aws", [sites.main.url], NATS, LOG)
        async with admin(sites.main.url) as here, admin(sites.aws.url) as there:
            assert (len(await here.streams()), len(await there.streams())) == (0, 2)
        unknown = NatsSettings(streams=2, replicas=1, domains={"aws": "moon"})
        with pytest.raises(ChatLogUnavailable, match=r"nobody serves \$JS\.moon\.API"):
            await prepare("aws", [sites.main.url], unknown, LOG, patience=0)


async def test_the_line_is_cut_under_load(tmp_path: Path) -> None:
    """While it is, the far site has no acknowledgement and the near one goes on; then all is there once, in order."""
    async with two_sites(tmp_path) as sites:
        await prepare("aws", [sites.aws.url], NATS, LOG)
        async with opened(sites.main.url) as far, opened(sites.aws.url) as near:
            reader = Reader(far, "room", fresh=True)
            acknowledged: dict[str, list[int]] = {f"{where}{n}": [] for where in ("far", "near") for n in range(3)}
            enough = asyncio.Event()

            async def write(producer: str) -> None:
                log = far if producer.startswith("far") else near
                while not enough.is_set():
                    number = len(acknowledged[producer]) + 1
                    acknowledged[producer].append(await insist(log, message(number, producer)))

            async def further(where: str, by: int) -> None:
                wanted = {p: len(stored) + by for p, stored in acknowledged.items() if p.startswith(where)}
                while any(len(acknowledged[producer]) < count for producer, count in wanted.items()):
                    await pause()

            async def read_on() -> None:
                while True:
                    await far.read("room", 0)

            async def break_it() -> None:
                await further("", 50)
                sites.line.cut()
                with pytest.raises(ChatLogUnavailable):
                    await read_on()
                before = {producer: len(stored) for producer, stored in acknowledged.items()}
                await further("near", 50)
                assert all(len(acknowledged[p]) <= before[p] + 1 for p in before if p.startswith("far"))
                sites.line.mend()
                await further("", 50)
                enough.set()

            async with asyncio.timeout(2 * DEADLINE):
                await asyncio.gather(break_it(), *map(write, acknowledged))
            head = await head_of(far)
            assert head >= max(stored[-1] for stored in acknowledged.values())
            await reader.wait_read(head)
            check_stored(reader, acknowledged)
            reader.close()


async def test_a_server_without_its_line_is_left(tmp_path: Path) -> None:
    """Its clients stay connected to it and have no answers: they go to another one of their site."""
    async with AsyncExitStack() as stack:
        aws = await stack.enter_async_context(node(tmp_path / "aws", domain="aws"))
        lines = [await stack.enter_async_context(wire(aws.leaf_port)) for _ in range(2)]
        near = [
            await stack.enter_async_context(node(tmp_path / name, domain=name, remotes=[line.port]))
            for name, line in zip(("one", "two"), lines, strict=True)
        ]
        await prepare("aws", [aws.url], NATS, LOG)
        await asyncio.gather(*(one.logged("Leafnode connection created") for one in near))
        log = await stack.enter_async_context(opened(*(one.url for one in near)))
        stored: list[int] = []
        for whole, broken in (lines, reversed(lines)):
            broken.cut()
            whole.mend()
            async with asyncio.timeout(DEADLINE):
                stored.append(await insist(log, message(len(stored) + 1)))
        assert log.statistics()["connections"] > 1
        page = await page_upto(log, "room", 0, stored[-1])
        assert sequences(page.entries) == stored


async def test_three_servers_at_each_site(tmp_path: Path) -> None:
    """Each server has a line of its own, and what crosses comes once; the stream's leader dies."""
    async with nodes(tmp_path / "aws", domain="aws") as aws:
        ports = [one.leaf_port for one in aws.nodes]
        async with nodes(tmp_path / "main", domain="main", remotes=ports) as main, admin(*aws.urls) as operator:
            await prepare("aws", aws.urls, THREE, LOG)
            await asyncio.gather(*(one.logged("Leafnode connection created") for one in main.nodes))
            async with AsyncExitStack() as stack:
                ways = [await stack.enter_async_context(opened(one.url, nats=THREE)) for one in main.nodes]
                readers = [Reader(log, "room", fresh=True) for log in ways]
                for reader in readers:
                    await reader.wait_current()
                acknowledged: dict[str, list[int]] = {f"p{n}": [] for n in range(3)}
                for _ in range(50):
                    for n, log in enumerate(ways):
                        stored = acknowledged[f"p{n}"]
                        stored.append(await insist(log, message(len(stored) + 1, f"p{n}")))
                for reader, log in zip(readers, ways, strict=True):
                    await reader.wait_read(await head_of(log))
                    assert log.statistics()["heard"] <= 150
                name = ways[0].stream("room")
                await aws[await operator.leader(name)].kill()
                async with asyncio.timeout(2 * DEADLINE):
                    for n, log in enumerate(ways):
                        stored = acknowledged[f"p{n}"]
                        stored.append(await insist(log, message(len(stored) + 1, f"p{n}")))
                for reader, log in zip(readers, ways, strict=True):
                    await reader.wait_read(await head_of(log))
                    check_stored(reader, acknowledged)
                    reader.close()
