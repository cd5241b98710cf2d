"""The files in `deploy/` are what the programs that read them take."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from typer.testing import CliRunner

from godwit import config
from godwit.chatlog.jetstream import JetStreamLog
from godwit.chatlog.jetstream_prepare import prepare
from godwit.cli.root import app
from godwit.local.nats import free_ports, program
from godwit.settings import LogSettings
from tests.conformance.chatlog import DEADLINE, add, message, page_upto
from tests.docs import ROOT
from tests.nats import Node, admin

DEPLOY = ROOT / "deploy"
CLUSTERS = ("main", "aws")
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


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd here")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """Each directive is one that it knows; the program is another one, since it must be there."""
    for unit in UNITS:
        text = unit.read_text(encoding="utf-8").replace("/usr/local/bin/godwit", sys.executable)
        (tmp_path / unit.name.replace("@.", "@aws.")).write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_compose_file_names_what_it_has() -> None:
    """Volumes, secrets and services that a service names are there; who is waited for until healthy has a check."""
    services = dict(
        re.findall(r"^  ([a-z0-9-]+):\n((?:    .*\n)+)", COMPOSE.partition("\nservices:\n")[2], re.MULTILINE)
    )
    assert len(services) == 1 + 6 + 8
    text = "".join(services.values())
    volumes = set(re.findall(r'"([a-z0-9-]+):/[a-z]', text))
    assert volumes == set(re.findall(r"^  ([a-z0-9-]+):$", COMPOSE.partition("\nvolumes:\n")[2], re.MULTILINE))
    secrets = set(re.findall(r"^  ([a-z-]+): \{file: ", COMPOSE.partition("\nsecrets:\n")[2], re.MULTILINE))
    assert secrets == set(re.findall(r"/run/secrets/([a-z-]+)", COMPOSE))
    for name, condition in re.findall(r"^ +([a-z0-9-]+): \{condition: (\w+)\}", COMPOSE, re.MULTILINE):
        assert name in services
        assert condition != "service_healthy" or "healthcheck:" in services[name]
    for mounted in re.findall(r'"\./([^:]+):', COMPOSE):
        assert (DEPLOY / mounted).is_file()


@pytest.mark.parametrize("cluster", CLUSTERS)
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


class Deployed(Node):
    """A server with the configuration of `deploy/nats`, on this machine instead of one of its own."""

    def __init__(self, name: str, conf: Path) -> None:
        super().__init__(conf.parent, name)
        self._conf = conf

    def config(self) -> Path:
        return self._conf


def certificate(directory: Path) -> None:
    """One that signs itself, for both ends of a line on the loopback."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sites")])
    now = datetime.now(UTC)
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(here, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    for file in ("cert.pem", "ca.pem"):
        (directory / file).write_bytes(signed.public_bytes(pem))
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (directory / "key.pem").write_bytes(secret)


def deployed(directory: Path) -> dict[str, list[Node]]:
    """All six servers of sites far apart, each with its files, into which its name and places are written."""
    certificate(directory)
    names = [f"nats-{cluster}-{number}" for cluster in CLUSTERS for number in (1, 2, 3)]
    ports = {
        f"{name}:{port}": f"127.0.0.1:{free}"
        for port in (6222, 7422)
        for name, free in zip(names, free_ports(len(names)), strict=True)
    }
    found: dict[str, list[Node]] = {cluster: [] for cluster in CLUSTERS}
    for name in names:
        files = directory / name
        shutil.copytree(DEPLOY / "nats", files)
        places = {"0.0.0.0:4222": "127.0.0.1:-1", "0.0.0.0:8222": "127.0.0.1:-1", "/data": str(files / "data")} | {
            f"0.0.0.0:{port}": ports[f"{name}:{port}"] for port in (6222, 7422)
        }
        for conf in files.rglob("*.conf"):
            text = conf.read_text(encoding="utf-8").replace("$SERVER_NAME", name)
            for old, new in (places | ports | {"/etc/nats/tls": str(directory)}).items():
                text = text.replace(old, new)
            conf.write_text(text, encoding="utf-8")
        cluster = name.split("-")[1]
        found[cluster].append(Deployed(name, files / "far" / f"{cluster}.conf"))
    return found


async def test_sites_far_apart(tmp_path: Path) -> None:
    """The six servers of two sites find each other, and a process that knows those of main has the logs of both."""
    servers = deployed(tmp_path)
    async with AsyncExitStack() as stack:
        for node in (*servers["main"], *servers["aws"]):
            stack.push_async_callback(node.kill)
        await asyncio.gather(*(node.start() for nodes in servers.values() for node in nodes))
        await asyncio.gather(*(node.logged("Leafnode connection created") for node in servers["main"]))
        near = [node.url for node in servers["main"]]
        settings = config.load(
            DEPLOY / "godwit.toml", {}, [f"nats.domains.{name}={name}" for name in CLUSTERS]
        ).settings
        nats = replace(settings.nats, max_bytes=1_000_000)
        for cluster in CLUSTERS:
            assert len((await prepare(cluster, near, nats, LogSettings())).created) == nats.streams
            log = JetStreamLog(cluster, near, nats, LogSettings())
            stack.push_async_callback(log.close)
            await log.open()
            [stored] = await add(log, "room", message(1))
            assert [entry.record for entry in (await page_upto(log, "room", 0, stored)).entries] == [message(1)]
            async with admin(*(node.url for node in servers[cluster])) as operator, asyncio.timeout(DEADLINE):
                held = (await operator.call(f"STREAM.INFO.{log.stream('room')}"))["cluster"]
            assert {held["leader"], *(each["name"] for each in held["replicas"])} == {
                f"nats-{cluster}-{number}" for number in (1, 2, 3)
            }


def test_a_unit_for_each_role() -> None:
    result = CliRunner().invoke(app, ["--help"])
    assert result.exit_code == 0
    for role in ("edge", "directory", "controller", "migrate"):
        assert role in result.output
        assert any(unit.name.startswith(f"godwit-{role}") for unit in UNITS)


def test_nats_servers_take_what_the_page_shows(tmp_path: Path) -> None:
    """The short forms of the files for sites far apart."""
    page = (ROOT / "docs" / "jetstream.md").read_text(encoding="utf-8")
    shown = [block for block in re.findall(r"```\n(.*?)```", page, re.DOTALL) if "leafnodes" in block]
    assert len(shown) == len(CLUSTERS)
    certificate(tmp_path)
    for number, block in enumerate(shown):
        conf = tmp_path / f"{number}.conf"
        conf.write_text(block.replace("/etc/nats/tls", str(tmp_path)).replace("/data", str(tmp_path)), encoding="utf-8")
        done = subprocess.run([program(), "-t", "-c", str(conf)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
