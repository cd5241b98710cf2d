"""Group chat over many processes: real PostgreSQL and NATS, all roles in the test's own process."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from godwit.chatlog.jetstream_prepare import prepare
from godwit.roles.directory import Directory
from godwit.roles.edge import Edge
from godwit.settings import (
    AuthSettings,
    ControlSettings,
    EdgeSettings,
    LimitSettings,
    NatsSettings,
    Settings,
    StoreSettings,
)
from tests.edge.world import DEADLINE, Client
from tests.nats import node
from tests.postgres import Databases
from tests.roles.test_processes import TOKEN, Fleet, at

CLUSTERS = ("main", "group")


async def login(ready: dict[str, Any], nick: str) -> Client:
    """Somebody at an edge's address, with tags and commands."""
    (cluster,) = ready["clusters"].values()
    host, port = cluster["tcp"].split(":")
    client = Client(*await asyncio.open_connection(host, int(port)))
    client.send("CAP REQ :twitch.tv/tags twitch.tv/commands", "PASS oauth:x", f"NICK {nick}")
    await client.until("GLOBALUSERSTATE")
    return client


async def acquainted(*edges: Edge) -> None:
    """Wait until all edges have heard of each other: what one tells from then on, the others hear."""
    nodes = [node for edge in edges for node in edge._network.all_nodes()]
    async with asyncio.timeout(DEADLINE):
        while any(node.neighbours.known < len(nodes) - 1 for node in nodes):  # noqa: ASYNC110  (no event)
            await asyncio.sleep(0)


@pytest.mark.row("GROUP-1", "GROUP-4", "GROUP-6", "HTTP-chatdepot", "HTTP-chatters")
async def test_group_chat_over_many_processes(databases: Databases, tmp_path: Path) -> None:
    """Whispers, an invitation, a room on two edges, and who is there: everything is told from process to process."""
    async with AsyncExitStack() as up:
        server = await up.enter_async_context(node(tmp_path / "nats"))
        settings = Settings(
            clusters=CLUSTERS,
            store=StoreSettings(url=await databases.empty_store(), connections=3),
            nats=NatsSettings(
                servers={name: [server.url] for name in CLUSTERS}, streams=2, replicas=1, max_bytes=10_000_000
            ),
            auth=AuthSettings(admin_token=TOKEN),
            edge=EdgeSettings(reconnect_grace=0.0, drain_spread=0.0),
            limits=LimitSettings(preset="off"),
            control=ControlSettings(probes=False),
        )
        for name in CLUSTERS:
            await prepare(name, [server.url], settings.nats, settings.log)
        fleet = Fleet(settings, server, up)
        first, main = await fleet.edge("main")
        second, one = await fleet.edge("one", "group")
        third, two = await fleet.edge("two", "group")
        directory = await fleet.start(Directory(fleet.named("directory"), ports_auto=True))
        anna, there, ben = await login(main, "anna"), await login(one, "anna"), await login(two, "ben")

        await acquainted(first, second, third)
        anna.send("PRIVMSG #jtv :/w ben psst")
        assert (await ben.until(" WHISPER "))[-1].endswith(":anna!anna@anna.tmi.twitch.tv WHISPER ben :psst")
        ben.send("PRIVMSG #jtv :/w anna what?")
        for client in (anna, there):
            (line,) = await client.until(" WHISPER ")
            assert "message-id=2;" in line

        async with at(directory["api"]) as api:
            room = (await api.post("/rooms", params={"oauth_token": "anna"})).json()["irc_channel"]
            ask = {"irc_channel": room, "username": "ben"}
            invited = (await api.post("/room_memberships", params={"oauth_token": "anna"}, data=ask)).json()
            assert (await ben.line()) == f":jtv!jtv@jtv.tmi.twitch.tv PRIVMSG ben :ROOMINVITE {room} anna"
            path = f"/room_memberships/{room}/{invited['user']['id']}"
            accepted = await api.put(path, params={"oauth_token": "ben"}, data={"is_confirmed": "1"})
            assert accepted.json()["is_confirmed"]
            for client in (there, ben):
                client.send(f"JOIN #{room}")
                await client.until(f"ROOMSTATE #{room}")
            there.send(f"PRIVMSG #{room} :hello from one")
            await ben.until(f" PRIVMSG #{room} :hello from one")
            found = (await api.get(f"/group/user/{room}/chatters")).json()["chatters"]
            assert (found["broadcaster"], found["viewers"]) == (["anna"], ["ben"])
            findings = (await api.get("/doctor")).json()["findings"]
            assert [each["kind"] for each in findings] == ["no-leader"], "rooms are no fault"

            await api.delete(path, params={"oauth_token": "anna"})
            await ben.until(f"ben.tmi.twitch.tv PART #{room}")
