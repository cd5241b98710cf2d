"""Background work with an owner: what is started here is waited for, and its failures are told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from godwit.ending import end

log = structlog.get_logger()


class Tasks:
    """The tasks of one owner. One that fails is logged and reported; the others go on."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def start(
        self, work: Coroutine[Any, Any, None], name: str, failed: Callable[[Exception], None] | None = None
    ) -> None:
        """Run `work` until it ends or the owner closes.

        Args:
            name: shown in the log if it fails.
            failed: called with the error if it fails.
        """
        task = asyncio.create_task(self._run(work, name, failed), name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def close(self) -> None:
        """Cancel what runs and wait until it has ended."""
        await end(*self._running)

    async def _run(
        self, work: Coroutine[Any, Any, None], name: str, failed: Callable[[Exception], None] | None
    ) -> None:
        try:
            await work
        except Exception as error:
            # The place where a session's or a channel's fault ends: it must not reach the others.
            log.exception("task_failed", task=name)
            if failed is not None:
                failed(error)
