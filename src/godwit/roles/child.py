"""A process that this one has started, and ends by its id."""

from __future__ import annotations

import asyncio
import ctypes
import signal
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

import structlog

from godwit.errors import InvalidRequest

log = structlog.get_logger()

START = 60.0
"""Seconds that a process may take to be ready."""

LINE = 1 << 20

_END_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


class Child:
    """A process and what it says on stderr.

    Attributes:
        name: for people.
        said: the last lines it said.

    Args:
        command: what to run.
        ready: how its stderr says that it is ready: a line that contains this.
        file: where what it says is written; by default this process's own stderr.
        how: more for the system: `env`, `cwd`, `user` and the like.
    """

    def __init__(
        self, name: str, command: Sequence[str], ready: str, *, file: Path | None = None, how: Mapping[str, Any] = {}
    ) -> None:
        self.name = name
        self.said: deque[str] = deque(maxlen=50)
        self._command = command
        self._ready = ready
        self._file = file
        self._how = how
        self._process: asyncio.subprocess.Process | None = None
        self._is_ready = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """Its process id, 0 if it does not run."""
        return self._process.pid if self._process and self._process.returncode is None else 0

    async def start(self) -> None:
        """Start it, and wait until it is ready.

        Raises:
            InvalidRequest: it ended instead, or took too long; with its last words.
        """
        self._is_ready.clear()
        self.said.clear()
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            limit=LINE,
            # Ctrl-C in a terminal goes to the whole group: whoever started it ends it, in order.
            start_new_session=True,
            preexec_fn=end_with_parent if _libc else None,
            **self._how,
        )
        self._reading = asyncio.create_task(self._read(self._process), name=f"reads {self.name}")
        log.info("started", process=self.name, pid=self._process.pid)
        ready = asyncio.create_task(self._is_ready.wait())
        try:
            await asyncio.wait({ready, self._reading}, timeout=START, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        if not self._is_ready.is_set():
            await self.stop()
            raise InvalidRequest(f"{self.name} did not start: {self.said[-1] if self.said else 'it said nothing'}")

    async def wait(self) -> int:
        """Wait for its end; returns its exit status."""
        assert self._process
        assert self._reading
        await asyncio.wait([self._reading])  # who waits may be cancelled; what reads goes on
        return await self._process.wait()

    def send(self, number: int) -> None:
        """Send it a signal, if it runs."""
        if self._process and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def stop(self, patience: float = 30.0, *, number: int = signal.SIGTERM) -> int:
        """End it with a signal, by default SIGTERM, and kill it if it does not; returns its exit status.

        Args:
            patience: seconds that it is given.
        """
        if self._process is None:
            return 0
        self.send(number)
        try:
            async with asyncio.timeout(patience):
                status = await self.wait()
        except TimeoutError:
            log.warning("killed", process=self.name, after=patience)
            self._process.kill()
            status = await self.wait()
        return status

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr
        into: TextIO = self._file.open("a", encoding="utf-8") if self._file else sys.stderr
        try:
            async for data in process.stderr:
                line = data.decode("utf-8", "replace").rstrip()
                self.said.append(line)
                print(line if self._file else f"[{self.name}] {line}", file=into, flush=True)
                if self._ready in line:
                    self._is_ready.set()
        finally:
            if self._file:
                into.close()


def end_with_parent() -> None:
    """Have this process told to end (SIGTERM) when the one that started it dies, on Linux."""
    if _libc:
        _libc.prctl(_END_WITH_PARENT, signal.SIGTERM)
