"""Where emotes stand: MSG-9, rule 19 of the dialect."""

from __future__ import annotations

from godwit.tmi.emotes import emote_ranges


def test_ranges_in_the_order_of_first_use() -> None:
    """MSG-9."""
    assert emote_ranges("Kappa Keepo Kappa") == "25:0-4,12-16/1902:6-10"


def test_code_points_are_counted() -> None:
    """MSG-9, rule 19: an astral character is one."""
    assert emote_ranges("\U0001f600\u00e9 Kappa") == "25:3-7"


def test_only_whole_words() -> None:
    assert emote_ranges("Kappas xKappa kappa Kappa!") == ""
    assert emote_ranges("") == ""


def test_other_emotes() -> None:
    assert emote_ranges(":) x", {":)": "1"}) == "1:0-1"
