"""Owned tasks."""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from godwit.edge.tasks import Tasks


async def test_a_task_that_fails_is_logged_and_told_and_the_others_go_on() -> None:
    tasks, told, done = Tasks(), asyncio.Queue[Exception](), asyncio.Event()

    async def fail() -> None:
        raise ValueError("broken")

    async def work() -> None:
        done.set()

    with capture_logs() as logs:
        tasks.start(fail(), "failing", failed=told.put_nowait)
        tasks.start(work(), "working")
        assert str(await told.get()) == "broken"
        await done.wait()
    assert [(entry["event"], entry["task"]) for entry in logs] == [("task_failed", "failing")]
    await tasks.close()
    assert len(tasks) == 0


async def test_closing_ends_what_runs() -> None:
    tasks, ended = Tasks(), asyncio.Event()

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    tasks.start(wait(), "waiting")
    await asyncio.sleep(0)
    assert len(tasks) == 1
    await tasks.close()
    assert ended.is_set()
    assert len(tasks) == 0
