"""What a node knows of accounts in channels: asked for before it is needed, kept while it is used (USER-1, USER-3)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from godwit.edge import relations as module
from godwit.edge.relations import PATIENCE, REFRESH, RETRY, Relations
from godwit.edge.tasks import Tasks
from godwit.errors import StoreUnavailable
from godwit.store.base import Sanction
from godwit.store.memory import MemoryStore
from godwit.values import Account, Emote, Position, Relation, derived_id
from tests.edge.world import World, world


class Counted(MemoryStore):
    """Counts the questions about relations, and may fail or wait at them."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def relations(self, pairs: Sequence[tuple[str, str]]) -> list[Relation]:
        self.asked.append(len(pairs))
        await self.gate.wait()
        if self.error:
            raise self.error
        return await super().relations(pairs)


class Who:
    """A session, as far as relations look at it."""

    def __init__(self, account: Account) -> None:
        self.identity = account
        self.account = account.user_id
        self.nick = account.login
        self.producer = f"p-{account.login}"

    def guard(self, call: Any) -> None:
        call()


class Here:
    """Relations of a node, with a clock that is moved by hand."""

    def __init__(self) -> None:
        self.store = Counted()
        self.tasks = Tasks()
        self.time = 100.0
        self.roles = 0
        self.relations = Relations(self.store, lambda: self.time, self.tasks, self._roles_came)
        self.done: list[str] = []

    async def _roles_came(self) -> None:
        if self.store.error:
            raise self.store.error
        self.roles += 1

    def ready(self, who: Who, channel: str = "room") -> bool:
        return self.relations.ready(who, channel, lambda: self.done.append(who.nick))  # type: ignore[arg-type]

    async def settle(self) -> None:
        """Let the tasks end."""
        while len(self.tasks):  # noqa: ASYNC110  (they have no event of their own)
            await asyncio.sleep(0)


ANN = Account("7", "ann", "Ann")
FOLLOWS = Relation("room", "7", follows_since=5.0)


@pytest.fixture
async def here() -> Here:
    here = Here()
    await here.store.add_account(ANN)
    await here.store.set_relations([FOLLOWS], ["follow"])
    await here.relations.check()
    return here


async def test_nothing_is_asked_while_nobody_brought_anything() -> None:
    here = Here()
    await here.store.add_account(Account("9", "bob"))
    await here.relations.check()
    assert here.ready(Who(Account("9", "bob")))
    assert not here.store.asked
    assert here.relations.relation("room", "9") is None


@pytest.mark.row("USER-1")
async def test_asked_once_and_kept(here: Here) -> None:
    """USER-1: whoever waits is called when it is known; from then on it is known."""
    ann = Who(ANN)
    assert not here.ready(ann)
    assert not here.ready(ann)
    assert here.relations.relation("room", "7") is None
    await here.settle()
    assert here.done == ["ann", "ann"]
    assert here.relations.relation("room", "7") == FOLLOWS
    assert here.ready(ann)
    assert here.done == ["ann", "ann"]
    assert here.store.asked == [1]


@pytest.mark.row("USER-1")
async def test_asked_together(here: Here) -> None:
    """USER-1: what many want to know at the same time is one question."""
    people = [Who(Account(str(number), f"user{number}")) for number in range(50)]
    here.store.gate.clear()
    assert not here.ready(people[0])
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not any(here.ready(who) for who in people[1:])
    here.store.gate.set()
    await here.settle()
    assert len(here.done) == 50
    assert here.store.asked == [1, 49]


@pytest.mark.row("USER-1")
async def test_asked_again_after_a_minute_of_use(here: Here) -> None:
    """USER-1: while the answer is awaited, what is known counts."""
    ann = Who(ANN)
    here.ready(ann)
    await here.settle()
    await here.store.set_relations([Relation("room", "7", 0.0, True, 3, "1000")], ["follow", "subscription"])
    here.time += REFRESH - 1
    assert here.ready(ann)
    await here.settle()
    assert here.store.asked == [1]
    here.time += 2
    assert here.ready(ann)
    assert here.ready(ann)
    assert here.relations.relation("room", "7") == FOLLOWS
    await here.settle()
    assert here.relations.relation("room", "7") == Relation("room", "7", 0.0, True, 3, "1000")
    assert here.store.asked == [1, 1]


@pytest.mark.row("USER-1")
async def test_facts_of_the_account_come_along(here: Here) -> None:
    """USER-1: a name, a colour or a suspension that changed while the account is connected."""
    ann = Who(ANN)
    here.ready(ann)
    await here.settle()
    assert ann.identity == ANN
    changed = await here.store.set_account("ann", color="#010203", suspended=True)
    here.time += REFRESH
    here.ready(ann)
    await here.settle()
    assert ann.identity == changed


async def test_what_a_command_changed_meanwhile_stays(here: Here) -> None:
    """The answer was read before that."""
    ann = Who(ANN)
    here.store.gate.clear()
    here.ready(ann)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    changed = await here.store.set_account("ann", color="#010203")
    assert changed
    ann.identity = changed
    here.store.gate.set()
    await here.settle()
    assert ann.identity.color == "#010203"


async def test_a_login_that_is_another_account_now(here: Here) -> None:
    """The account was removed, and somebody else has its login: this connection is still who it was."""
    ann = Who(ANN)
    await here.store.remove_account("ann")
    await here.store.add_account(Account("70", "ann"))
    here.ready(ann)
    await here.settle()
    assert ann.identity == ANN


@pytest.mark.row("USER-1")
@pytest.mark.parametrize("error", [StoreUnavailable("down"), RuntimeError("broken")])
async def test_a_silent_store_stops_nobody(here: Here, error: Exception) -> None:
    """USER-1: chat goes on with what is known; the store is asked again a little later."""
    ann = Who(ANN)
    here.store.error = error
    assert not here.ready(ann)
    await here.settle()
    assert here.done == ["ann"]
    assert here.ready(ann)
    assert here.relations.relation("room", "7") == Relation("room", "7")
    here.store.error = None
    here.time += RETRY
    here.ready(ann)
    await here.settle()
    assert here.relations.relation("room", "7") == FOLLOWS
    here.store.error = error
    here.time += REFRESH
    here.ready(ann)
    await here.settle()
    assert here.relations.relation("room", "7") == FOLLOWS


async def test_an_answer_that_does_not_come(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits longer than the patience, which is less than a lease."""
    assert PATIENCE < 5
    monkeypatch.setattr(here.relations._questions, "_patience", 0.0)
    here.store.gate.clear()
    assert not here.ready(Who(ANN))
    await here.settle()
    assert here.done == ["ann"]


async def test_only_so_much_is_kept(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not used for the longest time is forgotten, and asked for again when it is needed."""
    monkeypatch.setattr(module, "KEPT", 2)
    ann = Who(ANN)
    for channel in ("a", "b"):
        here.ready(ann, channel)
    await here.settle()
    assert here.ready(ann, "a")
    here.ready(ann, "c")
    await here.settle()
    assert here.ready(ann, "a")
    assert not here.ready(ann, "b")
    await here.settle()
    assert len(here.relations._places) == 2


@pytest.mark.row("EMOTE-2")
async def test_emotes(here: Here) -> None:
    """EMOTE-2: everybody's, with the channel's own in front; changes are seen at the next look."""
    await here.store.set_emotes([Emote("hey", "500"), Emote("Kappa", "26"), Emote("hey", "501", "room")])
    assert here.relations.emotes("room")["Kappa"] == "25"
    await here.relations.check()
    here.ready(Who(ANN))
    here.ready(Who(ANN), "other")
    await here.settle()
    assert (here.relations.emotes("other")["hey"], here.relations.emotes("other")["Kappa"]) == ("500", "26")
    assert (here.relations.emotes("room")["hey"], here.relations.emotes("room")["Kappa"]) == ("501", "26")
    await here.store.remove_emotes("", ["hey", "Kappa"])
    await here.relations.check()
    assert "hey" not in here.relations.emotes("other")
    assert here.relations.emotes("other")["Kappa"] == "25"


async def test_a_look_that_fails(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was known stays."""

    async def fail() -> int:
        raise StoreUnavailable("down")

    monkeypatch.setattr(here.store, "people_version", fail)
    await here.relations.check()
    assert not here.ready(Who(ANN))
    await here.settle()
    assert here.relations.relation("room", "7") == FOLLOWS


async def test_roles_that_were_brought(here: Here) -> None:
    """The channels are told to look, once for each import."""
    await here.relations.check()
    assert here.roles == 0
    await here.store.set_first_roles([_mod()])
    await here.relations.check()
    await here.relations.check()
    assert here.roles == 1


@pytest.mark.parametrize("error", [StoreUnavailable("down"), TimeoutError()])
async def test_roles_that_were_brought_while_the_store_fell_silent(here: Here, error: Exception) -> None:
    """The channels are told at the next look."""
    await here.relations.check()
    await here.store.set_first_roles([_mod()])
    here.store.error = error
    await here.relations.check()
    here.store.error = None
    await here.relations.check()
    assert here.roles == 1


def _mod(channel: str = "room", login: str = "ann", user_id: str = "7") -> Sanction:
    return Sanction(f"first:{channel}:{user_id}", channel, "mod", user_id, login, "ops", position=Position(0, 0))


# over real connections ----------------------------------------------------------------------------


async def brought(net: World, *logins: str, **facts: Any) -> None:
    """Accounts with facts, which the edges know of."""
    for login in logins:
        await net.store.add_account(Account("", login))
        await net.store.set_account(login, **({"display_name": login} | facts))
    for node in net.nodes.values():
        await node.relations.check()


async def test_a_join_waits_for_what_is_known() -> None:
    """Its USERSTATE shows the subscription at once."""
    async with world() as net:
        await brought(net, "ann")
        ann = await net.store.account("ann")
        assert ann
        await net.store.set_relations([Relation("room", ann.user_id, 0.0, True, 14, "1000")], ["subscription"])
        client = await net.login("ann")
        client.send("JOIN #room")
        lines = await client.until("ROOMSTATE")
        (state,) = [line for line in lines if " USERSTATE " in line]
        assert ";subscriber=1;" in state
        assert "badge-info=subscriber/14;" in state


@pytest.mark.row("USER-3")
async def test_a_suspended_channel_is_not_joined() -> None:
    """USER-3."""
    async with world() as net:
        await brought(net, "room", channel_suspended=True)
        client = await net.login("ann")
        client.send("JOIN #room,#other")
        lines = await client.until("ROOMSTATE #other")
        assert "@msg-id=msg_channel_suspended :tmi.twitch.tv NOTICE #room :This channel has been suspended." in lines
        assert not any("JOIN #room" in line for line in lines)
        assert set(net.session("ann").rooms) == {"other"}


async def test_who_leaves_before_it_is_known_is_not_let_in() -> None:
    async with world() as net:
        await brought(net, "room")
        client = await net.login("ann")
        client.send("JOIN #room", "PART #room", "JOIN #other")
        lines = await client.until("ROOMSTATE #other")
        assert not any(" JOIN #room" in line for line in lines)
        assert set(net.session("ann").rooms) == {"other"}
        assert net.nodes["main"].members("room") == 0


async def test_a_join_that_waits_for_longer_than_a_channel_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(edge={"linger": 5.0, "ping_interval": 1000.0}) as net:
        await brought(net, "room")
        client, node, go_on = await net.login("ann"), net.nodes["main"], asyncio.Event()
        relations = net.store.relations

        async def late(pairs: Sequence[tuple[str, str]]) -> list[Relation]:
            await go_on.wait()
            return await relations(pairs)

        monkeypatch.setattr(net.store, "relations", late)
        client.send("JOIN #room")
        await net.until(lambda: node.view("room") is None and "room" in net.session("ann").rooms)
        for seconds in (1.0, 7.0):
            node.sweep(node.loop.time() + seconds)
        go_on.set()
        await client.until("ROOMSTATE")
        assert node.members("room") == 1


@pytest.mark.row("EMOTE-1", "EMOTE-4")
async def test_emotes_of_a_message() -> None:
    """EMOTE-1, EMOTE-4: in the channel that has them, for everybody."""
    async with world() as net:
        await net.store.set_emotes([Emote("roomHi", "300_HF", "room"), Emote("hi", "77")])
        await brought(net)
        ann, eve = await net.join("ann"), await net.join("eve")
        ann.send("PRIVMSG #room :roomHi hi Kappa", "JOIN #other")
        states = [line for line in await ann.until("ROOMSTATE #other") if " USERSTATE " in line]
        assert f";emote-sets=0,{derived_id('room')};" in states[0]
        assert ";emote-sets=0;" in states[-1]
        (line,) = [line for line in await eve.until("PRIVMSG") if " PRIVMSG " in line]
        assert ";emote-only=1;emotes=300_HF:0-5/77:7-8/25:10-14;" in line


async def test_roles_that_were_brought_reach_channels_that_are_read() -> None:
    """Without a new reader."""
    async with world() as net:
        await brought(net, "ann")
        eve = await net.join("eve")
        ann = await net.store.account("ann")
        assert ann
        assert net.nodes["main"].room("room").channel.role(ann.user_id) == ""
        await net.store.set_first_roles([_mod("room", "ann", ann.user_id)])
        await net.nodes["main"].relations.check()
        await net.idle()
        assert net.nodes["main"].room("room").channel.role(ann.user_id) == "mod"
        eve.close()
