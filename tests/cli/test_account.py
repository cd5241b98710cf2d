"""`godwit account`."""

from __future__ import annotations

import asyncio

import pytest

from godwit.cli import account
from tests.cli.conftest import Server, as_json, run

pytestmark = pytest.mark.usefixtures("ready_file")


def test_an_account_comes_and_goes(server: Server) -> None:
    """Add, list, remove."""
    assert run("account", "add", "Alice", "--display-name", "ALICE").out == "alice has the user id 1\n"
    assert run("account", "add", "bob", "--bot", "verified").out == "bob has the user id 2\n"
    assert run("account", "list").out == "alice  1  ALICE\nbob  2  bob\n"
    assert run("account", "remove", "alice").out == "alice is removed\n"
    assert as_json(run("account", "list", "--json").out) == {
        "accounts": [{"user_id": "2", "login": "bob", "display_name": "bob", "bot": "verified"}]
    }
    assert run("account", "remove", "alice").refusal == "there is no account alice"


def test_a_long_list_is_complete(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes in pages."""
    monkeypatch.setattr(account, "PAGE", 2)
    for login in ("a", "b", "c", "d"):
        run("account", "add", login)
    assert [line.split()[0] for line in run("account", "list").out.splitlines()] == ["a", "b", "c", "d"]


def test_a_token_is_the_only_line_on_stdout(server: Server) -> None:
    """So a script can take it; it lets in."""
    run("account", "add", "alice")
    done = run("account", "token", "alice")
    token = done.out.removeprefix("oauth:").rstrip("\n")
    assert "not shown again" in done.err
    found = asyncio.run(server.store.check_token(token))
    assert found is not None
    assert found[0].login == "alice"
    assert set(as_json(run("account", "token", "alice", "--json").out)) == {"id", "login", "scopes", "token"}


def test_an_account_as_json() -> None:
    """One object."""
    assert as_json(run("account", "add", "alice", "--json").out) == {
        "user_id": "1",
        "login": "alice",
        "display_name": "alice",
        "bot": "",
    }


@pytest.mark.parametrize("command", ["add", "token", "remove"])
@pytest.mark.parametrize("login", ["a b", "justinfan1"])
def test_an_impossible_login(command: str, login: str) -> None:
    """One line, status 2."""
    assert repr(login) in run("account", command, login).refusal


def test_a_token_for_nobody() -> None:
    """How to add the account is told."""
    assert "godwit account add alice" in run("account", "token", "alice").refusal
