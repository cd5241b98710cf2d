"""Logging in over a real connection."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from godwit.edge.auth.gate import Gate
from godwit.errors import StoreUnavailable
from godwit.store.memory import MemoryStore
from godwit.values import Account, derived_id
from tests.edge.world import World, world


class _Down(MemoryStore):
    """A store that does not answer."""

    async def owners(self, logins: Sequence[str]) -> list[Account | None]:
        raise StoreUnavailable("down")


class _Broken(MemoryStore):
    """A store with a fault."""

    async def owners(self, logins: Sequence[str]) -> list[Account | None]:
        raise RuntimeError("broken")


async def test_anybody_may_log_in_and_keeps_the_account() -> None:
    """LOGIN-1, with open authentication."""
    async with world() as net:
        for _ in range(2):
            client = await net.login("Ronni".lower())
            client.close()
        account = await net.store.account("ronni")
        assert account is not None
        assert (await net.store.accounts()) == [account]


async def test_welcome_names_the_account() -> None:
    """LOGIN-2, LOGIN-3."""
    async with world() as net:
        client = await net.connect()
        client.send("CAP REQ :twitch.tv/tags twitch.tv/commands", "PASS oauth:x", "NICK Ronni")
        lines = await client.until("GLOBALUSERSTATE")
        assert lines[1] == ":tmi.twitch.tv 001 ronni :Welcome, GLHF!"
        account = await net.store.account("ronni")
        assert account
        assert f"user-id={account.user_id};" in lines[-1]


async def test_anonymous_clients_need_neither_token_nor_account() -> None:
    """LOGIN-4."""
    async with world() as net:
        client = await net.connect()
        client.send("NICK justinfan123")
        await client.until(" 376 justinfan123 ")
        assert await net.store.accounts() == []
        assert net.session("justinfan123").account == ""


async def test_what_comes_behind_nick_waits_for_the_login() -> None:
    """LOGIN-7."""
    async with world() as net:
        client = await net.connect()
        client.send("PASS oauth:x", "NICK ronni", "JOIN #room", "PING :later")
        lines = await client.until("End of /NAMES")
        assert [line for line in lines if " 376 " in line or " PONG " in line or " JOIN " in line] == [
            ":tmi.twitch.tv 376 ronni :>",
            ":tmi.twitch.tv PONG tmi.twitch.tv :later",
            ":ronni!ronni@ronni.tmi.twitch.tv JOIN #room",
        ]


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (("NICK ronni",), "Improperly formatted auth"),
        (("PASS x", "NICK ronni"), "Improperly formatted auth"),
        (("PASS oauth:x", "NICK not-legal"), "Invalid NICK"),
    ],
)
async def test_a_malformed_login_is_refused_with_the_exact_text_and_closed(lines: tuple[str, ...], text: str) -> None:
    """LOGIN-5."""
    async with world() as net:
        client = await net.connect()
        client.send(*lines)
        assert await client.rest() == [f":tmi.twitch.tv NOTICE * :{text}"]


async def test_an_account_has_the_user_id_that_the_login_always_had() -> None:
    """With open authentication; unless somebody else has it."""
    async with world() as net:
        await net.store.add_account(Account(derived_id("ann"), "bob"))
        for nick in ("ronni", "ann", "bob"):
            await net.login(nick)
        ronni, ann, bob = await net.store.owners(["ronni", "ann", "bob"])
        assert (ronni, bob) == (Account(derived_id("ronni"), "ronni"), Account(derived_id("ann"), "bob"))
        assert ann
        assert ann.user_id == "1"


async def _with_tokens(net: World) -> None:
    for login in ("ronni", "other"):
        await net.store.add_account(Account("", login))
        await net.store.add_token(login, f"{login}token", (), 0.0)


@pytest.mark.parametrize(("token", "welcome"), [("ronnitoken", True), ("othertoken", False), ("nonsense", False)])
async def test_with_tokens_only_the_owner_of_the_token_gets_in(token: str, welcome: bool) -> None:
    """LOGIN-5."""
    async with world(auth={"mode": "tokens"}) as net:
        await _with_tokens(net)
        client = await net.connect()
        client.send(f"PASS oauth:{token}", "NICK ronni")
        if welcome:
            await client.until(" 376 ronni ")
        else:
            assert await client.rest() == [":tmi.twitch.tv NOTICE * :Login authentication failed"]
            assert net.nodes["main"].counts.logins_refused == 1


@pytest.mark.parametrize("store", [_Down, _Broken])
async def test_a_store_that_fails_is_told_and_the_client_may_come_again(store: type[MemoryStore]) -> None:
    """LOGIN-5."""
    async with world() as net:
        net.nodes["main"].gate = Gate(net.settings.auth, store(), net.clock)
        client = await net.connect()
        client.send("PASS oauth:x", "NICK ronni")
        assert await client.rest() == [":tmi.twitch.tv NOTICE * :Error logging in"]


async def test_a_login_that_comes_too_late_brings_nobody_back() -> None:
    async with world() as net:
        node, store, asked, answered = net.nodes["main"], net.store, asyncio.Event(), asyncio.Event()

        class Slow(MemoryStore):
            async def owners(self, logins: Sequence[str]) -> list[Account | None]:
                asked.set()
                await answered.wait()
                return await store.owners(logins)

        node.gate = Gate(net.settings.auth, Slow(), net.clock)
        client = await net.connect()
        client.send("PASS oauth:x", "NICK ronni", "JOIN #room")
        await asked.wait()
        client.close()
        await node.wait_empty()
        answered.set()
        await net.idle()
        assert (len(node.wheel), node.members("room"), node.counts.logins) == (0, 0, 0)


async def test_a_client_that_hangs_up_while_its_login_is_checked_leaves_nothing_behind() -> None:
    async with world() as net:
        client = await net.connect()
        client.send("PASS oauth:x", "NICK ronni", "QUIT")
        await client.rest()
        other = await net.login("other")
        assert await other.flush() == []
        assert [session.nick for session in net.nodes["main"].sessions] == ["other"]


async def test_the_welcome_comes_before_the_answer_to_a_join_behind_nick() -> None:
    """LOGIN-2, LOGIN-7: also where the channel is known, so that the JOIN is answered at once."""
    async with world() as net:
        await net.join("ronni")
        client = await net.connect()
        client.send("PASS oauth:x", "NICK justinfan1", "JOIN #room")
        lines = await client.until(" 366 ")
        assert [line.split(" ")[1] for line in lines] == [
            "001",
            "002",
            "003",
            "004",
            "375",
            "372",
            "376",
            "JOIN",
            "353",
            "366",
        ]
