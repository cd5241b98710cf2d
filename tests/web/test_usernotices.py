"""The words of a USERNOTICE, and the tags that clients look for (UN-2)."""

from __future__ import annotations

import re

import pytest

from godwit.web.usernotices import DEFAULTS, complete
from tests.rows import PAGE, rows

KINDS = (
    "UN-announcement",
    "UN-anongiftpaidupgrade",
    "UN-bitsbadgetier",
    "UN-giftpaidupgrade",
    "UN-primepaidupgrade",
    "UN-raid",
    "UN-resub",
    "UN-ritual",
    "UN-sub",
    "UN-subgift",
    "UN-submysterygift",
    "UN-unraid",
)


@pytest.mark.row("UN-2")
@pytest.mark.parametrize(
    ("kind", "given", "words"),
    [
        ("sub", {}, "Ronni subscribed at Tier 1."),
        ("sub", {"sub-plan": "Prime"}, "Ronni subscribed with Prime."),
        ("sub", {"sub-plan": "3000"}, "Ronni subscribed at Tier 3."),
        ("sub", {"sub-plan": "gold"}, "Ronni subscribed at gold."),
        ("resub", {"cumulative-months": "14"}, "Ronni subscribed at Tier 1. They've subscribed for 14 months!"),
        (
            "resub",
            {"cumulative-months": "14", "should-share-streak": "1", "streak-months": "3"},
            "Ronni subscribed at Tier 1. They've subscribed for 14 months, currently on a 3 month streak!",
        ),
        (
            "resub",
            {"cumulative-months": "14", "streak-months": "3"},
            "Ronni subscribed at Tier 1. They've subscribed for 14 months!",
        ),
        ("subgift", {"recipient-user-name": "ann"}, "Ronni gifted a Tier 1 sub to ann!"),
        (
            "subgift",
            {"recipient-user-name": "ann", "recipient-display-name": "Ann", "sender-count": "5"},
            "Ronni gifted a Tier 1 sub to Ann! They have given 5 Gift Subs in the channel!",
        ),
        ("subgift", {}, "Ronni gifted a Tier 1 sub to somebody!"),
        ("submysterygift", {"mass-gift-count": "20"}, "Ronni is gifting 20 Tier 1 Subs to dallas's community!"),
        (
            "submysterygift",
            {"mass-gift-count": "2", "sender-count": "9", "sub-plan": "2000"},
            "Ronni is gifting 2 Tier 2 Subs to dallas's community! They've gifted a total of 9 in the channel!",
        ),
        ("giftpaidupgrade", {"sender-name": "Ann"}, "Ronni is continuing the Gift Sub they got from Ann!"),
        ("giftpaidupgrade", {}, "Ronni is continuing the Gift Sub they got from an anonymous user!"),
        ("anongiftpaidupgrade", {}, "Ronni is continuing the Gift Sub they got from an anonymous user!"),
        ("primepaidupgrade", {}, "Ronni converted from a Prime sub to a Tier 1 sub!"),
        ("raid", {"viewerCount": "15"}, "15 raiders from Ronni have joined!"),
        ("unraid", {}, "The raid has been cancelled."),
        ("ritual", {}, "Ronni is new here. Say hello!"),
        ("bitsbadgetier", {}, "bits badge tier notification"),
        ("announcement", {}, ""),
        ("newkind", {"a": "b"}, ""),
    ],
)
def test_words(kind: str, given: dict[str, str], words: str) -> None:
    """UN-2."""
    params, told = complete(kind, "ronni", "Ronni", "dallas", given)
    assert told == words
    assert given.items() <= params.items()
    assert set(DEFAULTS.get(kind, {})) <= set(params)


@pytest.mark.row("UN-2")
def test_tags_of_a_raid() -> None:
    """UN-2: who raids is in the tags."""
    params, _ = complete("raid", "ronni", "Ronni", "dallas", {})
    assert params == {"displayName": "Ronni", "login": "ronni", "viewerCount": "0"}


@pytest.mark.parametrize("row", [pytest.param(row, marks=pytest.mark.row(row)) for row in KINDS])
def test_a_kind_has_the_tags_that_the_page_names(row: str) -> None:
    """UN-2."""
    params, _ = complete(row.removeprefix("UN-"), "ronni", "Ronni", "dallas", {})
    assert params.keys() == set(re.findall(r"`([^`]+)`", rows(PAGE.read_text(encoding="utf-8"))[row]))
