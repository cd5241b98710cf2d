"""The chat log of one cluster inside the process.

It keeps rules L3 to L6 as any log must (`docs/architecture.md`, "The chat log"). Its sequence counts
over all channels, so that nobody comes to rely on dense ones. When the process ends the log is gone:
the next one has another `stream` id, and whoever kept the old id finds a dead log (rule L2).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence

from godwit.chatlog.base import Page, Subscription
from godwit.clock import Clock
from godwit.errors import DeadLog
from godwit.settings import LogSettings
from godwit.values import Entry, Open, Record, Seal

Deliver = Callable[[Entry], None]

_PINNED = (Open, Seal)


def _sequence(entry: Entry) -> int:
    return entry.sequence


class _Channel:
    """The records of one channel: what expires, and open and seal, which don't until released (rule L3)."""

    __slots__ = ("entries", "floor", "head", "pinned", "released")

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.pinned: list[Entry] = []
        self.head = 0
        self.floor = 0
        self.released = 0

    def after(self, sequence: int) -> list[Entry]:
        found = self.entries[bisect_right(self.entries, sequence, key=_sequence) :]
        pinned = self.pinned[bisect_right(self.pinned, sequence, key=_sequence) :]
        return sorted([*pinned, *found], key=_sequence) if pinned else found

    def expire(self, before: float, most: int) -> None:
        drop = bisect_right(self.entries, before, key=lambda entry: entry.time)
        drop = max(drop, len(self.entries) - most)
        if drop:
            self.floor = max(self.floor, self.entries[drop - 1].sequence)
            del self.entries[:drop]
        if self.pinned and self.pinned[0].record.epoch <= self.released and self.pinned[0].time <= before:
            self._expire_released(before)

    def _expire_released(self, before: float) -> None:
        """A seal outlives what lies behind it: else that would seem to be in force (rule C1)."""
        behind = min((entry.record.epoch for entry in self.entries), default=self.released + 1)
        keep = [
            entry
            for entry in self.pinned
            if entry.time > before or entry.record.epoch > self.released or entry.record.epoch >= behind
        ]
        for entry in self.pinned:
            if entry not in keep:
                self.floor = max(self.floor, entry.sequence)
        self.pinned = keep


class _Subscription:
    """One reader of one channel; nearly all channels have one or none."""

    __slots__ = ("_channel", "_log", "deliver")

    def __init__(self, log: MemoryLog, channel: str, deliver: Deliver) -> None:
        self._log = log
        self._channel = channel
        self.deliver: Deliver | None = deliver

    def close(self) -> None:
        self.deliver = None
        self._log.leave(self._channel, self)


class MemoryLog:
    """A `ChatLog` in dictionaries.

    Args:
        cluster: whose log it is.
        stream: creation id; a new one for each new log.
        clock: gives the records' timestamps.
        settings: how long and how many records are kept.
    """

    def __init__(self, cluster: str, stream: str, clock: Clock, settings: LogSettings | None = None) -> None:
        self._cluster = cluster
        self._stream = stream
        self._clock = clock
        self._settings = settings or LogSettings()
        self._channels: dict[str, _Channel] = {}
        self._readers: dict[str, tuple[_Subscription, ...]] = {}
        self._stored: dict[tuple[str, str, int], int] = {}
        self._stored_before: dict[tuple[str, str, int], int] = {}
        self._last = 0
        self._time = 0.0
        self._undelivered: deque[tuple[str, Entry]] = deque()
        self._too_many = self._settings.max_records * 5 // 4
        self._forgets_at = 0.0

    @property
    def cluster(self) -> str:
        """The cluster whose log it is."""
        return self._cluster

    def stream(self, channel: str) -> str:
        """The creation id: one stream holds all channels."""
        return self._stream

    async def append(self, channel: str, record: Record, *, stream: str) -> int:
        """Store a record and show it to the channel's readers before returning; see `ChatLog`."""
        return self.store(channel, record, stream)

    def store(self, channel: str, record: Record, stream: str) -> int:
        """The same for callers that need not wait.

        Raises:
            DeadLog: the log is not `stream` (rule L2); nothing was stored.
        """
        if stream != self._stream:
            raise DeadLog(f"log of {self._cluster} is {self._stream}, not {stream}")
        time = self._clock.now()
        if time > self._time:
            self._time = time
        else:
            time = self._time
        if time >= self._forgets_at:
            self._forget()
        key = (channel, record.id, record.epoch)
        if stored := self._stored.get(key) or self._stored_before.get(key):
            return stored
        kept = self._channels.get(channel)
        if kept is None:
            kept = self._channels[channel] = _Channel()
        self._last = sequence = self._last + 1
        entry = Entry(sequence, kept.head, time, record)
        kept.head = sequence
        entries = kept.entries
        (kept.pinned if isinstance(record, _PINNED) else entries).append(entry)
        if len(entries) > self._too_many:
            kept.expire(time - self._settings.max_age, self._settings.max_records)
        self._stored[key] = sequence
        if channel in self._readers:
            self._deliver(channel, entry)
        return sequence

    def _deliver(self, channel: str, entry: Entry) -> None:
        """Show a record to its channel's readers; what these store meanwhile comes behind it."""
        undelivered = self._undelivered
        undelivered.append((channel, entry))
        if len(undelivered) > 1:
            return  # called by a reader
        try:
            while undelivered:
                channel, entry = undelivered[0]
                for subscription in self._readers.get(channel, ()):
                    if (deliver := subscription.deliver) is not None:  # another reader may have closed it
                        deliver(entry)
                undelivered.popleft()
        finally:
            undelivered.clear()

    async def read(self, channel: str, after: int, limit: int = 500) -> Page:
        """Read records after a sequence; see `ChatLog`."""
        kept = self._channels.get(channel)
        if kept is None or (kept.head <= after and kept.floor <= after):
            return Page(self._stream, (), self._last, kept.floor if kept else 0)
        entries = kept.after(after)
        if len(entries) > limit:
            return Page(self._stream, tuple(entries[:limit]), entries[limit - 1].sequence, kept.floor, more=True)
        return Page(self._stream, tuple(entries), self._last, kept.floor)

    async def heads(self, channels: Sequence[str]) -> list[int]:
        """The sequence of each channel's last record; see `ChatLog`."""
        return [kept.head if (kept := self._channels.get(channel)) else 0 for channel in channels]

    async def release(self, channel: str, epoch: int) -> None:
        """Let open and seal up to `epoch` expire like other records; see `ChatLog`."""
        if kept := self._channels.get(channel):
            kept.released = max(kept.released, epoch)

    def subscribe(self, channel: str, deliver: Deliver, suspect: Callable[[], None]) -> Subscription:
        """Open the live path, which misses nothing here, so `suspect` is never called."""
        subscription = _Subscription(self, channel, deliver)
        self._readers[channel] = (*self._readers.get(channel, ()), subscription)
        return subscription

    def leave(self, channel: str, reader: Subscription) -> None:
        """Take note that a reader's live path was closed."""
        left = tuple(one for one in self._readers.get(channel, ()) if one is not reader)
        if left:
            self._readers[channel] = left
        else:
            self._readers.pop(channel, None)

    def expire(self) -> None:
        """Drop what is too old or too much (called now and then; rule L3 says what stays)."""
        now = self._clock.now()
        for kept in self._channels.values():
            kept.expire(now - self._settings.max_age, self._settings.max_records)

    def _forget(self) -> None:
        """Forget which records were stored, no sooner than `duplicate_window` after that (rule L6)."""
        window = self._settings.duplicate_window
        self._stored_before = self._stored if self._time < self._forgets_at + window else {}
        self._stored = {}
        self._forgets_at = self._time + window

    def statistics(self) -> dict[str, int]:
        """Channels, records kept, last sequence."""
        records = sum(len(kept.entries) + len(kept.pinned) for kept in self._channels.values())
        return {"channels": len(self._channels), "records": records, "last": self._last}
