"""Verification of a move: a good one, and one mutant for each thing that can be wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from godwit.rollout import moves
from godwit.rollout.verify import Side, verify_move, with_members
from godwit.values import Arrive, Author, Entry, Message, Move, Record, Seal, Segment, Tell

ANN = Author("1", "ann")
SOURCE = Segment("main", 3, 10, "main/1")
MOVE = Move(
    "m1",
    "room",
    "aws",
    "settled",
    source=SOURCE,
    epoch=4,
    at=50,
    stream="aws/1",
    history=(("wished", 100.0), ("opening", 101.0), ("opened", 102.0), ("sealing", 103.0), ("sealed", 104.0)),
)
CHAIN = (Segment("main", 1, 0, "main/1"), SOURCE, moves.destination(MOVE))


def _line(number: int, epoch: int, producer: str = "p", id: str = "") -> Message:
    return Message(id or f"{producer}{number}", epoch, producer, number, ANN, "hi")


def _log(start: int, records: Sequence[Record]) -> tuple[Entry, ...]:
    """Records as a log holds them: every third sequence is this channel's."""
    places = [start + 3 * place for place in range(len(records))]
    return tuple(
        Entry(place, prev, 100.0 + place, record)
        for place, prev, record in zip(places, [SOURCE.at, *places], records, strict=False)
    )


OLD = _log(11, [_line(1, 3), _line(2, 3), moves.seal_record(MOVE), _line(3, 3)])
NEW = _log(50, [moves.open_record(MOVE), _line(3, 4), _line(4, 4)])


def _verify(old: Sequence[Entry] = OLD, new: Sequence[Entry] = NEW, **changed: Any) -> str:
    given: dict[str, Any] = {"move": MOVE, "chain": CHAIN, "kept_since": 90.0} | changed
    sides = {"old": Side(old, given.pop("old_floor", 0)), "new": Side(new, given.pop("new_floor", 0))}
    return verify_move(**(sides | given))


def _without(entries: Sequence[Entry], place: int) -> tuple[Entry, ...]:
    return tuple(entry for number, entry in enumerate(entries) if number != place)


def test_a_good_move_is_ok() -> None:
    """A line that came behind the seal was said again (C6)."""
    assert _verify() == "ok"


def test_a_channel_that_has_moved_on_is_ok() -> None:
    on = Segment("event", 5, 9, "event/1")
    new = _log(50, [moves.open_record(MOVE), _line(3, 4), Seal("seal:m2", 4, on), _line(4, 4)])
    assert _verify(new=new, chain=(*CHAIN, on)) == "ok"


def test_what_has_no_place_in_the_next_segment_need_not_be_said_again() -> None:
    """C12, NOTICE-7: early accounts are looked at anew, and what operators tell is told once."""
    behind: list[Record] = [Arrive("a1", 3, "e", 1, "main", ("7",)), Tell("t1", 3, "t", 1, "soon")]
    assert _verify(old=_log(11, [_line(1, 3), moves.seal_record(MOVE), *behind])) == "ok"


def test_a_repeat_that_no_reader_shows_is_ok() -> None:
    """L6: the second record with a producer's number is void."""
    assert _verify(new=_log(50, [moves.open_record(MOVE), _line(2, 4), _line(3, 4)])) == "ok"


def test_only_so_many_ids_are_remembered() -> None:
    new = _log(50, [moves.open_record(MOVE), _line(3, 4), _line(9, 4, id="p1")])
    assert _verify(new=new, last=1) == "ok"
    assert _verify(new=new, last=2) == "p1 was said on both sides of the seal"


OTHER = Segment("event", 4, 7, "event/1")
MUTANTS: dict[str, tuple[dict[str, Any], str]] = {
    "no seal": ({"old": OLD[:2]}, "main has no seal"),
    "a seal that was lost": ({"old": _without(OLD, 2)}, "main has no seal; the log of main misses record 17"),
    "another seal first": (
        {"old": _log(11, [_line(1, 3), Seal("seal:m0", 3, OTHER), moves.seal_record(MOVE)])},
        "the seal that decides on main is seal:m0, towards event/4 at 7",
    ),
    "seal of the move that names another place": (
        {"old": _log(11, [_line(1, 3), Seal("seal:m1", 3, OTHER)])},
        "the seal that decides on main is seal:m1, towards event/4 at 7",
    ),
    "no open": ({"new": _without(NEW, 0)}, "aws has no open record at 50"),
    "another record in its place": (
        {"new": _log(50, [_line(3, 4), _line(4, 4)])},
        "aws has p3 of epoch 4 at 50 where the open record must be",
    ),
    "a hole in the old log": ({"old": _without(OLD, 1)}, "the log of main misses record 14"),
    "a hole in the new log": (
        {"new": _without(_log(50, [moves.open_record(MOVE), _line(4, 4), _line(3, 4), _line(5, 4)]), 1)},
        "the log of aws misses record 53",
    ),
    "an id twice": (
        {"new": _log(50, [moves.open_record(MOVE), _line(3, 4), _line(4, 4), _line(9, 4, id="p2")])},
        "p2 was said on both sides of the seal",
    ),
    "an id twice behind the seal": (
        {"new": _log(50, [moves.open_record(MOVE), _line(3, 4), _line(9, 4, id="p3")])},
        "p3 was said on both sides of the seal",
    ),
    "a line that was never said again": ({"new": NEW[:1]}, "p3 came behind the seal and was not said again"),
    "several": (
        {"old": _log(11, [moves.seal_record(MOVE), *(_line(number, 3) for number in range(5, 10))])},
        "p5, p6, p7 and 2 more came behind the seal and was not said again",
    ),
    "not in the chain": ({"chain": CHAIN[:2]}, "the store's chain has no segment aws/4 at 50"),
    "something between": (
        {"chain": (SOURCE, Segment("event", 3, 7, "event/1"), CHAIN[2])},
        "in the store's chain event/3 at 7 lies before aws/4 at 50",
    ),
    "nothing before": ({"chain": CHAIN[2:]}, "in the store's chain nothing lies before aws/4 at 50"),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_what_is_wrong_is_found_and_named(mutant: str) -> None:
    changed, wrong = MUTANTS[mutant]
    assert _verify(**changed) == wrong


def test_line_that_its_edge_may_still_hold() -> None:
    """An edge that does not reach the new log holds what came behind the seal, and says it again when it does."""
    changed: dict[str, Any] = {"old": _log(11, [moves.seal_record(MOVE), _line(5, 3), _line(6, 3)]), "new": NEW[:1]}
    both, one = "p5, p6 came behind the seal", "p5 came behind the seal"
    assert _verify(**changed, held_since=114.0) == f"ok ({both} and may still be said again)"
    assert _verify(**changed, held_since=115.0) == f"{one} and was not said again"
    assert _verify(**changed, held_since=118.0) == f"{both} and was not said again"


def test_faults_are_named_together() -> None:
    assert _verify(old=OLD[:2], chain=CHAIN[:2]) == ("the store's chain has no segment aws/4 at 50; main has no seal")


def test_what_has_expired_is_not_held_against_the_move() -> None:
    assert _verify(old=(), new=(), kept_since=200.0) == "ok"
    assert _verify(old=OLD[2:], old_floor=14) == "ok (records of main up to 14 have expired)"
    gone = "ok (records of main up to 20 have expired; records of aws up to 56 have expired)"
    assert _verify(old=OLD[3:], old_floor=20, new=(), new_floor=56, kept_since=200.0) == gone
    assert _verify(old=OLD[2:], old_floor=14, new=NEW[:1], new_floor=56) == (
        "ok (records of main up to 14 have expired; records of aws up to 56 have expired)"
    )


def test_open_and_seal_do_not_expire_before_everything_else() -> None:
    """L3: they are held against the move as long as they must be there."""
    assert _verify(old=(), old_floor=99, new=(), new_floor=99, kept_since=101.0) == (
        "main has no seal; aws has no open record at 50"
    )
    assert _verify(old=(), old_floor=99, new=(), new_floor=99, kept_since=102.0) == "main has no seal"


def test_a_log_that_is_gone_says_nothing() -> None:
    given = {"move": MOVE, "chain": CHAIN, "kept_since": 90.0}
    assert verify_move(**given, old=Side(gone=True), new=Side(NEW)) == "ok (the log of main is gone)"  # type: ignore[arg-type]
    assert verify_move(**given, old=Side(OLD), new=Side(gone=True)) == "ok (the log of aws is gone)"  # type: ignore[arg-type]


def test_a_segment_that_was_given_up_by_force_needs_no_seal() -> None:
    """C8."""
    move = msgspec.structs.replace(MOVE, evacuate=True, epoch=5)
    chain = (SOURCE, moves.destination(move))
    new = _log(50, [moves.open_record(move), _line(3, 5)])
    assert _verify(move=move, chain=chain, old=OLD[:2], new=new) == "ok"
    assert _verify(move=move, chain=CHAIN, old=OLD[:2], new=new) == "the store's chain has no segment aws/5 at 50"


@pytest.mark.parametrize(("after", "said"), [(40, "ok"), (20, "ok"), (19, "ok (members: 40 before, 19 now)")])
def test_members_that_are_gone_are_told(after: int, said: str) -> None:
    assert with_members("ok", 40, after) == said
