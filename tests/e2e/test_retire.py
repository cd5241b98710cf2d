"""The end of a migration: the old cluster is retired, its addresses serve the new one, nobody loses a line."""

from __future__ import annotations

import asyncio
from pathlib import Path

from godwit.client.client import Client
from godwit.client.events import Message, Moved
from tests.bots.driver import DEADLINE, Bot, bot
from tests.e2e.harness import Server, raw_client, serve

CHANNEL = "room"

QUICK = (
    "move.drain=0.2",
    "move.lease=0.2",
    "log.compare_interval=0.1",
    "edge.retire_spread=0.5",
    "edge.reconnect_grace=1",
)


class Follower:
    """A client that follows moves; what it hears is kept."""

    def __init__(self, client: Client) -> None:
        self.heard: list[tuple[str, str]] = []
        self.moved = asyncio.Event()
        self._client = client
        self._news = asyncio.Event()

    async def listen(self) -> None:
        """Hear until cancelled."""
        async for event in self._client:
            if isinstance(event, Message):
                self.heard.append((event.author, event.text))
            elif isinstance(event, Moved):
                self.moved.set()
            self._news.set()

    async def wait_heard(self, line: tuple[str, str]) -> None:
        """Wait until it has heard a line."""
        async with asyncio.timeout(DEADLINE):
            while line not in self.heard:
                self._news.clear()
                await self._news.wait()


def since_reconnect(listener: Bot, part: str) -> list[str]:
    """The lines that a bot's library got after RECONNECT and that contain `part`."""
    lines = [str(event["line"]) for event in listener.named("raw")]
    told = next((place for place, line in enumerate(lines) if line.endswith(" RECONNECT")), len(lines))
    return [line for line in lines[told:] if part in line]


async def retire(server: Server) -> None:
    """Everything goes to aws, and main is retired into it as soon as that may be."""
    early = await server.cli("cluster", "retire", "main", "--into", "aws")
    assert early.status == 2
    assert "1 channels are still there: move them first" in early.err
    await server.move(CHANNEL, "aws")
    changed = await server.cli("cluster", "default", "aws", "--reason", "the last wave is done")
    assert changed.status == 0, changed
    await server.wait_logged("event=move ", f"channel={CHANNEL}", "state=settled")
    retired = await server.cli("cluster", "retire", "main", "--into", "aws", "--reason", "one network in the end")
    assert retired.status == 0, retired


async def test_a_retired_cluster(tmp_path: Path) -> None:
    """RC-3: a stock bot comes back to the address that it knows and is at home there; a follower loses nothing."""
    async with (
        serve(tmp_path, *QUICK) as server,
        raw_client(server.tcp("aws"), "anna") as anna,
        bot("tmi", server.ws(), "tmibot", CHANNEL) as tmi,
        Client("follower", "anything", servers=server.tcp()) as client,
        asyncio.TaskGroup() as group,
    ):
        follower = Follower(client)
        await client.join(CHANNEL)
        listening = group.create_task(follower.listen())
        tmi.say("from main")
        await tmi.until(lambda: any(" USERSTATE " in event["line"] for event in tmi.named("raw")), "its own line")
        stop = asyncio.Event()

        async def talk() -> None:
            number = 0
            await anna.login(CHANNEL)
            while not stop.is_set():
                number += 1
                await anna.chat(CHANNEL, [f"line {number}"])
                await follower.wait_heard(("anna", f"line {number}"))

        talking = group.create_task(talk())
        await retire(server)
        await tmi.event("disconnected")
        await tmi.until(lambda: len(tmi.named("joined")) == 2, "second JOIN")
        await server.wait_logged("event=cluster_empty", "cluster=main")
        assert await server.metric("edge_connections", "main") == 0
        tmi.say("from the old address")
        await follower.wait_heard(("tmibot", "from the old address"))
        stop.set()
        await talking
        await anna.chat(CHANNEL, ["farewell"])
        await tmi.message("anna", "farewell")
        await follower.wait_heard(("anna", "farewell"))
        listening.cancel()

        assert follower.moved.is_set()
        assert since_reconnect(tmi, " 366 ")
        assert since_reconnect(tmi, " SERVERCHANGE ") == []
        lines = [line for sender, line in follower.heard if sender == "anna"]
        assert lines == [f"line {number}" for number in range(1, len(lines))] + ["farewell"]
        async with server.http() as api:
            servers = (await api.get("/servers", params={"cluster": "main"})).json()["servers"]
        assert servers == [server.tcp("aws"), server.tcp("main")]


async def test_it_is_so_at_once_after_a_restart_and_can_be_undone(tmp_path: Path) -> None:
    async with serve(tmp_path, *QUICK) as server, raw_client(server.tcp(), "anna") as anna:
        await anna.login(CHANNEL)
        await anna.chat(CHANNEL, ["before"])
        await retire(server)
        await anna.until_closed()

    async with (
        serve(tmp_path, *QUICK) as server,
        raw_client(server.tcp(), "anna") as anna,
        raw_client(server.tcp("aws"), "ben") as ben,
    ):
        await anna.login(CHANNEL)
        await ben.login(CHANNEL)
        await anna.chat(CHANNEL, ["after"])
        await ben.expect(":after")
        assert await server.metric("edge_connections", "aws") == 2
        assert [line for line in anna.lines if "SERVERCHANGE" in line] == []
        clean = await server.cli("doctor")
        assert clean.status == 0, clean
        restored = await server.cli("cluster", "restore", "main", "--reason", "second thoughts")
        assert restored.status == 0, restored
        await server.wait_logged("event=cluster_restored", "cluster=main")
        async with raw_client(server.tcp(), "carla") as carla:
            await carla.login(CHANNEL)
            assert await carla.expect(f" SERVERCHANGE #{CHANNEL}")
            assert await server.metric("edge_connections", "main") == 1
            await carla.chat(CHANNEL, ["over the bridge"])
            await anna.expect(":over the bridge")
