"""The commands against the real API: what the other tests' fake says is what a server says."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from godwit.cli.api import Api
from godwit.rollout.values import Facts
from godwit.values import Segment
from tests.cli.conftest import Server, as_json, run
from tests.cli.samples import PLAN, STATUS
from tests.cli.test_cluster import cluster
from tests.cli.test_rollout import item
from tests.cli.test_wishes import row, wish

TOML = """\
name = "spring"
to = "aws"

[[wave]]
name = "staff"
tiers = ["staff"]

[[wave]]
name = "partners"
tiers = ["partner"]
"""


def test_samples_have_the_keys_of_the_api(server: Server) -> None:
    """A key that a server does not send cannot be shown."""
    schemas = Api(server.url, "").get("openapi.json")["components"]["schemas"]
    samples: list[tuple[dict[str, Any], str]] = [
        (PLAN, "PlanView"),
        *((wave, "PlannedWave") for wave in PLAN["waves"]),
        (STATUS, "Status"),
        *((wave, "WaveView") for wave in STATUS["waves"]),
        *((gate, "GateView") for wave in STATUS["waves"] for gate in wave["gates"]),
        (STATUS["issues"][0], "IssueView"),
        (STATUS["budget"], "BudgetView"),
        (cluster("main"), "ClusterView"),
    ]
    for sample, name in samples:
        assert sample.keys() == schemas[name]["properties"].keys(), name
    for part, name in ((row(), "Summary"), (item("alice"), "ItemView"), (wish(), "WishView")):
        assert part.keys() <= schemas[name]["properties"].keys(), name


@pytest.mark.usefixtures("ready_file")
def test_facts(server: Server, tmp_path: Path) -> None:
    """Imported, changed, shown."""
    file = tmp_path / "facts.csv"
    file.write_text("channel,tier,members\nalice,staff,5\nb b,staff,1\nbob,duke,1\n")
    done = run("channel", "import", str(file), "--by", "ann")
    assert (done.status, done.out) == (1, "rows written: 1\n")
    lines = done.err.splitlines()
    assert lines[0].startswith(f"{file}:3: 'b b' cannot be a channel")
    assert lines[1].startswith(f"{file}:4: tier")
    assert (
        run("channel", "facts", "alice", "--opt", "in").out == "#alice: tier staff, opt in, 5 members, 0 messages/s\n"
    )
    assert asyncio.run(server.store.facts()) == [Facts("alice", "staff", "in", 5)]
    audit = asyncio.run(server.store.audit_log())
    assert ("ann", "facts import") in [(entry.actor, entry.action) for entry in audit]


@pytest.mark.usefixtures("ready_file")
def test_plan(server: Server, tmp_path: Path) -> None:
    """From what is known of channels."""
    tiers = (("alice", "staff"), ("bob", "partner"), ("carol", ""))
    asyncio.run(server.store.set_facts([Facts(name, tier) for name, tier in tiers]))  # type: ignore[arg-type]
    file = tmp_path / "spring.toml"
    file.write_text(TOML)
    found = as_json(run("rollout", "plan", str(file), "--json").out)
    assert found["count"] == 2
    done = run("rollout", "plan", str(file))
    assert done.out.startswith("spring: 2 channels to aws, about ")
    assert "left out, no wave takes it: 1 (#carol)\n" in done.out
    assert done.out.endswith(f"start it with: godwit rollout start {file} --hash {found['hash']}\n")
    file.write_text(TOML.replace("aws", "azure"))
    assert run("rollout", "plan", str(file)).refusal.startswith(f"{file}:2: ")


@pytest.mark.usefixtures("ready_file")
def test_wishes(server: Server) -> None:
    """Those that cannot be are refused at once."""
    assert "there is no rollout yet" in run("rollout", "pause").refusal
    assert "needs a reason: add --reason TEXT" in run("channel", "hold", "alice").refusal
    assert asyncio.run(server.store.wishes()) == []


@pytest.mark.usefixtures("ready_file", "server")
def test_clusters() -> None:
    """Those of the configuration."""
    lines = run("cluster", "list").out.splitlines()
    assert [line.split()[0] for line in lines] == ["cluster", "main", "aws"]
    assert lines[1].rstrip().endswith("default")


@pytest.mark.usefixtures("ready_file")
def test_changes(server: Server) -> None:
    """As the feed has them."""
    to = Segment("aws", 2, 5, "s")
    asyncio.run(server.store.commit("alice", to, drain_until=0.0, now=1_000_000.0))
    asyncio.run(server.store.retire("main", "aws", 1_000_001.0))
    done = run("changes", "--since", "0", "--once")
    assert (done.status, done.err) == (0, "")
    shown = [line.split("  ", 2)[2] for line in done.out.splitlines()]
    assert shown[-2:] == ["#alice  main -> aws, epoch 2", "main is retired into aws"]
    kinds = [json.loads(line)["kind"] for line in run("changes", "--since", "0", "--once", "--json").out.splitlines()]
    assert kinds[-2:] == ["moved", "retired"]
