"""The internal HTTP of a process (protocol row HTTP-inside): for those who watch it, and for other processes.

What edges answer is the port `Crowd`, a POST for each of its methods, with the admin token; a controller can be woken.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec
from fastapi import APIRouter, FastAPI, Request
from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException
from starlette.responses import Response

from godwit import __version__
from godwit.control.ports import Crowd, Presence
from godwit.values import Segment
from godwit.web import answers, health
from godwit.web.admission import Admin

PATH = "/inside"


class AskPresence(msgspec.Struct, frozen=True):
    """Who is in channels."""

    channels: list[str]


class AskLeftBehind(msgspec.Struct, frozen=True):
    """Who has not followed."""

    channel: str
    cluster: str


class AskViews(msgspec.Struct, frozen=True):
    """Where edges see channels."""

    channels: list[str]


class About(msgspec.Struct, frozen=True):
    """What a process knows of itself.

    Attributes:
        ahead: by how many seconds its clock is ahead of others, by their names.
    """

    ahead: dict[str, float]


Presences = list[Presence]
Logins = list[str]
Views = dict[str, list[tuple[str, Segment]]]

Ask = TypeVar("Ask")


def build(
    checks: Sequence[health.Check],
    registry: CollectorRegistry,
    admin_token: str,
    *,
    crowd: Crowd | None = None,
    wake: Callable[[], None] | None = None,
    insight: Callable[[], Awaitable[object]] | None = None,
    about: Callable[[], About] | None = None,
) -> FastAPI:
    """Put the internal HTTP of a process together.

    Args:
        checks: what must work for `/readyz` to say yes.
        registry: what `/metrics` shows.
        crowd: what the edges of this process know, if it has any.
        wake: called when there may be something to do, if somebody here waits for that.
        insight: what the controller of this process knows of rollouts, if there is one.
        about: what the process knows of itself.
    """
    app = FastAPI(title="Godwit, inside", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    admin = Admin(admin_token)
    answers.install(app, admin.sent_it)
    app.include_router(health.router(checks, registry))
    routes = admin.router()
    if crowd is not None:
        _ask(routes, crowd)
    if wake is not None:
        _wake(routes, wake)
    if insight is not None:
        _know(routes, insight)
    if about is not None:
        _tell(routes, about)
    app.include_router(routes)
    return app


def _ask(routes: APIRouter, crowd: Crowd) -> None:
    @routes.post(f"{PATH}/presence")
    async def presence(request: Request) -> Response:
        return _json(await crowd.presence((await _read(request, AskPresence)).channels))

    @routes.post(f"{PATH}/left_behind")
    async def left_behind(request: Request) -> Response:
        asked = await _read(request, AskLeftBehind)
        return _json(await crowd.left_behind(asked.channel, asked.cluster))

    @routes.post(f"{PATH}/views")
    async def views(request: Request) -> Response:
        return _json(await crowd.views((await _read(request, AskViews)).channels))


def _wake(routes: APIRouter, wake: Callable[[], None]) -> None:
    @routes.post(f"{PATH}/wake")
    async def woken() -> Response:
        wake()
        return _json({})


async def _read(request: Request, kind: type[Ask]) -> Ask:
    try:
        return msgspec.json.decode(await request.body(), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise HTTPException(400, f"not what was expected: {error}") from error


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")


def _know(routes: APIRouter, insight: Callable[[], Awaitable[object]]) -> None:
    @routes.get(f"{PATH}/insight")
    async def known() -> Response:
        return _json(await insight())


def _tell(routes: APIRouter, about: Callable[[], About]) -> None:
    @routes.get(f"{PATH}/about")
    async def told() -> Response:
        return _json(about())
