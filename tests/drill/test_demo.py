"""A whole drill against a toy server: green when that is right, red when anything is wrong."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from godwit.drill import demo
from godwit.drill.demo import Drill
from godwit.drill.faults import Fault
from godwit.drill.result import DemoOptions, Result, Snapshot
from godwit.drill.server import UP, Ready
from tests.drill.toy import Sabotage, Toy

SMALL = DemoOptions(channels=2, talkers=4, followers=4, legacy=4, moves=2)


@pytest.fixture(autouse=True)
def in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Talk fast, and not for long."""
    monkeypatch.setattr(demo, "CALM", 4)
    monkeypatch.setattr(demo, "PACE", (0.002, 0.02))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up early, where something will not come."""
    monkeypatch.setattr(demo, "LAST_PATIENCE", 0.3)
    monkeypatch.setattr(demo, "MOVE_PATIENCE", 0.6)


async def _drill(options: DemoOptions = SMALL, sabotage: Sabotage = "") -> Result:
    async with Toy(sabotage) as toy:
        drill = Drill(options, toy.ready, None, time.monotonic())
        await drill.run()
        return drill.result()


async def test_green() -> None:
    """Everything is counted, and it is exact."""
    result = await _drill()
    assert result.problems == ()
    assert result.ok
    assert (result.channels, result.clients, result.moves) == (2, 12, 4)
    assert result.sent == result.acknowledged > 0
    assert result.expected == result.delivered > result.sent
    assert (result.lost, result.duplicated, result.misordered, result.foreign, result.unacknowledged) == (0,) * 5
    assert result.serverchange_seen == result.serverchange_expected > 8
    assert set(result.longest_silence_ms) == {"follower", "legacy"}


@pytest.mark.parametrize(
    "options",
    [
        replace(SMALL, legacy=0),
        replace(SMALL, followers=0),
        replace(SMALL, channels=5, talkers=2),
        replace(SMALL, moves=3),
        replace(SMALL, seed=2),
    ],
)
async def test_green_in_other_sizes(options: DemoOptions) -> None:
    """Without one of the roles, with few talkers, ending elsewhere."""
    result = await _drill(options)
    assert result.problems == ()
    assert result.ok


async def test_many_edges(tmp_path: Path) -> None:
    """Clients are spread over them, at home and where they follow to."""
    async with Toy(edges=2) as toy:
        result = await _watched(toy, tmp_path, {name: edge.pid for name, edge in toy.ready.processes.items()})
    assert result.problems == ()
    assert {node.name: node.connections for node in result.nodes} == {
        "edge-main-1": 6,
        "edge-main-2": 6,
        "edge-aws-1": 4,
        "edge-aws-2": 2,
    }


async def test_a_process_that_ends_turns_it_red(tmp_path: Path) -> None:
    """Even if nobody missed anything."""
    async with Toy(edges=2) as toy:
        pids = {name: edge.pid for name, edge in toy.ready.processes.items()}
        result = await _watched(toy, tmp_path, pids | {"edge-aws-2": 1})
    assert result.problems == ("edge-aws-2 ended by itself and was started again",)
    assert not result.ok


async def test_an_edge_without_clients_turns_it_red(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the clients were not told of it, or all went the same way."""
    monkeypatch.setattr("godwit.drill.doors.Doors.away", lambda doors, part, cluster: 0)
    async with Toy(edges=2) as toy:
        result = await _watched(toy, tmp_path, {name: edge.pid for name, edge in toy.ready.processes.items()})
    assert result.problems == ("nobody came to edge-aws-2",)


async def test_without_a_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows where to go; that is a problem, not an exception."""
    monkeypatch.setattr("godwit.drill.doors.PATIENCE", 0.0)
    async with Toy() as toy:
        toy.listed["aws"] *= 0
        drill = Drill(SMALL, toy.ready, None, time.monotonic())
        await drill.run()
    assert drill.result().problems[0].startswith("the directory: the directory names () as aws")


async def _watched(toy: Toy, directory: Path, pids: dict[str, int]) -> Result:
    """A drill against a toy of many edges, of whom the network says that they have these process ids at the end."""
    told = {name: {"role": "edge", "pid": pid} for name, pid in pids.items()}
    (directory / "processes.json").write_text(json.dumps(told), encoding="utf-8")
    toy.ready = msgspec.structs.replace(toy.ready, directory=str(directory))
    drill = Drill(SMALL, toy.ready, None, time.monotonic())
    await drill.run()
    return drill.result()


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", ["drop", "repeat", "swap"])
async def test_a_fault_turns_it_red(fault: Fault) -> None:
    """Each in its own column."""
    result = await _drill(replace(SMALL, fault=fault))
    assert not result.ok
    assert {
        "drop": result.lost,
        "repeat": result.duplicated,
        "swap": result.misordered,
    }[fault] >= 1
    assert "FAILED" in result.verdict
    assert result.problems


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", ["drop", "repeat", "swap"])
@pytest.mark.parametrize(
    "options", [replace(SMALL, legacy=0), replace(SMALL, legacy=0, followers=0, talkers=3, channels=1)]
)
async def test_a_fault_finds_a_victim_anyway(fault: Fault, options: DemoOptions) -> None:
    """Also without legacy listeners, and without any listeners."""
    assert not (await _drill(replace(options, fault=fault))).ok


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("sabotage", "problem"),
    [
        ("lose", "lost: message"),
        ("late", "out of order: message"),
        ("unacknowledged", "not acknowledged: message"),
        ("mute", "no SERVERCHANGE for"),
        ("fail", "failed"),
        ("refuse", "it is moving already"),
        ("deaf", "lost: message"),
        ("hang-up", "lost its connection to main"),
    ],
)
async def test_a_bad_server_is_found_out(sabotage: Sabotage, problem: str) -> None:
    """Whatever it does wrong is named."""
    result = await _drill(sabotage=sabotage)
    assert not result.ok
    assert any(problem in text for text in result.problems), result.problems


async def test_it_reports() -> None:
    """Snapshots come on the way, the last one with the final counts."""
    seen: list[Snapshot] = []
    async with Toy() as toy:
        drill = Drill(SMALL, toy.ready, seen.append, time.monotonic())
        await drill.run()
    assert [view.channel for view in seen[0].channels] == ["drill000", "drill001"]
    assert seen[-1].total.delivered == drill.result().delivered
    assert seen[-1].channels[0].moves == (("aws", "settled"), ("main", "settled"))


async def test_a_server_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a problem in the result, with the server's last words."""
    monkeypatch.setattr("godwit.drill.server.SERVE", ("false",))
    result = await demo.run(SMALL)
    assert not result.ok
    assert "the server is not ready" in result.problems[0]


@pytest.mark.parametrize("end", ["", "the server ended with status 3"])
@pytest.mark.parametrize("nodes", [False, True])
async def test_the_servers_end_counts(monkeypatch: pytest.MonkeyPatch, end: str, nodes: bool) -> None:
    """A whole run is green only if the server ends well, be it one process or many."""
    phases: list[str] = []
    async with Toy() as toy:

        class FakeServer:
            """Is there already; ends as the test wants."""

            def __init__(
                self, directory: Path, settings: dict[str, str], fault: Fault, command: tuple[str, ...] = (), *_: float
            ) -> None:
                assert directory.is_dir()
                assert settings["limits.preset"] == "off"
                if nodes:
                    assert command == (*UP, "--dir", str(directory / "nodes"))
                else:
                    assert (settings["store.path"], command) == (str(directory / "godwit.sqlite3"), ())

            async def start(self) -> Ready:
                """Say where the toy is."""
                return toy.ready

            async def stop(self) -> str:
                """Say how it ended."""
                return end

        monkeypatch.setattr(demo, "Server", FakeServer)
        result = await demo.run(replace(SMALL, nodes=nodes), lambda seen: phases.append(seen.phase))
    assert (phases[0], phases[-1]) == ("starting", "done")
    assert result.problems == ((end,) if end else ())
    assert result.ok == (not end)
