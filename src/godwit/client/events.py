"""What a client tells its user, in the order in which it happened.

Every event names its channel, without `#`; it is empty where no channel is concerned.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from godwit.values import Position


class Message(msgspec.Struct, frozen=True):
    """Somebody said something in a channel.

    Attributes:
        author: login of who said it.
        action: said with `/me`.
        position: where it stands in the channel's order; None from a server that does not tell.
        tags: the line's tags as they came.
    """

    channel: str
    id: str
    author: str
    text: str
    action: bool = False
    position: Position | None = None
    tags: Mapping[str, str] = {}


class Gap(msgspec.Struct, frozen=True):
    """Events of a channel are missing here.

    Attributes:
        missing: how many, or None where nobody knows.
        reason: `server`: the server no longer has them; `overflow`: this client's queue was full.
    """

    channel: str
    missing: int | None
    reason: Literal["server", "overflow"]


class Notice(msgspec.Struct, frozen=True):
    """The server says something about a channel, or about the connection if `channel` is empty."""

    channel: str
    msg_id: str
    text: str


class Moved(msgspec.Struct, frozen=True):
    """The channel is now shown from another cluster; nothing was missed, unless a `Gap` says so."""

    channel: str
    cluster: str
    epoch: int | None = None


class Interrupted(msgspec.Struct, frozen=True):
    """The channel's connection was lost; the client is already coming back."""

    channel: str
    cluster: str
    reason: str


class Resumed(msgspec.Struct, frozen=True):
    """The channel is shown again after an interruption."""

    channel: str
    cluster: str


Event = Message | Gap | Notice | Moved | Interrupted | Resumed


class Sent(msgspec.Struct, frozen=True):
    """A message that the server acknowledged."""

    channel: str
    id: str
    text: str
