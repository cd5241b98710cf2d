"""The URLs of databases, as operators write them; imports nothing heavy."""

from __future__ import annotations

from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit

SCHEMES = ("postgresql", "postgres")


def is_postgres(url: str) -> bool:
    """Say whether the URL is that of a PostgreSQL."""
    return urlsplit(url).scheme in SCHEMES


def with_password(url: str, password: str) -> str:
    """The URL with a password in place of its own."""
    parts = urlsplit(url)
    user, _, hosts = parts.netloc.rpartition("@")
    return _joined(parts, f"{user.partition(':')[0]}:{quote(password, safe='')}@{hosts}", parts.query)


def shown(url: str) -> str:
    """The URL as it may be shown: without its password."""
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    options = [(name, "***" if name == "password" else value) for name, value in parse_qsl(parts.query)]
    masked = f"{user.partition(':')[0]}:***" if ":" in user else user
    return _joined(parts, masked + at + hosts, urlencode(options, safe="/*"))


def _joined(parts: SplitResult, netloc: str, query: str) -> str:
    return f"{parts.scheme}://{netloc}{parts.path}{'?' if query else ''}{query}"
