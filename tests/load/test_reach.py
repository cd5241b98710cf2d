"""Whom a bench may be pointed at."""

from __future__ import annotations

import pytest

from godwit.load.crowd import LoadFailed
from godwit.load.reach import allow, is_near


@pytest.mark.parametrize(
    ("address", "near"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("10.1.2.3", True),
        ("192.168.0.9", True),
        ("172.16.0.1", True),
        ("172.32.0.1", False),
        ("169.254.1.1", True),
        ("fe80::1%eth0", True),
        ("fd00::1", True),
        ("8.8.8.8", False),
        ("2606:4700::1111", False),
        ("0.0.0.0", False),
    ],
)
def test_near(address: str, near: bool) -> None:
    """Loopback, private and link-local."""
    assert is_near(address) is near


def test_public_addresses_need_a_word() -> None:
    """The refusal says why, and what to do."""
    with pytest.raises(LoadFailed, match=r"public address.*attack.*--i-own-it"):
        allow("8.8.8.8:6667", owned=False)
    allow("8.8.8.8:6667", owned=True)
    allow("localhost:6667", owned=False)
    allow("[::1]:6667", owned=False)


@pytest.mark.parametrize("address", ["6667", "host", "host:", ":1", "host:x"])
def test_addresses_that_are_none(address: str) -> None:
    """The form is shown."""
    with pytest.raises(LoadFailed, match="give HOST:PORT"):
        allow(address, owned=True)


def test_a_host_that_nobody_knows() -> None:
    """Names it."""
    with pytest.raises(LoadFailed, match=r"nowhere\.invalid is not known"):
        allow("nowhere.invalid:6667", owned=False)
