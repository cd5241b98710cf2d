"""What everything stands on: opened as the settings say, or refused with one line that says what to do."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from godwit import ground
from godwit.chatlog.jetstream_prepare import prepare
from godwit.chatlog.memory import MemoryLog
from godwit.chatlog.whole import WholeLog
from godwit.clock import FakeClock, SystemClock
from godwit.clocks import measure
from godwit.errors import ChatLogUnavailable, InvalidRequest, InvalidSetting, LogNotPrepared, StoreNotPrepared
from godwit.errors import StoreUnavailable as Away
from godwit.ground import Ground, open_ground, open_logs, require_shared
from godwit.settings import AuthSettings, NatsSettings, Settings, StoreSettings
from godwit.values import Segment
from tests.nats import Node, node
from tests.postgres import Databases

CLUSTERS = ("main", "aws")


def of_nats(url: str) -> NatsSettings:
    """One server for both clusters."""
    return NatsSettings(servers={name: [url] for name in CLUSTERS}, streams=2, replicas=1, max_bytes=10_000_000)


async def opened(settings: Settings, up: AsyncExitStack) -> Ground:
    """The ground, without waiting for anybody."""
    return await open_ground(settings, SystemClock(), up)


@pytest.fixture
async def up() -> AsyncIterator[AsyncExitStack]:
    """Closes what a test opens."""
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Node]:
    """A NATS server without streams."""
    async with node(tmp_path / "nats") as one:
        yield one


async def test_one_process_by_itself(tmp_path: Path, up: AsyncExitStack) -> None:
    """A file that is migrated, and logs that end with the process: what was in them is opened anew."""
    settings = Settings(clusters=CLUSTERS, store=StoreSettings(path=str(tmp_path / "s.sqlite3")))
    async with AsyncExitStack() as first:
        one = await opened(settings, first)
        assert [type(each) for each in one.logs.values()] == [MemoryLog, MemoryLog]
        assert len(one.embedded) == 2
        await one.store.pin(["room"])
    two = await opened(settings, up)
    assert (await two.store.placement("room")).segment == Segment("main", 3, 0, two.logs["main"].stream(""), True)
    assert await two.store_answers() == await two.logs_answer() == ""


async def test_many_processes_share_store_and_logs(databases: Databases, server: Node, up: AsyncExitStack) -> None:
    """What is there when another process comes stays as it is."""
    url = await databases.empty_store()
    settings = Settings(clusters=CLUSTERS, store=StoreSettings(url=url), nats=of_nats(server.url))
    for name in CLUSTERS:
        await prepare(name, [server.url], settings.nats, settings.log)
    one, two = [await opened(settings, up) for _ in range(2)]
    assert all(isinstance(each, WholeLog) for each in one.logs.values())
    assert one.embedded == ()
    await one.store.pin(["room"])
    placement = await two.store.placement("room")
    assert placement.segment == Segment("main", 1, 0, one.logs["main"].stream("room"))
    assert two.logs["main"].stream("room") == one.logs["main"].stream("room") != one.logs["aws"].stream("room")
    assert await two.logs_answer() == ""
    await server.kill()
    inner = two.logs["aws"]
    assert isinstance(inner, WholeLog)
    with pytest.raises(ChatLogUnavailable):
        await inner.heads(["room"])
    assert await two.logs_answer() == "no chat log of main, aws"


async def test_streams_that_are_missing(databases: Databases, server: Node, up: AsyncExitStack) -> None:
    settings = Settings(
        clusters=CLUSTERS, store=StoreSettings(url=await databases.empty_store()), nats=of_nats(server.url)
    )
    with pytest.raises(LogNotPrepared, match="2 of 2 streams of the chat log are missing: run 'godwit migrate'"):
        await opened(settings, up)


async def test_a_store_that_needs_migration(databases: Databases, up: AsyncExitStack) -> None:
    settings = Settings(clusters=CLUSTERS, store=StoreSettings(url=await databases.new()))
    with pytest.raises(StoreNotPrepared, match="run 'godwit migrate' first"):
        await opened(settings, up)


async def test_wrong_addresses(tmp_path: Path, up: AsyncExitStack) -> None:
    """Each is told with the address that was tried."""
    store = StoreSettings(url="postgresql://godwit@127.0.0.1:1/none")
    with pytest.raises(Away, match=r"127\.0\.0\.1:1/none"):
        await opened(Settings(clusters=CLUSTERS, store=store), up)
    settings = Settings(
        clusters=CLUSTERS,
        store=StoreSettings(path=str(tmp_path / "s.sqlite3")),
        nats=of_nats("nats://127.0.0.1:1"),
    )
    with pytest.raises(ChatLogUnavailable, match="cluster main: no NATS server answers at"):
        await opened(settings, up)


async def test_start_order_does_not_matter(
    databases: Databases, up: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who does not answer yet is waited for, up to a bound."""
    settings = Settings(clusters=CLUSTERS, store=StoreSettings(url=await databases.empty_store()))
    whole, tries = ground.open_store, 0

    async def late(*args: object) -> object:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise Away("not yet")
        return await whole(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(ground, "AGAIN", 0)
    monkeypatch.setattr(ground, "open_store", late)
    await open_ground(settings, SystemClock(), up, patience=60.0)
    assert tries == 3


@pytest.mark.parametrize("offset", [30.0, -30.0])
async def test_a_clock_that_is_another_one(databases: Databases, up: AsyncExitStack, offset: float) -> None:
    """Nothing is begun with it."""
    settings = Settings(clusters=CLUSTERS, store=StoreSettings(url=await databases.empty_store()))
    told = f"clock is 30 s {'ahead of' if offset > 0 else 'behind'} that of the database: set both by NTP"
    with pytest.raises(InvalidRequest, match=told):
        await open_ground(settings, FakeClock(time.time() + offset), up)


async def test_the_clock_of_a_chat_log(server: Node, up: AsyncExitStack) -> None:
    """That of the servers of each cluster is asked for, too."""
    settings = Settings(clusters=CLUSTERS, nats=of_nats(server.url))
    for name in CLUSTERS:
        await prepare(name, [server.url], settings.nats, settings.log)
    logs = await open_logs(settings, SystemClock(), up)
    asks = [each.inner.clock for each in logs.values() if isinstance(each, WholeLog) and hasattr(each.inner, "clock")]
    assert len(asks) == len(CLUSTERS)
    for ask in asks:
        assert await measure(SystemClock(), ask) == 0.0
        assert 29.0 < await measure(FakeClock(time.time() + 30.0), ask) < 31.0


async def test_clocks_that_agree(databases: Databases, server: Node, up: AsyncExitStack) -> None:
    settings = Settings(
        clusters=CLUSTERS, store=StoreSettings(url=await databases.empty_store()), nats=of_nats(server.url)
    )
    for name in CLUSTERS:
        await prepare(name, [server.url], settings.nats, settings.log)
    clocks = (await opened(settings, up)).clocks
    assert clocks.ahead == {"the database": 0.0, "the chat log of main": 0.0, "the chat log of aws": 0.0}
    assert await clocks.agree() == ""


def test_many_processes_need_what_can_be_shared() -> None:
    settings = Settings()
    with pytest.raises(InvalidSetting, match=r"needs store.url, nats.servers, auth.admin_token or"):
        require_shared(settings, "edge")
    given = replace(settings, store=StoreSettings(url="postgresql://x"), auth=AuthSettings(admin_token="secret"))
    with pytest.raises(InvalidSetting, match=r"needs nats.servers; "):
        require_shared(given, "edge")
    require_shared(replace(given, nats=of_nats("nats://x:1")), "edge")
