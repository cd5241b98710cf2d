"""What may be taken in: text that every store keeps and every terminal shows, numbers that JSON has, and not too much.

What is stored is read again by the controller, by stores that keep UTF-8 only, and by people. So what none of them
could write down is refused where it comes in.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from typing import Any

from godwit.errors import InvalidRequest

DEEPEST = 5
"""Lists and objects that may lie in each other."""

MOST = 65_536
"""Bytes that all of it may take: those of its texts, and 8 for anything else."""

LARGEST = 2**63 - 1
"""The largest whole number; `-LARGEST` is the smallest."""

_NOT_A_LINE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters, line ends, and halves of characters that are no UTF-8."""

_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")

_NOT_UTF8 = re.compile("[\ud800-\udfff]")


def check(value: object, where: str = "", *, texts: Collection[str] = ()) -> None:
    """Refuse what cannot be kept or shown.

    Args:
        value: as JSON has it.
        where: what it is called, such as `args.text`; for the error.
        texts: names of files' texts, such as `args.toml`: these have many lines and any length.

    Raises:
        InvalidRequest: says where, what is wrong, and what to do.
    """
    _check(value, where, texts, 0, MOST)


def _check(value: object, where: str, texts: Collection[str], depth: int, left: int) -> int:
    """Check a value; gives how many bytes may still come."""
    if isinstance(value, str):
        if where in texts:
            _refuse_characters(value, where, _NOT_TEXT, "the file must be UTF-8 text")
            return left
        _refuse_characters(value, where, _NOT_A_LINE, "write one line of UTF-8 text without control characters")
        left -= len(value.encode())
    elif isinstance(value, dict | list):
        if depth > DEEPEST:
            raise InvalidRequest(
                f"{_of(where)}more than {DEEPEST} lists or objects lie in each other: write it flatter"
            )
        for name, each in value.items() if isinstance(value, dict) else enumerate(value):
            left = _check(name, f"a name in {where}" if where else "a name", (), depth, left)
            path = f"{where}.{name}" if where else str(name)
            left = _check(each, where if where in texts else path[:200], texts, depth + 1, left)
        left -= 8
    elif isinstance(value, float) and not math.isfinite(value):
        raise InvalidRequest(f"{_of(where)}{value} is no number that JSON has")
    elif isinstance(value, int) and abs(value) > LARGEST:
        raise InvalidRequest(f"{_of(where)}the number is too large: the largest is {LARGEST}")
    elif value is not None and not isinstance(value, int | float):
        raise InvalidRequest(f"{_of(where)}a {type(value).__name__} is nothing that JSON has")
    else:
        left -= 8
    if left < 0:
        raise InvalidRequest(f"{_of(where)}too long: all of it may take {MOST} bytes")
    return left


def _refuse_characters(text: str, where: str, bad: re.Pattern[str], hint: str) -> None:
    if found := bad.search(text):
        character = f"U+{ord(found[0]):04X} at place {found.start() + 1}"
        raise InvalidRequest(f"{_of(where)}{character} cannot be kept: {hint}")


def _of(where: str) -> str:
    return f"{where}: " if where else ""


def showable(value: Any, depth: int = 0) -> Any:
    """What is stored already, changed as little as it takes to show it: nothing in it is refused."""
    if isinstance(value, str):
        return _NOT_UTF8.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict | list) and depth > DEEPEST:
        return "..."
    if isinstance(value, dict):
        return {showable(str(name)): showable(each, depth + 1) for name, each in value.items()}
    if isinstance(value, list):
        return [showable(each, depth + 1) for each in value]
    return value
