"""Hidden rooms and our own connections, on a real network."""

from __future__ import annotations

import asyncio

import pytest

from godwit.control.hidden import Chatter, anonymous, dial, hidden_room
from godwit.errors import JoinFailed, LoginRefused
from godwit.tmi.client_events import ChannelMessage, ClientEvent
from godwit.tmi.login import is_anonymous
from godwit.values import Addresses, is_login
from tests.control.outside_world import Rooms, until
from tests.edge.world import world


@pytest.mark.parametrize(
    ("purpose", "name", "room"),
    [
        ("probe", "main", "godwit__probe_main"),
        ("trip", "main_aws", "godwit__trip_main_aws"),
        ("shadow", "1", "godwit__shadow_1"),
    ],
)
def test_short_names_can_be_read(purpose: str, name: str, room: str) -> None:
    assert hidden_room(purpose, name) == room


@pytest.mark.parametrize("name", ["a-b", "main-2", "x" * 31])
def test_other_names_become_legal_channels(name: str) -> None:
    assert is_login(hidden_room("probe", name))


def test_long_names_are_told_apart() -> None:
    rooms = {hidden_room("probe", f"{'x' * 30}{number}") for number in range(5)}
    assert len(rooms) == 5
    assert all(is_login(room) and len(room) == 25 for room in rooms)


def test_nobody_needs_an_account_to_listen() -> None:
    assert is_anonymous(anonymous())
    assert anonymous() != anonymous()


async def test_a_cluster_without_addresses_cannot_be_called() -> None:
    with pytest.raises(OSError, match="no address"):
        await dial(Addresses(), Chatter())


@pytest.mark.parametrize("transport", ["tcp", "ws"])
async def test_one_hears_what_the_other_says(transport: str) -> None:
    async with world() as net:
        addresses = net.addresses("main")
        only = Addresses(tcp=addresses.tcp) if transport == "tcp" else Addresses(ws=addresses.ws)
        heard: list[ClientEvent] = []
        listener, talker = Chatter(heard.append), Chatter()
        state = await listener.enter(only, anonymous(), None, "room")
        assert state
        assert state.cluster == "main"
        assert await talker.enter(only, "room", "x") is None
        talker.say("room", "hello", "n1")
        await until(lambda: any(isinstance(event, ChannelMessage) for event in heard))
        listener.close()
        talker.close()
        await until(lambda: listener.gone and talker.gone)
        talker.say("room", "too late", "n2")


async def test_a_room_that_is_elsewhere_is_not_entered() -> None:
    async with world() as net:
        with pytest.raises(JoinFailed, match="#room has its home elsewhere"):
            await Chatter().enter(net.addresses("aws"), anonymous(), None, "room")


async def test_a_refused_login_says_so() -> None:
    async with world(auth={"mode": "tokens"}) as net:
        with pytest.raises(LoginRefused, match="Login authentication failed"):
            await Chatter().enter(net.addresses("main"), "room", "wrong")


async def test_a_connection_that_is_lost_on_the_way_in_is_an_error() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(OSError, match="lost"):
            await Chatter().enter(Addresses(tcp=(f"127.0.0.1:{port}",)), anonymous(), None, "room")


async def test_a_room_that_leaves_is_noticed() -> None:
    async with world() as net:
        rooms = Rooms(net)
        await rooms.place("room", "main")
        listener = Chatter()
        await listener.enter(net.addresses("main"), anonymous(), None, "room")
        assert not listener.moved
        await rooms.place("room", "aws")
        await until(lambda: listener.moved)
        listener.close()


async def test_being_sent_away_is_noticed() -> None:
    async with world() as net:
        listener = Chatter()
        await listener.enter(net.addresses("main"), anonymous(), None, "room")
        (session,) = net.nodes["main"].sessions
        session.connection.write(b":tmi.twitch.tv RECONNECT\r\n")
        await until(lambda: listener.moved)
        listener.close()
