"""The capabilities a connection may ask for (CAP-1 to CAP-7), and what older clients asked for (OLD-7)."""

from __future__ import annotations

from enum import IntFlag
from functools import lru_cache


class Caps(IntFlag):
    """A set of capabilities; the last two are not asked for by name."""

    TAGS = 1
    COMMANDS = 2
    MEMBERSHIP = 4
    POSITION = 8
    DESCRIBED_TO_USER = 16
    DESCRIBED_IN_ROOM = 32


NONE = Caps(0)
"""No capability."""

NAMES: dict[str, Caps] = {
    "twitch.tv/tags": Caps.TAGS,
    "twitch.tv/commands": Caps.COMMANDS,
    "twitch.tv/membership": Caps.MEMBERSHIP,
    "godwit/position": Caps.POSITION,
}
"""Name on the wire (case matters) -> capability, in the order of `CAP LS`."""


def names(caps: Caps) -> str:
    """The names of a set, separated by spaces, in the order of `CAP LS`."""
    return " ".join(name for name, cap in NAMES.items() if cap in caps)


@lru_cache(maxsize=256)  # a few libraries ask nearly all there is to ask, and sets of flags are slow to make
def requested(caps: Caps, request: str) -> Caps | None:
    """What `caps` becomes by a `CAP REQ` of these names; `-name` takes one away (CAP-2, CAP-3).

    Returns:
        None if a name is unknown: then the whole list is refused.
    """
    for word in request.split():
        cap = NAMES.get(word.removeprefix("-"))
        if cap is None:
            return None
        caps = caps & ~cap if word.startswith("-") else caps | cap
    return caps


DESCRIBED = Caps.DESCRIBED_TO_USER | Caps.DESCRIBED_IN_ROOM
"""Who speaks is described to the client in lines of their own, sent to its user or to the channel (OLD-7)."""

_OLD_FORMS = {
    "1": Caps.DESCRIBED_TO_USER | Caps.MEMBERSHIP,
    "2": Caps.DESCRIBED_TO_USER,
    "3": Caps.DESCRIBED_IN_ROOM,
}


def asked_by_old_client(caps: Caps, form: str) -> Caps:
    """What `caps` becomes by TWITCHCLIENT with that number; unknown ones change nothing (OLD-7)."""
    asked = _OLD_FORMS.get(form)
    return caps if asked is None else caps & ~DESCRIBED | asked


def message_view(caps: Caps) -> Caps:
    """What of `caps` changes how a PRIVMSG looks: connections with the same view share its bytes (CAP-7)."""
    return caps & (Caps.TAGS | Caps.POSITION) if Caps.TAGS in caps else NONE
