"""Who takes part in a drill: a pure plan from the numbers asked for.

The clients are dealt out so that every mix occurs: TCP and WebSocket, with and without capabilities,
with a login and anonymous, following and not.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Literal

import msgspec

from godwit.drill.ledger import Role

Transport = Literal["tcp", "ws"]

PLAIN: tuple[str, ...] = ()
TAGGED = ("twitch.tv/tags", "twitch.tv/commands")
FOLLOWING = (*TAGGED, "godwit/position")


class Part(msgspec.Struct, frozen=True):
    """One client's part.

    Attributes:
        name: its nick; `justinfan` with digits for an anonymous one.
        role: follows moves or is legacy.
        capabilities: asked for at login.
        channels: joined, and talked in by a talker.
    """

    name: str
    role: Role
    transport: Transport
    capabilities: tuple[str, ...]
    channels: tuple[str, ...]
    talks: bool = False


def channel_names(count: int) -> tuple[str, ...]:
    """The channels of a drill."""
    return tuple(f"drill{index:03d}" for index in range(count))


def deal(channels: int, talkers: int, followers: int, legacy: int) -> list[Part]:
    """Deal out the parts.

    Every channel has a talker if there is any. Every second talker follows. A listener sits in two
    channels where there are two. Of eight legacy listeners four have capabilities, one is anonymous.
    """
    names = channel_names(channels)
    parts: list[Part] = []
    for index in range(talkers):
        talks_in = [name for place, name in enumerate(names) if place % talkers == index] or [names[index % channels]]
        follows = index % 4 in (1, 2)
        parts.append(
            Part(
                f"talker{index}",
                "follower" if follows else "legacy",
                _transport(index),
                FOLLOWING if follows else TAGGED,
                tuple(talks_in),
                talks=True,
            )
        )
    for index in range(followers):
        parts.append(Part(f"follower{index}", "follower", _transport(index), FOLLOWING, _two(names, index)))
    for index in range(legacy):
        name = f"justinfan{10_000 + index}" if index % 8 == 7 else f"legacy{index}"
        capabilities = TAGGED if index % 4 in (1, 2) else PLAIN
        parts.append(Part(name, "legacy", _transport(index), capabilities, _two(names, index)))
    return parts


def turns(parts: Iterable[Part], seed: int) -> dict[str, int]:
    """A number for each part, by name: its turn when a cluster's edges are dealt out, round and round.

    Those who follow have the first turns, so that they are spread as evenly as all are.
    """
    drawn = list(parts)
    random.Random(f"{seed} turns").shuffle(drawn)
    drawn.sort(key=lambda part: part.role != "follower")
    return {part.name: turn for turn, part in enumerate(drawn)}


def _transport(index: int) -> Transport:
    return "ws" if index % 2 else "tcp"


def _two(names: tuple[str, ...], index: int) -> tuple[str, ...]:
    """A channel in turn and another one, so that rooms share their members in ever other ways."""
    if len(names) == 1:
        return names
    first = index % len(names)
    second = (first + 1 + index // len(names) % (len(names) - 1)) % len(names)
    return names[first], names[second]
