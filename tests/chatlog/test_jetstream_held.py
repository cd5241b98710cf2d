"""What clients see while the chat log in NATS does not take what they say: a whole process over real servers.

Nothing is acknowledged meanwhile. What was sent is held, in order, and appended when the log is back, or refused
aloud; never both.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from godwit.app import App
from godwit.chatlog.jetstream import JetStreamLog
from godwit.chatlog.jetstream_prepare import prepare
from godwit.errors import ChatLogUnavailable
from godwit.settings import (
    ControlSettings,
    EdgeSettings,
    LimitSettings,
    LogSettings,
    NatsSettings,
    Settings,
    StoreSettings,
)
from tests.conformance.chatlog import message
from tests.edge.world import Client
from tests.nats import admin, node, nodes

DEADLINE = 30.0
"""Seconds after which a test that waits for something fails; an election takes up to 9."""

SMALL = 40_000
LARGE = 10_000_000
"""Bytes of a stream that is soon full, and of one that is not."""


@asynccontextmanager
async def two_talk(urls: Sequence[str], nats: NatsSettings, store: Path, hold: float) -> AsyncIterator[list[Client]]:
    """Ann and Ben in a room whose log is in NATS; each has said something."""
    settings = Settings(
        clusters=("main",),
        store=StoreSettings(path=str(store / "store.sqlite3")),
        log=LogSettings(hold=hold, append_timeout=2.0),
        nats=replace(nats, servers={"main": list(urls)}),
        edge=EdgeSettings(reconnect_grace=0.0),
        limits=LimitSettings(preset="off"),
        control=ControlSettings(probes=False),
    )
    app = App(settings, ports_auto=True)
    ready = await app.start()
    try:
        host, port = ready["clusters"]["main"]["tcp"].split(":")
        clients = []
        for nick in ("ann", "ben"):
            client = Client(*await asyncio.open_connection(host, int(port)))
            client.send("CAP REQ :twitch.tv/tags twitch.tv/commands", "PASS oauth:x", f"NICK {nick}", "JOIN #room")
            await client.until("ROOMSTATE")
            client.send("PRIVMSG #room :hello")
            await client.until(" USERSTATE ")
            clients.append(client)
        ann, ben = clients
        await ann.until("PRIVMSG #room :hello")
        await ben.flush()
        yield clients
    finally:
        await app.stop()


async def answers(client: Client, count: int) -> list[str]:
    """What becomes of the next lines that a client has sent: `said`, or the text of the NOTICE."""
    found: list[str] = []
    async with asyncio.timeout(DEADLINE):
        while len(found) < count:
            line = (await client.reader.readline()).decode().rstrip("\r\n")
            assert line, "closed"
            if " USERSTATE " in line:
                found.append("said")
            elif " NOTICE " in line:
                found.append(line)
    return found


async def heard(client: Client, count: int) -> list[str]:
    """The next lines of others, their texts."""
    found: list[str] = []
    async with asyncio.timeout(DEADLINE):
        while len(found) < count:
            line = (await client.reader.readline()).decode().rstrip("\r\n")
            assert line, "closed"
            if " PRIVMSG " in line:
                found.append(line.rpartition(" :")[2])
    return found


async def fill(urls: Sequence[str], nats: NatsSettings) -> None:
    """Write to another channel until nothing more is taken."""
    log = JetStreamLog("main", urls, nats, LogSettings())
    await log.open()
    try:
        for size in (400, 1):
            number = 0
            while True:
                number += 1
                try:
                    await log.append("noise", message(number, f"n{size}-", text="x" * size), stream=log.stream("noise"))
                except ChatLogUnavailable:
                    break
    finally:
        await log.close()


async def test_the_leader_is_killed_while_people_talk(tmp_path: Path) -> None:
    """What is said meanwhile waits for the next leader; everybody reads all of it once and in order."""
    nats = NatsSettings(streams=1, replicas=3, max_bytes=LARGE)
    async with nodes(tmp_path / "nats") as three:
        await prepare("main", three.urls, nats, LogSettings())
        async with admin(*three.urls) as operator, two_talk(three.urls, nats, tmp_path, hold=45.0) as (ann, ben):
            [name] = await operator.streams()
            leader = three[await operator.leader(name)]
            before, after = ([f"{when} {number}" for number in range(20)] for when in ("before", "after"))
            ann.send(*(f"PRIVMSG #room :{text}" for text in before))
            assert await answers(ann, 1) == ["said"]
            await leader.kill()
            ann.send(*(f"PRIVMSG #room :{text}" for text in after))
            assert await answers(ann, 39) == ["said"] * 39
            assert await heard(ben, 40) == before + after


async def test_a_full_stream_with_room_again_in_time(tmp_path: Path) -> None:
    """Nothing is acknowledged while it is full; then all of it, in order, and nobody is told otherwise."""
    nats = NatsSettings(streams=1, replicas=1, max_bytes=SMALL)
    async with node(tmp_path / "nats") as server:
        await prepare("main", [server.url], nats, LogSettings())
        async with two_talk([server.url], nats, tmp_path, hold=45.0) as (ann, ben):
            await fill([server.url], nats)
            texts = [f"line {number}" for number in range(5)]
            ann.send(*(f"PRIVMSG #room :{text}" for text in texts))
            assert await ann.flush() == []
            await prepare("main", [server.url], replace(nats, max_bytes=LARGE), LogSettings())
            assert await answers(ann, 5) == ["said"] * 5
            assert await heard(ben, 5) == texts


async def test_a_full_stream_with_room_again_too_late(tmp_path: Path) -> None:
    """What was held for too long is refused aloud, each with its text, and is not said when there is room again."""
    nats = NatsSettings(streams=1, replicas=1, max_bytes=SMALL)
    async with node(tmp_path / "nats") as server:
        await prepare("main", [server.url], nats, LogSettings())
        async with two_talk([server.url], nats, tmp_path, hold=3.0) as (ann, ben):
            await fill([server.url], nats)
            texts = [f"line {number}" for number in range(3)]
            ann.send(*(f"PRIVMSG #room :{text}" for text in texts))
            for text, told in zip(texts, await answers(ann, 3), strict=True):
                assert told.startswith("@msg-id=godwit_unsent :tmi.twitch.tv NOTICE #room :")
                assert told.endswith(f": {text}")
            await prepare("main", [server.url], replace(nats, max_bytes=LARGE), LogSettings())
            ann.send("PRIVMSG #room :room again")
            assert (await answers(ann, 1))[0] == "said"
            assert await heard(ben, 1) == ["room again"]
