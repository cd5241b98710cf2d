"""Group rooms over real connections (GROUP-4 to GROUP-7)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager

import pytest

from godwit.edge.groups import FRESH, is_banned
from godwit.errors import StoreUnavailable
from godwit.store.base import OVERDUE, Sanction
from godwit.store.group_base import GroupRoom, Membership
from godwit.values import Account, Position, derived_id
from tests.edge.world import Client, World, world

NAME = "_ann_1447033529452"
HERE = f"#{NAME}"
NOT_FOUND = f"@msg-id=msg_room_not_found :tmi.twitch.tv NOTICE {HERE} :The room was not found."


async def make(net: World, *, members: Collection[str] = ("bob",), invited: Collection[str] = ("cid",)) -> None:
    """A room of ann's."""
    for login in ("ann", "bob", "cid", "dan"):
        await net.store.add_account(Account(derived_id(login), login))
    await net.store.add_room(GroupRoom(NAME, derived_id("ann"), "friends"))
    for login in (*members, *invited):
        await net.store.invite(Membership(NAME, derived_id(login)), by="ann")
    for login in members:
        await net.store.confirm(NAME, derived_id(login))
    for node in net.nodes.values():
        if node.groups:
            await node.groups.look()


@asynccontextmanager
async def rooms() -> AsyncIterator[World]:
    """A network with the room."""
    async with world() as net:
        await make(net)
        yield net


async def hears(net: World, client: Client) -> list[str]:
    """What somebody has heard since the last time."""
    await net.idle()
    await net.idle()
    return await client.flush()


async def into(net: World, nick: str, cluster: str = "group") -> Client:
    """Somebody who is in the room."""
    client = await net.login(nick, cluster)
    client.send(f"JOIN {HERE}")
    await client.until(f"ROOMSTATE {HERE}")
    return client


async def look(net: World) -> None:
    """Let all edges of group chat look for news."""
    for node in net.nodes.values():
        if node.groups:
            await node.groups.look()


@pytest.mark.row("GROUP-4")
async def test_members_chat() -> None:
    """GROUP-4: members join and talk, on all edges of the cluster; it looks as in a channel."""
    async with rooms() as net:
        await net.another("second", "group")
        ann, bob = await net.login("ann", "group"), await into(net, "bob", "second")
        ann.send(f"JOIN {HERE}", f"PRIVMSG {HERE} :hello")
        lines = await hears(net, ann)
        assert lines[:3] == [
            f":ann!ann@ann.tmi.twitch.tv JOIN {HERE}",
            f":ann.tmi.twitch.tv 353 ann = {HERE} :ann",
            f":ann.tmi.twitch.tv 366 ann {HERE} :End of /NAMES list",
        ]
        assert "badges=broadcaster/1;" in lines[3]
        assert f"room-id={derived_id(NAME)};" in lines[4]
        assert lines[5].endswith(f":tmi.twitch.tv USERSTATE {HERE}")
        (line,) = await hears(net, bob)
        assert line.endswith(f":ann!ann@ann.tmi.twitch.tv PRIVMSG {HERE} :hello")
        bob.send(f"PRIVMSG {HERE} :hi", f"PART {HERE}")
        (line,) = await hears(net, ann)
        assert line.endswith(f":bob!bob@bob.tmi.twitch.tv PRIVMSG {HERE} :hi")
        ann.send(f"PRIVMSG {HERE} :gone?")
        lines = await hears(net, bob)
        assert f":bob!bob@bob.tmi.twitch.tv PART {HERE}" in lines
        assert not any("gone?" in line for line in lines)


@pytest.mark.row("GROUP-4", "NOTICE-msg_room_not_found")
@pytest.mark.parametrize("nick", ["cid", "dan", "justinfan5"])
async def test_nobody_else_gets_in(nick: str) -> None:
    """GROUP-4: neither who was only invited, nor strangers, nor readers without an account."""
    async with rooms() as net:
        ann, other = await into(net, "ann"), await net.login(nick, "group")
        await hears(net, ann)
        other.send(f"JOIN {HERE}", f"PRIVMSG {HERE} :hello", f"PRIVMSG {HERE} :/mods", f"JOIN {HERE}")
        told = await hears(net, other)
        assert told == [NOT_FOUND] * (2 if nick == "justinfan5" else 4)
        ann.send(f"PRIVMSG {HERE} :secret")
        assert await hears(net, other) == []
        assert len(await hears(net, ann)) == 1


@pytest.mark.row("GROUP-4", "JOIN-1")
async def test_rooms_are_nowhere_else() -> None:
    """GROUP-4: on other clusters there is no such channel; channels are silent on this one."""
    async with rooms() as net:
        ann = await net.login("ann")
        ann.send(f"JOIN {HERE}", f"PRIVMSG {HERE} :hello", f"PRIVMSG {HERE} :/mods")
        assert await hears(net, ann) == [NOT_FOUND, NOT_FOUND]
        assert not net.session("ann").rooms
        bob = await net.login("bob", "group")
        bob.send("JOIN #lobby", "PRIVMSG #lobby :hello", "PRIVMSG #lobby :/mods")
        lines = await hears(net, bob)
        assert lines[0] == ":bob!bob@bob.tmi.twitch.tv JOIN #lobby"
        assert [line.partition(" ")[0] for line in lines[-2:]] == [
            "@msg-id=msg_room_not_found",
            "@msg-id=unrecognized_cmd",
        ]
        cid = await net.join("cid", "lobby")
        cid.send("PRIVMSG #lobby :hello")
        assert await hears(net, bob) == []


@pytest.mark.row("GROUP-4", "PART-1")
async def test_who_leaves_before_he_is_in() -> None:
    """GROUP-4: what is wanted in a room is done in its order; of who hangs up meanwhile nothing is left."""
    async with rooms() as net:
        bob = await net.login("bob", "group")
        bob.send(f"JOIN {HERE}", f"PART {HERE}")
        assert (await hears(net, bob))[-1] == f":bob!bob@bob.tmi.twitch.tv PART {HERE}"
        assert net.nodes["group"].members(NAME) == 0
        session = net.session("bob", "group")
        session.data_received(session.connection, f"JOIN {HERE}\r\n".encode())
        session.closed(session.connection, "gone")
        await net.idle()
        assert net.nodes["group"].members(NAME) == 0
        dan = await net.login("dan", "group")
        dan.send(f"JOIN {HERE}", f"PART {HERE}")
        assert await hears(net, dan) == [NOT_FOUND, f":dan!dan@dan.tmi.twitch.tv PART {HERE}"]


@pytest.mark.row("GROUP-4", "INQ-1")
async def test_where_a_room_is() -> None:
    async with rooms() as net:
        ann = await net.login("ann")
        ann.send(f"INQUIRE {HERE},#lobby")
        lines = await hears(net, ann)
        assert lines[0] == f":tmi.twitch.tv INQUIRE {HERE} group {net.addresses('group').tcp[0]}"
        assert lines[1].endswith(f"INQUIRE #lobby main {net.addresses('main').tcp[0]}")


@pytest.mark.row("GROUP-5", "NOTICE-unsupported_chatrooms_cmd")
async def test_commands() -> None:
    """GROUP-5: who made the room is its owner; there is no stream."""
    async with rooms() as net:
        ann, bob = await into(net, "ann"), await into(net, "bob")
        await hears(net, ann)
        bob.send(f"PRIVMSG {HERE} :/slow 10")
        assert [line.partition(" ")[0] for line in await hears(net, bob)] == ["@msg-id=no_permission"]
        ann.send(f"PRIVMSG {HERE} :/mod bob")
        assert (await hears(net, ann))[-1].startswith("@msg-id=mod_success ")
        bob.send(f"PRIVMSG {HERE} :/slow 10")
        assert any("@msg-id=slow_on " in line for line in await hears(net, bob))
        bob.send(f"PRIVMSG {HERE} :/ban ann")
        assert [line.partition(" ")[0] for line in await hears(net, bob)] == ["@msg-id=bad_ban_broadcaster"]
        for command in ("host", "unhost", "raid", "unraid", "marker", "commercial"):
            ann.send(f"PRIVMSG {HERE} :/{command}")
            text = f"The command /{command} cannot be used in a chatroom."
            told = f"@msg-id=unsupported_chatrooms_cmd :tmi.twitch.tv NOTICE {HERE} :{text}"
            assert (await hears(net, ann))[-1] == told


@pytest.mark.row("GROUP-6")
async def test_invitations() -> None:
    """GROUP-6: to all connections of the one who is invited, and to nobody else; then they get in."""
    async with rooms() as net:
        ann, dan = await into(net, "ann"), await net.login("dan", "group")
        bare, there = await net.login("dan", "group", caps=""), await net.login("dan", "main")
        await hears(net, ann)
        await net.store.invite(Membership(NAME, derived_id("dan")), by="ann")
        await look(net)
        line = f":jtv!jtv@jtv.tmi.twitch.tv PRIVMSG dan :ROOMINVITE {NAME} ann"
        assert await hears(net, dan) == await hears(net, bare) == [line]
        assert await hears(net, ann) == await hears(net, there) == []
        dan.send(f"JOIN {HERE}")
        assert await hears(net, dan) == [NOT_FOUND]
        await net.store.confirm(NAME, derived_id("dan"))
        dan.send(f"JOIN {HERE}")
        assert (await hears(net, dan))[0] == f":dan!dan@dan.tmi.twitch.tv JOIN {HERE}"
        await look(net)
        assert await hears(net, dan) == [f":jtv!jtv@jtv.tmi.twitch.tv PRIVMSG dan :ROOMCHANGED {NAME}"]
        await look(net)
        assert await hears(net, dan) == []


@pytest.mark.row("GROUP-6")
async def test_who_is_no_member_any_more_is_out() -> None:
    """GROUP-6: at once where it is read, and cannot come back."""
    async with rooms() as net:
        ann, bob = await into(net, "ann"), await into(net, "bob")
        await hears(net, bob)
        await net.store.end_membership(NAME, derived_id("bob"), by="ann")
        await look(net)
        part = f":bob!bob@bob.tmi.twitch.tv PART {HERE}"
        assert await hears(net, bob) == [f":jtv!jtv@jtv.tmi.twitch.tv PRIVMSG bob :ROOMCHANGED {NAME}", part]
        ann.send(f"PRIVMSG {HERE} :secret")
        bob.send(f"PRIVMSG {HERE} :hello", f"JOIN {HERE}")
        assert await hears(net, bob) == [NOT_FOUND, NOT_FOUND]
        await net.store.remove_room(NAME, by="ann")
        await look(net)
        assert [line for line in await hears(net, ann) if "jtv" in line or "PART" in line] == [
            f":jtv!jtv@jtv.tmi.twitch.tv PRIVMSG ann :ROOMDELETED {NAME}",
            f":ann!ann@ann.tmi.twitch.tv PART {HERE}",
        ]


@pytest.mark.row("GROUP-6")
async def test_who_is_banned_is_out() -> None:
    """GROUP-6: on every edge that has the room, behind the CLEARCHAT; others stay."""
    async with rooms() as net:
        await net.another("second", "group")
        ann, bob = await into(net, "ann"), await into(net, "bob")
        twin = await into(net, "bob", "second")
        for client in (ann, bob, twin):
            await hears(net, client)
        ann.send(f"PRIVMSG {HERE} :/ban bob")
        for client in (bob, twin):
            assert (await hears(net, client))[-1] == f":bob!bob@bob.tmi.twitch.tv PART {HERE}"
        bob.send(f"JOIN {HERE}")
        twin.send(f"PRIVMSG {HERE} :hello")
        assert await hears(net, bob) == await hears(net, twin) == [NOT_FOUND]
        assert not any(" PRIVMSG " in line for line in await hears(net, ann))
        ann.send(f"PRIVMSG {HERE} :/unban bob")
        await hears(net, ann)
        bob.send(f"JOIN {HERE}")
        assert (await hears(net, bob))[0] == f":bob!bob@bob.tmi.twitch.tv JOIN {HERE}"


@pytest.mark.row("GROUP-4")
async def test_a_ban_that_was_not_read_yet() -> None:
    """GROUP-4: it keeps out from when it is written, unless nothing came of it."""
    async with rooms() as net:
        bob = derived_id("bob")
        await net.store.add_sanction(Sanction("b", NAME, "ban", bob, "bob", "ann", time=net.clock.now()))
        client = await net.login("bob", "group")
        client.send(f"JOIN {HERE}")
        assert await hears(net, client) == [NOT_FOUND]
        net.clock.advance(OVERDUE)
        client.send(f"JOIN {HERE}")
        assert (await hears(net, client))[0] == f":bob!bob@bob.tmi.twitch.tv JOIN {HERE}"


@pytest.mark.row("GROUP-6")
async def test_what_the_banned_one_hears() -> None:
    """GROUP-6: in this order."""
    async with rooms() as net:
        ann, bob = await into(net, "ann"), await into(net, "bob")
        await hears(net, bob)
        ann.send(f"PRIVMSG {HERE} :/ban bob")
        lines = await hears(net, bob)
        assert [line.partition(" ")[2] for line in lines if "CLEARCHAT" in line] == [
            f":tmi.twitch.tv CLEARCHAT {HERE} :bob"
        ]
        assert lines[-2:] == [
            f":jtv!jtv@jtv.tmi.twitch.tv PRIVMSG bob :ROOMBAN {NAME}",
            f":bob!bob@bob.tmi.twitch.tv PART {HERE}",
        ]


@pytest.mark.row("GROUP-4")
async def test_the_store_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """GROUP-4: nobody gets in on a guess; who is known as a member goes on talking for a while."""
    async with rooms() as net:
        ann, bob = await into(net, "ann"), await into(net, "bob")
        await hears(net, bob)

        async def away(pairs: Sequence[tuple[str, str]]) -> list[Membership | None]:
            raise StoreUnavailable("away")

        monkeypatch.setattr(net.store, "memberships_among", away)
        ann.send(f"PRIVMSG {HERE} :hello", f"JOIN {HERE}")
        assert [line.partition(" ")[0] for line in await hears(net, ann)][-1] == "@msg-id=godwit_unavailable"
        assert len(await hears(net, bob)) == 1


async def test_membership_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a minute of use; what happens meanwhile is heard of."""
    async with rooms() as net:
        bob = await into(net, "bob")
        groups = net.nodes["group"].groups
        assert groups
        later = groups._now() + FRESH
        bob.send(f"PRIVMSG {HERE} :one")
        await hears(net, bob)
        await net.store.end_membership(NAME, derived_id("bob"))
        bob.send(f"PRIVMSG {HERE} :two")
        assert len(await hears(net, bob)) == 1
        monkeypatch.setattr(groups, "_now", lambda: later + 1.0)
        bob.send(f"PRIVMSG {HERE} :three")
        assert await hears(net, bob) == [NOT_FOUND]


async def test_news_that_come_while_the_store_is_asked() -> None:
    """The answer may be older than they are: it is asked again."""
    async with rooms() as net:
        bob = await net.login("bob", "group")
        ask, asked = net.store.memberships_among, 0

        async def slow(pairs: Sequence[tuple[str, str]]) -> list[Membership | None]:
            nonlocal asked
            asked += 1
            found = await ask(pairs)
            if asked == 1:
                await net.store.end_membership(NAME, derived_id("bob"))
                await look(net)
            return found

        net.store.memberships_among = slow  # type: ignore[method-assign]
        bob.send(f"JOIN {HERE}")
        assert (await hears(net, bob))[-1] == NOT_FOUND
        assert asked == 2


@pytest.mark.row("GROUP-7")
async def test_a_new_log() -> None:
    """GROUP-7: what a lost log had is missing, and that is told; the room goes on."""
    async with rooms() as net:
        ann = await net.login("ann", "group", caps="twitch.tv/tags twitch.tv/commands godwit/position")
        ann.send(f"JOIN {HERE}", f"PRIVMSG {HERE} :hello")
        await ann.until("USERSTATE")
        await hears(net, ann)
        ann.close()
        net.forget_log("group", "another")
        await net.another("second", "group")
        bob, ann = await into(net, "bob", "second"), await net.login("ann", "second")
        ann.send(f"@godwit-after=1-1 JOIN {HERE}")
        assert any("msg-id=godwit_gap" in line for line in await hears(net, ann))
        ann.send(f"PRIVMSG {HERE} :again")
        assert (await hears(net, bob))[-1].endswith(" :again")
        (segment,) = (await net.store.stand({NAME: "another"})).values()
        assert segment.epoch == 3


def test_is_banned() -> None:
    def row(kind: str, place: int | None, target: str = "1") -> Sanction:
        position = None if place is None else Position(1, place)
        return Sanction(f"{kind}{place}", NAME, kind, target, "x", "op", position=position)  # type: ignore[arg-type]

    assert not is_banned([], "1")
    assert is_banned([row("ban", 1)], "1")
    assert not is_banned([row("ban", 1)], "2")
    assert is_banned([row("lift", 1), row("ban", None)], "1")
    assert not is_banned([row("ban", 1), row("lift", 2)], "1")
    assert is_banned([row("ban", 1), row("mod", 2)], "1")
    assert not is_banned([row("timeout", 1)], "1")
