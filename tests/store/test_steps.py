"""What follows when a step is written: the same in every store."""

from __future__ import annotations

import pytest

from godwit.errors import StaleEpoch
from godwit.rollout.values import Budget, Definition, Lease, Rollout
from godwit.store.steps import changed, check_term, fits, next_version, replaces, taken, written
from godwit.values import Move, MoveState, Segment

MOVE = Move("m1", "room", "aws", "opened", version=3, history=(("opened", 1.0),))


@pytest.mark.parametrize(
    ("state", "version", "finished", "fitting"),
    [
        ("sealing", 3, False, True),
        ("sealing", 4, False, False),
        ("sealing", 2, False, False),
        ("sealing", 3, True, False),
        ("settled", 3, True, True),
    ],
)
def test_fits(state: MoveState, version: int, finished: bool, fitting: bool) -> None:
    """A step needs the version that it was decided on; what has ended only ends again."""
    assert fits((MOVE, state), version, finished=finished) is fitting


def test_written() -> None:
    """Only the step to the seal asks whether the channel is live, and a forced move does not ask."""
    sealing = written((MOVE, "sealing"), 2.0, live=False, held=False)
    assert (sealing.state, sealing.version, sealing.history) == ("sealing", 4, (("opened", 1.0), ("sealing", 2.0)))
    refused = written((MOVE, "sealing"), 2.0, live=True, held=False)
    assert (refused.state, refused.version, refused.history[-1]) == ("cancelled", 4, ("cancelled", 2.0))
    assert refused.error == "#room went live before the switch"
    assert written((MOVE, "opened"), 2.0, live=True, held=False).state == "opened"
    assert written((MOVE, "sealing"), 2.0, live=False, held=True).error.startswith("#room is held: release it")
    forced = Move("m1", "room", "aws", "opened", forced=True, reason="why")
    assert written((forced, "sealing"), 2.0, live=True, held=True).state == "sealing"


@pytest.mark.parametrize(
    ("epoch", "unclean", "over"),
    [(1, False, True), (4, False, True), (5, False, False), (3, True, True), (4, True, False)],
)
def test_replaces(epoch: int, unclean: bool, over: bool) -> None:
    """Rules C3 and C8: a lower epoch, and for an unclean segment the one that it was decided for."""
    assert replaces(Segment("aws", 5, 0, "a1", unclean=unclean), epoch) is over


def test_changed() -> None:
    """The feed says from where to where, and under which epoch."""
    told = changed(Segment("main", 1, 0, "m1"), Segment("aws", 2, 7, "a1"))
    assert told == {"cluster": "aws", "epoch": 2, "from": "main"}


def test_taken() -> None:
    """A lease that has ended begins a term; its holder's is prolonged, another's is left alone."""
    lease = Lease("x", "one", 4, 10.0)
    assert taken(lease, "two", now=10.0, until=20.0) == Lease("x", "two", 5, 20.0)
    assert taken(lease, "one", now=10.0, until=20.0) == Lease("x", "one", 5, 20.0)
    assert taken(lease, "one", now=9.0, until=20.0) == Lease("x", "one", 4, 20.0)
    assert taken(lease, "two", now=9.0, until=20.0) == lease


def test_stale() -> None:
    """Decisions of old terms and over old versions are refused."""
    check_term(4, 4)
    for found in (5, 3, None):
        with pytest.raises(StaleEpoch, match="not 4"):
            check_term(found, 4)
    rollout = Rollout("r1", Definition("west", "aws", ()), "hash", "running", (), Budget(), version=2)
    assert next_version(rollout, 2).version == 3
    for stored in (3, 1, None):
        with pytest.raises(StaleEpoch, match="not 2"):
            next_version(rollout, stored)
