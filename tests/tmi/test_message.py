"""The codec: LINE-1 to LINE-4."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from godwit.errors import LocalProtocolError
from godwit.tmi.message import Line, encode, escape, parse, render, unescape

SPLIT: list[tuple[bytes, Line]] = [
    (b"one two three", Line({}, None, "one", ("two", "three"))),
    (b":who one two three", Line({}, "who", "one", ("two", "three"))),
    (b"one two :three four", Line({}, None, "one", ("two", "three four"))),
    (b"one two :", Line({}, None, "one", ("two", ""))),
    (b"one two ::three", Line({}, None, "one", ("two", ":three"))),
    (b":who one two :  three four ", Line({}, "who", "one", ("two", "  three four "))),
    (b":who one two :  ", Line({}, "who", "one", ("two", "  "))),
    (b":who one two :three :four", Line({}, "who", "one", ("two", "three :four"))),
    (b":who one two thr:ee :", Line({}, "who", "one", ("two", "thr:ee", ""))),
    (b":who\tname one two", Line({}, "who\tname", "one", ("two",))),
    ("one two\u00a0three :\u2028".encode(), Line({}, None, "one", ("two\u00a0three", "\u2028"))),
    (b"@a=b;c=32;k;rt=ql7 one", Line({"a": "b", "c": "32", "k": "", "rt": "ql7"}, None, "one", ())),
    (
        b"@a=b\\\\and\\nk;c=72\\s45;d=gh\\:764 one",
        Line({"a": "b\\and\nk", "c": "72 45", "d": "gh;764"}, None, "one", ()),
    ),
    (b"@c;h=;a=b :who one two", Line({"c": "", "h": "", "a": "b"}, "who", "one", ("two",))),
    (b"@v/a=1;+v/b=2= :s one p q :r s", Line({"v/a": "1", "+v/b": "2="}, "s", "one", ("p", "q", "r s"))),
    (b"@a=1;b=2;a=3 one", Line({"a": "3", "b": "2"}, None, "one", ())),
    (b"@a=x\\1y one", Line({"a": "x1y"}, None, "one", ())),
    (b"@a=x\\ one", Line({"a": "x"}, None, "one", ())),
    (b"@a=\\\\\\\\\\:\\\\s\\s\\r\\n one", Line({"a": "\\\\;\\s \r\n"}, None, "one", ())),
    (b"@;=x;a=1; one", Line({"a": "1"}, None, "one", ())),
    (b"@  one", Line({}, None, "one", ())),
    (b":s 432  #a :Bad: name", Line({}, "s", "432", ("#a", "Bad: name"))),
    (b":s MODE #a +n ", Line({}, "s", "MODE", ("#a", "+n"))),
    (b":s MODE #a +o who  ", Line({}, "s", "MODE", ("#a", "+o", "who"))),
    (b":s   MODE   #a   :+i", Line({}, "s", "MODE", ("#a", "+i"))),
    (b"@a=1   :s   JOIN :#a", Line({"a": "1"}, "s", "JOIN", ("#a",))),
    (b": one two", Line({}, None, "one", ("two",))),
    (b"  one", Line({}, None, "one", ())),
    (b":a!b@c\x0305d PRIVMSG #e :f g", Line({}, "a!b@c\x0305d", "PRIVMSG", ("#e", "f g"))),
    (b":s PRIVMSG #a :\x01ACTION waves\x01", Line({}, "s", "PRIVMSG", ("#a", "\x01ACTION waves\x01"))),
]

JOIN: list[tuple[Line, bytes]] = [
    (Line({}, None, "one", ()), b"one\r\n"),
    (Line({}, "who", "one", ("two", "three")), b":who one two three\r\n"),
    (Line({}, None, "one", ("two", "three four")), b"one two :three four\r\n"),
    (Line({}, None, "one", ("two", "")), b"one two :\r\n"),
    (Line({}, None, "one", ("two", ":three")), b"one two ::three\r\n"),
    (Line({}, None, "one", ("two", "three:four")), b"one two three:four\r\n"),
    (Line({}, None, "one", ("two", " three ")), b"one two : three \r\n"),
    (Line({"a": "", "b": "x;y z\\\r\n"}, "s", "001", ("n",)), b"@a=;b=x\\:y\\sz\\\\\\r\\n :s 001 n\r\n"),
    (Line({}, None, "one", ("\u00fc\U0001f600",)), b"one \xc3\xbc\xf0\x9f\x98\x80\r\n"),
]

REFUSED: list[Line] = [
    Line({}, None, "", ()),
    Line({}, None, "o ne", ()),
    Line({}, None, "o\u00fce", ()),
    Line({}, None, ":one", ()),
    Line({}, None, "12", ()),
    Line({}, "", "one", ()),
    Line({}, "a b", "one", ()),
    Line({}, None, "one", ("", "two")),
    Line({}, None, "one", ("a b", "two")),
    Line({}, None, "one", (":a", "two")),
    Line({}, None, "one", ("a\nQUIT",)),
    Line({}, None, "one", ("a\rQUIT",)),
    Line({}, None, "one", ("a\0",)),
    Line({}, None, "one", ("\ud800",)),
    Line({}, "a\r", "one", ()),
    Line({"": "x"}, None, "one", ()),
    Line({"a b": "x"}, None, "one", ()),
    Line({"a;b": "x"}, None, "one", ()),
    Line({"a=b": "x"}, None, "one", ()),
    Line({"a": "\0"}, None, "one", ()),
]


@pytest.mark.parametrize(("raw", "line"), SPLIT, ids=lambda value: repr(value)[:60])
def test_split(raw: bytes, line: Line) -> None:
    """LINE-1, LINE-4."""
    assert parse(raw) == line


@pytest.mark.parametrize("ending", [b"\r\n", b"\n", b"\r\n\0", b"\0", b"\r", b""])
@pytest.mark.parametrize("start", [b"", b"\0"])
def test_line_ends_and_nul(ending: bytes, start: bytes) -> None:
    """Rule 11 of the dialect, LINE-2: any line end, a NUL around the line."""
    assert parse(start + b"PRIVMSG #a :b " + ending) == Line({}, None, "PRIVMSG", ("#a", "b "))


@pytest.mark.parametrize(
    "raw", [b"", b" ", b"\r\n", b"\0", b"@a=b", b"@a=b ", b":who", b":who ", b"@a :who  ", b":who :x"]
)
def test_no_command_is_no_line(raw: bytes) -> None:
    """LINE-2."""
    assert parse(raw) is None


def test_what_is_not_utf8_is_replaced() -> None:
    """LINE-2."""
    assert parse(b"one :a\xffb\xc3") == Line({}, None, "one", ("a\ufffdb\ufffd",))


@pytest.mark.parametrize(("line", "raw"), JOIN, ids=lambda value: repr(value)[:60])
def test_join(line: Line, raw: bytes) -> None:
    """LINE-1, LINE-3, LINE-4."""
    assert render(line) == raw
    assert parse(raw) == line


@pytest.mark.parametrize("line", REFUSED, ids=repr)
def test_what_cannot_be_on_a_line_is_refused(line: Line) -> None:
    """LINE-3."""
    with pytest.raises(LocalProtocolError):
        render(line)


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "a\0b", "\udfff"])
def test_encode_is_strict(text: str) -> None:
    """LINE-3."""
    with pytest.raises(LocalProtocolError):
        encode(text)


@given(st.binary(max_size=300))
def test_no_bytes_raise(raw: bytes) -> None:
    """LINE-2."""
    line = parse(raw)
    assert line is None or line.command


@given(st.lists(st.sampled_from([b"@", b":", b" ", b";", b"=", b"\\", b"a", b"\0", b"\r", b"\n", b"\xff", b"PING"])))
def test_no_crafted_bytes_raise(pieces: list[bytes]) -> None:
    """LINE-2: what was read holds nothing that would end a line early."""
    line = parse(b"".join(pieces))
    if line is not None:
        assert not {"\0", "\r", "\n"} & set("".join((line.prefix or "", line.command, *line.params)))


_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n"), max_size=20)
_word = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n "), min_size=1, max_size=20)
_key = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n ;="), min_size=1, max_size=8)
_value = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
_middle = _word.filter(lambda word: not word.startswith(":"))


@st.composite
def lines(draw: st.DrawFn) -> Line:
    """Lines that can be written."""
    last = draw(st.lists(_text, max_size=1))
    return Line(
        draw(st.dictionaries(_key, _value, max_size=4)),
        draw(st.none() | _word),
        draw(st.from_regex(r"\A(?:[A-Za-z]{1,12}|[0-9]{3})\Z")),
        (*draw(st.lists(_middle, max_size=4)), *last),
    )


@given(lines())
def test_what_is_written_is_read_back(line: Line) -> None:
    """LINE-1 to LINE-4."""
    assert parse(render(line)) == line


@given(_value)
def test_escapes_go_both_ways(value: str) -> None:
    """LINE-4."""
    escaped = escape(value)
    assert not {" ", ";", "\r", "\n"} & set(escaped)
    assert unescape(escaped) == value
