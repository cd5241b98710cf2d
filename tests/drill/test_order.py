"""One order is found where there is one; where there is none the majority decides."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from godwit.drill.order import late, ranks


@given(st.data())
def test_readers_of_one_order_agree(data: st.DataObject) -> None:
    """Whatever parts of one order readers saw, nobody is late."""
    whole = list(range(data.draw(st.integers(0, 30))))
    orders = data.draw(st.lists(st.sets(st.sampled_from(whole or [0])).map(sorted), max_size=6))
    ranked = ranks(orders)
    assert set(ranked) == set(itertools.chain(*orders))
    for order in orders:
        assert late(order, ranked) == []


@given(st.integers(2, 20).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size - 2))))
def test_the_one_who_differs_is_late(drawn: tuple[int, int]) -> None:
    """Two agree, one saw two lines the other way round: that one is late, once."""
    size, place = drawn
    right = list(range(size))
    wrong = [*right[:place], right[place + 1], right[place], *right[place + 2 :]]
    for orders in itertools.permutations([right, right, wrong]):
        ranked = ranks(orders)
        assert late(right, ranked) == []
        assert late(wrong, ranked) == [place]


def test_a_contradiction_between_two_shows_at_one() -> None:
    """With one against one somebody is late."""
    orders = (["a", "b"], ["b", "a"])
    ranked = ranks(orders)
    assert sum(len(late(order, ranked)) for order in orders) == 1


def test_a_hidden_contradiction_is_found() -> None:
    """Three readers that share no pair of lines, and yet no order fits them all."""
    orders = (["a", "b"], ["b", "c"], ["c", "a"])
    ranked = ranks(orders)
    assert sum(len(late(order, ranked)) for order in orders) == 1
