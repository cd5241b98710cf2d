"""Twitch EventSub's `stream.online` and `stream.offline` as a webhook (protocol row HTTP-hooks-eventsub)."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections import OrderedDict
from datetime import datetime
from typing import Any
from weakref import WeakValueDictionary

import msgspec
import structlog
from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response

from godwit.clock import Clock
from godwit.errors import InvalidRequest
from godwit.web import plain
from godwit.web.admission import same
from godwit.web.live import LiveReports
from godwit.web.names import channel_name, shown

WINDOW = 600.0
"""Seconds that a message's timestamp may lie away from our time."""

REMEMBERED = 100_000
"""Messages that are remembered at most."""

_PREFIX = "Twitch-Eventsub-"
_TYPES = {"stream.online": True, "stream.offline": False}

_log = structlog.get_logger()


def signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    """What the header `Twitch-Eventsub-Message-Signature` has to say."""
    signed = message_id.encode() + timestamp.encode() + body
    return "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


class Replays:
    """Remembers the messages of the last ten minutes, so that each is acted on once and never a stale one.

    If there are more of them than it may remember, it forgets the oldest and from then on takes none that old.
    """

    def __init__(self, clock: Clock, remembered: int = REMEMBERED) -> None:
        self._clock = clock
        self._remembered = remembered
        self._seen: OrderedDict[str, float] = OrderedDict()
        self._newest: OrderedDict[str, float] = OrderedDict()
        self._floor = 0.0

    def timely(self, time: float) -> bool:
        """Say whether a message of that time may be acted on."""
        return abs(self._clock.now() - time) <= WINDOW and time > self._floor

    def known(self, message_id: str) -> bool:
        """Say whether the message was acted on."""
        return message_id in self._seen

    def outdated(self, channel: str, time: float) -> bool:
        """Say whether a newer message was acted on: a late `online` must not undo an `offline`."""
        return self._newest.get(channel, 0.0) > time

    def remember(self, message_id: str, channel: str, time: float) -> None:
        """Note that a message was acted on."""
        self._seen[message_id] = time
        self._newest[channel] = max(time, self._newest.pop(channel, 0.0))
        past = self._clock.now() - WINDOW
        while self._seen:
            first = next(iter(self._seen.values()))
            if len(self._seen) <= self._remembered and first >= past:
                break
            self._seen.popitem(last=False)
            if first >= past:
                self._floor = max(self._floor, first)
        while len(self._newest) > self._remembered or next(iter(self._newest.values())) < past:
            self._newest.popitem(last=False)


class EventSub:
    """Takes EventSub's messages.

    What it remembers of them ends with the process. After that the store's own times decide: a message that is older
    than the last change of its channel, whoever told of that, changes nothing.

    Args:
        secret: of the subscriptions; empty: nobody gets in.
    """

    def __init__(self, reports: LiveReports, clock: Clock, secret: str) -> None:
        self._reports = reports
        self._secret = secret
        self._replays = Replays(clock)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def take(self, headers: dict[str, str], body: bytes) -> Response:
        """Act on one message.

        Args:
            headers: those whose names begin with `Twitch-Eventsub-`, without that and in lower case.

        Raises:
            HTTPException: 403, it was not signed with the secret, or is too old.
            InvalidRequest: it cannot be read.
        """
        message_id, timestamp = headers.get("message-id", ""), headers.get("message-timestamp", "")
        if not self._secret:
            raise HTTPException(403, "this webhook is closed: set live.eventsub_secret to open it")
        wanted = signature(self._secret, message_id, timestamp, body)
        if not message_id or not same(headers.get("message-signature", ""), wanted):
            raise HTTPException(403, "the signature does not fit: sign with the secret of live.eventsub_secret")
        plain.check(message_id, "the message's id")
        time = _seconds(timestamp)
        if not self._replays.timely(time):
            raise HTTPException(403, "the message is too old, or from the future")
        message = _decoded(body)
        match headers.get("message-type", ""):
            case "webhook_callback_verification":
                # As text: a challenge that looked like a page must not become one.
                headers_out = {"X-Content-Type-Options": "nosniff"}
                return PlainTextResponse(_text(message, "challenge"), headers=headers_out)
            case "notification":
                await self._notified(message_id, time, message)
            case "revocation":
                subscription = message.get("subscription")
                _log.warning("eventsub_revoked", **_told(subscription if isinstance(subscription, dict) else {}))
            case other:
                raise InvalidRequest(f"there is no message type {shown(other)}")
        return Response(status_code=204)

    async def _notified(self, message_id: str, time: float, message: dict[str, Any]) -> None:
        kind = _text(message, "subscription", "type")
        if kind not in _TYPES:
            raise InvalidRequest(f"{shown(kind)} is not for us: subscribe to {' and '.join(_TYPES)}")
        channel = channel_name(_text(message, "event", "broadcaster_user_login"))
        async with self._turns.setdefault(channel, asyncio.Lock()):
            if self._replays.known(message_id):
                return
            if self._replays.outdated(channel, time) or await self._reports.since(channel) > time:
                _log.info("eventsub_outdated", channel=channel, type=kind, id=message_id[:100], time=time)
                return
            await self._reports.record(channel, _TYPES[kind], "eventsub", f"message {message_id[:100]}", at=time)
            # Remembered only now: if the store did not answer, the sender tries again and is to be heard.
            self._replays.remember(message_id, channel, time)


def _seconds(timestamp: str) -> float:
    try:
        time = datetime.fromisoformat(timestamp)
    except ValueError:
        time = datetime.min
    if time.tzinfo is None:
        raise InvalidRequest(f"{shown(timestamp)} is no time as RFC 3339 has it")
    return time.timestamp()


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequest("the body is not a JSON object") from error


def _text(message: dict[str, Any], *path: str) -> str:
    found: Any = message
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    if not isinstance(found, str) or not found:
        raise InvalidRequest(f"the message lacks {'.'.join(path)}")
    return found


def _told(subscription: dict[str, Any]) -> dict[str, str]:
    return {key: str(subscription.get(key, ""))[:100] for key in ("id", "type", "status")}


def router(eventsub: EventSub) -> APIRouter:
    """The webhook's route."""
    routes = APIRouter(tags=["live state"])

    @routes.post(
        "/hooks/eventsub",
        status_code=204,
        response_class=Response,
        responses={200: {"description": "The challenge, as text."}},
        summary="Twitch tells that a stream began or ended",
        openapi_extra={"requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}},
    )
    async def take(request: Request) -> Response:
        """Act on a message of EventSub that is signed and new (HTTP-hooks-eventsub)."""
        prefix = _PREFIX.lower()
        headers = {
            name.removeprefix(prefix): value for name, value in request.headers.items() if name.startswith(prefix)
        }
        return await eventsub.take(headers, await request.body())

    return routes
