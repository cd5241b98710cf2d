"""`godwit rollout`: plans, starting, looking, reports. Verbs are in test_wishes.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from godwit.cli.plans import differences
from godwit.rollout import definition
from tests.cli.conftest import as_json, run
from tests.cli.fake import FakeApi
from tests.cli.samples import PLAN, STATUS
from tests.cli.test_wishes import row, wish

TOML = """\
# staff first
name = "spring"
to = "aws"

[[wave]]
name = "staff"
file = "lists/staff.txt"

[[wave]]
name = "everyone"
rest = true
"""

HASH = "8c1f0a6be2d97430"


@pytest.fixture(autouse=True)
def clusters(fake: FakeApi) -> None:
    """The clusters that rollouts may name."""
    fake.says("GET", "/clusters", {"clusters": [{"name": name} for name in ("main", "aws", "group")]})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A rollout's file, which names a list beside it."""
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "staff.txt").write_text("#alice\nbob\n")
    path = tmp_path / "spring.toml"
    path.write_text(TOML)
    return path


def sent(fake: FakeApi) -> str:
    """The rollout that the server was asked to plan."""
    return str(fake.to("POST", "/rollouts/plan")[0].json["toml"])


def test_plan(fake: FakeApi, file: Path) -> None:
    """Waves, who is left out and why, the hash, and how to go on."""
    fake.says("POST", "/rollouts/plan", PLAN)
    done = run("rollout", "plan", str(file))
    assert (done.status, done.err) == (0, "")
    assert [line.rstrip() for line in done.out.splitlines()] == [
        "spring: 4,998 channels to aws, about 70 min",
        "wave      channels  hot   cold  largest                 gates                              about",
        "staff           10    8      2  #alice (120)            issues                            10 min",
        "everyone     4,988   50  4,938  #dragonslayer (40,000)  issues, approval, p99, rehearsal  60 min",
        "left out, opted out, and no mandatory wave takes it: 5 (#out0, #out1, #out2 and 2 more)",
        "left out, already on aws: 1 (#carol)",
        "unknown: nothing is known of #ghost",
        "note: 12 channels are live now: they wait for their streams to end",
        f"hash: {HASH}",
        f"start it with: godwit rollout start {file} --hash {HASH}",
    ]


def test_lists_become_part_of_the_plan(fake: FakeApi, file: Path) -> None:
    """They are read beside the file, wherever the command runs."""
    fake.says("POST", "/rollouts/plan", PLAN)
    run("rollout", "plan", str(file))
    assert definition.parse(sent(fake)).waves[0].channels == ("alice", "bob")


def test_plan_names_all_who_are_left_out(fake: FakeApi, file: Path) -> None:
    """`--all`."""
    fake.says("POST", "/rollouts/plan", PLAN)
    assert "5 (#out0, #out1, #out2, #out3, #out4)" in run("rollout", "plan", str(file), "--all").out


def test_plan_as_json(fake: FakeApi, file: Path) -> None:
    """As the server tells it."""
    fake.says("POST", "/rollouts/plan", PLAN)
    assert as_json(run("rollout", "plan", str(file), "--json").out) == PLAN


def test_one_fault_of_the_file(fake: FakeApi, file: Path) -> None:
    """File, line, and what was expected; nothing is asked."""
    file.write_text(TOML + 'on_failure = "stop"\n')
    told = run("rollout", "plan", str(file)).refusal
    assert told.startswith(f"{file}:12: ")
    assert "on_failure" in told
    assert {asked.method for asked in fake.asked} == {"GET"}


def test_several_faults_of_the_file(fake: FakeApi, file: Path) -> None:
    """Each on a line of its own."""
    file.write_text(TOML.replace("lists/staff.txt", "staff.txt") + 'on_failure = "stop"\n')
    done = run("rollout", "start", str(file), "--hash", HASH)
    assert (done.status, done.out) == (2, "")
    first, second, last = done.err.splitlines()
    assert first.startswith(f"{file}:7: ")
    assert "file 'staff.txt' cannot be read: No such file or directory" in first
    assert second.startswith(f"{file}:12: ")
    assert last == f"godwit: {file} cannot be a rollout: 2 faults"
    assert {asked.method for asked in fake.asked} == {"GET"}


@pytest.mark.parametrize("cluster", ["azure", "group"])
def test_a_cluster_that_is_none(fake: FakeApi, file: Path, cluster: str) -> None:
    """Told with the line of the file, too."""
    file.write_text(TOML.replace('"aws"', f'"{cluster}"'))
    assert run("rollout", "plan", str(file)).refusal.startswith(f"{file}:3: ")


@pytest.mark.parametrize(("content", "told"), [(None, "No such file"), (b"name = '\xff'", "it is not UTF-8 text")])
def test_no_file(fake: FakeApi, tmp_path: Path, content: bytes | None, told: str) -> None:
    """One line."""
    path = tmp_path / "autumn.toml"
    if content is not None:
        path.write_bytes(content)
    assert told in run("rollout", "plan", str(path)).refusal


def test_start(fake: FakeApi, file: Path) -> None:
    """The wish carries the rollout as it was planned."""
    fake.says("POST", "/rollouts/plan", PLAN)
    fake.says("POST", "/wishes", wish(verb="start", rollout="", answer="rollout spring (r1) to aws: 4998 channels"))
    run("rollout", "plan", str(file))
    done = run("rollout", "start", str(file), "--hash", HASH, "--reason", "the new cluster", "--all-at-once")
    assert (done.status, done.out) == (0, "rollout spring (r1) to aws: 4998 channels\n")
    body = fake.to("POST", "/wishes")[0].json
    assert (body["verb"], body["rollout"], body["reason"]) == ("start", "", "the new cluster")
    assert body["args"] == {"toml": sent(fake), "hash": HASH, "replan": False, "all_at_once": True}


def test_start_without_a_hash(fake: FakeApi, file: Path) -> None:
    """Shows the plan, says how to start it, and starts nothing."""
    fake.says("POST", "/rollouts/plan", PLAN)
    done = run("rollout", "start", str(file))
    assert done.status == 2
    assert f"hash: {HASH}" in done.out
    assert f"start it with: godwit rollout start {file} --hash {HASH}" in done.err
    assert fake.to("POST", "/wishes") == []


def test_start_after_the_plan_has_changed(fake: FakeApi, file: Path) -> None:
    """The server's refusal, and what is otherwise than when it was looked at."""
    before = {**PLAN, "hash": "0123456789abcdef", "waves": [{**PLAN["waves"][0], "count": 9}, PLAN["waves"][1]]}
    fake.says("POST", "/rollouts/plan", before, PLAN)
    fake.says("POST", "/wishes", {"error": f"the plan is {HASH} now: start with --replan"}, status=409)
    run("rollout", "plan", str(file))
    done = run("rollout", "start", str(file), "--hash", "0123456789abcdef")
    assert (done.status, done.out) == (2, "")
    assert done.err == (
        f"changed: wave 'staff': 10 channels, 9 before\ngodwit: the plan is {HASH} now: start with --replan\n"
    )


def test_start_with_a_hash_that_nobody_saw(fake: FakeApi, file: Path) -> None:
    """That is said, too."""
    fake.says("POST", "/rollouts/plan", PLAN)
    fake.says("POST", "/wishes", {"error": f"the plan is {HASH} now: start with --replan"}, status=409)
    done = run("rollout", "start", str(file), "--hash", "../../x")
    assert done.err.splitlines() == [
        f"no plan with that hash was looked at here; the plan is {HASH} now",
        f"godwit: the plan is {HASH} now: start with --replan",
    ]


def test_differences_of_plans() -> None:
    """As far as plans tell."""
    staff, everyone = PLAN["waves"]
    left = [{"channel": "carol", "reason": "already on aws"}, {"channel": "out0", "reason": "no wave takes it"}]
    now = {**PLAN, "to": "event", "waves": [{**staff, "name": "crew"}, everyone], "excluded": left}
    now["excluded"] = [*left, {"channel": "dave", "reason": "no wave takes it"}]
    assert differences(PLAN, now) == [
        "it goes to event, not to aws",
        "wave 'crew' is new",
        "wave 'staff' is gone",
        "left out now: #dave",
        "no longer left out: #out1, #out2, #out3 and 1 more",
        "left out for another reason: #out0",
    ]
    (told,) = differences(PLAN, PLAN)
    assert told.startswith("the numbers are the same")


def test_start_that_is_refused_for_another_reason(fake: FakeApi, file: Path) -> None:
    """Nothing is said of the plan."""
    fake.says("POST", "/wishes", {"error": "rollout winter is running"}, status=409)
    assert run("rollout", "start", str(file), "--hash", "1" * 16).refusal == "rollout winter is running"


def test_list(fake: FakeApi) -> None:
    """Newest first, as the server tells them."""
    rows = [{key: STATUS[key] for key in ("id", "name", "to", "state", "done", "total", "created", "why")}]
    fake.says("GET", "/rollouts", {"rollouts": rows})
    heading, line = run("rollout", "list").out.splitlines()
    assert heading.split() == ["name", "id", "to", "state", "done", "of", "started", "why"]
    assert line.split() == ["spring", "r1", "aws", "running", "69", "5,000", "1970-01-12T13:46:40.000Z"]
    assert as_json(run("rollout", "list", "--json").out) == {"rollouts": rows}


def test_an_empty_list(fake: FakeApi) -> None:
    """Says how to begin."""
    fake.says("GET", "/rollouts", {"rollouts": []})
    assert "godwit rollout plan rollout.toml" in run("rollout", "list").out


def test_status(fake: FakeApi) -> None:
    """All of it; how it looks is in test_progress.py."""
    fake.says("GET", "/rollouts", {"rollouts": [row()]})
    fake.says("GET", "/rollouts/r1", STATUS)
    done = run("rollout", "status")
    assert (done.status, done.err) == (0, "")
    assert "69 of 5,000 (1 %)" in done.out
    assert as_json(run("rollout", "status", "spring", "--json").out) == STATUS


def test_watch_follows_to_the_end(fake: FakeApi) -> None:
    """A line for each change, and none for what says the same."""
    ended = {**STATUS, "state": "finished", "done": 5000, "version": "9", "rate": 0.0}
    fake.says("GET", "/rollouts", {"rollouts": [row()]})
    fake.says("GET", "/rollouts/r1", STATUS, {**STATUS, "version": "8"}, ended)
    done = run("rollout", "status", "--watch")
    assert done.status == 0
    assert [line.split("  ", 1)[1] for line in done.out.splitlines()] == [
        "spring  running  wave partners moving  69 of 5,000 (1 %)  8.25/s  p99: fail",
        "spring  finished  wave partners moving  5,000 of 5,000 (100 %)",
    ]
    assert [asked.query.get("version") for asked in fake.to("GET", "/rollouts/r1")] == [None, "40-12-69-7", "8"]


def test_watch_as_json(fake: FakeApi) -> None:
    """One object a line."""
    ended = {**STATUS, "state": "aborted"}
    fake.says("GET", "/rollouts", {"rollouts": [row()]})
    fake.says("GET", "/rollouts/r1", STATUS, ended)
    lines = run("rollout", "status", "--watch", "--json").out.splitlines()
    assert [json.loads(line) for line in lines] == [STATUS, ended]


def test_report(fake: FakeApi, tmp_path: Path) -> None:
    """Printed, or written to a file."""
    fake.says("GET", "/rollouts", {"rollouts": [row()]})
    fake.says("GET", "/rollouts/r1/report", "# spring\n\nAll moved.\n")
    assert run("rollout", "report").out == "# spring\n\nAll moved.\n"
    out = tmp_path / "report.json"
    assert run("rollout", "report", "spring", "--format", "json", "--out", str(out)).out == f"{out} is written\n"
    assert out.read_text() == "# spring\n\nAll moved.\n"
    assert [asked.query for asked in fake.to("GET", "/rollouts/r1/report")] == [{"format": "md"}, {"format": "json"}]


def test_report_as_json(fake: FakeApi) -> None:
    """As every other command has it."""
    fake.says("GET", "/rollouts", {"rollouts": [row()]})
    fake.says("GET", "/rollouts/r1/report", '{"name": "spring"}')
    assert run("rollout", "report", "--json").out == '{"name": "spring"}\n'
    assert run("rollout", "report", "--json", "--format", "json").status == 0
    assert [asked.query for asked in fake.to("GET", "/rollouts/r1/report")] == [{"format": "json"}] * 2
    assert "one of --json and --format md" in run("rollout", "report", "--json", "--format", "md").refusal


def test_report_that_cannot_be(fake: FakeApi, tmp_path: Path) -> None:
    """One line."""
    fake.says("GET", "/rollouts", {"rollouts": [row()]})
    assert "no row for GET /rollouts/r1/report" in run("rollout", "report").refusal
    fake.says("GET", "/rollouts/r1/report", "# spring")
    assert "cannot write" in run("rollout", "report", "--out", str(tmp_path)).refusal


def item(channel: str, **more: Any) -> dict[str, Any]:
    """A channel of a rollout."""
    return {"channel": channel, "wave": "staff", "goal": "there", "state": "waiting", "error": "", **more}


def test_items(fake: FakeApi) -> None:
    """All pages."""
    fake.says("GET", "/rollouts", {"rollouts": [row()]})
    rows = [item("alice"), item("bob", state="failed", goal="back", error="no log")]
    pages = [{"items": rows[:1], "next": "alice"}, {"items": rows[1:], "next": ""}]
    fake.says("GET", "/rollouts/r1/items", *pages, *pages)
    done = run("rollout", "items", "--state", "failed", "--wave", "staff")
    assert done.out.splitlines() == ["#alice  staff  waiting", "#bob  staff  failed (back)  no log"]
    asked = [dict(one.query) for one in fake.to("GET", "/rollouts/r1/items")]
    limit = {"state": "failed", "wave": "staff", "limit": "1000"}
    assert asked == [limit, {**limit, "after": "alice"}]
    lines = run("rollout", "items", "--json").out.splitlines()
    assert [json.loads(line) for line in lines] == rows


def test_issues(fake: FakeApi) -> None:
    """Open and resolved ones."""
    issue = STATUS["issues"][0]
    resolved = {**issue, "id": "i2", "resolved": 1_000_400.0, "resolved_by": "ann", "resolution": "fixed"}
    fake.says("GET", "/rollouts", {"rollouts": [row()]})
    fake.says("GET", "/rollouts/r1/issues", {"issues": [issue, resolved]})
    heading, first, second = run("rollout", "issue", "list").out.splitlines()
    assert heading.split() == ["issue", "wave", "what", "by", "since", "resolved"]
    assert first.split()[0] == "i1"
    assert first.rstrip().endswith("open")
    assert second.rstrip().endswith("13:53:20 ann: fixed")
    assert as_json(run("rollout", "issue", "list", "--json").out) == {"issues": [issue, resolved]}
