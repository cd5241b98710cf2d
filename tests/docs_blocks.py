"""The parts of documents that are made from code: tables of keys, gates and verbs, and diagrams of states.

A part stands between two comments, `<!-- made: NAME -->` and `<!-- /made -->`; `tests/docs.py` fills them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from godwit.rollout.definition import duration
from godwit.rollout.gates import KINDS
from godwit.rollout.keys import TABLES, Key
from godwit.rollout.moves import TRANSITIONS
from godwit.rollout.select import FACTS
from godwit.rollout.verbs import ARROWS, VERBS
from godwit.values import MoveState

State = TypeVar("State", bound=str)

MOVE_ARROWS: dict[tuple[MoveState, MoveState], str] = {
    ("wished", "opening"): "admitted, epoch fixed",
    ("wished", "failed"): "refused",
    ("wished", "cancelled"): "called off",
    ("opening", "opened"): "open(e+1) is in the new log",
    ("opening", "cancelled"): "called off",
    ("opened", "sealing"): "still offline",
    ("opened", "cancelled"): "went live, or called off",
    ("sealing", "sealed"): "the first valid seal is this one",
    ("sealing", "cancelled"): "another seal came first",
    ("sealing", "wished"): "a restart opened the old log anew",
    ("sealed", "draining"): "committed",
    ("sealed", "cancelled"): "an evacuation came first",
    ("sealed", "wished"): "a restart undid the seal",
    ("draining", "settled"): "the drain is over",
}
"""What the arrows between the states of a move are called in the diagram."""


def diagram(first: State, arrows: Mapping[State, Iterable[State]], labels: Mapping[tuple[State, State], str]) -> str:
    """Draw a transition table as a Mermaid state diagram.

    Raises:
        ValueError: an arrow has no label, or a label no arrow.
    """
    pairs = [(state, after) for state, later in arrows.items() for after in later]
    if set(pairs) != set(labels):
        raise ValueError(f"arrows and labels differ: {sorted(set(pairs) ^ set(labels))}")
    lines = [f"    {state} --> {after}: {labels[state, after]}" for state, after in pairs]
    return "\n".join(["```mermaid", "stateDiagram-v2", f"    [*] --> {first}", *lines, "```"])


def move_states() -> str:
    """The states of a move."""
    return diagram("wished", TRANSITIONS, MOVE_ARROWS)


def rollout_states() -> str:
    """The states of a rollout."""
    labels = {(state, after): label for state, later in ARROWS.items() for after, label in later.items()}
    return diagram("running", ARROWS, labels)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    cells = [list(head), *map(list, rows)]
    cells.insert(1, ["---"] * len(cells[0]))
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |" for row in cells)


def _default(struct: type[msgspec.Struct], key: str, row: Key) -> str:
    """What a key is as long as the file does not say it."""
    if row.needed:
        return "must be given"
    fields = {field.name: field.default for field in msgspec.structs.fields(struct)}
    value: Any = fields.get(row.field or key, "")
    match value:
        case "" | () | None | msgspec.NODEFAULT:
            return ""
        case bool():
            return f"`{str(value).lower()}`"
        case str():
            return f'`"{value}"`'
        case float() if row.seconds:
            return f"`{duration(value)}`" if value else ""
    return f"`{value:g}`"


def keys_of(name: str) -> str:
    """The keys of one table of a rollout's file."""
    struct, rows = TABLES[name]
    by_kind = {"samples", "fails", "seconds"} if name == "gate" else set()
    return table(
        ("key", "takes", "default", "what it says"),
        (
            (f"`{key}`", row.takes, "as the kind has it" if key in by_kind else _default(struct, key, row), row.help)
            for key, row in rows.items()
        ),
    )


def gate_kinds() -> str:
    """The kinds of gates."""
    rows = []
    for kind, row in KINDS.items():
        value = row.value + (f": {', '.join(f'`{one}`' for one in row.values)}" if row.values else "")
        needs = [f"`value` ({value})"] if value else []
        needs += ["`at_most` or `at_least`"] if row.bound else []
        needs += ["`seconds`"] if kind == "soak" else []
        others = [f"`{key}`" for key in row.keys if key not in ("at_most", "at_least") or not row.bound]
        others = [key for key in others if key not in needs]
        rows.append((f"`{kind}`", f"{row.meaning}", f"`{row.when}`", ", ".join(needs), ", ".join(others)))
    return table(("kind", "passes when", "asked", "needs", "takes too"), rows)


def facts() -> str:
    """The facts that `match` may speak of."""
    return table(("fact", "type", "what it is"), ((f"`{name}`", kind, help) for name, (kind, help) in FACTS.items()))


def verbs() -> str:
    """The verbs and the states that allow them."""
    rows = []
    for name, verb in VERBS.items():
        states = "any" if len(verb.states) == len(ARROWS) else ", ".join(verb.states)
        rows.append((f"`{name}`", verb.help, states or "concerns no rollout", "yes" if verb.reasoned else ""))
    return table(("verb", "what it does", "states that allow it", "needs a reason"), rows)


BLOCKS: dict[str, Callable[[], str]] = {
    "states of a move": move_states,
    "states of a rollout": rollout_states,
    "keys of the rollout": lambda: keys_of(""),
    "keys of the budget": lambda: keys_of("budget"),
    "keys of a wave": lambda: keys_of("wave"),
    "keys of a gate": lambda: keys_of("gate"),
    "kinds of gates": gate_kinds,
    "facts": facts,
    "verbs": verbs,
}
"""Name of a part -> what makes it."""

_PART = re.compile(r"(?<=<!-- made: )([^>]*)( -->\n).*?(?=<!-- /made -->)", re.DOTALL)


def parts(text: str) -> list[str]:
    """The names of the made parts of a document."""
    return [found[1] for found in _PART.finditer(text)]


def fill(text: str) -> str:
    """A document with its made parts made anew.

    Raises:
        KeyError: nothing makes a part of that name.
    """
    return _PART.sub(lambda found: f"{found[1]}{found[2]}\n{BLOCKS[found[1]]()}\n\n", text)
