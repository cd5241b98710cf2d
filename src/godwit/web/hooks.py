"""The plain webhook by which stream servers tell that a stream began or ended (protocol row HTTP-hooks-live).

What comes with a stream's name was often written by whoever publishes it: nginx-rtmp appends a publisher's own
parameters to its form. So of a key only the first value counts, the address that the operator configured goes
before the body, and of a form that names its `call` nothing but `call` and `name` is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import parse_qsl

import msgspec
from fastapi import APIRouter, Header, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from godwit.errors import InvalidRequest
from godwit.web.admission import bearer, same
from godwit.web.live import LiveReports
from godwit.web.names import channel_name, shown

ONLINE = ("online", "publish", "ready", "live")
OFFLINE = ("offline", "publish_done", "unpublish", "not_ready", "unready")
"""Words for a stream that began, and for one that ended."""

CHANNEL_KEYS = ("channel", "name", "path", "key")
STATE_KEYS = ("state", "call", "event")
"""Keys that name the channel and the state; the first one that is there counts."""

FORM = "application/x-www-form-urlencoded"


def _form(text: str) -> dict[str, str]:
    """A form's first values."""
    found: dict[str, str] = {}
    for key, value in parse_qsl(text, keep_blank_values=True, max_num_fields=100):
        found.setdefault(key, value)
    return found


def _body(kind: str, body: bytes) -> dict[str, str]:
    if not body.strip():
        return {}
    if kind.partition(";")[0].strip().lower() == "application/json":
        try:
            fields = msgspec.json.decode(body, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidRequest("the body is not a JSON object") from error
        return {key: value for key, value in fields.items() if isinstance(value, str)}
    if kind.lower().startswith("multipart/"):
        raise InvalidRequest(f"send the body as {FORM} or as JSON, not as {shown(kind)}")
    try:
        return _form(body.decode("utf-8", "replace"))
    except ValueError as error:
        raise InvalidRequest("the form has too many fields") from error


def _first(fields: Mapping[str, str], keys: tuple[str, ...]) -> tuple[str, str]:
    return next(((key, fields[key]) for key in keys if fields.get(key)), ("", ""))


def report(query: Mapping[str, str], kind: str, body: bytes) -> tuple[str, bool]:
    """Read what a stream server says.

    Args:
        query: parameters of the address.
        kind: the content type; anything but JSON is read as a form.

    Returns:
        The channel, and whether it is live.

    Raises:
        InvalidRequest: it cannot be read; says what is missing.
    """
    sent = _body(kind, body)
    if "call" in sent:
        sent = {key: sent[key] for key in ("call", "name") if key in sent}
    fields = {**sent, **{key: value for key, value in query.items() if value}}
    key, name = _first(fields, CHANNEL_KEYS)
    _, state = _first(fields, STATE_KEYS)
    if not name:
        raise InvalidRequest(f"which channel? Send one of {', '.join(CHANNEL_KEYS)}")
    if key == "path":
        name = name.rstrip("/").rpartition("/")[2]
    word = state.lower()
    if word not in ONLINE + OFFLINE:
        raise InvalidRequest(f"{shown(state)} is no state: send state={' or '.join(('online', 'offline'))}")
    return channel_name(name), word in ONLINE


def router(reports: LiveReports, token: str) -> APIRouter:
    """The webhook's route.

    Args:
        token: what callers have to send; empty: nobody gets in.
    """
    routes = APIRouter(tags=["live state"])

    @routes.post(
        "/hooks/live",
        status_code=204,
        response_class=Response,
        summary="A stream server tells that a stream began or ended",
        openapi_extra={
            "requestBody": {
                "content": {
                    FORM: {
                        "schema": {
                            "type": "object",
                            "properties": {
                                "channel": {"type": "string", "description": "Or `name`, `path`, `key`."},
                                "state": {"type": "string", "enum": [*ONLINE, *OFFLINE], "description": "Or `call`."},
                            },
                        }
                    },
                    "application/json": {"schema": {"type": "object"}},
                }
            }
        },
    )
    async def live(
        request: Request,
        sent_token: Annotated[str, Query(alias="token", description="The setting live.token.")] = "",
        authorization: Annotated[str, Header(description="`Bearer TOKEN`, instead of `token`.")] = "",
    ) -> Response:
        """Record it; fields may be in the address, in a form or in JSON (HTTP-hooks-live)."""
        if not token:
            raise HTTPException(403, "this webhook is closed: set live.token to open it")
        if not same(sent_token or bearer(authorization), token):
            raise HTTPException(403, "the token is wrong: send ?token=TOKEN with what live.token says")
        query = {key: value for key, value in request.query_params.items() if key != "token"}
        channel, is_live = report(query, request.headers.get("content-type", ""), await request.body())
        await reports.record(channel, is_live, "webhook")
        return Response(status_code=204)

    return routes
