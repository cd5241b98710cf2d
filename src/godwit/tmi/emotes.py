"""Where emotes stand in a text (MSG-9)."""

from __future__ import annotations

import re
from collections.abc import Mapping

GLOBAL: Mapping[str, str] = {"Kappa": "25", "Keepo": "1902"}
"""Word -> emote id, for everybody."""

_WORD = re.compile(r"[^ ]+")


def emote_ranges(text: str, emotes: Mapping[str, str] = GLOBAL) -> str:
    """The value of the tag `emotes`: `ID:first-last,first-last/ID:first-last`, empty if there are none.

    Positions count Unicode code points from the first character of the text; in an action that is
    the one behind `\\x01ACTION ` (MSG-9). Emotes come in the order in which they first occur.
    """
    found: dict[str, list[str]] = {}
    for word in _WORD.finditer(text):
        emote = emotes.get(word[0])
        if emote is not None:
            found.setdefault(emote, []).append(f"{word.start()}-{word.end() - 1}")
    return "/".join(f"{emote}:{','.join(ranges)}" for emote, ranges in found.items())
