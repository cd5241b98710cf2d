"""Times as people read them."""

from __future__ import annotations

from godwit.cli.times import clock, minute


def test_times() -> None:
    """In UTC."""
    assert clock(1_000_000.25) == "1970-01-12T13:46:40.250Z"
    assert minute(1_000_000.25) == "13:46:40"
