"""`godwit chat`, with a client that hears what a test says."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from godwit.cli import chat, ready
from godwit.client import events
from godwit.errors import JoinFailed, LoginRefused, SayRefused
from godwit.values import Addresses
from tests.cli.conftest import run, told


class FakeClient:
    """A client whose events and refusals a test makes."""

    def __init__(self) -> None:
        self.joined: list[str] = []
        self.said: list[tuple[str, str]] = []
        self.events: asyncio.Queue[events.Event | Exception] = asyncio.Queue()
        self.refuse: Exception | None = None
        self.closed = False

    async def __aenter__(self) -> FakeClient:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.closed = True

    async def join(self, channel: str) -> None:
        """Join, or be refused."""
        if isinstance(self.refuse, JoinFailed):
            raise self.refuse
        self.joined.append(channel)

    async def say(self, channel: str, text: str) -> None:
        """Say, or be refused."""
        if self.refuse:
            raise self.refuse
        self.said.append((channel, text))

    def __aiter__(self) -> FakeClient:
        return self

    async def __anext__(self) -> events.Event:
        event = await self.events.get()
        if isinstance(event, Exception):
            raise event
        return event


async def typed(*lines: str) -> AsyncIterator[str]:
    """What somebody types."""
    for line in lines:
        yield line


async def never() -> AsyncIterator[str]:
    """Somebody who types nothing and goes on sitting there."""
    await asyncio.Event().wait()
    yield ""


async def talk(client: Any, login: str | None, lines: AsyncIterator[str]) -> list[str]:
    """Talk to the end; returns what was shown."""
    shown: list[str] = []
    await chat.talk(client, "alice", login, lines, shown.append)
    return shown


async def test_talking() -> None:
    """Each line is said, empty ones are not, and the end of the lines is the end."""
    client = FakeClient()
    shown = await talk(client, "bob", typed("hello ", "", "bye"))
    assert client.joined == ["alice"]
    assert client.said == [("alice", "hello"), ("alice", "bye")]
    assert shown == ["-- in #alice as bob"]
    assert client.closed


async def test_a_line_that_is_refused() -> None:
    """It is told, and the talk goes on."""
    client = FakeClient()
    client.refuse = SayRefused("You are banned", "msg_banned")
    assert await talk(client, "bob", typed("a", "b")) == [
        "-- in #alice as bob",
        "-- not acknowledged: You are banned",
        "-- not acknowledged: You are banned",
    ]


async def test_reading_without_a_nick() -> None:
    """What is typed is not said, and its end ends nothing."""
    client = FakeClient()
    shown: list[str] = []
    heard = asyncio.Event()

    def show(line: str) -> None:
        shown.append(line)
        if "late" in line:
            heard.set()

    talking = asyncio.create_task(chat.talk(client, "alice", None, typed("hello"), show))  # type: ignore[arg-type]
    client.events.put_nowait(events.Message("alice", "1", "carol", "late"))
    await heard.wait()
    assert not talking.done()
    talking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await talking
    assert client.said == []
    assert "-- not said: you are anonymous; to talk, give --nick" in shown
    assert "carol: late" in shown


async def test_a_login_that_is_refused_is_one_error() -> None:
    """Also in the middle of a talk."""
    client = FakeClient()
    client.events.put_nowait(LoginRefused("Login authentication failed"))
    with pytest.raises(LoginRefused, match="Login authentication failed"):
        await talk(client, "bob", never())
    client = FakeClient()
    client.refuse = JoinFailed("no")
    with pytest.raises(JoinFailed):
        await talk(client, "bob", never())


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        (events.Message("alice", "1", "bob", "hi"), "bob: hi"),
        (events.Message("alice", "1", "bob", "waves", action=True), "* bob waves"),
        (events.Gap("alice", 3, "server"), "-- 3 lines are missing here"),
        (events.Gap("alice", None, "server"), "-- some lines are missing here"),
        (events.Notice("alice", "x", "slow down"), "-- slow down"),
        (events.Moved("alice", "aws", 2), "-- #alice has moved to aws"),
        (events.Moved("alice", ""), "-- #alice has moved to another cluster"),
        (events.Interrupted("alice", "main", "eof"), "-- connection lost (eof); coming back"),
        (events.Resumed("alice", "main"), "-- back on main"),
    ],
)
def test_what_is_shown(event: events.Event, shown: str) -> None:
    """One line each."""
    assert chat.text_of(event) == shown


def test_nobody_steers_the_terminal() -> None:
    """Escape sequences come out as question marks in a box."""
    event = events.Message("alice", "1", "bob", "a\x1b[2Jb\r\nc \u00fc \U0001f426")
    assert chat.text_of(event) == "bob: a\ufffd[2Jb\ufffd\ufffdc \u00fc \U0001f426"


async def test_the_keyboard() -> None:
    """Lines that come in pieces, and a last one without an end."""
    out, into = os.pipe()
    lines = chat.keyboard(out)
    try:
        os.write(into, b"one\nt")
        assert await anext(lines) == "one"
        os.write(into, b"wo\n\xff\nthree")
        assert await anext(lines) == "two"
        assert await anext(lines) == "\ufffd"
        os.close(into)
        assert [line async for line in lines] == ["three"]
    finally:
        os.close(out)


async def test_a_keyboard_that_is_not_there() -> None:
    """A closed descriptor is an end."""
    out, into = os.pipe()
    os.close(out)
    os.close(into)
    assert [line async for line in chat.keyboard(out)] == []


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The clients that were made, as `(nick, token, options)`; nobody talks."""
    clients: list[tuple[Any, ...]] = []

    def client(nick: str | None, token: str, **options: Any) -> None:
        clients.append((nick, token, options))

    async def nothing(*args: Any) -> None:
        pass

    monkeypatch.setattr("godwit.client.client.Client", client)
    monkeypatch.setattr(chat, "talk", nothing)
    monkeypatch.setattr(chat, "keyboard", lambda: None)
    return clients


def test_the_ready_file_says_where(made: list[tuple[Any, ...]], tmp_path: Path) -> None:
    """The first cluster to begin with, and the directory."""
    path = tmp_path / "ready.json"
    ready.write(path, told("http://127.0.0.1:1"))
    assert run("chat", "#Alice", "--nick", "Bob", env={ready.VARIABLE: str(path)}).status == 0
    ((nick, token, options),) = made
    assert (nick, token) == ("bob", "oauth:anything")
    assert options["servers"]["main"] == Addresses(tcp=("127.0.0.1:6667",))
    assert next(iter(options["servers"])) == "main"
    assert (options["transport"], options["directory"]) == ("tcp", "http://127.0.0.1:1")


def test_a_server_without_tcp(made: list[tuple[Any, ...]], tmp_path: Path) -> None:
    """WebSocket does as well; nothing at all does not."""
    path = tmp_path / "ready.json"
    clusters = {"main": {"tcp": None, "tls": None, "ws": "ws://127.0.0.1:8080/"}}
    ready.write(path, {**told("http://127.0.0.1:1"), "clusters": clusters})
    assert run("chat", "alice", env={ready.VARIABLE: str(path)}).status == 0
    assert made[0][2]["servers"] == {"main": Addresses(ws=("ws://127.0.0.1:8080/",))}
    assert made[0][2]["transport"] == "ws"
    ready.write(path, {**told("http://127.0.0.1:1"), "clusters": {}})
    assert "listens nowhere" in run("chat", "alice", env={ready.VARIABLE: str(path)}).refusal


@pytest.mark.parametrize(("address", "transport"), [("127.0.0.1:6667", "tcp"), ("ws://127.0.0.1:8080/", "ws")])
def test_an_address_can_be_given(made: list[tuple[Any, ...]], address: str, transport: str) -> None:
    """Then no ready file is needed."""
    assert run("chat", "alice", "--nick", "bob", "--password", "oauth:x", "--address", address).status == 0
    assert made[0] == ("bob", "oauth:x", {"servers": address, "directory": None, "transport": transport})


def test_without_a_nick_it_is_anonymous(made: list[tuple[Any, ...]]) -> None:
    """No password either."""
    run("chat", "alice", "--address", "127.0.0.1:1")
    assert made[0][:2] == (None, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("a b", "--address", "127.0.0.1:1"),
        ("alice", "--nick", "a b", "--address", "127.0.0.1:1"),
        ("alice", "--address", "127.0.0.1"),
        ("alice", "--address", "http://127.0.0.1:1"),
        ("alice",),
    ],
)
def test_what_cannot_be(made: list[tuple[Any, ...]], arguments: tuple[str, ...]) -> None:
    """One line, status 2."""
    assert run("chat", *arguments).refusal
    assert made == []
