"""Signed tokens of an identity provider (AUTH-3)."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from structlog.testing import capture_logs

from godwit.clock import FakeClock
from godwit.edge.auth.signed import REST, KeySet, Signed
from godwit.errors import IdentityUnavailable, InvalidSetting
from godwit.settings import AuthSettings
from godwit.store.memory import MemoryStore
from godwit.values import Account
from tests.edge.auth.keys import AUDIENCE, ISSUER, claims, key_set, signed

NOW = 1_000_000.0

pytestmark = pytest.mark.row("AUTH-3")


class World:
    """An authority whose provider tells its keys in a file."""

    def __init__(self, directory: Path) -> None:
        self.clock = FakeClock(NOW)
        self.store = MemoryStore(self.clock)
        self.file = directory / "keys.json"
        self.file.write_text(key_set("one", "two"))
        self.settings = AuthSettings(mode="jwt", jwks=str(self.file), audience=AUDIENCE, issuer=ISSUER)
        self.judge = Signed(self.settings, self.store, self.clock)

    def set(self, **changed: Any) -> None:
        """Change settings."""
        self.judge = Signed(replace(self.settings, **changed), self.store, self.clock)

    async def lets_in(self, *, nick: str = "ann", by: str = "one", **changed: Any) -> bool:
        """Whether a token lets somebody in, with these claims changed."""
        return await self.judge.check(nick, signed(claims(self.clock.now(), **changed), by)) is not None


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    found = World(tmp_path)
    yield found
    await found.judge.close()


async def test_a_good_token(world: World) -> None:
    grant = await world.judge.check("ann", signed(claims(NOW)))
    assert grant is not None
    assert grant.account == Account("7", "ann") == await world.store.account("ann")
    assert grant.scopes == frozenset({"openid", "chat:read", "chat:edit"})
    assert (grant.expires, grant.token) == (NOW + 3600, "")
    assert await world.judge.check("ann", signed(claims(NOW), "two"))


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": NOW},
        {"exp": None},
        {"exp": "soon"},
        {"nbf": NOW + 60},
        {"aud": "somebody else"},
        {"aud": None},
        {"iss": "https://id.example.com/"},
        {"iss": None},
        {"preferred_username": "bob"},
        {"preferred_username": None},
        {"preferred_username": "no login"},
        {"sub": None},
        {"sub": "7;8"},
    ],
)
async def test_claims_that_let_nobody_in(world: World, changed: dict[str, Any]) -> None:
    token_claims = claims(NOW, **changed)
    # The library refuses to sign some of this: what others sign may be anything.
    header = {"alg": "ES256", "kid": "one"}
    token = jwt.PyJWS().encode(json.dumps(token_claims).encode(), _key(), "ES256", headers=header)
    assert await world.judge.check("ann", token) is None
    assert await world.store.accounts() == []


def _key() -> Any:
    from tests.edge.auth.keys import key

    return key("one")


async def test_signatures_that_let_nobody_in(world: World) -> None:
    good = signed(claims(NOW))
    head, body, _ = good.split(".")
    unsigned = base64.urlsafe_b64encode(b'{"alg":"none","kid":"one"}').decode().rstrip("=")
    public = "the key set is known to all"
    for bad in (
        signed(claims(NOW), "other"),
        signed(claims(NOW), "two", key_id="one"),
        signed(claims(NOW), key_id=None),  # there are two keys, and it names none
        f"{head}.{body}.",
        f"{unsigned}.{body}.",
        jwt.encode(claims(NOW), public.ljust(32), "HS256", headers={"kid": "one"}),
        "a.b.c",
        "..",
        "no token at all.",
    ):
        assert await world.judge.check("ann", bad) is None
    assert await world.judge.check("ann", good)


async def test_a_single_key_needs_no_name(world: World) -> None:
    world.file.write_text(key_set("one"))
    assert await world.judge.check("ann", signed(claims(NOW), key_id=None))


async def test_the_clock_of_the_provider_may_be_a_little_ahead(world: World) -> None:
    assert await world.lets_in(nbf=NOW + 4)


async def test_claims_are_called_what_the_settings_say(world: World) -> None:
    world.set(login_claim="chat.nick", user_id_claim="", scopes_claim="", issuer="")
    assert await world.lets_in(chat={"nick": "ann"}, iss=None, sub=None, scope=None, preferred_username=None)
    grant = await world.judge.check("ann", signed(claims(NOW, chat={"nick": "ann"})))
    assert grant is not None
    assert (grant.scopes, grant.account.user_id) == (None, "1")


async def test_who_has_no_scopes_has_none(world: World) -> None:
    grant = await world.judge.check("ann", signed(claims(NOW, scope=None)))
    assert grant is not None
    assert grant.scopes == frozenset()


async def test_an_account_that_is_somebody_else_in_the_store(world: World) -> None:
    await world.store.add_account(Account("8", "ann"))
    await world.store.add_account(Account("9", "cid"))
    with capture_logs() as logs:
        assert not await world.lets_in()
        assert not await world.lets_in(nick="dan", preferred_username="dan", sub="9")
    assert [entry["login"] for entry in logs if entry["event"] == "identity_differs"] == ["ann", "dan"]


async def test_tokens_of_the_store_are_valid_too(world: World) -> None:
    await world.store.add_account(Account("", "bot"))
    await world.store.add_token("bot", "secret", ["chat:read"], NOW)
    assert await world.judge.check("bot", "secret")
    assert await world.judge.check("ann", "secret") is None


@pytest.mark.row("AUTH-7")
async def test_what_was_issued_before_all_of_an_account_ended(world: World) -> None:
    assert await world.lets_in()
    world.clock.advance(10.0)
    await world.store.end_account("7", world.clock.now())
    assert not await world.lets_in(iat=NOW)
    assert not await world.lets_in(iat=None)
    world.clock.advance(1.0)
    assert await world.lets_in()


# the keys ---------------------------------------------------------------------------------------


async def test_a_new_key_is_found_soon(world: World) -> None:
    assert not await world.lets_in(by="new")
    world.file.write_text(key_set("one", "new"))
    assert not await world.lets_in(by="new")  # it was looked for a moment ago
    world.clock.advance(REST)
    assert await world.lets_in(by="new")
    assert not await world.lets_in(by="two")


async def test_a_key_that_was_taken_back_is_forgotten(world: World) -> None:
    assert await world.lets_in(by="two")
    world.file.write_text(key_set("one"))
    world.clock.advance(world.settings.jwks_refresh - 1)
    assert await world.lets_in(by="two")
    world.clock.advance(1.0)
    assert not await world.lets_in(by="two")


@pytest.mark.parametrize("text", ["", "{}", "no json", '{"keys": 7}', '{"keys": [7]}', '{"keys": []}', "[]", None])
async def test_keys_that_cannot_be_read(world: World, text: str | None) -> None:
    assert await world.lets_in()
    if text is None:
        world.file.unlink()
    else:
        world.file.write_text(text)
    fresh = Signed(world.settings, world.store, world.clock)
    with pytest.raises(InvalidSetting, match=r"auth\.jwks"):
        await fresh.open()
    with pytest.raises(IdentityUnavailable):
        await fresh.check("ann", signed(claims(NOW)))
    await fresh.close()
    world.clock.advance(world.settings.jwks_refresh)
    with capture_logs() as logs:
        assert await world.lets_in()  # with those it had
    assert "keys_not_read" in [entry["event"] for entry in logs]


async def test_a_key_that_everybody_knows_signs_nothing(world: World) -> None:
    secret = base64.urlsafe_b64encode(b"everybody knows this secret, sadly").decode().rstrip("=")
    world.file.write_text(json.dumps({"keys": [{"kty": "oct", "k": secret, "kid": "one", "alg": "HS256"}]}))
    with pytest.raises(InvalidSetting, match="no key"):
        await world.judge.open()


async def test_keys_from_a_url() -> None:
    clock, asked, answers = FakeClock(NOW), list[str](), [httpx.Response(503), httpx.Response(200, text=key_set("one"))]

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return answers[0] if len(answers) == 1 else answers.pop(0)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        keys = KeySet("https://id.example.net/keys", 300.0, clock, http)
        with pytest.raises(IdentityUnavailable):
            await keys.load()
        assert await keys.key("one") is not None
        assert await keys.key("one") is not None
        assert asked == ["https://id.example.net/keys"] * 2


async def test_a_provider_that_does_not_answer_at_the_start(world: World) -> None:
    world.set(jwks="http://127.0.0.1:9/keys")
    with capture_logs() as logs:
        await world.judge.open()
    assert [entry["event"] for entry in logs] == ["keys_not_read"]
