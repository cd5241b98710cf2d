"""What a server says, as the client's side of a connection reports it.

Channels are named without `#`, in lower case.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from godwit.tmi.capabilities import Caps
from godwit.tmi.message import Line
from godwit.values import Addresses, Position


class Welcomed(msgspec.Struct, frozen=True):
    """The login is done (LOGIN-2)."""

    nick: str


class LoginFailed(msgspec.Struct, frozen=True):
    """The login was refused with this text; the server closes (LOGIN-5)."""

    text: str


class CapabilitiesAnswered(msgspec.Struct, frozen=True):
    """The capabilities in force after a `CAP REQ` was granted or refused (CAP-2, CAP-3)."""

    caps: Caps
    granted: bool


class Joined(msgspec.Struct, frozen=True):
    """This connection is in; `RoomState` with the rest of the answer follows (JOIN-2)."""

    channel: str


class Parted(msgspec.Struct, frozen=True):
    """This connection is out, asked for or not (PART-1)."""

    channel: str


class MemberJoined(msgspec.Struct, frozen=True):
    """Somebody else came."""

    channel: str
    login: str


class MemberParted(msgspec.Struct, frozen=True):
    """Somebody else left."""

    channel: str
    login: str


class ChannelMessage(msgspec.Struct, frozen=True):
    """Something was said (MSG-6).

    Attributes:
        id: '' without TAGS.
        position: None without TAGS and POSITION.
    """

    channel: str
    id: str
    login: str
    text: str
    action: bool
    tags: Mapping[str, str]
    position: Position | None


class UserState(msgspec.Struct, frozen=True):
    """What this user is in a channel; with an id it acknowledges a message of theirs (STATE-1)."""

    channel: str
    id: str
    nonce: str
    tags: Mapping[str, str]


class RoomState(msgspec.Struct, frozen=True):
    """How a room is set; `joined` tells the answer to a JOIN from a later change (STATE-2, JOIN-6).

    Attributes:
        position: everything behind it will be shown; None if nothing is promised.
        cluster: the cluster that answers, '' if it didn't say.
        epoch: the newest epoch that this cluster knows.
        home: whether this cluster is the channel's home.
    """

    channel: str
    joined: bool
    tags: Mapping[str, str]
    position: Position | None = None
    cluster: str = ""
    epoch: int = 0
    home: bool = True


class Notice(msgspec.Struct, frozen=True):
    """The server says something; `channel` is '' where it is to nobody in particular (NOTICE-1)."""

    channel: str
    msg_id: str
    text: str


class Gap(msgspec.Struct, frozen=True):
    """Lines are missing before the next one; None: nobody knows how many (NOTICE-2)."""

    channel: str
    missing: int | None
    text: str


class ServerChanged(msgspec.Struct, frozen=True):
    """A channel lives elsewhere (SC-1 to SC-3).

    Attributes:
        cluster: '' if the line doesn't say.
        epoch: 0 if the line doesn't say.
        drain_until: until when the old side serves the channel; None if unknown or without end.
    """

    channel: str
    cluster: str = ""
    epoch: int = 0
    addresses: Addresses = Addresses()
    drain_until: float | None = None


class Reconnect(msgspec.Struct, frozen=True):
    """The server closes this connection soon: come back on a new one (RC-1)."""


class Pinged(msgspec.Struct, frozen=True):
    """The server asked for a sign of life; it has been answered (PING-2)."""

    argument: str


class Ponged(msgspec.Struct, frozen=True):
    """The answer to a PING of ours (PING-1)."""

    argument: str


class Inquired(msgspec.Struct, frozen=True):
    """Where a channel is (INQ-1); epoch 0 if the line doesn't say."""

    channel: str
    cluster: str
    address: str
    epoch: int = 0


class Other(msgspec.Struct, frozen=True):
    """Any other line, for those who know it."""

    line: Line


ClientEvent = (
    Welcomed
    | LoginFailed
    | CapabilitiesAnswered
    | Joined
    | Parted
    | MemberJoined
    | MemberParted
    | ChannelMessage
    | UserState
    | RoomState
    | Notice
    | Gap
    | ServerChanged
    | Reconnect
    | Pinged
    | Ponged
    | Inquired
    | Other
)
"""Whatever `ClientConnection` reports."""
