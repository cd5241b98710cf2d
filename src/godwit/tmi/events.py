"""What a client wants, as the server's side of a connection reports it.

Channels are named without `#`, in lower case, and are legal names (JOIN-1).
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from godwit.tmi.capabilities import Caps
from godwit.values import Position


class LoginRequested(msgspec.Struct, frozen=True, gc=False):
    """Somebody wants in: answer with `login_accepted` or `login_failed` (LOGIN-1, LOGIN-4).

    Attributes:
        nick: in lower case.
        token: without `oauth:`; None for anonymous ones.
    """

    nick: str
    token: str | None
    anonymous: bool


class JoinRequested(msgspec.Struct, frozen=True, gc=False):
    """Channels to join, each once, in the client's order.

    Attributes:
        after: for channels that are resumed, the position behind which the client wants everything (JOIN-5).
    """

    channels: tuple[str, ...]
    after: Mapping[str, Position]


class PartRequested(msgspec.Struct, frozen=True, gc=False):
    """Channels to leave; the client need not be in them."""

    channels: tuple[str, ...]


class MessageSent(msgspec.Struct, frozen=True, gc=False):
    """Something to say in a channel, which need not be joined (MSG-1, MSG-2).

    Attributes:
        text: cleaned, never empty.
        action: said with `/me` (MSG-3).
        nonce: comes back on the sender's USERSTATE and on what others see (MSG-8).
        reply_to: id of the message that this one answers (MSG-7), or ''.
    """

    channel: str
    text: str
    action: bool = False
    nonce: str = ""
    reply_to: str = ""


class CommandSent(msgspec.Struct, frozen=True, gc=False):
    """A typed command; many have no channel scope and may come in any channel (MSG-4, MSG-5)."""

    channel: str
    name: str
    args: str


class InquireRequested(msgspec.Struct, frozen=True, gc=False):
    """Where are these channels? (INQ-1)"""

    channels: tuple[str, ...]


class CapabilitiesChanged(msgspec.Struct, frozen=True, gc=False):
    """The connection's capabilities are these from now on (CAP-2)."""

    caps: Caps


class PongReceived(msgspec.Struct, frozen=True, gc=False):
    """A PONG, asked for or not (PING-2)."""


class QuitRequested(msgspec.Struct, frozen=True, gc=False):
    """The client says good-bye; the connection is to be closed."""


class Refused(msgspec.Struct, frozen=True, gc=False):
    """Something of the client's was not done; it was answered if there is an answer. For the log."""

    reason: str


Event = (
    LoginRequested
    | JoinRequested
    | PartRequested
    | MessageSent
    | CommandSent
    | InquireRequested
    | CapabilitiesChanged
    | PongReceived
    | QuitRequested
    | Refused
)
"""Whatever `ServerConnection` reports."""
