"""One channel of a client that follows moves make-before-break, without I/O (FOLLOW-1 to FOLLOW-6).

Rules of this file:

1. Lines of one side only are shown, and only those behind `seen`, the position of the last one shown,
   with an id that was not shown lately.
2. A new side is asked for everything behind `seen` while the old side goes on being shown; with its
   answer it takes over at once and the old side is left.
3. A hint or an answer with an epoch that is not newer, or older, than what is known is ignored.
4. All change of state goes through the table `_NEXT`; a step that has no row there changes nothing.

The client calls a method for each thing that happens and carries out the effects that come back, in
order. A `Side` is one connection to one cluster; the client numbers its connections as it likes.
"""

from __future__ import annotations

from enum import Enum, auto

import msgspec

from godwit.tmi.client_events import ChannelMessage, Gap, RoomState, ServerChanged
from godwit.values import Addresses, Position

REMEMBERED = 200
"""Ids of lines shown that are remembered: after a forced move a line may come again at a newer position."""


class Side(msgspec.Struct, frozen=True):
    """A connection to a cluster on which the channel may be joined."""

    cluster: str
    connection: int = 0


class Join(msgspec.Struct, frozen=True):
    """Join on `cluster`, over a connection that is not going away, and connect first if there is none.

    If that fails, or isn't answered in time, call `failed`.

    Attributes:
        after: resume behind this position (JOIN-5).
        addresses: as far as the hint named them.
    """

    cluster: str
    after: Position | None
    addresses: Addresses = Addresses()


class Part(msgspec.Struct, frozen=True):
    """Leave the channel on this side; it has been replaced."""

    side: Side


class Cancel(msgspec.Struct, frozen=True):
    """The Join on this cluster is no longer wanted: leave the channel there, but not on the side `but`."""

    cluster: str
    but: Side | None


class LookUp(msgspec.Struct, frozen=True):
    """A hint named no place: ask the directory or INQUIRE, then call `located`."""


class RetryLater(msgspec.Struct, frozen=True):
    """Call `retry` after a while; the more often in a row, the later."""


class Show(msgspec.Struct, frozen=True):
    """Show this message."""

    message: ChannelMessage


class Missing(msgspec.Struct, frozen=True):
    """Tell the user that lines are missing here."""

    gap: Gap


Effect = Join | Part | Cancel | LookUp | RetryLater | Show | Missing
"""What the client has to do."""


class FollowState(Enum):
    """What is shown, and what has been asked for."""

    OUT = auto()
    """Nothing is wanted."""
    ASKING = auto()
    """Nothing is shown, a Join is out."""
    WAITING = auto()
    """Nothing is shown, a Join failed."""
    SHOWING = auto()
    """A side is shown; no better place is known."""
    FOLLOWING = auto()
    """A side is shown, a Join elsewhere is out."""
    POSTPONED = auto()
    """A side is shown, a Join elsewhere failed."""


class _Step(Enum):
    """What can change the state."""

    STARTED = auto()
    HINTED = auto()
    STAYED = auto()
    WELCOMED = auto()
    LODGED = auto()
    FAILED = auto()
    RETRIED = auto()
    LOST = auto()
    LEFT = auto()


_S, _T = FollowState, _Step
_NEXT: dict[tuple[FollowState, _Step], FollowState] = {
    (_S.OUT, _T.STARTED): _S.ASKING,
    (_S.ASKING, _T.HINTED): _S.ASKING,
    (_S.ASKING, _T.WELCOMED): _S.SHOWING,
    (_S.ASKING, _T.LODGED): _S.POSTPONED,
    (_S.ASKING, _T.FAILED): _S.WAITING,
    (_S.ASKING, _T.LEFT): _S.OUT,
    (_S.WAITING, _T.HINTED): _S.ASKING,
    (_S.WAITING, _T.RETRIED): _S.ASKING,
    (_S.WAITING, _T.WELCOMED): _S.SHOWING,
    (_S.WAITING, _T.LODGED): _S.POSTPONED,
    (_S.WAITING, _T.LEFT): _S.OUT,
    (_S.SHOWING, _T.HINTED): _S.FOLLOWING,
    (_S.SHOWING, _T.STAYED): _S.SHOWING,
    (_S.SHOWING, _T.LOST): _S.ASKING,
    (_S.SHOWING, _T.LEFT): _S.OUT,
    (_S.FOLLOWING, _T.HINTED): _S.FOLLOWING,
    (_S.FOLLOWING, _T.STAYED): _S.SHOWING,
    (_S.FOLLOWING, _T.WELCOMED): _S.SHOWING,
    (_S.FOLLOWING, _T.FAILED): _S.POSTPONED,
    (_S.FOLLOWING, _T.LOST): _S.ASKING,
    (_S.FOLLOWING, _T.LEFT): _S.OUT,
    (_S.POSTPONED, _T.HINTED): _S.FOLLOWING,
    (_S.POSTPONED, _T.STAYED): _S.SHOWING,
    (_S.POSTPONED, _T.WELCOMED): _S.SHOWING,
    (_S.POSTPONED, _T.RETRIED): _S.FOLLOWING,
    (_S.POSTPONED, _T.LOST): _S.ASKING,
    (_S.POSTPONED, _T.LEFT): _S.OUT,
}


class Follower:
    """Decides for one channel what is shown and where it is joined.

    Attributes:
        state: what is shown, and what has been asked for.
        side: the side that is shown; None if none is.
        seen: position of the last line shown, or of the answer to the first JOIN.
        home: the cluster where the channel lives, as far as known.
        epoch: the epoch that goes with `home`; 0 if nothing is known.

    Args:
        home: the cluster to try first.
        seen: where an earlier session ended, to resume there.
    """

    __slots__ = ("_addresses", "_anew", "_ids", "_last", "_target", "epoch", "home", "seen", "side", "state")

    def __init__(self, home: str, seen: Position | None = None) -> None:
        self.state = FollowState.OUT
        self.side: Side | None = None
        self.seen = seen
        self.home = home
        self.epoch = 0
        self._addresses = Addresses()
        self._ids: dict[str, None] = {}
        self._anew = 0
        self._target: str | None = None
        self._last = home

    def start(self) -> list[Effect]:
        """Join the channel; does nothing if that was begun already."""
        return self._ask(self.home) if self._take(_Step.STARTED) else []

    def leave(self) -> list[Effect]:
        """Leave the channel; `start` joins it again behind what was seen."""
        side, target = self.side, self._target
        if not self._take(_Step.LEFT):
            return []
        self.side = self._target = None
        return [*([Part(side)] if side else []), *([Cancel(target, side)] if target else [])]

    # what servers say -----------------------------------------------------------------------------

    def line(self, side: Side, message: ChannelMessage) -> list[Effect]:
        """A message came: shown if it is the shown side's and new (FOLLOW-1)."""
        if side != self.side:
            return []
        position = message.position
        if position is not None:
            if self.seen is not None and position <= self.seen:
                return []
            self.seen = position
        if message.id:
            if message.id in self._ids:
                return []
            self._ids[message.id] = None
            if len(self._ids) > REMEMBERED:
                del self._ids[next(iter(self._ids))]
        return [Show(message)]

    def gap(self, side: Side, gap: Gap) -> list[Effect]:
        """The server says that lines are missing (FOLLOW-6)."""
        return [Missing(gap)] if side == self.side else []

    def changed(self, side: Side, change: ServerChanged) -> list[Effect]:
        """A SERVERCHANGE came; heeded only if it is newer than what is known (FOLLOW-3)."""
        if not change.epoch and side != self.side and side.cluster != self._target:
            return []
        return self.located(change.cluster, change.epoch, change.addresses)

    def located(self, cluster: str, epoch: int = 0, addresses: Addresses | None = None) -> list[Effect]:
        """The channel is said to live on `cluster`, by whoever (FOLLOW-3).

        Args:
            cluster: '' if that is not known.
            epoch: 0 if that is not known; then any other place than the known one is tried.
        """
        if self.state is FollowState.OUT or (epoch and epoch <= self.epoch):
            return []
        if not cluster:
            return [LookUp()]
        if not epoch and cluster == self.home:
            return []
        self.home, self.epoch = cluster, max(epoch, self.epoch)
        self._addresses = addresses or Addresses()
        if self.side is not None and self.side.cluster == cluster:
            return self._stay()
        dropped = self._target
        self._take(_Step.HINTED)
        cancel = [Cancel(dropped, self.side)] if dropped and dropped != cluster else []
        return [*self._ask(cluster), *cancel]

    def answered(self, side: Side, room: RoomState) -> list[Effect]:
        """A JOIN was answered: if by the side asked for, and newly enough, that is shown now (FOLLOW-2).

        An answer that promises no position comes from a cluster that does not have the channel yet.
        """
        if side.cluster != self._target or side == self.side or not room.joined:
            return []
        if room.position is None or room.epoch < self.epoch or (self.side is not None and not room.home):
            return self._fail()
        if self._anew and (self.seen is None or room.position > self.seen):
            # Of several Joins that did not resume, only the first answer may set where showing begins.
            self._anew -= 1
            if self.seen is not None:
                return self._fail()
        left, self.side, self._target = self.side, side, None
        self._last = side.cluster
        self.seen = room.position if self.seen is None else max(self.seen, room.position)
        if room.home:
            self.home, self.epoch = side.cluster, room.epoch
        if side.cluster == self.home:
            self._take(_Step.WELCOMED)
            return [Part(left)] if left else []
        self._take(_Step.LODGED)
        return [RetryLater()]

    def parted(self, side: Side) -> list[Effect]:
        """The channel was left on this side, asked for or not (FOLLOW-5)."""
        return self._lose() if side == self.side else []

    # what happens to connections ------------------------------------------------------------------

    def reconnect(self, side: Side) -> list[Effect]:
        """This side's connection is going away: make a new one first (FOLLOW-4)."""
        if side != self.side or self.state is not FollowState.SHOWING:
            return []
        self._take(_Step.HINTED)
        return self._ask(side.cluster)

    def lost(self, side: Side) -> list[Effect]:
        """This side's connection is gone (FOLLOW-5)."""
        return self._lose() if side == self.side else self.failed(side.cluster)

    def failed(self, cluster: str) -> list[Effect]:
        """The Join on `cluster` cannot be done, or was not answered in time (FOLLOW-4)."""
        return self._fail() if cluster == self._target else []

    def retry(self) -> list[Effect]:
        """Ask again, as `RetryLater` wanted; where nothing is shown, in turn where it was last (FOLLOW-4)."""
        shown = self.side is not None
        if not self._take(_Step.RETRIED):
            return []
        return self._ask(self._last if not shown and self._target == self.home else self.home)

    # inside ---------------------------------------------------------------------------------------

    def _take(self, step: _Step) -> bool:
        state = _NEXT.get((self.state, step))
        if state is None:
            return False
        self.state = state
        return True

    def _ask(self, cluster: str) -> list[Effect]:
        self._target = cluster
        self._anew += self.seen is None
        return [Join(cluster, self.seen, self._addresses if cluster == self.home else Addresses())]

    def _fail(self) -> list[Effect]:
        return [RetryLater()] if self._take(_Step.FAILED) else []

    def _stay(self) -> list[Effect]:
        dropped, self._target = self._target, None
        self._take(_Step.STAYED)
        return [Cancel(dropped, self.side)] if dropped else []

    def _lose(self) -> list[Effect]:
        asked = self.state is FollowState.FOLLOWING
        self.side = None
        self._take(_Step.LOST)
        return [] if asked else self._ask(self.home)
