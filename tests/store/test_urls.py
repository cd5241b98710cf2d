"""URLs with and without their passwords."""

from __future__ import annotations

import pytest

from godwit.store import urls


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://ann@db.example/godwit", "postgresql://ann@db.example/godwit"),
        ("postgresql://ann:s3cret@db.example:5433/godwit", "postgresql://ann:***@db.example:5433/godwit"),
        ("postgresql://ann:a:b@one,two/x", "postgresql://ann:***@one,two/x"),
        ("postgresql://db/x?user=ann&password=s3cret", "postgresql://db/x?user=ann&password=***"),
        ("postgres:///x?host=/run/pg", "postgres:///x?host=/run/pg"),
    ],
)
def test_shown(url: str, told: str) -> None:
    """Everything but the password."""
    assert urls.shown(url) == told


@pytest.mark.parametrize(
    ("url", "whole"),
    [
        ("postgresql://ann@db/x", "postgresql://ann:a%3Ab%40%2F@db/x"),
        (
            "postgresql://ann:old@one:1,two:2/x?sslmode=require",
            "postgresql://ann:a%3Ab%40%2F@one:1,two:2/x?sslmode=require",
        ),
    ],
)
def test_with_password(url: str, whole: str) -> None:
    """Whatever characters it has, and in place of another."""
    assert urls.with_password(url, "a:b@/") == whole


def test_is_postgres() -> None:
    """By the scheme."""
    assert urls.is_postgres("postgresql://x/y")
    assert urls.is_postgres("postgres://x/y")
    assert not urls.is_postgres("sqlite+aiosqlite:///x")
