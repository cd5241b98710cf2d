"""Clients do what real ones do, and tell the witness what came before they make anything of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from godwit.drill.faults import Tamper
from godwit.drill.ledger import Ledger, Role
from godwit.drill.lines import numbered
from godwit.drill.link import Link, Receiver, SocketLink
from godwit.drill.plan import FOLLOWING, PLAIN, TAGGED, Part, Transport
from godwit.drill.talkers import Client, talk
from godwit.drill.witness import Witness
from godwit.values import Position

MAIN: dict[Transport, str] = {"tcp": "main:1", "ws": "ws://main:2/"}
KNOWN = {"main:1", "ws://main:2/", "aws:1", "aws:2"}
CHANGE = "@godwit-cluster={};godwit-epoch={};godwit-tcp={}:1,other:1;godwit-ws={}:2 :tmi.twitch.tv SERVERCHANGE #room"


class FakeLink:
    """The server's end of a link: `sent` is what the client sent, `feed` is what the server says."""

    def __init__(self, receiver: Receiver) -> None:
        self.sent: list[str] = []
        self._receiver = receiver

    def send(self, line: str) -> None:
        """Take a line from the client; anybody but eve is welcomed at once."""
        self.sent.append(line)
        if line.startswith("NICK ") and line != "NICK eve":
            self.feed(f":tmi.twitch.tv 376 {line[5:]} :>")

    def close(self) -> None:
        """Hang up."""
        self._receiver.closed("closed")

    def feed(self, *lines: str) -> None:
        """Say lines."""
        for line in lines:
            self._receiver.line(line.encode())

    def take(self) -> list[str]:
        """What was sent since the last call."""
        taken, self.sent = self.sent, []
        return taken


class FakeNet:
    """Opens fake links and keeps them by address."""

    def __init__(self) -> None:
        self.links: dict[str, FakeLink] = {}
        self.down: set[str] = set()

    async def dial(self, transport: Transport, address: str, receiver: Receiver) -> Link:
        """Open a link, unless the address is down."""
        if address in self.down:
            raise ConnectionRefusedError(address)
        if address not in KNOWN:
            return await SocketLink.open(transport, address, receiver)
        link = self.links[address] = FakeLink(receiver)
        return link


class Stage:
    """One client on a fake net, with its ledger."""

    def __init__(self, tasks: asyncio.TaskGroup) -> None:
        self.net = FakeNet()
        self.ledger = Ledger()
        self.witness = Witness(self.ledger, Tamper("none"), lambda: 1.0)
        self._tasks = tasks

    async def enter(
        self,
        name: str = "ann",
        role: Role = "follower",
        transport: Transport = "tcp",
        caps: tuple[str, ...] = FOLLOWING,
        turn: int = 0,
    ) -> tuple[Client, FakeLink]:
        """Start a client in #room; the server welcomes it there."""
        part = Part(name, role, transport, caps, ("room",), talks=True)
        client = Client(part, "main", MAIN, self.net.dial, self.witness, self._tasks, turn)
        starting = asyncio.create_task(client.start())
        await _turns()
        link = self.net.links[MAIN[transport]]
        link.feed(*_burst(name, caps, "1-7"))
        await starting
        link.take()
        return client, link


def _burst(name: str, caps: tuple[str, ...], position: str) -> list[str]:
    lines = [f":{name}!{name}@{name}.tmi.twitch.tv JOIN #room", f":{name}.tmi.twitch.tv 366 {name} #room :End"]
    if caps:
        tag = f"godwit-position={position};" if caps == FOLLOWING else ""
        lines.append(f"@{tag}room-id=1 :tmi.twitch.tv ROOMSTATE #room")
    return lines


def _chat(position: str, talker: str = "bob", number: int = 1) -> str:
    tags = f"@id={talker}{number};godwit-position={position}"
    return f"{tags} :{talker}!{talker}@{talker}.tmi.twitch.tv PRIVMSG #room :{numbered(number, 'x')}"


async def _turns() -> None:
    """Let every task that can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A stage whose clients' tasks are over at the end."""
    async with asyncio.TaskGroup() as tasks:
        yield Stage(tasks)


@pytest.mark.parametrize(
    ("name", "caps", "expected"),
    [
        ("ann", TAGGED, ["CAP REQ :twitch.tv/tags twitch.tv/commands", "PASS oauth:ann", "NICK ann", "JOIN #room"]),
        ("lee", PLAIN, ["PASS oauth:lee", "NICK lee", "JOIN #room"]),
        ("justinfan5", PLAIN, ["NICK justinfan5", "JOIN #room"]),
    ],
)
async def test_start(stage: Stage, name: str, caps: tuple[str, ...], expected: list[str]) -> None:
    """It logs in and joins; in is who got the answer that its capabilities give."""
    part = Part(name, "legacy", "ws", caps, ("room",))
    client = Client(part, "main", MAIN, stage.net.dial, stage.witness, asyncio.TaskGroup())
    starting = asyncio.create_task(client.start())
    await _turns()
    link = stage.net.links["ws://main:2/"]
    assert link.take() == expected
    *before, last = _burst(name, caps, "1-7")
    link.feed(*before)
    await _turns()
    assert not starting.done()
    link.feed(last)
    await starting
    assert stage.ledger.channels == ("room",)


async def test_start_refused(stage: Stage) -> None:
    """Nobody there is an error of `start`."""
    stage.net.down.add("main:1")
    part = Part("ann", "legacy", "tcp", PLAIN, ("room",))
    with pytest.raises(ConnectionRefusedError):
        await Client(part, "main", MAIN, stage.net.dial, stage.witness, asyncio.TaskGroup()).start()


async def test_login_failure(stage: Stage) -> None:
    """A NOTICE and a closed connection end `start`, and are told."""
    part = Part("eve", "legacy", "tcp", PLAIN, ("room",))
    client = Client(part, "main", MAIN, stage.net.dial, stage.witness, asyncio.TaskGroup())
    starting = asyncio.create_task(client.start())
    await _turns()
    link = stage.net.links["main:1"]
    assert link.take() == ["PASS oauth:eve", "NICK eve"]
    link.feed(":tmi.twitch.tv NOTICE * :Login unsuccessful")
    link.close()
    with pytest.raises(ConnectionError, match="lost its connection"):
        await asyncio.wait_for(starting, 5)
    assert "Login unsuccessful" in stage.witness.problems[0]


async def test_loss_before_the_join_is_answered(stage: Stage) -> None:
    """It ends `start` at once."""
    client = Client(
        Part("ann", "legacy", "tcp", PLAIN, ("room",)), "main", MAIN, stage.net.dial, stage.witness, asyncio.TaskGroup()
    )
    starting = asyncio.create_task(client.start())
    await _turns()
    stage.net.links["main:1"].close()
    with pytest.raises(ConnectionError, match="lost its connection"):
        await asyncio.wait_for(starting, 5)
    assert not client.is_in_all_rooms


async def test_talking(stage: Stage) -> None:
    """Messages are numbered and carry a nonce; they are acknowledged by it."""
    client, link = await stage.enter(role="legacy", caps=TAGGED)
    client.say("room", "hello")
    client.say("room", "world")
    assert link.take() == [
        "@client-nonce=ann-room-1 PRIVMSG #room :drill 000001 hello",
        "@client-nonce=ann-room-2 PRIVMSG #room :drill 000002 world",
    ]
    assert stage.ledger.unacknowledged == 2
    link.feed("@client-nonce=ann-room-2;id=i2 :tmi.twitch.tv USERSTATE #room")
    assert stage.ledger.unacknowledged == 1
    link.feed("@mod=0 :tmi.twitch.tv USERSTATE #room")
    assert stage.ledger.unacknowledged == 1


async def test_listening(stage: Stage) -> None:
    """What is heard is entered as it came."""
    client, link = await stage.enter(role="legacy", caps=TAGGED)
    stage.ledger.sent("bob", "room", 1, numbered(1, "x"), "n", 0, 1.0)
    stage.ledger.acknowledged("n", "bob1", 1.0)
    assert stage.ledger.verdict().lost == 1
    link.feed(_chat("1-8"))
    assert stage.ledger.verdict().exact
    assert client.rooms["room"].seen == Position(1, 8)


async def test_ping_and_flush(stage: Stage) -> None:
    """It answers PING; a flush is over with its own PONG."""
    client, link = await stage.enter()
    link.feed("PING :tmi.twitch.tv")
    assert link.take() == ["PONG :tmi.twitch.tv"]
    flushing = asyncio.create_task(client.flush("token"))
    await _turns()
    [ping] = link.take()
    token = ping.removeprefix("PING :")
    link.feed(":tmi.twitch.tv PONG tmi.twitch.tv :another")
    await _turns()
    assert not flushing.done()
    link.feed(f":tmi.twitch.tv PONG tmi.twitch.tv :{token}")
    await asyncio.wait_for(flushing, 5)


async def test_flush_of_a_lost_connection(stage: Stage) -> None:
    """It fails at once, and the loss is told."""
    client, link = await stage.enter()
    flushing = asyncio.create_task(client.flush("token"))
    await _turns()
    link.close()
    with pytest.raises(ConnectionError):
        await asyncio.wait_for(flushing, 5)
    assert stage.witness.problems == ["ann lost its connection to main: closed"]


async def test_leaving_is_no_loss(stage: Stage) -> None:
    """Who hangs up does not complain."""
    client, _ = await stage.enter()
    client.leave()
    assert stage.witness.problems == []


async def test_legacy_ignores_serverchange(stage: Stage) -> None:
    """It is noted, nothing else."""
    client, link = await stage.enter(role="legacy", caps=PLAIN)
    link.feed(":tmi.twitch.tv SERVERCHANGE #room")
    await _turns()
    assert client.rooms["room"].changes["main"] == 1
    assert (link.take(), list(stage.net.links)) == ([], ["main:1"])


@pytest.mark.parametrize(("transport", "address"), [("tcp", "aws:1"), ("ws", "aws:2")])
async def test_following(stage: Stage, transport: Transport, address: str) -> None:
    """It joins after the last position, stays until that is answered, then leaves the old side."""
    client, old = await stage.enter(transport=transport)
    old.feed(_chat("1-9"), CHANGE.format("aws", 2, "aws", "aws"))
    await _turns()
    new = stage.net.links[address]
    assert new.take()[-1] == "@godwit-after=1-9 JOIN #room"
    assert old.take() == []
    new.feed(*_burst("ann", FOLLOWING, "2-1"))
    assert old.take() == ["PART #room"]
    room = client.rooms["room"]
    assert (room.listening, room.joined) == ("aws", {"aws"})
    old.feed(_chat("2-3"))
    assert room.seen == Position(1, 9)
    new.feed(_chat("2-2"), _chat("1-8"))
    assert room.seen == Position(2, 2)


async def test_following_before_the_first_line(stage: Stage) -> None:
    """The JOIN's own position is asked for then."""
    _, old = await stage.enter()
    old.feed(CHANGE.format("aws", 2, "aws", "aws"))
    await _turns()
    assert stage.net.links["aws:1"].take()[-1] == "@godwit-after=1-7 JOIN #room"


async def test_following_back_reuses_the_connection(stage: Stage) -> None:
    """There and back; epochs at or below the known one are ignored (rule F2)."""
    client, main = await stage.enter()
    main.feed(CHANGE.format("aws", 2, "aws", "aws"), CHANGE.format("aws", 2, "aws", "aws"))
    await _turns()
    aws = stage.net.links["aws:1"]
    assert sum("JOIN" in line for line in aws.take()) == 1
    aws.feed(*_burst("ann", FOLLOWING, "1-7"))
    main.take()
    aws.feed(CHANGE.format("main", 1, "main", "main"))
    await _turns()
    assert main.take() == []
    aws.feed(CHANGE.format("main", 3, "main", "main"))
    await _turns()
    assert main.take() == ["@godwit-after=1-7 JOIN #room"]
    main.feed(*_burst("ann", FOLLOWING, "2-1"))
    assert aws.take() == ["PART #room"]
    assert client.rooms["room"].listening == "main"
    assert client.rooms["room"].changes == {"main": 2, "aws": 2}


async def test_moved_back_before_it_had_followed(stage: Stage) -> None:
    """It stays where it is and leaves the other side when that answers."""
    client, main = await stage.enter()
    main.feed(CHANGE.format("aws", 2, "aws", "aws"), CHANGE.format("main", 3, "main", "main"))
    await _turns()
    aws = stage.net.links["aws:1"]
    aws.take()
    aws.feed(*_burst("ann", FOLLOWING, "1-7"))
    assert aws.take() == ["PART #room"]
    assert main.take() == []
    assert client.rooms["room"].listening == "main"


async def test_a_talker_leaves_the_old_side_when_all_is_acknowledged(stage: Stage) -> None:
    """Until then it talks there: the order of its messages does not depend on two connections."""
    client, old = await stage.enter()
    client.say("room", "one")
    old.feed(CHANGE.format("aws", 2, "aws", "aws"))
    await _turns()
    new = stage.net.links["aws:1"]
    new.feed(*_burst("ann", FOLLOWING, "1-7"))
    new.take()
    client.say("room", "two")
    assert len(old.take()) == 2
    old.feed("@client-nonce=ann-room-1;id=i1 :tmi.twitch.tv USERSTATE #room")
    assert old.take() == []
    old.feed("@client-nonce=ann-room-2;id=i2 :tmi.twitch.tv USERSTATE #room")
    assert old.take() == ["PART #room"]
    client.say("room", "three")
    assert (old.take(), len(new.take())) == ([], 1)


@pytest.mark.parametrize(("turn", "address"), [(0, "aws:1"), (1, "aws:2"), (2, "aws:1"), (7, "aws:2")])
async def test_several_addresses(stage: Stage, turn: int, address: str) -> None:
    """Each client takes one by its turn."""
    _, old = await stage.enter(turn=turn)
    old.feed("@godwit-cluster=aws;godwit-epoch=2;godwit-tcp=aws:1,aws:2 :tmi.twitch.tv SERVERCHANGE #room")
    await _turns()
    assert set(stage.net.links) == {"main:1", address}


async def test_a_follower_that_finds_nobody(stage: Stage) -> None:
    """It says so and stays."""
    client, old = await stage.enter()
    stage.net.down.add("aws:1")
    old.feed(CHANGE.format("aws", 2, "aws", "aws"))
    await _turns()
    assert "could not follow" in stage.witness.problems[0]
    assert client.rooms["room"].listening == "main"


@pytest.mark.parametrize(("transport", "address"), [("tcp", ""), ("tcp", "nonsense"), ("ws", ""), ("ws", "http://x/")])
async def test_an_address_that_is_none(stage: Stage, transport: Transport, address: str) -> None:
    """A server that says such a thing is told of; nothing breaks."""
    client, old = await stage.enter(transport=transport)
    old.feed(f"@godwit-cluster=aws;godwit-epoch=2;godwit-{transport}={address} :tmi.twitch.tv SERVERCHANGE #room")
    await _turns()
    assert "could not follow" in stage.witness.problems[0]
    assert client.rooms["room"].listening == "main"


@pytest.mark.parametrize(
    "line",
    [
        ":tmi.twitch.tv SERVERCHANGE #room",
        ":tmi.twitch.tv SERVERCHANGE #elsewhere",
        ":tmi.twitch.tv NOTICE #room :Something is wrong",
    ],
)
async def test_bad_news_is_told(stage: Stage, line: str) -> None:
    """A follower without a destination, a change for a room it is not in, any NOTICE."""
    _, link = await stage.enter()
    link.feed(line)
    assert len(stage.witness.problems) == 1


async def test_talk_until_stopped(stage: Stage) -> None:
    """It talks at its pace, and not after the end."""
    client, link = await stage.enter(role="legacy", caps=TAGGED)
    stop, resting = asyncio.Event(), asyncio.Event()

    def pace() -> float:
        if len(link.sent) < 3:
            return 0.0
        resting.set()
        return 3600.0

    talking = asyncio.create_task(talk(client, stop, lambda: "x", pace))
    await resting.wait()
    stop.set()
    await asyncio.wait_for(talking, 5)
    assert len(link.take()) == 3
