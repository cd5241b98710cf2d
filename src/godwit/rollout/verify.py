"""Whether a move lost, repeated or reordered anything: found in the two logs and the chain, after the fact.

Pure: `control.verifier` reads the logs and the store. What has expired is not held against a move, and what
nobody would have been shown (rule L6: of a producer's records with the same or an older number only the first
counts) is no repeat.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import msgspec

from godwit.rollout import moves
from godwit.values import Act, Change, Entry, Message, Move, Open, Produced, Segment

NAMED = 3
"""Ids that are named of each kind of fault; more are counted."""


class Side(msgspec.Struct, frozen=True):
    """What a log still has of a segment.

    Attributes:
        entries: records of the channel behind the segment's `at`, in order.
        floor: records of the channel at or below this sequence may have expired.
        gone: the log is not the segment's any more (rule L2): nothing can be said of it.
    """

    entries: Sequence[Entry] = ()
    floor: int = 0
    gone: bool = False


def verify_move(
    move: Move,
    chain: Sequence[Segment],
    old: Side,
    new: Side,
    *,
    kept_since: float,
    held_since: float = math.inf,
    last: int = 500,
) -> str:
    """Say whether a move that was committed joined its two segments well.

    Args:
        move: as journaled; with its source, epoch and `at`.
        chain: the channel's segments as the store has them.
        old, new: what the two logs have of the source and of the segment that was opened.
        kept_since: open and seal with a time from here on cannot have expired.
        held_since: what came behind the seal from here on may still be said again: its edge may hold it because it
            does not reach the new log.
        last: how many ids before the seal must not come again behind it.

    Returns:
        `ok`, perhaps with what could not be looked at in brackets; or what is wrong.
    """
    assert move.source
    faults = [
        *_chain_faults(move, chain),
        *_seal_faults(move, old, kept_since),
        *_open_faults(move, new, kept_since),
        *_holes(move.source, old),
        *_holes(moves.destination(move), new),
        *_joint_faults(move, old, new, last),
    ]
    unsaid = _unsaid(move, old, new)
    if lost := [entry.record.id for entry in unsaid if entry.time < held_since]:
        faults.append(f"{_few(lost)} came behind the seal and was not said again")
    if faults:
        return "; ".join(faults)
    held = [entry.record.id for entry in unsaid]
    unseen = [f"{_few(held)} came behind the seal and may still be said again"] if held else []
    unseen += [*_unseen(move.source, old), *_unseen(moves.destination(move), new)]
    return f"ok ({'; '.join(unseen)})" if unseen else "ok"


def with_members(said: str, before: int, now: int) -> str:
    """A verdict with the members before the move and at its end, if fewer than half of them are left."""
    return f"{said} (members: {before} before, {now} now)" if now * 2 < before else said


def _chain_faults(move: Move, chain: Sequence[Segment]) -> list[str]:
    """The store must know the segment that was opened, directly behind the one that was sealed."""
    opened = moves.destination(move)
    if opened not in chain:
        return [f"the store's chain has no segment {_name(opened)}"]
    before = chain[: chain.index(opened)]
    if not before or before[-1] != move.source:
        found = _name(before[-1]) if before else "nothing"
        return [f"in the store's chain {found} lies before {_name(opened)}"]
    return []


def _seal_faults(move: Move, old: Side, kept_since: float) -> list[str]:
    """The first valid seal must be the move's (rule C2); a segment that was given up by force may have any."""
    assert move.source
    if move.evacuate or old.gone:
        return []
    seal = moves.first_valid_seal(move.source, old.entries)
    wanted = moves.seal_record(move)
    if seal is None:
        return [f"{move.source.cluster} has no seal"] if _since(move, "sealing") >= kept_since else []
    if (seal.id, seal.to) != (wanted.id, wanted.to):
        return [f"the seal that decides on {move.source.cluster} is {seal.id}, towards {_name(seal.to)}"]
    return []


def _open_faults(move: Move, new: Side, kept_since: float) -> list[str]:
    """The record at `at` must be the move's open."""
    if new.gone:
        return []
    found = next((entry.record for entry in new.entries if entry.sequence == move.at), None)
    if found is None:
        fresh = _since(move, "opening") >= kept_since
        return [f"{move.target} has no open record at {move.at}"] if fresh else []
    if not isinstance(found, Open) or (found.id, found.epoch) != (moves.open_record(move).id, move.epoch):
        return [f"{move.target} has {found.id} of epoch {found.epoch} at {move.at} where the open record must be"]
    return []


def _holes(segment: Segment, side: Side) -> list[str]:
    """Records that the log's own links name and that are neither there nor expired."""
    after = max(segment.at, side.floor)
    known = {entry.sequence for entry in side.entries}
    missing = [entry.prev for entry in side.entries if entry.prev > after and entry.prev not in known]
    return [f"the log of {segment.cluster} misses record {_few(missing)}"] if missing else []


def _joint_faults(move: Move, old: Side, new: Side, last: int) -> list[str]:
    assert move.source
    said = _effective(move.source, _split(move, old)[0], {})
    numbers = {record.producer: record.number for record in said}
    ids = {record.id for record in said[-last:]}
    again: list[str] = []
    for record in _effective(moves.destination(move), new.entries, numbers):
        if record.id in ids:
            again.append(record.id)
        ids.add(record.id)
    return [f"{_few(again)} was said on both sides of the seal"] if again else []


def _unsaid(move: Move, old: Side, new: Side) -> list[Entry]:
    """What came behind the seal and is nowhere else."""
    assert move.source
    if new.gone or _expired(moves.destination(move), new):
        return []
    before, behind = _split(move, old)
    everything = {entry.record.id for entry in (*before, *new.entries)}
    return [
        entry
        for entry in behind
        if isinstance(entry.record, Message | Act | Change)
        and entry.record.epoch == move.source.epoch
        and entry.record.id not in everything
    ]


def _split(move: Move, old: Side) -> tuple[list[Entry], list[Entry]]:
    """What lies before the seal, and what behind it."""
    sealed_at = _seal_sequence(move, old)
    if sealed_at is None:
        return list(old.entries), []
    before = [entry for entry in old.entries if entry.sequence < sealed_at]
    return before, [entry for entry in old.entries if entry.sequence > sealed_at]


def _seal_sequence(move: Move, old: Side) -> int | None:
    assert move.source
    for entry in old.entries:
        if moves.first_valid_seal(move.source, (entry,)):
            return entry.sequence
    return None


def _effective(segment: Segment, entries: Iterable[Entry], numbers: dict[str, int]) -> list[Produced]:
    """What counts of a segment (rules C1, L6); `numbers` is where its producers were."""
    found: list[Produced] = []
    for entry in entries:
        record = entry.record
        if isinstance(record, Produced) and record.epoch == segment.epoch and entry.sequence > segment.at:
            if record.number > numbers.get(record.producer, 0):
                numbers[record.producer] = record.number
                found.append(record)
        elif moves.first_valid_seal(segment, (entry,)):
            break
    return found


def _unseen(segment: Segment, side: Side) -> list[str]:
    if side.gone:
        return [f"the log of {segment.cluster} is gone"]
    if _expired(segment, side):
        return [f"records of {segment.cluster} up to {side.floor} have expired"]
    return []


def _expired(segment: Segment, side: Side) -> bool:
    return side.floor > segment.at


def _since(move: Move, state: str) -> float:
    """When the move came to a state for the last time; 0 if it never did."""
    return max((time for reached, time in move.history if reached == state), default=0.0)


def _name(segment: Segment) -> str:
    return f"{segment.cluster}/{segment.epoch} at {segment.at}"


def _few(things: Sequence[object]) -> str:
    """The first few by name, and how many more."""
    more = len(things) - NAMED
    return ", ".join(map(str, things[:NAMED])) + (f" and {more} more" if more > 0 else "")
