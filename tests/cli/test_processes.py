"""The commands that run one process of many, or all of them: what they refuse before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from godwit import config
from godwit.cli import processes
from godwit.errors import InvalidSetting
from tests.cli.conftest import run

SHARED = (
    "--set=clusters=main,aws",
    "--set=store.url=postgresql://godwit@127.0.0.1:1/none",
    "--set=nats.servers.main=nats://127.0.0.1:1",
    "--set=nats.servers.aws=nats://127.0.0.1:1",
    "--set=auth.admin_token=a-secret-of-some-length",
)


@pytest.mark.parametrize("command", [("edge", "--cluster", "main"), ("directory",), ("controller",)])
def test_each_needs_what_can_be_shared(command: tuple[str, ...]) -> None:
    refused = run(*command, env={"PATH": ""}).err.splitlines()[-1]
    assert refused.startswith(f"godwit: godwit {command[0]} is one process of many and needs store.url, nats.servers")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_edge_of_a_cluster_that_is_not(workers: str) -> None:
    done = run("edge", "--cluster", "moon", "--workers", workers, *SHARED)
    assert done.status == 2
    assert done.err.splitlines()[-1] == "godwit: there is no cluster moon, only main, aws"


def test_a_name_is_short_for_a_setting(tmp_path: Path) -> None:
    file = tmp_path / "godwit.toml"
    file.write_text('[node]\nname = "from-the-file"\n', encoding="utf-8")
    assert processes.load(file, [], None).node.name == "from-the-file"
    assert processes.load(file, ["edge.recent=7"], "given").node.name == "given"


def test_strangers_are_not_let_in_unasked() -> None:
    with pytest.raises(InvalidSetting, match=r"edge\.host = 0\.0\.0\.0 is not loopback"):
        processes.load(None, ["edge.host=0.0.0.0"], None)


def test_up_says_what_it_is_for() -> None:
    assert run("up").refusal == ("say --nodes for a network of many processes; 'godwit serve' runs one process")
    done = run("up", "--nodes", "--nats", "2")
    assert done.err.splitlines()[-1] == "godwit: a cluster has 1 or 3 NATS servers here, not 2"


def test_the_token_is_never_shown() -> None:
    done = run("config", "show", *SHARED)
    assert done.status == 0
    assert "a-secret-of-some-length" not in done.out
    assert f"auth.admin_token = {config.HIDDEN}" in done.out
