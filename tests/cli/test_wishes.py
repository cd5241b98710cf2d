"""Wishes: recorded, waited for, told."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.conftest import TOKEN, as_json, run
from tests.cli.fake import FakeApi


def wish(state: str = "done", answer: str = "paused", **more: Any) -> dict[str, Any]:
    """A wish as the server tells it."""
    return {"id": "w1", "verb": "pause", "rollout": "r1", "state": state, "answer": answer, "dry_run": False, **more}


def row(name: str = "spring", state: str = "running", rollout_id: str = "r1") -> dict[str, Any]:
    """A rollout of the list."""
    return {"id": rollout_id, "name": name, "state": state}


ROLLOUT_VERBS: list[tuple[list[str], str, dict[str, Any]]] = [
    (["pause"], "pause", {}),
    (["resume"], "resume", {}),
    (["abort"], "abort", {}),
    (["reverse", "--all"], "reverse", {"all": True}),
    (["reverse", "--wave", "staff"], "reverse", {"wave": "staff"}),
    (["reverse", "--channel", "#Alice"], "reverse", {"channel": "alice"}),
    (["reverse", "--all", "--force"], "reverse", {"all": True, "force": True}),
    (["skip", "#alice"], "skip", {"channel": "alice"}),
    (["retry"], "retry", {}),
    (["retry", "alice"], "retry", {"channel": "alice"}),
    (["set", "in_flight=40", "hot_per_second=0.5"], "set", {"budget": {"in_flight": 40, "hot_per_second": 0.5}}),
    (["approve", "partners"], "approve", {"wave": "partners"}),
    (["approve", "partners", "p99"], "approve", {"wave": "partners", "gate": "p99"}),
    (["issue", "add", "it smells"], "issue-add", {"text": "it smells"}),
    (["issue", "add", "it smells", "--wave", "staff"], "issue-add", {"text": "it smells", "wave": "staff"}),
    (["issue", "resolve", "i1", "aired"], "issue-resolve", {"issue": "i1", "resolution": "aired"}),
]

NETWORK_VERBS: list[tuple[list[str], str, dict[str, Any]]] = [
    (["channel", "hold", "#Alice"], "hold", {"channel": "alice"}),
    (["channel", "release", "alice"], "release", {"channel": "alice"}),
    (["cluster", "retire", "main", "--into", "aws"], "retire", {"cluster": "main", "into": "aws"}),
    (["cluster", "restore", "main"], "restore", {"cluster": "main"}),
    (["cluster", "evacuate", "main", "--into", "aws"], "evacuate", {"cluster": "main", "into": "aws"}),
    (["cluster", "default", "aws"], "default", {"cluster": "aws"}),
    (["repair"], "repair", {}),
    (["repair", "--force"], "repair", {"force": True}),
]

VERBS = [(["rollout", *arguments], verb, args, "r1") for arguments, verb, args in ROLLOUT_VERBS] + [
    (arguments, verb, args, "") for arguments, verb, args in NETWORK_VERBS
]


@pytest.mark.parametrize(("arguments", "verb", "args", "rollout"), VERBS, ids=[" ".join(row[0]) for row in VERBS])
@pytest.mark.parametrize("dry", [False, True], ids=["act", "dry"])
def test_every_verb_is_one_wish(
    fake: FakeApi, arguments: list[str], verb: str, args: dict[str, Any], rollout: str, dry: bool
) -> None:
    """With who wants it, why, and whether it is only to be checked."""
    fake.says("GET", "/rollouts", {"rollouts": [row()]})
    fake.says("POST", "/wishes", wish(dry_run=dry))
    done = run(*arguments, "--by", "ann", "--reason", "because", *(["--dry-run"] if dry else []))
    assert (done.status, done.err) == (0, "")
    assert done.out == ("dry run, nothing is changed: paused\n" if dry else "paused\n")
    (asked,) = fake.to("POST", "/wishes")
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    body = asked.json
    body.pop("wait")
    assert body == {
        "verb": verb,
        "rollout": rollout,
        "args": args,
        "by": "ann",
        "reason": "because",
        "dry_run": dry,
    }


def test_as_json(fake: FakeApi) -> None:
    """The wish, and nothing else."""
    fake.says("GET", "/rollouts", {"rollouts": [row()]})
    fake.says("POST", "/wishes", wish())
    assert as_json(run("rollout", "pause", "--json").out) == wish()


def test_a_refused_wish(fake: FakeApi) -> None:
    """One line, status 2."""
    fake.says("GET", "/rollouts", {"rollouts": [row()]})
    fake.says("POST", "/wishes", {"error": "a rollout that is paused takes no pause"}, status=409)
    assert run("rollout", "pause").refusal == "a rollout that is paused takes no pause"


def test_a_wish_that_takes_long(fake: FakeApi) -> None:
    """It is waited for, and told which one it is."""
    fake.says("GET", "/rollouts", {"rollouts": [row()]})
    fake.says("POST", "/wishes", wish("new", ""), status=202)
    fake.says("GET", "/wishes/w1", wish("new", ""), wish("new", ""), wish())
    done = run("rollout", "pause")
    assert (done.status, done.out) == (0, "paused\n")
    assert done.err == "recorded as wish w1, which stays if you leave; waiting for the controller\n"
    assert len(fake.to("GET", "/wishes/w1")) == 3


def test_a_wish_that_is_refused_later(fake: FakeApi) -> None:
    """Status 2 as well."""
    fake.says("GET", "/rollouts", {"rollouts": [row()]})
    fake.says("POST", "/wishes", wish("new", ""), status=202)
    fake.says("GET", "/wishes/w1", wish("refused", "not so"))
    done = run("rollout", "pause")
    assert (done.status, done.out) == (2, "")
    assert done.err.splitlines()[-1] == "godwit: not so"


def test_losing_sight_of_a_wish(fake: FakeApi) -> None:
    """It may still be acted on: that is said, with its id."""
    fake.says("GET", "/rollouts", {"rollouts": [row()]})
    fake.says("POST", "/wishes", wish("new", ""), status=202)
    fake.says("GET", "/wishes/w1", {"error": "the store does not answer"}, status=503)
    done = run("rollout", "pause")
    assert done.status == 2
    assert done.err.endswith("lost sight of wish w1, which may still be acted on: the store does not answer\n")


@pytest.mark.parametrize(
    ("rows", "name", "picked"),
    [
        ([row("old", "finished", "r0"), row()], None, "r1"),
        ([row("new", "reversed", "r2"), row("old", "finished", "r0")], None, "r2"),
        ([row(), row("other", "paused", "r2")], "other", "r2"),
        ([row(), row("other", "paused", "r2")], "r2", "r2"),
        ([row("spring", "running", "r2"), row("spring", "aborted", "r1")], "spring", "r2"),
    ],
    ids=["under way", "newest", "by name", "by id", "newest of the name"],
)
def test_which_rollout_is_meant(fake: FakeApi, rows: list[dict[str, Any]], name: str | None, picked: str) -> None:
    """The named one, else the one under way, else the newest."""
    fake.says("GET", "/rollouts", {"rollouts": rows})
    fake.says("POST", "/wishes", wish())
    assert run("rollout", "pause", *([name] if name else [])).status == 0
    assert fake.to("POST", "/wishes")[0].json["rollout"] == picked


@pytest.mark.parametrize(
    ("rows", "name", "told"),
    [
        ([], None, "there is no rollout yet"),
        ([], "spring", "there is no rollout 'spring': there is none yet"),
        ([row()], "autumn", "there is no rollout 'autumn': there are spring"),
        ([row(), row("other", "paused", "r2")], None, "with its name or id: spring (r1), other (r2)"),
    ],
)
def test_a_rollout_that_is_not_clear(fake: FakeApi, rows: list[dict[str, Any]], name: str | None, told: str) -> None:
    """Nothing is recorded."""
    fake.says("GET", "/rollouts", {"rollouts": rows})
    assert told in run("rollout", "pause", *([name] if name else [])).refusal
    assert fake.to("POST", "/wishes") == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["rollout", "reverse"], "say what goes back"),
        (["rollout", "reverse", "--all", "--wave", "staff"], "say what goes back"),
        (["rollout", "reverse", "--all", "--force"], "force needs a reason"),
        (["rollout", "set", "in_flight"], "'in_flight' is no budget: write it like in_flight=40"),
        (["rollout", "set", "in_flight=many"], "'in_flight=many' is no budget"),
        (["rollout", "set", "in_flight=nan"], "'in_flight=nan' is no budget"),
        (["rollout", "skip", "a b"], "'a b' cannot be a channel"),
        (["channel", "hold", "a b"], "'a b' cannot be a channel"),
        (["channel", "explain", "a b"], "'a b' cannot be a channel"),
        (["cluster", "evacuate", "main", "--into", "aws"], "needs a reason"),
        (["repair", "--force"], "force needs a reason"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_refused_at_once(fake: FakeApi, arguments: list[str], told: str) -> None:
    """Before anything is recorded."""
    fake.says("GET", "/rollouts", {"rollouts": [row()]})
    assert told in run(*arguments).refusal
    assert fake.to("POST", "/wishes") == []
