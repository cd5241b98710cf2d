"""Who sees a channel's lines on this node, and how the lines get there.

The readers of a channel are grouped by view: their capabilities and their kind of transport. A line is
rendered once per view that has readers, never once per reader, and its bytes are shared. Lines wait in
their group until the next turn of the loop; then they are joined once and written once to each
connection of the group.

Order: a line for one reader (a NOTICE, a USERSTATE) waits in the same list as everybody's, so what one
connection sees of a channel is always in the order in which it was said. A reader that some of the
waiting lines are not for, or are only for, gets its own cut of the list. Whoever joins, leaves or
changes capabilities does so behind what is waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Protocol

import structlog

from godwit.tmi.capabilities import Caps, message_view
from godwit.wire.websocket import frame

log = structlog.get_logger()

Render = Callable[[Caps], bytes]
"""Makes a line for a set of capabilities; b"" where these see nothing."""


class Sink(Protocol):
    """A connection, as far as fan-out uses it."""

    websocket: bool

    def write_raw(self, data: bytes) -> None:
        """Queue bytes as they go on the wire."""
        ...


class Reader(Protocol):
    """Somebody who sees a channel's lines."""

    @property
    def nick(self) -> str:
        """Its login."""
        ...

    @property
    def caps(self) -> Caps:
        """The capabilities it has now."""
        ...

    @property
    def connection(self) -> Sink:
        """Where its lines go."""
        ...


_Waiting = tuple[bytes, Reader | None, bool]
"""Bytes; whom they are special to; True: they are for that one only, False: for all but that one."""


class _Group:
    """Readers with the same view, and the lines that wait for them."""

    __slots__ = ("caps", "framed", "readers", "view", "waiting")

    def __init__(self, caps: Caps, framed: bool) -> None:
        self.caps = caps
        self.view = message_view(caps)
        self.framed = framed
        self.readers: dict[Reader, Sink] = {}
        self.waiting: list[_Waiting] = []

    def flush(self) -> int:
        """Write what waits; returns how many lines went to how many readers, multiplied."""
        waiting = self.waiting
        if not waiting:
            return 0
        self.waiting = []
        special = {who for _, who, _ in waiting if who is not None and who in self.readers}
        common = [data for data, _, only in waiting if not only]
        shared = b"".join(common)
        if shared:
            for reader, sink in self.readers.items():
                if reader not in special:
                    sink.write_raw(shared)
        delivered = len(common) * (len(self.readers) - len(special))
        for reader in special:
            own = [data for data, who, only in waiting if (who is reader) == only]
            delivered += len(own)
            if own:
                self.readers[reader].write_raw(b"".join(own))
        return delivered


class Turn:
    """The channels of a node that have lines waiting; flushed together in the loop's next turn.

    Attributes:
        delivered: lines handed to connections so far, each counted once per reader.
    """

    __slots__ = ("_dirty", "_loop", "delivered")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._dirty: list[Fanout] = []
        self.delivered = 0

    def add(self, fanout: Fanout) -> None:
        """Have `fanout` flushed in the next turn; call it once, when its first line begins to wait."""
        if not self._dirty:
            self._loop.call_soon(self.flush)
        self._dirty.append(fanout)

    def flush(self) -> None:
        """Flush now: what is written to a connection after this comes behind what waited."""
        dirty, self._dirty = self._dirty, []
        for fanout in dirty:
            try:
                fanout.flush()
            except Exception:
                # One channel's fault must not keep the lines of the others back.
                log.exception("fanout_failed", channel=fanout.channel)


class Fanout:
    """The readers of one channel on one node."""

    __slots__ = ("_dirty", "_groups", "_turn", "channel")

    def __init__(self, channel: str, turn: Turn) -> None:
        self.channel = channel
        self._turn = turn
        self._groups: dict[tuple[Caps, bool], _Group] = {}
        self._dirty = False

    def __len__(self) -> int:
        return sum(len(group.readers) for group in self._groups.values())

    def __contains__(self, reader: Reader) -> bool:
        return self._group_of(reader) is not None

    def __iter__(self) -> Iterator[Reader]:
        for group in self._groups.values():
            yield from group.readers

    def views(self) -> int:
        """How many different views the readers have: how often a line is rendered at most."""
        return len(self._groups)

    def listens(self, caps: Caps) -> bool:
        """Whether somebody has all of these capabilities."""
        return any(caps in group.caps for group in self._groups.values())

    def add(self, reader: Reader) -> None:
        """Let a reader see what is said from here on; what waits is not for it."""
        key = (reader.caps, reader.connection.websocket)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group(*key)
        self._write(group)
        group.readers[reader] = reader.connection

    def remove(self, reader: Reader) -> bool:
        """Let a reader see nothing from here on; it still gets what waits. Says whether it was one."""
        group = self._group_of(reader)
        if group is None:
            return False
        self._write(group)
        del group.readers[reader]
        if not group.readers:
            del self._groups[group.caps, group.framed]
        return True

    def regroup(self, reader: Reader) -> None:
        """Take note that a reader's capabilities have changed."""
        if self.remove(reader):
            self.add(reader)

    def message(self, render: Render, but: Reader | None = None) -> None:
        """Show a chat message to all but one: `render` is called once per view that a message has."""
        rendered: dict[Caps, bytes] = {}
        for group in self._groups.values():
            data = rendered.get(group.view)
            if data is None:
                data = rendered[group.view] = render(group.view)
            self._wait(group, data, but if but in group.readers else None)

    def line(self, render: Render, but: Reader | None = None) -> None:
        """Send a line to all that may see it but one: `render` is called once per set of capabilities."""
        rendered: dict[Caps, bytes] = {}
        for group in self._groups.values():
            data = rendered.get(group.caps)
            if data is None:
                data = rendered[group.caps] = render(group.caps)
            if data:
                self._wait(group, data, but if but in group.readers else None)

    def only(self, reader: Reader, data: bytes) -> bool:
        """Send one element to one reader, behind what waits for it; False if it is not a reader here."""
        group = self._group_of(reader)
        if group is None:
            return False
        self._wait(group, data, reader, only=True)
        return True

    def flush(self) -> None:
        """Write what waits, now."""
        self._dirty = False
        for group in list(self._groups.values()):
            self._write(group)

    def _wait(self, group: _Group, data: bytes, who: Reader | None, only: bool = False) -> None:
        group.waiting.append((frame(data) if group.framed else data, who, only))
        if not self._dirty:
            self._dirty = True
            self._turn.add(self)

    def _write(self, group: _Group) -> None:
        self._turn.delivered += group.flush()

    def _group_of(self, reader: Reader) -> _Group | None:
        for group in self._groups.values():
            if reader in group.readers:
                return group
        return None
