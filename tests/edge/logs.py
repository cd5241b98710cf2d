"""A chat log that can be shut or made to fail, around a real one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from godwit.chatlog.base import ChatLog, Page, Subscription
from godwit.values import Entry, Record


class Gate:
    """A `ChatLog` whose appends wait while it is shut, and raise `error` if there is one.

    It is not a `MemoryLog`, so the edge runs its calls in tasks, as for a log on other machines.
    """

    def __init__(self, log: ChatLog) -> None:
        self.error: Exception | None = None
        self._log = log
        self._open = asyncio.Event()
        self._open.set()
        self._tried = asyncio.Event()

    @property
    def cluster(self) -> str:
        return self._log.cluster

    def shut(self) -> None:
        """Let appends wait."""
        self._open.clear()

    def open(self) -> None:
        """Let them go on."""
        self._open.set()

    async def wait_tried(self) -> None:
        """Wait for the first append since the last call."""
        async with asyncio.timeout(5.0):
            await self._tried.wait()
        self._tried.clear()

    def stream(self, channel: str) -> str:
        return self._log.stream(channel)

    async def append(self, channel: str, record: Record, *, stream: str) -> int:
        await self._open.wait()
        self._tried.set()
        if self.error:
            raise self.error
        return await self._log.append(channel, record, stream=stream)

    async def read(self, channel: str, after: int, limit: int = 500) -> Page:
        return await self._log.read(channel, after, limit)

    async def heads(self, channels: Sequence[str]) -> list[int]:
        return await self._log.heads(channels)

    async def release(self, channel: str, epoch: int) -> None:
        await self._log.release(channel, epoch)

    def subscribe(self, channel: str, deliver: Callable[[Entry], None], suspect: Callable[[], None]) -> Subscription:
        return self._log.subscribe(channel, deliver, suspect)
