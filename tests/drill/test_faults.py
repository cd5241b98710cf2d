"""Each fault tampers with one line, and with nothing else."""

from __future__ import annotations

import pytest

from godwit.drill.faults import Fault, Tamper
from godwit.drill.ledger import Reception, Role


def _line(text: str, *, talker: str = "ann", client: str = "legacy0", role: Role = "legacy") -> Reception:
    return Reception(client, role, "room", 1, talker, text, "", 0.0)


def _texts(tamper: Tamper, *lines: Reception) -> list[str]:
    return [told.text for line in lines for told in tamper.pass_on(line)]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("none", ["1", "2", "3", "4"]),
        ("skip-seal", ["1", "2", "3", "4"]),
        ("drop", ["1", "3", "4"]),
        ("repeat", ["1", "2", "2", "3", "4"]),
        ("swap", ["1", "3", "2", "4"]),
    ],
)
def test_one_line(fault: Fault, expected: list[str]) -> None:
    """The second line is the victim here."""
    tamper = Tamper(fault, nth=2)
    assert _texts(tamper, *(_line(text) for text in "1234")) == expected


def test_swap_changes_places_of_one_talkers_lines() -> None:
    """What others said in between stays in between."""
    tamper = Tamper("swap", nth=1)
    lines = [_line("1"), _line("b", talker="bob"), _line("2"), _line("3")]
    assert _texts(tamper, *lines) == ["2", "b", "1", "3"]


def test_others_are_left_alone() -> None:
    """Only the first client of the role is the victim."""
    tamper = Tamper("drop", nth=1)
    lines = [_line("f", role="follower", client="follower0"), _line("1"), _line("2", client="legacy1"), _line("3")]
    assert _texts(tamper, *lines) == ["f", "2", "3"]
