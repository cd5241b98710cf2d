"""`godwit emote`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from godwit.values import Emote
from tests.cli.conftest import Server, as_json, run

pytestmark = pytest.mark.usefixtures("ready_file")


def test_an_emote_comes_and_goes(server: Server) -> None:
    """For everybody, and for one channel."""
    assert run("emote", "add", ":3", "500").out == ":3 is 500 everywhere\n"
    assert run("emote", "add", "hi", "300_HF", "--channel", "#Alice").out == "hi is 300_HF in #alice\n"
    assert run("emote", "list").out == ":3  500\n"
    assert as_json(run("emote", "list", "--channel", "alice", "--json").out) == {
        "emotes": [{"code": "hi", "id": "300_HF", "channel": "alice"}]
    }
    assert "Kappa  25\n" in run("emote", "list", "--first").out
    assert run("emote", "remove", "hi").refusal == "there is no emote 'hi' for everybody"
    assert run("emote", "remove", "hi", "--channel", "alice").out == "hi is removed\n"
    assert asyncio.run(server.store.emotes("alice")) == []


def test_import(server: Server, tmp_path: Path) -> None:
    """Refused rows are told with their lines."""
    file = tmp_path / "emotes.csv"
    file.write_text("code,id,channel\nhi,5,\ntwo words,6,\nyo,7,alice\n")
    done = run("emote", "import", str(file))
    assert (done.status, done.out) == (1, "rows written: 2\n")
    assert done.err.splitlines()[0].startswith(f"{file}:3: code: ")
    assert done.err.splitlines()[1] == "godwit: rows refused: 1"
    assert asyncio.run(server.store.emotes()) == [Emote("hi", "5")]
    assert asyncio.run(server.store.emotes("alice")) == [Emote("yo", "7", "alice")]
