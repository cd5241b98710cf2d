"""A bench that is killed leaves nothing behind: what it has started ends with it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge.world import DEADLINE

HOLDS = """
import asyncio, multiprocessing, sys
from bench import crowd, scenarios, storm, targets
from godwit.cli import logs
logs.to_stderr(30)
def held(pid):
    print(pid, flush=True)
    sys.stdin.read()
def target(start):
    with start() as found:
        held(found.pid)
async def serving():
    async with scenarios.serving() as server:
        held(server.pid)
def other():
    with storm._other_process():
        held(multiprocessing.active_children()[0].pid)
def members():
    kept = crowd.Crowd()
    held(multiprocessing.active_children()[0].pid)
"""
"""Starts something as the bench does, says its process id, and waits to be killed."""

STARTS = ("target(targets.godwit)", "asyncio.run(serving())", "other()", "members()")


@pytest.fixture
def files() -> Iterator[Path]:
    """Where those who are killed leave theirs; peers read there as users of their own."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems cannot do that")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("start", STARTS)
async def test_what_a_bench_started_ends_with_it(start: str, number: int, files: Path) -> None:
    """However it is ended."""
    await _ends_with_its_bench(start, number, files)


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("inspircd", "target(targets.inspircd())"),
        ("ngircd", "target(targets.ngircd)"),
        ("nats", "target(targets.nats)"),
    ],
)
async def test_so_do_peers(name: str, start: str, files: Path) -> None:
    """Which are programs of others, and change their user, perhaps."""
    if name != "nats" and shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is None:
        pytest.skip(f"{name} is not installed")
    await _ends_with_its_bench(start, signal.SIGKILL, files)


async def _ends_with_its_bench(start: str, number: int, files: Path) -> None:
    bench = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HOLDS + start),
        cwd=Path(__file__).parents[2],
        env={**os.environ, "TMPDIR": str(files)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert bench.stdout
    try:
        async with asyncio.timeout(3 * DEADLINE):
            pid = int(await bench.stdout.readline())
            gone = asyncio.create_task(_end(pid))
            await asyncio.sleep(0)
            assert not gone.done()
            bench.send_signal(number)
            await gone
    finally:
        if bench.returncode is None:
            bench.kill()
        await bench.communicate()


async def _end(pid: int) -> None:
    """Wait for the end of a process that is not a child of this one."""
    descriptor = os.pidfd_open(pid)
    gone = asyncio.Event()
    asyncio.get_running_loop().add_reader(descriptor, gone.set)
    await gone.wait()
    asyncio.get_running_loop().remove_reader(descriptor)
    os.close(descriptor)
