"""Both ends of the protocol under arbitrary input: almost-valid lines, arbitrary bytes, arbitrary pieces."""

from __future__ import annotations

from itertools import pairwise

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
from godwit.tmi.commands import COMMANDS
from godwit.tmi.dialect import DIALECTS, NOW, Dialect
from godwit.tmi.emotes import emote_ranges
from godwit.tmi.events import CommandSent, Event, JoinRequested, LoginRequested, MessageSent, PartRequested
from godwit.tmi.follow import Effect, Follower, Show, Side
from godwit.tmi.login import LoginFailure
from godwit.tmi.server import ServerConnection, State
from godwit.tmi.text import MAX_TEXT
from godwit.values import Account, Author, Message, Position, is_channel

ALL = Caps.TAGS | Caps.COMMANDS | Caps.MEMBERSHIP | Caps.POSITION
LIMIT = 300
"""Longest line of a client in these tests, in bytes."""

# almost-valid lines -----------------------------------------------------------------------------

_ODD = "\0\r\x01 :;,@#=\\/.*-~é\U0001f600\U000e0000\ufeff\u2028\x85"
text = st.text(st.sampled_from(f"{_ODD}abcxyz019_") | st.characters(codec="utf-8"), max_size=20)
ends = st.sampled_from([b"\r\n", b"\n", b"\r\n\0", b"\0\r\n", b"\r\r\n", b"\n\n", b" \r\n", b""])


dialects = st.sampled_from(list(DIALECTS.values()))


def of(parts: str) -> st.SearchStrategy[str]:
    """One of the parts between `|`."""
    return st.sampled_from(parts.split("|"))


def lines(keys: str, values: str, commands: str, words: str) -> st.SearchStrategy[bytes]:
    """Lines with parts of these (between `|`), or anything, in their places; some of the lines are garbled."""
    tags = st.lists(st.tuples(of(keys) | text, of(values) | text), max_size=4)
    block = tags.map(lambda items: "@" + ";".join(f"{key}={value}" for key, value in items) + " ") | st.just("")
    prefix = st.sampled_from(["", "", ":ann!ann@ann ", ":tmi.twitch.tv ", ": ", "::", ":jtv "])
    params = st.lists(of(words) | text, max_size=4).map(" ".join)
    trailing = st.just("") | (of(words) | text).map(" :".__add__)
    whole = st.tuples(block, prefix, of(commands), st.just(" "), params, trailing).map("".join)
    coded = whole.map(lambda line: line.encode("utf-8", "replace"))
    garbled = st.tuples(coded, st.binary(max_size=6), st.integers(0, 40)).map(
        lambda parts: parts[0][: parts[2]] + parts[1] + parts[0][parts[2] :]
    )
    return st.tuples(coded | coded | garbled, ends).map(b"".join)


FROM_CLIENT = lines(
    "client-nonce|reply-parent-msg-id|godwit-after|sent-ts|+x",
    "|n1|2-7|2-7,,1-1|\\|\\s\\:|" + "9" * 40 + "-1|" + "n" * 200,
    "|".join(COMMANDS) + "|PRIVMSG|JOIN|PASS|NICK|privmsg|Join|WHO|421|\x01",
    "#a|#B|#a,#b,#c|#_ann_1447033529452|#|##|#abcdefghijklmnopqrstuvwxyz0|oauth:x|ronni|justinfan7|LS|REQ|END"
    "|twitch.tv/tags|-godwit/position|/me x|/ban ann|.w ann hi|/ x|\x01ACTION x\x01",
)

FROM_SERVER = lines(
    "id|godwit-position|godwit-epoch|godwit-home|godwit-cluster|godwit-tcp|godwit-missing|msg-id|client-nonce|slow"
    "|subs-only|godwit-drain-until|emotes|room-id",
    "|0|1|2-7|3-1|-1|aws|godwit_gap|h:1,h:2|h|\u00b2|1.5|nan|unknown|" + "9" * 40,
    "PRIVMSG|NOTICE|CAP|001|JOIN|PART|PING|PONG|SERVERCHANGE|INQUIRE|ROOMSTATE|USERSTATE|RECONNECT|CLEARCHAT|366|ping"
    "|WHAT",
    "|#a|#A|#b|*|ronni|ACK|NAK|twitch.tv/tags|aws|h:1|h:x|#|\x01ACTION hi\x01",
)


def pieces(lines_: st.SearchStrategy[bytes]) -> st.SearchStrategy[tuple[bytes, list[int]]]:
    """A stream of bytes, and where it is cut."""
    streams = st.lists(lines_ | lines_ | lines_ | st.binary(max_size=30), max_size=25).map(b"".join)
    return st.tuples(streams, st.lists(st.integers(0, 600), max_size=8))


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """The stream in pieces."""
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def strict(elements: list[bytes]) -> None:
    """LINE-3: whole lines, nothing that breaks one inside, never a line of one word."""
    for element in elements:
        assert element.endswith(b"\r\n")
        for line in element.removesuffix(b"\r\n").split(b"\r\n"):
            assert not set(line) & set(b"\r\n\0")
            assert len(line.decode("utf-8").split(" ")) > 1
            assert line.split()[0] != line


# the server's end -------------------------------------------------------------------------------


class Served:
    """A connection whose logins are decided at once, one way or the other."""

    def __init__(self, accept: bool, dialect: Dialect) -> None:
        self.connection = ServerConnection(LIMIT, dialect)
        self.events: list[Event] = []
        self.sent: list[bytes] = []
        self._accept = accept

    def feed(self, data: bytes) -> None:
        """Take a piece, decide a login."""
        self.events += self.connection.receive_data(data)
        if self.connection.state is State.CHECKING:
            if self._accept:
                self.events += self.connection.login_accepted(Account("1", self.connection.nick))
            else:
                self.connection.login_failed(LoginFailure.AUTHENTICATION_FAILED)
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


@given(stream=pieces(FROM_CLIENT), accept=st.booleans(), logged_in=st.booleans(), dialect=dialects)
@settings(max_examples=60)
def test_whatever_a_client_sends(
    stream: tuple[bytes, list[int]], accept: bool, logged_in: bool, dialect: Dialect
) -> None:
    """LINE-2, LINE-3, LINE-5: nothing is raised, answers are strict, and how the bytes arrive makes no difference."""
    data, places = stream
    once, often = Served(accept, dialect), Served(accept, dialect)
    for served in (once, often):
        if logged_in:
            served.feed(b"CAP REQ :twitch.tv/tags\r\nPASS oauth:x\r\nNICK ronni\r\n")
    once.feed(data)
    for piece in cut(data, places):
        often.feed(piece)
    assert once.events == often.events
    assert once.sent == often.sent
    assert once.connection.closing == often.connection.closing
    strict(once.sent)
    for event in once.events:
        sane(event)


@given(line=FROM_CLIENT, name=text, time=st.floats(0, 1e11), caps=st.integers(0, ALL.value).map(Caps), dialect=dialects)
@settings(max_examples=60)
def test_whatever_is_said_is_heard_as_it_was_taken(
    line: bytes, name: str, time: float, caps: Caps, dialect: Dialect
) -> None:
    """MSG-2, MSG-3, MSG-9, LINE-4: what the server takes from one client the next one reads as the same text."""
    served = Served(True, dialect)
    served.feed(b"PASS oauth:x\r\nNICK ronni\r\n")
    served.feed(line + b"\r\nPRIVMSG #a :Kappa " + line.translate(None, b"\r\n") + b"\r\n")
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


# the client's end -------------------------------------------------------------------------------


@given(stream=pieces(FROM_SERVER))
@settings(max_examples=60)
def test_whatever_a_server_sends(stream: tuple[bytes, list[int]]) -> None:
    """LINE-2, LINE-3, PING-2: nothing is raised, a PING is answered strictly, and pieces make no difference."""
    data, places = stream
    once, often = ClientConnection(), ClientConnection()
    for client in (once, often):
        client.login("ronni", "x", ALL)
        client.data_to_send()
    events = once.receive_data(data)
    in_pieces: list[ClientEvent] = []
    for piece in cut(data, places):
        in_pieces += often.receive_data(piece)
    assert events == in_pieces
    sent = once.data_to_send()
    assert sent == often.data_to_send()
    strict(sent)
    assert (once.nick, once.caps, once.state) == (often.nick, often.caps, often.state)


_SAID = st.tuples(st.integers(1, 3), st.integers(0, 9), st.sampled_from(["m1", "m2", "m3"])).map(
    lambda said: f"@godwit-position={said[0]}-{said[1]};id={said[2]} :ann!ann@ann PRIVMSG #a :hi\r\n".encode()
)
_PLACED = st.tuples(st.integers(0, 3), st.booleans(), st.integers(0, 9)).map(
    lambda room: (
        f"@godwit-cluster=aws;godwit-epoch={room[0]};godwit-home={room[1]:d};godwit-position={room[0]}-{room[2]};"
        "slow=0;subs-only=0 :tmi.twitch.tv ROOMSTATE #a\r\n"
    ).encode()
)
_MOVED = st.integers(0, 3).map(
    lambda epoch: f"@godwit-cluster=aws;godwit-epoch={epoch} :tmi.twitch.tv SERVERCHANGE #a\r\n".encode()
)


@given(stream=st.lists(st.tuples(_SAID | _PLACED | _MOVED | FROM_SERVER, st.booleans()), max_size=60))
@settings(max_examples=60)
def test_whatever_two_servers_send(stream: list[tuple[bytes, bool]]) -> None:
    """FOLLOW-1, FOLLOW-3: a follower shows positions that only rise, and no id twice."""
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
