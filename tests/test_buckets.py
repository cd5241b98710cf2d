"""Token buckets, against the plain meaning of their words."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from godwit.buckets import GRACE, Bucket, Tokens, Window

START = 1_700_000_000.0
KINDS: list[Callable[[], Tokens]] = [lambda: Bucket(2.0, 20), lambda: Window(20, 10.0)]
kinds = pytest.mark.parametrize("make", KINDS, ids=["bucket", "window"])
steps = st.lists(st.tuples(st.floats(0, 30), st.integers(1, 20), st.booleans()), min_size=1, max_size=60)


@kinds
def test_begins_full_and_ends_empty(make: Callable[[], Tokens]) -> None:
    bucket = make()
    assert bucket.level(START) == 20
    assert [bucket.take(START) for _ in range(21)] == [True] * 20 + [False]
    assert bucket.level(START) == 0


@kinds
def test_all_or_nothing(make: Callable[[], Tokens]) -> None:
    bucket = make()
    assert bucket.take(START, 15)
    assert not bucket.take(START, 6)
    assert bucket.take(START, 5)


@kinds
def test_more_than_it_holds_never_comes(make: Callable[[], Tokens]) -> None:
    assert make().wait(START, 21) == math.inf
    assert not make().take(START, 21)


@kinds
def test_a_debt_is_paid_first(make: Callable[[], Tokens]) -> None:
    bucket = make()
    bucket.force(START, 30)
    assert bucket.level(START) == -10
    assert not bucket.take(START)
    assert bucket.level(START + 10) == 10


@kinds
def test_time_never_runs_backwards(make: Callable[[], Tokens]) -> None:
    bucket = make()
    assert bucket.take(START, 20)
    assert bucket.level(START - 100) == 0
    assert bucket.level(START + 10) == 20


@kinds
@given(data=steps)
def test_waiting_as_long_as_told_is_enough_and_less_is_not(
    make: Callable[[], Tokens], data: list[tuple[float, int, bool]]
) -> None:
    bucket, now = make(), START
    for pause, n, by_force in data:
        now += pause
        if by_force:
            bucket.force(now, n)
            continue
        wait = bucket.wait(now, n)
        assert (wait == 0) == bucket.take(now, n)
        if wait > 0:
            if wait > 0.01:
                assert not bucket.take(now + wait - 0.005, n)
            now += wait
            assert bucket.take(now, n)


def test_a_bucket_fills_steadily() -> None:
    bucket = Bucket(2.0, 20)
    bucket.force(START, 20)
    assert bucket.wait(START, 3) == pytest.approx(1.5)
    assert not bucket.take(START + 1.4, 3)
    assert bucket.take(START + 1.5, 3)


@given(pauses=st.lists(st.floats(0, 3), max_size=200))
def test_a_bucket_never_exceeds_its_rate(pauses: list[float]) -> None:
    bucket, now, taken = Bucket(2.0, 5), START, 0
    for pause in pauses:
        now += pause
        while bucket.take(now):
            taken += 1
        assert taken <= 5 + 2.0 * (now - START + GRACE)


def test_a_window_fills_whole_ten_seconds_after_the_first_token() -> None:
    window = Window(20, 10.0)
    assert window.take(START + 3)
    assert window.take(START + 12.9, 19)
    assert window.wait(START + 12.9) == pytest.approx(0.1)
    assert not window.take(START + 12.99)
    assert window.take(START + 13, 20)
    assert window.wait(START + 13) == pytest.approx(10)


def test_a_window_begins_anew_when_it_is_used_again() -> None:
    window = Window(20, 10.0)
    assert window.take(START)
    assert window.take(START + 25)
    assert window.level(START + 34.9) == 19
    assert window.level(START + 35) == 20


def test_a_large_debt_takes_several_fillings() -> None:
    window = Window(20, 10.0)
    window.force(START, 65)
    assert window.wait(START) == pytest.approx(30)
    assert window.wait(START, 16) == pytest.approx(40)
    assert window.wait(START, 15) == pytest.approx(30)
    assert window.level(START + 25) == -5
    assert window.take(START + 30, 15)
    assert not window.take(START + 30)


@given(data=st.lists(st.tuples(st.floats(0, 12), st.integers(1, 20)), max_size=80))
def test_a_window_gives_no_more_than_its_limit_in_one_filling(data: list[tuple[float, int]]) -> None:
    window, now = Window(20, 10.0), START
    filling: list[float] = []
    for pause, n in data:
        now += pause
        if filling and now >= filling[0] + 10.0 - GRACE:
            filling = []
        if window.take(now, n):
            filling += [now] * n
        assert len(filling) <= 20


@pytest.mark.parametrize(("first", "second"), [(0, 1), (1, 0), (-1, 1)])
def test_sizes_must_make_sense(first: float, second: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Bucket(first, second)
    with pytest.raises(ValueError, match="above 0"):
        Window(first, second)
