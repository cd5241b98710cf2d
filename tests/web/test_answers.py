"""Failures are one line of JSON."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from structlog.testing import capture_logs

from godwit.web import answers
from godwit.web.answers import MAX_BODY, Guard
from tests.web.conftest import World
from tests.web.test_directory import one_line_error


async def test_nothing_there(stranger: httpx.AsyncClient) -> None:
    """404, saying where to look."""
    response = await stranger.get("/nothing")
    assert response.status_code == 404
    assert "/openapi.json" in one_line_error(response)


async def test_a_wrong_method(stranger: httpx.AsyncClient) -> None:
    """405."""
    response = await stranger.put("/servers")
    assert response.status_code == 405
    assert one_line_error(response) == "Method Not Allowed"


async def test_an_accident_of_ours_tells_an_id_and_nothing_else(
    world: World, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """500: the log holds the rest under that id."""

    async def broken(channel: str) -> bool:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(world.store, "is_live", broken)
    with capture_logs() as logs:
        response = await http.get("/channels/alice")
    assert response.status_code == 500
    text = one_line_error(response)
    (line,) = [line for line in logs if line["event"] == "request_failed"]
    assert line["id"] in text
    assert line["path"] == "/channels/alice"
    assert "secret" not in text


async def test_a_client_that_hangs_up_in_the_middle_of_its_request() -> None:
    """It is no fault of ours, and nobody is there to be answered."""
    told: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        told.append(message)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await Request(scope, receive).body()

    scope = {"type": "http", "method": "POST", "path": "/servers", "headers": []}
    with capture_logs() as logs:
        await Guard(app)(scope, receive, send)
    assert told == []
    assert [(line["event"], line["log_level"], line["path"]) for line in logs] == [("client_gone", "info", "/servers")]


async def test_a_body_that_is_too_long(stranger: httpx.AsyncClient) -> None:
    """413, whether its length was announced or not."""

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * (MAX_BODY // 10)

    response = await stranger.post("/servers", content=b" " * (MAX_BODY + 1))
    assert response.status_code == 413
    one_line_error(response)
    response = await stranger.post("/servers", content=endless())
    assert response.status_code == 413


def test_several_faults_are_told_one_by_one() -> None:
    """A line for each; `error` has them all on one line."""
    body = json.loads(bytes(answers.refusal(400, "a.toml:1: wrong\n\n a.toml:2:  wrong too\n").body))
    assert body == {
        "error": "a.toml:1: wrong; a.toml:2: wrong too",
        "errors": ["a.toml:1: wrong", "a.toml:2: wrong too"],
    }
    assert json.loads(bytes(answers.refusal(400, "wrong\n").body)) == {"error": "wrong"}


async def test_only_those_who_send_the_admin_token_may_send_much(
    http: httpx.AsyncClient, stranger: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rollout may name a million channels; strangers get the smaller bound."""
    body = {"toml": "#" * answers.MAX_BODY}
    assert (await http.post("/rollouts/plan", json=body)).status_code == 400
    assert (await stranger.post("/rollouts/plan", json=body)).status_code == 413
    monkeypatch.setattr(answers, "ADMIN_BODY", answers.MAX_BODY)
    assert (await http.post("/rollouts/plan", json=body)).status_code == 413
