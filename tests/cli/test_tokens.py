"""`godwit account tokens` and `godwit account revoke`."""

from __future__ import annotations

import asyncio

import pytest

from tests.cli.conftest import Server, as_json, run

pytestmark = [pytest.mark.usefixtures("ready_file"), pytest.mark.row("HTTP-tokens")]


def made(*more: str) -> dict[str, object]:
    """A token of alice's."""
    run("account", "add", "alice")
    return as_json(run("account", "token", "alice", "--json", *more).out)


def test_tokens_are_listed() -> None:
    first, second = made(), made("--scope", "chat:read", "--scope", "chat:edit")
    lines = {line.split("  ")[0]: line for line in run("account", "tokens", "alice").out.splitlines()}
    assert lines.keys() == {first["id"], second["id"]}
    assert lines[str(second["id"])].endswith("  chat:read chat:edit")
    listed = as_json(run("account", "tokens", "alice", "--json").out)
    assert listed["login"] == "alice"


def test_one_token_is_revoked(server: Server) -> None:
    first, second = made(), made()
    done = run("account", "revoke", "alice", str(first["id"]), "--by", "ann")
    assert done.out == f"token {first['id']} of alice is revoked\n"
    assert asyncio.run(server.store.check_token(str(first["token"]))) is None
    assert asyncio.run(server.store.check_token(str(second["token"]))) is not None
    assert f"{first['id']}  " in run("account", "tokens", "alice").out
    assert "revoked" in run("account", "tokens", "alice").out
    assert "no valid token" in run("account", "revoke", "alice", str(first["id"])).refusal


def test_all_that_lets_an_account_in_is_revoked(server: Server) -> None:
    token = made()
    assert "nothing lets alice in any more" in run("account", "revoke", "alice", "--reason", "stolen").out
    assert asyncio.run(server.store.check_token(str(token["token"]))) is None


@pytest.mark.parametrize("command", ["tokens", "revoke"])
def test_who_is_not_there(command: str) -> None:
    assert run("account", command, "bob").refusal == "there is no account bob"
    assert "'a b'" in run("account", command, "a b").refusal
