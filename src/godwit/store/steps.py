"""What follows when a step of a move, a wish or a decision is to be written: the same in every store."""

from __future__ import annotations

from typing import Any

import msgspec

from godwit.errors import StaleEpoch
from godwit.rollout.moves import stepped
from godwit.rollout.values import Lease, Rollout
from godwit.store import refusals
from godwit.store.base import FINISHED
from godwit.values import Move, MoveState, Segment

CONTROLLER = "controller"
"""Name of the lease that a decision is checked against."""

NOT_SEALED: tuple[MoveState, ...] = ("wished", "opening", "opened")
"""States in which a move can be cancelled at no cost."""

PUBLIC = ("moved", "default", "retired")
"""Kinds of events that anyone may read."""


def fits(step: tuple[Move, MoveState], version: int, *, finished: bool) -> bool:
    """Say whether a step may be written over what is stored."""
    move, state = step
    return version == move.version and (state in FINISHED or not finished)


def written(step: tuple[Move, MoveState], now: float, *, live: bool, held: bool) -> Move:
    """The move as a step leaves it; the seal of a channel that is live or held is refused, but for a forced move."""
    move, state = step
    if state == "sealing" and (live or held) and not move.forced:
        return cancelled(move, refusals.went_live(move) if live else refusals.held(move), now)
    return stepped(move, state, now)


def cancelled(move: Move, error: str, now: float) -> Move:
    """The move as it is when it will not happen."""
    return stepped(msgspec.structs.replace(move, error=error), "cancelled", now)


def replaces(to: Segment, epoch: int) -> bool:
    """Say whether `to` may be committed over a segment of `epoch` (rules C3, C8)."""
    return epoch == to.epoch - 2 if to.unclean else epoch < to.epoch


def changed(left: Segment, to: Segment) -> dict[str, Any]:
    """What the feed says of a change of place."""
    return {"cluster": to.cluster, "epoch": to.epoch, "from": left.cluster}


def taken(lease: Lease, holder: str, *, now: float, until: float) -> Lease:
    """The lease after `holder` has asked for it."""
    if lease.until <= now:
        return Lease(lease.name, holder, lease.term + 1, until)
    if lease.holder == holder:
        return msgspec.structs.replace(lease, until=max(lease.until, until))
    return lease


def check_term(found: int | None, term: int) -> None:
    """Refuse a decision of somebody who does not lead any more.

    Raises:
        StaleEpoch: the lease has another term, or nobody ever had it.
    """
    if found != term:
        raise StaleEpoch(f"somebody else leads: the term is {found or 'not begun'}, not {term}")


def next_version(rollout: Rollout, stored: int | None) -> Rollout:
    """The rollout as it is to be written over the version that is stored (None: it is a new one).

    Raises:
        StaleEpoch: it was read before somebody else wrote it.
    """
    if rollout.version != (stored or 0):
        raise StaleEpoch(f"rollout {rollout.id} is at version {stored or 0}, not {rollout.version}")
    return msgspec.structs.replace(rollout, version=rollout.version + 1)
