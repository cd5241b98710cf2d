"""Who is in channels on other edges, as these tell by hearsay.

Who comes and goes is told once a second, all channels together. An edge keeps what it hears of the channels it
minds, which are those where somebody wants to know; when it begins to mind one it asks. An edge that was not
heard for some beats is gone, and so is everybody on it; what was lost on the way is made up for when the edge
asks for all that it minds again, bit by bit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from sys import intern

import msgspec
import structlog

from godwit.chatlog.hearsay import Hearsay

log = structlog.get_logger()

TOPIC = "presence"
"""What all edges hear; what is for one of them has its name behind a dot."""

BEAT = 2
"""Sweeps between two signs of life at most; an edge sweeps once a second."""

SILENCE = 7
"""Sweeps without a sign of life after which an edge is taken for gone."""

REFRESH = 300
"""Sweeps in which everything that is minded is asked for again."""

ASKED = 2_000
"""Channels that are asked for at once, and told of in one sweep at most."""

LARGE = 5_000
"""Names and channels in one message at most, roughly: some 100 KB."""


class There(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Who is in one channel on one edge.

    Attributes:
        came: who is there.
        gone: who is not there any more.
        whole: nobody else is there but who came.
        many: how many are there, if they are too many to be named.
        operators: then who of them is one (MODE-1).
    """

    channel: str
    came: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    whole: bool = False
    many: int = 0
    operators: tuple[str, ...] = ()


class Told(msgspec.Struct, frozen=True, array_like=True, tag="told"):
    """What an edge tells, or answers; without channels it is a sign of life.

    Attributes:
        by: the edge.
        over: it ends.
    """

    by: str
    there: tuple[There, ...] = ()
    over: bool = False


class Asked(msgspec.Struct, frozen=True, array_like=True, tag="asked"):
    """An edge wants to know who is in channels."""

    by: str
    channels: tuple[str, ...]


class Crowd(msgspec.Struct, frozen=True):
    """Who is in a channel on an edge where they are too many to be named."""

    count: int
    operators: tuple[str, ...] = ()


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Told | Asked).decode


class Neighbours:
    """The other edges, as one edge knows them.

    Args:
        name: the edge's own name.
        here: gives the logins in a channel on this edge, or how many they are if they are too many to be named.
        operators: gives those of the operators.
        news: called with a channel that is minded when something was heard of it.
    """

    def __init__(
        self,
        name: str,
        hearsay: Hearsay,
        here: Callable[[str], set[str] | int],
        news: Callable[[str], None],
        operators: Callable[[str], Iterable[str]] = lambda channel: (),
    ) -> None:
        self._name = name
        self._hearsay = hearsay
        self._here = here
        self._news = news
        self._operators = operators
        self._unheard: dict[str, int] = {}
        self._minded: dict[str, dict[str, set[str] | Crowd]] = {}
        self._to_tell: dict[str, set[str] | None] = {}
        self._told_many: set[str] = set()
        self._to_ask: dict[str, deque[str]] = {}
        self._round: tuple[str, ...] = ()
        self._sweeps = 0
        self._told = 0
        self._hearing = [hearsay.hear(topic, self._heard) for topic in (TOPIC, f"{TOPIC}.{name}")]

    def stop(self) -> None:
        """Tell the others that this edge ends, and hear nothing any more."""
        if self._hearing:
            self._tell(TOPIC, Told(self._name, over=True))
        for hearing in self._hearing:
            hearing.close()
        self._hearing.clear()

    @property
    def known(self) -> int:
        """How many other edges there are."""
        return len(self._unheard)

    @property
    def told(self) -> int:
        """How many messages this edge has sent."""
        return self._told

    # for the edge -----------------------------------------------------------------------------

    def touch(self, channel: str, login: str) -> None:
        """Take note that somebody came or went here; what is told is what is so then."""
        if not self._unheard:
            return  # there is nobody to tell; whoever comes will ask
        if channel not in self._to_tell:
            self._to_tell[channel] = {login}
        elif (touched := self._to_tell[channel]) is not None:
            touched.add(login)

    def upset(self, channel: str) -> None:
        """Take note that nobody knows who came or went here: who is there is told anew."""
        self._to_tell[channel] = None

    def mind(self, channel: str) -> None:
        """Want to know from now on who is in a channel elsewhere."""
        if channel not in self._minded:
            self._minded[channel] = {}
            if self._unheard:
                self._to_ask.setdefault("", deque()).append(channel)

    def forget(self, channel: str) -> None:
        """Want to know nothing of a channel any more."""
        self._minded.pop(channel, None)

    def elsewhere(self, channel: str) -> set[str] | None:
        """The logins in a channel on other edges, as far as they were told; None if they are too many to be named."""
        found: set[str] = set()
        for there in self._minded.get(channel, {}).values():
            if isinstance(there, Crowd):
                return None
            found |= there
        return found

    def seen(self, channel: str) -> set[str]:
        """The logins in a channel on those other edges that name them."""
        found: set[str] = set()
        for there in self._minded.get(channel, {}).values():
            if not isinstance(there, Crowd):
                found |= there
        return found

    def crowds(self, channel: str) -> list[Crowd]:
        """Who is in a channel on those other edges that have too many to name them."""
        return [there for there in self._minded.get(channel, {}).values() if isinstance(there, Crowd)]

    def sweep(self) -> None:
        """Tell and ask what is due; to be called once a second."""
        if not self._hearing:
            return  # who has said farewell must not be heard again
        self._sweeps += 1
        for name, unheard in list(self._unheard.items()):
            self._unheard[name] = unheard + 1
            if unheard >= SILENCE:
                log.warning("edge_silent", edge=name)
                self._drop(name)
        if not self._unheard:
            self._to_tell.clear()
        if self._to_tell:
            self._tell_all(TOPIC, self._changes())
        elif self._sweeps % BEAT == 0:
            self._tell(TOPIC, Told(self._name))
        if self._unheard:
            self._ask()

    # telling ----------------------------------------------------------------------------------

    def _changes(self) -> Iterator[There]:
        for channel in list(islice(self._to_tell, ASKED)):
            touched, here = self._to_tell.pop(channel), self._here(channel)
            if isinstance(here, int):
                self._told_many.add(channel)
            elif touched is not None and channel not in self._told_many:
                yield There(channel, tuple(touched & here), tuple(touched - here))
                continue
            else:
                self._told_many.discard(channel)
            yield self._whole(channel, here)

    def _whole(self, channel: str, here: set[str] | int) -> There:
        if isinstance(here, int):
            return There(channel, whole=True, many=here, operators=tuple(self._operators(channel)))
        return There(channel, tuple(here), whole=True)

    def _tell_all(self, topic: str, there: Iterable[There]) -> None:
        some: list[There] = []
        size = 0
        for one in there:
            some.append(one)
            size += 1 + len(one.came) + len(one.gone)
            if size >= LARGE:
                self._tell(topic, Told(self._name, tuple(some)))
                some, size = [], 0
        if some:
            self._tell(topic, Told(self._name, tuple(some)))

    def _tell(self, topic: str, message: Told | Asked) -> None:
        self._told += 1
        self._hearsay.tell(topic, _encode(message))

    # asking -----------------------------------------------------------------------------------

    def _ask(self) -> None:
        turn = self._sweeps % REFRESH
        if turn == 0:
            self._round = tuple(self._minded)
        again = self._round[len(self._round) * turn // REFRESH : len(self._round) * (turn + 1) // REFRESH]
        if again:
            self._to_ask.setdefault("", deque()).extend(again)
        for name, channels in list(self._to_ask.items()):
            asked = [channels.popleft() for _ in range(min(ASKED, len(channels)))]
            if not channels:
                del self._to_ask[name]
            wanted = tuple(channel for channel in asked if channel in self._minded)
            if wanted:
                self._tell(f"{TOPIC}.{name}" if name else TOPIC, Asked(self._name, wanted))

    # hearing ----------------------------------------------------------------------------------

    def _heard(self, payload: bytes) -> None:
        message = _decode(payload)
        if message.by == self._name:
            return
        if isinstance(message, Told) and message.over:
            self._drop(message.by)
            return
        if message.by not in self._unheard:
            self._to_ask[message.by] = deque(self._minded)
        self._unheard[message.by] = 0
        if isinstance(message, Asked):
            self._tell_all(
                f"{TOPIC}.{message.by}", (self._whole(channel, self._here(channel)) for channel in message.channels)
            )
            return
        for there in message.there:
            places = self._minded.get(there.channel)
            if places is not None:
                _place(places, message.by, there)
                self._news(there.channel)

    def _drop(self, name: str) -> None:
        """An edge has gone, and everybody on it."""
        if self._unheard.pop(name, None) is not None:
            self._to_ask.pop(name, None)
            for channel, places in self._minded.items():
                if places.pop(name, None) is not None:
                    self._news(channel)


def _place(places: dict[str, set[str] | Crowd], name: str, there: There) -> None:
    """Take down who is in a channel on one edge."""
    known = places.pop(name, None)
    if there.many:
        places[name] = Crowd(there.many, there.operators)
    elif isinstance(known, Crowd) and not there.whole:
        places[name] = known  # what is left of them will be told whole
    else:
        names = set() if known is None or isinstance(known, Crowd) or there.whole else known
        names.update(intern(login) for login in there.came)
        names.difference_update(there.gone)
        if names:
            places[name] = names
