"""Raw chat lines, read with a few plain functions.

The drill is a witness: it does not lean on the codec that the server uses, so that a fault there
cannot hide itself.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_NUMBERED = re.compile(r"drill ([0-9]{6})(?: .*)?")
_ESCAPES = {":": ";", "s": " ", "\\": "\\", "r": "\r", "n": "\n"}


class RawLine(NamedTuple):
    """A line as it came, cut into its parts; `sender` is the part of the prefix before `!`."""

    tags: dict[str, str]
    sender: str
    command: str
    params: tuple[str, ...]

    def param(self, index: int) -> str:
        """The parameter at `index`, or an empty string."""
        return self.params[index] if index < len(self.params) else ""


def read(data: bytes) -> RawLine:
    """Cut one line (without its line end) into parts; what is missing is empty."""
    text = data.decode("utf-8", "replace")
    tags: dict[str, str] = {}
    if text.startswith("@"):
        block, _, text = text[1:].partition(" ")
        for item in block.split(";"):
            key, _, value = item.partition("=")
            tags[key] = _unescape(value) if "\\" in value else value
    sender = ""
    if text.startswith(":"):
        prefix, _, text = text[1:].partition(" ")
        sender = prefix.partition("!")[0]
    head, colon, trailing = text.partition(" :")
    words = head.split()
    params = (*words[1:], trailing) if colon else tuple(words[1:])
    return RawLine(tags, sender, words[0] if words else "", params)


def number_of(text: str) -> int:
    """The talker's number in the text of a drill message; 0 if it is not one."""
    match = _NUMBERED.fullmatch(text)
    return int(match[1]) if match else 0


def numbered(number: int, words: str) -> str:
    """The text of a drill message."""
    return f"drill {number:06d} {words}"


def _unescape(value: str) -> str:
    return re.sub(r"\\(.?)", lambda match: _ESCAPES.get(match[1], match[1]), value)
