"""Where a channel is and was, as one edge knows it from the store and from the seals it has met."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from godwit.values import Placement, Segment


class Whereabouts:
    """The newest placement, and the drains of the clusters that were left.

    Attributes:
        placement: as the store said last; None before the first answer.
        rowless: the channel is where the default placement says (rule C10).
        hold_until: nobody may write to a channel without a row before that.
        previous: clusters that were the channel's home before, newest first.
        drains: for each of these, when its own drain ends.
    """

    __slots__ = ("drains", "hold_until", "placement", "previous", "rowless")

    def __init__(self) -> None:
        self.placement: Placement | None = None
        self.rowless = False
        self.hold_until = 0.0
        self.previous: tuple[str, ...] = ()
        self.drains: dict[str, float] = {}

    def learn(self, placement: Placement) -> None:
        """Take what the store says."""
        self.placement = placement
        self.rowless = placement.default
        self.hold_until = placement.drain_until if placement.default else 0.0
        self._left(placement)

    def stands(self, segment: Segment) -> bool:
        """Whether all that is known is what the store has said, and that it is in `segment`."""
        placement = self.placement
        return (
            placement is not None
            and placement.segment == segment
            and placement.default == self.rowless
            and placement.previous == self.previous
            and self.drains == dict(zip(placement.previous, placement.drains, strict=False))
        )

    def followed(self, left: Segment, to: Segment) -> Placement | None:
        """A seal led from one segment to another; returns the placement if the store has told of that already."""
        self.rowless = False
        self.previous = tuple(dict.fromkeys(c for c in (left.cluster, *self.previous) if c != to.cluster))
        self.drains[left.cluster] = inf  # it begins with the commit, whose answer says until when
        if self.placement is None or self.placement.segment.epoch < to.epoch:
            return None
        self._left(self.placement)
        return self.placement

    def _left(self, placement: Placement) -> None:
        self.previous = placement.previous
        self.drains = dict(zip(placement.previous, placement.drains, strict=False))


def first_segment(
    placement: Placement, chain: Sequence[Segment], *, incomplete: bool, oldest_wanted: int | None
) -> Segment:
    """Where a new reader begins: the newest segment, or earlier, but not below an unclean one (rule C8).

    Args:
        incomplete: there are rows that must be completed (rule R3).
        oldest_wanted: the epoch in which somebody wants to resume, if anybody does (rule F3).
    """
    if placement.default:
        return placement.segment
    unclean = max((segment.epoch for segment in chain if segment.unclean), default=0)
    wanted = unclean if incomplete else placement.segment.epoch
    if oldest_wanted is not None:
        wanted = min(wanted, oldest_wanted)
    for segment in chain:
        if segment.epoch >= max(wanted, unclean):
            return segment
    return placement.segment
