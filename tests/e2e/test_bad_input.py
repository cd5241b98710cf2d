"""Bad input over real sockets and the real command line: a clear answer, and nothing else happens."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.harness import Outcome, Server, raw_client, run_cli, serve

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """One server for all; nothing that was done to it made it complain of itself."""
    async with serve(tmp_path_factory.mktemp("open"), "edge.max_line=2048") as running:
        yield running
        assert running.logged("level=error") == running.logged("Traceback") == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A server that wants tokens."""
    async with serve(tmp_path_factory.mktemp("tokens"), "auth.mode=tokens") as running:
        yield running


def refusal(outcome: Outcome) -> str:
    """The one line on stderr of a command that was refused."""
    assert (outcome.status, outcome.out) == (2, ""), outcome
    [line] = outcome.err.splitlines()
    assert line.startswith("godwit: ")
    return line.removeprefix("godwit: ")


# lines ----------------------------------------------------------------------------------------------


async def test_a_line_that_is_too_long(server: Server) -> None:
    """It is refused once, however long it is, and the connection goes on."""
    async with raw_client(server.tcp(), "anna") as anna, raw_client(server.tcp(), "ben") as ben:
        await anna.login("long")
        await ben.login("long")
        before = len(anna.lines)
        for text in ("x" * 2049, "y" * 100_000, "still here"):
            anna.say("long", text)
        await ben.expect(":still here")
        too_long = ":tmi.twitch.tv 417 anna :Input line was too long"
        assert [line for line in (await anna.flush())[before:] if " 417 " in line] == [too_long] * 2
        await ben.flush()
        assert ben.heard("long") == [("anna", "still here")]


async def test_an_unknown_command(server: Server) -> None:
    async with raw_client(server.tcp(), "anna") as anna:
        await anna.login("room")
        before = len(anna.lines)
        anna.send("FLY #room :home")
        answer, _ = (await anna.flush())[before:]
        assert answer == ":tmi.twitch.tv 421 anna FLY :Unknown command"


async def test_a_join_of_what_cannot_be_a_channel(server: Server) -> None:
    """It is dropped silently; the good names of the same line are joined."""
    async with raw_client(server.tcp(), "anna") as anna:
        await anna.login()
        before = len(anna.lines)
        anna.send("JOIN #no-such,#,room,#" + "x" * 26 + ",##room,#caf\N{LATIN SMALL LETTER E WITH ACUTE}")
        [pong] = (await anna.flush())[before:]
        assert " PONG " in pong
        anna.send("JOIN #bad-name,#good")
        await anna.expect(" 366 anna #good ")
        assert [line for line in await anna.flush() if "bad-name" in line] == []


async def test_nonsense_disturbs_nobody(server: Server) -> None:
    """Whatever bytes one sends, another talks on."""
    async with raw_client(server.tcp(), "anna") as anna, raw_client(server.tcp(), "ben") as ben:
        await anna.login("room")
        await ben.login("room")
        for line in ("", ":", "@", "@;=; :x", "\0\0", "PRIVMSG", "PRIVMSG #room", "JOIN", "CAP", "CAP REQ", ":x :y"):
            anna.send(line)
        await anna.flush()
        ben.say("room", "hello")
        await anna.expect(":hello")


# logins ---------------------------------------------------------------------------------------------


async def test_a_wrong_token(guarded: Server) -> None:
    """The text to the letter, nothing else, and the end; the right token lets the same account in."""
    assert (await guarded.cli("account", "add", "anna")).status == 0
    assert (await guarded.cli("account", "add", "ben")).status == 0
    made = await guarded.cli("account", "token", "anna")
    token = made.out.strip().removeprefix("oauth:")

    for nick, password, text in (
        ("anna", "oauth:wrong", "Login authentication failed"),
        ("nobody", "oauth:wrong", "Login authentication failed"),
        ("ben", f"oauth:{token}", "Login authentication failed"),
        ("anna", token, "Improperly formatted auth"),
        ("anna", "oauth:", "Improperly formatted auth"),
    ):
        async with raw_client(guarded.tcp(), nick) as client:
            client.send(f"PASS {password}")
            client.send(f"NICK {nick}")
            client.send("JOIN #anna")
            await client.until_closed()
            assert client.lines == [f":tmi.twitch.tv NOTICE * :{text}"]

    async with raw_client(guarded.tcp(), "anna") as anna:
        await anna.login("anna", token=token)
        await anna.chat("anna", ["it is me"])
    assert token not in "\n".join(guarded.errors)


# moves ----------------------------------------------------------------------------------------------


async def test_moves_that_cannot_be(server: Server) -> None:
    """One line that says what to do, status 2, and nothing is written."""
    assert (await server.cli("channel", "live", "#streaming")).status == 0
    before = server.stored()
    for arguments, parts in (
        (("#room", "--to", "mars"), ("'mars'", "choose one of main, aws, event")),
        (("#room", "--to", "group"), ("'group'", "choose one of main, aws, event")),
        (("#no-such", "--to", "aws"), ("'#no-such'", "a-z, 0-9 and _")),
        (("", "--to", "aws"), ("cannot be a channel", "a-z, 0-9 and _")),
        (("#room", "--to", "main"), ("#room is already on main",)),
        (("#streaming", "--to", "aws"), ("#streaming is live", "--force --reason")),
        (("#streaming", "--to", "aws", "--force"), ("reason",)),
    ):
        told = refusal(await server.cli("channel", "move", *arguments))
        for part in parts:
            assert part in told, (arguments, told)
        assert server.stored() == before, arguments


async def test_a_move_while_another_one_is_under_way(server: Server) -> None:
    """It is refused and names the other one, which goes on as if nothing had been asked."""
    with server.halt_moves("opened"):
        begun = await server.cli("channel", "move", "#twice", "--to", "aws", "--no-wait")
        assert begun.status == 0
        await server.wait_logged("event=moves_wait", "channel=twice")
        before = server.stored()
        told = refusal(await server.cli("channel", "move", "#twice", "--to", "event"))
        move = (await server.show("twice"))["move"]
        assert move["id"] in told
        assert "aws" in told
        assert server.stored() == before
        assert (move["state"], move["to"]) == ("opening", "aws")
    async with server.http() as api:
        done = await api.get(f"/moves/{move['id']}/wait", params={"until": "draining"})
    assert done.json()["state"] == "draining"
    assert (await server.show("twice"))["cluster"] == "aws"


async def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    """Neither without a ready file, nor where nobody listens."""
    nowhere = tmp_path / "ready.json"
    told = refusal(await run_cli("channel", "show", "#room", env={"GODWIT_READY_FILE": str(nowhere)}))
    assert "godwit serve" in told
    told = refusal(await run_cli("channel", "show", "#room", "--api", "http://127.0.0.1:1", "--token", "x"))
    assert "127.0.0.1:1" in told


# serve ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("--host", "0.0.0.0"), "set auth.mode to tokens"),
        (("--host", "0.0.0.0", "--set", "auth.mode=tokens"), "directory.public.main.tcp"),
        (("--set", "edge.no_such=1"), "edge.no_such"),
        (("--set", "move.drain=never"), "move.drain"),
        (("--config", "no-such-file.toml"), "no-such-file.toml"),
    ],
)
async def test_a_server_that_must_not_start(tmp_path: Path, arguments: tuple[str, ...], part: str) -> None:
    """One line, status 2; nothing is made."""
    ready, store = tmp_path / "ready.json", tmp_path / "store.sqlite3"
    here = ("--ports", "auto", "--ready-file", str(ready), "--set", f"store.path={store}")
    assert part in refusal(await run_cli("serve", *here, *arguments))
    assert os.listdir(tmp_path) == []
