"""How one channel moves: the states of a move, and what follows from what was found.

Pure: `control.mover` does the I/O and journals each step before it acts, so a controller may die at
any line and another goes on from the journal. The log is the authority on the switch (rule C2); the
journal only says where to go on.

The transition table below is the whole of it; `docs/architecture.md` shows it as a diagram.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from godwit.errors import InvalidRequest, MoveRefused, UnknownChannel, UnknownCluster
from godwit.values import Entry, Move, MoveState, Open, Placement, Seal, Segment, is_login

TRANSITIONS: dict[MoveState, tuple[MoveState, ...]] = {
    "wished": ("opening", "failed", "cancelled"),
    "opening": ("opened", "cancelled"),
    "opened": ("sealing", "cancelled"),
    "sealing": ("sealed", "cancelled", "wished"),
    "sealed": ("draining", "cancelled", "wished"),
    "draining": ("settled",),
    "settled": (),
    "cancelled": (),
    "failed": (),
}
"""Which states may follow which.

Up to `opened` it costs nothing to cancel. `cancelled` after `sealing` only when another valid seal was read or the
log is gone (rule C4); after `sealed` only a move that an evacuation overtook (rule C8). A restart that opened the
channel anew where it was sends the move back to `wished`: what it had sealed is gone (rule L2).
"""

FINAL: frozenset[MoveState] = frozenset(state for state, after in TRANSITIONS.items() if not after)

MEANING: dict[MoveState, str] = {
    "wished": "recorded; nothing was done yet",
    "opening": "the open record is on its way to the new cluster's log",
    "opened": "the new cluster is writable; the channel is still in the old one",
    "sealing": "the seal is on its way; whether the switch happened is for the log to say",
    "sealed": "the switch happened",
    "draining": "the directory knows; the old cluster still serves whoever is there",
    "settled": "the drain is over",
    "cancelled": "it did not happen, or another move came first",
    "failed": "it could not be carried out; nothing was changed",
}


def check(before: MoveState, state: MoveState) -> None:
    """Refuse a step that the table does not have.

    Raises:
        ValueError: a bug of ours.
    """
    if state not in TRANSITIONS[before]:
        raise ValueError(f"a move that is {before} cannot become {state}")


def stepped(move: Move, state: MoveState, now: float) -> Move:
    """The move as it is after a step."""
    return msgspec.structs.replace(move, state=state, version=move.version + 1, history=(*move.history, (state, now)))


def admit(
    move: Move, *, placement: Placement, clusters: Iterable[str], live: bool, unfinished: Move | None = None
) -> None:
    """Say whether a wish may be carried out (step 1 of a move).

    Raises:
        UnknownChannel: the name cannot be a channel.
        UnknownCluster: the target is not configured, or is no home for channels.
        InvalidRequest: forced without a reason.
        MoveRefused: it is there already, live, or under way.
    """
    known = [cluster for cluster in clusters if cluster != "group"]
    if not is_movable(move.channel):
        raise UnknownChannel(f"'{move.channel}' is not a channel name: use 1 to 25 of a-z, 0-9 and _")
    if move.target not in known:
        raise UnknownCluster(f"no cluster '{move.target}' for channels: choose one of {', '.join(known)}")
    if move.forced and not move.reason:
        raise InvalidRequest("a forced move needs a reason: add --reason TEXT")
    if unfinished is not None and unfinished.id != move.id:
        raise MoveRefused(
            f"#{move.channel} is already moving to {unfinished.target} ({unfinished.state}, move {unfinished.id}): "
            f"wait for it, see `godwit channel show '#{move.channel}'`"
        )
    if placement.segment.cluster == move.target and not move.evacuate:
        raise MoveRefused(f"#{move.channel} is already on {move.target}: nothing to do")
    if live and not move.forced:
        raise MoveRefused(
            f"#{move.channel} is live: wait until its stream ends, or add --force --reason TEXT to move it now"
        )


def is_movable(channel: str) -> bool:
    """Say whether the name can be a channel's that moves; group rooms do not."""
    return is_login(channel)


def begin(move: Move, placement: Placement) -> Move:
    """Fix what is to be sealed and under which epoch the next segment opens.

    A forced evacuation of a dead cluster skips an epoch (rule C8): a late seal of the dead log can
    name the one between.
    """
    epoch = placement.segment.epoch + (2 if move.evacuate else 1)
    return msgspec.structs.replace(move, source=placement.segment, epoch=epoch)


def begin_anew(move: Move) -> Move:
    """Forget what the move had done: the segment that it was to seal, or had sealed, died with its log (rule L2)."""
    return msgspec.structs.replace(move, source=None, epoch=0, at=0, stream="")


def open_record(move: Move) -> Open:
    """What is appended to the target's log (step 2)."""
    return Open(f"open:{move.id}", move.epoch)


def destination(move: Move) -> Segment:
    """The segment that the move opens, once the open record's sequence is known."""
    return Segment(move.target, move.epoch, move.at, move.stream, unclean=move.evacuate)


def seal_record(move: Move) -> Seal:
    """What is appended to the source's log (step 3); the same at each try, so it is stored once."""
    assert move.source
    return Seal(f"seal:{move.id}", move.source.epoch, destination(move))


def first_valid_seal(segment: Segment, entries: Iterable[Entry]) -> Seal | None:
    """The seal that decides (rule C2): the first valid one among a segment's entries in order."""
    for entry in entries:
        record = entry.record
        if (
            isinstance(record, Seal)
            and entry.sequence > segment.at
            and record.epoch == segment.epoch
            and record.to.epoch > segment.epoch
        ):
            return record
    return None
