"""Several edge processes that share their ports; the processes themselves are played."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from godwit.roles.workers import Workers
from godwit.settings import AuthSettings, EdgeSettings, NatsSettings, Settings, StoreSettings


class FakeChild:
    """A process that runs until it is stopped."""

    made: ClassVar[list[FakeChild]] = []

    def __init__(self, name: str, command: Sequence[str], ready: str) -> None:
        self.name = name
        self.command = command
        self.signals: list[int] = []
        self._ended = asyncio.Event()
        self.made.append(self)

    async def start(self) -> None:
        """It runs."""

    async def wait(self) -> int:
        """Wait for its end."""
        await self._ended.wait()
        return 0

    def send(self, number: int) -> None:
        """Note a signal."""
        self.signals.append(number)

    async def stop(self, patience: float) -> None:
        """End it."""
        self._ended.set()


@pytest.mark.row("TLS-1", "TLS-2")
@pytest.mark.parametrize(
    ("changed", "kinds"),
    [
        ({}, {"tcp", "ws"}),
        ({"certificate": "chat.pem"}, {"tcp", "ws", "tls", "wss"}),
        ({"certificate": "chat.pem", "tcp": False, "ws": False}, {"tls", "wss"}),
    ],
)
async def test_workers_share_their_ports(
    monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], kinds: set[str]
) -> None:
    """And are told together to read their certificate anew."""
    monkeypatch.setattr("godwit.roles.workers.Child", FakeChild)
    monkeypatch.setattr(FakeChild, "made", [])
    settings = Settings(
        clusters=("main", "aws"),
        store=StoreSettings(url="postgresql://db.example.net/godwit"),
        nats=NatsSettings(servers={"main": ["nats://a:1"], "aws": ["nats://b:1"]}),
        auth=AuthSettings(admin_token="secret"),
        edge=EdgeSettings(**changed),
    )
    workers = Workers(settings, "aws", 2, config=None, sets=(), ports_auto=True)
    told = (await workers.start())["clusters"]["aws"]
    try:
        assert {kind for kind, address in told.items() if address} == kinds
        for child in FakeChild.made:
            given = {
                name.removeprefix("edge.").removesuffix("_port"): int(value)
                for name, _, value in (word.partition("=") for word in child.command)
                if name.removeprefix("edge.") in ("tcp_port", "ws_port", "tls_port", "wss_port")
            }
            assert given.keys() == kinds
            for kind, port in given.items():
                assert f":{port + 1}" in told[kind]  # the cluster is the second: each counts one on
        workers.reload()
        assert [child.signals for child in FakeChild.made] == [[signal.SIGHUP]] * 2
    finally:
        await workers.stop()
