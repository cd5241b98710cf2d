"""What others say of somebody, made ours (AUTH-3, AUTH-4)."""

from __future__ import annotations

import pytest

from godwit.edge.auth.claims import account_of, claim, scopes_of
from godwit.values import Account


@pytest.mark.parametrize(
    ("login", "user_id", "display_name", "found"),
    [
        ("ann", "7", None, Account("7", "ann")),
        ("Ann", 7, "Ann", Account("7", "ann", "Ann")),
        ("ann", None, None, Account("", "ann")),
        ("ann", "auth0|5f7c", None, Account("auth0|5f7c", "ann")),
        ("ann", "7", "Somebody Else", Account("7", "ann")),
        ("ann", "7", 8, Account("7", "ann")),
        ("no login", "7", None, None),
        ("", "7", None, None),
        (None, "7", None, None),
        (["ann"], "7", None, None),
        ("ann", "", None, None),
        ("ann", "7;x", None, None),
        ("ann", "7 8", None, None),
        ("ann", True, None, None),
        ("ann", {"id": 7}, None, None),
        ("ann", "x" * 65, None, None),
    ],
)
def test_accounts(login: object, user_id: object, display_name: object, found: Account | None) -> None:
    assert account_of(login, user_id, display_name) == found


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ("chat:read  chat:edit", {"chat:read", "chat:edit"}),
        (["chat:read", 7], {"chat:read"}),
        ("", set()),
        (None, set()),
        ({"chat:read": True}, set()),
    ],
)
def test_scopes(told: object, found: set[str]) -> None:
    assert scopes_of(told) == found


def test_claims_in_objects() -> None:
    claims = {"a": {"b": "deep"}, "https://example.net/a": "whole", "n": None}
    assert claim(claims, "a.b") == "deep"
    assert claim(claims, "https://example.net/a") == "whole"
    assert [claim(claims, name) for name in ("a.c", "a.b.c", "x", "n")] == [None] * 4
