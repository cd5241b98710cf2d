"""Listeners of a cluster."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace

import pytest

from godwit.edge.front import Front
from godwit.edge.node import EdgeNode
from tests.edge.world import DEADLINE, Client, world


async def test_connections_are_handed_to_the_edges_in_turn() -> None:
    async with world() as net:
        nodes = [EdgeNode("main", net.logs, net.store, net.settings, net.clock, net.addresses) for _ in range(3)]
        front = Front(nodes, net.settings.edge)
        await front.listen(tcp_port=0, ws_port=0)
        assert front.tcp
        assert front.ws
        clients = []
        for number in range(6):
            client = Client(*await asyncio.open_connection("127.0.0.1", front.tcp.port))
            client.send("PASS oauth:x", f"NICK r{number}", "JOIN #room")
            await client.until(" 366 ")
            clients.append(client)
        assert [node.statistics().connections for node in nodes] == [2, 2, 2]
        clients[0].send("PRIVMSG #room :to all edges")
        for client in clients[1:]:
            await client.until(":to all edges")
        front.close()
        for node in nodes:
            await node.stop(0.0)
        await front.wait_empty()


@pytest.mark.parametrize("kind", ["tcp", "ws"])
async def test_a_transport_may_be_off(kind: str) -> None:
    async with world() as net:
        off = replace(net.settings.edge, tcp=kind != "tcp", ws=kind != "ws")
        front = Front([net.nodes["main"]], off)
        await front.listen(tcp_port=0, ws_port=0)
        assert (front.tcp is None, front.ws is None) == (kind == "tcp", kind == "ws")
        front.close()
        await front.wait_empty()


async def test_a_port_that_is_taken_is_told_and_nothing_stays_open() -> None:
    async with world() as net:
        with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as other:
            free = other.getsockname()[1]
            other.close()
            front = Front([net.nodes["main"]], net.settings.edge)
            with pytest.raises(OSError, match="in use"):
                await front.listen(tcp_port=free, ws_port=taken.getsockname()[1])
        with socket.create_server(("127.0.0.1", free)):
            """The first listener was closed again."""


async def test_connections_of_a_retired_cluster_are_sent_away_one_after_the_other() -> None:
    """RC-2, RC-3: in equal handfuls; who logs in meanwhile comes last."""
    async with world(edge={"reconnect_grace": 0.0}) as net:
        front, node = net.fronts["main"], net.nodes["main"]
        clients = [await net.login(f"r{number}") for number in range(5)]
        late = await net.connect()
        late.send("CAP REQ :twitch.tv/commands")
        await late.until("CAP * ACK")
        front.hand_to([net.nodes["aws"]])
        at_aws = await net.connect("main")
        at_aws.send("CAP LS")
        await at_aws.until("CAP * LS")
        told: list[int] = []
        pauses: list[float] = []

        async def sleep(seconds: float) -> None:
            pauses.append(seconds)
            here = [client for client in clients if not client.reader.at_eof()]
            told.append([await client.flush() for client in here].count([":tmi.twitch.tv RECONNECT"]))
            node.sweep(node.loop.time() + 2.0 * len(pauses))
            for client in here[: told[-1]]:
                assert await client.rest() == []
            if len(pauses) == 3:
                late.send("PASS oauth:x", "NICK late")
                await late.until("GLOBALUSERSTATE")
                clients.append(late)

        async with asyncio.timeout(DEADLINE):
            assert await front.send_away(3.0, sleep) == 6
        assert told == [2, 2, 1, 1]
        assert pauses == [1.0, 1.0, 1.0, 1.0]
        assert [node.statistics().connections for node in net.nodes.values()] == [0, 1, 0]


async def test_sending_away_at_once_takes_no_time_of_its_own() -> None:
    async with world(edge={"reconnect_grace": 0.0}) as net:
        clients = [await net.login(f"r{number}") for number in range(3)]
        net.fronts["main"].hand_to([net.nodes["aws"]])

        async def sleep(seconds: float) -> None:
            net.nodes["main"].sweep(net.nodes["main"].loop.time() + 1.0)

        assert await net.fronts["main"].send_away(0.0, sleep) == 3
        for client in clients:
            assert await client.rest() == [":tmi.twitch.tv RECONNECT"]
