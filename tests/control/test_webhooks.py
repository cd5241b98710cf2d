"""Webhooks: in order, at least once, signed, and across restarts."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import msgspec
import pytest

from godwit.clock import FakeClock
from godwit.control.webhooks import FIRST_PAUSE, LONGEST_PAUSE, LOOK, Webhooks, hook_id, message_id, wanted
from godwit.errors import StoreUnavailable
from godwit.rollout.values import Event
from godwit.settings import WebhookSettings
from tests.control.http_world import HttpServer, Request, http_server
from tests.control.outside_world import Pauses, until

SECRET = "a-secret-of-mine"


class Feed:
    """A feed that a test writes to."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.cursors: dict[str, int] = {}
        self.away = False

    def write(self, *kinds: str, channel: str = "") -> None:
        """Something happened."""
        for kind in kinds:
            number = len(self.events) + 1
            self.events.append(Event(kind, 1_000_000.0 + number, channel, "r1", {"n": number}, number))

    def _answer(self) -> None:
        if self.away:
            raise StoreUnavailable("away")

    async def feed(
        self, *, after: int, public: bool = False, rollout: str | None = None, limit: int = 1000
    ) -> list[Event]:
        """What happened after a number."""
        self._answer()
        return [event for event in self.events if event.number > after][:limit]

    async def last_event(self) -> int:
        """The highest number."""
        self._answer()
        return len(self.events)

    async def webhook_cursor(self, hook: str) -> int | None:
        """How far a webhook is."""
        self._answer()
        return self.cursors.get(hook)

    async def set_webhook_cursor(self, hook: str, number: int) -> None:
        """How far it is now."""
        self._answer()
        self.cursors[hook] = number


class World:
    """A feed, a clock, and webhooks that may be started again."""

    def __init__(self) -> None:
        self.feed = Feed()
        self.clock = FakeClock(1_000_000.0)
        self.pauses = Pauses()

    @asynccontextmanager
    async def posting(
        self, *urls: str, kinds: tuple[str, ...] = (), keep: float = 100.0, leads: Callable[[], bool] = lambda: True
    ) -> AsyncIterator[Webhooks]:
        """Webhooks that run."""
        settings = WebhookSettings(urls, SECRET, kinds, keep)
        async with httpx.AsyncClient(trust_env=False) as http:
            webhooks = Webhooks(self.feed, http, self.clock, settings, leads=leads, sleep=self.pauses)
            task = asyncio.create_task(webhooks.run())
            try:
                await until(
                    lambda: all(hook_id(url) in self.feed.cursors for url in urls) or self.feed.away or not leads()
                )
                yield webhooks
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    async def cursor(self, url: str, number: int) -> None:
        """Wait until it is known that a webhook has come so far."""
        await until(lambda: self.feed.cursors.get(hook_id(url)) == number)


def numbers(server: HttpServer) -> list[int]:
    """The events that came, in order."""
    return [msgspec.json.decode(request.body)["event"]["number"] for request in server.requests]


def take(request: Request) -> tuple[int, bytes]:
    """A receiver that is content."""
    return 204, b""


async def test_events_arrive_signed_and_in_order() -> None:
    world = World()
    world.feed.write("moved", "moved")  # before the webhook was known
    async with http_server(take) as server, world.posting(url := server.url + "/hook") as webhooks:
        world.feed.write("moved", "rollout.started", channel="room")
        webhooks.wake()
        await world.cursor(url, 4)
        assert numbers(server) == [3, 4]
        assert webhooks.statistics() == {"delivered": 2, "dropped": 0}
    request = server.requests[0]
    head = request.headers
    assert (request.method, request.path, head["content-type"]) == ("POST", "/hook", "application/json")
    body = msgspec.json.decode(request.body)
    assert body["subscription"]["type"] == head["twitch-eventsub-subscription-type"] == "moved"
    assert body["event"] == {
        "number": 3,
        "kind": "moved",
        "time": "1970-01-12T13:46:43.000Z",
        "channel": "room",
        "rollout": "r1",
        "details": {"n": 3},
    }
    assert head["twitch-eventsub-message-type"] == "notification"
    assert head["twitch-eventsub-message-timestamp"] == "1970-01-12T13:46:40.000Z"
    signed = (head["twitch-eventsub-message-id"] + head["twitch-eventsub-message-timestamp"]).encode() + request.body
    expected = "sha256=" + hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert head["twitch-eventsub-message-signature"] == expected


async def test_what_is_not_taken_comes_again_before_anything_newer_with_the_same_id() -> None:
    world = World()
    answers = [500, 404, 302, 200, 200]

    async with http_server(lambda request: (answers.pop(0), b"")) as server, world.posting(server.url) as webhooks:
        world.feed.write("moved", "default")
        webhooks.wake()
        for pause in (1.0, 2.0, 4.0):
            await until(lambda pause=pause: pause in world.pauses.begun)  # type: ignore[misc]
            world.pauses.let_pass(pause)
        await world.cursor(server.url, 2)
    assert numbers(server) == [1, 1, 1, 1, 2]
    assert [request.headers["twitch-eventsub-message-retry"] for request in server.requests] == list("01230")
    ids = [request.headers["twitch-eventsub-message-id"] for request in server.requests]
    assert ids == 4 * [message_id(world.feed.events[0])] + [message_id(world.feed.events[1])]


async def test_after_a_restart_it_goes_on_where_it_was() -> None:
    world = World()
    async with http_server(take) as server:
        async with world.posting(server.url) as webhooks:
            world.feed.write("moved")
            webhooks.wake()
            await world.cursor(server.url, 1)
        world.feed.write("moved", "moved")
        async with world.posting(server.url):
            await world.cursor(server.url, 3)
        assert numbers(server) == [1, 2, 3]


async def test_an_event_that_nobody_takes_is_given_up_when_it_is_old() -> None:
    world = World()

    def answer(request: Request) -> tuple[int, bytes]:
        return (503 if numbers(server)[-1] == 1 else 200), b""

    async with http_server(answer) as server, world.posting(server.url, keep=50.0) as webhooks:
        world.feed.write("moved", "moved")
        webhooks.wake()
        await until(lambda: FIRST_PAUSE in world.pauses.begun)
        world.clock.advance(60.0)
        world.pauses.let_pass(FIRST_PAUSE)
        await world.cursor(server.url, 2)
        assert webhooks.statistics() == {"delivered": 1, "dropped": 1}
    assert numbers(server) == [1, 1, 2]


async def test_only_kinds_that_are_wanted_and_no_hidden_rooms() -> None:
    world = World()
    async with http_server(take) as server, world.posting(server.url, kinds=("moved", "rollout.*")) as webhooks:
        world.feed.write("moved", "default", "rollout.gate", "retired")
        world.feed.write("moved", channel="godwit__probe_main")
        webhooks.wake()
        await world.cursor(server.url, 5)
    assert numbers(server) == [1, 3]


async def test_one_that_hangs_does_not_hold_up_another() -> None:
    world = World()

    def refuse(request: Request) -> tuple[int, bytes]:
        return 500, b""

    async with http_server(take) as good, http_server(refuse) as bad, world.posting(bad.url, good.url) as webhooks:
        world.feed.write("moved", "moved")
        webhooks.wake()
        await world.cursor(good.url, 2)
        await until(lambda: bool(bad.requests))
        assert world.feed.cursors[hook_id(bad.url)] == 0


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://[broken/", "http://a\u0000b/"])
async def test_who_is_not_there_is_tried_again(url: str) -> None:
    world = World()
    async with world.posting(url) as webhooks:
        world.feed.write("moved")
        webhooks.wake()
        await until(lambda: FIRST_PAUSE in world.pauses.begun)
        world.pauses.let_pass(FIRST_PAUSE)
        await until(lambda: 2 * FIRST_PAUSE in world.pauses.begun)


async def test_the_feed_is_looked_at_without_a_wake() -> None:
    world = World()
    async with http_server(take) as server, world.posting(server.url):
        world.feed.write("moved")
        await until(lambda: LOOK in world.pauses.begun)
        world.pauses.let_pass(LOOK)
        await world.cursor(server.url, 1)


async def test_a_store_that_is_away_is_waited_for() -> None:
    world = World()
    world.feed.away = True
    async with http_server(take) as server, world.posting(server.url) as webhooks:
        await until(lambda: FIRST_PAUSE in world.pauses.begun)
        world.feed.away = False
        world.pauses.let_pass(FIRST_PAUSE)
        await world.cursor(server.url, 0)
        world.feed.away = True
        world.feed.write("moved")
        webhooks.wake()
        await until(lambda: world.pauses.begun.count(FIRST_PAUSE) == 2)
        world.feed.away = False
        world.pauses.let_pass(FIRST_PAUSE)
        await world.cursor(server.url, 1)
    assert numbers(server) == [1]


async def test_a_fault_of_ours_is_waited_out() -> None:
    world = World()
    async with http_server(take) as server, world.posting(server.url) as webhooks:
        world.feed.write("moved")
        broken = world.feed.events
        world.feed.events = None  # type: ignore[assignment]
        webhooks.wake()
        await until(lambda: LONGEST_PAUSE in world.pauses.begun)
        world.feed.events = broken
        world.pauses.let_pass(LONGEST_PAUSE)
        await world.cursor(server.url, 1)


async def test_only_the_leader_posts_and_goes_on_where_the_one_before_was() -> None:
    world, leads = World(), False
    async with http_server(take) as server, world.posting(server.url, leads=lambda: leads) as webhooks:
        world.feed.write("moved", "moved", "moved")
        world.feed.cursors[hook_id(server.url)] = 1  # the other one has come so far
        webhooks.wake()
        await until(lambda: LOOK in world.pauses.begun)
        world.feed.cursors[hook_id(server.url)] = 2
        leads = True
        webhooks.wake()
        await world.cursor(server.url, 3)
    assert numbers(server) == [3]


async def test_many_events_come_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("godwit.control.webhooks.PAGE", 2)
    world = World()
    async with http_server(take) as server, world.posting(server.url) as webhooks:
        world.feed.write(*["moved"] * 5)
        webhooks.wake()
        await world.cursor(server.url, 5)
    assert numbers(server) == [1, 2, 3, 4, 5]


async def test_without_urls_nothing_is_posted() -> None:
    world = World()
    async with world.posting() as webhooks:
        world.feed.write("moved")
        webhooks.wake()
        await until(lambda: LOOK in world.pauses.begun)
        assert webhooks.statistics() == {"delivered": 0, "dropped": 0}


@pytest.mark.parametrize(
    ("kind", "kinds", "expected"),
    [
        ("moved", (), True),
        ("moved", ("moved",), True),
        ("moved", ("default",), False),
        ("rollout.gate", ("rollout.*",), True),
        ("rollouts", ("rollout.*",), False),
        ("rollout.gate", ("rollout",), False),
    ],
)
def test_kinds(kind: str, kinds: tuple[str, ...], expected: bool) -> None:
    assert wanted(kind, kinds) is expected


def test_an_url_is_not_its_id() -> None:
    assert "secret" not in hook_id("https://a.example/secret")
