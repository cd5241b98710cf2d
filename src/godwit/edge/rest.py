"""What is kept of a channel in which nothing happens.

A bot sits in 100,000 channels, and nearly all of them are silent: everything that only matters while something
happens is let go, and made anew when something does. What is empty is not kept; the rest is, so that a channel that
rests is in no way different from one that does not.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from godwit.chat.modes import Modes
from godwit.chat.room import RoomState
from godwit.edge.history import Recall
from godwit.edge.ports import Member
from godwit.edge.rows import Rows
from godwit.values import Placement, Position, Segment

FEW = 100
"""Members with whom a channel lets others in without waking: with more of them that is dearer."""

NOWHERE = Position(0, 0)
"""Before everything."""


class Content(msgspec.Struct, frozen=True):
    """What a channel remembers, if it remembers anything."""

    room: RoomState
    recall: Recall
    rows: Rows
    modes: Modes


class Rest(msgspec.Struct):
    """A channel at rest: all of it that cannot be told from something else.

    Attributes:
        placement: as the store said last; its segment is the one that is read.
        chain: the channel's segments; empty if that is the only one.
        position: sequence up to which everything has been read.
        since: what was said since then is all kept, which is nothing unless there is a content.
        reached: what was shown last.
        verified: when it was known last that nothing else is in force (rule C7).
        compared: when the log was heard of last; 0 if what is read was never compared with it (rule L5).
        last_message: log time of the last message that was read, 0 if there was none.
        members: who is let in; all of them are served.
    """

    placement: Placement
    chain: tuple[Segment, ...]
    position: int
    since: Position
    reached: Position
    verified: float
    compared: float
    last_message: float
    members: tuple[Member, ...]
    content: Content | None = None

    @classmethod
    def begun(cls, placement: Placement, chain: Sequence[Segment], asked_at: float) -> Rest | None:
        """A channel of which nothing is known but what the store says, asked at `asked_at`; None if it must be read.

        Of a channel without a row nothing was ever written (rule C10).
        """
        segment = placement.segment
        if not placement.default or tuple(chain) != (segment,):
            return None
        begin = Position(segment.epoch, segment.at)
        return cls(placement, (), segment.at, begin, NOWHERE, asked_at, 0.0, 0.0, ())

    @property
    def segment(self) -> Segment:
        """The segment that is read."""
        return self.placement.segment

    @property
    def here(self) -> Position:
        """Everything up to here has been read."""
        return Position(self.placement.segment.epoch, self.position)

    def stands(self, segment: Segment, head: int, asked_at: float, lease: float) -> bool:
        """Take a comparison with the log if it finds everything as it should be (rule L1).

        One that came too late says nothing of what is in force (rule C7). Nobody acts on that while the channel rests:
        whoever wakes it asks the store then. Else a busy edge would ask for all its channels because it was busy.
        """
        mine = self.placement.segment
        if head > self.position or (segment is not mine and segment != mine):
            return False
        if asked_at > self.compared:
            self.compared = asked_at
        if 0.0 < asked_at - self.verified <= lease:
            self.verified = asked_at
        return True

    def confirmed(self, placement: Placement, chain: Sequence[Segment], asked_at: float, lease: float) -> bool:
        """Take what the store says if it is what is known, and nothing stands in the channel."""
        if self.content or placement.segment != self.segment or tuple(chain) != (self.chain or (self.segment,)):
            return False
        if asked_at - self.verified > lease:
            return False
        self.placement = placement
        self.verified = max(self.verified, asked_at)
        return True

    def follows(self, placement: Placement, chain: Sequence[Segment], asked_at: float) -> bool:
        """Go on where the store says, if the default placement took the channel along (rule C10).

        Nobody has written where it stood, nor where it goes. That is for its log to say: until it was compared with
        that, it is as one that was never read.
        """
        to = placement.segment
        if self.content or self.chain or not (self.placement.default and placement.default):
            return False
        if to.unclean or to.epoch <= self.segment.epoch or tuple(chain) != (to,):
            return False
        self.placement, self.position = placement, to.at
        self.verified, self.compared = asked_at, 0.0
        return True

    def lets_in(self, cluster: str, after: Position | None, now: float, lease: float) -> bool:
        """Say whether a JOIN can be answered without asking anybody (rules C7, C11), and nothing is to be shown first.

        Args:
            after: what came after that position is wanted (rule F3).
        """
        if cluster != self.segment.cluster or self.content or not self.compared or now - self.verified > lease:
            return False
        if len(self.members) >= FEW:
            return False
        if after is None:
            return True
        begin = Position(self.segment.epoch, self.segment.at)  # nothing was ever written before the first segment
        return not self.chain and after <= self.here and max(after, begin) >= self.since
