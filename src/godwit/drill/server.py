"""The server under test: a child process with its own directory, on free ports."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from godwit.drill.faults import FAULT_VARIABLE, Fault
from godwit.errors import GodwitError

START_PATIENCE = 30.0
"""Seconds that one server may take to listen."""

STOP_PATIENCE = 20.0
"""Seconds that one server may take to end after SIGTERM."""

MANY = 4.0
"""A network of many processes may take this many times as long."""

END_PATIENCE = 2.0
"""Seconds that a server may still take to end when it has closed its stderr."""

SERVE = (sys.executable, "-m", "godwit", "serve", "--ports", "auto", "--end-with-parent")
"""The command that is started."""

UP = (sys.executable, "-m", "godwit", "up", "--nodes", "--end-with-parent")
"""The command that starts a network of many processes."""

READY = "godwit: ready"
"""The line on stderr that says that the ready file is written."""


class ServerFailed(GodwitError):
    """The server did not come up; the message holds the last it said."""


class ClusterAddresses(msgspec.Struct, frozen=True):
    """Where one cluster listens: `host:port` and a `ws://` URL."""

    tcp: str
    ws: str


class Process(msgspec.Struct, frozen=True):
    """One of many processes.

    Attributes:
        cluster: of an edge or a log server.
        tcp: where an edge listens, `host:port`.
        ws: the same, a `ws://` URL.
    """

    role: str
    pid: int
    cluster: str = ""
    tcp: str = ""
    ws: str = ""


class Ready(msgspec.Struct, frozen=True):
    """The ready file, as far as a drill needs it.

    Attributes:
        directory: where a network of many processes has its files.
        processes: by name; none if one process is everything.
    """

    api: str
    admin_token: str
    clusters: dict[str, ClusterAddresses]
    directory: str = ""
    processes: dict[str, Process] = {}

    def edges(self, cluster: str) -> dict[str, ClusterAddresses]:
        """Where the edges of a cluster listen, by process name; one process has one, without a name."""
        found = {
            name: ClusterAddresses(process.tcp, process.ws)
            for name, process in self.processes.items()
            if process.role == "edge" and process.cluster == cluster
        }
        return found or {"": self.clusters[cluster]}

    def ended(self) -> list[str]:
        """Names of the processes that have ended since the start and were started again.

        Raises:
            OSError, msgspec.MsgspecError: the network does not tell.
        """
        if not self.processes:
            return []
        data = Path(self.directory, "processes.json").read_bytes()
        now = msgspec.json.decode(data, type=dict[str, Process])
        return [name for name, process in self.processes.items() if now[name].pid != process.pid]


class Server:
    """`godwit serve` as a child, or `godwit up`.

    Args:
        directory: for its files.
        settings: `--set` of each.
        command: what to start, by default `SERVE`; the options are appended.
        patience: how many times as long as one server it may take to start, and to end.
    """

    def __init__(
        self,
        directory: Path,
        settings: Mapping[str, str],
        fault: Fault = "none",
        command: Sequence[str] | None = None,
        patience: float = 1.0,
    ) -> None:
        self._directory = directory
        self._settings = settings
        self._fault = fault
        self._command = command or SERVE
        self._patience = patience
        self._process: asyncio.subprocess.Process | None = None
        self._said: deque[str] = deque(maxlen=5)
        self._reading: asyncio.Task[None] | None = None
        self._is_ready = asyncio.Event()

    async def start(self) -> Ready:
        """Start it and wait until everything listens.

        Raises:
            ServerFailed: it ended, or was not ready in time.
        """
        ready_file = self._directory / "ready.json"
        command = [*self._command, "--ready-file", str(ready_file)]
        for key, value in self._settings.items():
            command += ["--set", f"{key}={value}"]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        environment.pop(FAULT_VARIABLE, None)
        if self._fault == "skip-seal":
            environment[FAULT_VARIABLE] = self._fault
        self._process = await asyncio.create_subprocess_exec(
            *command,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            limit=1_048_576,
        )
        self._reading = asyncio.create_task(self._read(self._process))
        try:
            async with asyncio.timeout(self._patience * START_PATIENCE):
                await self._is_ready.wait()
            return msgspec.json.decode(ready_file.read_bytes(), type=Ready)
        except asyncio.CancelledError:
            await self.stop()
            raise
        except (OSError, TimeoutError, msgspec.MsgspecError) as error:
            await self.stop()
            raise ServerFailed(f"the server is not ready ({error!r}): {self.last_words}") from error

    async def wait_silent(self) -> None:
        """Wait until it says nothing any more, which is when it ends."""
        if self._reading is not None:
            await asyncio.shield(self._reading)

    async def stop(self) -> str:
        """End it with SIGTERM; returns what was wrong with its end, or nothing."""
        process = self._process
        if process is None:
            return ""
        if self._reading is not None and self._reading.done():
            # It closed its stderr, so it is ending by itself: a signal now would hide its status.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(END_PATIENCE):
                    await process.wait()
        ended_before = process.returncode is not None
        if not ended_before:
            process.terminate()
        slow = False
        patience = self._patience * STOP_PATIENCE
        try:
            async with asyncio.timeout(patience):
                await process.wait()
        except TimeoutError:
            slow = True
            process.kill()
            await process.wait()
        if self._reading is not None:
            await self._reading
        if slow:
            return f"the server did not end within {patience:g} s of SIGTERM: {self.last_words}"
        if ended_before:
            return f"the server ended by itself with status {process.returncode}: {self.last_words}"
        return f"the server ended with status {process.returncode}: {self.last_words}" if process.returncode else ""

    @property
    def last_words(self) -> str:
        """The last lines that the server wrote to stderr, as one line."""
        return " | ".join(self._said) or "(it said nothing)"

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        """Take what the server says, to its end; a server that ends counts as ready to be looked at."""
        assert process.stderr is not None
        while data := await process.stderr.readline():
            line = data.decode("utf-8", "replace").rstrip()
            if line == READY:
                self._is_ready.set()
            else:
                self._said.append(line)
        self._is_ready.set()
