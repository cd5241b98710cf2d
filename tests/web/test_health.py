"""Alive, ready, numbers (HTTP-health)."""

from __future__ import annotations

import asyncio

import httpx
from prometheus_client import Counter

from godwit.web.health import Check, problem
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
    assert (response.status_code, response.json()) == (200, {"status": "ready", "checks": ["store"]})


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


async def test_metrics(world: World, stranger: httpx.AsyncClient) -> None:
    """HTTP-health: the registry that was passed in is shown."""
    Counter("godwit_lines", "Lines.", registry=world.registry).inc(3)
    response = await stranger.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    assert "godwit_lines_total 3.0" in response.text
