"""The chat log as a port (`docs/architecture.md`, "The chat log"; rules L1 to L6).

An implementation holds the log of one cluster. `tail.Tail` turns what it offers (a live path that
is only a hint, and reads) into records in order and without a gap; `tests/conformance/chatlog.py`
is the suite every implementation passes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from godwit.values import Entry, Record


class Page(msgspec.Struct, frozen=True, gc=False):
    """The answer to a read.

    Attributes:
        stream: creation id of the log that answered.
        entries: records after the position asked for, in order, at most the limit.
        upto: the answer is complete up to this sequence of the log, both included.
        floor: a record of the channel at or below this sequence may have expired unread.
        more: the limit cut the answer; `upto` is its last entry's sequence.
    """

    stream: str
    entries: tuple[Entry, ...]
    upto: int
    floor: int
    more: bool = False


class Subscription(Protocol):
    """A live path that is open."""

    def close(self) -> None:
        """Stop it; nothing is delivered afterwards."""
        ...


class ChatLog(Protocol):
    """The chat log of one cluster."""

    @property
    def cluster(self) -> str:
        """The cluster whose log it is."""
        ...

    def stream(self, channel: str) -> str:
        """Creation id of the stream that holds the channel; another id is another log (rule L2)."""
        ...

    async def append(self, channel: str, record: Record, *, stream: str) -> int:
        """Store a record durably, once per `record.id` and `record.epoch` (rule L6).

        Returns:
            The sequence under which it is stored, the first one if it was stored before.

        Raises:
            AppendUnknown: it timed out and may still land.
            DeadLog: the log is not `stream` (rule L2); nothing was stored.
            ChatLogUnavailable: nothing was stored.
        """
        ...

    async def read(self, channel: str, after: int, limit: int = 500) -> Page:
        """Read records after the sequence `after`; it may be stale, never wrong.

        Raises:
            ChatLogUnavailable: no answer.
        """
        ...

    async def heads(self, channels: Sequence[str]) -> list[int]:
        """The sequence of each channel's last record, 0 for none: what readers compare with (rule L1).

        Raises:
            ChatLogUnavailable: no answer.
        """
        ...

    async def release(self, channel: str, epoch: int) -> None:
        """Let open and seal of a segment up to `epoch` expire (rule L3), the seal not before what lies behind it (C1).

        For the one who knows that the seal was committed and that a lease has passed since.

        Raises:
            ChatLogUnavailable: no answer.
        """
        ...

    def subscribe(self, channel: str, deliver: Callable[[Entry], None], suspect: Callable[[], None]) -> Subscription:
        """Open the live path: a hint (rule L1). It is open when a read that began afterwards is answered (rule L5).

        Args:
            deliver: called with each new entry, perhaps twice, perhaps not at all.
            suspect: called when entries may have been missed (a reconnect, a slow consumer).
        """
        ...
