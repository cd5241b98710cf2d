"""Tasks are ended within a bound, whatever they do when they are cancelled."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from godwit.ending import TIMES, end


async def deaf(cancels: int, ends: asyncio.Event) -> None:
    """Goes on after some of the times that it is cancelled."""
    for _ in range(cancels):
        try:
            await ends.wait()
        except asyncio.CancelledError:
            continue
        return
    await ends.wait()


def started(cancels: int, ends: asyncio.Event) -> asyncio.Task[None]:
    return asyncio.create_task(deaf(cancels, ends), name=f"deaf {cancels}")


@pytest.mark.parametrize("cancels", [0, 1, TIMES - 1])
async def test_who_does_not_hear_it_is_cancelled_again(cancels: int) -> None:
    task = started(cancels, asyncio.Event())
    await asyncio.sleep(0)
    with capture_logs() as logs:
        await end(task, again=0.01)
    assert task.cancelled()
    assert logs == []


async def test_who_never_hears_it_is_told_of() -> None:
    ends = asyncio.Event()
    task = started(TIMES, ends)
    await asyncio.sleep(0)
    with capture_logs() as logs:
        await end(task, again=0.01)
    assert [(entry["event"], entry["tasks"]) for entry in logs] == [("tasks_go_on", [f"deaf {TIMES}"])]
    ends.set()
    await task


async def test_who_ends_in_time_is_not_cancelled() -> None:
    ends = asyncio.Event()
    task = started(0, ends)
    asyncio.get_running_loop().call_soon(ends.set)
    await end(task, grace=60.0)
    assert task.done()
    assert not task.cancelled()


async def test_what_has_ended_before() -> None:
    async def fail() -> None:
        raise ValueError("broken")

    task = asyncio.create_task(fail())
    await asyncio.wait([task])
    await end(task)
    await end()
    with pytest.raises(ValueError, match="broken"):
        task.result()


async def test_whoever_ends_others_may_be_cancelled_himself() -> None:
    """Then they are cancelled at once, although they were to be given time."""
    task = started(0, asyncio.Event())
    ending = asyncio.create_task(end(task, grace=60.0))
    await asyncio.sleep(0)
    ending.cancel()
    await asyncio.wait([task, ending])
    assert task.cancelled()
    assert ending.cancelled()
