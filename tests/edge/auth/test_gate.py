"""Whose connections end, and who is not let in meanwhile (AUTH-7, LOGIN-11)."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from godwit.clock import FakeClock
from godwit.edge.auth import gate as module
from godwit.edge.auth.base import Grant
from godwit.edge.auth.gate import Gate, authority
from godwit.errors import StoreUnavailable
from godwit.settings import AuthSettings
from godwit.store.base import Ending
from godwit.store.memory import MemoryStore
from godwit.values import Account
from tests.edge.world import Client, World, world

REFUSED = [":tmi.twitch.tv NOTICE * :Login authentication failed"]

pytestmark = pytest.mark.row("AUTH-7", "LOGIN-11")


class Judge:
    """Lets ann in, when the test says so."""

    def __init__(self, grant: Grant | None) -> None:
        self.grant = grant
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()
        self.forgotten: list[str] = []

    async def open(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""

    async def check(self, nick: str, token: str) -> Grant | None:
        """Wait for the test."""
        self.asked.set()
        await self.answers.wait()
        return self.grant

    def forget(self, user_id: str) -> None:
        """Note it."""
        self.forgotten.append(user_id)


ANN = Grant(Account("7", "ann"), token="t1", expires=1_000_060.0)


async def login(net: World, nick: str, token: str, cluster: str = "main") -> Client:
    """Somebody who logs in with a token."""
    client = await net.connect(cluster)
    client.send("CAP REQ :twitch.tv/commands", f"PASS oauth:{token}", f"NICK {nick}")
    await client.until("GLOBALUSERSTATE")
    return client


async def look(net: World) -> None:
    """All processes look at what has ended."""
    for node in net.nodes.values():
        await node.gate.look(lambda node=node: node.sessions)  # type: ignore[misc]


async def test_a_revoked_token_ends_its_connections_and_no_others() -> None:
    async with world(auth={"mode": "tokens"}) as net:
        for name in ("ann", "bob"):
            await net.store.add_account(Account("", name))
        first = await net.store.add_token("ann", "first", [], 1.0)
        for name, token in (("ann", "second"), ("bob", "third")):
            await net.store.add_token(name, token, [], 1.0)
        here, there = await login(net, "ann", "first"), await login(net, "ann", "first", "aws")
        stay = [await login(net, "ann", "second"), await login(net, "bob", "third"), await net.login("justinfan1")]
        await look(net)
        await net.store.revoke_token(first.id)
        with capture_logs() as logs:
            await look(net)
        assert sum(entry["connections"] for entry in logs if entry["event"] == "logins_ended") == 2
        assert await here.rest() == await there.rest() == REFUSED
        for client in stay:
            assert await client.flush() == []
        again = await net.connect()
        again.send("PASS oauth:first", "NICK ann")
        assert await again.rest() == REFUSED


@pytest.mark.parametrize("how", ["remove", "end"])
async def test_all_connections_of_an_account_end(how: str) -> None:
    async with world(auth={"mode": "tokens"}) as net:
        ann = await net.store.add_account(Account("", "ann"))
        for token in ("first", "second"):
            await net.store.add_token("ann", token, [], 1.0)
        clients = [await login(net, "ann", token) for token in ("first", "second")]
        await look(net)
        if how == "remove":
            await net.store.remove_account("ann")
        else:
            await net.store.end_account(ann.user_id, net.clock.now())
        await look(net)
        for client in clients:
            assert await client.rest() == REFUSED


async def test_what_ended_before_the_start_ends_nobody() -> None:
    async with world() as net:
        ann = await net.login("ann")
        await net.store.end_account(net.session("ann").account, 1.0)
        await look(net)
        assert await ann.flush() == []


async def test_a_token_that_expires() -> None:
    clock = FakeClock()
    async with world() as net:
        judge = Judge(ANN)
        judge.answers.set()
        net.nodes["main"].gate = gate = Gate(net.settings.auth, net.store, clock, judge)
        ann = await login(net, "ann", "x")
        clock.advance(59.9)
        await gate.look(lambda: net.nodes["main"].sessions)
        assert await ann.flush() == []
        clock.advance(0.1)
        await gate.look(lambda: net.nodes["main"].sessions)
        assert await ann.rest() == REFUSED
        assert await gate.check("ann", "x") is None


@pytest.mark.parametrize("token", ["t1", ""])
async def test_a_revocation_that_comes_while_a_login_is_checked(token: str) -> None:
    store, judge = MemoryStore(), Judge(ANN)
    gate = Gate(AuthSettings(), store, FakeClock(), judge)
    await gate.open()
    checking = asyncio.create_task(gate.check("ann", "x"))
    await judge.asked.wait()
    store._end("7", token)
    await gate.look(list)
    judge.answers.set()
    assert await checking is None
    assert judge.forgotten == ["7"]
    assert await gate.check("ann", "x") == ANN  # who comes later is asked for anew


@pytest.mark.parametrize("ending", [Ending(1, "7", "t2"), Ending(1, "8")])
async def test_a_revocation_of_something_else_meanwhile(ending: Ending) -> None:
    store, judge = MemoryStore(), Judge(ANN)
    gate = Gate(AuthSettings(), store, FakeClock(), judge)
    await gate.open()
    checking = asyncio.create_task(gate.check("ann", "x"))
    await judge.asked.wait()
    store._end(ending.user_id, ending.token)
    await gate.look(list)
    judge.answers.set()
    assert await checking == ANN


async def test_many_endings_at_once() -> None:
    store, judge = MemoryStore(), Judge(ANN)
    gate = Gate(AuthSettings(), store, FakeClock(), judge)
    await gate.open()
    for number in range(2_500):
        store._end(str(number))
    await gate.look(list)
    assert len(judge.forgotten) == 2_500


async def test_whatever_happens_there_is_a_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    looks, enough = 0, asyncio.Event()

    class Broken(MemoryStore):
        async def last_ending(self) -> int:
            nonlocal looks
            looks += 1
            if looks == 3:
                enough.set()
            raise (RuntimeError, StoreUnavailable)[looks % 2]("down")

    monkeypatch.setattr(module, "LOOK", 0.001)
    watching = asyncio.create_task(Gate(AuthSettings(), Broken(), FakeClock(), Judge(ANN)).watch(list))
    async with asyncio.timeout(5.0):
        await asyncio.wait([watching, asyncio.create_task(enough.wait())], return_when=asyncio.FIRST_COMPLETED)
    assert not watching.done()
    watching.cancel()


async def test_a_store_that_does_not_answer_keeps_nothing_from_expiring() -> None:
    class Down(MemoryStore):
        async def endings(self, after: int, limit: int = 1000) -> list[Ending]:
            raise StoreUnavailable("down")

    clock = FakeClock()
    async with world() as net:
        judge = Judge(ANN)
        judge.answers.set()
        net.nodes["main"].gate = gate = Gate(net.settings.auth, Down(), clock, judge)
        ann = await login(net, "ann", "x")
        clock.advance(60.0)
        with pytest.raises(StoreUnavailable):
            await gate.look(lambda: net.nodes["main"].sessions)
        assert await ann.rest() == REFUSED


@pytest.mark.row("AUTH-5")
async def test_who_may_neither_read_nor_write_is_not_let_in() -> None:
    judge = Judge(Grant(Account("7", "ann"), frozenset({"openid"})))
    judge.answers.set()
    assert await Gate(AuthSettings(), MemoryStore(), FakeClock(), judge).check("ann", "x") is None


@pytest.mark.parametrize(
    ("mode", "name"), [("open", "Open"), ("tokens", "Tokens"), ("jwt", "Signed"), ("webhook", "Asked")]
)
async def test_the_settings_name_the_authority(mode: str, name: str) -> None:
    judge = authority(AuthSettings(mode=mode), MemoryStore(), FakeClock())  # type: ignore[arg-type]
    assert type(judge).__name__ == name
    await judge.close()


@pytest.mark.row("NOTICE-godwit_scope", "NOTICE-godwit_read_only")
@pytest.mark.row("AUTH-5", "AUTH-6")
async def test_what_a_token_lacks_is_told() -> None:
    async with world(auth={"mode": "tokens"}) as net:
        await net.store.add_account(Account("", "ann"))
        await net.store.add_token("ann", "reads", ["chat:read"], 1.0)
        await net.store.add_token("ann", "writes", ["chat:read", "chat:edit"], 1.0)
        reads, writes = await login(net, "ann", "reads"), await login(net, "ann", "writes")
        reads.send("CAP REQ :twitch.tv/tags", "PRIVMSG #ann :hello")
        assert "godwit_read_only" in (await reads.until("NOTICE"))[-1]
        writes.send("CAP REQ :twitch.tv/tags", "PRIVMSG #ann :/ban bob")
        assert (await writes.until("NOTICE"))[-1] == (
            "@msg-id=godwit_scope :tmi.twitch.tv NOTICE #ann :Your token lacks the scope moderator:manage:banned_users."
        )
        writes.send("PRIVMSG #ann :hello")
        await writes.until("USERSTATE #ann")
