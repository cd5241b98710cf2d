"""Who is in channels on other edges, as far as these could be heard."""

from __future__ import annotations

import msgspec
import pytest
from structlog.testing import capture_logs

from godwit.chatlog.base import Subscription
from godwit.chatlog.hearsay import ENDED, Hear, LocalHearsay, end_accounts
from godwit.edge.neighbours import ASKED, BEAT, LARGE, REFRESH, SILENCE, TOPIC, Asked, Neighbours, Told
from godwit.edge.node import EdgeNode
from godwit.edge.presence import MOST_NAMED
from tests.edge.world import ALL, Client, World, world

MEMBERSHIP = f"{ALL} twitch.tv/membership"


class Street:
    """Hearsay that is delivered when the test says so, and lost if it likes."""

    def __init__(self) -> None:
        self.hearers: list[tuple[str, Hear]] = []
        self.waiting: list[tuple[str, bytes]] = []
        self.log: list[Told | Asked] = []

    def tell(self, topic: str, payload: bytes) -> None:
        self.waiting.append((topic, payload))
        self.log.append(msgspec.msgpack.decode(payload, type=Told | Asked))

    def hear(self, topic: str, heard: Hear) -> Subscription:
        street, entry = self, (topic, heard)
        street.hearers.append(entry)

        class Hearing:
            def close(self) -> None:
                street.hearers.remove(entry)

        return Hearing()

    def deliver(self) -> None:
        """Deliver what waits, and what is said upon it."""
        while self.waiting:
            topic, payload = self.waiting.pop(0)
            for wanted, heard in list(self.hearers):
                if wanted == topic:
                    heard(payload)

    def lose(self) -> None:
        """Lose what waits."""
        self.waiting.clear()

    def said(self) -> list[Told | Asked]:
        """What was said since the last time."""
        said, self.log = self.log, []
        return said


class Edge:
    """An edge, reduced to who is in its channels."""

    def __init__(self, street: Street, name: str) -> None:
        self.rooms: dict[str, set[str] | int] = {}
        self.news: list[str] = []
        self.neighbours = Neighbours(name, street, lambda channel: self.rooms.get(channel, set()), self.news.append)

    def join(self, channel: str, *logins: str) -> None:
        room = self.rooms.setdefault(channel, set())
        assert isinstance(room, set)
        for login in logins:
            room.add(login)
            self.neighbours.touch(channel, login)

    def leave(self, channel: str, login: str) -> None:
        room = self.rooms[channel]
        assert isinstance(room, set)
        room.discard(login)
        self.neighbours.touch(channel, login)

    def elsewhere(self, channel: str = "room") -> list[str] | None:
        found = self.neighbours.elsewhere(channel)
        return None if found is None else sorted(found)


class Town:
    """Two edges that know each other."""

    def __init__(self) -> None:
        self.street = Street()
        self.a, self.b = Edge(self.street, "a"), Edge(self.street, "b")
        self.sweep(BEAT)
        self.street.said()

    def sweep(self, times: int = 1) -> None:
        for _ in range(times):
            self.a.neighbours.sweep()
            self.b.neighbours.sweep()
            self.street.deliver()


@pytest.fixture
def town() -> Town:
    return Town()


def test_edges_know_each_other_by_their_beats(town: Town) -> None:
    assert (town.a.neighbours.known, town.b.neighbours.known) == (1, 1)
    town.sweep(10 * BEAT)
    assert town.street.said() == [Told("a"), Told("b")] * 10
    assert town.a.neighbours.told == 11


def test_who_comes_and_goes_is_told_of_all_channels_together(town: Town) -> None:
    town.a.neighbours.mind("room")
    town.a.neighbours.mind("other")
    town.sweep()
    town.street.said()
    town.b.join("room", "ann", "bob")
    town.b.join("other", "cid")
    town.b.join("nobody-minds", "dan")
    town.sweep()
    (told,) = [one for one in town.street.said() if isinstance(one, Told) and one.there]
    assert [there.channel for there in told.there] == ["room", "other", "nobody-minds"]
    assert (town.a.elsewhere(), town.a.elsewhere("other"), town.a.elsewhere("nobody-minds")) == (
        ["ann", "bob"],
        ["cid"],
        [],
    )
    assert town.a.news[-2:] == ["room", "other"]
    town.b.leave("room", "ann")
    town.b.join("room", "eve")
    town.b.leave("room", "eve")
    town.sweep()
    assert town.a.elsewhere() == ["bob"]
    town.b.leave("room", "bob")
    town.sweep()
    assert town.a.elsewhere() == []


def test_who_was_there_before_is_asked_for(town: Town) -> None:
    town.b.join("room", "ann")
    town.sweep()
    town.a.neighbours.mind("room")
    assert town.a.elsewhere() == []
    town.sweep()
    assert town.a.elsewhere() == ["ann"]
    town.a.neighbours.forget("room")
    assert town.a.elsewhere() == []
    town.b.join("room", "bob")
    town.a.news.clear()
    town.sweep()
    assert (town.a.elsewhere(), town.a.news) == ([], [])


def test_a_channel_is_not_asked_for_if_it_is_not_minded_any_more(town: Town) -> None:
    town.a.neighbours.mind("room")
    town.a.neighbours.forget("room")
    town.sweep()
    assert not [one for one in town.street.said() if isinstance(one, Asked)]


def test_too_many_are_counted_until_they_are_few_again(town: Town) -> None:
    town.a.neighbours.mind("room")
    town.b.join("room", "ann")
    town.sweep()
    town.b.rooms["room"] = MOST_NAMED + 1
    town.b.neighbours.touch("room", "bob")
    town.sweep()
    assert town.a.elsewhere() is None
    town.a.neighbours.forget("room")
    town.a.neighbours.mind("room")  # what is answered is no news to the others
    town.sweep()
    assert town.a.elsewhere() is None
    town.b.rooms["room"] = {"cid", "dan"}
    town.b.neighbours.touch("room", "ann")
    town.sweep()
    assert town.a.elsewhere() == ["cid", "dan"]


def test_single_names_are_no_use_while_there_are_too_many(town: Town) -> None:
    """Another edge's answer may overtake what it told before."""
    town.a.neighbours.mind("room")
    town.b.rooms["room"] = MOST_NAMED + 1
    town.sweep()
    assert town.a.elsewhere() is None
    town.b.rooms["room"] = set()
    town.b.join("room", "ann")  # it has told nobody but in an answer that they are many
    town.sweep()
    assert town.a.elsewhere() is None
    town.sweep(2 * REFRESH)
    assert town.a.elsewhere() == ["ann"]


def test_an_edge_that_is_not_heard_is_gone_and_all_its_members(town: Town) -> None:
    town.a.neighbours.mind("room")
    town.a.neighbours.mind("other")
    town.b.join("room", "ann")
    town.sweep()
    town.a.news.clear()
    with capture_logs() as logs:
        for sweep in range(SILENCE + 1):
            assert town.a.elsewhere() == ["ann"], sweep
            town.a.neighbours.sweep()
            town.street.deliver()
    assert (town.a.elsewhere(), town.a.news, town.a.neighbours.known) == ([], ["room"], 0)
    assert [entry["edge"] for entry in logs if entry["event"] == "edge_silent"] == ["b"]
    town.sweep(BEAT + 1)  # it was not dead
    assert town.a.elsewhere() == ["ann"]


def test_an_edge_that_ends_says_so(town: Town) -> None:
    town.a.neighbours.mind("room")
    town.b.join("room", "ann")
    town.sweep()
    town.b.neighbours.stop()
    town.street.deliver()
    assert (town.a.elsewhere(), town.a.neighbours.known) == ([], 0)
    town.street.said()
    town.b.neighbours.stop()
    assert town.street.said() == []


def test_what_was_lost_is_made_up_for(town: Town) -> None:
    town.a.neighbours.mind("room")
    town.b.join("room", "ann")
    town.sweep()
    town.b.leave("room", "ann")
    town.b.join("room", "bob")
    town.b.neighbours.sweep()
    town.street.lose()
    town.sweep()
    assert town.a.elsewhere() == ["ann"]
    town.sweep(2 * REFRESH)
    assert town.a.elsewhere() == ["bob"]


def test_nothing_is_told_while_nobody_is_there_to_hear() -> None:
    street = Street()
    edge = Edge(street, "a")
    edge.join("room", "ann")
    edge.neighbours.mind("room")
    for _ in range(BEAT):
        edge.neighbours.sweep()
    assert street.said() == [Told("a")]
    street.deliver()
    late = Edge(street, "b")
    late.neighbours.mind("room")
    for one in (edge, late) * 2 * BEAT:
        one.neighbours.sweep()
        street.deliver()
    assert late.elsewhere() == ["ann"]


def test_a_channel_that_was_given_up_is_told_anew(town: Town) -> None:
    town.a.neighbours.mind("room")
    town.b.join("room", "ann", "bob")
    town.sweep()
    town.b.rooms["room"] = {"cid"}
    town.b.neighbours.upset("room")
    town.b.neighbours.touch("room", "cid")
    town.sweep()
    assert town.a.elsewhere() == ["cid"]


def test_many_channels_are_few_messages(town: Town) -> None:
    channels = [f"c{number}" for number in range(3 * ASKED)]
    for channel in channels:
        town.a.join(channel, "bot")
        town.a.neighbours.mind(channel)
        town.b.join(channel, "ann")
    town.sweep(2)
    assert [town.a.elsewhere(channel) for channel in channels[: 2 * ASKED]] == [["ann"]] * 2 * ASKED
    town.sweep(2)
    assert [town.a.elsewhere(channel) for channel in channels] == [["ann"]] * 3 * ASKED
    town.sweep(10)
    assert len([one for one in town.street.said() if isinstance(one, Asked)]) == 3
    start = town.a.neighbours.told + town.b.neighbours.told
    town.sweep(2 * REFRESH)
    asked = [one for one in town.street.said() if isinstance(one, Asked)]
    assert {channel for one in asked for channel in one.channels} == set(channels)
    assert town.a.neighbours.told + town.b.neighbours.told - start <= 3 * 2 * REFRESH


def test_messages_stay_small(town: Town) -> None:
    for number in range(10):
        town.b.join(f"c{number}", *(f"{number}-{name}" for name in range(LARGE // 4)))
        town.a.neighbours.mind(f"c{number}")
    town.sweep(2)
    told = [one.there for one in town.street.said() if isinstance(one, Told) and one.there]
    assert all(sum(len(there.came) for there in some) <= LARGE + LARGE // 4 for some in told)
    assert sorted(len(town.a.elsewhere(f"c{number}") or ()) for number in range(10)) == [LARGE // 4] * 10


def test_after_its_end_an_edge_is_silent(town: Town) -> None:
    town.b.neighbours.stop()
    town.sweep(BEAT)
    assert (town.a.neighbours.known, [one.by for one in town.street.said()]) == (0, ["b", "a"])


# on real edges ----------------------------------------------------------------------------------


async def swept(net: World, announce: bool = False) -> None:
    """Let all edges sweep, which they do every second, and let what they say arrive."""
    for _ in range(3):
        for node in net.nodes.values():
            node.sweep(node.loop.time())
        await net.turns()
    if announce:
        for node in net.nodes.values():
            if node.members("room"):
                node.room("room").audience.announce()


def names(lines: list[str]) -> list[str]:
    """Who a JOIN's answer names."""
    return [name for line in lines if " 353 " in line for name in line.split(" :")[-1].split()]


def moves(lines: list[str]) -> list[str]:
    """Who came and went: `JOIN ann`."""
    return [f"{line.split()[1]} {line[1:].partition('!')[0]}" for line in lines if "!" in line.split()[0]]


async def _asked(net: World, nick: str, edge: str) -> tuple[Client, list[str]]:
    client = await net.login(nick, edge, MEMBERSHIP)
    client.send("JOIN #room")
    return client, names(await client.until("ROOMSTATE"))


async def test_names_and_membership_are_of_all_edges() -> None:
    """JOIN-4, JOIN-8."""
    async with world() as net:
        await net.another("main-2", "main")
        ann = await net.join("ann", cluster="main-2")
        await swept(net)
        mia, listed = await _asked(net, "mia", "main")
        assert listed == ["mia"]
        await swept(net, announce=True)
        assert moves(await mia.flush()) == ["JOIN ann"]
        _, listed = await _asked(net, "leo", "main")
        assert listed == ["ann", "mia", "leo"]
        bob = await net.join("bob", cluster="main-2")
        await net.join("ann", cluster="main")
        ann.close()
        await net.until(lambda: net.nodes["main-2"].members("room") == 1)
        await swept(net, announce=True)
        assert moves(await mia.flush()) == ["JOIN bob", "JOIN leo"]  # of ann there is still one connection
        bob.send("PART #room")
        await bob.until("PART")
        await swept(net, announce=True)
        assert moves(await mia.flush()) == ["PART bob"]


async def test_who_follows_a_move_neither_comes_nor_goes() -> None:
    async with world() as net:
        mia, _ = await _asked(net, "mia", "main")
        ann = await net.join("ann")
        ann.send("PRIVMSG #room :hello")
        await ann.until("USERSTATE")
        await swept(net, announce=True)
        assert moves(await mia.flush())[-1] == "JOIN ann"
        await net.move("room", "aws")
        await ann.until("SERVERCHANGE")
        await net.join("ann", cluster="aws")
        await swept(net)
        ann.close()
        await net.until(lambda: net.nodes["main"].members("room") == 1)
        await swept(net, announce=True)
        assert moves(await mia.flush()) == []
        assert net.nodes["main"].members("room") == 1


async def test_members_of_an_edge_that_ends_are_gone() -> None:
    async with world() as net:
        mia, _ = await _asked(net, "mia", "main")
        other = await net.another("main-2", "main")
        await net.join("ann", cluster="main-2")
        await swept(net, announce=True)
        assert moves(await mia.flush()) == ["JOIN ann"]
        net.fronts["main-2"].close()
        await other.stop(0.0)
        await swept(net, announce=True)
        assert moves(await mia.flush()) == ["PART ann"]


async def test_a_channel_of_too_many_on_all_edges_names_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """JOIN-4, JOIN-8."""
    for module in ("company", "presence"):
        monkeypatch.setattr(f"godwit.edge.{module}.MOST_NAMED", 3)
    async with world() as net:
        await net.another("main-2", "main")
        mia, _ = await _asked(net, "mia", "main")
        for nick in ("ann", "bob"):
            await net.join(nick, cluster="main-2")
        await swept(net, announce=True)
        assert moves(await mia.flush()) == ["JOIN ann", "JOIN bob"]
        leo, listed = await _asked(net, "leo", "main")
        assert listed == ["leo"]
        await swept(net, announce=True)
        assert moves(await mia.flush()) == []
        leo.send("PART #room")
        await leo.until("PART")
        await swept(net, announce=True)
        assert moves(await mia.flush()) == []  # it begins anew
        _, listed = await _asked(net, "mia", "main")
        assert listed == ["ann", "bob", "mia"]


async def test_membership_may_be_asked_for_behind_the_join() -> None:
    async with world() as net:
        await net.another("main-2", "main")
        await net.join("ann", cluster="main-2")
        mia = await net.join("mia")
        await swept(net)
        mia.send("CAP REQ :twitch.tv/membership")
        await mia.until("ACK")
        await swept(net, announce=True)
        assert moves(await mia.flush()) == ["JOIN ann"]
        mia.send("CAP REQ :-twitch.tv/membership")
        await mia.until("ACK")
        ann = await net.join("ann", cluster="main")
        await swept(net, announce=True)
        assert net.nodes["main"].neighbours.elsewhere("room") == set()  # nobody wants to know
        assert [line for line in await mia.flush() if "ann" in line] == []
        ann.close()


async def test_a_channel_that_fails_on_one_edge_leaves_nobody_behind_on_the_others() -> None:
    async with world() as net:
        other = await net.another("main-2", "main")
        mia, _ = await _asked(net, "mia", "main")
        ann = await net.join("ann", cluster="main-2")
        await swept(net, announce=True)
        assert moves(await mia.flush()) == ["JOIN ann"]
        other.room("room").fail()
        await ann.until("PART")
        await swept(net, announce=True)
        assert moves(await mia.flush()) == ["PART ann"]


async def test_connections_of_accounts_that_end_are_closed_on_all_edges() -> None:
    """LOGIN-11."""
    async with world() as net:
        await net.another("main-2", "main")
        here, there = await net.join("ann"), await net.join("ann", cluster="main-2")
        bob, anonymous = await net.join("bob"), await net.join("justinfan1")
        end_accounts(net.hearsay, [net.session("ann").account])
        for client in (here, there):
            assert await client.rest() == [":tmi.twitch.tv NOTICE * :Login authentication failed"]
        assert (await bob.flush(), await anonymous.flush()) == ([], [])


async def test_what_cannot_be_read_is_dropped() -> None:
    async with world() as net:
        with capture_logs() as logs:
            for topic in (TOPIC, f"{TOPIC}.{net.nodes['main'].name}", ENDED):
                net.hearsay.tell(topic, b"?")
            await net.turns()
        assert {entry["topic"] for entry in logs if entry["event"] == "hearsay_unreadable"} == {
            TOPIC,
            f"{TOPIC}.{net.nodes['main'].name}",
            ENDED,
        }
        await net.join("ann")


async def test_an_edge_alone_needs_nobody() -> None:
    async with world() as net:
        node = EdgeNode("main", net.logs, net.store, net.settings, net.clock, net.addresses)
        node.sweep(node.loop.time())
        await node.stop(0.0)
        assert isinstance(net.hearsay, LocalHearsay)
        assert net.hearsay.heard(TOPIC)
