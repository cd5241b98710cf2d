"""Which channels were moved while their streams ran."""

from __future__ import annotations

from godwit.drill.rollout_live import LiveBook


def test_moves_before_and_after_a_stream_are_right() -> None:
    book = LiveBook()
    book.moved("a", 2, 5.0)
    book.began("a", 2, 10.0)
    assert book.live == {"a"}
    book.ended("a", 2, 20.0)
    book.moved("a", 3, 20.5)
    book.moved("b", 2, 15.0)
    assert book.live == set()
    assert book.moved_live() == []
    assert book.moves == 3


def test_a_move_during_a_stream_is_found() -> None:
    """By the change feed, or by the epoch that the channel has come to, and counted once."""
    book = LiveBook()
    book.began("a", 1, 10.0)
    book.ended("a", 2, 20.0)
    assert book.moved_live() == ["#a (epoch 2)"]
    book.moved("a", 2, 12.0)
    assert book.moved_live() == ["#a (epoch 2)"]
    book.began("b", 1, 10.0)
    book.moved("b", 2, 11.0)
    assert book.moved_live() == ["#a (epoch 2)", "#b (epoch 2)"]


def test_what_was_under_way_when_a_stream_began_does_not_count() -> None:
    """Its epoch was reached before."""
    book = LiveBook()
    book.began("a", 2, 10.0)
    book.moved("a", 2, 10.0)
    assert book.moved_live() == []


def test_streams_come_and_go() -> None:
    book = LiveBook()
    book.began("a", 1, 10.0)
    book.ended("a", 1, 20.0)
    book.moved("a", 2, 25.0)
    book.began("a", 2, 30.0)
    book.moved("a", 3, 31.0)
    assert book.moved_live() == ["#a (epoch 3)"]
