"""A real web server in a thread, with a controller that walks moves through their states at once."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import structlog
from prometheus_client import CollectorRegistry
from typer.testing import CliRunner

from godwit.cli import ready
from godwit.cli.root import app
from godwit.clock import FakeClock
from godwit.store.memory import MemoryStore
from godwit.values import Addresses, MoveState, Segment
from godwit.web import server as web_server
from godwit.web import service
from godwit.web.changes import Changes
from tests.cli.fake import FakeApi, serving

TOKEN = "the-admin-token"

ALL_STEPS: tuple[MoveState, ...] = ("opening", "opened", "sealing", "sealed", "draining", "settled")


@dataclass
class Ran:
    """What a command left."""

    status: int
    out: str
    err: str

    @property
    def refusal(self) -> str:
        """The one line on stderr of a command that was refused."""
        assert (self.status, self.out) == (2, ""), self
        assert self.err.startswith("godwit: ")
        assert self.err.endswith("\n")
        assert self.err.count("\n") == 1
        return self.err.removeprefix("godwit: ").rstrip("\n")


def run(*arguments: str, env: dict[str, str] | None = None) -> Ran:
    """Run a command in this process."""
    result = CliRunner().invoke(app, arguments, env=env, catch_exceptions=False)
    return Ran(result.exit_code, result.stdout, result.stderr)


@dataclass
class Server:
    """A web server over a store in memory.

    Attributes:
        steps: the states through which the controller takes each move.
        error: what a move that fails says.
    """

    store: MemoryStore = field(default_factory=MemoryStore)
    clock: FakeClock = field(default_factory=lambda: FakeClock(1_000_000.0))
    steps: Sequence[MoveState] = ALL_STEPS
    url: str = ""

    async def serve(self, started: threading.Event, stop: asyncio.Event) -> None:
        """Serve until `stop` is set."""
        changes = Changes()
        wished = asyncio.Event()
        await self.store.set_default(Segment("main", 1, 0, "s"), hold_until=0.0)
        app = service.build(
            store=self.store,
            clock=self.clock,
            addresses={name: Addresses(tcp=("127.0.0.1:1",), ws=("127.0.0.1:2",)) for name in ("main", "aws")},
            admin_token=TOKEN,
            changes=changes,
            on_wish=wished.set,
            checks=[],
            registry=CollectorRegistry(),
        )
        running = await web_server.serve(app, "127.0.0.1", 0)
        self.url = running.url
        controller = asyncio.create_task(self._control(wished, changes))
        started.set()
        await stop.wait()
        controller.cancel()
        changes.close()
        await running.stop()

    async def _control(self, wished: asyncio.Event, changes: Changes) -> None:
        while True:
            await wished.wait()
            wished.clear()
            for move in await self.store.moves(unfinished=True):
                for state in self.steps:
                    self.clock.advance(0.25)
                    if state == "draining":
                        to = Segment(move.target, 2, 5, "s")
                        await self.store.commit(move.channel, to, drain_until=1_000_060.0, now=self.clock.now())
                    if state == "settled":
                        await self.store.settle(move.channel, 2)
                    written = await self.store.journal(move, state, self.clock.now())
                    assert written is not None
                    move = written
                    changes.notify()


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that runs in a thread of its own."""
    made = Server()
    started = threading.Event()
    loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def body() -> None:
        stop = asyncio.Event()
        loops.append((asyncio.get_running_loop(), stop))
        await made.serve(started, stop)

    thread = threading.Thread(target=lambda: asyncio.run(body()))
    thread.start()
    assert started.wait(30)
    yield made
    loop, stop = loops[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join(30)
    assert not thread.is_alive()


@pytest.fixture
def ready_file(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The ready file of the server, as the environment names it."""
    path = tmp_path / "ready.json"
    ready.write(path, told(server.url))
    monkeypatch.setenv(ready.VARIABLE, str(path))
    return path


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    """An API that answers what the test says; the environment's ready file names it."""
    with serving() as api:
        path = tmp_path / "fake.json"
        ready.write(path, told(api.url))
        monkeypatch.setenv(ready.VARIABLE, str(path))
        yield api


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's user is seen or changed."""
    for name in ("GODWIT_API", "GODWIT_TOKEN", ready.VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """A command that sends the log to its stderr does so for one test only."""
    yield
    structlog.reset_defaults()


def told(api: str, pid: int = 1) -> dict[str, object]:
    """What a ready file says."""
    clusters = {
        "main": {"tcp": "127.0.0.1:6667", "tls": None, "ws": "ws://127.0.0.1:8080/"},
        "aws": {"tcp": "127.0.0.1:6668", "tls": None, "ws": "ws://127.0.0.1:8081/"},
    }
    return {"pid": pid, "api": api, "admin_token": TOKEN, "clusters": clusters}


def as_json(text: str) -> dict[str, object]:
    """The one JSON object that a command printed."""
    found = json.loads(text)
    assert isinstance(found, dict)
    return found
