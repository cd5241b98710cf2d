"""Sets of capabilities: CAP-1 to CAP-3, CAP-7."""

from __future__ import annotations

import pytest

from godwit.tmi.capabilities import NONE, Caps, message_view, names, requested

ALL = Caps.TAGS | Caps.COMMANDS | Caps.MEMBERSHIP | Caps.POSITION


def test_names_are_in_the_order_of_ls() -> None:
    """CAP-1."""
    assert names(ALL) == "twitch.tv/tags twitch.tv/commands twitch.tv/membership godwit/position"
    assert names(Caps.POSITION | Caps.COMMANDS) == "twitch.tv/commands godwit/position"
    assert names(NONE) == ""


@pytest.mark.parametrize(
    ("before", "request_", "after"),
    [
        (NONE, "twitch.tv/commands twitch.tv/tags", Caps.COMMANDS | Caps.TAGS),
        (Caps.TAGS, "twitch.tv/membership", Caps.TAGS | Caps.MEMBERSHIP),
        (Caps.TAGS | Caps.COMMANDS, "-twitch.tv/tags", Caps.COMMANDS),
        (Caps.TAGS, "", Caps.TAGS),
        (Caps.TAGS, "twitch.tv/commands bogus", None),
        (Caps.TAGS, "Twitch.tv/commands", None),
        (Caps.TAGS, "--twitch.tv/tags", None),
    ],
)
def test_request(before: Caps, request_: str, after: Caps | None) -> None:
    """CAP-2, CAP-3."""
    assert requested(before, request_) == after


def test_views_of_messages() -> None:
    """CAP-7: what does not change a message's look does not make a view."""
    assert message_view(ALL) == Caps.TAGS | Caps.POSITION
    assert message_view(Caps.TAGS | Caps.MEMBERSHIP) == Caps.TAGS
    assert message_view(Caps.POSITION | Caps.COMMANDS) == NONE
