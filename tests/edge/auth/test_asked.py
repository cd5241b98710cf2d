"""Tokens that a webhook knows (AUTH-4)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from godwit.clock import FakeClock
from godwit.edge.auth.asked import Asked
from godwit.errors import IdentityUnavailable
from godwit.settings import AuthSettings
from godwit.store.memory import MemoryStore
from godwit.values import Account

NOW = 1_000_000.0

pytestmark = pytest.mark.row("AUTH-4")

ANN = {"login": "ann", "user_id": "7", "display_name": "Ann", "scopes": ["chat:read"], "expires": NOW + 60}


class World:
    """An authority whose webhook a test plays."""

    def __init__(self) -> None:
        self.clock = FakeClock(NOW)
        self.store = MemoryStore(self.clock)
        self.asked: list[httpx.Request] = []
        self.answer: httpx.Response | Exception = httpx.Response(200, json=ANN)
        settings = AuthSettings(mode="webhook", webhook_url="https://id.example.net/chat", webhook_secret="hush")
        http = httpx.AsyncClient(transport=httpx.MockTransport(self._hear))
        self.judge = Asked(settings, self.store, self.clock, http)

    def _hear(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
async def world() -> AsyncIterator[World]:
    found = World()
    yield found
    await found.judge.close()


async def test_it_is_asked_and_believed(world: World) -> None:
    grant = await world.judge.check("ann", "s3cret")
    assert grant is not None
    assert grant.account == Account("7", "ann", "Ann") == await world.store.account("ann")
    assert (grant.scopes, grant.expires, grant.token) == (frozenset({"chat:read"}), NOW + 60, "")
    (request,) = world.asked
    assert (request.method, str(request.url)) == ("POST", "https://id.example.net/chat")
    assert request.headers["authorization"] == "Bearer hush"
    assert json.loads(request.content) == {"token": "s3cret", "login": "ann"}


async def test_an_answer_is_good_for_a_moment(world: World) -> None:
    assert await world.judge.check("ann", "one")
    assert await world.judge.check("ann", "one")
    assert await world.judge.check("ann", "two")
    assert len(world.asked) == 2
    world.clock.advance(5.0)
    world.answer = httpx.Response(401)
    assert await world.judge.check("ann", "one") is None
    assert await world.judge.check("ann", "one") is None
    assert len(world.asked) == 4  # that somebody is refused is not kept


@pytest.mark.row("AUTH-7")
async def test_no_answer_outlives_a_revocation(world: World) -> None:
    assert await world.judge.check("ann", "one")
    world.judge.forget("8")
    assert await world.judge.check("ann", "one")
    world.judge.forget("7")
    world.answer = httpx.Response(401)
    assert await world.judge.check("ann", "one") is None


async def test_a_token_of_somebody_else(world: World) -> None:
    assert await world.judge.check("bob", "s3cret") is None
    assert await world.judge.check("ann", "s3cret")
    assert await world.judge.check("bob", "s3cret") is None


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_it_says_no(world: World, status: int) -> None:
    world.answer = httpx.Response(status)
    assert await world.judge.check("ann", "s3cret") is None


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500),
        httpx.Response(302, headers={"location": "https://elsewhere.example.net/"}),
        httpx.Response(200, text="no json"),
        httpx.Response(200, json=["ann"]),
        httpx.Response(200, json={"user_id": "7"}),
        httpx.Response(200, json={"login": "ann", "user_id": "7;8"}),
        httpx.Response(200, json=ANN | {"expires": "soon"}),
        httpx.ConnectError("nobody there"),
        httpx.ReadTimeout("too slow"),
    ],
)
async def test_it_does_not_answer_or_not_in_a_way_that_can_be_read(world: World, answer: Any) -> None:
    world.answer = answer
    with pytest.raises(IdentityUnavailable, match="webhook_url"):
        await world.judge.check("ann", "s3cret")
    assert await world.store.accounts() == []


async def test_what_it_leaves_out(world: World) -> None:
    world.answer = httpx.Response(200, json={"login": "ann"})
    grant = await world.judge.check("ann", "s3cret")
    assert grant is not None
    assert (grant.account, grant.scopes, grant.expires) == (Account("1", "ann"), None, 0.0)


async def test_tokens_of_the_store_are_valid_too(world: World) -> None:
    await world.store.add_account(Account("", "bot"))
    await world.store.add_token("bot", "own", [], NOW)
    assert await world.judge.check("bot", "own")
    assert world.asked == []
