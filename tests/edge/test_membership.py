"""JOIN, PART, INQUIRE over real connections."""

from __future__ import annotations

import pytest

from godwit.edge.membership import nearest
from godwit.edge.node import ANNOUNCE
from godwit.errors import StoreUnavailable
from godwit.store.memory import MemoryStore
from godwit.values import Addresses, Placement, derived_id
from tests.edge.world import world

POSITIONS = "twitch.tv/tags twitch.tv/commands godwit/position"


class _Down(MemoryStore):
    async def placements(self, channels: object) -> list[Placement]:
        raise StoreUnavailable("down")


def _command(line: str) -> str:
    return line.split(" ")[2 if line.startswith("@") else 1]


async def test_join_is_answered_in_one_burst_in_order() -> None:
    """JOIN-2."""
    async with world() as net:
        client = await net.login("ronni")
        client.send("JOIN #dallas")
        lines = await client.until("ROOMSTATE")
        assert list(map(_command, lines)) == ["JOIN", "353", "366", "USERSTATE", "ROOMSTATE"]
        assert f"room-id={derived_id('dallas')};" in lines[-1]
        await net.login("dallas")
        owner = await net.store.account("dallas")
        assert owner
        assert f"room-id={owner.user_id};" in lines[-1]


async def test_on_websocket_the_burst_is_one_frame_and_each_message_another() -> None:
    """WS-2."""
    async with world() as net:
        ann, wes = await net.join("ann"), await net.websocket("wes")
        await wes.send("JOIN #room")
        assert list(map(_command, (await wes.frame()).splitlines())) == ["JOIN", "353", "366", "USERSTATE", "ROOMSTATE"]
        ann.send("PRIVMSG #room :one", "PRIVMSG #room :two")
        frames = [await wes.frame(), await wes.frame()]
        assert [frame.split(" :")[-1] for frame in frames] == ["one\r\n", "two\r\n"]


async def test_the_broadcaster_has_the_badge_in_their_own_channel_only() -> None:
    async with world() as net:
        client = await net.login("ronni")
        client.send("JOIN #ronni,#dallas")
        lines = [line for line in await client.until("ROOMSTATE #dallas") if "USERSTATE" in line]
        assert [("badges=broadcaster/1;" in line, line.split("#")[-1]) for line in lines] == [
            (True, "ronni"),
            (False, "dallas"),
        ]


async def test_anonymous_clients_get_no_userstate() -> None:
    """JOIN-3."""
    async with world() as net:
        client = await net.login("justinfan7")
        client.send("JOIN #room")
        assert list(map(_command, await client.until("ROOMSTATE"))) == ["JOIN", "353", "366", "ROOMSTATE"]


async def test_without_capabilities_the_burst_is_short() -> None:
    """CAP-6."""
    async with world() as net:
        client = await net.join("ronni", caps="")
        assert await client.flush() == []


async def test_illegal_names_are_dropped_and_the_others_joined() -> None:
    """JOIN-1."""
    async with world() as net:
        client = await net.login("ronni")
        client.send("JOIN #Not-Legal,room,#Good")
        lines = await client.until("ROOMSTATE")
        assert lines[0].endswith("JOIN #good")
        assert await client.flush() == []
        assert net.nodes["main"].statistics().channels == 1


async def test_joining_again_is_answered_again() -> None:
    """JOIN-1."""
    async with world() as net:
        client, other = await net.join("ronni"), await net.join("ann")
        client.send("JOIN #room")
        assert list(map(_command, await client.until("ROOMSTATE"))) == ["JOIN", "353", "366", "USERSTATE", "ROOMSTATE"]
        other.send("PRIVMSG #room :once")
        await client.until(":once")
        assert await client.flush() == []
        assert net.nodes["main"].members("room") == 2


async def test_part_is_answered_and_ends_what_is_seen() -> None:
    """PART-1."""
    async with world() as net:
        client, other = await net.join("ronni"), await net.join("ann")
        client.send("PART #room,#never")
        assert await client.flush() == [":ronni!ronni@ronni.tmi.twitch.tv PART #room"]
        other.send("PRIVMSG #room :gone")
        await other.until("USERSTATE")
        assert await client.flush() == []


async def test_who_hangs_up_is_out_of_all_channels() -> None:
    async with world() as net:
        client, other = await net.join("ronni"), await net.join("ann")
        client.send("JOIN #second")
        await client.until("ROOMSTATE #second")
        client.send("QUIT")
        await client.rest()
        await other.flush()
        assert (net.nodes["main"].members("room"), net.nodes["main"].members("second")) == (1, 0)


async def test_membership_shows_others_who_are_here_come_and_go() -> None:
    """CAP-6, JOIN-4."""
    async with world() as net:
        node = net.nodes["main"]
        ann = await net.join("ann")
        mia = await net.login("mia", caps="twitch.tv/membership twitch.tv/commands")
        mia.send("JOIN #room")
        lines = await mia.until("ROOMSTATE")
        assert [line.split(" :")[-1] for line in lines if " 353 " in line] == ["ann", "mia"]
        bob = await net.join("bob")
        ann.send("PART #room")
        await ann.until("PART")
        assert await mia.flush() == []
        node.sweep(node.loop.time() + ANNOUNCE)
        assert await mia.flush() == [
            ":bob!bob@bob.tmi.twitch.tv JOIN #room",
            ":ann!ann@ann.tmi.twitch.tv PART #room",
        ]
        assert await bob.flush() == []
        node.sweep(node.loop.time() + 2 * ANNOUNCE)
        assert await mia.flush() == []


async def test_who_comes_and_goes_between_two_announcements_is_not_announced() -> None:
    async with world() as net:
        node = net.nodes["main"]
        mia = await net.join("mia", caps="twitch.tv/membership twitch.tv/commands")
        ann = await net.join("ann")
        ann.send("PART #room")
        await ann.until("PART")
        node.sweep(node.loop.time() + ANNOUNCE)
        assert await mia.flush() == []


async def test_a_follower_is_told_its_place_and_resumes_behind_it() -> None:
    """JOIN-5, JOIN-6."""
    async with world() as net:
        ann = await net.join("ann")
        for text in ("one", "two", "three"):
            ann.send(f"PRIVMSG #room :{text}")
            await ann.until("USERSTATE")
        fay = await net.login("fay", caps=POSITIONS)
        fay.send("@godwit-after=1-1 JOIN #room")
        answer = (await fay.until("ROOMSTATE"))[-1]
        assert "godwit-cluster=main;godwit-epoch=1;godwit-home=1;godwit-position=1-1;" in answer
        assert [line.split(" :")[-1] for line in await fay.until(":three")] == ["two", "three"]


async def test_a_follower_is_told_the_newest_epoch_though_it_resumes_in_an_older_one() -> None:
    """JOIN-6."""
    async with world() as net:
        ann = await net.join("ann")
        ann.send("PRIVMSG #room :one")
        await ann.until("USERSTATE")
        await net.move("room", "aws")
        await ann.until("SERVERCHANGE")
        fay = await net.login("fay", "aws", POSITIONS)
        fay.send("@godwit-after=1-0 JOIN #room")
        answer = (await fay.until("ROOMSTATE"))[-1]
        assert "godwit-cluster=aws;godwit-epoch=2;godwit-home=1;godwit-position=1-0;" in answer
        assert [line.split(" :")[-1] for line in await fay.until("PRIVMSG")] == ["one"]


async def test_a_position_of_a_log_that_is_gone_gets_a_gap_notice() -> None:
    """NOTICE-2."""
    async with world() as net:
        await net.store.pin(["room"])
        await net.store.reopen({"main": "stream-main-anew"})
        net.forget_log("main", "stream-main-anew")
        fay = await net.login("fay", caps=POSITIONS)
        fay.send("@godwit-after=1-5 JOIN #room")
        lines = await fay.until("godwit_gap")
        assert "godwit-position=3-0" in lines[-2]
        assert "godwit-missing=unknown;msg-id=godwit_gap" in lines[-1]


async def test_inquire_names_cluster_and_an_address_of_the_same_transport() -> None:
    """INQ-1."""
    async with world() as net:
        await net.join("ann")
        await net.claim("room")
        await net.move("room", "aws")
        ann, wes = await net.login("ann2"), await net.websocket("wes", caps="")
        ann.send("INQUIRE #room,#other")
        aws, main = net.addresses("aws"), net.addresses("main")
        assert await ann.until("#other") == [
            f"@godwit-epoch=2 :tmi.twitch.tv INQUIRE #room aws {aws.tcp[0]}",
            f"@godwit-epoch=1 :tmi.twitch.tv INQUIRE #other main {main.tcp[0]}",
        ]
        await wes.send("INQUIRE #room")
        assert await wes.frame() == f":tmi.twitch.tv INQUIRE #room aws {aws.ws[0]}\r\n"


async def test_inquire_without_a_store_leaves_the_connection_alone() -> None:
    async with world() as net:
        ann = await net.login("ann")
        net.nodes["main"].store = _Down()
        ann.send("INQUIRE #room")
        assert await ann.flush() == []


@pytest.mark.row("NOTICE-msg_room_not_found")
async def test_ordinary_channels_are_silent_on_the_group_cluster() -> None:
    async with world() as net:
        here, there = await net.join("ann"), await net.login("bob", "group")
        there.send("JOIN #room")
        assert list(map(_command, await there.until("ROOMSTATE"))) == ["JOIN", "353", "366", "USERSTATE", "ROOMSTATE"]
        here.send("PRIVMSG #room :hello")
        await here.until("USERSTATE")
        there.send("PRIVMSG #room :anybody?", "PART #room")
        lines = await there.until("PART")
        assert lines[0] == "@msg-id=msg_room_not_found :tmi.twitch.tv NOTICE #room :The room was not found."
        assert len(lines) == 2
        assert await here.flush() == []
        assert net.nodes["group"].statistics().channels == 0


@pytest.mark.row("INQ-1", "TLS-1")
@pytest.mark.parametrize(
    ("websocket", "secure", "told"),
    [
        (False, False, ["tcp:1", "tls:1", "ws:1", "wss:1"]),
        (False, True, ["tls:1", "tcp:1", "wss:1", "ws:1"]),
        (True, False, ["ws:1", "wss:1", "tcp:1", "tls:1"]),
        (True, True, ["wss:1", "ws:1", "tls:1", "tcp:1"]),
    ],
)
def test_the_address_most_like_the_one_in_use_is_told(websocket: bool, secure: bool, told: list[str]) -> None:
    kinds = {kind: (f"{kind}:1", f"{kind}:2") for kind in ("tcp", "tls", "ws", "wss")}
    found = []
    while address := nearest(Addresses(**kinds), websocket, secure):
        found.append(address)
        del kinds[address.partition(":")[0]]
    assert found == told
