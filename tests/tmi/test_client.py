"""The client's end of a connection, joined to the server's end where that says more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from godwit.errors import LocalProtocolError
from godwit.tmi import render
from godwit.tmi.capabilities import NONE, Caps
from godwit.tmi.client import CHANNELS_A_LINE, MAX_LINE, ClientConnection, ClientState
from godwit.tmi.client_events import (
    CapabilitiesAnswered,
    ChannelMessage,
    ClientEvent,
    Gap,
    Inquired,
    Joined,
    LoginFailed,
    MemberJoined,
    MemberParted,
    Notice,
    Other,
    Parted,
    Pinged,
    Ponged,
    Reconnect,
    RoomState,
    ServerChanged,
    UserState,
    Welcomed,
)
from godwit.tmi.events import InquireRequested, JoinRequested, LoginRequested, MessageSent, PartRequested
from godwit.tmi.login import LoginFailure
from godwit.tmi.server import MAX_LINE as SERVER_MAX_LINE
from godwit.tmi.server import ServerConnection
from godwit.values import Account, Addresses, Author, Message, Position

ALL = Caps.TAGS | Caps.COMMANDS | Caps.MEMBERSHIP | Caps.POSITION
RONNI = Account("1337", "ronni", "Ronni")
AUTHOR = Author("1337", "ronni", "Ronni")


class Pair:
    """A client and a server joined by a wire without delay."""

    def __init__(self, caps: Caps = ALL) -> None:
        self.client = ClientConnection()
        self.server = ServerConnection()
        self.caps = caps

    def login(self) -> None:
        self.client.login("ronni", "abc", self.caps)
        self.to_server()
        self.server.login_accepted(RONNI)
        self.to_client()

    def to_server(self) -> list[object]:
        return list(self.server.receive_data(b"".join(self.client.data_to_send())))

    def to_client(self, data: bytes = b"") -> list[ClientEvent]:
        self.server.send(data)
        return self.client.receive_data(b"".join(self.server.data_to_send()))


@pytest.fixture
def pair() -> Pair:
    joined = Pair()
    joined.login()
    return joined


# login ------------------------------------------------------------------------------------------


def test_login() -> None:
    """LOGIN-1, LOGIN-2, CAP-2."""
    pair = Pair()
    pair.client.login("Ronni", "abc", ALL)
    assert pair.to_server()[-1] == LoginRequested("ronni", "abc", False)
    pair.server.login_accepted(RONNI)
    events = pair.to_client()
    assert events[:2] == [CapabilitiesAnswered(ALL, True), Welcomed("ronni")]
    assert {type(event) for event in events[2:]} == {Other}
    assert (pair.client.state, pair.client.nick, pair.client.caps) == (ClientState.WELCOMED, "ronni", ALL)


def test_anonymous_login_without_capabilities() -> None:
    """LOGIN-4."""
    client = ClientConnection()
    client.login("justinfan5", None)
    assert client.data_to_send() == [b"NICK justinfan5\r\n"]


@pytest.mark.parametrize("failure", list(LoginFailure))
def test_refused_login(failure: LoginFailure) -> None:
    """LOGIN-5."""
    pair = Pair(NONE)
    pair.client.login("ronni", "abc")
    pair.to_server()
    pair.server.login_failed(failure)
    assert pair.to_client() == [LoginFailed(failure)]
    assert pair.client.state is ClientState.REFUSED


def test_refused_capabilities() -> None:
    """CAP-3: those in force stay."""
    client = ClientConnection()
    assert client.receive_data(b":tmi.twitch.tv CAP * ACK :twitch.tv/tags\r\n") == [
        CapabilitiesAnswered(Caps.TAGS, True)
    ]
    assert client.receive_data(b":tmi.twitch.tv CAP * NAK :twitch.tv/commands bogus\r\n") == [
        CapabilitiesAnswered(Caps.TAGS, False)
    ]
    assert client.receive_data(b":tmi.twitch.tv CAP * ACK :-twitch.tv/tags\r\n") == [CapabilitiesAnswered(NONE, True)]
    assert client.caps == NONE


def test_notice_to_nobody_after_the_login_is_a_notice(pair: Pair) -> None:
    """NOTICE-1."""
    assert pair.to_client(render.notice(ALL, "*", "", "hello")) == [Notice("", "", "hello")]


# what the user wants ----------------------------------------------------------------------------


def test_join(pair: Pair) -> None:
    """JOIN-1, JOIN-5."""
    pair.client.join(["a", "b", "c"], {"b": Position(2, 7)})
    pair.client.join(["d"])
    assert pair.to_server() == [
        JoinRequested(("a", "b", "c"), {"b": Position(2, 7)}),
        JoinRequested(("d",), {}),
    ]


def test_join_of_many_channels_fits_the_longest_line(pair: Pair) -> None:
    """JOIN-5, LINE-5."""
    names = [f"{number:025}" for number in range(2 * CHANNELS_A_LINE + 1)]
    after = {name: Position(10**17, 10**17) for name in names}
    pair.client.join(names, after)
    lines = pair.client.data_to_send()
    assert len(lines) == 3
    assert max(map(len, lines)) < SERVER_MAX_LINE
    events = pair.server.receive_data(b"".join(lines))
    joins = [event for event in events if isinstance(event, JoinRequested)]
    assert [name for event in joins for name in event.channels] == names
    assert {name: place for event in joins for name, place in event.after.items()} == after


def test_other_wishes(pair: Pair) -> None:
    """PART-1, MSG-7, MSG-8, INQ-1."""
    pair.client.part(["a", "b"])
    pair.client.say("a", "hello there", nonce="n 1", reply_to="p1")
    pair.client.say("a", "plain")
    pair.client.inquire(["a"])
    assert pair.to_server() == [
        PartRequested(("a", "b")),
        MessageSent("a", "hello there", False, "n 1", "p1"),
        MessageSent("a", "plain"),
        InquireRequested(("a",)),
    ]


def test_ping_and_quit(pair: Pair) -> None:
    """PING-1: the token comes back, behind all that was sent before."""
    pair.client.ping("t1")
    pair.to_server()
    assert pair.to_client() == [Ponged("t1")]
    pair.client.quit()
    pair.to_server()
    assert pair.server.closing


@pytest.mark.parametrize("channel", ["a b", "#a", "", "a,b", "A"])
def test_what_cannot_be_sent_is_refused(pair: Pair, channel: str) -> None:
    """LINE-3: nothing is queued then."""
    with pytest.raises(LocalProtocolError):
        pair.client.join(["ok", channel])
    with pytest.raises(LocalProtocolError):
        pair.client.say(channel, "x")
    with pytest.raises(LocalProtocolError):
        pair.client.say("a", "x\r\nQUIT")
    assert pair.client.data_to_send() == []


def test_login_that_cannot_be_sent_is_refused() -> None:
    """LINE-3."""
    client = ClientConnection()
    with pytest.raises(LocalProtocolError):
        client.login("ronni", "a\nb", Caps.TAGS)
    assert client.data_to_send() == []
    assert client.state is ClientState.OPENED


# what the server says ---------------------------------------------------------------------------


def test_answer_to_a_join(pair: Pair) -> None:
    """JOIN-2, JOIN-6."""
    burst = render.join_burst(
        ALL,
        "a",
        AUTHOR,
        room_id="7",
        settings={},
        others=["foo"],
        position=Position(2, 9),
        cluster="aws",
        epoch=3,
        home=False,
    )
    events = pair.to_client(burst)
    assert [type(event) for event in events] == [Joined, Other, Other, Other, UserState, RoomState]
    assert events[0] == Joined("a")
    state = events[-1]
    assert isinstance(state, RoomState)
    assert (state.channel, state.joined, state.position) == ("a", True, Position(2, 9))
    assert (state.cluster, state.epoch, state.home) == ("aws", 3, False)
    assert state.tags["room-id"] == "7"


def test_change_of_settings_is_no_answer_to_a_join(pair: Pair) -> None:
    """STATE-3."""
    for changed in ({"slow": 5}, {"subs-only": 1}, {"r9k": 0}):
        (event,) = pair.to_client(render.roomstate_change(ALL, "a", room_id="7", changed=changed))
        assert isinstance(event, RoomState)
        assert not event.joined


def test_members(pair: Pair) -> None:
    """PART-1, CAP-6."""
    assert pair.to_client(render.join("foo", "a") + render.part("foo", "a") + render.part("ronni", "a")) == [
        MemberJoined("a", "foo"),
        MemberParted("a", "foo"),
        Parted("a"),
    ]


@pytest.mark.parametrize("action", [False, True])
def test_message(pair: Pair, action: bool) -> None:
    """MSG-3, MSG-6, CAP-7."""
    message = Message("b34c", 2, "p", 1, Author("7", "foo", "Foo"), "hello there", action, "n1")
    data = render.privmsg(ALL, "a", message, time=1.5, room_id="9", position=Position(2, 9))
    (event,) = pair.to_client(data)
    assert isinstance(event, ChannelMessage)
    assert (event.channel, event.id, event.login, event.text) == ("a", "b34c", "foo", "hello there")
    assert (event.action, event.position) == (action, Position(2, 9))
    assert event.tags["tmi-sent-ts"] == "1500"
    assert pair.to_client(b":foo!foo@foo PRIVMSG #A :hi\r\n") == [ChannelMessage("a", "", "foo", "hi", False, {}, None)]


def test_acknowledgement(pair: Pair) -> None:
    """STATE-1, MSG-1."""
    (event,) = pair.to_client(render.userstate(ALL, "a", AUTHOR, msg_id="b34c", nonce="n1"))
    assert isinstance(event, UserState)
    assert (event.channel, event.id, event.nonce) == ("a", "b34c", "n1")


@pytest.mark.parametrize("missing", [0, 7, None])
def test_gap(pair: Pair, missing: int | None) -> None:
    """NOTICE-2."""
    (event,) = pair.to_client(render.gap(ALL, "a", missing))
    assert isinstance(event, Gap)
    assert (event.channel, event.missing) == ("a", missing)


def test_serverchange(pair: Pair) -> None:
    """SC-1 to SC-3."""
    aws = Addresses(tcp=("h:1", "h:2"), ws=("h:3",))

    def line(caps: Caps, destination: str, until: float = 0.0) -> bytes:
        return render.serverchange(
            caps,
            "a",
            destination=destination,  # type: ignore[arg-type]
            cluster="aws",
            epoch=2,
            addresses=aws,
            drain_until=until,
        )

    assert pair.to_client(
        line(ALL, "tags", 12.5) + line(ALL, "tags") + line(ALL, "parameter") + line(NONE, "tags")
    ) == [
        ServerChanged("a", "aws", 2, aws, 12.5),
        ServerChanged("a", "aws", 2, aws, None),
        ServerChanged("a", "aws"),
        ServerChanged("a"),
    ]


def test_reconnect_ping_and_inquire(pair: Pair) -> None:
    """RC-1, PING-2, INQ-1."""
    inquired = render.inquire("a", "aws", "h:1", caps=ALL, epoch=2) + render.inquire("b", "aws", "h:1")
    assert pair.to_client(render.reconnect(ALL) + render.ping() + inquired) == [
        Reconnect(),
        Pinged("tmi.twitch.tv"),
        Inquired("a", "aws", "h:1", 2),
        Inquired("b", "aws", "h:1", 0),
    ]
    assert pair.client.data_to_send() == [b"PONG tmi.twitch.tv\r\n"]


@pytest.mark.parametrize(
    "line",
    [
        b"PRIVMSG",
        b":foo!foo@foo PRIVMSG foo :x",
        b":tmi.twitch.tv PRIVMSG #a :x",
        b":tmi.twitch.tv SERVERCHANGE",
        b":tmi.twitch.tv INQUIRE #a aws",
        b":tmi.twitch.tv INQUIRE a aws h:1",
        b":foo!foo@foo JOIN",
        b":tmi.twitch.tv JOIN #a",
        b":tmi.twitch.tv CAP",
        b":tmi.twitch.tv 421 ronni X :Unknown command",
    ],
)
def test_lines_that_say_nothing_known(pair: Pair, line: bytes) -> None:
    """LINE-2."""
    assert [type(event) for event in pair.client.receive_data(line + b"\r\n")] == [Other]


def test_over_long_line_is_skipped(pair: Pair) -> None:
    assert pair.client.receive_data(b"x" * (MAX_LINE + 2) + b"\r\nPING :a\r\n") == [Pinged("a")]


_words = b"PRIVMSG |NOTICE |CAP |001 |JOIN |PART |PING|SERVERCHANGE |INQUIRE |ROOMSTATE |USERSTATE |RECONNECT|#a|*| |:|"
_more = b"@|;|=|:a!a@a |godwit-position=|1-2|godwit-epoch=|godwit-missing=|\xb2|\xd9\xa1|9|msg-id=godwit_gap|ACK |\r\n"
_tags = b"|godwit-drain-until=|slow=1;subs-only=0|\\|\0|\x01ACTION "


@given(st.lists(st.sampled_from((_words + _more + _tags).split(b"|")) | st.binary(max_size=10), max_size=60))
def test_no_bytes_raise(pieces: list[bytes]) -> None:
    """LINE-2."""
    client = ClientConnection()
    client.login("a", "b", ALL)
    for piece in pieces:
        client.receive_data(piece)
    assert all(line.endswith(b"\r\n") for line in client.data_to_send())
