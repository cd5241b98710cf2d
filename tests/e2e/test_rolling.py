"""All edges of a cluster are restarted, one after another, while unmodified bots listen and people talk."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from godwit.chatlog.jetstream_prepare import prepare
from godwit.client.client import Client
from godwit.client.events import Gap, Message
from godwit.client.options import Options
from godwit.client.pace import Rate
from godwit.errors import SayUnknown
from godwit.settings import LogSettings, NatsSettings
from tests.bots.driver import DEADLINE, ROOT, Bot, bot
from tests.e2e.harness import Server
from tests.nats import node, pause
from tests.postgres import Databases

CHANNEL = "room"
EDGES = 2
BOTS = 5
TALKERS = 3
AT_ONCE = Options(messages=Rate(1000, 1.0), joins=Rate(1000, 1.0))
START = 120.0
"""Seconds that all edges may take to start, on a machine that has other things to do."""


@contextlib.asynccontextmanager
async def edges(directory: Path, store: str, nats: str) -> AsyncIterator[Server]:
    """Edge processes of one cluster on one port, and what starts them again."""
    ready_file = directory / "ready.json"
    settings = (
        "clusters=main",
        f"store.url={store}",
        f"nats.servers.main={nats}",
        "nats.replicas=1",
        "nats.streams=1",
        "auth.admin_token=the-admin-token",
        "limits.preset=off",
        "edge.drain_spread=1",
        "edge.reconnect_grace=1",
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "godwit", "edge", "--cluster", "main", "--workers", str(EDGES), "--ports", "auto"),
        *("--name", "edge", "--ready-file", str(ready_file)),
        *(word for setting in settings for word in ("--set", setting)),
        cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )
    found = Server(process, ready_file, directory)
    try:
        await found.wait_ready(START)
        yield found
    finally:
        await found.stop()
    assert found.ended_well, "\n".join(found.errors[-30:])


class Record:
    """What a client that follows has seen: everything, in the one order."""

    def __init__(self, client: Client) -> None:
        self.lines: list[tuple[str, str]] = []
        self.gaps: list[Gap] = []
        self._client = client

    async def keep(self) -> None:
        """Write down until cancelled."""
        async for event in self._client:
            if isinstance(event, Message):
                self.lines.append((event.author, event.text))
            elif isinstance(event, Gap):
                self.gaps.append(event)

    async def wait_for(self, line: tuple[str, str]) -> None:
        """Wait until a line is written down."""
        async with asyncio.timeout(DEADLINE):
            while line not in self.lines[-200:]:
                await pause()


class Talker:
    """Somebody who talks, and knows what was acknowledged."""

    def __init__(self, nick: str, client: Client) -> None:
        self.nick = nick
        self.acknowledged: list[str] = []
        self.unknown: list[str] = []
        self._client = client

    async def say(self, text: str) -> None:
        """Say a line; without an acknowledgement nobody knows whether it was said."""
        try:
            await self._client.say(CHANNEL, text)
            self.acknowledged.append(text)
        except SayUnknown:
            self.unknown.append(text)

    async def talk(self, stop: asyncio.Event) -> None:
        """Say a line now and then, until told to stop."""
        while not stop.is_set():
            await self.say(f"{len(self.acknowledged) + len(self.unknown)} by {self.nick}")
            await pause()


async def restart(fleet: Server, name: str) -> None:
    """End an edge process in order, and wait until it is there again."""
    [pid] = [
        found[1] for line in fleet.errors if (found := re.search(rf"event=started process={name} pid=(\d+)", line))
    ]
    os.kill(int(pid), signal.SIGTERM)
    async with asyncio.timeout(START):
        while len(fleet.logged(f"[{name}] godwit: ready")) < 2:
            await pause()
    assert fleet.logged("event=worker_ended", f"name={name}", "status=0")


def back(listener: Bot) -> bool:
    """Whether a bot is in the channel."""
    return len(listener.named("joined")) > len(listener.named("disconnected"))


def away(listener: Bot) -> list[float]:
    """For how many seconds a bot was out of the channel, each time that it was."""
    gone = [event["time"] for event in listener.named("disconnected")]
    back = [event["time"] for event in listener.named("joined")][1:]
    return [there - left for left, there in zip(gone, back, strict=True)]


def missed(listener: Bot, record: list[tuple[str, str]]) -> list[int]:
    """How many lines a bot missed each time: what it heard is the record but for so many pieces of it."""
    heard, pieces, run = iter(listener.heard()), [], 0
    expected = next(heard, None)
    for line in record:
        if line == expected:
            if run:
                pieces.append(run)
            expected, run = next(heard, None), 0
        else:
            run += 1
    assert expected is None, f"{listener.nick} heard what is not in the record, twice or in another order: {expected}"
    assert run == 0, f"{listener.nick} did not hear the last {run} lines"
    return pieces


async def test_bots_live_through_a_restart_of_all_edges(databases: Databases, tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as up:
        server = await up.enter_async_context(node(tmp_path / "nats"))
        settings = NatsSettings(servers={"main": [server.url]}, streams=1, replicas=1, max_bytes=10_000_000)
        await prepare("main", [server.url], settings, LogSettings())
        fleet = await up.enter_async_context(edges(tmp_path, await databases.empty_store(), server.url))

        async def client(nick: str | None) -> Client:
            made = Client(nick, "anything", servers=fleet.tcp(), options=AT_ONCE)
            return await up.enter_async_context(made)

        witness = await client(None)
        await witness.join(CHANNEL)
        record = Record(witness)
        keeping = asyncio.create_task(record.keep())
        bots = await asyncio.gather(
            *(up.enter_async_context(bot("tmi", fleet.ws(), f"bot{number}", CHANNEL)) for number in range(BOTS))
        )
        talkers = [Talker(f"talker{number}", await client(f"talker{number}")) for number in range(TALKERS)]
        for talker in talkers:
            await talker._client.join(CHANNEL)
        stop = asyncio.Event()
        await talkers[0].say("the beginning")
        talking = [asyncio.create_task(talker.talk(stop)) for talker in talkers]

        for number in range(1, EDGES + 1):
            await restart(fleet, f"edge-{number}")
            for listener in bots:
                await listener.until(lambda listener=listener: back(listener), "return")  # type: ignore[misc]
        stop.set()
        await asyncio.gather(*talking)
        await talkers[0].say("the end")
        await record.wait_for(("talker0", "the end"))
        for listener in bots:
            await listener.message("talker0", "the end")
        keeping.cancel()
        await asyncio.wait([keeping])

        # The witness, who resumes by position, has everything that was acknowledged, once and in order.
        assert record.gaps == []
        assert len(record.lines) == len(set(record.lines))
        for talker in talkers:
            unknown = set(talker.unknown)
            assert [
                text for by, text in record.lines if by == talker.nick and text not in unknown
            ] == talker.acknowledged

        # The bots came back at their first attempt each time, and missed only what was said meanwhile.
        shown: list[dict[str, Any]] = []
        for listener in bots:
            assert len(listener.named("connecting")) == len(listener.named("joined")) == 1 + len(away(listener))
            pieces = missed(listener, record.lines)
            assert len(pieces) <= len(away(listener))
            shown.append({"bot": listener.nick, "away": [round(each, 2) for each in away(listener)], "missed": pieces})
        assert all(away(listener) for listener in bots), "each was on an edge that was restarted"
        print(f"{len(record.lines)} lines, {sum(len(talker.unknown) for talker in talkers)} of unknown fate")
        print(*shown, sep="\n")
