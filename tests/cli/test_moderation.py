"""`godwit channel` for moderation, and for followers and subscribers (`godwit.cli.people`)."""

from __future__ import annotations

import asyncio

import pytest

from godwit.cli import moderation
from godwit.store.base import Sanction
from godwit.values import Account, Position, Relation
from tests.cli.conftest import Server, as_json, run
from tests.cli.fake import FakeApi
from tests.cli.test_wishes import wish


def row(name: str, kind: str, login: str, *, seconds: int = 0, reason: str = "") -> Sanction:
    return Sanction(name, "alice", kind, name, login, "mona", reason, seconds)  # type: ignore[arg-type]


async def stored(server: Server, *rows: Sanction) -> None:
    """Acts that edges have read."""
    for number, each in enumerate(rows, start=1):
        await server.store.add_sanction(each)
        await server.store.place_sanction(each.id, Position(1, number), 999_990.0)


@pytest.mark.usefixtures("ready_file")
def test_bans(server: Server) -> None:
    """With what an operator wants to know, one a line."""
    acts = (row("1", "ban", "mallory", reason="spam"), row("2", "timeout", "trent", seconds=600))
    asyncio.run(stored(server, *acts))
    lines = run("channel", "bans", "#Alice").out.splitlines()
    assert lines == [
        "mallory  ban, by mona since 1970-01-12T13:46:30.000Z, because: spam",
        "trent  timeout until 1970-01-12T13:56:30.000Z, by mona since 1970-01-12T13:46:30.000Z",
    ]
    found = as_json(run("channel", "bans", "alice", "--json").out)["bans"]
    assert isinstance(found, list)
    assert [(ban["login"], ban["until"]) for ban in found] == [("mallory", 0.0), ("trent", 1_000_590.0)]


@pytest.mark.usefixtures("ready_file")
def test_roles_in_pages(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long list is complete."""
    monkeypatch.setattr(moderation, "PAGE", 2)
    asyncio.run(stored(server, *(row(str(number), "mod", f"user{number}") for number in range(4))))
    lines = run("channel", "roles", "alice").out.splitlines()
    assert lines[0] == "user0  mod, by mona since 1970-01-12T13:46:30.000Z"
    assert [line.split()[0] for line in lines] == ["user0", "user1", "user2", "user3"]
    assert len(as_json(run("channel", "roles", "alice", "--json").out)["roles"]) == 4  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "method", "path", "body"),
    [
        (["ban", "#alice", "Bob"], "POST", "/channels/alice/bans", {"login": "bob"}),
        (["timeout", "alice", "@bob"], "POST", "/channels/alice/bans", {"login": "bob", "seconds": 600}),
        (["timeout", "alice", "bob", "--seconds", "5"], "POST", "/channels/alice/bans", {"login": "bob", "seconds": 5}),
        (["role", "alice", "bob", "mod"], "PUT", "/channels/alice/roles/bob", {"role": "mod"}),
        (["role", "alice", "bob", "vip"], "PUT", "/channels/alice/roles/bob", {"role": "vip"}),
    ],
)
def test_acts(fake: FakeApi, arguments: list[str], method: str, path: str, body: dict[str, object]) -> None:
    """With name and reason; what came of it is told."""
    fake.says(method, path, wish(state="done", answer="so it is"))
    assert run("channel", *arguments, "--by", "ann", "--reason", "why").out == "so it is\n"
    (asked,) = fake.asked
    assert asked.json == body | {"by": "ann", "reason": "why"}
    found = as_json(run("channel", *arguments, "--json").out)
    assert found["answer"] == "so it is"


@pytest.mark.parametrize(("command", "what"), [("unban", "bans"), ("unrole", "roles")])
def test_what_is_taken(fake: FakeApi, command: str, what: str) -> None:
    """With name and reason."""
    fake.says("DELETE", f"/channels/alice/{what}/bob", wish(state="done", answer="so it is"))
    assert run("channel", command, "alice", "bob", "--by", "ann", "--reason", "why").out == "so it is\n"
    (asked,) = fake.asked
    assert asked.query == {"by": "ann", "reason": "why"}


def test_a_controller_that_does_not_answer(fake: FakeApi) -> None:
    """What was recorded stays, and is named."""
    fake.says("POST", "/channels/alice/bans", wish(id="w7", state="new", answer=""))
    told = "recorded as wish w7; the controller has not acted on it yet\n"
    assert run("channel", "ban", "alice", "bob").out == told


@pytest.mark.usefixtures("ready_file")
def test_nobody_of_that_name(server: Server) -> None:
    """How to add the account is told."""
    assert "godwit account add bob" in run("channel", "ban", "alice", "bob").refusal


def test_usernotice(fake: FakeApi) -> None:
    """Tags one by one."""
    fake.says("POST", "/channels/alice/usernotices", wish(state="done", answer="shown"))
    arguments = ["alice", "resub", "bob", "--text", "hi", "--param", "cumulative-months=14", "--param", "a=b=c"]
    assert run("channel", "usernotice", *arguments, "--by", "ann").out == "shown\n"
    run("channel", "usernotice", "alice", "sub", "bob", "--system-msg", "", "--by", "ann")
    first, second = (asked.json for asked in fake.asked)
    params = {"cumulative-months": "14", "a": "b=c"}
    assert first == {"kind": "resub", "login": "bob", "text": "hi", "params": params, "by": "ann"}
    assert second == {"kind": "sub", "login": "bob", "text": "", "params": {}, "by": "ann", "system_msg": ""}


@pytest.mark.parametrize("tag", ["months", "=5"])
def test_a_tag_that_is_none(fake: FakeApi, tag: str) -> None:
    """One line, status 2, nothing is sent."""
    refusal = run("channel", "usernotice", "alice", "sub", "bob", "--param", tag).refusal
    assert refusal == f"{tag!r} is no tag: write it like cumulative-months=14"
    assert not fake.asked


# people -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("ready_file")
def test_followers(server: Server) -> None:
    """One follows, is listed, and follows no more."""
    asyncio.run(server.store.add_account(Account("7", "bob")))
    done = run("channel", "follow", "#alice", "bob", "--since", "2024-01-31")
    assert done.out == "bob  since 2024-01-31T00:00:00.000Z\n"
    assert run("channel", "followers", "alice").out == done.out
    assert as_json(run("channel", "followers", "alice", "--json").out) == {
        "followers": [{"login": "bob", "user_id": "7", "since": 1706659200.0}]
    }
    assert run("channel", "unfollow", "alice", "bob").out == "bob does not follow #alice\n"
    assert run("channel", "followers", "alice").out == ""
    now = as_json(run("channel", "follow", "alice", "bob", "--json").out)
    assert now["since"] == server.clock.now()


@pytest.mark.usefixtures("ready_file")
def test_subscribers(server: Server) -> None:
    """One subscribes, is listed, and does no more."""
    asyncio.run(server.store.add_account(Account("7", "bob")))
    done = run("channel", "subscribe", "#alice", "bob", "--months", "14", "--tier", "prime")
    assert done.out == "bob  prime, 14 months\n"
    assert run("channel", "subscribers", "alice").out == done.out
    assert as_json(run("channel", "subscribers", "alice", "--json").out) == {
        "subscribers": [{"login": "bob", "user_id": "7", "months": 14, "tier": "prime"}]
    }
    assert asyncio.run(server.store.relations([("alice", "7")])) == [Relation("alice", "7", 0.0, True, 14, "prime")]
    assert run("channel", "unsubscribe", "alice", "bob").out == "bob has no subscription to #alice\n"
    assert run("channel", "subscribers", "alice").out == ""
