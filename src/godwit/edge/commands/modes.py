"""Room settings: slow, followers-only, subscribers-only, emote-only and unique-chat mode (STATE-3).

Everybody in the room is told with ROOMSTATE and a NOTICE, when the change is read back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from godwit.edge.commands.durations import DAY, MINUTE, in_words, seconds_of
from godwit.edge.commands.typed import DEFAULT_SLOW, Typed

LONGEST_SLOW = DAY
"""Seconds."""

LONGEST_FOLLOWERS = 90 * DAY // MINUTE
"""Minutes: three months."""

_SWITCHES = {"emote-only": "emote_only", "r9k": "r9k", "subs-only": "subs"}
"""Setting that is on or off -> what its NOTICE ids are called."""


async def slow(typed: Typed) -> None:
    """Limit how often people may talk (CMD-slow)."""
    text = typed.words[0] if typed.words else str(DEFAULT_SLOW)
    seconds = seconds_of(text)
    if not seconds:
        typed.explain()
    elif seconds > LONGEST_SLOW:
        typed.notice("bad_slow_duration", number=LONGEST_SLOW)
    elif typed.standing.setting("slow") == seconds:
        typed.notice("already_slow_on", seconds=seconds)
    else:
        await typed.change("slow", seconds)


async def slowoff(typed: Typed) -> None:
    """End slow mode (CMD-slowoff)."""
    if typed.standing.setting("slow"):
        await typed.change("slow", 0)
    else:
        typed.notice("already_slow_off")


async def followers(typed: Typed) -> None:
    """Let only those talk who have followed for a while, or at all (CMD-followers)."""
    seconds = seconds_of(typed.args, MINUTE) if typed.words else 0
    minutes = None if seconds is None else -(-seconds // MINUTE)
    if minutes is None or minutes > LONGEST_FOLLOWERS:
        typed.explain()
    elif typed.standing.setting("followers-only") == minutes:
        typed.notice("already_followers_on", duration=in_words(minutes * MINUTE))
    else:
        await typed.change("followers-only", minutes)


async def followersoff(typed: Typed) -> None:
    """End followers-only mode (CMD-followersoff)."""
    if typed.standing.setting("followers-only") >= 0:
        await typed.change("followers-only", -1)
    else:
        typed.notice("already_followers_off")


def switch(setting: str, value: int) -> Callable[[Typed], Awaitable[None]]:
    """A command that switches a setting on or off."""

    async def run(typed: Typed) -> None:
        if typed.standing.setting(setting) == value:
            typed.notice(f"already_{_SWITCHES[setting]}_{'on' if value else 'off'}")
        else:
            await typed.change(setting, value)

    return run


def told(settings: Mapping[str, int]) -> list[tuple[str, dict[str, object]]]:
    """The NOTICEs of a change: their ids, with what is to be filled in."""
    return [_told(name, value) for name, value in settings.items() if name in _SWITCHES or name in _NUMBERS]


def _told(name: str, value: int) -> tuple[str, dict[str, object]]:
    if name == "slow":
        return ("slow_on", {"number": value}) if value else ("slow_off", {})
    if name == "followers-only":
        if value < 0:
            return "followers_off", {}
        return ("followers_on", {"duration": in_words(value * MINUTE)}) if value else ("followers_on_zero", {})
    return f"{_SWITCHES[name]}_{'on' if value else 'off'}", {}


_NUMBERS = ("slow", "followers-only")
