"""What waits until enough is known to decide it."""

from __future__ import annotations

import pytest

from godwit.edge.deferred import Deferred


class Calls:
    """Puts calls that note their names."""

    def __init__(self, most: int = 3, hold: float = 10.0) -> None:
        self.deferred = Deferred(most, hold)
        self.done: list[str] = []
        self.ready: set[str] = set()

    def put(self, producer: str, name: str, now: float = 0.0) -> bool:
        return self.deferred.put(
            producer,
            lambda: self.done.append(name),
            lambda: self.done.append(f"no {name}"),
            lambda: producer in self.ready,
            now,
        )

    def release(self, *ready: str) -> list[str]:
        """What is done when these producers are ready."""
        self.ready, self.done = set(ready), []
        self.deferred.release()
        return self.done


@pytest.fixture
def calls() -> Calls:
    return Calls()


def test_in_the_order_in_which_they_came(calls: Calls) -> None:
    for name in ("a1", "b1", "a2", "b2"):
        assert calls.put(name[0], name)
    assert calls.release("a", "b") == ["a1", "b1", "a2", "b2"]
    assert not calls.deferred
    assert calls.release("a", "b") == []


def test_who_is_not_ready_waits_and_holds_up_nobody_else(calls: Calls) -> None:
    for name in ("a1", "b1", "a2"):
        calls.put(name[0], name)
    assert calls.release("b") == ["b1"]
    assert (calls.deferred.waits("a"), calls.deferred.waits("b")) == (True, False)
    assert calls.release("a") == ["a1", "a2"]


def test_bounded_for_each(calls: Calls) -> None:
    assert [calls.put("a", f"a{number}") for number in range(5)] == [True, True, True, False, False]
    assert calls.put("b", "b1")
    calls.release("a")
    assert calls.put("a", "a9")


def test_not_for_ever(calls: Calls) -> None:
    calls.put("a", "a1", 0.0)
    calls.put("a", "a2", 1.0)
    calls.deferred.give_up(10.0)
    assert calls.done == []
    calls.deferred.give_up(10.5)
    assert calls.done == ["no a1"]
    assert calls.release("a") == ["a2"]


def test_abandon(calls: Calls) -> None:
    calls.put("a", "a1")
    calls.put("b", "b1")
    calls.deferred.abandon()
    assert calls.done == ["no a1", "no b1"]
    assert not calls.deferred
    assert not calls.deferred.waits("a")


def test_what_is_put_meanwhile_waits_for_the_next_time(calls: Calls) -> None:
    def more() -> None:
        calls.put("a", "later")

    calls.deferred.put("a", more, lambda: None, lambda: True, 0.0)
    assert calls.release("a") == []
    assert calls.release("a") == ["later"]
