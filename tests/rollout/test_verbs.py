"""The table of verbs: arguments, reasons, and in which states of a rollout each may be done."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from godwit.errors import InvalidRequest
from godwit.rollout.values import ENDED, RolloutState, Wish
from godwit.rollout.verbs import ALL, ARROWS, VERBS, check

ARGS: dict[str, Any] = {"channel": "a", "toml": "x", "budget": {"in_flight": 1}, "wave": "staff", "text": "odd",
                        "issue": "i", "cluster": "main", "into": "aws", "kind": "ban", "login": "ann"}  # fmt: skip


def wish(verb: str, *, reason: str = "so", also: dict[str, Any] | None = None, **args: Any) -> Wish:
    row = VERBS.get(verb)
    needed = {name: ARGS[name] for name in row.needs} if row else {}
    return Wish("w", verb, "olga", 0.0, args=needed | args | (also or {}), reason=reason)


@pytest.mark.parametrize("state", ALL)
@pytest.mark.parametrize("verb", [name for name, row in VERBS.items() if row.states])
def test_states(verb: str, state: RolloutState) -> None:
    """Where it may not be done, the states that allow it are named."""
    allowed = VERBS[verb].states
    if state in allowed:
        assert check(wish(verb), state) is VERBS[verb]
        return
    with pytest.raises(InvalidRequest, match=f"^a rollout that is {state} takes no {verb}: it must be ") as refused:
        check(wish(verb), state)
    told = str(refused.value).partition("it must be ")[2].replace(" or ", ", ").split(", ")
    assert tuple(told) == allowed


@pytest.mark.parametrize(("verb", "row"), VERBS.items())
def test_what_is_needed(verb: str, row: Any) -> None:
    """Each missing argument is named; those that nobody knows too."""
    state: RolloutState | None = row.states[0] if row.states else None
    for name in row.needs:
        for nothing in (None, ""):
            with pytest.raises(InvalidRequest, match=f"{verb} needs .*{name}"):
                check(wish(verb, also={name: nothing}), state)
    with pytest.raises(InvalidRequest, match=f"{verb} does not take colour: it takes "):
        check(wish(verb, colour="red"), state)
    for name in row.takes:
        check(wish(verb, also={name: "x"}), state)


@pytest.mark.parametrize(("verb", "row"), VERBS.items())
def test_reasons(verb: str, row: Any) -> None:
    """Those that hurt need one, and so does force."""
    state: RolloutState | None = row.states[0] if row.states else None
    if row.reasoned:
        with pytest.raises(InvalidRequest, match=f"^{verb} needs a reason: add --reason TEXT$"):
            check(wish(verb, reason=""), state)
    else:
        check(wish(verb, reason=""), state)
    if "force" in row.takes:
        with pytest.raises(InvalidRequest, match=f"^{verb} by force needs a reason: add --reason TEXT$"):
            check(wish(verb, reason="", force=True), state)
        check(wish(verb, reason="", force=False), state)


def test_no_verb() -> None:
    with pytest.raises(InvalidRequest, match=r"^'dance' is no verb: use one of start, pause, "):
        check(wish("dance"), None)


def test_verb_of_a_rollout_without_one() -> None:
    with pytest.raises(InvalidRequest, match=r"^pause needs a rollout: name one"):
        check(wish("pause"), None)


def test_table_of_states() -> None:
    """Every state is in it, and none is a dead end: at least the way back is always open."""
    assert get_args(RolloutState) == ALL
    assert set(ARROWS) == set(ALL)
    assert all(after in ALL and after != before for before, row in ARROWS.items() for after in row)
    assert "reverse" in VERBS
    assert VERBS["reverse"].states == ALL
    reached: set[str] = set()
    ahead: list[RolloutState] = ["running"]
    while ahead:
        state = ahead.pop()
        if state not in reached:
            reached.add(state)
            ahead += ARROWS[state]
    assert reached == set(ALL)


def test_arrows_and_verbs_agree() -> None:
    """An arrow that a verb makes starts from a state that allows the verb."""
    for before, row in ARROWS.items():
        for how in row.values():
            verb = how.split(",")[0]
            if verb in VERBS:
                assert before in VERBS[verb].states, f"{before}: {verb}"
    for state in ("pause", "abort"):
        assert not set(VERBS[state].states) & set(ENDED)
