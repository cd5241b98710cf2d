"""What the rooms of a node share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from godwit.edge.backend import Outside
from godwit.edge.metrics import Counts
from godwit.edge.turn import Turn
from godwit.tmi.dialect import Dialect
from godwit.values import Act, Addresses

if TYPE_CHECKING:
    from godwit.edge.lookups import Lookups
    from godwit.edge.neighbours import Neighbours
    from godwit.edge.room import Room
    from godwit.edge.session import Session

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class House:
    """What the rooms of a node share.

    Attributes:
        producers: gives a channel a name for its own records, unique for ever.
        numbers: counts all records of the process.
        neighbours: tells who is in channels on other edges.
        lookups: asks the store and the logs for many rooms at once.
        news: names of the rooms in which somebody may have come or gone since it was last told.
        gone: called when a room is given up.
        banned: called when it was read that somebody was banned, if that is to be told.
    """

    outside: Outside
    producers: Callable[[], str]
    numbers: Iterator[int]
    turn: Turn
    counts: Counts
    dialect: Dialect
    sessions: Mapping[str, Session]
    addresses: Callable[[str], Addresses]
    neighbours: Neighbours
    lookups: Lookups
    gone: Callable[[Room], None]
    banned: Callable[[Room, Act], None] | None = None
    news: set[str] = field(default_factory=set)
    alike: dict[type, object] = field(default_factory=dict)

    def take_news(self) -> list[str]:
        """The rooms in which somebody may have come or gone; they are forgotten here."""
        names = sorted(self.news)
        self.news.clear()
        return names

    def shared(self, value: V) -> V:
        """A value, or an equal one that was seen just before: most silent channels are alike."""
        known = self.alike.get(type(value))
        if known == value:
            return known
        self.alike[type(value)] = value
        return value
