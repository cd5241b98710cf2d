"""`godwit account`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from godwit.cli import account
from tests.cli.conftest import Server, as_json, run

pytestmark = pytest.mark.usefixtures("ready_file")


def known(user_id: str, login: str, **facts: object) -> dict[str, object]:
    """An account as JSON."""
    return {
        "user_id": user_id,
        "login": login,
        "display_name": login,
        "color": "",
        "user_type": "",
        "bot": "",
        "badges": [],
        "suspended": False,
        "channel_suspended": False,
    } | facts


def test_an_account_comes_and_goes(server: Server) -> None:
    """Add, list, remove."""
    assert run("account", "add", "Alice", "--display-name", "ALICE").out == "alice has the user id 1\n"
    assert run("account", "add", "bob", "--bot", "verified").out == "bob has the user id 2\n"
    assert run("account", "list").out == "alice  1  ALICE\nbob  2  bob\n"
    assert run("account", "remove", "alice").out == "alice is removed\n"
    assert as_json(run("account", "list", "--json").out) == {"accounts": [known("2", "bob", bot="verified")]}
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
    assert as_json(run("account", "add", "alice", "--json").out) == known("1", "alice")


@pytest.mark.parametrize("command", ["add", "token", "remove"])
@pytest.mark.parametrize("login", ["a b", "justinfan1"])
def test_an_impossible_login(command: str, login: str) -> None:
    """One line, status 2."""
    assert repr(login) in run("account", command, login).refusal


def test_a_token_for_nobody() -> None:
    """How to add the account is told."""
    assert "godwit account add alice" in run("account", "token", "alice").refusal


def test_facts(server: Server) -> None:
    """What is named changes; what is none is taken back."""
    run("account", "add", "alice")
    assert run("account", "show", "Alice").out == "alice: user id 1, shown as alice\n"
    options = ["--color", "#FF0000", "--badges", "partner/1 turbo/1", "--user-type", "staff", "--bot", "known"]
    more = ["--display-name", "ALICE", "--suspended", "--channel-suspended"]
    told = (
        "alice: user id 1, shown as ALICE, #FF0000, staff, known bot, badges partner/1 turbo/1, suspended, "
        "its channel is suspended\n"
    )
    assert run("account", "set", "alice", *options, *more, "--by", "ann", "--reason", "spam").out == told
    assert run("account", "show", "alice").out == told
    (line, _) = asyncio.run(server.store.audit_log())
    assert (line.actor, line.action, line.subject, line.reason) == ("ann", "account set", "alice", "spam")
    back = ["--color", "none", "--badges", "none", "--user-type", "none", "--bot", "none"]
    done = run("account", "set", "alice", *back, "--not-suspended", "--channel-open", "--json")
    assert as_json(done.out) == known("1", "alice", display_name="ALICE")
    assert as_json(run("account", "show", "alice", "--json").out) == known("1", "alice", display_name="ALICE")


def test_no_such_account() -> None:
    for command in (["show"], ["set"]):
        assert "there is no account bob: add it first" in run("account", *command, "bob").refusal


def test_import(server: Server, tmp_path: Path) -> None:
    """Refused rows are told with their lines."""
    file = tmp_path / "accounts.csv"
    file.write_text("login,color\nbob,#FF0000\nb b,\ncarol,red\n")
    done = run("account", "import", str(file), "--by", "ann")
    assert (done.status, done.out) == (1, "rows written: 1\n")
    lines = done.err.splitlines()
    assert lines[0].startswith(f"{file}:3: 'b b' cannot be a login")
    assert lines[1].startswith(f"{file}:4: color: ")
    bob = asyncio.run(server.store.account("bob"))
    assert bob is not None
    assert bob.color == "#FF0000"


def test_import_of_what_channels_know(server: Server, tmp_path: Path) -> None:
    """Roles, followers, subscribers: `channel import --what`; accounts may be added on the way."""
    run("account", "add", "bob")
    for what, text in (
        ("roles", "channel,login,role\nroom,bob,mod\n"),
        ("followers", "channel,login,since\nroom,bob,5\n"),
        ("subscribers", "channel,login,months\nroom,carol,3\n"),
    ):
        file = tmp_path / f"{what}.csv"
        file.write_text(text)
        done = run("channel", "import", str(file), "--what", what, "--add")
        assert (done.status, done.out) == (0, "rows written: 1\n")
    assert run("channel", "roles", "room").out.startswith("bob  mod, by ")
    assert run("channel", "followers", "room").out == "bob  since 1970-01-01T00:00:05.000Z\n"
    assert run("channel", "subscribers", "room").out == "carol  1000, 3 months\n"
    refused = run("channel", "import", str(tmp_path / "roles.csv"), "--what", "followers").refusal
    assert refused.startswith("'role' is no column")
