"""Runs `ii`, an IRC client that knows nothing of Twitch: per channel it reads a FIFO and writes a file."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

from tests.bots.driver import DEADLINE

SERVER = ""
"""Stands for the server's own window, among those of channels and users."""


class Window:
    """What ii shows of a channel, of a user or of the server, and what is typed there.

    Args:
        directory: where ii keeps it.
    """

    def __init__(self, directory: Path) -> None:
        self.lines: list[str] = []
        self._directory = directory
        self._input: int | None = None
        self._news = asyncio.Condition()

    async def follow(self) -> None:
        """Take what ii shows, until cancelled."""
        self._directory.mkdir(parents=True, exist_ok=True)
        shown = self._directory / "out"
        shown.touch()
        tail = await asyncio.create_subprocess_exec(
            *("tail", "-n", "+1", "-f", str(shown)), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        assert tail.stdout is not None
        try:
            async for line in tail.stdout:
                async with self._news:
                    self.lines.append(line.decode().rstrip("\n").partition(" ")[2])  # without the time in front
                    self._news.notify_all()
        finally:
            tail.kill()
            await tail.wait()
            if self._input is not None:
                os.close(self._input)

    def type(self, text: str) -> None:
        """Type a line; something must have been shown in the window before."""
        if self._input is None:
            # Kept open: when the last writer closes it, ii opens it anew, and meanwhile there is no reader.
            self._input = os.open(self._directory / "in", os.O_WRONLY | os.O_NONBLOCK)
        os.write(self._input, text.encode() + b"\n")

    async def shows(self, part: str) -> str:
        """Wait for a line that contains `part`; returns it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DEADLINE), self._news:
                await self._news.wait_for(lambda: any(part in line for line in self.lines))
        found = [line for line in self.lines if part in line]
        assert found, f"{self._directory.name} does not show {part!r}, but {self.lines[-8:]}"
        return found[0]


@contextlib.asynccontextmanager
async def ii(directory: Path, address: str, nick: str, *windows: str) -> AsyncIterator[dict[str, Window]]:
    """Run ii, logged in.

    Args:
        directory: an empty directory for its files.
        address: `host:port`, plain TCP.
        windows: channels, with `#`, and users that the test wants to look at.

    Yields:
        Name -> window; the server's is `SERVER`.
    """
    program = shutil.which("ii")
    assert program is not None, "this test needs the IRC client ii: install the package 'ii'"
    host, port = address.rsplit(":", 1)
    opened = {name: Window(directory / host / name) for name in (SERVER, *windows)}
    following = [asyncio.create_task(window.follow()) for window in opened.values()]
    process = await asyncio.create_subprocess_exec(
        *(program, "-i", str(directory), "-s", host, "-p", port, "-n", nick, "-k", "II_PASSWORD", "-f", nick),
        env={**os.environ, "II_PASSWORD": f"oauth:{nick}"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await opened[SERVER].shows("You are in a maze of twisty passages")
        yield opened
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)
