"""Cutting bytes into lines: LINE-2, LINE-5."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from godwit.tmi.lines import LineBuffer


def test_pieces_of_any_size() -> None:
    buffer = LineBuffer(100)
    assert buffer.feed(b"PI") == []
    assert buffer.feed(b"NG\r\nNICK a\nJO") == [b"PING\r", b"NICK a"]
    assert buffer.feed(b"IN #a\n\n") == [b"JOIN #a", b""]


def test_longest_line_is_taken() -> None:
    buffer = LineBuffer(4)
    assert buffer.feed(b"abcd\r\n") == [b"abcd\r"]
    assert buffer.feed(b"abcd\n") == [b"abcd"]
    assert buffer.feed(b"abcd") == []
    assert buffer.feed(b"\r\n") == [b"abcd\r"]


def test_over_long_line_is_told_once_and_skipped() -> None:
    """LINE-5."""
    buffer = LineBuffer(4)
    assert buffer.feed(b"abcdef") == [None]
    assert buffer.feed(b"ghijklmnop") == []
    assert buffer.feed(b"q\nab\n") == [b"ab"]


def test_over_long_line_in_one_piece() -> None:
    """LINE-5."""
    assert LineBuffer(4).feed(b"ab\nabcdefg\ncd\n") == [b"ab", None, b"cd"]


@given(st.lists(st.binary(max_size=12)), st.integers(0, 8))
def test_how_it_is_cut_into_pieces_does_not_matter(pieces: list[bytes], longest: int) -> None:
    whole = LineBuffer(longest).feed(b"".join(pieces) + b"\n")
    buffer = LineBuffer(longest)
    assert [line for piece in [*pieces, b"\n"] for line in buffer.feed(piece)] == whole
