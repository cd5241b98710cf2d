"""`Link` keeps one connection to a NATS cluster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from nats.aio.msg import Msg
from structlog.testing import capture_logs

from godwit.chatlog.jetstream_link import Link, NoAnswer
from godwit.errors import ChatLogUnavailable
from tests.conformance.chatlog import DEADLINE
from tests.nats import Admin, Node, admin, node, nodes


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Node]:
    async with node(tmp_path) as one:
        yield one


@pytest.fixture
async def operator(server: Node) -> AsyncIterator[Admin]:
    async with admin(server.url) as one:
        yield one


class Told:
    """What a link told its owner."""

    def __init__(self) -> None:
        self.connections = 0
        self.up = asyncio.Event()
        self.lost = asyncio.Event()
        self.refuse: Callable[[], Awaitable[None]] | None = None

    async def connected(self) -> None:
        self.connections += 1
        if self.refuse:
            await self.refuse()
        self.up.set()

    def link(self, *urls: str) -> Link:
        return Link("test", urls, connected=self.connected, lost=self.lost.set, slow=lambda: None)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def link(server: Node, told: Told) -> AsyncIterator[Link]:
    one = told.link(server.url)
    await one.open()
    yield one
    await one.close()


async def answer(message: Msg) -> None:
    """Answer with what was asked."""
    await message.respond(message.data)


async def test_answers_find_who_asked(link: Link, operator: Admin) -> None:
    await operator.client.subscribe("echo", cb=answer)
    await operator.settle()
    asked = [str(number).encode() for number in range(100)]
    answers = await asyncio.gather(*(link.ask("echo", each, within=DEADLINE) for each in asked))
    assert [each.data for each in answers] == asked
    assert link.subscriptions == 1


async def test_nobody_serves(link: Link) -> None:
    """It is known at once, and nothing has happened."""
    with pytest.raises(ChatLogUnavailable, match="nobody serves nowhere") as error:
        await link.ask("nowhere", within=DEADLINE)
    assert not isinstance(error.value, NoAnswer)
    with pytest.raises(ChatLogUnavailable):
        await link.ask_many("nowhere", b"", within=DEADLINE)


async def test_no_answer(link: Link, operator: Admin) -> None:
    await operator.client.subscribe("silence")
    await operator.settle()
    with pytest.raises(NoAnswer, match=r"in 0\.05 s"):
        await link.ask("silence", within=0.05)


async def test_whoever_waits_when_the_connection_is_lost(link: Link, operator: Admin, server: Node) -> None:
    heard = asyncio.Event()

    async def take(message: Msg) -> None:
        heard.set()

    await operator.client.subscribe("silence", cb=take)
    await operator.settle()
    asking = asyncio.create_task(link.ask("silence", within=DEADLINE))
    await heard.wait()
    await server.kill()
    with pytest.raises(NoAnswer, match="the connection to NATS was lost"):
        await asking
    with pytest.raises(ChatLogUnavailable, match="not connected") as error:
        await link.ask("silence", within=DEADLINE)
    assert not isinstance(error.value, NoAnswer)


async def test_connects_again_and_listens_again(link: Link, told: Told, server: Node) -> None:
    heard = asyncio.Event()
    link.watch("news", lambda message: heard.set())
    told.up.clear()
    await server.kill()
    await asyncio.wait_for(told.lost.wait(), DEADLINE)
    await server.start()
    await asyncio.wait_for(told.up.wait(), DEADLINE)
    async with admin(server.url) as operator:
        await operator.client.publish("news")
        await asyncio.wait_for(heard.wait(), DEADLINE)


async def test_unwatched(link: Link, operator: Admin) -> None:
    heard: list[bytes] = []
    came = asyncio.Event()
    await operator.client.subscribe("echo", cb=answer)
    await operator.settle()
    link.watch("one", lambda message: heard.append(message.data))
    link.watch("two", lambda message: came.set())
    await link.ask("echo", within=DEADLINE)
    assert link.subscriptions == 3
    link.unwatch("one")
    await link.ask("echo", within=DEADLINE)
    assert link.subscriptions == 2
    await operator.client.publish("one")
    await operator.client.publish("two")
    await asyncio.wait_for(came.wait(), DEADLINE)
    assert heard == []


async def test_takes_another_server(tmp_path: Path, told: Told) -> None:
    """One that is not good enough for the owner is given up like one that does not answer."""
    async with nodes(tmp_path) as three:
        link = told.link(*three.urls)
        refusals = 2

        async def refuse_twice() -> None:
            nonlocal refusals
            if refusals:
                refusals -= 1
                raise ChatLogUnavailable("not this one")

        told.refuse = refuse_twice
        await link.open()
        assert told.connections == 3
        await link.close()


async def test_first_connection_is_not_waited_for(told: Told, server: Node) -> None:
    await server.kill()
    link = told.link(server.url)
    with pytest.raises(ChatLogUnavailable, match="no NATS server of test answers"):
        await link.open()
    assert not link.up
    await link.close()


async def test_drop(link: Link, told: Told) -> None:
    """The owner may want another connection."""
    told.up.clear()
    link.drop()
    await asyncio.wait_for(told.up.wait(), DEADLINE)
    assert told.connections == 2


async def test_errors_of_nats_itself(link: Link) -> None:
    with pytest.raises(ChatLogUnavailable, match="not sent"):
        await link.ask("a subject with blanks", within=DEADLINE)


@pytest.mark.parametrize("serves", [True, False])
async def test_closes_at_any_moment_of_connecting(told: Told, server: Node, serves: bool) -> None:
    """nats-py does not always hear that it is cancelled; that is heard here all the same."""
    url = server.url if serves else "nats://127.0.0.1:1"
    for turns in range(60):
        link = told.link(url)
        link.begin()
        for _ in range(turns):
            await asyncio.sleep(0)
        with capture_logs() as logs:
            async with asyncio.timeout(DEADLINE):
                await link.close()
        assert not [entry for entry in logs if entry["event"] == "tasks_go_on"]
        assert not link.up


async def test_closes_although_the_server_hangs(link: Link, server: Node) -> None:
    server.pause()
    for _ in range(300):
        link.tell("somebody", b"x" * 100_000)
    await asyncio.sleep(0)
    async with asyncio.timeout(DEADLINE):
        await link.close()
    assert not link.up
