"""`godwit channel`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from godwit.values import Move
from tests.cli.conftest import TOKEN, Server, as_json, run

pytestmark = pytest.mark.usefixtures("ready_file")


def stored(server: Server) -> list[Move]:
    """The moves that were recorded."""
    return asyncio.run(server.store.moves())


def test_show(server: Server) -> None:
    """For people, before and after a move."""
    assert run("channel", "show", "#Alice").out.splitlines() == [
        "#alice is on main, epoch 1, settled",
        "nobody placed it: it is where the default placement says",
        "live: no",
    ]
    server.steps = ("draining",)
    done = run("channel", "move", "alice", "--to", "aws", "--reason", "the rollout", "--by", "ann")
    assert done.status == 0
    (move,) = stored(server)
    assert run("channel", "show", "alice").out.splitlines() == [
        "#alice is on aws, epoch 2, draining",
        "the drain of main ends at 1970-01-12T13:47:40.000Z",
        "live: no",
        f"last move {move.id}: to aws, draining, wished by ann, because: the rollout",
    ]


def test_show_as_json() -> None:
    """At least the keys that scripts need."""
    found = as_json(run("channel", "show", "#alice", "--json").out)
    assert (
        found.items() >= {"channel": "alice", "cluster": "main", "epoch": 1, "state": "settled", "live": False}.items()
    )


def test_move_shows_each_state_with_its_time(server: Server) -> None:
    """And returns when the switch is committed."""
    server.steps = ("opening", "opened", "sealing", "sealed", "draining")
    done = run("channel", "move", "#alice", "--to", "aws")
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines() == [
        "1970-01-12T13:46:40.000Z  +0.000 s  wished",
        "1970-01-12T13:46:40.250Z  +0.250 s  opening",
        "1970-01-12T13:46:40.500Z  +0.500 s  opened",
        "1970-01-12T13:46:40.750Z  +0.750 s  sealing",
        "1970-01-12T13:46:41.000Z  +1.000 s  sealed",
        "1970-01-12T13:46:41.250Z  +1.250 s  draining",
    ]


def test_move_can_wait_out_the_drain() -> None:
    """`--wait settled`."""
    done = run("channel", "move", "#alice", "--to", "aws", "--wait", "settled")
    assert done.status == 0
    assert done.out.splitlines()[-1].endswith("settled")
    assert as_json(run("channel", "show", "alice", "--json").out)["state"] == "settled"


def test_move_need_not_wait(server: Server) -> None:
    """`--no-wait` returns when the wish is recorded."""
    server.steps = ()
    done = run("channel", "move", "#alice", "--to", "aws", "--no-wait")
    assert (done.status, done.out) == (0, "1970-01-12T13:46:40.000Z  +0.000 s  wished\n")
    assert stored(server)[0].state == "wished"


def test_move_as_json() -> None:
    """One object and nothing else."""
    found = as_json(run("channel", "move", "#alice", "--to", "aws", "--wait", "settled", "--json").out)
    assert (found["channel"], found["to"], found["state"]) == ("alice", "aws", "settled")


@pytest.mark.parametrize("state", ["cancelled", "failed"])
def test_a_move_that_is_not_done(server: Server, state: str) -> None:
    """Exit status 1: it was tried."""
    server.steps = ("opening", state)  # type: ignore[assignment]
    done = run("channel", "move", "#alice", "--to", "aws")
    assert done.status == 1
    assert done.err == f"godwit: the move of #alice to aws was not done ({state})\n"


def test_a_move_to_an_unknown_cluster(server: Server) -> None:
    """One line, status 2, nothing recorded."""
    told = run("channel", "move", "#alice", "--to", "azure").refusal
    assert told == "there is no cluster for channels 'azure': choose one of main, aws"
    assert stored(server) == []


@pytest.mark.parametrize("command", ["show", "move", "live", "offline"])
def test_an_invalid_name(server: Server, command: str) -> None:
    """One line, status 2, nothing recorded."""
    to = ["--to", "aws"] if command == "move" else []
    assert "'a b' cannot be a channel" in run("channel", command, "a b", *to).refusal
    assert stored(server) == []


def test_a_live_channel(server: Server) -> None:
    """Only with force and a reason."""
    assert run("channel", "live", "#alice").out == "#alice is live\n"
    assert "add --force --reason TEXT" in run("channel", "move", "#alice", "--to", "aws").refusal
    assert "needs a reason" in run("channel", "move", "#alice", "--to", "aws", "--force").refusal
    assert stored(server) == []
    assert run("channel", "move", "#alice", "--to", "aws", "--force", "--reason", "fire").status == 0
    assert stored(server)[0].forced


def test_an_offline_channel(server: Server) -> None:
    """It may be moved again."""
    run("channel", "live", "#alice")
    assert run("channel", "offline", "#alice").out == "#alice is offline\n"
    assert run("channel", "move", "#alice", "--to", "aws").status == 0


def test_a_dry_run_of_a_move(server: Server) -> None:
    """The server does the checks; nothing is recorded."""
    ran = run("channel", "move", "#alice", "--to", "aws", "--dry-run")
    assert ran.out == "dry run, nothing is changed: #alice would go from main to aws under epoch 2\n"
    found = as_json(run("channel", "move", "#alice", "--to", "aws", "--dry-run", "--json").out)
    assert (found["dry_run"], found["id"]) == (True, "")
    assert "is already on main" in run("channel", "move", "#alice", "--to", "main", "--dry-run").refusal
    assert stored(server) == []


def test_a_move_under_way(server: Server) -> None:
    """It is named."""
    server.steps = ()
    run("channel", "move", "#alice", "--to", "aws", "--no-wait")
    (move,) = stored(server)
    assert move.id in run("channel", "move", "#alice", "--to", "aws").refusal
    assert stored(server) == [move]


def test_a_move_to_where_it_is(server: Server) -> None:
    """Nothing to do."""
    assert "is already on main" in run("channel", "move", "#alice", "--to", "main").refusal
    assert stored(server) == []


def test_the_server_can_be_named(server: Server, tmp_path: Path) -> None:
    """By options or by the environment, over the ready file."""
    nowhere = {"GODWIT_READY_FILE": str(tmp_path / "nothing.json")}
    given = ("--api", server.url, "--token", TOKEN)
    assert run("channel", "show", "alice", *given, env=nowhere).status == 0
    assert run("channel", "show", "alice", env={**nowhere, "GODWIT_API": server.url, "GODWIT_TOKEN": TOKEN}).status == 0
    assert "Authorization: Bearer" in run("channel", "show", "alice", env={"GODWIT_TOKEN": "wrong"}).refusal
    assert "start one with 'godwit serve'" in run("channel", "show", "alice", env=nowhere).refusal


def test_who_did_it_is_told_to_the_audit(server: Server) -> None:
    """`--by`, else the user of the machine."""
    run("channel", "live", "alice", "--by", "ann")
    run("channel", "offline", "alice", env={"LOGNAME": "olaf"})
    audit = asyncio.run(server.store.audit_log())
    assert [(line.actor, line.action) for line in audit] == [("olaf", "offline"), ("ann", "live")]


def test_losing_sight_of_a_move(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may go on: that is said, with its id."""
    server.steps = ()

    async def gone(move_id: str) -> None:
        return None

    monkeypatch.setattr(server.store, "move", gone)
    done = run("channel", "move", "#alice", "--to", "aws")
    (move,) = stored(server)
    assert done.status == 2
    assert done.err.startswith(f"godwit: lost sight of move {move.id}, last seen wished; it may go on: ")
