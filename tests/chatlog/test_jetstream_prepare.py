"""Streams are made by `prepare`, and never on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from godwit.chatlog.jetstream import JetStreamLog
from godwit.chatlog.jetstream_prepare import prepare
from godwit.chatlog.jetstream_streams import PARTITIONS, Layout, lifetime
from godwit.errors import ChatLogUnavailable, LogNotPrepared
from godwit.settings import LogSettings, NatsSettings
from tests.conformance.chatlog import add, message
from tests.nats import Admin, Node, admin, node

NATS = NatsSettings(streams=2, replicas=1, max_bytes=1_000_000)
LOG = LogSettings()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Node]:
    async with node(tmp_path) as one:
        yield one


@pytest.fixture
async def operator(server: Node) -> AsyncIterator[Admin]:
    async with admin(server.url) as one:
        yield one


async def opening(server: Node, nats: NatsSettings = NATS, cluster: str = "main") -> None:
    """Open a log and close it."""
    log = JetStreamLog(cluster, [server.url], nats, LOG)
    try:
        await log.open()
    finally:
        await log.close()


def other(**changes: Any) -> NatsSettings:
    """The settings with some changed."""
    fields = {name: getattr(NATS, name) for name in NatsSettings.__dataclass_fields__}
    return NatsSettings(**fields | changes)


async def change(operator: Admin, name: str, **changes: Any) -> None:
    """What an operator changed by hand."""
    config = (await operator.call(f"STREAM.INFO.{name}"))["config"]
    assert "error" not in await operator.call(f"STREAM.UPDATE.{name}", config | changes)


async def test_nothing_is_made_by_opening(server: Node, operator: Admin) -> None:
    with pytest.raises(LogNotPrepared, match=r"2 of 2 streams .* missing: run 'godwit migrate'"):
        await opening(server)
    assert await operator.streams() == []


async def test_made_once(server: Node, operator: Admin) -> None:
    made = await prepare("main", [server.url], NATS, LOG)
    assert list(made.created) == await operator.streams()
    assert (len(made.created), made.updated, made.kept) == (2, (), ())
    again = await prepare("main", [server.url], NATS, LOG)
    assert (again.created, again.updated, again.kept) == ((), (), made.created)
    await opening(server)


async def test_clusters_on_the_same_servers(server: Node) -> None:
    """Each has streams of its own; a record of one is not in the other."""
    logs = []
    for cluster in ("main", "aws"):
        await prepare(cluster, [server.url], NATS, LOG)
        logs.append(JetStreamLog(cluster, [server.url], NATS, LOG))
        await logs[-1].open()
    main, aws = logs
    await add(main, "room", message(1))
    assert await aws.heads(["room"]) == [0]
    assert main.stream("room") != aws.stream("room")
    for log in logs:
        await log.close()


async def test_limits_can_be_changed(server: Node, operator: Admin) -> None:
    made = await prepare("main", [server.url], NATS, LOG)
    changed = await prepare("main", [server.url], other(max_bytes=2_000_000), LOG)
    assert changed.updated == made.created
    for name in made.created:
        assert (await operator.call(f"STREAM.INFO.{name}"))["config"]["max_bytes"] == 2_000_000


async def test_missing_one_is_made(server: Node, operator: Admin) -> None:
    made = await prepare("main", [server.url], NATS, LOG)
    await operator.call(f"STREAM.DELETE.{made.created[0]}")
    with pytest.raises(LogNotPrepared, match="1 of 2 streams"):
        await opening(server)
    again = await prepare("main", [server.url], NATS, LOG)
    assert len(again.created) == 1
    assert again.kept == made.created[1:]
    assert again.created[0] not in made.created


@pytest.mark.parametrize("streams", [1, 3])
async def test_another_number_of_streams(server: Node, operator: Admin, streams: int) -> None:
    """Channels would be looked for where they are not."""
    await prepare("main", [server.url], NATS, LOG)
    before = await operator.streams()
    for attempt in (
        opening(server, other(streams=streams)),
        prepare("main", [server.url], other(streams=streams), LOG),
    ):
        with pytest.raises(LogNotPrepared, match="streams"):
            await attempt
    assert await operator.streams() == before


async def test_storage_cannot_be_changed(server: Node) -> None:
    await prepare("main", [server.url], NATS, LOG)
    with pytest.raises(LogNotPrepared, match=r"kept in file, nats\.storage is memory"):
        await prepare("main", [server.url], other(storage="memory"), LOG)


async def test_more_replicas_than_servers(server: Node, operator: Admin) -> None:
    with pytest.raises(LogNotPrepared, match="replicas"):
        await prepare("main", [server.url], other(replicas=3), LOG)
    assert await operator.streams() == []


async def test_stream_of_somebody_else(server: Node, operator: Admin) -> None:
    await operator.call("STREAM.CREATE.theirs", {"name": "theirs", "subjects": ["godwit.main.7.>"]})
    for attempt in (opening(server), prepare("main", [server.url], NATS, LOG)):
        with pytest.raises(LogNotPrepared, match=r"stream theirs uses subjects below godwit\.main"):
            await attempt
    assert await operator.streams() == ["theirs"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_age": 600_000_000_000},
        {"max_msgs_per_subject": 100},
        {"discard": "old"},
        {"max_msgs": 1000},
        {"republish": None},
    ],
)
async def test_limits_that_break_the_log(server: Node, operator: Admin, wrong: dict[str, Any]) -> None:
    """Rule L3: with them open and seal could go too early, or nothing would come live."""
    made = await prepare("main", [server.url], NATS, LOG)
    await change(operator, made.created[1], **wrong)
    with pytest.raises(LogNotPrepared, match=f"{made.created[1]} has {next(iter(wrong))}"):
        await opening(server)


async def test_other_version(server: Node, operator: Admin) -> None:
    made = await prepare("main", [server.url], NATS, LOG)
    await change(operator, made.created[0], metadata={"godwit.version": "0"})
    with pytest.raises(LogNotPrepared, match="is of version 0, this Godwit needs 1"):
        await opening(server)


async def test_lost_everything(server: Node, operator: Admin) -> None:
    """It is made anew under another creation id."""
    made = await prepare("main", [server.url], NATS, LOG)
    await operator.call(f"STREAM.PURGE.{made.created[0]}")
    with pytest.raises(LogNotPrepared, match="has lost what it held"):
        await opening(server)
    again = await prepare("main", [server.url], NATS, LOG)
    assert again.kept == made.created[1:]
    assert not set(again.created) & set(made.created)
    await opening(server)


async def test_what_holds_records_is_never_deleted(server: Node, operator: Admin) -> None:
    made = await prepare("main", [server.url], other(streams=1), LOG)
    log = JetStreamLog("main", [server.url], other(streams=1), LOG)
    await log.open()
    await add(log, "room", message(1))
    await log.close()
    await operator.call(f"STREAM.MSG.DELETE.{made.created[0]}", {"seq": 1})
    with pytest.raises(LogNotPrepared, match="lost its first record but holds 1 others"):
        await prepare("main", [server.url], other(streams=1), LOG)
    assert await operator.streams() == list(made.created)


async def test_no_server(server: Node) -> None:
    """The error names the servers, without what is secret."""
    url = server.url.replace("nats://", "nats://jo:hush@")
    await server.kill()
    with pytest.raises(ChatLogUnavailable, match=f"nats://127.0.0.1:{server.port}: .*Connect") as error:
        await prepare("main", [url], NATS, LOG)
    assert "hush" not in str(error.value)
    with pytest.raises(ChatLogUnavailable, match="none configured"):
        await prepare("main", [], NATS, LOG)


def test_channels_are_spread() -> None:
    layout = Layout("main", 4)
    channels = [f"channel{number}" for number in range(4000)]
    counts = [sum(layout.stream(channel) == stream for channel in channels) for stream in range(4)]
    assert min(counts) > 800
    assert {layout.partition(channel) for channel in channels} == set(range(PARTITIONS))
    assert all(layout.partition(channel) % 4 == layout.stream(channel) for channel in channels)


@pytest.mark.parametrize(("cluster", "streams"), [("a.b", 4), ("", 4), ("a b", 4), ("main", 0), ("main", 65)])
def test_layout_that_cannot_be(cluster: str, streams: int) -> None:
    with pytest.raises(LogNotPrepared):
        Layout(cluster, streams)


@pytest.mark.parametrize(("age", "seconds"), [(900.0, 990), (1.0, 2), (2.5, 4)])
def test_records_live_longer_than_promised(age: float, seconds: int) -> None:
    assert lifetime(LogSettings(max_age=age)) == seconds
