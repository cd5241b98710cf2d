"""Pacing."""

from __future__ import annotations

from random import Random

import pytest

from godwit.client.pace import Backoff, Bucket, Rate
from godwit.clock import FakeClock


def test_a_span_never_sees_more_than_the_rate() -> None:
    clock = FakeClock()
    bucket = Bucket(Rate(20, 10.0), clock)
    taken: list[float] = []
    for _ in range(600):
        if bucket.take():
            taken.append(clock.now())
        clock.advance(0.1)
    assert all(late - early >= 10.0 - 1e-6 for early, late in zip(taken, taken[20:], strict=False))
    assert len(taken) == 120


def test_wait_says_when_the_next_token_is_there() -> None:
    clock = FakeClock()
    bucket = Bucket(Rate(2, 10.0), clock)
    assert bucket.wait() == 0
    assert bucket.take()
    clock.advance(4)
    assert bucket.take()
    assert not bucket.take()
    assert bucket.wait() == 6
    clock.advance(6)
    assert bucket.take()
    assert bucket.wait() == 4


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Bucket(Rate(0, 10.0), FakeClock())


def test_waits_double_up_to_the_cap_and_half_is_chance() -> None:
    backoff = Backoff(first=1.0, cap=8.0)
    random = Random(7)
    for attempt, limit in [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (5, 8.0), (5000, 8.0)]:
        waits = [backoff.wait(attempt, random) for _ in range(200)]
        assert limit / 2 <= min(waits) < max(waits) <= limit
        assert max(waits) - min(waits) > limit / 4


def test_the_same_seed_waits_alike() -> None:
    backoff = Backoff()
    assert [backoff.wait(n, Random(1)) for n in range(1, 5)] == [backoff.wait(n, Random(1)) for n in range(1, 5)]
