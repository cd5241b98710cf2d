"""Which dialect is spoken, and what it makes of a login and of old clients."""

from __future__ import annotations

import pytest

from godwit.tmi.capabilities import Caps
from godwit.tmi.dialect import DIALECTS, NOW, Name, dialect_of
from godwit.tmi.events import CapabilitiesChanged, LoginRequested
from godwit.tmi.login import LoginFailure
from godwit.tmi.server import ServerConnection
from godwit.values import Account

OLD = DIALECTS["2016"]


@pytest.mark.row("OLD-1")
def test_a_cluster_speaks_the_dialect_of_now_if_nothing_is_said() -> None:
    names: dict[str, Name] = {"main": "2016", "aws": "now"}
    assert dialect_of(names, "main") is OLD
    assert dialect_of(names, "aws") is dialect_of(names, "event") is NOW
    assert {name: dialect.name for name, dialect in DIALECTS.items()} == {"now": "now", "2016": "2016"}


@pytest.mark.row("OLD-8")
@pytest.mark.parametrize(
    ("login", "text"),
    [
        ("NICK ronni", "Error logging in"),
        ("PASS token\r\nNICK ronni", "Error logging in"),
        ("PASS oauth:x\r\nNICK #ronni", "Invalid NICK"),
    ],
)
def test_a_login_that_cannot_be(login: str, text: str) -> None:
    connection = ServerConnection(dialect=OLD)
    connection.receive_data(f"{login}\r\n".encode())
    assert connection.data_to_send() == [f":tmi.twitch.tv NOTICE * :{text}\r\n".encode()]
    assert connection.closing


@pytest.mark.row("OLD-8")
@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (LoginFailure.AUTHENTICATION_FAILED, b"Login unsuccessful"),
        (LoginFailure.UNSUCCESSFUL, b"Login unsuccessful"),
        (LoginFailure.ERROR, b"Error logging in"),
    ],
)
def test_a_login_that_is_refused(reason: LoginFailure, text: bytes) -> None:
    connection = ServerConnection(dialect=OLD)
    (event,) = connection.receive_data(b"PASS oauth:x\r\nNICK ronni\r\n")
    assert event == LoginRequested("ronni", "x", False)
    connection.login_failed(reason)
    assert connection.data_to_send() == [b":tmi.twitch.tv NOTICE * :" + text + b"\r\n"]


@pytest.mark.row("OLD-4")
def test_the_welcome_is_in_the_dialect() -> None:
    for dialect, tag in ((OLD, b"turbo=0"), (NOW, b"badge-info=")):
        connection = ServerConnection(dialect=dialect)
        connection.receive_data(b"CAP REQ :twitch.tv/tags twitch.tv/commands\r\nPASS oauth:x\r\nNICK ronni\r\n")
        connection.login_accepted(Account("1", "ronni"))
        assert tag in connection.data_to_send()[-1].splitlines()[-1]


@pytest.mark.row("OLD-7")
@pytest.mark.parametrize(
    ("lines", "caps"),
    [
        ("TWITCHCLIENT", Caps.DESCRIBED_TO_USER | Caps.MEMBERSHIP),
        ("TWITCHCLIENT 1", Caps.DESCRIBED_TO_USER | Caps.MEMBERSHIP),
        ("JTVCLIENT", Caps.DESCRIBED_TO_USER | Caps.MEMBERSHIP),
        ("jtvclient #dallas", Caps.DESCRIBED_TO_USER | Caps.MEMBERSHIP),
        ("TWITCHCLIENT 2", Caps.DESCRIBED_TO_USER),
        ("TWITCHCLIENT 3", Caps.DESCRIBED_IN_ROOM),
        ("TWITCHCLIENT 4", Caps(0)),
        ("TWITCHCLIENT three", Caps(0)),
        ("TWITCHCLIENT 2\r\nTWITCHCLIENT 3", Caps.DESCRIBED_IN_ROOM),
        ("TWITCHCLIENT 3\r\nTWITCHCLIENT 4", Caps.DESCRIBED_IN_ROOM),
        ("JTVROOMS #dallas", Caps(0)),
    ],
)
def test_old_clients_say_what_they_want_and_are_not_answered(lines: str, caps: Caps) -> None:
    connection = ServerConnection(dialect=OLD)
    events = connection.receive_data(f"{lines}\r\n".encode())
    assert connection.caps == caps
    assert events[-1:] == ([CapabilitiesChanged(caps)] if caps else [])
    assert connection.data_to_send() == []


@pytest.mark.row("LOGIN-9", "OLD-7")
def test_capabilities_stay_and_have_their_names_alone() -> None:
    connection = ServerConnection(dialect=OLD)
    connection.receive_data(b"CAP REQ :twitch.tv/membership twitch.tv/tags\r\nTWITCHCLIENT 3\r\nCAP LIST\r\n")
    assert connection.caps == Caps.TAGS | Caps.MEMBERSHIP | Caps.DESCRIBED_IN_ROOM
    assert connection.data_to_send()[-1] == b":tmi.twitch.tv CAP * LIST :twitch.tv/tags twitch.tv/membership\r\n"
    today = ServerConnection()
    assert today.receive_data(b"TWITCHCLIENT 1\r\nJTVCLIENT\r\n") == []
    assert today.caps == Caps(0)
