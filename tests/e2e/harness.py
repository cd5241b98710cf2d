"""Real processes for end-to-end tests: a server, its command line, raw connections. Bots are in `tests.bots.driver`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.bots.driver import DEADLINE, ROOT


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended."""

    status: int
    out: str
    err: str


async def run_cli(*arguments: str, env: dict[str, str] | None = None, patience: float = DEADLINE) -> Outcome:
    """Run `godwit ARGUMENTS` to its end.

    Args:
        patience: seconds that it may take.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "godwit", *arguments),
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(patience):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        out, err = await process.communicate()
        raise AssertionError(f"godwit {' '.join(arguments)} did not end\n{out.decode()}\n{err.decode()}") from None
    assert process.returncode is not None
    return Outcome(process.returncode, out.decode(), err.decode())


class Server:
    """A `godwit serve` process on free ports, with a store of its own."""

    def __init__(self, process: asyncio.subprocess.Process, ready_file: Path, store: Path) -> None:
        self.process = process
        self.store = store
        self.ready: dict[str, Any] = {}
        self.errors: list[str] = []
        self._ready_file = ready_file
        self._listening = asyncio.Event()
        self._killed = False
        self._news = asyncio.Condition()
        self._reading = asyncio.create_task(self._read_errors())

    async def _read_errors(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            async with self._news:
                self.errors.append(line.decode(errors="replace").rstrip())
                self._news.notify_all()
            if self.errors[-1] == "godwit: ready":
                self.ready = json.loads(self._ready_file.read_text(encoding="utf-8"))
                self._listening.set()
        self._listening.set()

    async def wait_ready(self, patience: float = DEADLINE) -> None:
        """Wait until everything listens.

        Args:
            patience: seconds that it may take.

        Raises:
            AssertionError: it ended instead, or the deadline passed; says what it told.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._listening.wait()
        assert self.ready, "the server did not start:\n" + "\n".join(self.errors[-30:])

    def logged(self, *parts: str) -> list[str]:
        """The lines of its log so far that contain all of these parts."""
        return [line for line in self.errors if all(part in line for part in parts)]

    async def wait_logged(self, *parts: str, after: int = 0) -> str:
        """Wait for a line of its log that contains all of these parts; returns it.

        Args:
            after: so many such lines do not count.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DEADLINE), self._news:
                await self._news.wait_for(lambda: len(self.logged(*parts)) > after)
        assert len(self.logged(*parts)) > after, f"the server did not log {parts}:\n" + "\n".join(self.errors[-30:])
        return self.logged(*parts)[after]

    async def metric(self, name: str, cluster: str = "main") -> float:
        """One number of `/metrics`, such as `edge_connections`."""
        async with self.http() as client:
            text = (await client.get("/metrics")).text
        start = f'godwit_{name}{{cluster="{cluster}"}} '
        return float(next(line for line in text.splitlines() if line.startswith(start)).removeprefix(start))

    @property
    def api(self) -> str:
        """Base URL of the directory and the API."""
        return str(self.ready["api"])

    def tcp(self, cluster: str = "main") -> str:
        """`host:port` of a cluster's TCP listener."""
        return str(self.ready["clusters"][cluster]["tcp"])

    def ws(self, cluster: str = "main") -> str:
        """`host:port` of a cluster's WebSocket listener."""
        return str(self.ready["clusters"][cluster]["ws"]).removeprefix("ws://").rstrip("/")

    def http(self) -> httpx.AsyncClient:
        """A client of the API that may do everything."""
        headers = {"Authorization": f"Bearer {self.ready['admin_token']}"}
        return httpx.AsyncClient(base_url=self.api, headers=headers, timeout=DEADLINE, trust_env=False)

    async def cli(self, *arguments: str) -> Outcome:
        """Run a `godwit` command against this server."""
        return await run_cli(*arguments, env={"GODWIT_READY_FILE": str(self._ready_file)})

    def stored(self) -> dict[str, list[tuple[Any, ...]]]:
        """Everything that its store holds, by table; but for leases, which are prolonged all the time."""
        with contextlib.closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True)) as store:
            tables = [name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            tables.remove("leases")
            return {name: store.execute(f'SELECT * FROM "{name}"').fetchall() for name in tables}

    @contextlib.contextmanager
    def halt_moves(self, state: str) -> Iterator[None]:
        """While this lasts no move gets to `state`: the store fails when that is to be written, again and again."""
        fails = "BEGIN SELECT json('not JSON'); END"
        with contextlib.closing(sqlite3.connect(self.store, isolation_level=None)) as store:
            store.execute(f"CREATE TRIGGER halt BEFORE UPDATE ON moves WHEN NEW.state = '{state}' {fails}")
            try:
                yield
            finally:
                store.execute("DROP TRIGGER halt")

    async def move(self, channel: str, to: str, *options: str) -> Outcome:
        """Move a channel (named without `#`) and insist that it worked."""
        outcome = await self.cli("channel", "move", f"#{channel}", "--to", to, *options)
        assert outcome.status == 0, f"move of #{channel} to {to}: {outcome}"
        return outcome

    async def show(self, channel: str) -> dict[str, Any]:
        """What the server says of a channel."""
        outcome = await self.cli("channel", "show", f"#{channel}", "--json")
        assert outcome.status == 0, outcome
        shown: dict[str, Any] = json.loads(outcome.out)
        return shown

    async def kill(self) -> None:
        """End it as a crash does, with no time for anything; `serve` then expects no clean end."""
        self._killed = True
        self.process.kill()
        await self.process.wait()
        await self._reading

    @property
    def ended_well(self) -> bool:
        """Whether it ended as it was told to."""
        return self.process.returncode == (-signal.SIGKILL if self._killed else 0)

    async def stop(self) -> int:
        """Ask it to end and wait for that; returns its exit status."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(DEADLINE):
                    await self.process.wait()
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
                raise AssertionError("the server did not stop on SIGTERM:\n" + "\n".join(self.errors[-30:])) from None
            finally:
                await self._reading
        assert self.process.returncode is not None
        return self.process.returncode


@contextlib.asynccontextmanager
async def serve(directory: Path, *settings: str) -> AsyncIterator[Server]:
    """Run a server whose files lie in `directory`; at the end it must stop cleanly.

    Args:
        directory: an empty directory.
        settings: `key=value`, as for `--set`.
    """
    ready_file = directory / "ready.json"
    store = directory / "godwit.sqlite3"
    chosen = [f"store.path={store}", "limits.preset=off", "control.probes=false", "edge.reconnect_grace=0", *settings]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "godwit", "serve", "--ports", "auto", "--ready-file", str(ready_file)),
        *(argument for setting in chosen for argument in ("--set", setting)),
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )
    server = Server(process, ready_file, store)
    try:
        await server.wait_ready()
        yield server
    except BaseException:
        with contextlib.suppress(AssertionError):
            await server.stop()
        raise
    await server.stop()
    assert server.ended_well, "\n".join(server.errors[-30:])


class RawClient:
    """A connection on which the test itself speaks IRC; PINGs are answered, everything else is kept."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, nick: str) -> None:
        self.nick = nick
        self.lines: list[str] = []
        self._reader = reader
        self._writer = writer
        self._closed = False
        self._tokens = 0
        self._news = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionError):
            async for raw in self._reader:
                line = raw.decode().rstrip("\r\n")
                if line.startswith("PING "):
                    self.send("PONG " + line.removeprefix("PING "))
                async with self._news:
                    self.lines.append(line)
                    self._news.notify_all()
        async with self._news:
            self._closed = True
            self._news.notify_all()

    def send(self, line: str) -> None:
        """Send one line."""
        self._writer.write(line.encode() + b"\r\n")

    async def until(self, reached: Callable[[], bool], what: str) -> None:
        """Wait until something that comes makes `reached` true; fails at the deadline or when the server hangs up."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DEADLINE), self._news:
                await self._news.wait_for(lambda: reached() or self._closed)
        end = "the server hung up" if self._closed else "nothing came"
        assert reached(), f"{self.nick}: no {what}: {end}\nlast lines: {self.lines[-8:]}"

    async def until_closed(self) -> None:
        """Wait until the server hangs up."""
        await self.until(lambda: self._closed, "end of the connection")

    async def expect(self, part: str, after: int = 0) -> str:
        """Wait for a line that contains `part` and return it.

        Args:
            part: what to look for.
            after: how many of the lines so far to pass over.
        """

        def found() -> list[str]:
            return [line for line in self.lines[after:] if part in line]

        await self.until(lambda: bool(found()), repr(part))
        return found()[0]

    async def flush(self) -> list[str]:
        """Wait until the server has answered all that was sent so far; returns all lines up to there."""
        self._tokens += 1
        token = f"flush-{self._tokens}"
        self.send(f"PING :{token}")
        await self.until(lambda: any(" PONG " in x and x.endswith(f":{token}") for x in self.lines), f"PONG {token}")
        return list(self.lines)

    async def login(
        self, channel: str = "", caps: str = "twitch.tv/tags twitch.tv/commands", token: str = "anything"
    ) -> None:
        """Log in, and join a channel if one is named (without `#`)."""
        if caps:
            self.send(f"CAP REQ :{caps}")
        self.send(f"PASS oauth:{token}")
        self.send(f"NICK {self.nick}")
        await self.expect(f" 376 {self.nick} ")
        if channel:
            await self.join(channel)

    async def join(self, channel: str, after: str = "") -> None:
        """Join a channel (named without `#`), perhaps resuming at a position, and wait for its answer."""
        start = len(self.lines)
        self.send(f"@godwit-after={after} JOIN #{channel}" if after else f"JOIN #{channel}")
        await self.expect(f" 366 {self.nick} #{channel} ", after=start)

    def say(self, channel: str, text: str) -> None:
        """Say a line in a channel (named without `#`)."""
        self.send(f"PRIVMSG #{channel} :{text}")

    def heard(self, channel: str) -> list[tuple[str, str]]:
        """What was said in a channel, as `(from, text)`, in order."""
        found = []
        for line in self.lines:
            _, _, rest = line.partition(" ") if line.startswith("@") else ("", "", line)
            source, command, target, text = [*rest.split(" ", 3), "", "", ""][:4]
            if command == "PRIVMSG" and target == f"#{channel}":
                found.append((source[1:].partition("!")[0], text.removeprefix(":")))
        return found

    async def chat(self, channel: str, texts: Iterable[str], ahead: int = 30) -> None:
        """Say lines in a channel, a few ahead of their acknowledgements; returns when all are acknowledged.

        Needs tags and commands. Nothing else may be said on this connection meanwhile.
        """
        start, said = len(self.lines), 0

        def waiting() -> int:
            return said - sum(f" USERSTATE #{channel}" in x and ";id=" in x for x in self.lines[start:])

        for text in texts:
            self.say(channel, text)
            said += 1
            if waiting() > ahead:
                await self.until(lambda: waiting() <= ahead // 2, "acknowledgement")
        await self.until(lambda: waiting() == 0, "acknowledgement")

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()
        await self._reading


@contextlib.asynccontextmanager
async def raw_client(address: str, nick: str) -> AsyncIterator[RawClient]:
    """Open a raw connection to `host:port`; nothing is sent yet."""
    host, port = address.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port), limit=1 << 20)
    client = RawClient(reader, writer, nick)
    try:
        yield client
    finally:
        await client.close()
