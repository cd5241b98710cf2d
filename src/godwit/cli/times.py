"""Times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime


def clock(time: float) -> str:
    """A time as people and logs write it, in UTC to the millisecond."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def minute(time: float) -> str:
    """A time of day in UTC to the second, for tables: the day is clear."""
    return datetime.fromtimestamp(time, UTC).strftime("%H:%M:%S")
