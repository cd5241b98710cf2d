"""`godwit up --nodes` as a child of a program that ends it; `tests/e2e` runs whole networks."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.edge.world import DEADLINE

STARTS = """
import subprocess, sys, time
up = (sys.executable, "-m", "godwit", "up", "--nodes", "--nats", "1", "--end-with-parent", *sys.argv[1:])
print(subprocess.Popen(up, stdout=subprocess.DEVNULL).pid, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems cannot do that")
async def test_a_network_ends_with_who_started_it(tmp_path: Path) -> None:
    """Even if that one had no time for anything. Ctrl-C is not for it: it is in a session of its own."""
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", STARTS, "--dir", str(tmp_path), "--ready-file", str(tmp_path / "ready.json")),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert parent.stdout
    assert parent.stderr
    try:
        async with asyncio.timeout(2 * DEADLINE):
            up = int(await parent.stdout.readline())
            said = b""
            while b"event=started" not in said:
                said = await parent.stderr.readline()
                assert said
            assert os.getsid(up) == up
            gone = [asyncio.create_task(_end(pid)) for pid in (up, int(said.split(b"pid=")[1]))]
            await asyncio.sleep(0)
            assert not any(end.done() for end in gone)
            parent.kill()
            await asyncio.gather(*gone)
    finally:
        if parent.returncode is None:
            parent.kill()
        await parent.wait()


async def _end(pid: int) -> None:
    """Wait for the end of a process that is not a child of this one."""
    descriptor = os.pidfd_open(pid)
    gone = asyncio.Event()
    asyncio.get_running_loop().add_reader(descriptor, gone.set)
    await gone.wait()
    asyncio.get_running_loop().remove_reader(descriptor)
    os.close(descriptor)
