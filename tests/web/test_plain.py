"""What may be taken in."""

from __future__ import annotations

from typing import Any

import pytest

from godwit.errors import InvalidRequest
from godwit.web import plain


def nested(depth: int) -> Any:
    """Lists in each other."""
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        {"text": "songbot \u2764\ufe0f answers", "wave": None, "force": True, "budget": {"in_flight": 40, "x": 0.5}},
        {"a": nested(plain.DEEPEST)},
        {"a": "x" * (plain.MOST - 100)},
        [-(2**63) + 1, 2**63 - 1, 1e308],
        {},
    ],
)
def test_what_may_be(value: Any) -> None:
    """Texts in any language, numbers, lists and objects."""
    plain.check(value)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"args": {"text": "caf\udce9"}}, "args.text: U+DCE9 at place 4"),
        ({"args": {"\ud800": 1}}, "a name in args: U+D800 at place 1"),
        ({"args": {"list": ["a", {"b": "\x07"}]}}, "args.list.1.b: U+0007"),
        ({"reason": "a\nb"}, "reason: U+000A"),
        ({"reason": "a\tb"}, "reason: U+0009"),
        ({"reason": "a\x9bb"}, "reason: U+009B"),
        ({"reason": "a\u2028b"}, "reason: U+2028"),
        ({"a": float("nan")}, "a: nan is no number"),
        ({"a": [float("-inf")]}, "a.0: -inf is no number"),
        ({"a": 2**63}, "a: the number is too large"),
        ({"a": nested(plain.DEEPEST + 1)}, "more than 5 lists"),
        ({"a": nested(900)}, "more than 5 lists"),
        ({"a": "x" * plain.MOST}, "a: too long"),
        ({"a": [0] * plain.MOST}, "too long"),
        ({"x" * plain.MOST: 0}, "too long"),
        ({"a": b"bytes"}, "a: a bytes is nothing that JSON has"),
        ("\n", "U+000A at place 1"),
    ],
)
def test_what_may_not_be(value: Any, told: str) -> None:
    """The error says where and what, on one line that can be printed anywhere."""
    with pytest.raises(InvalidRequest) as caught:
        plain.check(value)
    assert told in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400
    str(caught.value).encode()


def test_the_text_of_a_file() -> None:
    """Many lines and any length, but UTF-8; only where it belongs."""
    text = 'name = "a"\r\n\tb\n' * plain.MOST
    plain.check({"args": {"toml": text}}, texts=("args.toml",))
    plain.check({"files": {"staff.txt": text}}, texts=("files",))
    for value in (
        {"toml": text},
        {"args": {"toml": "\udce9"}},
        {"args": {"toml": "\x00"}},
        {"files": {"a": "\ud800"}},
        {"files": {"a\n": ""}},
    ):
        with pytest.raises(InvalidRequest):
            plain.check(value, texts=("args.toml", "files"))


def test_what_is_stored_already_can_be_shown() -> None:
    """Whatever it is; what is harmless stays as it is."""
    good = {"text": "songbot\n", "n": [1, 0.5, None, True]}
    assert plain.showable(good) == good
    assert plain.showable({"\ud800": "caf\udce9", "n": float("inf")}) == {"\ufffd": "caf\ufffd", "n": "inf"}
    assert "..." in str(plain.showable(nested(900)))
