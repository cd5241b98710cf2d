"""A process that was started: what it says, when it is ready, how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

import pytest

from godwit.errors import InvalidRequest
from godwit.roles.child import Child
from tests.edge.world import DEADLINE

SERVES = "import sys, time; print('up', file=sys.stderr, flush=True); time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SERVES}"


def child(code: str, **more: object) -> Child:
    """A process that runs some Python."""
    return Child("one", (sys.executable, "-c", code), "up", **more)  # type: ignore[arg-type]


async def test_it_starts_and_ends(tmp_path: Path) -> None:
    """What it says goes to its file; it may be started again."""
    one = child(SERVES, file=tmp_path / "log")
    assert one.pid == 0
    for _ in range(2):
        await one.start()
        assert one.pid > 0
        assert await one.stop() == -signal.SIGTERM
        assert one.pid == 0
    assert (tmp_path / "log").read_text(encoding="utf-8") == "up\nup\n"


async def test_its_words_are_passed_on_with_its_name(capfd: pytest.CaptureFixture[str]) -> None:
    one = child(SERVES)
    await one.start()
    await one.stop()
    assert capfd.readouterr().err.startswith("[one] up\n")


async def test_one_that_ends_instead() -> None:
    with pytest.raises(InvalidRequest, match="one did not start: no room"):
        await child("import sys; sys.exit('no room')").start()
    with pytest.raises(InvalidRequest, match="one did not start: it said nothing"):
        await child("pass").start()


async def test_one_that_does_not_listen_is_killed() -> None:
    one = child(STUBBORN)
    await one.start()
    assert await one.stop(0.1) == -signal.SIGKILL


async def test_its_end_is_waited_for() -> None:
    one = child(SERVES)
    await one.start()
    one.send(signal.SIGKILL)
    assert await one.wait() == -signal.SIGKILL
    one.send(signal.SIGTERM)
    assert await one.stop() == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="other systems cannot do that")
async def test_it_ends_with_the_process_that_started_it() -> None:
    """Even if that one had no time for anything."""
    starts = f"""
import asyncio, os, signal, sys
from godwit.roles.child import Child
from tests.edge.world import DEADLINE
async def main():
    one = Child("one", (sys.executable, "-c", {SERVES!r}), "up")
    await one.start()
    print("pid", one.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", starts), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    out, _ = await process.communicate()
    pid = int(out.split()[-1])
    async with asyncio.timeout(DEADLINE):
        with contextlib.suppress(ProcessLookupError):
            descriptor = os.pidfd_open(pid)
            gone = asyncio.Event()
            asyncio.get_running_loop().add_reader(descriptor, gone.set)
            await gone.wait()
            asyncio.get_running_loop().remove_reader(descriptor)
            os.close(descriptor)


async def test_one_that_never_ran_has_ended() -> None:
    assert await child(SERVES).stop() == 0
