"""`godwit chat` as a person uses it, on a real server, while the channel moves."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from tests.bots.driver import DEADLINE, ROOT
from tests.e2e.harness import Server, raw_client, serve

CHANNEL = "room"


class Terminal:
    """A `godwit chat` that a test types into and reads."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.lines: list[str] = []
        self.process = process

    async def until(self, wanted: str) -> None:
        """Read on until a line comes that is `wanted`."""
        assert self.process.stdout is not None
        try:
            async with asyncio.timeout(DEADLINE):
                while not self.lines or self.lines[-1] != wanted:
                    line = await self.process.stdout.readline()
                    assert line, f"no {wanted!r} before its end: {self.lines}"
                    self.lines.append(line.decode().rstrip("\n"))
        except TimeoutError:
            raise AssertionError(f"no {wanted!r}: {self.lines}") from None

    def type(self, line: str) -> None:
        """Type a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")

    async def hang_up(self) -> tuple[int, str]:
        """End the input; returns exit status and what came on stderr."""
        assert self.process.stdin is not None
        assert self.process.stderr is not None
        self.process.stdin.close()
        async with asyncio.timeout(DEADLINE):
            return await self.process.wait(), (await self.process.stderr.read()).decode()


@contextlib.asynccontextmanager
async def chat(server: Server, directory: Path, *options: str) -> AsyncIterator[Terminal]:
    """Start `godwit chat` in the channel."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "godwit", "chat", f"#{CHANNEL}", *options),
        cwd=ROOT,
        env={**os.environ, "GODWIT_READY_FILE": str(directory / "ready.json"), "PYTHONUNBUFFERED": "1"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Terminal(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_talking_and_reading_through_a_move(tmp_path: Path) -> None:
    async with (
        serve(tmp_path) as server,
        raw_client(server.tcp(), "anna") as anna,
        raw_client(server.tcp("aws"), "ben") as ben,
        chat(server, tmp_path, "--nick", "carla") as carla,
        chat(server, tmp_path) as reader,
    ):
        await anna.login(CHANNEL)
        await ben.login(CHANNEL)
        await carla.until(f"-- in #{CHANNEL} as carla")
        await reader.until(f"-- reading #{CHANNEL}; to talk, give --nick")

        carla.type("hello from a terminal")
        await anna.expect(":hello from a terminal")
        anna.say(CHANNEL, "hello carla")
        await carla.until("anna: hello carla")

        await server.move(CHANNEL, "aws")
        await carla.until(f"-- #{CHANNEL} has moved to aws")
        await reader.until(f"-- #{CHANNEL} has moved to aws")
        ben.say(CHANNEL, "welcome")
        await carla.until("ben: welcome")
        carla.type("nice place")
        await ben.expect(":nice place")

        await server.move(CHANNEL, "main")
        await carla.until(f"-- #{CHANNEL} has moved to main")
        anna.say(CHANNEL, "back again")
        await carla.until("anna: back again")
        carla.type("\N{BIRD} bye")
        await anna.expect(":\N{BIRD} bye")

        assert await carla.hang_up() == (0, "")
        heard = [line for line in carla.lines if not line.startswith("--")]
        assert heard == ["anna: hello carla", "ben: welcome", "anna: back again"]
        said = ["hello from a terminal", "nice place", "\N{BIRD} bye"]
        assert [text for sender, text in anna.heard(CHANNEL) if sender == "carla"] == said

        await reader.until("carla: \N{BIRD} bye")
        heard = [line.partition(": ")[2] for line in reader.lines if not line.startswith("--")]
        assert heard == [said[0], "hello carla", "welcome", said[1], "back again", said[2]]


async def test_a_reader_cannot_talk(tmp_path: Path) -> None:
    async with (
        serve(tmp_path) as server,
        raw_client(server.tcp(), "anna") as anna,
        chat(server, tmp_path) as reader,
    ):
        await anna.login(CHANNEL)
        await reader.until(f"-- reading #{CHANNEL}; to talk, give --nick")
        reader.type("may I?")
        await reader.until("-- not said: you are anonymous; to talk, give --nick")
        anna.say(CHANNEL, "anybody there?")
        await reader.until("anna: anybody there?")
        await anna.flush()
        assert anna.heard(CHANNEL) == []
