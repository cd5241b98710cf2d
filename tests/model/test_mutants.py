"""Without any one of the rules the simulation finds a broken promise."""

from __future__ import annotations

import re

import pytest

from tests.model.__main__ import play
from tests.model.mutants import MUTANTS, broken

MOST = 1500
"""Runs after which a mutant counts as not caught."""

RULES = ("L1", "L2", "L3", "L4", "L5", "L6", *(f"C{number}" for number in range(1, 13)), "R1", "R2", "R3", "R4",
         "F1", "F2", "F3", "LIMIT", "P")  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_caught(name: str) -> None:
    """The simulation notices that the rule is gone."""
    with broken(name):
        problems = next((found for seed in range(MOST) if (found := play(seed)[1])), [])
    assert problems, f"{MUTANTS[name][1]}: nobody noticed in {MOST} runs"
    assert not problems[0].startswith("Traceback"), problems[0]


def test_every_rule_has_a_mutant() -> None:
    """No rule goes untested."""
    assert {re.sub(r"-.*", "", name) for name in MUTANTS} == set(RULES)
