"""What `godwit serve` tells whoever started it."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from godwit import config
from godwit.cli import banner
from tests.cli.conftest import told


def shown(*sets: str, clusters: dict[str, object] | None = None) -> str:
    """The banner as a narrow terminal would get it."""
    target = Console(file=io.StringIO(), width=60)
    what = told("http://127.0.0.1:8000")
    if clusters is not None:
        what["clusters"] = clusters
    settings = config.load(None, {}, sets).settings
    banner.show(settings, what, Path("somewhere/a/long/path/to/it/ready.json"), target)
    assert isinstance(target.file, io.StringIO)
    return target.file.getvalue()


def test_what_listens_where() -> None:
    """Every address of every cluster is there whole."""
    text = shown()
    for part in ("main", "aws", "127.0.0.1:6667", "127.0.0.1:6668", "ws://127.0.0.1:8080/", "http://127.0.0.1:8000"):
        assert part in text


def test_what_can_be_pasted_is_not_broken() -> None:
    """Whatever the width."""
    lines = shown().splitlines()
    assert "  export GODWIT_READY_FILE=somewhere/a/long/path/to/it/ready.json" in lines
    assert "  godwit chat '#alice' --nick bob" in lines
    assert "  godwit channel move '#alice' --to aws" in lines
    assert "    connection: { server: '127.0.0.1', port: 8080, secure: false, reconnect: true }," in lines
    assert "    options: { skipUpdatingEmotesets: true }," in lines  # else it looks them up on the network


def test_open_authentication_is_said() -> None:
    """In words."""
    text = shown()
    assert "any valid nick with any oauth: token may log in" in text
    assert "oauth:anything" in text


def test_tokens_are_explained() -> None:
    """And nothing says that anything would do."""
    text = shown("auth.mode=tokens")
    assert "godwit account token" in text
    assert "--password oauth:TOKEN" in text
    assert "anything" not in text


def test_no_secret_is_shown() -> None:
    """The admin token is in the ready file only."""
    assert "the-admin-token" not in shown()


def test_without_websockets() -> None:
    """No snippet that could not work."""
    text = shown(clusters={"main": {"tcp": "127.0.0.1:1", "tls": None, "ws": None}})
    assert "tmi.js" not in text
    assert "--to main" in text


def test_tls_is_shown_where_there_is_some() -> None:
    secure = {"tcp": None, "tls": "127.0.0.1:6697", "ws": None, "wss": "wss://127.0.0.1:8443/"}
    text = shown(clusters={"main": secure})
    assert "127.0.0.1:6697" in text
    assert "wss://127.0.0.1:8443/" in text
    assert "wss" not in shown()


def test_other_authorities_are_named() -> None:
    keys = ("auth.mode=jwt", "auth.jwks=keys.json", "auth.audience=chat")
    assert "Authentication is by tokens that the keys in keys.json have signed, or by tokens" in shown(*keys)
    assert "by auth.webhook_url, or" in shown("auth.mode=webhook", "auth.webhook_url=https://id.example.net/")
