"""What typed text means: MSG-2 to MSG-4."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from godwit.tmi.text import MAX_TEXT, Ordered, Said, interpret


@pytest.mark.parametrize(
    ("raw", "meaning"),
    [
        ("hello", Said("hello")),
        ("  a   b  ", Said("a b")),
        ("a\u3000 b", Said("a\u3000 b")),
        ("x \U000e0000", Said("x \U000e0000")),
        ("a\x01b\0c\rd\ne", Said("abcde")),
        ("\x01VERSION\x01", Said("VERSION")),
        ("", Said("")),
        ("   ", Said("")),
    ],
)
def test_cleaning(raw: str, meaning: Said) -> None:
    """MSG-2."""
    assert interpret(raw) == meaning


@pytest.mark.parametrize("raw", ["/me waves", ".me waves", "/ME  waves ", "\x01ACTION waves\x01", "\x01ACTION waves"])
def test_actions(raw: str) -> None:
    """MSG-3."""
    assert interpret(raw) == Said("waves", True)


def test_action_made_by_a_client_is_not_read_as_a_command() -> None:
    """MSG-3."""
    assert interpret("\x01ACTION /ban ronni\x01") == Said("/ban ronni", True)
    assert interpret("\x01ACTION \x01") == Said("", True)


@pytest.mark.parametrize("mark", ["/", "."])
def test_commands(mark: str) -> None:
    """MSG-4, rule 12 of the dialect: slash and dot alike."""
    assert interpret(f"{mark}ban ronni  bad words ") == Ordered("ban", "ronni bad words")
    assert interpret(f"{mark}CLEAR") == Ordered("clear")
    assert interpret(f"{mark}me") == Ordered("me")
    assert interpret(f" {mark}w ronni hi") == Ordered("w", "ronni hi")
    assert interpret(f"{mark}nosuchthing x") == Ordered("nosuchthing", "x")


@pytest.mark.parametrize("mark", ["/", "."])
def test_escaped_text(mark: str) -> None:
    """MSG-4, rule 12 of the dialect: the escape that one library puts in front."""
    assert interpret(f"{mark} /ban ronni") == Said("/ban ronni")
    assert interpret(f"{mark} .5 is a half") == Said(".5 is a half")
    assert interpret(f"{mark} /me waves") == Said("/me waves")


@pytest.mark.parametrize("raw", ["...", ".5", "/", ".", "//x", "/5", "./x", "/\u00e4", "/a-b"])
def test_text_that_only_looks_like_a_command(raw: str) -> None:
    """MSG-4."""
    assert interpret(raw) == Said(raw)


@pytest.mark.parametrize("before", ["", "/me ", "\x01ACTION ", "/ "])
def test_long_text_is_cut(before: str) -> None:
    """MSG-2: code points are counted, and the cut leaves no space at the end."""
    meaning = interpret(before + "\U0001f600" * 600)
    assert isinstance(meaning, Said)
    assert meaning.text == "\U0001f600" * MAX_TEXT
    meaning = interpret(before + "a" * 499 + " " + "b" * 20)
    assert isinstance(meaning, Said)
    assert meaning.text == "a" * 499


def test_arguments_of_commands_are_not_cut() -> None:
    meaning = interpret("/w ronni " + "a" * 600)
    assert isinstance(meaning, Ordered)
    assert len(meaning.args) == 606


@given(st.text(max_size=700))
def test_anything_is_text_or_a_command(raw: str) -> None:
    """MSG-2."""
    meaning = interpret(raw)
    if isinstance(meaning, Said):
        assert len(meaning.text) <= MAX_TEXT
        assert meaning.text == meaning.text.strip(" ")
        assert "  " not in meaning.text
    else:
        assert meaning.name == meaning.name.lower()
