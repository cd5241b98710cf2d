"""Raw lines are cut into the parts that the account is made of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from godwit.drill.lines import RawLine, number_of, numbered, read


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"PING :tmi.twitch.tv", RawLine({}, "", "PING", ("tmi.twitch.tv",))),
        (
            b"@id=a-1;client-nonce=n :ann!ann@ann.tmi.twitch.tv PRIVMSG #c :drill 000001 a: b",
            RawLine({"id": "a-1", "client-nonce": "n"}, "ann", "PRIVMSG", ("#c", "drill 000001 a: b")),
        ),
        (b":tmi.twitch.tv SERVERCHANGE #c", RawLine({}, "tmi.twitch.tv", "SERVERCHANGE", ("#c",))),
        (b":ann.tmi.twitch.tv 366 ann #c :End", RawLine({}, "ann.tmi.twitch.tv", "366", ("ann", "#c", "End"))),
        (b"@a=x\\sy\\:z\\\\;b :s C :", RawLine({"a": "x y;z\\", "b": ""}, "s", "C", ("",))),
        (b":only", RawLine({}, "only", "", ())),
        (b"", RawLine({}, "", "", ())),
    ],
)
def test_read(data: bytes, expected: RawLine) -> None:
    """Each part is found, and what is missing is empty."""
    assert read(data) == expected


@given(st.binary())
def test_read_never_raises(data: bytes) -> None:
    """Any bytes are a line."""
    assert isinstance(read(data), RawLine)


def test_param() -> None:
    """A parameter that is not there is empty."""
    line = read(b"C a")
    assert (line.param(0), line.param(1)) == ("a", "")


@given(st.integers(1, 999_999), st.text(st.characters(exclude_characters="\r\n"), max_size=20))
def test_number_of(number: int, words: str) -> None:
    """The number that was put into a text comes out of it."""
    assert number_of(numbered(number, words)) == number


@pytest.mark.parametrize("text", ["", "drill", "drill 12 x", "drill 0000123 x", "xdrill 000001 x", "drill 000001x"])
def test_number_of_something_else(text: str) -> None:
    """Only drill messages have a number."""
    assert number_of(text) == 0
