"""Buckets of latencies."""

from __future__ import annotations

import pytest

from godwit.load.receiver import BUCKETS, bucket, highest, quantile


@pytest.mark.parametrize("us", [0, 1, 63, 64, 65, 127, 128, 1000, 12_345, 1_000_000, 3_600_000_000])
def test_a_bucket_holds_its_latency(us: int) -> None:
    """And none of the one below; no wider than a thirty-second."""
    index = bucket(us * 1000)
    assert highest(index) >= us
    assert index == 0 or highest(index - 1) <= us
    assert index < 64 or highest(index) - highest(index - 1) <= max(1, us / 32)


def test_what_is_too_long_goes_to_the_last() -> None:
    """Nothing is dropped."""
    assert bucket(10**18) == BUCKETS - 1
    assert bucket(-5) == 0


def test_quantiles() -> None:
    """The latency that so many did not exceed."""
    histogram = [0] * BUCKETS
    histogram[bucket(1_000_000)] += 98
    histogram[bucket(50_000_000)] += 2
    assert quantile(histogram, 0.5) == pytest.approx(1, rel=0.04)
    assert quantile(histogram, 0.99) == pytest.approx(50, rel=0.04)
    assert quantile([0] * BUCKETS, 0.99) == 0
