"""How long something lasts, as people type it and as they are told (CMD-timeout, CMD-followers)."""

from __future__ import annotations

import re

MINUTE, HOUR, DAY, WEEK = 60, 3600, 86_400, 604_800

_UNITS = {"week": WEEK, "day": DAY, "hour": HOUR, "minute": MINUTE, "second": 1}
_ALIASES = (
    (30 * DAY, "mo month months"),
    (WEEK, "w week weeks"),
    (DAY, "d day days"),
    (HOUR, "h hour hours"),
    (MINUTE, "m min mins minute minutes"),
    (1, "s sec secs second seconds"),
)
_WORDS = {word: length for length, words in _ALIASES for word in words.split()}
_PART = re.compile(r" *([0-9]{1,9})(?![0-9]) *([a-z]*)")


def seconds_of(text: str, unit: int = 1) -> int | None:
    """Read a duration such as `600`, `10m`, `1d2h` or `5 days 12 hours`; None if it is none.

    Args:
        unit: what a number without a unit counts, in seconds.
    """
    text = text.lower()
    total, place = 0, 0
    while place < len(text):
        part = _PART.match(text, place)
        if part is None or (part[2] and part[2] not in _WORDS):
            return None
        total += int(part[1]) * (_WORDS[part[2]] if part[2] else unit)
        place = part.end()
    return total if text else None


def in_words(seconds: int) -> str:
    """A duration as people say it, such as `5 days 12 hours`; `0 minutes` for none."""
    words = []
    for name, length in _UNITS.items():
        count, seconds = divmod(seconds, length)
        if count:
            words.append(f"{count} {name}{'' if count == 1 else 's'}")
    return " ".join(words) or "0 minutes"
