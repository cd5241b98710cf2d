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
        compared: when the log was heard of last.
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

    @property
    def segment(self) -> Segment:
        """The segment that is read."""
        return self.placement.segment

    def stands(self, segment: Segment, head: int, asked_at: float, lease: float) -> bool:
        """Take a comparison with the log if it finds everything as it should be (rule L1).

        One that came too late says nothing of what is in force (rule C7). Nobody acts on that while the channel rests:
        whoever wakes it asks the store then. Else a busy edge would ask for all its channels because it was busy.
        """
        if head > self.position or segment != self.segment:
            return False
        self.compared = max(self.compared, asked_at)
        if asked_at - self.verified <= lease:
            self.verified = max(self.verified, asked_at)
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
