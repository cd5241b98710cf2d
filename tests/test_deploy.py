"""The files in `deploy/` are what the programs that read them take."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import tempfile
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from godwit import config
from godwit.cli.root import app
from godwit.local.nats import program
from tests.docs import ROOT

DEPLOY = ROOT / "deploy"
COMPOSE = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
UNITS = sorted((DEPLOY / "systemd").iterdir())


def environment(text: str, directory: Path) -> dict[str, str]:
    """The settings that a file gives by the environment, with files of secrets that are there."""
    found = dict(re.findall(r"(GODWIT_[A-Z_]+)[:=] ?\"?([^\s\",}]+)", text))
    for name in found:
        if name.endswith("_FILE"):
            secret = directory / name
            secret.write_text("a-secret-of-some-length\n", encoding="utf-8")
            found[name] = str(secret)
    return found


def settings_of(text: str, directory: Path) -> config.Loaded:
    """The settings of a process that is started as a file says."""
    return config.load(DEPLOY / "godwit.toml", environment(text, directory))


def runs(words: list[str]) -> None:
    """The command line has all these words."""
    command = typer.main.get_command(app)
    assert hasattr(command, "commands")
    known = command.commands[words[0]]
    context = known.make_context(words[0], words[1:], resilient_parsing=False)
    assert context.params["config"] == Path("/etc/godwit/godwit.toml")


def test_the_settings_are_those_of_many_processes(tmp_path: Path) -> None:
    settings = settings_of(COMPOSE, tmp_path).settings
    config.check_exposure(settings)
    assert settings.auth.admin_token == "a-secret-of-some-length"
    assert "a-secret-of-some-length" in settings.store.url
    assert set(settings.nats.servers) == set(settings.clusters)
    assert all(len(urls) == settings.nats.replicas == 3 for urls in settings.nats.servers.values())


def test_every_service_of_the_compose_file_is_one_of_the_network() -> None:
    """Ports, names, addresses and NATS servers fit each other."""
    services = re.findall(r"^  ([a-z0-9-]+):\n    <<: \*(\w+)\n((?:    .*\n)+)", COMPOSE, re.MULTILINE)
    assert len(services) == 6 + 8
    toml = (DEPLOY / "godwit.toml").read_text(encoding="utf-8")
    for name, kind, body in services:
        if kind == "nats":
            assert f"SERVER_NAME: {name}" in body
            assert f"nats://{name}:4222" in toml
            assert f"nats://{name}:6222" in (DEPLOY / "nats" / f"{name.split('-')[1]}.conf").read_text(encoding="utf-8")
            continue
        words = re.findall(r'"([^"]+)"', re.search(r"command: \[(.*)\]", body)[1])  # type: ignore[index]
        runs(words)
        if name != "migrate":
            assert f"GODWIT_NODE__NAME: {name}," in body
            assert f'GODWIT_NODE__URL: "http://{name}:9000"' in body
        if words[0] == "edge":
            place = {"main": 0, "aws": 1}[words[2]]
            tcp, ws = re.findall(r"127\.0\.0\.1:(\d+):(\d+)", body)
            assert (int(tcp[1]), int(ws[1])) == (6667 + place, 8080 + place)
            assert f"localhost:{tcp[0]}" in toml
            assert f"localhost:{ws[0]}" in toml


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_units(unit: Path, tmp_path: Path) -> None:
    text = unit.read_text(encoding="utf-8")
    command = re.search(r"^ExecStart=(\S+) (.*)$", text, re.MULTILINE)
    assert command
    runs(shlex.split(command[2].replace("%i", "aws")))
    assert settings_of(text, tmp_path).settings.auth.admin_token
    if "%i" in text:
        assert unit.stem.endswith("@")


@pytest.mark.parametrize("cluster", ["main", "aws"])
def test_nats_servers_take_their_configuration(cluster: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run(
            [program(), "-t", "-c", str(DEPLOY / "nats" / f"{cluster}.conf")],
            cwd=directory,
            env={**os.environ, "SERVER_NAME": "one"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr


def test_a_unit_for_each_role() -> None:
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    for role in ("edge", "directory", "controller", "migrate"):
        assert role in result.output
        assert any(unit.name.startswith(f"godwit-{role}") for unit in UNITS)
