"""The server's end of a connection: LOGIN, CAP, PING, CMD and what reading a command yields."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from godwit.errors import LocalProtocolError
from godwit.tmi.capabilities import Caps
from godwit.tmi.commands import COMMANDS, Handler
from godwit.tmi.events import (
    CapabilitiesChanged,
    CommandSent,
    InquireRequested,
    JoinRequested,
    LoginRequested,
    MessageSent,
    PartRequested,
    PongReceived,
    QuitRequested,
    Refused,
)
from godwit.tmi.login import LoginFailure
from godwit.tmi.server import MAX_HELD, MAX_LINE, ServerConnection, State
from godwit.values import Account, Position

RONNI = Account("1337", "ronni", "Ronni", "#0D4200")

WELCOME = (
    b":tmi.twitch.tv 001 ronni :Welcome, GLHF!\r\n"
    b":tmi.twitch.tv 002 ronni :Your host is tmi.twitch.tv\r\n"
    b":tmi.twitch.tv 003 ronni :This server is rather new\r\n"
    b":tmi.twitch.tv 004 ronni :-\r\n"
    b":tmi.twitch.tv 375 ronni :-\r\n"
    b":tmi.twitch.tv 372 ronni :You are in a maze of twisty passages, all alike.\r\n"
    b":tmi.twitch.tv 376 ronni :>\r\n"
)


def registered(*capabilities: str) -> ServerConnection:
    """A connection that is logged in, with nothing left to send."""
    connection = ServerConnection()
    if capabilities:
        connection.receive_data(f"CAP REQ :{' '.join(capabilities)}\r\n".encode())
    connection.receive_data(b"PASS oauth:abc\r\nNICK ronni\r\n")
    connection.login_accepted(RONNI)
    connection.data_to_send()
    return connection


# login ------------------------------------------------------------------------------------------


def test_login() -> None:
    """LOGIN-1."""
    connection = ServerConnection()
    assert connection.receive_data(b"PASS oauth:abc\r\n") == []
    assert not connection.registered
    assert connection.receive_data(b"NICK Ronni\r\n") == [LoginRequested("ronni", "abc", False)]
    assert connection.state is State.CHECKING
    assert connection.data_to_send() == []
    connection.login_accepted(RONNI)
    assert connection.read_held() == []
    assert (connection.registered, connection.nick, connection.anonymous) == (True, "ronni", False)


def test_welcome_to_the_byte_in_one_element() -> None:
    """LOGIN-2, WS-2; rules 1, 2 and 8 of the dialect."""
    connection = ServerConnection()
    connection.receive_data(b"PASS oauth:abc\r\nNICK ronni\r\n")
    connection.login_accepted(RONNI)
    assert connection.data_to_send() == [WELCOME]


def test_globaluserstate_ends_the_welcome() -> None:
    """LOGIN-3."""
    connection = ServerConnection()
    connection.receive_data(b"CAP REQ :twitch.tv/commands twitch.tv/tags\r\nPASS oauth:abc\r\nNICK ronni\r\n")
    connection.login_accepted(RONNI)
    acked, welcome = connection.data_to_send()
    assert acked == b":tmi.twitch.tv CAP * ACK :twitch.tv/commands twitch.tv/tags\r\n"
    assert welcome == WELCOME + (
        b"@badge-info=;badges=;color=#0D4200;display-name=Ronni;emote-sets=0;user-id=1337;user-type="
        b" :tmi.twitch.tv GLOBALUSERSTATE\r\n"
    )


@pytest.mark.parametrize("password", [b"", b"PASS\r\n", b"PASS SCHMOOPIIE\r\n", b"PASS oauth:x\r\n"])
def test_anonymous_login(password: bytes) -> None:
    """LOGIN-4."""
    connection = ServerConnection()
    events = connection.receive_data(password + b"NICK justinfan42\r\n")
    assert events == [LoginRequested("justinfan42", None, True)]
    connection.login_accepted(Account("", "justinfan42"))
    assert connection.anonymous
    assert connection.receive_data(b"PRIVMSG #a :hi\r\n") == [Refused("anonymous connections only read")]
    assert connection.receive_data(b"JOIN #a\r\n") == [JoinRequested(("a",), {})]


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        (b"NICK ronni\r\nPASS oauth:abc\r\n", b"Improperly formatted auth"),
        (b"PASS abc\r\nNICK ronni\r\n", b"Improperly formatted auth"),
        (b"PASS oauth:\r\nNICK ronni\r\n", b"Improperly formatted auth"),
        (b"PASS\r\nNICK ronni\r\n", b"Improperly formatted auth"),
        (b"PASS oauth:abc\r\nNICK ron-ni\r\n", b"Invalid NICK"),
        (b"PASS oauth:abc\r\nNICK #ronni\r\n", b"Invalid NICK"),
        (b"PASS oauth:abc\r\nNICK _ann_1447033529452\r\n", b"Invalid NICK"),
        (b"PASS oauth:abc\r\nNICK\r\n", b"Invalid NICK"),
        (b"PASS oauth:abc\r\nNICK " + b"a" * 26 + b"\r\n", b"Invalid NICK"),
        (b"PASS oauth:abc\r\nNICK justinfan\xd9\xa1\r\n", b"Invalid NICK"),
    ],
)
def test_login_failures(sent: bytes, text: bytes) -> None:
    """LOGIN-5, WS-2, rule 20 of the dialect: the exact text, alone in its element, then the close."""
    connection = ServerConnection()
    events = connection.receive_data(sent)
    assert [type(event) for event in events] == [Refused]
    assert connection.data_to_send() == [b":tmi.twitch.tv NOTICE * :" + text + b"\r\n"]
    assert connection.closing
    assert connection.receive_data(b"PASS oauth:abc\r\nNICK ronni\r\n") == []


@pytest.mark.parametrize("failure", list(LoginFailure))
def test_refused_login(failure: LoginFailure) -> None:
    """LOGIN-5."""
    connection = ServerConnection()
    connection.receive_data(
        b"CAP REQ :twitch.tv/tags twitch.tv/commands\r\nPASS oauth:abc\r\nNICK ronni\r\nJOIN #a\r\n"
    )
    connection.data_to_send()
    connection.login_failed(failure)
    assert connection.data_to_send() == [f":tmi.twitch.tv NOTICE * :{failure}\r\n".encode()]
    assert connection.closing


def test_what_is_sent_behind_nick_waits_for_the_login() -> None:
    """LOGIN-7: nothing comes before the welcome, and nothing is forgotten."""
    connection = ServerConnection()
    events = connection.receive_data(b"PASS oauth:abc\r\nNICK ronni\r\nPING\r\nJOIN #a\r\nPRIV")
    assert events == [LoginRequested("ronni", "abc", False)]
    assert connection.receive_data(b"MSG #a :hi\r\nWHAT\r\n") == []
    assert connection.data_to_send() == []
    connection.login_accepted(RONNI)
    assert connection.data_to_send() == [WELCOME]
    assert connection.read_held() == [
        JoinRequested(("a",), {}),
        MessageSent("a", "hi"),
        Refused("unknown command 'WHAT'"),
    ]
    assert connection.data_to_send() == [
        b"PONG :tmi.twitch.tv\r\n",
        b":tmi.twitch.tv 421 ronni WHAT :Unknown command\r\n",
    ]


def test_too_much_behind_nick() -> None:
    """LOGIN-7."""
    connection = ServerConnection()
    connection.receive_data(b"PASS oauth:abc\r\nNICK ronni\r\n")
    line = b"JOIN #" + b"a" * 25 + b"\r\n"
    for _ in range(MAX_HELD // len(line)):
        assert connection.receive_data(line) == []
    connection.receive_data(line * 2)
    assert connection.data_to_send() == [b":tmi.twitch.tv NOTICE * :Login unsuccessful\r\n"]
    assert connection.closing
    connection.login_accepted(RONNI)
    assert connection.read_held() == []
    assert connection.data_to_send() == []


def test_accepting_what_was_not_asked_is_a_bug() -> None:
    with pytest.raises(LocalProtocolError):
        ServerConnection().login_accepted(RONNI)
    with pytest.raises(LocalProtocolError):
        registered().login_accepted(RONNI)


@pytest.mark.parametrize(
    "line", [b"USER a 0 * :b", b"MODE #a", b"PASS oauth:x", b"TWITCHCLIENT 3", b"JTVCLIENT", b"JTVROOMS #a"]
)
def test_swallowed_after_the_login(line: bytes) -> None:
    """LOGIN-8, LOGIN-9, rule 11 of the dialect: USER is ignored."""
    connection = registered()
    assert connection.receive_data(line + b"\r\n") == []
    assert connection.data_to_send() == []
    assert not connection.closing


def test_user_before_the_login_is_ignored() -> None:
    """LOGIN-1, rule 11 of the dialect."""
    connection = ServerConnection()
    events = connection.receive_data(b"PASS oauth:abc\nUSER a 0 * :b\nTWITCHCLIENT\n\n\r\n\0NICK ronni\r\n\0")
    assert events == [LoginRequested("ronni", "abc", False)]
    assert connection.data_to_send() == []


def test_second_nick_closes() -> None:
    """LOGIN-8."""
    connection = registered()
    assert connection.receive_data(b"NICK other\r\nJOIN #a\r\n") == [Refused("a second NICK")]
    assert connection.closing


@pytest.mark.parametrize("command", ["JOIN", "PART", "PRIVMSG", "INQUIRE"])
def test_too_early(command: str) -> None:
    """LOGIN-6."""
    connection = ServerConnection()
    assert connection.receive_data(f"{command} #a :x\r\n".encode()) == [Refused(f"{command} before the login")]
    assert connection.data_to_send() == [f":tmi.twitch.tv 451 * {command} :You have not registered\r\n".encode()]


def test_early_commands_are_those_of_the_table() -> None:
    """LOGIN-6."""
    assert {name for name, row in COMMANDS.items() if not row.early} == {"JOIN", "PART", "PRIVMSG", "INQUIRE"}
    assert {row.handler for row in COMMANDS.values()} == set(Handler)


# capabilities -----------------------------------------------------------------------------------


def test_list_of_capabilities() -> None:
    """CAP-1."""
    connection = ServerConnection()
    assert connection.receive_data(b"CAP LS 302\r\nCAP LIST\r\n") == []
    assert connection.data_to_send() == [
        b":tmi.twitch.tv CAP * LS :twitch.tv/tags twitch.tv/commands twitch.tv/membership godwit/position\r\n",
        b":tmi.twitch.tv CAP * LIST :\r\n",
    ]


@pytest.mark.parametrize(
    "request_",
    [
        "twitch.tv/tags twitch.tv/commands twitch.tv/membership",
        "twitch.tv/membership twitch.tv/tags",
        "twitch.tv/commands  twitch.tv/tags ",
        "godwit/position",
        "twitch.tv/tags twitch.tv/tags",
    ],
)
def test_ack_repeats_the_request(request_: str) -> None:
    """CAP-2, rule 3 of the dialect: one ACK, in the client's order, to the letter."""
    connection = ServerConnection()
    (event,) = connection.receive_data(f"CAP REQ :{request_}\r\n".encode())
    assert isinstance(event, CapabilitiesChanged)
    assert connection.data_to_send() == [f":tmi.twitch.tv CAP * ACK :{request_}\r\n".encode()]


def test_capabilities_without_a_colon_and_taken_away() -> None:
    """CAP-2."""
    connection = registered()
    assert connection.receive_data(b"cap req twitch.tv/tags twitch.tv/commands\r\n") == [
        CapabilitiesChanged(Caps.TAGS | Caps.COMMANDS)
    ]
    assert connection.receive_data(b"CAP REQ :-twitch.tv/tags\r\n") == [CapabilitiesChanged(Caps.COMMANDS)]
    assert connection.receive_data(b"CAP REQ :twitch.tv/commands\r\n") == []
    assert [line[:23] for line in connection.data_to_send()] == [b":tmi.twitch.tv CAP * AC"] * 3
    assert connection.caps == Caps.COMMANDS


def test_unknown_capability_refuses_the_whole_list() -> None:
    """CAP-3."""
    connection = ServerConnection()
    (event,) = connection.receive_data(b"CAP REQ :twitch.tv/tags bogus\r\n")
    assert isinstance(event, Refused)
    assert connection.data_to_send() == [b":tmi.twitch.tv CAP * NAK :twitch.tv/tags bogus\r\n"]
    assert connection.caps == Caps(0)


def test_nothing_waits_for_cap_end() -> None:
    """CAP-4, rule 4 of the dialect."""
    connection = ServerConnection()
    connection.receive_data(b"CAP LS 302\r\nCAP REQ :twitch.tv/tags\r\nPASS oauth:abc\r\nNICK ronni\r\n")
    connection.login_accepted(RONNI)
    assert connection.data_to_send()[-1].startswith(WELCOME)
    assert connection.receive_data(b"CAP END\r\nJOIN #a\r\n") == [JoinRequested(("a",), {})]
    assert connection.data_to_send() == []


@pytest.mark.parametrize(("sent", "told"), [("CAP CLEAR", "CLEAR"), ("CAP :a b", "*"), ("CAP ::", "*")])
def test_unknown_cap_subcommand(sent: str, told: str) -> None:
    """CAP-5."""
    connection = ServerConnection()
    connection.receive_data(f"{sent}\r\n".encode())
    assert connection.data_to_send() == [f":tmi.twitch.tv 410 * {told} :Invalid CAP command\r\n".encode()]


# keep-alive and other answers -------------------------------------------------------------------


@pytest.mark.parametrize("ping", [b"PING\r\n", b"ping\n", b"PING :\r\n"])
def test_bare_ping(ping: bytes) -> None:
    """PING-1, rule 5 of the dialect: the answer has no prefix."""
    connection = registered()
    connection.receive_data(ping)
    assert connection.data_to_send() == [b"PONG :tmi.twitch.tv\r\n"]


@pytest.mark.parametrize(("ping", "token"), [(b"PING :x y", b"x y"), (b"PING x", b"x"), (b"PING ::x", b":x")])
def test_ping_with_a_token(ping: bytes, token: bytes) -> None:
    """PING-1, rule 5 of the dialect."""
    connection = ServerConnection()
    connection.receive_data(ping + b"\r\n")
    assert connection.data_to_send() == [b":tmi.twitch.tv PONG tmi.twitch.tv :" + token + b"\r\n"]


@pytest.mark.parametrize("pong", [b"PONG", b"PONG :tmi.twitch.tv", b"PONG tmi.twitch.tv ", b"PONG a b"])
def test_any_pong_will_do(pong: bytes) -> None:
    """PING-2."""
    connection = registered()
    assert connection.receive_data(pong + b"\r\n") == [PongReceived()]
    assert connection.data_to_send() == []


@pytest.mark.parametrize("command", ["WHO", "WHISPER", "NAMES", "\u00e4", "GET"])
def test_unknown_command(command: str) -> None:
    """CMD-1."""
    connection = registered()
    connection.receive_data(f"{command} #a :x\r\n".encode())
    assert connection.data_to_send() == [f":tmi.twitch.tv 421 ronni {command} :Unknown command\r\n".encode()]
    assert not connection.closing


def test_unknown_command_before_the_login() -> None:
    """CMD-1."""
    connection = ServerConnection()
    connection.receive_data(b"GET / HTTP/1.1\r\n")
    assert connection.data_to_send() == [b":tmi.twitch.tv 421 * GET :Unknown command\r\n"]


@pytest.mark.parametrize("line", ["JOIN", "PART", "PRIVMSG", "PRIVMSG #a", "INQUIRE", "CAP"])
def test_missing_parameters(line: str) -> None:
    """CMD-2."""
    connection = registered()
    connection.receive_data(f"{line}\r\n".encode())
    word = line.split()[0]
    assert connection.data_to_send() == [f":tmi.twitch.tv 461 ronni {word} :Not enough parameters\r\n".encode()]


def test_quit() -> None:
    connection = registered()
    assert connection.receive_data(b"QUIT :bye\r\nJOIN #a\r\n") == [QuitRequested()]
    assert connection.closing


def test_over_long_line() -> None:
    """LINE-5: answered, skipped, and the connection goes on."""
    connection = registered()
    assert connection.receive_data(b"PRIVMSG #a :" + b"x" * MAX_LINE) == [Refused("a line that is too long")]
    assert connection.receive_data(b"y" * MAX_LINE) == []
    assert connection.receive_data(b"\r\nPRIVMSG #a :hi\r\n") == [MessageSent("a", "hi")]
    assert connection.data_to_send() == [b":tmi.twitch.tv 417 ronni :Input line was too long\r\n"]


def test_line_of_4_kib_is_taken() -> None:
    """LINE-5: libraries pack JOIN lines up to their own limit."""
    names = tuple(f"channel{number}" for number in range(400))
    line = ("JOIN " + ",".join(f"#{name}" for name in names)).encode()
    assert len(line) > 4096
    assert registered().receive_data(line + b"\r\n") == [JoinRequested(names, {})]


def test_elements_are_kept_apart() -> None:
    """WS-2, rule 8 of the dialect: one element for each thing that is sent, none for nothing."""
    connection = registered()
    connection.send(b"one\r\n")
    connection.send(b"")
    connection.send(b"two\r\nthree\r\n")
    assert connection.data_to_send() == [b"one\r\n", b"two\r\nthree\r\n"]
    assert connection.data_to_send() == []


# channels and messages --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "channels"),
    [
        ("JOIN #dallas", ("dallas",)),
        ("JOIN :#dallas", ("dallas",)),
        ("JOIN #Dallas,#foo", ("dallas", "foo")),
        ("JOIN #a, #b #c", ("a", "b", "c")),
        ("JOIN : #a ,,#b ", ("a", "b")),
        ("JOIN #a,#A", ("a",)),
        ("JOIN #_owner_1447033529452", ("_owner_1447033529452",)),
    ],
)
def test_join(line: str, channels: tuple[str, ...]) -> None:
    """JOIN-1."""
    assert registered().receive_data(f"{line}\r\n".encode()) == [JoinRequested(channels, {})]


@pytest.mark.parametrize("word", ["dallas", "#", "#a-b", "##a", "0", "#" + "a" * 26, "#\u00e4", "#a:b", "#a\tb"])
def test_join_of_what_is_no_channel_is_dropped(word: str) -> None:
    """JOIN-1."""
    connection = registered()
    assert connection.receive_data(f"JOIN {word}\r\n".encode()) == [Refused(f"not a channel: {word!r}")]
    assert connection.receive_data(f"JOIN #a,{word},#b\r\n".encode()) == [
        JoinRequested(("a", "b"), {}),
        Refused(f"not a channel: {word!r}"),
    ]
    assert connection.data_to_send() == []


@pytest.mark.parametrize(
    ("tag", "after"),
    [
        ("2-1041,,1-7", {"a": Position(2, 1041), "c": Position(1, 7)}),
        ("2-1041", {"a": Position(2, 1041)}),
        (",2-1041,1-1,5-5", {"b": Position(2, 1041), "c": Position(1, 1)}),
        ("x,1-,-1", {}),
        ("", {}),
        ("1-" + "9" * 30, {}),
    ],
)
def test_resume_positions(tag: str, after: dict[str, Position]) -> None:
    """JOIN-5."""
    events = registered().receive_data(f"@godwit-after={tag} JOIN #a,#B #c\r\n".encode())
    assert events == [JoinRequested(("a", "b", "c"), after)]


def test_part_and_inquire() -> None:
    """PART-1, INQ-1."""
    connection = registered()
    assert connection.receive_data(b"PART #a,#b :bye #c\r\n") == [PartRequested(("a", "b"))]
    assert connection.receive_data(b"INQUIRE #a,#B\r\n") == [InquireRequested(("a", "b"))]
    assert connection.receive_data(b"PART x\r\nINQUIRE x\r\n") == [Refused("not a channel: 'x'")] * 2


def test_message() -> None:
    """MSG-2, MSG-7, MSG-8: tags of the client are read."""
    connection = registered()
    line = b"@client-nonce=f\\s00;reply-parent-msg-id=p1;sent-ts=5 PRIVMSG #Dallas : Kappa  Keepo \r\n"
    assert connection.receive_data(line) == [MessageSent("dallas", "Kappa Keepo", False, "f 00", "p1")]
    assert connection.receive_data(b"PRIVMSG #a hi\r\n") == [MessageSent("a", "hi")]
    assert connection.receive_data(b"PRIVMSG #a :/me waves\r\n") == [MessageSent("a", "waves", True)]
    assert connection.data_to_send() == []


def test_long_nonce_is_dropped() -> None:
    """MSG-8."""
    line = f"@client-nonce={'n' * 129};reply-parent-msg-id={'m' * 128} PRIVMSG #a :x\r\n"
    assert registered().receive_data(line.encode()) == [MessageSent("a", "x", False, "", "m" * 128)]


@pytest.mark.parametrize("mark", ["/", "."])
@pytest.mark.parametrize("channel", ["jtv", "tmijs", "ronni", "nobody_is_here"])
def test_commands_in_any_channel(mark: str, channel: str) -> None:
    """MSG-4, MSG-5; rules 12 and 13 of the dialect: both marks, joined or not, existing or not."""
    events = registered().receive_data(f"PRIVMSG #{channel} :{mark}w Foo  hello there\r\n".encode())
    assert events == [CommandSent(channel, "w", "Foo hello there")]


@pytest.mark.parametrize("line", [b"PRIVMSG ronni :hi", b"PRIVMSG #a,#b :hi", b"PRIVMSG #a :", b"PRIVMSG #a :  \x01 "])
def test_message_to_nobody_or_without_text(line: bytes) -> None:
    """MSG-2."""
    connection = registered()
    assert [type(event) for event in connection.receive_data(line + b"\r\n")] == [Refused]


# whatever comes ---------------------------------------------------------------------------------


_words = (
    b"CAP REQ :|CAP |JOIN |PRIVMSG |PING |INQUIRE |PART |@godwit-after=|1-2,|#a|,| |:|@|;|=|\\|/me |\x01ACTION |"
    b"twitch.tv/tags|\r|\n|\0|\xff|PASS oauth:a\r\n|NICK ronni\r\n|NICK justinfan1\r\n|NICK \xff\r\n|QUIT\r\n"
)
_pieces = st.sampled_from([*_words.split(b"|"), b"x" * 100])


@given(st.lists(_pieces | st.binary(max_size=20), max_size=60), st.booleans(), st.integers(10, 200))
def test_no_bytes_raise(pieces: list[bytes], accept: bool, max_line: int) -> None:
    """LINE-2: whatever comes, nothing is raised and all answers are whole lines of two words at least (LINE-3)."""
    connection = ServerConnection(max_line)
    for piece in pieces:
        connection.receive_data(piece)
        if connection.state is State.CHECKING:
            if accept:
                connection.login_accepted(Account("1", connection.nick))
                connection.read_held()
            else:
                connection.login_failed(LoginFailure.AUTHENTICATION_FAILED)
    for element in connection.data_to_send():
        assert element.endswith(b"\r\n")
        for line in element[:-2].split(b"\r\n"):
            assert not set(line) & set(b"\r\n\0")
            assert len(line.decode().split()) > 1
