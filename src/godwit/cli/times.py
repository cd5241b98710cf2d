"""Times and spans as people read them."""

from __future__ import annotations

from datetime import UTC, datetime


def clock(time: float) -> str:
    """A time as people and logs write it, in UTC to the millisecond."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def minute(time: float) -> str:
    """A time of day in UTC to the second, for tables: the day is clear."""
    return datetime.fromtimestamp(time, UTC).strftime("%H:%M:%S")


def span(seconds: float) -> str:
    """A length of time in its two largest units, such as `4 min 10 s`."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    units = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    first = next((index for index, (count, _) in enumerate(units) if count), len(units) - 1)
    return " ".join(f"{count} {unit}" for count, unit in units[first : first + 2] if count) or "0 s"
