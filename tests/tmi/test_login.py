"""Names and words of a login: LOGIN-4, LOGIN-5."""

from __future__ import annotations

import pytest

from godwit.tmi.login import LoginFailure, is_anonymous


@pytest.mark.parametrize("nick", ["justinfan1", "justinfan0123456789"])
def test_anonymous(nick: str) -> None:
    """LOGIN-4."""
    assert is_anonymous(nick)


@pytest.mark.parametrize("nick", ["", "justinfan", "justinfan1a", "justinfan\u0661", "xjustinfan1", "justinfan1\n"])
def test_not_anonymous(nick: str) -> None:
    """LOGIN-4."""
    assert not is_anonymous(nick)


def test_texts_to_the_letter() -> None:
    """LOGIN-5, rule 20 of the dialect."""
    assert [failure.value for failure in LoginFailure] == [
        "Login authentication failed",
        "Improperly formatted auth",
        "Login unsuccessful",
        "Error logging in",
        "Invalid NICK",
    ]
