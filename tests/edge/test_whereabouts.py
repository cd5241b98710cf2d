"""Where a channel is and was (rules C8, C10, C11, R3, F3)."""

from __future__ import annotations

from math import inf

import pytest

from godwit.edge.whereabouts import Whereabouts, first_segment
from godwit.values import Placement, Segment

FIRST, SECOND, THIRD = Segment("main", 1, 0, "m"), Segment("aws", 2, 5, "a"), Segment("event", 3, 7, "e")


def test_what_the_store_says() -> None:
    where = Whereabouts()
    assert (where.placement, where.rowless, where.previous, where.drains) == (None, False, (), {})
    placement = Placement("room", THIRD, "draining", 60.0, ("aws", "main"), drains=(60.0, 0.0))
    where.learn(placement)
    assert where.placement is placement
    assert (where.previous, where.drains) == (("aws", "main"), {"aws": 60.0, "main": 0.0})
    assert (where.rowless, where.hold_until) == (False, 0.0)


def test_a_channel_without_a_row_may_be_held() -> None:
    where = Whereabouts()
    where.learn(Placement("room", FIRST, drain_until=9.0, default=True))
    assert (where.rowless, where.hold_until) == (True, 9.0)


def test_a_seal_that_the_store_has_not_told_of() -> None:
    where = Whereabouts()
    where.learn(Placement("room", FIRST, default=True))
    assert where.followed(FIRST, SECOND) is None
    assert not where.rowless
    assert (where.previous, where.drains) == (("main",), {"main": inf})
    assert where.followed(SECOND, Segment("main", 3, 9, "m")) is None
    assert where.previous == ("aws",)


def test_a_seal_that_the_store_has_told_of() -> None:
    where = Whereabouts()
    placement = Placement("room", SECOND, "draining", 60.0, ("main",), drains=(60.0,))
    where.learn(placement)
    assert where.followed(FIRST, SECOND) is placement
    assert where.drains == {"main": 60.0}


@pytest.mark.parametrize(
    ("unclean", "incomplete", "oldest", "expected"),
    [
        (0, False, None, 3), (0, True, None, 1), (0, False, 2, 2), (0, False, 1, 1), (0, False, 9, 3),
        (2, True, None, 2), (2, False, 1, 2), (3, True, 1, 3),
    ],
)  # fmt: skip
def test_where_a_reader_begins(unclean: int, incomplete: bool, oldest: int | None, expected: int) -> None:
    chain = [
        Segment(each.cluster, each.epoch, each.at, each.stream, each.epoch == unclean)
        for each in (FIRST, SECOND, THIRD)
    ]
    found = first_segment(Placement("room", chain[-1]), chain, incomplete=incomplete, oldest_wanted=oldest)
    assert found is chain[expected - 1]


def test_where_a_reader_begins_without_a_row() -> None:
    default = Placement("room", FIRST, default=True)
    assert first_segment(default, [FIRST], incomplete=True, oldest_wanted=0) is FIRST
