"""The client over real connections of this machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from random import Random
from typing import Any

import pytest

from godwit.client.client import Client
from godwit.client.directory import Place
from godwit.client.events import Event, Gap, Interrupted, Message, Moved, Resumed, Sent
from godwit.client.options import Options
from godwit.client.pace import Rate
from godwit.errors import (
    ClientClosed,
    DirectoryUnavailable,
    JoinFailed,
    LoginRefused,
    SayRefused,
    UnknownChannel,
)
from godwit.tmi.login import LoginFailure
from tests.client.live import FakeTime, Live
from tests.client.network import FAST

PATIENCE = 20.0
"""Seconds after which a test counts as hanging."""


@pytest.fixture(params=["tcp", "ws"])
async def live(request: pytest.FixtureRequest) -> AsyncIterator[Live]:
    live = Live(request.param)
    await live.start()
    live.network.room()
    async with asyncio.timeout(PATIENCE):
        yield live
        await live.stop()


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


def make(live: Live, time: FakeTime, **kwargs: Any) -> Client:
    """A client of the main cluster."""
    arguments: dict[str, Any] = {
        "servers": live.network.clusters["main"].address,
        "transport": live.transport,
        "options": FAST,
        "clock": time,
        "sleep": time.sleep,
        "random": Random(1),
    }
    return Client("bot", "oauth:secret", **(arguments | kwargs))


async def take(client: Client, count: int) -> list[Event]:
    """The next events."""
    return [await anext(client) for _ in range(count)]


async def turn() -> None:
    """Let a call of the user reach the owner, and the owner act on it."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


def running() -> list[str]:
    """The tasks of clients that have not ended."""
    names = [task.get_name() for task in asyncio.all_tasks()]
    return [name for name in names if name.startswith("godwit-client")]


def texts(events: Sequence[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Message)]


async def test_join_hear_say_and_leave(live: Live, time: FakeTime) -> None:
    async with make(live, time) as client:
        await client.join("#Room")
        await client.join("room")
        live.network.rooms["room"].say("hello")
        live.show()
        (event,) = await take(client, 1)
        assert isinstance(event, Message)
        assert (event.channel, event.author, event.text) == ("room", "ann", "hello")
        sent = await client.say("room", "hello ann", reply_to=event.id)
        assert isinstance(sent, Sent)
        assert live.network.rooms["room"].lines[-1][1].id == sent.id
        await client.part("room")
        with pytest.raises(SayRefused, match="join #room"):
            await client.say("room", "still here?")
        assert client.statistics().acknowledged == 1
    assert live.accepted == 1
    assert running() == []
    with pytest.raises(StopAsyncIteration):
        await anext(client)


async def test_a_move_there_and_back_loses_and_repeats_nothing(live: Live, time: FakeTime) -> None:
    room = live.network.rooms["room"]
    async with make(live, time) as client:
        await client.join("room")
        for cluster in ("aws", "main", "aws"):
            room.say(f"before {cluster}")
            live.show()
            live.move("room", cluster)
            room.say(f"after {cluster}")
            live.show()
            events: list[Event] = []
            while not any(isinstance(event, Moved) for event in events):
                events += await take(client, 1)
            assert events[-1] == Moved("room", cluster, room.epoch)
            live.show()
            while len(texts(events)) < 2:
                events += await take(client, 1)
            assert texts(events) == [f"before {cluster}", f"after {cluster}"]
        assert client.statistics().moves == 3
        assert len(client._inbox) == 0


async def test_what_is_said_across_a_move_is_said_once_and_in_order(live: Live, time: FakeTime) -> None:
    room = live.network.rooms["room"]
    async with make(live, time) as client:
        await client.join("room")
        said = [asyncio.create_task(client.say("room", f"line {number:02}")) for number in range(30)]
        for cluster, number in (("aws", 5), ("main", 15), ("aws", 25)):
            await said[number]
            live.move("room", cluster)
        results = await asyncio.gather(*said)
        assert [line.text for _, line in room.lines] == [f"line {number:02}" for number in range(30)]
        assert [result.id for result in results] == [line.id for _, line in room.lines]


async def test_a_lost_connection_is_resumed_when_the_wait_is_over(live: Live, time: FakeTime) -> None:
    room = live.network.rooms["room"]
    async with make(live, time) as client:
        await client.join("room")
        live.cut("main")
        (event,) = await take(client, 1)
        assert isinstance(event, Interrupted)
        room.say("meanwhile")
        assert live.accepted == 1
        time.advance(5)
        assert await take(client, 1) == [Resumed("room", "main")]
        live.show()
        assert texts(await take(client, 1)) == ["meanwhile"]
        assert live.accepted == 2


async def test_reconnect_is_not_noticed(live: Live, time: FakeTime) -> None:
    room = live.network.rooms["room"]
    async with make(live, time) as client:
        await client.join("room")
        (old,) = live.network.peers()
        live.network.clusters["main"].reconnect()
        live.flush()
        # The old connection ends when nobody is on it any more.
        await live.until(lambda: old.link not in live.connections)
        room.say("hello")
        live.show()
        assert texts(await take(client, 1)) == ["hello"]
        assert live.accepted == 2


async def test_a_refused_login_is_one_clear_error_everywhere(live: Live, time: FakeTime) -> None:
    live.network.clusters["main"].refusal = LoginFailure.AUTHENTICATION_FAILED
    async with make(live, time) as client:
        with pytest.raises(LoginRefused, match="Login authentication failed"):
            await client.join("room")
        with pytest.raises(LoginRefused):
            await anext(client)
        with pytest.raises(LoginRefused):
            await client.say("room", "hello")
        time.advance(1000)
        with pytest.raises(LoginRefused):
            await client.join("room")
    assert live.accepted == 1


async def test_a_user_who_does_not_read_finds_a_gap_with_a_count(live: Live, time: FakeTime) -> None:
    room = live.network.rooms["room"]
    async with make(live, time, options=Options(queue=2, messages=Rate(100, 1.0))) as client:
        await client.join("room")
        for number in range(5):
            room.say(str(number))
        live.show()
        # Lines come before the acknowledgement that follows them.
        await client.say("room", "hello")
        events = await take(client, 3)
        assert texts(events) == ["0", "1"]
        assert events[2] == Gap("room", 3, "overflow")
        assert client.statistics().dropped == 3


async def test_closing_ends_what_waits(live: Live, time: FakeTime) -> None:
    live.network.clusters["main"].deaf = True
    client = make(live, time)
    async with client:
        joining = asyncio.create_task(client.join("room"))
        reading = asyncio.create_task(anext(client, None))
        await live.until(lambda: any(b"JOIN" in line for peer in live.network.peers() for line in peer.lines))
    with pytest.raises(ClientClosed):
        await joining
    assert await reading is None
    for call in (client.join("room"), client.say("room", "x")):
        with pytest.raises(ClientClosed):
            await call
    await client.close()
    with pytest.raises(ClientClosed, match="once"):
        await client.__aenter__()


async def test_closing_while_connecting_leaves_nothing_behind(live: Live, time: FakeTime) -> None:
    async with make(live, time) as client:
        joining = asyncio.create_task(client.join("room"))
        await turn()
        assert client.statistics().connecting == 1
    with pytest.raises(ClientClosed):
        await joining
    assert running() == []


async def test_an_error_in_the_users_code_comes_through_as_it_is(live: Live, time: FakeTime) -> None:
    client = make(live, time)

    async def work() -> None:
        async with client:
            await client.join("room")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await work()
    assert client.statistics().connections == 0


async def test_a_user_who_gives_up_a_call_does_not_speak(live: Live, time: FakeTime) -> None:
    main = live.network.clusters["main"]
    async with make(live, time) as client:
        await client.join("room")
        main.peer.held = True
        first = asyncio.create_task(client.say("room", "first"))
        await turn()
        second = asyncio.create_task(client.say("room", "second"))
        await turn()
        assert client.statistics().saying == client.statistics().unacknowledged == 1
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        main.peer.held = False
        live.flush()
        await first
        await client.say("room", "third")
        assert [line.text for _, line in live.network.rooms["room"].lines] == ["first", "third"]


async def test_nobody_there_is_a_clear_error(live: Live, time: FakeTime) -> None:
    for listener in live.listeners.values():
        listener.close()
    async with make(live, time, options=Options(join_attempts=1)) as client:
        with pytest.raises(JoinFailed, match=live.network.clusters["main"].address):
            await client.join("room")


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:", "127.0.0.1:99999", "x" * 100 + ":1", "a b:1", ":1:2"])
async def test_an_address_that_is_none_is_a_clear_error(live: Live, time: FakeTime, address: str) -> None:
    async with make(live, time, servers=address, options=Options(join_attempts=1)) as client:
        with pytest.raises(JoinFailed, match=address):
            await client.join("room")


async def test_a_name_that_can_be_no_channel_is_refused(live: Live, time: FakeTime) -> None:
    async with make(live, time) as client:
        with pytest.raises(UnknownChannel, match="not a channel"):
            await client.join("no such channel")
        with pytest.raises(UnknownChannel, match="not a channel"):
            await client.say("#a,#b", "x")


async def test_without_a_nick_one_reads(live: Live, time: FakeTime) -> None:
    address = live.network.clusters["main"].address
    transport: Any = live.transport
    async with Client(servers=address, transport=transport, clock=time, sleep=time.sleep) as client:
        await client.join("room")
        assert live.network.clusters["main"].peer.connection.anonymous
        live.network.rooms["room"].say("hello")
        live.show()
        assert texts(await take(client, 1)) == ["hello"]


class FakeDirectory:
    """Knows where the room is, or raises `error`."""

    def __init__(self, live: Live, error: Exception | None = None) -> None:
        self.live = live
        self.error = error

    async def look_up(self, channels: Sequence[str]) -> Mapping[str, Place]:
        if self.error is not None:
            raise self.error
        aws = self.live.network.clusters["aws"]
        return {channel: Place("aws", aws.addresses, 1) for channel in channels}


async def test_a_directory_is_asked_where_to_begin(live: Live, time: FakeTime) -> None:
    live.network.rooms["room"].home = "aws"
    async with make(live, time, servers=None, directory=FakeDirectory(live)) as client:
        await client.join("room")
        assert live.listeners["aws"].statistics().accepted == live.accepted == 1


async def test_a_directory_that_fails_is_a_clear_error(live: Live, time: FakeTime) -> None:
    directory = FakeDirectory(live, DirectoryUnavailable("away"))
    async with make(live, time, servers=None, directory=directory, options=Options(join_attempts=1)) as client:
        with pytest.raises(JoinFailed, match="away"):
            await client.join("room")


async def test_a_bug_ends_the_client_and_leaves_nobody_waiting(live: Live, time: FakeTime) -> None:
    directory = FakeDirectory(live, ZeroDivisionError("a bug"))
    client = make(live, time, servers=None, directory=directory)
    await client.__aenter__()
    with pytest.raises(ClientClosed, match="failed"):
        await client.join("room")
    with pytest.raises(ClientClosed, match="failed"):
        await anext(client)
    with pytest.raises(ExceptionGroup) as caught:
        await client.close()
    assert running() == []
    assert caught.group_contains(ZeroDivisionError)


async def test_a_client_that_is_not_open_says_so() -> None:
    client = Client("bot", "secret", servers="127.0.0.1:1")
    with pytest.raises(ClientClosed, match="not open"):
        await client.join("room")
    await client.close()


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"nick": "bot", "token": "x"}, "address of a server or of a directory"),
        ({"nick": "no nick", "token": "x", "servers": "127.0.0.1:1"}, "not a nick"),
        ({"nick": "bot", "servers": "127.0.0.1:1"}, "a token is one word"),
        ({"nick": "bot", "token": "two words", "servers": "127.0.0.1:1"}, "a token is one word"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_happens(kwargs: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Client(**kwargs)
