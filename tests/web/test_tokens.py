"""Tokens, listed and revoked (HTTP-tokens)."""

from __future__ import annotations

import httpx
import pytest

from godwit.store.base import Ending
from tests.web.conftest import World

pytestmark = pytest.mark.row("HTTP-tokens")


async def made(http: httpx.AsyncClient, **body: object) -> dict[str, object]:
    """A new token of alice's."""
    found: dict[str, object] = (await http.post("/accounts/alice/token", json=body)).json()
    return found


async def test_a_token_is_listed_and_revoked(world: World, http: httpx.AsyncClient) -> None:
    first, second = await made(http), await made(http, scopes=["chat:read"])
    assert (await http.delete(f"/accounts/Alice/tokens/{first['id']}?by=ann")).status_code == 204
    listed = (await http.get("/accounts/alice/tokens")).json()
    assert listed["login"] == "alice"
    rows = {row["id"]: (row["scopes"], row["revoked"]) for row in listed["tokens"]}
    assert rows == {first["id"]: (first["scopes"], True), second["id"]: (["chat:read"], False)}
    assert str(first["token"]) not in str(listed)
    assert await world.store.check_token(str(first["token"])) is None
    assert await world.store.check_token(str(second["token"])) is not None
    assert await world.store.endings(0) == [Ending(1, "42", str(first["id"]))]
    entry = (await world.store.audit_log())[0]
    assert (entry.actor, entry.action, entry.subject) == ("ann", "account revoke", "alice")


async def test_everything_that_lets_an_account_in_ends(world: World, http: httpx.AsyncClient) -> None:
    tokens = [await made(http), await made(http)]
    assert (await http.post("/accounts/alice/end", json={"by": "ann", "reason": "stolen"})).status_code == 204
    for token in tokens:
        assert await world.store.check_token(str(token["token"])) is None
    assert await world.store.void_before("42") == world.clock.now()
    entry = (await world.store.audit_log())[0]
    assert (entry.actor, entry.action, entry.subject, entry.reason) == ("ann", "account end", "alice", "stolen")
    assert (await http.post("/accounts/alice/end")).status_code == 204


async def test_what_is_not_there(world: World, http: httpx.AsyncClient) -> None:
    token = await made(http)
    for method, path, told in (
        ("GET", "/accounts/bob/tokens", "no account bob"),
        ("POST", "/accounts/bob/end", "no account bob"),
        ("DELETE", f"/accounts/bob/tokens/{token['id']}", "no account bob"),
        ("DELETE", "/accounts/alice/tokens/unknown", "godwit account tokens alice"),
    ):
        answer = await http.request(method, path)
        assert (answer.status_code, told in answer.json()["error"]) == (404, True)
    assert (await http.delete(f"/accounts/alice/tokens/{token['id']}")).status_code == 204
    assert (await http.delete(f"/accounts/alice/tokens/{token['id']}")).status_code == 404
