"""The plain webhook for streams that begin and end (HTTP-hooks-live)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from godwit.errors import InvalidRequest
from godwit.settings import LiveSettings
from godwit.web import hooks
from tests.docs import ROOT
from tests.web.conftest import World
from tests.web.test_directory import one_line_error

pytestmark = pytest.mark.row("HTTP-hooks-live")

TOKEN = "stream-token"

NGINX = (
    "app=live&flashver=FMLE/3.0%20%28compatible%3B%20FMSc/1.0%29&swfurl=&tcurl=rtmp://127.0.0.1:1935/live&pageurl="
    "&addr=127.0.0.1&clientid=1&call={call}&name={name}"
)
"""What nginx-rtmp sends; `publish` has `&type=live` behind it, then whatever the publisher appended."""


@pytest.fixture
async def server(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """A stream server: it has the webhook's token, not the admin's."""
    world.more["live"] = LiveSettings(token=TOKEN)
    async with world.client(None) as client:
        yield client


def form(text: str) -> tuple[str, bytes]:
    """A form as it comes in."""
    return hooks.FORM, text.encode()


@pytest.mark.parametrize(
    ("query", "kind", "body", "expected"),
    [
        ({}, *form("channel=alice&state=online"), ("alice", True)),
        ({}, *form("channel=%23Alice&state=OFFLINE"), ("alice", False)),
        ({"channel": "alice", "state": "offline"}, "", b"", ("alice", False)),
        ({"state": "online"}, *form("path=live/alice"), ("alice", True)),
        ({"state": "not_ready"}, *form("path=alice/"), ("alice", False)),
        ({}, "application/json; charset=utf-8", b'{"key": "alice", "event": "unpublish", "n": 1}', ("alice", False)),
        ({}, *form(NGINX.format(call="publish", name="alice") + "&type=live"), ("alice", True)),
        ({}, *form(NGINX.format(call="publish_done", name="alice")), ("alice", False)),
    ],
)
def test_what_stream_servers_say(query: dict[str, str], kind: str, body: bytes, expected: tuple[str, bool]) -> None:
    """In the address, in a form, in JSON; as nginx-rtmp and MediaMTX put it."""
    assert hooks.report(query, kind, body) == expected


@pytest.mark.parametrize(
    "appended",
    ["&name=bob", "&channel=bob", "&path=bob", "&state=offline", "&call=publish_done", "&key=bob&event=offline"],
)
def test_what_a_publisher_appends_says_nothing(appended: str) -> None:
    """nginx-rtmp sends a publisher's own parameters along, unescaped: nobody speaks for another's channel."""
    body = NGINX.format(call="publish", name="alice") + "&type=live" + appended
    assert hooks.report({}, *form(body)) == ("alice", True)


def test_the_recipes_are_read_as_they_stand() -> None:
    """The forms of docs/live.md, in their order."""
    page = (ROOT / "docs/live.md").read_text(encoding="utf-8")
    forms = re.findall(r"-d '(app=[^']*)'", page)
    assert [hooks.report({}, *form(text)) for text in forms] == [("alice", True), ("alice", False)]
    states = re.findall(r"-d state=(\w+) -d path=\$MTX_PATH", page)
    assert [hooks.report({}, *form(f"state={state}&path=live/alice")) for state in states] == [
        ("alice", True),
        ("alice", False),
    ]


def test_the_configured_address_goes_before_the_body() -> None:
    """What the operator wrote cannot be overruled by who publishes."""
    assert hooks.report({"state": "online", "channel": "alice"}, *form("channel=bob&state=offline")) == ("alice", True)


@pytest.mark.parametrize(
    ("kind", "body", "hint"),
    [
        (*form(""), "which channel"),
        (*form("state=online"), "which channel"),
        (*form("channel=alice"), "state="),
        (*form("channel=alice&state=perhaps"), "'perhaps'"),
        (*form("call=play&name=alice"), "'play'"),
        (*form("channel=a b&state=online"), "cannot be a channel"),
        (*form("channel=%ff%fe&state=online"), "cannot be a channel"),
        (*form("&".join("a=1" for _ in range(200))), "too many"),
        ("application/json", b"[1]", "not a JSON object"),
        ("application/json", b"\xff", "not a JSON object"),
        ("multipart/form-data; boundary=x", b"--x", "not as 'multipart/form-data"),
    ],
)
def test_what_cannot_be_read_is_refused(kind: str, body: bytes, hint: str) -> None:
    """With what is missing."""
    with pytest.raises(InvalidRequest, match=hint):
        hooks.report({}, kind, body)


async def test_a_stream_begins_and_ends(world: World, server: httpx.AsyncClient) -> None:
    """Stored, told to the audit, and the controller is woken: a channel that went offline may move now."""
    response = await server.post(f"/hooks/live?token={TOKEN}", data={"channel": "alice", "state": "online"})
    assert (response.status_code, response.content) == (204, b"")
    assert await world.store.is_live("alice")
    await server.post("/hooks/live?channel=alice&state=offline", headers={"Authorization": f"Bearer {TOKEN}"})
    assert not await world.store.is_live("alice")
    assert len(world.wishes) == 2
    assert [(line.actor, line.action, line.subject) for line in await world.store.audit_log()] == [
        ("webhook", "offline", "alice"),
        ("webhook", "live", "alice"),
    ]


@pytest.mark.parametrize("query", ["", "?token=", "?token=wrong", "?token=the-admin-token", "?token=%C3%A4"])
async def test_without_the_token_nothing_happens(world: World, server: httpx.AsyncClient, query: str) -> None:
    """403, saying what to send."""
    response = await server.post(f"/hooks/live{query}", data={"channel": "alice", "state": "online"})
    assert response.status_code == 403
    assert "live.token" in one_line_error(response)
    assert not await world.store.is_live("alice")
    assert not world.wishes


async def test_without_a_configured_token_it_is_closed(world: World, stranger: httpx.AsyncClient) -> None:
    """An empty token lets nobody in, not everybody."""
    response = await stranger.post("/hooks/live?token=", data={"channel": "alice", "state": "online"})
    assert response.status_code == 403
    assert "set live.token" in one_line_error(response)
    assert not await world.store.is_live("alice")


async def test_a_report_that_cannot_be_read_is_told(server: httpx.AsyncClient) -> None:
    """400, one line."""
    response = await server.post(f"/hooks/live?token={TOKEN}", data={"channel": "alice"})
    assert response.status_code == 400
    one_line_error(response)
