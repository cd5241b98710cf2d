"""Where keys stand in a TOML text."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from godwit.rollout.lines import Lines, Path

TEXT = '''\
# a comment with [[wave]] and "quotes
name = "a \\" = [1" # = 3
"quo ted" = 'x]'
budget.in_flight = 3
text = """one
# two = 2
"quoted" and \\""" three""" # end
raw = \'\'\'
[[wave]]
it''s\'\'\'
empty = ""
[table]
  key = 1979-05-27 07:32:00
[[wave]]
name = "a"
channels = [ # comment ]
  "x", 'y',

  "z",
]
inline = { one = 1, two = { three = [1,
 2] } }
[[wave.gate]]
kind = "soak"
[[wave.gate]]
value = 1
[[ wave ]]
[wave.sub]
deep = [[1], [2,
[3]]]
[[wave.gate]]
kind = """"quoted""""
last = true'''

EXPECTED: dict[Path, int] = {
    ("name",): 2,
    ("quo ted",): 3,
    ("budget", "in_flight"): 4,
    ("text",): 5,
    ("raw",): 8,
    ("empty",): 11,
    ("table",): 12,
    ("table", "key"): 13,
    ("wave",): 14,
    ("wave", 0): 14,
    ("wave", 0, "channels"): 16,
    ("wave", 0, "channels", 0): 17,
    ("wave", 0, "channels", 1): 17,
    ("wave", 0, "channels", 2): 19,
    ("wave", 0, "inline", "two", "three", 0): 21,
    ("wave", 0, "inline", "two", "three", 1): 22,
    ("wave", 0, "gate", 0): 23,
    ("wave", 0, "gate", 1, "value"): 26,
    ("wave", 1): 27,
    ("wave", 1, "sub", "deep", 1, 1, 0): 30,
    ("wave", 1, "gate", 0): 31,
    ("wave", 1, "gate", 0, "kind"): 32,
    ("wave", 1, "gate", 0, "last"): 33,
}


@pytest.mark.parametrize("path", EXPECTED, ids=str)
def test_keys_are_found(path: Path) -> None:
    assert Lines(TEXT).of(path) == EXPECTED[path]


@pytest.mark.parametrize("path", EXPECTED, ids=str)
def test_line_ends_of_other_systems_change_nothing(path: Path) -> None:
    assert Lines(TEXT.replace("\n", "\r\n")).of(path) == EXPECTED[path]


def test_what_is_missing_stands_where_it_would_be() -> None:
    lines = Lines(TEXT)
    assert lines.of(("wave", 1, "name")) == 27
    assert lines.of(("nothing", 3)) == 1
    assert Lines("").of(("name",)) == 1


names = st.text("ab_-1", min_size=1, max_size=4)
values: st.SearchStrategy[Any] = st.recursive(
    st.integers() | st.booleans() | st.text("\"'\\#[]{}=,\n a", max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


def toml(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str() if "'" not in value and "\n" not in value:
            return f"'{value}'"
        case str():
            quoted = value.replace("\\", "\\\\").replace('"', '\\"')
            return f'"""\n{quoted}"""'
        case list():
            return "[ # ]\n" + "".join(f"{toml(one)} ,\n" for one in value) + "]"
        case dict():
            return "{" + ", ".join(f"'{key}' = {toml(one)}" for key, one in value.items()) + "}"
    return str(value)


@given(st.lists(st.tuples(names, values), max_size=5, unique_by=lambda pair: pair[0]))
def test_any_values_may_stand_between(pairs: list[tuple[str, Any]]) -> None:
    text, expected = "", {}
    for key, value in pairs:
        expected[key] = text.count("\n") + 1
        text += f"{key} = {toml(value)}\n"
    assert tomllib.loads(text) == dict(pairs)
    lines = Lines(text)
    assert {key: lines.of((key,)) for key in expected} == expected
