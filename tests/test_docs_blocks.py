"""The made parts of documents: every table and diagram is somewhere, and says what the code says."""

from __future__ import annotations

import re

import pytest

from godwit.errors import InvalidRequest
from godwit.rollout.definition import parse
from godwit.rollout.gates import KINDS
from godwit.rollout.keys import TABLES
from godwit.rollout.verbs import ARROWS, VERBS
from tests.docs import PARTLY, ROOT
from tests.docs_blocks import BLOCKS, diagram, fill, gate_kinds, keys_of, parts, rollout_states, table, verbs


def test_every_part_is_shown_once() -> None:
    found = [name for page in PARTLY for name in parts((ROOT / page).read_text(encoding="utf-8"))]
    assert sorted(found) == sorted(BLOCKS)


GUIDE = (ROOT / "docs/rollouts.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_of_the_guide_can_be_used(example: str) -> None:
    head = '[[wave]]\nname = "w"\n' if example.startswith("match") else '[[wave]]\nname = "w"\nrest = true\n'
    whole = example if example.startswith("name") else f'name = "r"\nto = "aws"\n{head}{example}'
    assert parse(whole).waves


def test_the_fault_that_the_guide_quotes_is_told_so() -> None:
    (fault,) = re.findall(r"^rollout\.toml:.*", GUIDE, re.MULTILINE)
    with pytest.raises(InvalidRequest) as refused:
        parse('name = "r"\nto = "aws"\n' + "\n" * 7 + '[[wave]]\nname = "partners"\npercent = 120\n')
    assert str(refused.value) == fault


def test_every_key_is_in_its_table() -> None:
    for name, (_, rows) in TABLES.items():
        lines = keys_of(name).splitlines()[2:]
        assert [line.split("`")[1] for line in lines] == list(rows)


def test_every_gate_and_verb_is_in_its_table() -> None:
    assert [line.split("`")[1] for line in gate_kinds().splitlines()[2:]] == list(KINDS)
    assert [line.split("`")[1] for line in verbs().splitlines()[2:]] == list(VERBS)


def test_defaults_are_shown_as_people_write_them() -> None:
    wave, rollout, gate = keys_of("wave"), keys_of(""), keys_of("gate")
    assert '| `on_failure` | word | `"pause"` |' in wave
    assert "| `rest` | true or false | `false` |" in wave
    assert "| `percent` | number |  |" in wave
    assert '| `offline_for` | time | `"10m"` |' in rollout
    assert "| `name` | name | must be given |" in rollout
    assert '| `every` | time | `"15s"` |' in gate


def test_every_arrow_is_drawn() -> None:
    drawn = rollout_states()
    assert drawn.count("-->") == sum(map(len, ARROWS.values())) + 1
    assert "    paused --> running: resume\n" in drawn


@pytest.mark.parametrize("labels", [{}, {("a", "b"): "x", ("b", "a"): "y"}])
def test_an_arrow_without_a_label_is_told(labels: dict[tuple[str, str], str]) -> None:
    with pytest.raises(ValueError, match="differ"):
        diagram("a", {"a": ("b",), "b": ()}, labels)


def test_a_part_is_made_anew_and_the_rest_is_left() -> None:
    old = "before\n\n<!-- made: facts -->\nold\n<!-- /made -->\n\nafter <!-- a comment -->\n"
    new = fill(old)
    assert new.startswith("before\n\n<!-- made: facts -->\n\n| fact |")
    assert new.endswith("|\n\n<!-- /made -->\n\nafter <!-- a comment -->\n")
    assert fill(new) == new


def test_a_part_that_nothing_makes_is_told() -> None:
    with pytest.raises(KeyError):
        fill("<!-- made: nothing -->\n<!-- /made -->\n")


def test_bars_stay_in_their_cells() -> None:
    assert table(("a",), (("x|y",),)) == "| a |\n| --- |\n| x&#124;y |"
