"""Both ends of the protocol under arbitrary input: almost-valid lines, arbitrary bytes, arbitrary pieces."""

from __future__ import annotations

from itertools import pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from godwit.tmi.capabilities import NONE, Caps
from godwit.tmi.client import ClientConnection
from godwit.tmi.client_events import (
    ChannelMessage,
    ClientEvent,
    Gap,
    Parted,
    Reconnect,
    RoomState,
    ServerChanged,
)
from godwit.tmi.dialect import DIALECTS, NOW, Dialect
from godwit.tmi.emotes import emote_ranges
from godwit.tmi.events import CommandSent, Event, JoinRequested, LoginRequested, MessageSent, PartRequested
from godwit.tmi.follow import Effect, Follower, Show, Side
from godwit.tmi.login import LoginFailure
from godwit.tmi.message import parse
from godwit.tmi.requests import plain_message, read_message
from godwit.tmi.server import ServerConnection, State
from godwit.tmi.text import MAX_TEXT
from godwit.values import Account, Author, Message, Position, is_channel
from tests.tmi.wild import FROM_CLIENT, FROM_SERVER, LINES, Wild, strict

ALL = Caps.TAGS | Caps.COMMANDS | Caps.MEMBERSHIP | Caps.POSITION
LIMIT = 300
"""Longest line of a client in these tests, in bytes."""

seeds = st.integers(0, 2**32)
noise = st.lists(st.binary(max_size=30), max_size=5)
places = st.lists(st.integers(0, 2**16), max_size=8)
_RONNI = b"PASS oauth:x\r\nNICK ronni\r\n"
logins = st.sampled_from([_RONNI, _RONNI, _RONNI, b"NICK justinfan7\r\n", b"PASS oauth:bad\r\nNICK ronni\r\n", b""])
dialects = st.sampled_from(list(DIALECTS.values()))


def cut(data: bytes, at: list[int]) -> list[bytes]:
    """The stream in pieces."""
    edges = [0, *sorted(place % (len(data) + 1) for place in at), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


# the server's end -------------------------------------------------------------------------------


class Served:
    """A connection whose logins are decided at once: the token `bad` is refused."""

    def __init__(self, dialect: Dialect) -> None:
        self.connection = ServerConnection(LIMIT, dialect)
        self.events: list[Event] = []
        self.sent: list[bytes] = []

    def feed(self, data: bytes) -> None:
        """Take a piece, decide a login."""
        self.events += self.connection.receive_data(data)
        if self.connection.state is State.CHECKING:
            if any(isinstance(event, LoginRequested) and event.token == "bad" for event in self.events):
                self.connection.login_failed(LoginFailure.AUTHENTICATION_FAILED)
            else:
                self.connection.login_accepted(Account("1", self.connection.nick))
                self.events += self.connection.read_held()
        self.sent += self.connection.data_to_send()


def sane(event: Event) -> None:
    """What comes out of a connection is what the rest of the server takes for granted."""
    if isinstance(event, JoinRequested | PartRequested):
        assert event.channels
        assert all(map(is_channel, event.channels))
    if isinstance(event, JoinRequested):
        assert event.after.keys() <= set(event.channels)
    if isinstance(event, MessageSent | CommandSent):
        assert is_channel(event.channel)
    if isinstance(event, MessageSent):
        assert 0 < len(event.text) <= MAX_TEXT
        assert not set(event.text) & set("\0\1\r\n")
        assert event.text == event.text.strip(" ")
        assert "  " not in event.text
        assert max(len(event.nonce), len(event.reply_to)) <= 128
    if isinstance(event, LoginRequested):
        assert event.nick == event.nick.lower()
        assert (event.token is None) == event.anonymous


@given(seed=seeds, more=noise, at=places, login=logins, dialect=dialects)
@settings(max_examples=150)
def test_whatever_a_client_sends(seed: int, more: list[bytes], at: list[int], login: bytes, dialect: Dialect) -> None:
    """LINE-2, LINE-3, LINE-5: nothing is raised, answers are strict, and how the bytes arrive makes no difference."""
    data = Wild(seed).stream(FROM_CLIENT, more)
    once, often = Served(dialect), Served(dialect)
    for served in (once, often):
        served.feed(login)
    once.feed(data)
    for piece in cut(data, at):
        often.feed(piece)
    assert once.events == often.events
    assert once.sent == often.sent
    assert once.connection.closing == often.connection.closing
    strict(once.sent)
    for event in once.events:
        sane(event)


@given(seed=seeds, time=st.floats(0, 1e11), caps=st.integers(0, ALL.value).map(Caps), dialect=dialects)
@settings(max_examples=150)
def test_whatever_is_said_is_heard_as_it_was_taken(seed: int, time: float, caps: Caps, dialect: Dialect) -> None:
    """MSG-2, MSG-3, MSG-9, LINE-4: what the server takes from one client the next one reads as the same text."""
    wild, served = Wild(seed), Served(dialect)
    name = wild.text()
    served.feed(_RONNI)
    for _ in range(10):
        said, nonce = wild.text() + wild.text(), wild.text().replace(" ", "\\s")
        served.feed(f"@client-nonce={nonce} PRIVMSG #a :Kappa {said}\r\n".encode() + wild.line(FROM_CLIENT))
    assert any(isinstance(event, MessageSent) for event in served.events)
    author = Author("7", "ronni", name.translate(dict.fromkeys(map(ord, "\0"))), color="#0D4200")
    for event in served.events:
        if not isinstance(event, MessageSent):
            continue
        emotes = emote_ranges(event.text, {"Kappa": "25"})
        message = Message("b34c", 2, "p", 1, author, event.text, event.action, event.nonce, emotes=emotes)
        sent = dialect.privmsg(caps, event.channel, message, time=time, room_id="9", position=Position(2, 7))
        strict([sent])
        client = ClientConnection()
        client.login("other", None, NONE)
        (heard,) = client.receive_data(sent)
        assert isinstance(heard, ChannelMessage)
        assert (heard.channel, heard.login) == (event.channel, "ronni")
        assert (heard.text, heard.action) == (event.text, event.action)
        assert heard.position == (Position(2, 7) if Caps.TAGS in caps and Caps.POSITION in caps else None)
        if Caps.TAGS in caps and dialect is NOW:
            assert heard.tags.get("client-nonce", "") == event.nonce
            assert heard.tags["display-name"] == (author.display_name or "ronni")
            assert heard.tags["emotes"] == emotes


@given(
    word=st.sampled_from(["#a", "#A", "#ann_1", "#", "#a b", "#a ", "a", "#_ann_1447033529452"]),
    text=st.text(st.sampled_from("ab7. /:\0\r\x01\u00e9\u2028\ufffd\U0001f600"), max_size=12),
    between=st.sampled_from([" :", " ", "  :", ":"]),
    end=st.sampled_from([b"", b"\r", b"\r\r", b" \r", b"\xc3\r", b"\xc3\r\xa9\r", b"x" * MAX_TEXT]),
)
@settings(max_examples=500)
def test_a_plain_message_means_what_it_means_to_everybody(word: str, text: str, between: str, end: bytes) -> None:
    """MSG-2 to MSG-4: the short way of reading a message says nothing else than the long one, or nothing."""
    line = f"PRIVMSG {word}{between}{text}".encode() + end
    plain, parsed = plain_message(line), parse(line)
    if plain is not None:
        assert parsed is not None
        assert plain == read_message(parsed)


def test_an_ordinary_message_is_a_plain_one() -> None:
    assert plain_message(b"PRIVMSG #Ann :hello there, \xc3\xa9\r") == MessageSent("ann", "hello there, \u00e9")


# the client's end -------------------------------------------------------------------------------


@given(seed=seeds, more=noise, at=places)
@settings(max_examples=150)
def test_whatever_a_server_sends(seed: int, more: list[bytes], at: list[int]) -> None:
    """LINE-2, LINE-3, PING-2: nothing is raised, a PING is answered strictly, and pieces make no difference."""
    data = Wild(seed).stream(FROM_SERVER, more)
    once, often = ClientConnection(), ClientConnection()
    for client in (once, often):
        client.login("ronni", "x", ALL)
        client.data_to_send()
    events = once.receive_data(data)
    in_pieces: list[ClientEvent] = []
    for piece in cut(data, at):
        in_pieces += often.receive_data(piece)
    assert events == in_pieces
    sent = once.data_to_send()
    assert sent == often.data_to_send()
    strict(sent)
    assert (once.nick, once.caps, once.state) == (often.nick, often.caps, often.state)


def _of_a_move(chance: Random) -> bytes:
    """A well-formed line about a channel that moves, of any epoch, early or late."""
    epoch, sequence, home = chance.randrange(4), chance.randrange(10), chance.randrange(2)
    lines = (
        f"@godwit-position={epoch}-{sequence};id=m{chance.randrange(5)} :ann!ann@ann PRIVMSG #a :hi",
        f"@godwit-cluster=aws;godwit-epoch={epoch};godwit-home={home};godwit-position={epoch}-{sequence};slow=0;"
        "subs-only=0 :tmi.twitch.tv ROOMSTATE #a",
        f"@godwit-cluster=aws;godwit-epoch={epoch} :tmi.twitch.tv SERVERCHANGE #a",
    )
    return chance.choice(lines).encode() + b"\r\n"


@given(seed=seeds)
@settings(max_examples=150)
def test_whatever_two_servers_send(seed: int) -> None:
    """FOLLOW-1, FOLLOW-3: a follower shows positions that only rise, and no id twice."""
    wild, chance = Wild(seed), Random(seed)
    stream = [
        (wild.line(FROM_SERVER) if chance.random() < 0.3 else _of_a_move(chance), chance.random() < 0.5)
        for _ in range(LINES)
    ]
    old, new = Side("main", 1), Side("aws", 2)
    follower = Follower("main")
    effects = follower.start()
    clients = {side: ClientConnection() for side in (old, new)}
    first = b"@godwit-cluster=main;godwit-epoch=1;godwit-home=1;godwit-position=1-0;slow=0;subs-only=0 "
    for line, on_new in [(first + b":tmi.twitch.tv ROOMSTATE #a\r\n", False), *stream]:
        side = new if on_new else old
        for event in clients[side].receive_data(line):
            effects += _follow(follower, side, event)
    shown = [effect.message for effect in effects if isinstance(effect, Show)]
    positions = [message.position for message in shown if message.position]
    assert positions == sorted(set(positions))
    ids = [message.id for message in shown if message.position and message.id]
    assert len(ids) == len(set(ids))


def _follow(follower: Follower, side: Side, event: ClientEvent) -> list[Effect]:
    """Tell a follower of channel #a what a side said."""
    match event:
        case ChannelMessage(channel="a"):
            return follower.line(side, event)
        case RoomState(channel="a"):
            return follower.answered(side, event)
        case ServerChanged(channel="a"):
            return follower.changed(side, event)
        case Gap(channel="a"):
            return follower.gap(side, event)
        case Parted(channel="a"):
            return follower.parted(side)
        case Reconnect():
            return follower.reconnect(side)
        case _:
            return []
