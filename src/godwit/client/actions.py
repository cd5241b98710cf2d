"""What the client's core wants done; `client.Client` does it."""

from __future__ import annotations

import msgspec

from godwit.client.events import Event, Sent


class Open(msgspec.Struct, frozen=True):
    """Connect to an address; the connection is known by `link` from now on."""

    link: int
    address: str


class Write(msgspec.Struct, frozen=True):
    """Write pieces to a connection; on WebSocket each is a frame."""

    link: int
    pieces: tuple[bytes, ...]


class Close(msgspec.Struct, frozen=True):
    """Close a connection, or stop opening it; the core doesn't want to hear of it again."""

    link: int
    reason: str


class LookUp(msgspec.Struct, frozen=True):
    """Ask the directory where channels are; one such question is out at a time."""

    channels: tuple[str, ...]


class Tell(msgspec.Struct, frozen=True):
    """Tell the user."""

    event: Event


class Done(msgspec.Struct, frozen=True):
    """What the user asked for under `ticket` is done."""

    ticket: int
    result: Sent | None = None


class Failed(msgspec.Struct, frozen=True):
    """What the user asked for under `ticket` can't be done."""

    ticket: int
    error: Exception


class End(msgspec.Struct, frozen=True):
    """The client is over: because of `error`, or because it was closed."""

    error: Exception | None


Action = Open | Write | Close | LookUp | Tell | Done | Failed | End
