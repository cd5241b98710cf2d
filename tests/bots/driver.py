"""Starts a bot as a process of its own, tells it what to do and waits for what it tells."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[2]
NODE = Path(__file__).resolve().parent / "node"
DEADLINE = 30.0
"""Seconds to wait for an event before the test fails; generous, since nothing is asserted about time."""

Event = dict[str, Any]


def command(kind: str) -> list[str]:
    """The program of a bot: `tmi`, `twitchio` or `irc`."""
    if kind == "tmi":
        node = shutil.which("node")
        assert node is not None, "the tmi.js bot needs Node.js 16 or newer: install the package 'nodejs'"
        assert (NODE / "node_modules" / "tmi.js").is_dir(), "tmi.js is not installed: run `make test`"
        return [node, str(NODE / "tmi_bot.js")]
    return [sys.executable, "-m", f"tests.bots.{kind}_bot"]


class Bot:
    """A bot at work: its events so far, and orders to it."""

    def __init__(self, process: asyncio.subprocess.Process, nick: str, errors: IO[bytes]) -> None:
        self.nick = nick
        self.events: list[Event] = []
        self._calls = 0
        self._process = process
        self._errors = errors
        self._news = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            event = json.loads(line)
            async with self._news:
                self.events.append(event)
                self._news.notify_all()
        async with self._news:
            self.events.append({"event": "exited"})
            self._news.notify_all()

    def _order(self, order: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")

    def say(self, text: str) -> None:
        """Have it say a line in its channel."""
        self._order({"say": text})

    def send(self, line: str) -> None:
        """Have it send a line as it stands, if its library can."""
        self._order({"raw": line})

    async def call(self, method: str, *args: Any, patience: int = 20_000) -> Event:
        """Have tmi.js call one of its methods and return what became of its promise: `value` or `error`.

        Args:
            patience: milliseconds after which the library gives up; it takes 600 at least.
        """
        self._calls += 1
        self._order({"call": method, "args": args, "number": self._calls, "patience": patience})
        return await self.event("result", number=self._calls)

    def answer(self, replies: dict[str, str]) -> None:
        """Have it answer commands from now on."""
        self._order({"answer": replies})

    def named(self, name: str, **fields: Any) -> list[Event]:
        """Its events of one name that have these fields."""
        return [e for e in self.events if e["event"] == name and all(e.get(k) == v for k, v in fields.items())]

    def heard(self, *senders: str) -> list[tuple[str, str]]:
        """What it heard, as `(from, text)`, in order; from these senders only, if any are named."""
        return [(e["from"], e["text"]) for e in self.named("message") if not senders or e["from"] in senders]

    async def until(self, reached: Callable[[], bool], what: str) -> None:
        """Wait until an event makes `reached` true.

        Raises:
            AssertionError: the deadline passed, or the bot ended; says what the bot told last.
        """
        try:
            async with asyncio.timeout(DEADLINE), self._news:
                await self._news.wait_for(lambda: reached() or bool(self.named("exited")))
        except TimeoutError:
            pass
        assert reached(), f"{self.nick}: no {what}\nlast events: {self.events[-8:]}\nstderr: {self._stderr()}"

    async def event(self, name: str, **fields: Any) -> Event:
        """Wait for an event and return the first one that fits."""
        await self.until(lambda: bool(self.named(name, **fields)), f"{name} {fields or ''}")
        return self.named(name, **fields)[0]

    async def message(self, sender: str, text: str) -> Event:
        """Wait until it hears a line."""
        return await self.event("message", text=text, **{"from": sender})

    async def quit(self) -> None:
        """Have it disconnect and wait for the end of its process."""
        if self._process.returncode is None:
            with contextlib.suppress(ConnectionError):
                self._order({"quit": True})
            try:
                async with asyncio.timeout(DEADLINE):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        await self._reading
        self._errors.close()

    def _stderr(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")[-2000:]


@contextlib.asynccontextmanager
async def bot(kind: str, address: str, nick: str, channel: str, *extra: str) -> AsyncIterator[Bot]:
    """Start a bot, wait until it has joined, and stop it at the end.

    Args:
        kind: `tmi`, `twitchio` or `irc`.
        address: `host:port` of the transport the library speaks.
        nick: login; the token is made from it.
        channel: without `#`.
        extra: further arguments of the bot's program.
    """
    host, port = address.rsplit(":", 1)
    with tempfile.TemporaryFile() as errors:
        process = await asyncio.create_subprocess_exec(
            *command(kind),
            *("--host", host, "--port", port, "--nick", nick, "--channel", channel),
            *extra,
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            limit=1 << 20,
        )
        started = Bot(process, nick, errors)
        try:
            await started.event("ready")
            await started.event("joined")
            yield started
        finally:
            await started.quit()
