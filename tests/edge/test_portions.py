"""Work in portions, with a clock and a loop that stand still by themselves."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from godwit.edge.portions import LONG, Portions


class Turns:
    """A loop, and the time that work in it takes."""

    def __init__(self) -> None:
        self.now = 0.0
        self.soon: list[Callable[[], None]] = []
        self.done: list[int] = []
        self.portions = Portions(self.soon.append, lambda: self.now)

    def add(self, number: int, seconds: float) -> None:
        """Add a piece of work that takes so long."""

        def piece() -> None:
            self.now += seconds
            self.done.append(number)

        self.portions.add(piece)

    def turn(self) -> list[int]:
        """Do what is to be done in one turn of the loop; returns which pieces were."""
        soon, self.soon[:] = self.soon[:], []
        before = len(self.done)
        for call in soon:
            call()
        return self.done[before:]


def test_nothing_is_done_at_once_and_short_work_in_one_turn() -> None:
    turns = Turns()
    for number in range(5):
        turns.add(number, LONG / 10)
    assert turns.done == []
    assert turns.turn() == [0, 1, 2, 3, 4]
    assert turns.soon == []


def test_long_work_is_spread_over_turns_in_its_order() -> None:
    turns = Turns()
    for number in range(6):
        turns.add(number, 0.6 * LONG)
    assert turns.turn() == [0, 1]
    turns.add(6, 0.6 * LONG)
    assert [turns.turn() for _ in range(4)] == [[2, 3], [4, 5], [6], []]


def test_what_a_piece_asks_for_is_done_in_another_turn() -> None:
    turns = Turns()
    turns.portions.add(lambda: turns.add(1, 0.0))
    assert turns.turn() == []
    assert turns.turn() == [1]
    assert turns.soon == []


def test_a_piece_that_fails_does_not_keep_the_others_back() -> None:
    turns = Turns()

    def fails() -> None:
        raise RuntimeError("a bug of ours")

    turns.add(0, 0.0)
    turns.portions.add(fails)
    turns.add(1, 0.0)
    with pytest.raises(RuntimeError):
        turns.turn()
    assert turns.turn() == [1]
    assert turns.done == [0, 1]
