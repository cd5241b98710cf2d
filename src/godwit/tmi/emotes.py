"""Which words of a text are emotes, and where they stand (MSG-9, EMOTE-1)."""

from __future__ import annotations

from collections.abc import Mapping

GLOBAL: Mapping[str, str] = {
    ":)": "1",
    ":(": "2",
    ":D": "3",
    ">(": "4",
    "B)": "7",
    ":O": "8",
    "<3": "9",
    ":/": "10",
    ";)": "11",
    ":P": "12",
    ";P": "13",
    "R)": "14",
    "4Head": "354",
    "AsianGlow": "74",
    "BCWarrior": "30",
    "BabyRage": "22639",
    "BibleThump": "86",
    "BloodTrail": "69",
    "BrokeBack": "4057",
    "CoolCat": "58127",
    "DansGame": "33",
    "EleGiggle": "4339",
    "FUNgineer": "244",
    "FailFish": "360",
    "FrankerZ": "65",
    "GingerPower": "32",
    "HeyGuys": "30259",
    "HotPokket": "357",
    "JKanStyle": "15",
    "Kappa": "25",
    "KappaPride": "55338",
    "Keepo": "1902",
    "Kreygasm": "41",
    "MrDestructoid": "28",
    "NotLikeThis": "58765",
    "OneHand": "66",
    "OptimizePrime": "16",
    "PJSalt": "36",
    "PMSTwin": "92",
    "PipeHype": "4240",
    "PogChamp": "88",
    "PunchTrees": "47",
    "RedCoat": "22",
    "ResidentSleeper": "245",
    "SMOrc": "52",
    "SSSsss": "46",
    "SeemsGood": "64138",
    "StoneLightning": "17",
    "SwiftRage": "34",
    "TheRinger": "18",
    "VoHiYo": "81274",
    "WutFace": "28087",
}
"""Word -> emote id, for everybody, until operators say otherwise (EMOTE-2)."""


def emote_ranges(text: str, emotes: Mapping[str, str] = GLOBAL) -> str:
    """The value of the tag `emotes`: `ID:first-last,first-last/ID:first-last`, empty if there are none.

    Positions count Unicode code points from the first character of the text; in an action that is
    the one behind `\\x01ACTION ` (MSG-9). Emotes come in the order in which they first occur.
    """
    words = text.split(" ")
    if emotes.keys().isdisjoint(words):
        return ""
    found: dict[str, list[str]] = {}
    start = 0
    for word in words:
        emote = emotes.get(word)
        if emote is not None:
            found.setdefault(emote, []).append(f"{start}-{start + len(word) - 1}")
        start += len(word) + 1
    return "/".join(f"{emote}:{','.join(ranges)}" for emote, ranges in found.items())


def is_emotes(text: str, ranges: str) -> bool:
    """Say whether a text is nothing but emotes (EMOTE-3).

    Args:
        ranges: what `emote_ranges` said of it.
    """
    return bool(ranges) and 1 + ranges.count(",") + ranges.count("/") == len(text.split())
