"""A log of several streams with one creation id (rule L2).

A segment names the creation id of its log, and the default placement names one for all channels without a row,
whichever streams they are on. So the id of a log of several streams is made of all of theirs: it changes when any
of them is gone or created anew, and then all channels of the cluster are opened anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Protocol

import msgspec

from godwit.chatlog.base import ChatLog, Page, Subscription
from godwit.errors import DeadLog
from godwit.values import Entry, Record


class Streamed(ChatLog, Protocol):
    """A log that keeps channels in several streams."""

    @property
    def streams(self) -> tuple[str, ...]:
        """Creation ids of all its streams, in an order that never changes."""
        ...


class WholeLog:
    """A `ChatLog` in front of one with several streams.

    Attributes:
        inner: the log of several streams.
    """

    def __init__(self, inner: Streamed) -> None:
        self.inner = inner
        self._streams: tuple[str, ...] = ()
        self._id = ""

    @property
    def cluster(self) -> str:
        """The cluster whose log it is."""
        return self.inner.cluster

    def stream(self, channel: str) -> str:
        """The log's creation id, the same for all channels; see `ChatLog`."""
        streams = self.inner.streams
        if streams != self._streams:
            self._streams = streams
            self._id = f"{self.cluster}-{sha256(' '.join(streams).encode()).hexdigest()[:16]}"
        return self._id

    async def append(self, channel: str, record: Record, *, stream: str) -> int:
        """Store a record; see `ChatLog`."""
        if stream != (known := self.stream(channel)):
            raise DeadLog(f"log of {self.cluster} is {known}, not {stream}")
        return await self.inner.append(channel, record, stream=self.inner.stream(channel))

    async def read(self, channel: str, after: int, limit: int = 500) -> Page:
        """Read records after a sequence; see `ChatLog`."""
        whole, part = self.stream(channel), self.inner.stream(channel)
        page = await self.inner.read(channel, after, limit)
        return msgspec.structs.replace(page, stream=whole) if page.stream == part else page

    async def heads(self, channels: Sequence[str]) -> list[int]:
        """The sequence of each channel's last record; see `ChatLog`."""
        return await self.inner.heads(channels)

    async def release(self, channel: str, epoch: int) -> None:
        """Note that open and seal up to `epoch` may go; see `ChatLog`."""
        await self.inner.release(channel, epoch)

    def subscribe(self, channel: str, deliver: Callable[[Entry], None], suspect: Callable[[], None]) -> Subscription:
        """Open the live path; see `ChatLog`."""
        return self.inner.subscribe(channel, deliver, suspect)
