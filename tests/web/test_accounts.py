"""Accounts with their facts, by HTTP (HTTP-accounts)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from godwit.values import Account, derived_id
from tests.web.conftest import World
from tests.web.test_directory import one_line_error


@pytest.mark.row("HTTP-accounts")
async def test_an_account(world: World, http: httpx.AsyncClient) -> None:
    """HTTP-accounts: shown, changed where it is named; the audit says by whom and why."""
    shown = (await http.get("/accounts/@Alice")).json()
    assert shown == {
        "user_id": "42",
        "login": "alice",
        "display_name": "Alice",
        "color": "",
        "user_type": "",
        "bot": "",
        "badges": [],
        "suspended": False,
        "channel_suspended": False,
    }
    new = {"color": "#FF0000", "badges": ["partner/1", "turbo/1"], "suspended": True}
    answer = await http.put("/accounts/alice", json=new | {"by": "carol", "reason": "spam"})
    assert answer.json() == shown | new
    assert await world.store.account("alice") == Account(
        "42", "alice", "Alice", "#FF0000", badges=("partner/1", "turbo/1"), suspended=True
    )
    (line,) = await world.store.audit_log()
    assert (line.actor, line.action, line.subject, line.reason) == ("carol", "account set", "alice", "spam")
    assert line.details == "color '#FF0000', badges ('partner/1', 'turbo/1'), suspended True"
    more = {"user_type": "staff", "bot": "known", "display_name": "A", "color": "", "channel_suspended": True}
    assert (await http.put("/accounts/alice", json=more)).json() == shown | new | more


@pytest.mark.parametrize("badges", ["partner/1, turbo/1", "partner/1 turbo/1"])
async def test_badges_as_text(http: httpx.AsyncClient, badges: str) -> None:
    """As CSV has them."""
    assert (await http.put("/accounts/alice", json={"badges": badges})).json()["badges"] == ["partner/1", "turbo/1"]


@pytest.mark.parametrize(
    "body",
    [
        {"color": "red"},
        {"color": "#12345"},
        {"user_type": "mod"},
        {"bot": "yes"},
        {"badges": ["partner"]},
        {"badges": ["a;b/1"]},
        {"badges": ["a/1"] * 11},
        {"suspended": "perhaps"},
        {"display_name": "x" * 51},
        {"login": "bob"},
        {"by": ""},
    ],
)
async def test_what_cannot_be(world: World, http: httpx.AsyncClient, body: dict[str, Any]) -> None:
    """400, one line, and nothing is changed."""
    response = await http.put("/accounts/alice", json=body)
    assert response.status_code == 400
    one_line_error(response)
    assert await world.store.account("alice") == Account("42", "alice", "Alice")


async def test_no_such_account(http: httpx.AsyncClient) -> None:
    """404, and what to do."""
    for response in (await http.get("/accounts/bob"), await http.put("/accounts/bob", json={})):
        assert response.status_code == 404
        assert one_line_error(response) == "there is no account bob: add it first (godwit account add bob)"
    assert (await http.get("/accounts/no login")).status_code == 400


async def test_accounts_are_added_with_the_id_that_they_will_have(world: World) -> None:
    """With open authentication user ids are derived; should somebody have it already, the store chooses another."""
    world.more["user_id"] = derived_id
    async with world.client() as http:
        added = await http.post("/accounts", json={"login": "bob"})
        assert added.json()["user_id"] == derived_id("bob")
        await world.store.add_account(Account(derived_id("carol"), "rival"))
        assert (await http.post("/accounts", json={"login": "carol"})).json()["user_id"] == "43"
