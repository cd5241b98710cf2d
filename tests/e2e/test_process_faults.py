"""What processes of many cannot work with: one clear line and a status that is not 0, never half a process."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from tests.bots.driver import DEADLINE, ROOT
from tests.e2e.harness import Outcome, Server, raw_client, run_cli
from tests.nats import Node, node
from tests.postgres import Databases

TOKEN = "the-admin-token"
NOWHERE = "nats://127.0.0.1:1"
START = 120.0
"""Seconds that a process may take to start or to refuse to, on a machine that has other things to do."""


class Ground:
    """What processes stand on, and how they are told of it."""

    def __init__(self, store: str, nats: str) -> None:
        self.store = store
        self.nats = nats

    def words(self, *more: str) -> list[str]:
        """The settings of a process."""
        settings = (
            "clusters=main",
            f"store.url={self.store}",
            f"nats.servers.main={self.nats}",
            "nats.replicas=1",
            "nats.streams=1",
            "nats.max_bytes=10000000",
            f"auth.admin_token={TOKEN}",
            "node.patience=0",
            "edge.drain_spread=0",
            "edge.reconnect_grace=0",
            *more,
        )
        return [word for setting in settings for word in ("--set", setting)]

    async def refusal(self, role: str, *more: str, name: str = "one", env: dict[str, str] | None = None) -> str:
        """The one line with which a process does not start."""
        words = ["--cluster", "main", "--ports", "auto"] if role == "edge" else []
        words += ["--ports", "auto"] if role == "directory" else []
        return last_words(await run_cli(role, "--name", name, *words, *self.words(*more), env=env, patience=START))

    @contextlib.asynccontextmanager
    async def edge(self, ready_file: Path, *more: str, name: str = "one") -> AsyncIterator[Server]:
        """An edge process that runs, or waits for the others."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "godwit", "edge", "--cluster", "main", "--ports", "auto", "--name", name),
            *("--ready-file", str(ready_file), *self.words(*more)),
            cwd=ROOT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            limit=1 << 20,
        )
        edge = Server(process, ready_file, ready_file)
        try:
            yield edge
        finally:
            edge.process.send_signal(signal.SIGCONT) if edge.process.returncode is None else None
            await edge.stop()


def last_words(outcome: Outcome) -> str:
    """What a process said that was refused, behind its log."""
    assert (outcome.status, outcome.out) == (2, ""), outcome
    assert "Traceback" not in outcome.err
    [line] = [line for line in outcome.err.splitlines() if line.startswith("godwit: ")]
    assert outcome.err.endswith(f"{line}\n")
    return line.removeprefix("godwit: ")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Node]:
    async with node(tmp_path / "nats") as one:
        yield one


async def test_what_is_missing_or_wrong(databases: Databases, server: Node) -> None:
    """Wrong addresses, a store and streams that nobody made; after `godwit migrate` clocks that are wrong."""
    ground = Ground(await databases.new(), server.url)
    nobody = Ground("postgresql://nobody@127.0.0.1:1/none", server.url)
    migrated = Ground(await databases.empty_store(), server.url)
    lost = Ground(migrated.store, NOWHERE)
    no_store, no_nats = await asyncio.gather(nobody.refusal("edge"), lost.refusal("controller"))
    no_tables, no_streams = await asyncio.gather(ground.refusal("directory"), migrated.refusal("edge"))
    assert "the store did not answer" in no_store
    assert "postgresql://nobody@127.0.0.1:1/none" in no_store
    assert no_nats.startswith(f"cluster main: no NATS server answers at {NOWHERE}: ")
    assert no_tables == "the store's tables are not there: run 'godwit migrate' first, with the same settings"
    assert no_streams == "cluster main: 1 of 1 streams of the chat log are missing: run 'godwit migrate'"

    done = await run_cli("migrate", *ground.words(), patience=START)
    assert done.status == 0, done
    behind = await ground.refusal("controller", env={"GODWIT_TEST_CLOCK_OFFSET": "-30"})
    assert behind.startswith("this machine's clock is 30 s behind that of ")
    assert behind.endswith(": set both by NTP, then start again")
    assert await rows(ground.store) == []


async def test_two_of_one_name_and_any_order(databases: Databases, server: Node, tmp_path: Path) -> None:
    """An edge that came before its NATS server waits for it; who has its name is refused, until it slept too long."""
    ground = Ground(await databases.empty_store(), server.url)
    done = await run_cli("migrate", *ground.words(), patience=START)
    assert done.status == 0, done
    await server.kill()
    async with ground.edge(tmp_path / "first.json", "node.patience=60") as first:
        await first.wait_logged("event=waits_at_start", "no NATS server of godwit main answers")
        await server.start()
        await first.wait_ready(START)
        assert await readiness(first) == {}

        refused = await ground.refusal("edge")
        assert refused.startswith("there is a process named one already: edge at http://127.0.0.1:")
        assert await readiness(first) == {}
        async with raw_client(first.tcp(), "ann") as ann:
            await ann.login("room")
            await ann.chat("room", ["still here"])

        # It sleeps until its last sign of life is over, and wakes up to find its name taken.
        first.process.send_signal(signal.SIGSTOP)
        await forget(ground.store)
        async with ground.edge(tmp_path / "second.json") as second:
            await second.wait_ready(START)
            first.process.send_signal(signal.SIGCONT)
            async with asyncio.timeout(DEADLINE):
                assert await first.process.wait() == 2
            await first.wait_logged("godwit: there is a process named one already: edge at http://127.0.0.1:")
            assert first.logged("Traceback") == []
            assert await readiness(second) == {}
            assert [name for name, _ in await rows(ground.store)] == ["one"]


async def readiness(process: Server) -> dict[str, str]:
    """What is not as it should be, as the process says itself."""
    async with httpx.AsyncClient(base_url=process.api, timeout=DEADLINE, trust_env=False) as http:
        found: dict[str, str] = (await http.get("/readyz")).json().get("failed", {})
        return found


async def rows(store: str) -> list[tuple[str, float]]:
    """The processes that are registered."""
    connection = await asyncpg.connect(store)
    try:
        return [(row["name"], row["until"]) for row in await connection.fetch("SELECT name, until FROM nodes")]
    finally:
        await connection.close()


async def forget(store: str) -> None:
    """Let the time of all signs of life be over."""
    connection = await asyncpg.connect(store)
    try:
        await connection.execute("UPDATE nodes SET until = 1")
    finally:
        await connection.close()
