"""Is it alive, is it ready, how is it doing (protocol row HTTP-health)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog
from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.responses import JSONResponse, Response

from godwit.errors import StoreUnavailable

PATIENCE = 2.0
"""Seconds that a check may take."""

EVERY = 3.0
"""Seconds for which the answer of a check that costs something is told again."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Check:
    """Something that must work before the process is ready.

    Attributes:
        name: what is checked, such as `store`.
        probe: gives "" if all is well, else what is wrong, on one line; raising counts as wrong.
    """

    name: str
    probe: Callable[[], Awaitable[str]]


class Writes:
    """A check that writes to the store come through: one write for all askers, and none more often than `EVERY`.

    Args:
        write: writes something; raises `StoreUnavailable` if that does not come through.
        patience: seconds after which a write that has not come to its end is told; it may still come through.
    """

    def __init__(self, write: Callable[[], Awaitable[None]], patience: float = PATIENCE * 0.75) -> None:
        self._write = write
        self._patience = patience
        self._last: asyncio.Task[str] | None = None
        self._begun = self._ended = 0.0

    async def probe(self) -> str:
        """Say what is wrong, "" if nothing is."""
        loop = asyncio.get_running_loop()
        if self._last is None or (self._last.done() and loop.time() - self._ended >= EVERY):
            self._begun = loop.time()
            self._last = asyncio.create_task(self._look(), name="writes-check")
        await asyncio.wait([self._last], timeout=self._patience)
        if self._last.done():
            return self._last.result()
        return f"a write has been waiting for {loop.time() - self._begun:.0f} s"

    async def _look(self) -> str:
        try:
            await self._write()
        except StoreUnavailable as error:
            return f"writes do not come through: {error}"
        finally:
            self._ended = asyncio.get_running_loop().time()
        return ""


async def problem(check: Check, patience: float = PATIENCE) -> str:
    """Run a check.

    Args:
        patience: seconds after which it counts as failed.

    Returns:
        "" if all is well, else what is wrong.
    """
    try:
        async with asyncio.timeout(patience):
            return await check.probe()
    except TimeoutError:
        return f"no answer within {patience:g} s"
    except Exception as error:
        # A probe may fail in any way; whichever it is, the process is not ready.
        _log.warning("check_failed", check=check.name, error=repr(error))
        return "failed; the log tells more"


def router(checks: Sequence[Check], registry: CollectorRegistry) -> APIRouter:
    """The routes for those who watch the process.

    Args:
        checks: what must work for `/readyz` to say yes.
        registry: where `/metrics` reads.
    """
    routes = APIRouter(tags=["health"])

    @routes.get("/healthz", summary="The process runs")
    async def healthz() -> JSONResponse:
        """Answer 200 as long as the event loop turns (HTTP-health)."""
        return JSONResponse({"status": "ok"})

    @routes.get("/readyz", summary="The process can serve")
    async def readyz() -> JSONResponse:
        """Answer 200, or 503 with what fails (HTTP-health)."""
        found = await asyncio.gather(*(problem(check) for check in checks))
        failed = {check.name: text for check, text in zip(checks, found, strict=True) if text}
        if failed:
            return JSONResponse({"status": "not ready", "failed": failed}, 503)
        return JSONResponse({"status": "ready", "checks": [check.name for check in checks]})

    @routes.get("/metrics", summary="Numbers for Prometheus")
    async def metrics() -> Response:
        """Answer in Prometheus' text format (HTTP-health)."""
        return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return routes
