"""Rollouts against a real server: channels that are known, clients in some of them, and waiting for progress."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

from tests.e2e.harness import RawClient, Server, raw_client

WAIT = 20
"""Seconds that one question may wait for news."""


async def import_facts(server: Server, facts: Iterable[dict[str, Any]]) -> None:
    """Tell the server of channels, a dictionary of `docs/rollouts.md` facts for each."""
    rows = "".join(json.dumps(row) + "\n" for row in facts)
    async with server.http() as api:
        answer = await api.post("/channels/import", content=rows, headers={"Content-Type": "application/x-ndjson"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["refused_count"] == 0, answer.text


async def start_rollout(server: Server, file: Path) -> None:
    """Plan and start a rollout by the command line."""
    planned = await server.cli("rollout", "plan", str(file), "--json")
    assert planned.status == 0, planned
    started = await server.cli("rollout", "start", str(file), "--hash", json.loads(planned.out)["hash"])
    assert started.status == 0, started


async def status(server: Server) -> dict[str, Any]:
    """How far the newest rollout is."""
    async with server.http() as api:
        found: dict[str, Any] = (await api.get("/rollouts/latest")).json()
    return found


async def wait_state(server: Server, *states: str) -> dict[str, Any]:
    """Wait until the newest rollout is in one of these states; fails when nothing goes on any more."""
    async with server.http() as api:
        found: dict[str, Any] = (await api.get("/rollouts/latest")).json()
        while found["state"] not in states:
            asked = {"wait": str(WAIT), "version": found["version"]}
            newer = (await api.get("/rollouts/latest", params=asked)).json()
            assert newer["version"] != found["version"], f"nothing goes on: {newer}\n" + "\n".join(server.errors[-20:])
            found = newer
    return found


async def wait_moved(server: Server, since: int, moved: int, questions: int = 0) -> None:
    """Wait for progress.

    Args:
        since: a number of the change feed.
        moved: return when so many channels have moved since then.
        questions: then ask so many more things, one after the other: what the server does meanwhile goes on.
    """
    found: set[int] = set()
    async with server.http() as api:
        while len(found) < moved:
            answer = (await api.get("/changes", params={"since": str(since), "wait": str(WAIT)})).json()
            assert answer["changes"], "nothing moves:\n" + "\n".join(server.errors[-20:])
            found |= {change["number"] for change in answer["changes"] if change["kind"] == "moved"}
            since = answer["next"]
        for _ in range(questions):
            await api.get("/changes")


@contextlib.asynccontextmanager
async def members(server: Server, channels: Iterable[str]) -> AsyncIterator[list[RawClient]]:
    """Have a client in each of these channels, on the first cluster; each has said something."""
    async with contextlib.AsyncExitStack() as stack:
        found = []
        for channel in channels:
            client = await stack.enter_async_context(raw_client(server.tcp(), f"in_{channel}"))
            await client.login(channel)
            await client.chat(channel, ["hello"])
            found.append(client)
        yield found


def stored(server: Server) -> dict[str, list[dict[str, Any]]]:
    """Everything that a server's store holds: table -> rows by column."""
    with contextlib.closing(sqlite3.connect(f"file:{server.store}?mode=ro", uri=True)) as store:
        store.row_factory = sqlite3.Row
        tables = [row["name"] for row in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: [dict(row) for row in store.execute(f'SELECT * FROM "{name}"')] for name in tables}
