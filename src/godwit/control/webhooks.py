"""Webhooks: the feed's events, posted to the operator's services (`docs/gates.md`, "Webhooks").

Each URL gets the events one after the other, each at least once: the next one goes out when the one before was
taken, and how far it came is in the store. They are signed as Twitch EventSub signs, so what receives those can
receive these: the same headers, HMAC-SHA256 over id, timestamp and body, and an id that stays the same when an
event is sent again.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

import httpx
import msgspec
import structlog

from godwit.clock import Clock
from godwit.errors import StoreUnavailable
from godwit.rollout.values import Event
from godwit.settings import WebhookSettings
from godwit.store.rollout_base import HIDDEN

log = structlog.get_logger()

PAGE = 100
"""Events that are read at once; how far it came is written at least that often."""

LOOK = 3.0
"""Seconds between two looks at the feed without a wake."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds between two tries of one event."""

TIMEOUT = 10.0
"""Seconds that a receiver may take."""

HEADER = "Twitch-Eventsub-"


class Feed(Protocol):
    """The part of the store that webhooks need."""

    async def feed(
        self, *, after: int, public: bool = False, rollout: str | None = None, limit: int = 1000
    ) -> list[Event]:
        """What happened after the number `after`, oldest first."""
        ...

    async def last_event(self) -> int:
        """The highest number of the feed, 0 for none."""
        ...

    async def webhook_cursor(self, hook: str) -> int | None:
        """The number of the last event that was delivered to a webhook; None if it is a new one."""
        ...

    async def set_webhook_cursor(self, hook: str, number: int) -> None:
        """Remember it; a lower number than the stored one changes nothing."""
        ...


def hook_id(url: str) -> str:
    """What a webhook is called in the store and in what is sent; URLs can hold secrets, so it is a hash."""
    return hashlib.sha256(url.encode()).hexdigest()[:32]


def message_id(event: Event) -> str:
    """The id of an event: the same each time it is sent, to any receiver."""
    return f"godwit-{event.number}-{round(event.time * 1000)}"


def signature(secret: str, message: str, timestamp: str, body: bytes) -> str:
    """Sign as EventSub does: HMAC-SHA256 of id, timestamp and body, one behind the other."""
    signed = message.encode() + timestamp.encode() + body
    return "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def body_of(event: Event, url: str) -> bytes:
    """What is posted: `subscription` and `event`, as in EventSub."""
    return msgspec.json.encode(
        {
            "subscription": {
                "id": hook_id(url),
                "type": event.kind,
                "version": "1",
                "status": "enabled",
                "cost": 0,
                "condition": {},
                "transport": {"method": "webhook", "callback": url},
            },
            "event": {
                "number": event.number,
                "kind": event.kind,
                "time": _written(event.time),
                "channel": event.channel,
                "rollout": event.rollout,
                "details": event.details,
            },
        }
    )


def wanted(kind: str, kinds: Sequence[str]) -> bool:
    """Say whether a kind of event is among `kinds`; a name that ends with `.*` stands for all that begin so."""
    return not kinds or any(kind == one or (one.endswith(".*") and kind.startswith(one[:-1])) for one in kinds)


class Webhooks:
    """Posts events to all URLs of the settings.

    Args:
        feed: has the events, and keeps how far each URL came.
        http: makes the calls.
        leads: says whether this process is the one that posts.
        sleep: how pauses are made.
    """

    def __init__(
        self,
        feed: Feed,
        http: httpx.AsyncClient,
        clock: Clock,
        settings: WebhookSettings,
        *,
        leads: Callable[[], bool] = lambda: True,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._feed = feed
        self._http = http
        self._clock = clock
        self._settings = settings
        self._leads = leads
        self._sleep = sleep
        self._news = {url: asyncio.Event() for url in settings.urls}
        self._delivered = 0
        self._dropped = 0

    def wake(self) -> None:
        """Something was written to the feed: look at once."""
        for news in self._news.values():
            news.set()

    def statistics(self) -> dict[str, int]:
        """How many events were taken, and how many were given up."""
        return {"delivered": self._delivered, "dropped": self._dropped}

    async def run(self) -> None:
        """Post until cancelled."""
        async with asyncio.TaskGroup() as group:
            for url in self._news:
                group.create_task(self._serve(url), name="webhook")
            while True:
                await self._sleep(LOOK)
                self.wake()

    # Inside.

    async def _serve(self, url: str) -> None:
        """One URL, event by event, while this process leads."""
        news = self._news[url]
        while True:
            news.clear()  # before the look: what is written from now on wakes it again
            try:
                while self._leads() and await self._post_page(url):
                    pass
            except StoreUnavailable as error:
                log.warning("webhook_waits", hook=hook_id(url), error=str(error))
                await self._sleep(FIRST_PAUSE)
                continue
            except Exception:
                # A fault of ours ends here, too: who is told of moves must not keep them from happening.
                log.exception("webhook_broken", hook=hook_id(url))
                await self._sleep(LONGEST_PAUSE)
                continue
            await news.wait()

    async def _post_page(self, url: str) -> bool:
        """Go on where the store says; a new webhook begins with what happens from now on. True: there is more."""
        hook = hook_id(url)
        cursor = await self._feed.webhook_cursor(hook)
        if cursor is None:
            cursor = await self._feed.last_event()
            await self._feed.set_webhook_cursor(hook, cursor)
        events = await self._feed.feed(after=cursor, limit=PAGE)
        for event in events:
            if wanted(event.kind, self._settings.kinds) and not event.channel.startswith(HIDDEN):
                await self._deliver(url, event)
        if events:
            await self._feed.set_webhook_cursor(hook, events[-1].number)
        return len(events) == PAGE

    async def _deliver(self, url: str, event: Event) -> None:
        """Post one event until it is taken, or too old."""
        pause, tries = FIRST_PAUSE, 0
        while why := await self._post(url, event, tries):
            if self._clock.now() - event.time > self._settings.keep:
                self._dropped += 1
                log.warning("webhook_gave_up", hook=hook_id(url), number=event.number, kind=event.kind, why=why)
                return
            tries += 1
            log.info("webhook_failed", hook=hook_id(url), number=event.number, tries=tries, why=why)
            await self._sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
        self._delivered += 1

    async def _post(self, url: str, event: Event, tries: int) -> str:
        """Try once; returns why it was not taken, '' if it was."""
        message, timestamp, body = message_id(event), _written(self._clock.now()), body_of(event, url)
        headers = {
            "Content-Type": "application/json",
            f"{HEADER}Message-Id": message,
            f"{HEADER}Message-Retry": str(tries),
            f"{HEADER}Message-Type": "notification",
            f"{HEADER}Message-Signature": signature(self._settings.secret, message, timestamp, body),
            f"{HEADER}Message-Timestamp": timestamp,
            f"{HEADER}Subscription-Type": event.kind,
            f"{HEADER}Subscription-Version": "1",
        }
        try:
            async with asyncio.timeout(TIMEOUT):
                request = self._http.build_request("POST", url, content=body, headers=headers)
                response = await self._http.send(request, stream=True)
                await response.aclose()
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            return f"{type(error).__name__}: {error}"
        return "" if response.is_success else f"status {response.status_code}"


def _written(seconds: float) -> str:
    """A time as EventSub writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
