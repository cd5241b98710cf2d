"""Twitch EventSub as a webhook (HTTP-hooks-eventsub)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from godwit.clock import FakeClock
from godwit.errors import StoreUnavailable
from godwit.settings import LiveSettings
from godwit.web import eventsub
from tests.web.conftest import World
from tests.web.test_directory import one_line_error

pytestmark = pytest.mark.row("HTTP-hooks-eventsub")

SECRET = "s3cre77-and-long"


@pytest.fixture
async def twitch(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """Twitch, which has the secret and no token."""
    world.more["live"] = LiveSettings(eventsub_secret=SECRET)
    async with world.client(None) as client:
        yield client


def stream(kind: str, login: str = "alice") -> dict[str, Any]:
    """A notification."""
    return {
        "subscription": {"id": "f1c2", "type": kind, "version": "1", "status": "enabled", "cost": 0},
        "event": {"broadcaster_user_id": "42", "broadcaster_user_login": login, "broadcaster_user_name": "Alice"},
    }


async def send(
    client: httpx.AsyncClient,
    message: dict[str, Any] | bytes,
    *,
    at: float = 1_000_000.0,
    message_id: str = "m1",
    kind: str = "notification",
    secret: str = SECRET,
    timestamp: str | None = None,
) -> httpx.Response:
    """Send a message as Twitch does."""
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    if timestamp is None:
        # Twitch writes nanoseconds.
        timestamp = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.123456789Z")
    headers = {
        "Twitch-Eventsub-Message-Id": message_id,
        "Twitch-Eventsub-Message-Timestamp": timestamp,
        "Twitch-Eventsub-Message-Type": kind,
        "Twitch-Eventsub-Message-Signature": eventsub.signature(secret, message_id, timestamp, body),
    }
    return await client.post("/hooks/eventsub", content=body, headers=headers)


def test_the_signature_is_that_of_the_documentation() -> None:
    """HMAC-SHA256 over id, timestamp and body, in hexadecimal behind `sha256=` (computed with openssl)."""
    found = eventsub.signature("secret", "id", "2023-07-19T14:56:51Z", b'{"a":1}')
    assert found == "sha256=86c6e85a289358a1e854c0f3124c8ac88e99bd75ac82e3f326ba551be71ec227"


async def test_streams_begin_and_end(world: World, twitch: httpx.AsyncClient) -> None:
    """Stored, told to the audit, and the controller is woken."""
    assert (await send(twitch, stream("stream.online"))).status_code == 204
    assert await world.store.is_live("alice")
    assert (await send(twitch, stream("stream.offline"), message_id="m2")).status_code == 204
    assert not await world.store.is_live("alice")
    assert len(world.wishes) == 2
    newest = (await world.store.audit_log())[0]
    assert (newest.actor, newest.action, newest.subject, newest.details) == (
        "eventsub",
        "offline",
        "alice",
        "message m2",
    )


async def test_the_challenge_is_answered_as_text(twitch: httpx.AsyncClient) -> None:
    """Exactly what was sent, and no page."""
    challenge = {"challenge": "pogchamp-kappa-360noscope-vohiyo", "subscription": {"type": "stream.online"}}
    response = await send(twitch, challenge, kind="webhook_callback_verification")
    assert (response.status_code, response.text) == (200, "pogchamp-kappa-360noscope-vohiyo")
    assert response.headers["content-type"].startswith("text/plain")


async def test_a_revocation_is_logged(world: World, twitch: httpx.AsyncClient) -> None:
    """Nothing comes any more: somebody should know."""
    message = {"subscription": {"id": "f1c2", "type": "stream.online", "status": "authorization_revoked"}}
    with capture_logs() as logs:
        assert (await send(twitch, message, kind="revocation")).status_code == 204
    assert [(line["event"], line["status"]) for line in logs] == [("eventsub_revoked", "authorization_revoked")]
    assert not world.wishes


@pytest.mark.parametrize("changed", ["secret", "body", "id", "timestamp", "signature", "headers"])
async def test_what_was_not_signed_is_refused(world: World, twitch: httpx.AsyncClient, changed: str) -> None:
    """Whichever part is another one: 403, and nothing happens."""
    body = json.dumps(stream("stream.online")).encode()
    timestamp = datetime.fromtimestamp(1_000_000.0, UTC).isoformat()
    headers = {
        "Twitch-Eventsub-Message-Id": "m1",
        "Twitch-Eventsub-Message-Timestamp": timestamp,
        "Twitch-Eventsub-Message-Type": "notification",
        "Twitch-Eventsub-Message-Signature": eventsub.signature(
            "other" if changed == "secret" else SECRET, "m1", timestamp, body
        ),
    }
    match changed:
        case "body":
            body += b" "
        case "id":
            headers["Twitch-Eventsub-Message-Id"] = "m2"
        case "timestamp":
            headers["Twitch-Eventsub-Message-Timestamp"] = datetime.fromtimestamp(1_000_001.0, UTC).isoformat()
        case "signature":
            headers["Twitch-Eventsub-Message-Signature"] = "sha256="
        case "headers":
            headers = {}
    response = await twitch.post("/hooks/eventsub", content=body, headers=headers)
    assert response.status_code == 403
    assert "live.eventsub_secret" in one_line_error(response)
    assert not await world.store.is_live("alice")


async def test_without_a_configured_secret_it_is_closed(world: World, stranger: httpx.AsyncClient) -> None:
    """What is signed with the empty secret is not let in."""
    response = await send(stranger, stream("stream.online"), secret="")
    assert response.status_code == 403
    assert "set live.eventsub_secret" in one_line_error(response)


@pytest.mark.parametrize("at", [999_399.0, 1_000_601.0])
async def test_old_messages_and_those_from_the_future_are_refused(
    world: World, twitch: httpx.AsyncClient, at: float
) -> None:
    """Ten minutes either way."""
    assert (await send(twitch, stream("stream.online"), at=at)).status_code == 403
    assert not await world.store.is_live("alice")


async def test_a_message_that_comes_again_does_nothing(world: World, twitch: httpx.AsyncClient) -> None:
    """Twitch sends at least once; whoever listens in cannot play it again."""
    await send(twitch, stream("stream.online"))
    await world.store.set_live("alice", False, 0.0)
    assert (await send(twitch, stream("stream.online"))).status_code == 204
    assert not await world.store.is_live("alice")


async def test_a_late_message_does_not_undo_a_newer_one(world: World, twitch: httpx.AsyncClient) -> None:
    """A stream that ended does not run because its beginning was told late."""
    await send(twitch, stream("stream.offline"), at=1_000_010.0, message_id="m2")
    await send(twitch, stream("stream.online"), at=1_000_000.0, message_id="m1")
    assert not await world.store.is_live("alice")
    await send(twitch, stream("stream.online", "bob"), at=1_000_000.0, message_id="m3")
    assert await world.store.is_live("bob")


async def test_after_a_restart_the_stored_times_decide(world: World, twitch: httpx.AsyncClient) -> None:
    """The memory is gone; whoever listened in cannot play again what has been overtaken."""
    await send(twitch, stream("stream.online"), at=1_000_000.0)
    world.clock.advance(60)
    await send(twitch, stream("stream.offline"), at=1_000_060.0, message_id="m2")
    async with world.client(None) as restarted:
        with capture_logs() as logs:
            assert (await send(restarted, stream("stream.online"), at=1_000_000.0)).status_code == 204
        assert not await world.store.is_live("alice")
        (line,) = [line for line in logs if line["event"] == "eventsub_outdated"]
        assert (line["channel"], line["id"]) == ("alice", "m1")
        assert len(await world.store.audit_log()) == 2
        await send(restarted, stream("stream.online"), at=1_000_061.0, message_id="m3")
        assert await world.store.is_live("alice")


async def test_what_operators_said_later_stays(
    world: World, twitch: httpx.AsyncClient, http: httpx.AsyncClient
) -> None:
    """A message from before their change is answered and does nothing; one from after it counts."""
    world.clock.advance(30)
    await http.post("/channels/alice/live", json={"live": False})
    assert (await send(twitch, stream("stream.online"), at=1_000_029.0)).status_code == 204
    assert not await world.store.is_live("alice")
    assert (await send(twitch, stream("stream.online"), at=1_000_031.0, message_id="m2")).status_code == 204
    assert await world.store.is_live("alice")


async def test_a_message_that_comes_late_tells_of_its_own_time(world: World, twitch: httpx.AsyncClient) -> None:
    """What was sent between it and its coming is not older than it."""
    world.clock.advance(300)
    await send(twitch, stream("stream.online"), at=1_000_000.0)
    await send(twitch, stream("stream.offline"), at=1_000_100.0, message_id="m2")
    assert not await world.store.is_live("alice")
    assert (await world.store.candidates_of(["alice"]))[0].live_since == pytest.approx(1_000_100.123456)


async def test_two_messages_at_once_are_taken_in_turn(
    world: World, twitch: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The older one, which a slow store held up, does not overtake the newer one."""
    slow, write, begun = asyncio.Event(), world.store.set_live, asyncio.Event()

    async def set_live(channel: str, live: bool, now: float) -> None:
        begun.set()
        if live:
            await slow.wait()
        await write(channel, live, now)

    monkeypatch.setattr(world.store, "set_live", set_live)
    first = asyncio.create_task(send(twitch, stream("stream.online"), at=1_000_000.0))
    await begun.wait()
    second = asyncio.create_task(send(twitch, stream("stream.offline"), at=1_000_001.0, message_id="m2"))
    for _ in range(1000):
        await asyncio.sleep(0)
    slow.set()
    assert ((await first).status_code, (await second).status_code) == (204, 204)
    assert not await world.store.is_live("alice")


async def test_an_id_that_nobody_could_write_down(world: World, twitch: httpx.AsyncClient) -> None:
    """It would go into the audit."""
    assert (await send(twitch, stream("stream.online"), message_id="m\x7f1")).status_code == 400
    assert not await world.store.is_live("alice")


async def test_what_was_not_stored_may_come_again(
    world: World, twitch: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store did not answer: Twitch is told, tries again, and is heard."""

    async def silent(*_: object) -> None:
        raise StoreUnavailable("no answer")

    with monkeypatch.context() as patched:
        patched.setattr(world.store, "set_live", silent)
        assert (await send(twitch, stream("stream.online"))).status_code == 503
    assert (await send(twitch, stream("stream.online"))).status_code == 204
    assert await world.store.is_live("alice")


@pytest.mark.parametrize(
    ("message", "kind", "timestamp", "hint"),
    [
        (b"[", "notification", None, "not a JSON object"),
        ({"subscription": {}}, "notification", None, "subscription.type"),
        ({"subscription": {"type": "channel.follow"}}, "notification", None, "'channel.follow'"),
        ({"subscription": {"type": "stream.online"}}, "notification", None, "broadcaster_user_login"),
        (stream("stream.online", "not a name"), "notification", None, "cannot be a channel"),
        ({}, "webhook_callback_verification", None, "challenge"),
        ({}, "surprise", None, "'surprise'"),
        ({}, "notification", "yesterday", "RFC 3339"),
        ({}, "notification", "2023-07-19T14:56:51", "RFC 3339"),
    ],
)
async def test_what_cannot_be_read_is_refused(
    twitch: httpx.AsyncClient, message: dict[str, Any] | bytes, kind: str, timestamp: str | None, hint: str
) -> None:
    """400, one line."""
    response = await send(twitch, message, kind=kind, timestamp=timestamp)
    assert response.status_code == 400
    assert hint in one_line_error(response)


def test_only_so_many_messages_are_remembered_and_none_can_come_again() -> None:
    """What had to be forgotten early counts as too old."""
    clock = FakeClock()
    replays = eventsub.Replays(clock, remembered=2)
    now = clock.now()
    for number in range(3):
        replays.remember(f"m{number}", f"channel{number}", now + number)
    assert not replays.known("m0")
    assert not replays.timely(now)
    assert replays.timely(now + 0.5)
    assert replays.known("m1")
    assert replays.known("m2")


def test_messages_are_forgotten_after_the_window() -> None:
    """They would be too old by themselves."""
    clock = FakeClock()
    replays = eventsub.Replays(clock)
    old = clock.now()
    replays.remember("m1", "alice", old)
    clock.advance(eventsub.WINDOW + 1)
    replays.remember("m2", "bob", clock.now())
    assert not replays.known("m1")
    assert not replays.timely(old)
    assert not replays.outdated("alice", old - 1)
