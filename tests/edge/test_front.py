"""Listeners of a cluster."""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from godwit.edge.front import Front, Ports, fixed_ports
from godwit.edge.node import EdgeNode
from godwit.local.certificate import own_certificate
from godwit.settings import EdgeSettings
from godwit.wire.certificates import server_context
from tests.edge.world import DEADLINE, Client, world


async def test_connections_are_handed_to_the_edges_in_turn() -> None:
    async with world() as net:
        nodes = [EdgeNode("main", net.logs, net.store, net.settings, net.clock, net.addresses) for _ in range(3)]
        front = Front(nodes, net.settings.edge)
        await front.listen(Ports())
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
        await front.listen(Ports())
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
                await front.listen(Ports(tcp=free, ws=taken.getsockname()[1]))
        with socket.create_server(("127.0.0.1", free)):
            """The first listener was closed again."""


def test_ports_are_counted_on() -> None:
    settings = EdgeSettings(tcp_port=1000, ws_port=2000, tls_port=3000, wss_port=4000)
    assert fixed_ports(settings, 2) == Ports(tcp=1002, ws=2002, tls=3002, wss=4002)


def trusting(certificate: Path) -> ssl.SSLContext:
    """What a client needs that trusts one certificate and no other."""
    return ssl.create_default_context(cafile=str(certificate))


async def secure(port: int, certificate: Path, nick: str) -> Client:
    """A client that has logged in over TLS."""
    client = Client(*await asyncio.open_connection("127.0.0.1", port, ssl=trusting(certificate)))
    client.send("PASS oauth:x", f"NICK {nick}")
    await client.until(f" 376 {nick} ")
    return client


@pytest.mark.row("TLS-1")
async def test_tls_on_tcp_and_on_websocket(tmp_path: Path) -> None:
    certificate, key = own_certificate(tmp_path, datetime.now(UTC))
    async with world() as net:
        front = Front([net.nodes["main"]], replace(net.settings.edge, tcp=False, ws=False))
        await front.listen(Ports(), server_context(certificate, key))
        assert (front.tcp, front.ws) == (None, None)
        assert front.tls
        assert front.wss
        ann = await secure(front.tls.port, certificate, "ann")
        ann.send("JOIN #room")
        await ann.until(" 366 ")
        url = f"wss://localhost:{front.wss.port}/"
        async with connect(
            url, ssl=trusting(certificate), host="127.0.0.1", subprotocols=[Subprotocol("irc")], compression=None
        ) as bob:
            await bob.send("PASS oauth:x\r\nNICK bob\r\n")
            assert " 376 bob " in str(await bob.recv())
            await bob.send("PRIVMSG #room :in secret")
            await ann.until(":in secret")
        ann.close()
        front.close()
        await front.wait_empty()


@pytest.mark.row("TLS-2")
async def test_another_certificate_is_shown_to_new_clients_and_nobody_is_dropped(tmp_path: Path) -> None:
    old, old_key = own_certificate(tmp_path, datetime.now(UTC))
    (tmp_path / "new").mkdir()
    new, new_key = own_certificate(tmp_path / "new", datetime.now(UTC) + timedelta(minutes=1))
    async with world() as net:
        front = Front([net.nodes["main"]], net.settings.edge)
        await front.listen(Ports(), server_context(old, old_key))
        assert front.tls
        ann = await secure(front.tls.port, old, "ann")
        front.renew(server_context(new, new_key))
        bob = await secure(front.tls.port, new, "bob")
        with pytest.raises(ssl.SSLCertVerificationError):
            await secure(front.tls.port, old, "cid")
        assert await ann.flush() == await bob.flush() == []
        ann.close()
        bob.close()
        front.close()
        await front.wait_empty()


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
