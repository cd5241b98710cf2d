"""`godwit channel facts` and `godwit channel import`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from godwit.cli import importing
from tests.cli.conftest import as_json, run
from tests.cli.fake import FakeApi

KNOWN: dict[str, Any] = {"channel": "alice", "tier": "", "opt": "out", "members": 5, "rate": 0.5, "starts_at": 0.0}


def test_shown(fake: FakeApi) -> None:
    """Nothing is written."""
    fake.says("GET", "/channels/alice/facts", KNOWN)
    assert run("channel", "facts", "#Alice").out == "#alice: tier none, opt out, 5 members, 0.5 messages/s\n"
    assert as_json(run("channel", "facts", "#Alice", "--json").out) == KNOWN
    assert {asked.method for asked in fake.asked} == {"GET"}


def test_changed(fake: FakeApi) -> None:
    """What is not named stays."""
    fake.says("PUT", "/channels/alice/facts", {**KNOWN, "tier": "partner", "opt": "", "starts_at": 1_893_520_800.0})
    given = ("--tier", "partner", "--opt", "none", "--starts-at", "2030-01-01T18:00")
    done = run("channel", "facts", "alice", *given, "--by", "ann")
    assert done.out == (
        "#alice: tier partner, opt none, 5 members, 0.5 messages/s, next stream 2030-01-01T18:00:00.000Z\n"
    )
    (asked,) = fake.to("PUT", "/channels/alice/facts")
    assert asked.json == {"tier": "partner", "opt": "", "starts_at": 1_893_520_800.0, "by": "ann"}


@pytest.mark.parametrize(
    ("text", "time"),
    [("none", 0.0), ("2030-01-01T18:00Z", 1_893_520_800.0), ("2030-01-01T19:00+01:00", 1_893_520_800.0)],
)
def test_times_of_streams(fake: FakeApi, text: str, time: float) -> None:
    """With a zone, or none at all."""
    fake.says("PUT", "/channels/alice/facts", KNOWN)
    assert run("channel", "facts", "alice", "--starts-at", text).status == 0
    assert fake.to("PUT", "/channels/alice/facts")[0].json["starts_at"] == time


def test_no_time(fake: FakeApi) -> None:
    """Refused before anything is asked."""
    assert "write it like 2030-01-31T18:00Z" in run("channel", "facts", "alice", "--starts-at", "soon").refusal
    assert fake.asked == []


def test_import(fake: FakeApi, tmp_path: Path) -> None:
    """The file goes as it is, with its kind."""
    file = tmp_path / "facts.jsonl"
    file.write_text('{"channel": "alice"}\n{"channel": "bob"}\n')
    fake.says("POST", "/channels/import", {"imported": 2, "refused": [], "refused_count": 0})
    assert run("channel", "import", str(file), "--by", "ann").out == "rows written: 2\n"
    (asked,) = fake.to("POST", "/channels/import")
    assert asked.body == file.read_bytes()
    assert asked.headers["content-type"] == "application/jsonl"
    assert asked.query == {"by": "ann"}


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("a.csv", "channel,tier\nalice,staff\n", "text/csv"),
        ("a.txt", "channel,tier\nalice,staff\n", "text/csv"),
        ("a.txt", '\n{"channel": "alice"}\n', "application/jsonl"),
        ("a.ndjson", '{"channel": "alice"}\n', "application/jsonl"),
    ],
)
def test_kinds_of_files(fake: FakeApi, tmp_path: Path, name: str, text: str, kind: str) -> None:
    """By the name, else by what is in it."""
    (tmp_path / name).write_text(text)
    fake.says("POST", "/channels/import", {"imported": 1, "refused": [], "refused_count": 0})
    assert run("channel", "import", str(tmp_path / name)).status == 0
    assert fake.asked[0].headers["content-type"] == kind


def test_a_long_file_goes_in_pieces(fake: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with the heading; refused rows are told with the line of the whole file."""
    monkeypatch.setattr(importing, "PIECE", 2)
    file = tmp_path / "facts.csv"
    file.write_text("\nchannel,members\na,1\nb,2\nc,3\nd d,4\ne,5\n")
    answers = [
        {"imported": 2, "refused": [], "refused_count": 0},
        {"imported": 1, "refused": [{"line": 3, "error": "'d d' cannot be a channel"}], "refused_count": 1},
        {"imported": 1, "refused": [], "refused_count": 0},
    ]
    fake.says("POST", "/channels/import", *answers)
    done = run("channel", "import", str(file))
    assert done.status == 1
    assert done.out == "rows written: 4\n"
    assert done.err == f"{file}:6: 'd d' cannot be a channel\ngodwit: rows refused: 1\n"
    assert [asked.body for asked in fake.asked] == [
        b"channel,members\na,1\nb,2\n",
        b"channel,members\nc,3\nd d,4\n",
        b"channel,members\ne,5\n",
    ]


def test_pieces_are_not_too_big(fake: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By their size too; one long row goes alone."""
    monkeypatch.setattr(importing, "BIGGEST", 30)
    file = tmp_path / "facts.jsonl"
    rows = [json.dumps({"channel": name}) for name in ("a", "b" * 25, "c")]
    file.write_text("\n".join(rows))
    fake.says("POST", "/channels/import", {"imported": 1, "refused": [{"line": 1, "error": "no"}], "refused_count": 1})
    found = as_json(run("channel", "import", str(file), "--json").out)
    assert [asked.body.decode() for asked in fake.asked] == [row + "\n" for row in rows]
    assert found == {
        "imported": 3,
        "refused": [{"line": line, "error": "no"} for line in (1, 2, 3)],
        "refused_count": 3,
    }


@pytest.mark.parametrize(("text", "told"), [(None, "cannot read"), ("\n \n", "is empty: write one row a line")])
def test_no_file(fake: FakeApi, tmp_path: Path, text: str | None, told: str) -> None:
    """Nothing is sent."""
    file = tmp_path / "facts.csv"
    if text is not None:
        file.write_text(text)
    assert told in run("channel", "import", str(file)).refusal
    assert fake.asked == []
