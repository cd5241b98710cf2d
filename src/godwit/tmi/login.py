"""Who may be called what, and the words of a login (LOGIN-1 to LOGIN-5)."""

from __future__ import annotations

import re
from enum import StrEnum

SERVER = "tmi.twitch.tv"
"""The name every server of the network goes by."""

_ANONYMOUS = re.compile(r"justinfan[0-9]+")


class LoginFailure(StrEnum):
    """The exact texts of a refused login; libraries compare them (LOGIN-5)."""

    AUTHENTICATION_FAILED = "Login authentication failed"
    IMPROPERLY_FORMATTED = "Improperly formatted auth"
    UNSUCCESSFUL = "Login unsuccessful"
    ERROR = "Error logging in"
    INVALID_NICK = "Invalid NICK"


WELCOME = (
    ("001", "Welcome, GLHF!"),
    ("002", "Your host is tmi.twitch.tv"),
    ("003", "This server is rather new"),
    ("004", "-"),
    ("375", "-"),
    ("372", "You are in a maze of twisty passages, all alike."),
    ("376", ">"),
)
"""Numerics and texts of the welcome, in order, byte for byte (LOGIN-2)."""


def is_anonymous(nick: str) -> bool:
    """Say whether `nick` (lower case) is `justinfan` and digits: may read without a token (LOGIN-4)."""
    return nick.startswith("justinfan") and _ANONYMOUS.fullmatch(nick) is not None
