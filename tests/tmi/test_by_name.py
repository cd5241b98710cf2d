"""Each line by its name: what clients send is taken as the page says, what they are sent looks as the page says."""

from __future__ import annotations

import re

import pytest

from godwit.tmi import events, render, render_group, render_room
from godwit.tmi.capabilities import NONE, Caps
from godwit.tmi.events import Event
from godwit.tmi.server import ServerConnection
from godwit.values import Account, Addresses, Author, Message, Position, Reply, UserNotice
from tests.rows import PAGE, rows

ALL = Caps.TAGS | Caps.COMMANDS | Caps.MEMBERSHIP | Caps.POSITION
USUAL = Caps.TAGS | Caps.COMMANDS

RONNI = Account("1337", "ronni", "Ronni", "#0D4200")
AUTHOR = Author("1337", "ronni", "Ronni", "#0D4200")
VIP = Author("1337", "ronni", "Ronni", "#0D4200", vip=True)
AWS = Addresses(tcp=("h:1",), tls=("h:2",), ws=("h:3",), wss=("h:4",))
TEXT = "Kappa"


def registered() -> ServerConnection:
    """A connection that is logged in, with nothing left to send."""
    connection = ServerConnection()
    connection.receive_data(b"PASS oauth:abc\r\nNICK ronni\r\n")
    connection.login_accepted(RONNI)
    connection.data_to_send()
    return connection


def row(name: str) -> list[str]:
    """The columns of a row, without its id."""
    return [column.strip() for column in rows(PAGE.read_text(encoding="utf-8"))[name].split("|")]


# what clients send ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "yields", "answered"),
    [
        pytest.param(sent, yields, answered, id=sent, marks=pytest.mark.row(name))
        for name, sent, yields, answered in [
            ("CLIENT-cap", "CAP LS", [], ":tmi.twitch.tv CAP * LS :twitch.tv/tags twitch.tv/commands"),
            ("CLIENT-cap", "CAP LS 302", [], ":tmi.twitch.tv CAP * LS :twitch.tv/tags twitch.tv/commands"),
            ("CLIENT-cap", "CAP LIST", [], ":tmi.twitch.tv CAP * LIST :"),
            (
                "CLIENT-cap",
                "CAP REQ :twitch.tv/tags",
                [events.CapabilitiesChanged(Caps.TAGS)],
                ":tmi.twitch.tv CAP * ACK :twitch.tv/tags",
            ),
            ("CLIENT-cap", "CAP END", [], ""),
            ("CLIENT-inquire", "INQUIRE #dallas", [events.InquireRequested(("dallas",))], ""),
            ("CLIENT-join", "JOIN #dallas,#foo", [events.JoinRequested(("dallas", "foo"), {})], ""),
            ("CLIENT-join", "JOIN :#dallas #foo", [events.JoinRequested(("dallas", "foo"), {})], ""),
            ("CLIENT-jtvclient", "JTVCLIENT", [], ""),
            ("CLIENT-jtvclient", "JTVCLIENT #dallas", [], ""),
            ("CLIENT-jtvrooms", "JTVROOMS #dallas", [], ""),
            ("CLIENT-mode", "MODE #dallas +o ronni", [], ""),
            ("CLIENT-part", "PART #dallas,#foo", [events.PartRequested(("dallas", "foo"))], ""),
            ("CLIENT-pass", "PASS oauth:other", [], ""),
            ("CLIENT-ping", "PING", [], "PONG :tmi.twitch.tv"),
            ("CLIENT-ping", "PING :x", [], ":tmi.twitch.tv PONG tmi.twitch.tv :x"),
            ("CLIENT-pong", "PONG", [events.PongReceived()], ""),
            ("CLIENT-pong", "PONG tmi.twitch.tv", [events.PongReceived()], ""),
            ("CLIENT-pong", "PONG :tmi.twitch.tv", [events.PongReceived()], ""),
            ("CLIENT-privmsg", "PRIVMSG #dallas :Kappa", [events.MessageSent("dallas", "Kappa")], ""),
            ("CLIENT-privmsg", "PRIVMSG #dallas :/me waves", [events.MessageSent("dallas", "waves", True)], ""),
            ("CLIENT-privmsg", "PRIVMSG #dallas :/ban foo", [events.CommandSent("dallas", "ban", "foo")], ""),
            ("CLIENT-privmsg", "PRIVMSG ronni :hi", [events.Refused("not a channel: 'ronni'")], ""),
            (
                "CLIENT-tags",
                "@client-nonce=n1;reply-parent-msg-id=p1;sent-ts=5 PRIVMSG #dallas :hi",
                [events.MessageSent("dallas", "hi", False, "n1", "p1")],
                "",
            ),
            (
                "CLIENT-tags",
                "@godwit-after=2-7 JOIN #dallas",
                [events.JoinRequested(("dallas",), {"dallas": Position(2, 7)})],
                "",
            ),
            ("CLIENT-twitchclient", "TWITCHCLIENT", [], ""),
            ("CLIENT-twitchclient", "TWITCHCLIENT 1", [], ""),
            ("CLIENT-twitchclient", "TWITCHCLIENT 2", [], ""),
            ("CLIENT-twitchclient", "TWITCHCLIENT 3", [], ""),
            ("CLIENT-twitchclient", "TWITCHCLIENT 4", [], ""),
            ("CLIENT-user", "USER ronni 8 * :ronni", [], ""),
            (
                "CLIENT-whisper",
                "WHISPER foo :hi",
                [events.Refused("unknown command 'WHISPER'")],
                ":tmi.twitch.tv 421 ronni WHISPER :Unknown command",
            ),
        ]
    ],
)
def test_what_a_client_sends(sent: str, yields: list[Event], answered: str) -> None:
    connection = registered()
    assert connection.receive_data(sent.encode() + b"\r\n") == yields
    answers = b"".join(connection.data_to_send()).decode()
    assert answers.startswith(answered)
    assert answers.count("\r\n") == bool(answered)
    assert not connection.closing


@pytest.mark.row("CLIENT-pass", "CLIENT-nick")
def test_login() -> None:
    connection = ServerConnection()
    assert connection.receive_data(b"PASS oauth:abc\r\n") == []
    assert connection.receive_data(b"NICK Ronni\r\n") == [events.LoginRequested("ronni", "abc", False)]
    connection.login_accepted(RONNI)
    assert connection.receive_data(b"NICK other\r\n") == [events.Refused("a second NICK")]
    assert connection.closing


@pytest.mark.row("CLIENT-quit")
def test_quit() -> None:
    connection = registered()
    assert connection.receive_data(b"QUIT :bye\r\n") == [events.QuitRequested()]
    assert connection.closing
    assert connection.data_to_send() == []


# numerics ---------------------------------------------------------------------------------------


def _welcome() -> list[str]:
    return render.welcome(NONE, RONNI).decode().split("\r\n")[:-1]


@pytest.mark.row("NUM-001", "NUM-002", "NUM-003", "NUM-004", "NUM-372", "NUM-375", "NUM-376", "NUM-005")
def test_numerics_of_the_welcome() -> None:
    """All seven, in this order, and no other one: 005 was never sent."""
    numbers = ("001", "002", "003", "004", "375", "372", "376")
    assert _welcome() == [row(f"NUM-{number}")[0].strip("`").replace("nick", "ronni") for number in numbers]


@pytest.mark.row("NUM-353", "NUM-366")
def test_numerics_of_a_list_of_names() -> None:
    lines = render.names(Caps.MEMBERSHIP, "ronni", "dallas", ("foo", "bar")).decode().split("\r\n")[:-1]
    assert lines == [
        ":ronni.tmi.twitch.tv 353 ronni = #dallas :foo bar",
        ":ronni.tmi.twitch.tv 353 ronni = #dallas :ronni",
        ":ronni.tmi.twitch.tv 366 ronni #dallas :End of /NAMES list",
    ]


@pytest.mark.parametrize(
    ("name", "sent", "answer"),
    [
        pytest.param(name, sent, answer, id=name, marks=pytest.mark.row(name))
        for name, sent, answer in [
            ("NUM-410", "CAP SUB", ":tmi.twitch.tv 410 ronni SUB :Invalid CAP command"),
            ("NUM-417", "x" * 9000, ":tmi.twitch.tv 417 ronni :Input line was too long"),
            ("NUM-421", "WHO #dallas", ":tmi.twitch.tv 421 ronni WHO :Unknown command"),
            ("NUM-461", "JOIN", ":tmi.twitch.tv 461 ronni JOIN :Not enough parameters"),
        ]
    ],
)
def test_numerics_of_what_is_refused(name: str, sent: str, answer: str) -> None:
    connection = registered()
    connection.receive_data(sent.encode() + b"\r\n")
    assert connection.data_to_send() == [answer.encode() + b"\r\n"]
    assert answer == row(name)[0].strip("`").replace("nick", "ronni")


@pytest.mark.row("NUM-451")
def test_too_early() -> None:
    connection = ServerConnection()
    connection.receive_data(b"JOIN #dallas\r\n")
    assert connection.data_to_send() == [b":tmi.twitch.tv 451 * JOIN :You have not registered\r\n"]
    assert row("NUM-451")[0] == "`:tmi.twitch.tv 451 * JOIN :You have not registered`"


# what clients are sent --------------------------------------------------------------------------

_REPLY = Reply("p1", "7", "foo", "Foo", "hi")
_MESSAGE = Message("b34c", 2, "p", 1, AUTHOR, TEXT)
_FULL = Message("b34c", 2, "p", 1, VIP, TEXT, False, "n1", reply=_REPLY, emotes="25:5-9")
_EMOTE = Message("b34c", 2, "p", 1, AUTHOR, TEXT, emotes="25:0-4")
_RESUB = UserNotice("u1", 2, "p", 1, "resub", AUTHOR, "Ronni subscribed!", {"months": "6"}, TEXT)
_UNRAID = UserNotice("u2", 2, "p", 2, "unraid", AUTHOR, "The raid has been cancelled.")
_POSITION = Position(2, 7)


def _serverchange(caps: Caps) -> bytes:
    return render.serverchange(
        caps, "dallas", destination="tags", cluster="aws", epoch=2, addresses=AWS, drain_until=5.0
    )


USER = ":ronni!ronni@ronni.tmi.twitch.tv"

SENT: dict[str, tuple[list[bytes], list[str]]] = {
    "SERVER-cap": ([render.cap("ACK", "twitch.tv/tags")], [":tmi.twitch.tv CAP * ACK :twitch.tv/tags"]),
    "SERVER-clearchat": (
        [
            render_room.clearchat(USUAL, "dallas", room_id="9", time=1.5),
            render_room.clearchat(USUAL, "dallas", room_id="9", time=1.5, target_login="foo", target_id="7"),
            render_room.clearchat(
                USUAL, "dallas", room_id="9", time=1.5, target_login="foo", target_id="7", seconds=60
            ),
        ],
        [
            ":tmi.twitch.tv CLEARCHAT #dallas",
            ":tmi.twitch.tv CLEARCHAT #dallas :foo",
            ":tmi.twitch.tv CLEARCHAT #dallas :foo",
        ],
    ),
    "SERVER-clearmsg": (
        [render_room.clearmsg(USUAL, "dallas", login="foo", target_msg_id="b34c", text=TEXT, time=1.5)],
        [":tmi.twitch.tv CLEARMSG #dallas :Kappa"],
    ),
    "SERVER-globaluserstate": ([render.globaluserstate(USUAL, RONNI)], [":tmi.twitch.tv GLOBALUSERSTATE"]),
    "SERVER-hosttarget": (
        [render_room.hosttarget(USUAL, "dallas", "foo", 12), render_room.hosttarget(USUAL, "dallas", "")],
        [":tmi.twitch.tv HOSTTARGET #dallas :foo 12", ":tmi.twitch.tv HOSTTARGET #dallas :- 0"],
    ),
    "SERVER-inquire": (
        [
            render.inquire("dallas", "aws", "host:6667"),
            render.inquire("dallas", "aws", "host:6667", caps=USUAL, epoch=2),
        ],
        [":tmi.twitch.tv INQUIRE #dallas aws host:6667"] * 2,
    ),
    "SERVER-join": ([render.join("ronni", "dallas")], [f"{USER} JOIN #dallas"]),
    "SERVER-mode": (
        [render_room.mode("dallas", "ronni", "+o"), render_room.mode("dallas", "ronni", "-o")],
        [":jtv MODE #dallas +o ronni", ":jtv MODE #dallas -o ronni"],
    ),
    "SERVER-notice": (
        [render.notice(USUAL, "dallas", "slow_off", TEXT), render.gap(ALL, "dallas", 2)],
        [
            ":tmi.twitch.tv NOTICE #dallas :Kappa",
            ":tmi.twitch.tv NOTICE #dallas :2 messages of this channel could not be shown here.",
        ],
    ),
    "SERVER-part": ([render.part("ronni", "dallas")], [f"{USER} PART #dallas"]),
    "SERVER-ping": ([render.ping()], ["PING :tmi.twitch.tv"]),
    "SERVER-pong": (
        [render.pong(""), render.pong("x")],
        ["PONG :tmi.twitch.tv", ":tmi.twitch.tv PONG tmi.twitch.tv :x"],
    ),
    "SERVER-privmsg": (
        [
            render.privmsg(USUAL, "dallas", _MESSAGE, time=1.5, room_id="9"),
            render.privmsg(USUAL, "dallas", _EMOTE, time=1.5, room_id="9"),
            render.privmsg(ALL, "dallas", _FULL, time=1.5, room_id="9", position=_POSITION),
        ],
        [f"{USER} PRIVMSG #dallas :Kappa", f"{USER} PRIVMSG #dallas :Kappa", f"{USER} PRIVMSG #dallas :@Foo Kappa"],
    ),
    "SERVER-reconnect": ([render.reconnect(USUAL)], [":tmi.twitch.tv RECONNECT"]),
    "SERVER-roomstate": (
        [
            render.roomstate(USUAL, "dallas", room_id="9", settings={"slow": 5}),
            render.roomstate(ALL, "dallas", room_id="9", settings={}, position=_POSITION, cluster="aws", epoch=2),
        ],
        [":tmi.twitch.tv ROOMSTATE #dallas"] * 2,
    ),
    "SERVER-serverchange": (
        [_serverchange(Caps.COMMANDS), _serverchange(ALL)],
        [":tmi.twitch.tv SERVERCHANGE #dallas"] * 2,
    ),
    "SERVER-usernotice": (
        [
            render_room.usernotice(USUAL, "dallas", _RESUB, time=1.5, room_id="9"),
            render_room.usernotice(USUAL, "dallas", _UNRAID, time=1.5, room_id="9"),
        ],
        [":tmi.twitch.tv USERNOTICE #dallas :Kappa", ":tmi.twitch.tv USERNOTICE #dallas"],
    ),
    "SERVER-userstate": (
        [
            render.userstate(USUAL, "dallas", AUTHOR),
            render.userstate(USUAL, "dallas", AUTHOR, msg_id="b34c", nonce="n1"),
        ],
        [":tmi.twitch.tv USERSTATE #dallas"] * 2,
    ),
    "SERVER-whisper": (
        [render_group.whisper(USUAL, "foo", AUTHOR, TEXT, number=1, thread="7_1337")],
        [f"{USER} WHISPER foo :Kappa"],
    ),
}
"""Row -> lines as they are sent, least and most tags among them, and how they look without tags."""


def _cut(line: bytes) -> tuple[set[str], str]:
    """The names of a line's tags, and the rest of it."""
    text = line.decode().removesuffix("\r\n")
    if not text.startswith("@"):
        return set(), text
    tags, _, rest = text[1:].partition(" ")
    names = [tag.partition("=")[0] for tag in tags.split(";")]
    assert names == sorted(set(names)), "in alphabetical order, each once"
    return set(names), rest


def _tags(name: str) -> tuple[set[str], set[str]]:
    """The tags that a row says are always there, and those that may be."""
    column = row(name)[1].partition(";")[0] + row(name)[1].partition("and `room-id`")[2]
    sometimes = {tag for group in re.findall(r"\(([^)]*)\)", column) for tag in re.findall(r"`([^`]+)`", group)}
    return set(re.findall(r"`([^`]+)`", column)) - sometimes, sometimes


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.row(name)) for name in SENT])
def test_what_a_client_is_sent(name: str) -> None:
    """To the letter, with exactly the tags that the row names."""
    lines, expected = SENT[name]
    cut = [_cut(line) for line in lines]
    assert [rest for _, rest in cut] == expected
    always, sometimes = _tags(name)
    given = {re.sub(r"^msg-param-.*", "msg-param-…", tag) for tags, _ in cut for tag in tags}
    assert given == always | sometimes
    assert all(always <= tags for tags, _ in cut)


@pytest.mark.row("SERVER-roomstate", "STATE-3")
def test_a_changed_setting_comes_with_the_room() -> None:
    assert render.roomstate_change(USUAL, "dallas", room_id="9", changed={"slow": 5}) == (
        b"@room-id=9;slow=5 :tmi.twitch.tv ROOMSTATE #dallas\r\n"
    )


@pytest.mark.row("TAG-bits", "TAG-custom-reward-id", "TAG-pinned-chat-paid", "TAG-source")
@pytest.mark.row("SERVER-redirect", "SERVER-historyend")
def test_what_is_never_sent() -> None:
    cut = [_cut(line) for lines, _ in SENT.values() for line in lines]
    never = {"bits", "custom-reward-id"}
    assert not [tag for tags, _ in cut for tag in tags if tag in never or tag.startswith(("pinned-", "source-"))]
    assert not [rest for _, rest in cut if "REDIRECT" in rest or "HISTORYEND" in rest]


@pytest.mark.row("SERVER-jtv")
def test_news_of_group_rooms() -> None:
    line = render_group.room_news("ronni", "ROOMINVITE", "_foo_1447033529452", "foo")
    assert line == b":jtv!jtv@jtv.tmi.twitch.tv PRIVMSG ronni :ROOMINVITE _foo_1447033529452 foo\r\n"


def test_every_line_of_the_page_is_here() -> None:
    page = rows(PAGE.read_text(encoding="utf-8"))
    named = {name for name in page if name.startswith("SERVER-")} - {
        "SERVER-redirect",
        "SERVER-historyend",
        "SERVER-jtv",
    }
    assert named == SENT.keys()
