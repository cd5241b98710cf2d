"""`NatsHearsay`, against real servers: two clusters that know nothing of each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from godwit.chatlog.hearsay import Hearsay
from godwit.chatlog.hearsay_nats import REMEMBERED, ROOT, NatsHearsay
from tests.conformance.hearsay import DEADLINE, Ear, HearsaySuite
from tests.nats import Node, admin, node, pause


class NatsRig:
    """Processes with servers of two clusters."""

    def __init__(self, main: Node, aws: Node) -> None:
        self.main = main
        self.aws = aws
        self.stack = AsyncExitStack()

    def make(self) -> NatsHearsay:
        """One more process that knows the servers of both clusters."""
        hearsay = NatsHearsay({"main": [self.main.url], "aws": [self.aws.url]})
        self.stack.push_async_callback(hearsay.close)
        hearsay.open()
        return hearsay

    async def open(self) -> Hearsay:
        """The same, once it is connected."""
        hearsay = self.make()
        await connected(hearsay, 2)
        return hearsay


async def connected(hearsay: NatsHearsay, number: int) -> None:
    """Wait until it is told over that many clusters' servers."""
    async with asyncio.timeout(DEADLINE):
        while hearsay.connections != number:
            await pause()


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[NatsRig]:
    async with node(tmp_path / "main") as main, node(tmp_path / "aws") as aws:
        rig = NatsRig(main, aws)
        async with rig.stack:
            yield rig


class TestNatsHearsay(HearsaySuite):
    pass


async def test_one_cluster_away_changes_nothing(rig: NatsRig) -> None:
    one, two = rig.make(), rig.make()
    await connected(one, 2)
    await connected(two, 2)
    ear = Ear(two, "t")
    await ear.reached(one, "t")
    for server in (rig.main, rig.aws):
        await server.kill()
        await connected(one, 1)
        await connected(two, 1)
        one.tell("t", server.name.encode() + b"%d" % server.port)
        await ear.wait(server.name.encode() + b"%d" % server.port)
        await server.start()
        await connected(one, 2)
        await connected(two, 2)
        await ear.reached(one, "t")


async def test_it_begins_before_any_server_is_there(rig: NatsRig) -> None:
    await rig.main.kill()
    await rig.aws.kill()
    one, two = rig.make(), rig.make()
    ear, own = Ear(two, "t"), Ear(one, "t")
    one.tell("t", b"to myself")
    await own.wait(b"to myself")
    assert (one.connections, ear.heard) == (0, [])
    await rig.aws.start()
    await ear.reached(one, "t")


async def test_what_comes_again_is_heard_once_for_long(rig: NatsRig) -> None:
    hearsay = rig.make()
    ear = Ear(hearsay, "t")
    await connected(hearsay, 2)
    async with admin(rig.main.url) as operator:
        await ear.reached(rig.make(), "t")
        for number in range(REMEMBERED + 10):
            await operator.client.publish(f"{ROOT}.t", b"%016dx%d" % (number, number))
        for number in range(REMEMBERED, REMEMBERED + 10):
            await operator.client.publish(f"{ROOT}.t", b"%016dx%d" % (number, number))
        await operator.client.publish(f"{ROOT}.t", b"%016dend" % 10**15)
        await ear.wait(b"end")
    assert ear.heard == [b"x%d" % number for number in range(REMEMBERED + 10)] + [b"end"]


async def test_clusters_that_share_their_servers_are_one_way(rig: NatsRig) -> None:
    urls = [rig.main.url, rig.aws.url]
    hearsay = NatsHearsay({"main": urls, "aws": urls[::-1], "event": [rig.aws.url]})
    rig.stack.push_async_callback(hearsay.close)
    hearsay.open()
    await connected(hearsay, 2)


async def test_it_closes_while_nobody_answers(rig: NatsRig) -> None:
    await rig.main.kill()
    hearsay = rig.make()
    await connected(hearsay, 1)
    async with asyncio.timeout(DEADLINE):
        await hearsay.close()
    assert hearsay.connections == 0
