"""A network of many processes on one machine; `tests/e2e/test_roles.py` runs a whole one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from godwit.errors import InvalidRequest
from godwit.local.nodes import LocalNetwork, Size
from godwit.settings import EdgeSettings, Settings


def test_sizes_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="1 or 3 NATS servers here, not 2"):
        LocalNetwork(Size(nats=2), tmp_path)


async def test_what_does_not_start_leaves_nothing_running(tmp_path: Path) -> None:
    """Here a setting that cannot be; it is found when the servers run already."""
    network = LocalNetwork(Size(("main",), 1, 1, 1), tmp_path, ["move.drain=never"])
    with pytest.raises(InvalidRequest, match=r"move\.drain"):
        await network.start()
    assert [about["pid"] for about in network.processes().values()] == [0, 0]
    assert (tmp_path / "godwit.toml").stat().st_mode & 0o777 == 0o600
    await network.stop()


async def test_a_start_is_undone_to_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if somebody is told to end while it is undone, and whoever else ends it waits for that."""
    network = LocalNetwork(Size(("main",), 1, 1, 1), tmp_path)
    begun, may_end = asyncio.Event(), asyncio.Event()
    done: list[str] = []

    async def fail() -> None:
        raise InvalidRequest("no room")

    async def end() -> None:
        begun.set()
        await may_end.wait()
        done.append("ended")

    monkeypatch.setattr(network, "_start", fail)
    monkeypatch.setattr(network, "_end", end)
    starting = asyncio.create_task(network.start())
    await begun.wait()
    for _ in range(2):
        starting.cancel()
        await asyncio.sleep(0)
    assert not starting.done()
    may_end.set()
    with pytest.raises(InvalidRequest, match="no room"):
        await starting
    await network.stop()
    assert done == ["ended"]


def test_what_processes_are_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their settings by file and command line; of Godwit's variables only the one that asks for the demo's fault."""
    given: dict[str, tuple[Sequence[str], Mapping[str, str]]] = {}

    class FakeChild:
        """Is never started."""

        pid = 0

        def __init__(
            self, name: str, command: Sequence[str], ready: str, *, file: Path, how: Mapping[str, Any]
        ) -> None:
            given[name] = command, how["env"]

    monkeypatch.setattr("godwit.local.nodes.Child", FakeChild)
    monkeypatch.setenv("GODWIT_DEMO_FAULT", "skip-seal")
    monkeypatch.setenv("GODWIT_MOVE__DRAIN", "7")
    network = LocalNetwork(Size(("main",), 1, 1, 1), tmp_path, ["move.drain=1"])
    network._make_processes(Settings(clusters=("main",)))
    assert sorted(given) == ["controller-1", "directory-1", "edge-main-1"]
    for command, environment in given.values():
        assert "move.drain=1" in command
        assert {name: value for name, value in environment.items() if name.startswith("GODWIT_")} == {
            "GODWIT_DEMO_FAULT": "skip-seal"
        }


@pytest.mark.row("TLS-1")
@pytest.mark.parametrize(
    ("certificate", "kinds"), [("", {"tcp", "ws"}), ("chat.pem", {"tcp", "tls", "ws", "wss"})], ids=["plain", "tls"]
)
def test_where_edges_listen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, certificate: str, kinds: set[str]) -> None:
    """Each has ports of its own, which the ready file tells."""
    commands: list[Sequence[str]] = []

    class FakeChild:
        """Is never started."""

        pid = 0

        def __init__(self, name: str, command: Sequence[str], ready: str, **how: Any) -> None:
            commands.append(command)

    monkeypatch.setattr("godwit.local.nodes.Child", FakeChild)
    network = LocalNetwork(Size(("main", "aws"), 1, 2, 1), tmp_path)
    network._make_processes(Settings(clusters=("main", "aws"), edge=EdgeSettings(certificate=certificate)))
    told = network._told()
    for cluster in ("main", "aws"):
        assert {kind for kind, address in told["clusters"][cluster].items() if address} == kinds
        for about in [about for about in told["processes"].values() if about.get("cluster") == cluster]:
            assert kinds <= about.keys()
    given = [word for command in commands for word in command if "_port=" in word]
    assert {word.partition("_port=")[0].removeprefix("edge.") for word in given} == kinds
    assert len(given) == 4 * len(kinds)
