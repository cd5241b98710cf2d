"""A channel that moves between clusters, and a client that follows it: every delay and fault is a choice.

The channel's records have one order. Each cluster reads it at its own pace, serves the members it has
let in, and tells them of moves when it comes to them. The client does what its `Follower` wants. Nothing
happens by itself: `choices` lists what can happen next, and `settle` lets everything come to rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from godwit.tmi.client_events import ChannelMessage, Reconnect, RoomState, ServerChanged
from godwit.tmi.follow import (
    Cancel,
    Effect,
    Follower,
    FollowState,
    Join,
    LookUp,
    Missing,
    Part,
    RetryLater,
    Show,
    Side,
)
from godwit.values import Position

CHANNEL = "a"


class Switch(msgspec.Struct, frozen=True):
    """The record with which a segment begins on another cluster."""

    position: Position
    cluster: str


class Leave(msgspec.Struct, frozen=True):
    """A PART of the client's."""


class Ask(msgspec.Struct, frozen=True):
    """A JOIN of the client's."""

    after: Position | None


class Told(msgspec.Struct, frozen=True):
    """A PART of the server's."""


Down = ChannelMessage | RoomState | ServerChanged | Reconnect | Told


class Link:
    """A connection: what is on its way up and down, and what the server makes of the client."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.up: list[Ask | Leave] = []
        self.down: list[Down] = []
        self.member = False
        self.served = False
        self.leaving = False
        self.open = True


def text_of(position: Position) -> ChannelMessage:
    return ChannelMessage(CHANNEL, str(position), "foo", "hi", False, {}, position)


class World:
    """The channel, its clusters, the client.

    Args:
        bridge: clusters that were home before let a JOIN in; else they refuse it.
        hints: how SERVERCHANGE names the place: `tags`, `parameter` or `none`.
        make: makes the follower.
    """

    def __init__(
        self,
        clusters: Iterable[str],
        *,
        bridge: bool = True,
        hints: str = "tags",
        make: Callable[[str], Follower] = Follower,
    ) -> None:
        self.clusters = list(clusters)
        self.bridge = bridge
        self.hints = hints
        self.records: list[ChannelMessage | Switch] = [Switch(Position(1, 5), self.clusters[0])]
        self.read = dict.fromkeys(self.clusters, 1)
        self.links: list[Link] = []
        self.follower = make(self.clusters[0])
        self.wanted: dict[str, Position | None] = {}
        self.retry = False
        self.lookup = False
        self.shown: list[ChannelMessage] = []
        self.began: Position | None = None
        self.do(self.follower.start())

    # the channel ------------------------------------------------------------------------------

    def place(self, cluster: str | None = None) -> Switch:
        """Where the channel is, as far as a cluster has read; as it is, without one."""
        upto = len(self.records) if cluster is None else self.read[cluster]
        return [record for record in self.records[:upto] if isinstance(record, Switch)][-1]

    def reached(self, cluster: str) -> Position:
        """The position up to which a cluster has read."""
        record = self.records[self.read[cluster] - 1]
        assert record.position is not None
        return record.position

    def _next(self, epochs: int = 0) -> Position:
        last = self.records[-1].position
        assert last is not None
        return Position(last.epoch + 1, 3) if epochs else Position(last.epoch, last.sequence + 1)

    def say(self) -> None:
        """Somebody says something."""
        self.records.append(text_of(self._next()))

    def move(self, cluster: str) -> None:
        """The channel moves."""
        self.records.append(Switch(self._next(1), cluster))

    def hint(self, cluster: str) -> ServerChanged:
        """The SERVERCHANGE that a cluster would send now."""
        place = self.place(cluster)
        if self.hints == "none":
            return ServerChanged(CHANNEL)
        if self.hints == "parameter":
            return ServerChanged(CHANNEL, place.cluster)
        return ServerChanged(CHANNEL, place.cluster, place.position.epoch)

    def advance(self, cluster: str) -> None:
        """A cluster reads one record more and shows it."""
        record = self.records[self.read[cluster]]
        self.read[cluster] += 1
        for link in self.links:
            if link.open and link.member and link.side.cluster == cluster:
                if isinstance(record, Switch):
                    link.served = link.served or record.cluster == cluster
                    if record.cluster != cluster:
                        link.down.append(self.hint(cluster))
                elif link.served:
                    link.down.append(record)

    # the servers' ends of connections -------------------------------------------------------------

    def can_answer(self, link: Link) -> bool:
        """A JOIN that resumes waits until the cluster has read that far."""
        if not link.up:
            return False
        request = link.up[0]
        return isinstance(request, Leave) or request.after is None or request.after <= self.reached(link.side.cluster)

    def answer(self, link: Link) -> None:
        """A server does what the client asked next on this connection."""
        request, cluster = link.up.pop(0), link.side.cluster
        if isinstance(request, Leave):
            if link.member:
                link.member = link.served = False
                link.down.append(Told())
            return
        place = self.place(cluster)
        before = {record.cluster for record in self.records[: self.read[cluster]] if isinstance(record, Switch)}
        if cluster in before and (self.bridge or cluster == place.cluster):
            self._let_in(link, request.after, place)
        elif cluster not in before:
            link.member = True
            link.down.append(RoomState(CHANNEL, True, {}, None, cluster, place.position.epoch, False))
        if cluster != place.cluster:
            link.down.append(self.hint(cluster))

    def _let_in(self, link: Link, after: Position | None, place: Switch) -> None:
        cluster = link.side.cluster
        start = self.reached(cluster) if after is None else after
        link.member = link.served = True
        home = cluster == place.cluster
        link.down.append(RoomState(CHANNEL, True, {}, start, cluster, place.position.epoch, home))
        read = self.records[: self.read[cluster]]
        link.down += [
            line for line in read if isinstance(line, ChannelMessage) and line.position and line.position > start
        ]

    def put_out(self, link: Link) -> None:
        """A server parts the client unasked."""
        link.member = link.served = False
        link.down.append(Told())

    def send_away(self, link: Link) -> None:
        """A server says that it is going down."""
        link.down.append(Reconnect())

    # the client -------------------------------------------------------------------------------

    def do(self, effects: Iterable[Effect]) -> None:
        """Carry out what the follower wants."""
        for effect in effects:
            match effect:
                case Show(message):
                    self.shown.append(message)
                case Join(cluster, after):
                    self.wanted[cluster] = after
                case Part(side):
                    for link in self.links:
                        if link.side == side and link.open:
                            link.up.append(Leave())
                case Cancel(cluster, but):
                    self.wanted.pop(cluster, None)
                    for link in self.links:
                        if link.side.cluster == cluster and link.side != but and link.open:
                            link.up.append(Leave())
                case RetryLater():
                    self.retry = True
                case LookUp():
                    self.lookup = True
                case Missing():
                    raise AssertionError("no server here tells of a gap")

    def connect(self, cluster: str) -> None:
        """The client sends a JOIN that is wanted, over a new connection where it has none to keep."""
        after = self.wanted.pop(cluster)
        links = [link for link in self.links if link.open and not link.leaving and link.side.cluster == cluster]
        if not links:
            links = [Link(Side(cluster, len(self.links)))]
            self.links += links
        links[0].up.append(Ask(after))

    def refuse(self, cluster: str) -> None:
        """The client's connection to a cluster cannot be made."""
        self.wanted.pop(cluster)
        self.do(self.follower.failed(cluster))

    def deliver(self, link: Link) -> None:
        """The client gets the next thing from a connection."""
        event = link.down.pop(0)
        follower = self.follower
        match event:
            case ChannelMessage():
                self.do(follower.line(link.side, event))
            case RoomState():
                self.do(follower.answered(link.side, event))
                if self.began is None:
                    self.began = follower.seen
            case ServerChanged():
                self.do(follower.changed(link.side, event))
            case Told():
                self.do(follower.parted(link.side))
            case Reconnect():
                link.leaving = True
                self.do(follower.reconnect(link.side))

    def drop(self, link: Link) -> None:
        """A connection is lost, with all that was on its way."""
        link.open = link.member = link.served = False
        link.up, link.down = [], []
        self.do(self.follower.lost(link.side))

    def give_up_waiting(self) -> None:
        """The client's patience with an unanswered JOIN ends."""
        for cluster in self.clusters:
            self.do(self.follower.failed(cluster))

    def try_again(self) -> None:
        """The time has come that the follower asked for."""
        self.retry = False
        self.do(self.follower.retry())

    def look_up(self) -> None:
        """The directory's answer has come: it knows what the store knows."""
        self.lookup = False
        place = self.place()
        self.do(self.follower.located(place.cluster, place.position.epoch))

    # what can happen ----------------------------------------------------------------------------

    def progress(self) -> list[Callable[[], None]]:
        """What would happen by itself, sooner or later."""
        steps: list[Callable[[], None]] = [self.look_up] if self.lookup else []
        for cluster in self.clusters:
            if self.read[cluster] < len(self.records):
                steps.append(lambda cluster=cluster: self.advance(cluster))  # type: ignore[misc]
        for cluster in self.wanted:
            steps.append(lambda cluster=cluster: self.connect(cluster))  # type: ignore[misc]
        for link in self.links:
            if link.down:
                steps.append(lambda link=link: self.deliver(link))  # type: ignore[misc]
            if self.can_answer(link):
                steps.append(lambda link=link: self.answer(link))  # type: ignore[misc]
        if self.retry:
            steps.append(self.try_again)
        return steps

    def choices(self) -> list[Callable[[], None]]:
        """All that can happen next, faults too."""
        steps = self.progress() * 2
        steps += [self.say, self.say, self.give_up_waiting]
        home = self.place().cluster
        steps += [lambda to=cluster: self.move(to) for cluster in self.clusters if cluster != home]  # type: ignore[misc]
        steps += [lambda to=cluster: self.refuse(to) for cluster in self.wanted]  # type: ignore[misc]
        for link in self.links:
            if link.open:
                steps.append(lambda link=link: self.drop(link))  # type: ignore[misc]
                steps.append(lambda link=link: self.send_away(link))  # type: ignore[misc]
                if link.served:
                    steps.append(lambda link=link: self.put_out(link))  # type: ignore[misc]
        return steps

    def settle(self) -> None:
        """Let everything happen that would; a JOIN that nobody answers is given up and tried again."""
        for _ in range(10_000):
            steps = self.progress()
            if steps:
                steps[0]()
            elif self.follower.state in (FollowState.SHOWING, FollowState.OUT):
                return
            else:
                self.give_up_waiting()
        raise AssertionError(f"the follower does not come to rest: {self.follower.state}")

    def expected(self) -> list[ChannelMessage]:
        """Everything that was said since the follower was first let in."""
        assert self.began is not None
        return [
            record
            for record in self.records
            if isinstance(record, ChannelMessage) and record.position and record.position > self.began
        ]
