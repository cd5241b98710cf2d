"""`JetStreamLog` keeps the chat log's contract over real servers."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from godwit.chatlog.base import ChatLog
from godwit.chatlog.jetstream import JetStreamLog
from godwit.chatlog.jetstream_prepare import prepare
from godwit.settings import LogSettings, NatsSettings
from tests.conformance.chatlog import DEADLINE, ChatLogSuite
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


class TestJetStreamLog(ChatLogSuite):
    """The suite, on one server."""

    @pytest.fixture
    async def rig(self, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[NatsRig]:
        expires = "expire" in request.function.__code__.co_names
        settings = BRIEF if expires else KEPT
        async with node(tmp_path) as server:
            await prepare("main", [server.url], NATS, settings)
            rig = NatsRig(server, settings)
            yield rig
            await rig.close()
