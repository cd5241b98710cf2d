"""Where emotes stand: MSG-9, rule 19 of the dialect."""

from __future__ import annotations

import pytest

from godwit.tmi.emotes import GLOBAL, emote_ranges, is_emotes


@pytest.mark.row("MSG-9")
def test_ranges_in_the_order_of_first_use() -> None:
    """MSG-9."""
    assert emote_ranges("Kappa Keepo Kappa") == "25:0-4,12-16/1902:6-10"


@pytest.mark.row("MSG-9")
def test_code_points_are_counted() -> None:
    """MSG-9, rule 19: an astral character is one."""
    assert emote_ranges("\U0001f600\u00e9 Kappa") == "25:3-7"


def test_only_whole_words() -> None:
    assert emote_ranges("Kappas xKappa kappa Kappa!") == ""
    assert emote_ranges("") == ""


def test_spaces_are_counted() -> None:
    """Texts are cleaned before; should one have runs of spaces all the same, places are right."""
    assert emote_ranges("  Kappa   Kappa ") == "25:2-6,10-14"


def test_other_emotes() -> None:
    assert emote_ranges(":) x", {":)": "1"}) == "1:0-1"
    assert emote_ranges("Kappa", {":)": "1"}) == ""


def test_words_of_the_same_emote() -> None:
    """Two words may be one picture."""
    assert emote_ranges("a b a", {"a": "5", "b": "5"}) == "5:0-0,2-2,4-4"


@pytest.mark.row("EMOTE-2")
def test_the_first_table() -> None:
    """EMOTE-2: whole words, ids that fit into the tag, none given twice."""
    assert {"Kappa": "25", "Keepo": "1902", "BibleThump": "86", ":)": "1"}.items() <= GLOBAL.items()
    assert len(set(GLOBAL.values())) == len(GLOBAL)
    assert all(" " not in word and number.isdecimal() for word, number in GLOBAL.items())


@pytest.mark.row("EMOTE-3")
@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Kappa", True),
        ("Kappa Keepo Kappa :)", True),
        ("Kappa x Keepo", False),
        ("x", False),
        ("", False),
        ("@Ronni Kappa", False),
    ],
)
def test_nothing_but_emotes(text: str, answer: bool) -> None:
    """EMOTE-3."""
    assert is_emotes(text, emote_ranges(text)) is answer
