"""Tags in front of a line, and how their values are written (LINE-4)."""

from __future__ import annotations

from collections.abc import Mapping

from godwit.tmi.message import encode, escape


def tagged(tags: Mapping[str, str], rest: str) -> bytes:
    """A line with its tags in alphabetical order; without any it has no tag block.

    Raises:
        LocalProtocolError: `rest` cannot be on a line.
    """
    block = ";".join(f"{key}={escape(tags[key])}" for key in sorted(tags))
    return encode(f"@{block} {rest}" if block else rest)


def flag(value: bool) -> str:
    """Yes or no."""
    return "1" if value else "0"


def millis(time: float) -> str:
    """A time in seconds as whole milliseconds."""
    return str(round(time * 1000))
