"""`godwit migrate` over files and real servers."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from godwit.store.migrations import _head
from tests.cli.conftest import run
from tests.nats import node
from tests.postgres import Databases

HEAD = _head()
"""The newest revision."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the store will be."""
    return tmp_path / "godwit.sqlite3"


def test_a_file(file: Path) -> None:
    """Made, then left alone."""
    assert run("migrate", "--set", f"store.path={file}").out == f"store {file}: made at revision {HEAD}\n"
    assert run("migrate", "--set", f"store.path={file}").out == f"store {file}: at revision {HEAD}, nothing to do\n"


def test_an_older_file(file: Path) -> None:
    """Its copy is named."""
    with closing(sqlite3.connect(file)) as older:
        older.execute("CREATE TABLE older (what)")
    done = run("migrate", "--set", f"store.path={file}", "--json")
    copy = f"{file}.before-{HEAD}"
    assert json.loads(done.out) == {
        "dry_run": False,
        "store": {"place": str(file), "before": "", "after": HEAD, "copy": copy},
        "logs": [],
    }
    assert Path(copy).exists()


def test_dry_run(file: Path) -> None:
    """The same words, and nothing is made."""
    servers = [word for name in ("main", "aws") for word in ("--set", f"nats.servers.{name}=nats://127.0.0.1:1")]
    done = run("migrate", "--dry-run", "--set", f"store.path={file}", "--set", "clusters=main,aws", *servers)
    assert done.out.splitlines() == [
        f"store {file}: would be made at revision {HEAD}",
        "cluster main: its streams at nats://127.0.0.1:1 would be checked, and made where they are missing",
        "cluster aws: its streams at nats://127.0.0.1:1 would be checked, and made where they are missing",
    ]
    assert list(file.parent.iterdir()) == []


def test_a_newer_file(file: Path) -> None:
    """Refused in one line, tried or not."""
    run("migrate", "--set", f"store.path={file}")
    with closing(sqlite3.connect(file)) as newer, newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
    for more in ((), ("--dry-run",)):
        assert "newer Godwit (revision 9999" in run("migrate", "--set", f"store.path={file}", *more).refusal


def test_a_postgresql(databases: Databases) -> None:
    """Made, migrated and left alone; the password is not told."""
    url = asyncio.run(databases.new())
    given = ("--set", f"store.url={url}")
    assert run("migrate", "--dry-run", *given).out == f"store {url}: would be made at revision {HEAD}\n"
    assert run("migrate", *given).out == f"store {url}: made at revision {HEAD}\n"
    secret = run("migrate", *given, "--set", "store.password=hush", "--json")
    shown = url.replace("godwit@", "godwit:***@")
    assert json.loads(secret.out)["store"] == {"place": shown, "before": HEAD, "after": HEAD, "copy": None}


def test_no_answer() -> None:
    """One line, and nothing of a traceback."""
    told = run("migrate", "--set", "store.url=postgresql://ann:hush@127.0.0.1:1/x").refusal
    assert told.startswith("the store did not answer: ")
    assert "hush" not in told


async def test_streams(file: Path) -> None:
    """Made in each cluster, then as they should be; a server is needed."""
    async with node(file.parent / "nats") as server:
        settings = {
            "clusters": "main,aws",
            "store.path": file,
            "nats.servers.main": server.url,
            "nats.servers.aws": server.url,
            "nats.streams": 2,
            "nats.replicas": 1,
            "nats.storage": "memory",
            "nats.max_bytes": 10_000_000,
        }
        given = [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
        first = await asyncio.to_thread(run, "migrate", *given)
        assert first.out.splitlines()[1:] == ["cluster main: 2 streams made", "cluster aws: 2 streams made"]
        second = await asyncio.to_thread(run, "migrate", *given, "--json")
        logs = json.loads(second.out)["logs"]
        assert [(log["cluster"], log["created"], len(log["kept"])) for log in logs] == [("main", [], 2), ("aws", [], 2)]
        again = await asyncio.to_thread(run, "migrate", *given, "--set", "nats.streams=1")
        assert (again.status, again.err.count("\n")) == (2, 1)
        assert "nats.streams is 1" in again.err
