"""The deadline wheel."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from godwit.edge.deadlines import Wheel


class Thing:
    """Something with a deadline."""

    def __init__(self) -> None:
        self.slot = 0

    def due(self, now: float) -> None:
        """Never called here: the node calls it."""


def test_a_deadline_comes_once_and_not_before_its_time() -> None:
    wheel, thing = Wheel(100.0), Thing()
    wheel.set(thing, 130.5)
    assert wheel.expire(130.4) == []
    assert wheel.expire(131.0) == [thing]
    assert wheel.expire(140.0) == []
    assert len(wheel) == 0


def test_a_later_deadline_replaces_an_earlier_one() -> None:
    wheel, thing = Wheel(0.0), Thing()
    wheel.set(thing, 5.0)
    wheel.set(thing, 9.0)
    assert len(wheel) == 1
    assert wheel.expire(8.0) == []
    assert wheel.expire(10.0) == [thing]


def test_a_cleared_deadline_never_comes() -> None:
    wheel, thing = Wheel(0.0), Thing()
    wheel.set(thing, 5.0)
    wheel.clear(thing)
    wheel.clear(thing)
    assert wheel.expire(100.0) == []
    assert len(wheel) == 0


def test_a_deadline_that_is_over_comes_at_the_next_look() -> None:
    wheel, thing = Wheel(0.0), Thing()
    wheel.expire(50.0)
    wheel.set(thing, 3.0)
    assert wheel.expire(51.0) == [thing]


@given(
    st.lists(st.floats(0, 500), max_size=30),
    st.lists(st.floats(0, 600), max_size=30).map(sorted),
)
def test_nobody_is_early_and_nobody_forgotten(deadlines: list[float], looks: list[float]) -> None:
    wheel, things = Wheel(0.0), {Thing(): when for when in deadlines}
    for thing, when in things.items():
        wheel.set(thing, when)
    come: set[Thing] = set()
    for now in [*looks, 1000.0]:
        for found in wheel.expire(now):
            assert isinstance(found, Thing)
            assert things[found] <= now
            assert found not in come
            come.add(found)
        assert all(thing in come for thing, when in things.items() if when <= now - 1.0)
    assert len(come) == len(things)
