"""The states of a move, and what follows from what was found."""

from __future__ import annotations

import typing

import msgspec
import pytest

from godwit.errors import GodwitError, InvalidRequest, MoveRefused, UnknownChannel, UnknownCluster
from godwit.rollout import moves
from godwit.store.base import FINISHED, MOVING
from godwit.values import Author, Entry, Message, Move, MoveState, Open, Placement, Seal, Segment

MAIN = Segment("main", 1, 10, "m1")
HOME = Placement("room", MAIN)
MOVE = Move("m7", "room", "aws", "wished")
CLUSTERS = ("main", "aws", "event", "group")
STATES = typing.get_args(MoveState)


def changed(**changes: object) -> Move:
    return msgspec.structs.replace(MOVE, **changes)


# the table --------------------------------------------------------------------------------------


def test_table_has_every_state() -> None:
    assert set(moves.TRANSITIONS) == set(STATES)
    assert set(moves.MEANING) == set(STATES)
    assert all(after in moves.TRANSITIONS for row in moves.TRANSITIONS.values() for after in row)


def test_every_state_is_reachable() -> None:
    reached: set[str] = set()
    ahead: list[MoveState] = ["wished"]
    while ahead:
        state = ahead.pop()
        if state not in reached:
            reached.add(state)
            ahead += moves.TRANSITIONS[state]
    assert reached == set(STATES)


def test_every_move_ends() -> None:
    """The only way back is to where a move begins anew; without it each step leads on to where none leads back."""
    onward = {state: [one for one in after if one != "wished"] for state, after in moves.TRANSITIONS.items()}

    def beyond(state: MoveState) -> set[str]:
        return {state}.union(*(beyond(after) for after in onward[state]))

    for state, after in onward.items():
        for later in after:
            assert state not in beyond(later)


def test_begins_anew() -> None:
    """Found out when the seal is due at the earliest; then all that was done for the old segment is forgotten."""
    assert {state for state, after in moves.TRANSITIONS.items() if "wished" in after} == {"sealing", "sealed"}
    begun = changed(state="sealed", source=MAIN, epoch=2, at=7, stream="a1", rollout="r1", cold=True)
    assert moves.begin_anew(begun) == changed(state="sealed", rollout="r1", cold=True)


def test_final_states() -> None:
    """They are those that the store takes for finished."""
    assert frozenset({"settled", "cancelled", "failed"}) == moves.FINAL
    assert set(FINISHED) == moves.FINAL
    assert set(MOVING) == set(STATES) - moves.FINAL - {"draining"}


def test_no_way_back_after_the_switch() -> None:
    """Once sealed the way is forward; failed means that nothing was changed."""
    assert "failed" not in moves.TRANSITIONS["sealed"]
    assert moves.TRANSITIONS["draining"] == ("settled",)
    assert {state for state, after in moves.TRANSITIONS.items() if "failed" in after} == {"wished"}


@pytest.mark.parametrize("before", STATES)
@pytest.mark.parametrize("after", STATES)
def test_check(before: MoveState, after: MoveState) -> None:
    move = changed(state=before)
    if after in moves.TRANSITIONS[before]:
        moves.check(move.state, after)
    else:
        with pytest.raises(ValueError, match=f"{before} cannot become {after}"):
            moves.check(move.state, after)


# admission --------------------------------------------------------------------------------------


def admit(
    move: Move = MOVE, placement: Placement = HOME, *, live: bool = False, unfinished: Move | None = None
) -> None:
    moves.admit(move, placement=placement, clusters=CLUSTERS, live=live, unfinished=unfinished)


def test_admitted() -> None:
    admit()
    admit(unfinished=MOVE)
    admit(changed(target="event"))
    admit(changed(forced=True, reason="why"), live=True)


@pytest.mark.parametrize(
    ("move", "found", "error", "says"),
    [
        (changed(channel="#room"), {}, UnknownChannel, r"'#room' is not a channel name: use 1 to 25 of a-z, 0-9 and _"),
        (changed(channel=""), {}, UnknownChannel, "'' is not a channel name"),
        (changed(channel="a" * 26), {}, UnknownChannel, "is not a channel name"),
        (changed(target="mars"), {}, UnknownCluster, "no cluster 'mars' for channels: choose one of main, aws, event"),
        (changed(target="group"), {}, UnknownCluster, "no cluster 'group' for channels"),
        (changed(forced=True), {}, InvalidRequest, "a forced move needs a reason: add --reason TEXT"),
        (changed(target="main"), {}, MoveRefused, "#room is already on main: nothing to do"),
        (MOVE, {"live": True}, MoveRefused, "#room is live: wait until its stream ends, or add --force --reason TEXT"),
        (
            MOVE,
            {"unfinished": changed(id="m6", target="event", state="sealing")},
            MoveRefused,
            r"#room is already moving to event \(sealing, move m6\): wait for it, see `godwit channel show '#room'`",
        ),
        (
            changed(forced=True, reason="why"),
            {"unfinished": changed(id="m6", state="opening")},
            MoveRefused,
            "already moving",
        ),
    ],
)
def test_refused(move: Move, found: dict[str, typing.Any], error: type[GodwitError], says: str) -> None:
    """Each refusal is one line that says what to do."""
    with pytest.raises(error, match=says) as refused:
        admit(move, **found)
    assert type(refused.value) is error
    assert "\n" not in str(refused.value)


def test_evacuation_to_the_cluster_itself() -> None:
    """Its log died and is there again, as another one: the channel opens anew where it was."""
    admit(changed(target="main", evacuate=True, forced=True, reason="log lost"))


# what is appended -------------------------------------------------------------------------------


def test_begin() -> None:
    begun = moves.begin(MOVE, HOME)
    assert (begun.source, begun.epoch) == (MAIN, 2)
    assert msgspec.structs.replace(begun, source=None, epoch=0) == MOVE


def test_begin_of_an_evacuation() -> None:
    """Rule C8: it leaves out an epoch, which a late seal of the dead log may name."""
    assert moves.begin(changed(evacuate=True), HOME).epoch == 3


def test_records() -> None:
    """They are the same at each try, and two moves of a channel have different ones."""
    opened = changed(source=MAIN, epoch=2, at=7, stream="a1")
    assert moves.open_record(opened) == Open("open:m7", 2)
    assert moves.destination(opened) == Segment("aws", 2, 7, "a1")
    assert moves.seal_record(opened) == Seal("seal:m7", 1, Segment("aws", 2, 7, "a1"))
    other = msgspec.structs.replace(opened, id="m8")
    assert moves.open_record(other).id != moves.open_record(opened).id
    assert moves.seal_record(other).id != moves.seal_record(opened).id


def test_destination_of_an_evacuation() -> None:
    opened = changed(source=MAIN, epoch=3, at=7, stream="a1", evacuate=True)
    assert moves.destination(opened) == Segment("aws", 3, 7, "a1", unclean=True)


# the seal that decides (rule C2) ----------------------------------------------------------------


def seal(name: str, epoch: int = 1, to_epoch: int = 2) -> Seal:
    return Seal(name, epoch, Segment("aws", to_epoch, 7, "a1"))


def entries(*records: Seal | Open | Message, first: int = 11) -> list[Entry]:
    return [Entry(sequence, sequence - 1, 0.0, record) for sequence, record in enumerate(records, first)]


def test_first_valid_seal() -> None:
    said = Message("x", 1, "p", 1, Author("1", "ann"), "hi")
    found = moves.first_valid_seal(MAIN, entries(Open("o", 2), said, seal("mine"), seal("other")))
    assert found == seal("mine")


def test_no_seal() -> None:
    assert moves.first_valid_seal(MAIN, []) is None
    assert moves.first_valid_seal(MAIN, entries(Open("o", 2))) is None


@pytest.mark.parametrize(
    "void", [seal("old", epoch=0), seal("new", epoch=2, to_epoch=3), seal("same", to_epoch=1), seal("down", to_epoch=0)]
)
def test_seals_that_are_not_valid(void: Seal) -> None:
    """Of another epoch, or to no higher one: as for every reader."""
    assert moves.first_valid_seal(MAIN, entries(void)) is None
    assert moves.first_valid_seal(MAIN, entries(void, seal("mine"))) == seal("mine")


def test_seal_before_the_segment() -> None:
    """At or before `at` it is of no segment, though it has this one's epoch."""
    assert moves.first_valid_seal(MAIN, entries(seal("early"), seal("late"), first=9)) is None
    assert moves.first_valid_seal(MAIN, entries(seal("early"), seal("mine"), first=10)) == seal("mine")
