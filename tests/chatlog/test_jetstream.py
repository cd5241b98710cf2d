"""`JetStreamLog` keeps the chat log's contract over real servers."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from godwit.chatlog.base import ChatLog
from godwit.chatlog.jetstream import JetStreamLog
from godwit.chatlog.jetstream_prepare import prepare
from godwit.chatlog.jetstream_streams import PARTITIONS, Layout
from godwit.settings import LogSettings, NatsSettings
from tests.conformance.chatlog import DEADLINE, ChatLogSuite, add, message, reading, sequences
from tests.nats import Node, admin, node, pause

NATS = NatsSettings(streams=2, replicas=1, max_bytes=50_000_000)
KEPT = LogSettings(max_age=900.0)
BRIEF = LogSettings(max_age=2.0)
"""For tests that let records expire; they do so a second after that."""


class NatsRig:
    """A log on a server of its own."""

    def __init__(self, server: Node, settings: LogSettings) -> None:
        self._server = server
        self._settings = settings
        self._ways = AsyncExitStack()
        self._logs: list[JetStreamLog] = []

    @property
    def url(self) -> str:
        """Where the server is."""
        return self._server.url

    async def open(self) -> ChatLog:
        log = JetStreamLog("main", [self._server.url], NATS, self._settings)
        await log.open()
        self._ways.push_async_callback(log.close)
        self._logs.append(log)
        return log

    async def recreate(self) -> None:
        async with admin(self._server.url) as operator:
            await operator.remove()
        await prepare("main", [self._server.url], NATS, self._settings)

    async def expire(self) -> None:
        async with admin(self._server.url) as operator, asyncio.timeout(DEADLINE):
            for name in await operator.streams():
                upto = (await operator.call(f"STREAM.INFO.{name}"))["state"]["last_seq"]
                while any(may_go(message) and message["seq"] <= upto for message in await operator.messages(name)):
                    await pause()
                    await self._logs[0].sweep()

    async def close(self) -> None:
        """Close all ways to the log."""
        await self._ways.aclose()
        self._logs.clear()


def may_go(message: dict[str, Any]) -> bool:
    """Whether a message of a stream expires, or lets others."""
    return b"Nats-TTL" in base64.b64decode(message.get("hdrs", "")) or ".release." in message["subject"]


@pytest.fixture
async def rig(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[NatsRig]:
    settings = BRIEF if "expire" in request.function.__code__.co_names else KEPT
    async with node(tmp_path) as server:
        await prepare("main", [server.url], NATS, settings)
        rig = NatsRig(server, settings)
        yield rig
        await rig.close()


class TestJetStreamLog(ChatLogSuite):
    """The suite, on one server."""


async def test_no_hole_for_who_has_compared(rig: NatsRig) -> None:
    """Who stood at the end of a silent channel has missed nothing when its last record expires."""
    log = await rig.open()
    subscription = log.subscribe("room", lambda entry: None, lambda: None)
    [stored] = await add(log, "room", message(1))
    [noise] = await add(log, "noise", message(1))
    assert await log.heads(["room"]) == [stored]
    await rig.expire()
    [compared] = await log.heads(["room"])
    assert compared == stored
    page = await log.read("room", stored)
    assert (page.entries, page.floor) == ((), 0)
    assert page.upto >= stored
    subscription.close()
    assert (await log.read("room", stored)).floor >= stored
    assert noise


async def test_heads_of_many(rig: NatsRig) -> None:
    """More than the server answers at once; compared again, only what has changed is sent."""
    log = await rig.open()
    channels = [f"room{number}" for number in range(2500)]
    subscriptions = [log.subscribe(channel, lambda entry: None, lambda: None) for channel in channels]
    stored = dict.fromkeys(channels, 0)
    for channel in channels[::100]:
        [stored[channel]] = await add(log, channel, message(1))
    for _ in range(2):
        assert await log.heads(channels) == list(stored.values())
    changed = channels[1::100]
    for channel in changed:
        [stored[channel]] = await add(log, channel, message(1))
    assert await log.heads(channels) == list(stored.values())
    for subscription in subscriptions:
        subscription.close()


async def test_few_subscriptions(rig: NatsRig) -> None:
    """As many as there are partitions, and one for answers; none is left over."""
    log = await rig.open()
    subscriptions = [log.subscribe(f"room{n}", lambda entry: None, lambda: None) for n in range(2000)]
    assert isinstance(log, JetStreamLog)
    assert log.statistics()["subscriptions"] == PARTITIONS + 1
    assert log.statistics()["channels"] == 2000
    for subscription in subscriptions:
        subscription.close()
        subscription.close()
    assert log.statistics()["subscriptions"] == 1


async def test_what_is_no_record(rig: NatsRig) -> None:
    """Somebody else's message is read over, live too; the reader is not stuck before it."""
    log = await rig.open()
    [first] = await add(log, "room", message(1))
    async with admin(rig.url) as operator:
        ack = json.loads((await operator.client.request(Layout("main", 2).subject("room"), b"hello")).data)
        async with reading(log, "room") as reader:
            assert sequences(reader.entries) == [first]
            [head] = await log.heads(["room"])
            assert head == ack["seq"]
            await reader.wait_read(head)
            [second] = await add(log, "room", message(2))
            await reader.wait_read(second)
            assert reader.records == [message(1), message(2)]


async def test_statistics(rig: NatsRig) -> None:
    log = await rig.open()
    assert isinstance(log, JetStreamLog)
    await add(log, "room", message(1), message(2))
    assert log.statistics() == {
        "appended": 2,
        "channels": 0,
        "connections": 1,
        "heard": 0,
        "slow": 0,
        "stale": 0,
        "subscriptions": 1,
    }
