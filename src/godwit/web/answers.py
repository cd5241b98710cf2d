"""How the HTTP side says no: one line of JSON, `{"error": "..."}`, and never a traceback."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from typing import Any, cast

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from godwit.errors import (
    ChatLogUnavailable,
    EdgeUnavailable,
    InvalidRequest,
    MoveRefused,
    StoreUnavailable,
    UnknownCluster,
)

MAX_BODY = 1_048_576
"""Longest request body in bytes; 10,000 channels in one look-up take about a quarter of it."""

ADMIN_BODY = 33_554_432
"""The same for those who send the admin token: a rollout may name a million channels."""

_log = structlog.get_logger()


class Json(JSONResponse):
    """An answer in JSON, whatever texts are in it: what is no UTF-8 is told as `?`."""

    def render(self, content: Any) -> bytes:
        """Write the body."""
        return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(errors="replace")


def refusal(status: int, text: str, headers: dict[str, str] | None = None) -> Json:
    """The answer to a request that failed.

    Args:
        text: what is wrong; several faults, a line for each, are told one by one as `errors` too.
    """
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    body: dict[str, object] = {"error": "; ".join(lines)}
    if len(lines) > 1:
        body["errors"] = lines
    return Json(body, status, headers)


def status_of(error: InvalidRequest) -> int:
    """The HTTP status that tells of `error`."""
    if isinstance(error, UnknownCluster):
        return 404
    return 409 if isinstance(error, MoveRefused) else 400


def _http(_: Request, error: Exception) -> Response:
    failure = cast(HTTPException, error)
    text = str(failure.detail)
    if failure.status_code == 404 and text == "Not Found":
        text = "there is nothing at this address: /openapi.json lists what there is"
    return refusal(failure.status_code, text, dict(failure.headers or {}))


def _malformed(_: Request, error: Exception) -> Response:
    first = cast(RequestValidationError, error).errors()[0]
    if first["type"] == "json_invalid":
        return refusal(400, "the body is not JSON")
    where = ".".join(str(part) for part in first["loc"])
    return refusal(400, f"{where}: {first['msg']}")


def _invalid(_: Request, error: Exception) -> Response:
    return refusal(status_of(cast(InvalidRequest, error)), str(error))


def _unavailable(_: Request, error: Exception) -> Response:
    if isinstance(error, EdgeUnavailable):
        text = str(error)
    elif isinstance(error, StoreUnavailable):
        text = "the store does not answer; try again"
    else:
        text = "the chat log does not answer; try again"
    return refusal(503, text, {"Retry-After": "1"})


class Guard:
    """ASGI middleware: bounds request bodies, and turns what nobody caught into a 500 whose id is in the log."""

    def __init__(self, app: ASGIApp, trusted: Callable[[Scope], bool] = lambda scope: False) -> None:
        """Take what it guards.

        Args:
            trusted: says which requests may be long.
        """
        self._app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False
        taken = 0
        most = ADMIN_BODY if self._trusted(scope) else MAX_BODY

        async def bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > most:
                raise HTTPException(413, f"the body is longer than {most} bytes")
            return message

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, bounded, noted)
        except ClientDisconnect:
            _log.info("client_gone", method=scope["method"], path=scope["path"])
        except Exception:
            error_id = secrets.token_hex(6)
            _log.exception("request_failed", id=error_id, method=scope["method"], path=scope["path"])
            if started:
                raise
            await refusal(500, f"internal error; the log tells more under the id {error_id}")(scope, receive, send)


def install(app: FastAPI, trusted: Callable[[Scope], bool] = lambda scope: False) -> None:
    """Make `app` answer every failure in this way.

    Args:
        trusted: says which requests may be long.
    """
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(InvalidRequest, _invalid)
    app.add_exception_handler(StoreUnavailable, _unavailable)
    app.add_exception_handler(ChatLogUnavailable, _unavailable)
    app.add_middleware(Guard, trusted=trusted)
