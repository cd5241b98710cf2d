"""What is to be done later."""

from __future__ import annotations

from godwit.client.alarms import Alarms
from godwit.clock import FakeClock


def test_calls_are_made_in_order_of_time_and_not_before() -> None:
    clock = FakeClock(100.0)
    alarms = Alarms(clock)
    made: list[str] = []
    for seconds, name in [(3, "c"), (1, "a"), (2, "b"), (1, "a2")]:
        alarms.after(seconds, lambda name=name: made.append(name))  # type: ignore[misc]
    assert alarms.next() == 101
    alarms.ring()
    assert made == []
    clock.advance(2)
    alarms.ring()
    assert made == ["a", "a2", "b"]
    assert alarms.next() == 103
    clock.advance(10)
    alarms.ring()
    assert made == ["a", "a2", "b", "c"]
    assert alarms.next() is None


def test_a_call_may_set_the_next_alarm() -> None:
    clock = FakeClock()
    alarms = Alarms(clock)
    made: list[int] = []

    def again() -> None:
        made.append(len(made))
        if len(made) < 3:
            alarms.after(0, again)

    alarms.after(1, again)
    clock.advance(1)
    alarms.ring()
    assert made == [0, 1, 2]
