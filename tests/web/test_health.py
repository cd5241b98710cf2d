"""Alive, ready, numbers (HTTP-health)."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from prometheus_client import Counter

from godwit.errors import StoreUnavailable
from godwit.web import health
from godwit.web.health import Check, Writes, problem
from tests.web.conftest import World


async def fine() -> str:
    """A check that succeeds."""
    return ""


async def wrong() -> str:
    """A check that tells what is wrong."""
    return "no default placement"


async def broken() -> str:
    """A check that raises."""
    raise RuntimeError("a secret of the inside")


async def endless() -> str:
    """A check that never answers."""
    await asyncio.Event().wait()
    return ""


async def test_alive(stranger: httpx.AsyncClient) -> None:
    """HTTP-health: no token is needed."""
    assert (await stranger.get("/healthz")).json() == {"status": "ok"}


async def test_ready(world: World) -> None:
    """HTTP-health: all checks succeed."""
    world.checks.append(Check("store", fine))
    async with world.client(None) as client:
        response = await client.get("/readyz")
    assert (response.status_code, response.json()) == (200, {"status": "ready", "checks": ["store", "writes"]})


async def test_not_ready(world: World) -> None:
    """HTTP-health: what fails is named, what is fine is not."""
    world.checks.extend([Check("edge", fine), Check("store", wrong), Check("log", broken)])
    async with world.client(None) as client:
        response = await client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["failed"] == {"store": "no default placement", "log": "failed; the log tells more"}


async def test_a_check_that_does_not_answer_has_failed() -> None:
    """HTTP-health: patience ends."""
    assert await problem(Check("log", endless), patience=0) == "no answer within 0 s"


async def test_writes_that_do_not_come_through(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP-health: a store that can be read is not enough; what is the matter is told."""

    async def locked() -> None:
        raise StoreUnavailable("the store did not answer: database is locked")

    monkeypatch.setattr(world.store, "check_writes", locked)
    async with world.client(None) as client:
        response = await client.get("/readyz")
    assert response.status_code == 503
    told = "writes do not come through: the store did not answer: database is locked"
    assert response.json()["failed"] == {"writes": told}


async def test_all_askers_share_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is under way, and for a while after it."""
    written: list[None] = []
    gate = asyncio.Event()

    async def write() -> None:
        written.append(None)
        await gate.wait()

    writes = Writes(write, patience=60)
    asked = [asyncio.create_task(writes.probe()) for _ in range(3)]
    for _ in range(10):
        await asyncio.sleep(0)
    gate.set()
    assert await asyncio.gather(*asked) == ["", "", ""]
    assert await writes.probe() == ""
    assert len(written) == 1
    loop = asyncio.get_running_loop()
    later = loop.time() + health.EVERY
    monkeypatch.setattr(loop, "time", lambda: later)
    assert await writes.probe() == ""
    assert len(written) == 2


async def test_a_write_that_hangs_is_told_before_the_checks_patience_ends() -> None:
    """It goes on meanwhile, and is not begun again."""
    written: list[None] = []
    gate = asyncio.Event()

    async def write() -> None:
        written.append(None)
        await gate.wait()

    writes = Writes(write, patience=0)
    assert "a write has been waiting for 0 s" in [await writes.probe() for _ in range(3)]
    gate.set()
    for _ in range(10):
        await asyncio.sleep(0)
    assert (await writes.probe(), len(written)) == ("", 1)


async def test_metrics(world: World, stranger: httpx.AsyncClient) -> None:
    """HTTP-health: the registry that was passed in is shown."""
    Counter("godwit_lines", "Lines.", registry=world.registry).inc(3)
    response = await stranger.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    assert "godwit_lines_total 3.0" in response.text
