"""How large scenarios are, and what they give back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bench.tally import Account


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large the scenarios are; `SMALL` is to see that they work.

    `bot_joins` are those that the bot may do in ten seconds; 0: any number, and SERVERCHANGE is not paced.
    With `bot_rows` its channels have rows, and are moved one by one; else they go with the default placement.
    """

    idle: int = 10_000
    room: int = 1_000
    logins: int = 2_000
    seconds: float = 10.0
    stalled_most: float = 60.0
    cold: tuple[int, ...] = (1_000, 20_000)
    single: int = 30
    hot: int = 100
    hot_members: int = 5
    bot: int = 100_000
    bot_joins: int = 0
    bot_rows: bool = False
    storm: int = 19_000
    many: int = 50_000


SMALL = Sizes(
    idle=40,
    room=10,
    logins=20,
    seconds=0.3,
    stalled_most=1.0,
    cold=(40,),
    single=2,
    hot=4,
    hot_members=2,
    bot=200,
    bot_joins=0,
    storm=190,
    many=80,
)


@dataclass(frozen=True, slots=True)
class Found:
    """What a scenario found: rows for people and programs, and the account of all that was said."""

    rows: list[dict[str, Any]]
    account: Account
