"""How long something lasts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from godwit.edge.commands.durations import in_words, seconds_of


@pytest.mark.row("CMD-timeout", "CMD-followers")
@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("600", 600),
        ("10m", 600),
        ("30M", 1800),
        ("1d2h", 93_600),
        ("2w", 1_209_600),
        ("5s", 5),
        ("1 week", 604_800),
        ("5 days 12 hours", 475_200),
        ("3 months", 7_776_000),
        ("0", 0),
        ("", None),
        (" ", None),
        ("m", None),
        ("-5", None),
        ("1y", None),
        ("1.5h", None),
        ("12345678901", None),
        ("soon", None),
    ],
)
def test_durations_are_read(text: str, seconds: int | None) -> None:
    assert seconds_of(text) == seconds


def test_a_number_alone_counts_what_is_usual() -> None:
    assert seconds_of("30", 60) == 1800
    assert seconds_of("30s", 60) == 30


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 minutes"),
        (60, "1 minute"),
        (1800, "30 minutes"),
        (475_200, "5 days 12 hours"),
        (604_800, "1 week"),
        (1_209_600, "2 weeks"),
        (61, "1 minute 1 second"),
    ],
)
def test_durations_are_told(seconds: int, words: str) -> None:
    assert in_words(seconds) == words


@given(st.integers(1, 10**9))
def test_what_is_told_can_be_read(seconds: int) -> None:
    assert seconds_of(in_words(seconds)) == seconds


@given(st.text())
def test_any_text_is_a_duration_or_none(text: str) -> None:
    seconds = seconds_of(text)
    assert seconds is None or seconds >= 0
