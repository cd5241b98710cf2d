"""Readers compared with each other, and latencies in steps."""

from __future__ import annotations

import pytest

from godwit.control.sightings import Latencies, Sightings


def see(*readers: str) -> list[tuple[int, int, int]]:
    """What each reader lost, saw twice and saw out of order; a letter is a message."""
    room = Sightings()
    seen = [room.reader() for _ in readers]
    for reader, messages in zip(seen, readers, strict=True):
        for message in messages:
            reader.saw(ord(message))
    return [(reader.lost, reader.repeated, reader.disorder) for reader in seen]


@pytest.mark.parametrize(
    ("readers", "expected"),
    [
        (("abc", "abc"), [(0, 0, 0), (0, 0, 0)]),
        (("abc", "ab"), [(0, 0, 0), (1, 0, 0)]),
        (("abc", "bc"), [(0, 0, 0), (1, 0, 0)]),
        (("abc", "ac"), [(0, 0, 0), (1, 0, 0)]),
        (("abc", "acb"), [(0, 0, 0), (0, 0, 1)]),
        (("abc", "abbc"), [(0, 0, 0), (0, 1, 0)]),
        (("abc", "abca"), [(0, 0, 0), (0, 1, 0)]),
        (("abc", "acbb"), [(0, 0, 0), (0, 1, 1)]),
        (("abc", "abcd"), [(1, 0, 0), (0, 0, 0)]),
        (("abc", ""), [(0, 0, 0), (3, 0, 0)]),
    ],
)
def test_readers_are_compared(readers: tuple[str, ...], expected: list[tuple[int, int, int]]) -> None:
    assert see(*readers) == expected


def test_latencies_without_any() -> None:
    assert Latencies().quantile(0.99) is None


def test_quantiles_are_at_most_a_step_too_high() -> None:
    latencies = Latencies()
    for number in range(1, 101):
        latencies.add(number / 1000)
    for share in (0.01, 0.5, 0.99, 1.0):
        found = latencies.quantile(share)
        assert found is not None
        assert share * 0.1 <= found * (1 + 1e-9) <= share * 0.1 * 1.051
    assert len(latencies) == 100


def test_no_latency_is_too_small() -> None:
    latencies = Latencies()
    latencies.add(0.0)
    assert latencies.quantile(1.0) == 0.0001
