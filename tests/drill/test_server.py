"""A server is a child process that is started, waited for and ended."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from godwit.drill.faults import FAULT_VARIABLE, Fault
from godwit.drill.server import ClusterAddresses, Process, Ready, Server, ServerFailed

READY = {
    "pid": 1,
    "api": "http://127.0.0.1:1",
    "admin_token": "secret",
    "clusters": {"main": {"tcp": "127.0.0.1:2", "tls": None, "ws": "ws://127.0.0.1:3/"}},
}

PRELUDE = f"""
import os, signal, sys
arguments = sys.argv[1:]
def ready():
    with open(arguments[arguments.index("--ready-file") + 1], "w") as file:
        file.write({json.dumps(READY)!r})
    print("godwit: ready", file=sys.stderr, flush=True)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
"""


def _server(directory: Path, script: str) -> Server:
    return Server(directory, {"move.drain": "1"}, command=(sys.executable, "-c", PRELUDE + script))


async def test_start_and_stop(tmp_path: Path) -> None:
    """The ready file is read when the line has come; SIGTERM ends it cleanly."""
    server = _server(tmp_path, "ready()\nwhile True: signal.pause()")
    ready = await server.start()
    assert (ready.api, ready.admin_token) == ("http://127.0.0.1:1", "secret")
    assert ready.clusters == {"main": ClusterAddresses("127.0.0.1:2", "ws://127.0.0.1:3/")}
    assert await server.stop() == ""
    assert await Server(tmp_path, {}).stop() == ""


async def test_options_and_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings go along as options; skip-seal as a variable, which is not passed on otherwise."""
    monkeypatch.setenv(FAULT_VARIABLE, "left over")
    script = f"print(*arguments[2:], os.environ.get({FAULT_VARIABLE!r}), file=sys.stderr); ready()"
    said = []
    faults: list[Fault] = ["none", "drop", "skip-seal"]
    for fault in faults:
        server = Server(tmp_path, {"move.drain": "1"}, fault, (sys.executable, "-c", PRELUDE + script))
        await server.start()
        await server.stop()
        said.append(server.last_words)
    assert said == [f"--set move.drain=1 {fault}" for fault in (None, None, "skip-seal")]
    assert os.environ[FAULT_VARIABLE] == "left over"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("sys.exit('port in use')", "port in use"),
        ("print('godwit: ready', file=sys.stderr)", "it said nothing"),
    ],
)
async def test_it_does_not_start(tmp_path: Path, script: str, message: str) -> None:
    """An end before it is ready, or no ready file: its last words are told."""
    with pytest.raises(ServerFailed, match=message):
        await _server(tmp_path, script).start()


async def test_it_ends_at_once(tmp_path: Path) -> None:
    """The status is its own, though it may be asked to end while it does."""
    server = _server(tmp_path, "ready()\nsys.exit(3)")
    await server.start()
    await server.wait_silent()
    assert "ended by itself with status 3" in await server.stop()


async def test_it_ends_badly(tmp_path: Path) -> None:
    """A status other than 0 is told."""
    script = "signal.signal(signal.SIGTERM, lambda *_: sys.exit('no!'))\nready()\nwhile True: signal.pause()"
    server = _server(tmp_path, script)
    await server.start()
    assert await server.stop() == "the server ended with status 1: no!"


async def test_it_ends_by_itself(tmp_path: Path) -> None:
    """That is told too, even with status 0."""
    server = _server(tmp_path, "ready()")
    await server.start()
    await server.wait_silent()
    assert "ended by itself with status 0" in await server.stop()


async def test_it_does_not_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is killed."""
    monkeypatch.setattr("godwit.drill.server.STOP_PATIENCE", 0.05)
    server = _server(tmp_path, "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nready()\nwhile True: signal.pause()")
    await server.start()
    assert "did not end within" in await server.stop()


async def test_it_is_not_ready_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is ended."""
    monkeypatch.setattr("godwit.drill.server.START_PATIENCE", 0.05)
    with pytest.raises(ServerFailed, match="TimeoutError"):
        await _server(tmp_path, "while True: signal.pause()").start()


async def test_many_may_take_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the factor that is given."""
    monkeypatch.setattr("godwit.drill.server.STOP_PATIENCE", 0.05)
    script = PRELUDE + "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nready()\nwhile True: signal.pause()"
    server = Server(tmp_path, {}, command=(sys.executable, "-c", script), patience=3)
    await server.start()
    assert "did not end within 0.15 s" in await server.stop()


async def test_a_start_that_is_cancelled(tmp_path: Path) -> None:
    """It leaves nothing behind."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    server = _server(tmp_path, f"open({str(pipe)!r}, 'w').write(str(os.getpid()))\nwhile True: signal.pause()")
    starting = asyncio.create_task(server.start())
    pid = int(await asyncio.to_thread(pipe.read_text, "utf-8"))
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_edges() -> None:
    """Those of one process have no name; those of many have their process's."""
    alone = ClusterAddresses("127.0.0.1:2", "ws://127.0.0.1:3/")
    assert Ready("", "", {"main": alone}).edges("main") == {"": alone}
    many = Ready(
        "",
        "",
        {"main": alone},
        processes={
            "nats-main-1": Process("nats", 1, "main"),
            "edge-main-1": Process("edge", 2, "main", "127.0.0.1:2", "ws://127.0.0.1:3/"),
            "edge-aws-1": Process("edge", 3, "aws", "127.0.0.1:4", "ws://127.0.0.1:5/"),
        },
    )
    assert many.edges("main") == {"edge-main-1": alone}


def test_who_has_ended(tmp_path: Path) -> None:
    """Who has another process id than at the start, or none."""
    ready = Ready("", "", {}, str(tmp_path), {name: Process("edge", pid) for pid, name in enumerate("abc", 1)})
    pids = {"a": 1, "b": 0, "c": 7}
    told = {name: {"role": "edge", "pid": pid, "more": "things"} for name, pid in pids.items()}
    (tmp_path / "processes.json").write_text(json.dumps(told), encoding="utf-8")
    assert ready.ended() == ["b", "c"]
    assert Ready("", "", {}).ended() == []
