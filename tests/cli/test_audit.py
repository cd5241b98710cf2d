"""`godwit audit`."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from godwit.cli import audit
from godwit.store.base import AuditEntry
from tests.cli.conftest import Server, as_json, run

pytestmark = pytest.mark.usefixtures("ready_file")


@pytest.fixture
def lines(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five lines, which come in pages of two."""
    monkeypatch.setattr(audit, "PAGE", 2)

    async def write() -> None:
        for number in range(1, 6):
            name = f"mod{number % 2}"
            await server.store.audit(AuditEntry(number * 1000.0, name, "ban", "alice", 'a "word"', f"bob{number}"))

    asyncio.run(write())


@pytest.mark.usefixtures("lines")
def test_list() -> None:
    """The newest first, on one line each."""
    assert run("audit", "list", "--limit", "1").out == (
        '1970-01-01T01:23:20.000Z  mod1  ban alice (bob5), because: a "word"\n'
    )
    found = as_json(run("audit", "list", "--actor", "mod0", "--subject", "#alice", "--action", "ban", "--json").out)
    assert isinstance(found["entries"], list)
    assert [entry["number"] for entry in found["entries"]] == [4, 2]
    assert run("audit", "list", "--since", "1970-01-01T01:30Z").out == ""
    assert run("audit", "list", "--action", "unban").out == ""


@pytest.mark.usefixtures("lines")
def test_export_as_json_lines(tmp_path: Path) -> None:
    """All of it, whatever the pages."""
    told = [json.loads(line) for line in run("audit", "export").out.splitlines()]
    assert [line["number"] for line in told] == [5, 4, 3, 2, 1]
    assert told[0] == {
        "number": 5,
        "time": 5000.0,
        "actor": "mod1",
        "action": "ban",
        "subject": "alice",
        "reason": 'a "word"',
        "details": "bob5",
    }
    file = tmp_path / "audit.jsonl"
    assert run("audit", "export", str(file), "--since", "1970-01-01T00:50Z").out == ""
    assert [json.loads(line)["number"] for line in file.read_text().splitlines()] == [5, 4, 3]


@pytest.mark.usefixtures("lines")
def test_export_as_csv(tmp_path: Path) -> None:
    """With a heading; by the ending of the file's name, or as it is asked for."""
    file = tmp_path / "audit.csv"
    run("audit", "export", str(file), "--actor", "mod0")
    text = file.read_text()
    assert text.splitlines() == [
        "number,time,actor,action,subject,reason,details",
        '4,4000.0,mod0,ban,alice,"a ""word""",bob4',
        '2,2000.0,mod0,ban,alice,"a ""word""",bob2',
    ]
    assert run("audit", "export", "--format", "csv", "--actor", "mod0").out == text


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    assert "cannot write" in run("audit", "export", str(tmp_path / "no" / "such.csv")).refusal


def test_a_time_that_is_none() -> None:
    assert "'soon' is no time" in run("audit", "list", "--since", "soon").refusal
