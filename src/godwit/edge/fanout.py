"""Who sees a channel's lines on this node, and how the lines get there; docs/fan-out.md has the reasons.

The readers of a channel are grouped by view: their capabilities and their kind of transport. A line is
rendered once per view that has readers, never once per reader, and its bytes are shared. Lines wait in
their group until the channels of the node are flushed (`edge/turn.py`); then they are joined once, and the
same bytes are handed to the sockets of all readers of the group at once. In a room of a few readers the
first line of a turn is handed over at once.

Order: what one connection sees of a channel is always in the order in which it was said. While lines wait,
a line for one reader (a NOTICE, a USERSTATE) waits among them. A reader that some of the waiting lines are
not for, or are only for, gets its own cut of the list; so does one that came while they waited, or was given
its part of them already (`catch_up`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Protocol

from godwit.tmi.capabilities import Caps, message_view
from godwit.wire.sending import SendAll
from godwit.wire.websocket import frame

TINY = 16
"""Readers up to which a room is written to at once: so few writes are cheaper than what would save some of them."""

Render = Callable[[Caps], bytes]
"""Makes a line for a set of capabilities; b"" where these see nothing."""


class Sink(Protocol):
    """A connection, as far as fan-out uses it.

    Attributes:
        websocket: it wants frames.
        fd: where bytes may be handed straight to the operating system; below 0 while they may not.
        fanouts: in how many fan-outs it is.
    """

    websocket: bool
    fd: int
    fanouts: int

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


class Outlet(Protocol):
    """What the fan-outs of a node have in common: `turn.Turn`.

    Attributes:
        send_all: hands bytes to many sockets.
        lines: how many have waited so far.
        delivered: lines handed to connections so far, each counted once per reader.
    """

    send_all: SendAll
    lines: int
    delivered: int

    def add(self, fanout: Fanout) -> None:
        """Have `fanout` flushed; call it once, when its first line begins to wait."""
        ...

    def hot(self, fanout: Fanout) -> None:
        """Have `fanout` cooled in the loop's next turn; call it once, when it was written to at once."""
        ...


_Waiting = tuple[bytes, Reader | None, bool]
"""Bytes; whom they are special to; True: they are for that one only, False: for all but that one."""


class _Group:
    """Readers with the same view, and the lines that wait for them.

    Attributes:
        ahead: how many of the waiting lines a reader has already, or need not have; None if that is so of nobody.
    """

    __slots__ = ("ahead", "caps", "framed", "readers", "view", "waiting")

    def __init__(self, caps: Caps, framed: bool) -> None:
        self.caps = caps
        self.view = message_view(caps)
        self.framed = framed
        self.readers: dict[Reader, Sink] = {}
        self.waiting: list[_Waiting] | None = None
        self.ahead: dict[Reader, int] | None = None

    def pass_over(self, reader: Reader) -> None:
        """Give a reader nothing of what waits."""
        if self.waiting is not None:
            if self.ahead is None:
                self.ahead = {}
            self.ahead[reader] = len(self.waiting)

    def put(self, reader: Reader, data: bytes) -> bool:
        """Have bytes for one reader wait behind what waits for it; False, with nothing done, if nothing does."""
        if self.waiting is None or (self.ahead is not None and self.ahead.get(reader) == len(self.waiting)):
            return False
        self.waiting.append((data, reader, True))
        return True

    def take(self, reader: Reader) -> list[bytes]:
        """Cut out what waits for one reader, which must be asked for once only."""
        begin = self.ahead.get(reader, 0) if self.ahead else 0
        return [data for data, who, only in (self.waiting or ())[begin:] if (who is reader) == only]

    def flush(self, outlet: Outlet, alone: bool) -> None:
        """Hand over what waits, as `send` does."""
        waiting = self.waiting
        if waiting is None:
            return
        readers = self.readers
        special = {who for _, who, _ in waiting if who in readers}
        if self.ahead:
            special.update(self.ahead)
        common = [data for data, _, only in waiting if not only]
        cuts = [(readers[reader], own) for reader in special if (own := self.take(reader))]
        self.waiting = self.ahead = None
        for sink, own in cuts:
            send(outlet, (sink,), b"".join(own), alone)
            outlet.delivered += len(own)
        if special:
            readers = readers.copy()
            for reader in special:
                del readers[reader]
        if common and readers:
            send(outlet, readers.values(), b"".join(common) if len(common) > 1 else common[0], alone)
            outlet.delivered += len(common) * len(readers)


def send(outlet: Outlet, sinks: Collection[Sink], data: bytes, alone: bool) -> None:
    """Hand the same bytes to connections, straight to their sockets as far as these take them.

    Args:
        alone: no other channel is written to just now; else what goes to connections that are in several channels is
            queued there, for the others' lines to join it.
    """
    numbers = [sink.fd if alone or sink.fanouts == 1 else -1 for sink in sinks]
    missed = outlet.send_all(numbers, data)
    if missed:
        found = list(sinks)
        for position, sent in missed:
            found[position].write_raw(data[sent:] if sent else data)


class Fanout:
    """The readers of one channel on one node."""

    __slots__ = ("_dirty", "_groups", "_hot", "_outlet", "_size", "channel")

    def __init__(self, channel: str, outlet: Outlet) -> None:
        self.channel = channel
        self._outlet = outlet
        self._groups: tuple[_Group, ...] = ()
        self._size = 0
        self._dirty = False  # lines may wait, and the outlet knows
        self._hot = False  # it was written to at once in this turn of the loop: what comes now waits

    def __len__(self) -> int:
        return self._size

    def __contains__(self, reader: Reader) -> bool:
        return self._group_of(reader) is not None

    def __iter__(self) -> Iterator[Reader]:
        for group in self._groups:
            yield from group.readers

    def views(self) -> int:
        """How many different views the readers have: how often a line is rendered at most."""
        return len(self._groups)

    def listens(self, caps: Caps) -> bool:
        """Whether somebody has all of these capabilities."""
        return any(caps in group.caps for group in self._groups)

    def add(self, reader: Reader) -> None:
        """Let a reader see what is said from here on; what waits is not for it."""
        sink = reader.connection
        for group in self._groups:
            if group.caps == reader.caps and group.framed == sink.websocket:
                break
        else:
            group = _Group(reader.caps, sink.websocket)
            self._groups = (*self._groups, group)
        if reader not in group.readers:
            group.readers[reader] = sink
            group.pass_over(reader)
            sink.fanouts += 1
            self._size += 1

    def remove(self, reader: Reader) -> bool:
        """Let a reader see nothing from here on; it still gets what waits. Says whether it was one."""
        group = self._group_of(reader)
        if group is None:
            return False
        self._catch_up(group, reader)
        if group.ahead:
            group.ahead.pop(reader, None)
        group.readers.pop(reader).fanouts -= 1
        self._size -= 1
        if not group.readers:
            self._groups = tuple(other for other in self._groups if other is not group)
        return True

    def regroup(self, reader: Reader) -> None:
        """Take note that a reader's capabilities have changed."""
        if self.remove(reader):
            self.add(reader)

    def message(self, render: Render, but: Reader | None = None) -> None:
        """Show a chat message to all but one: `render` is called once per view that a message has."""
        at_once = self._begin()
        rendered: dict[Caps, bytes] = {}
        for group in self._groups:
            if len(group.readers) == 1 and but in group.readers:
                continue  # nobody to show it to
            data = rendered.get(group.view)
            if data is None:
                data = rendered[group.view] = render(group.view)
            self._show(group, data, but, at_once)

    def line(self, render: Render, but: Reader | None = None) -> None:
        """Send a line to all that may see it but one: `render` is called once per set of capabilities."""
        at_once = self._begin()
        rendered: dict[Caps, bytes] = {}
        for group in self._groups:
            data = rendered.get(group.caps)
            if data is None:
                data = rendered[group.caps] = render(group.caps)
            if data:
                self._show(group, data, but, at_once)

    def only(self, reader: Reader, data: bytes) -> bool:
        """Send one element to one reader, behind what waits for it; False if it is not a reader here."""
        group = self._group_of(reader)
        if group is None:
            return False
        if group.framed:
            data = frame(data)
        if not group.put(reader, data):
            sink = group.readers[reader]
            if self._size <= TINY:
                send(self._outlet, (sink,), data, alone=False)
            else:
                sink.write_raw(data)
            self._outlet.delivered += 1
        return True

    def catch_up(self, reader: Reader) -> None:
        """Give a reader what waits for it now: what is written to its connection next comes behind it."""
        group = self._group_of(reader)
        if group is not None:
            self._catch_up(group, reader)
            group.pass_over(reader)

    def flush(self, alone: bool) -> None:
        """Hand over what waits; `send` says what `alone` means."""
        self._dirty = False
        for group in self._groups:
            group.flush(self._outlet, alone)

    def cool(self) -> None:
        """Take note that a turn of the loop is over: the next line may go at once again."""
        self._hot = False

    def _begin(self) -> bool:
        """Prepare for a line; says whether it goes at once."""
        outlet = self._outlet
        if self._dirty:
            outlet.lines += 1
            return False
        if self._size <= TINY and not self._hot:
            self._hot = True
            outlet.hot(self)
            return True
        self._dirty = True
        outlet.lines += 1
        outlet.add(self)
        return False

    def _show(self, group: _Group, data: bytes, but: Reader | None, at_once: bool) -> None:
        if group.framed:
            data = frame(data)
        if not at_once:
            if group.waiting is None:
                group.waiting = []
            group.waiting.append((data, but, False))
            return
        sinks = [sink for reader, sink in group.readers.items() if reader is not but]
        if sinks:
            send(self._outlet, sinks, data, alone=False)
            self._outlet.delivered += len(sinks)

    def _catch_up(self, group: _Group, reader: Reader) -> None:
        own = group.take(reader)
        if own:
            group.readers[reader].write_raw(b"".join(own))
            self._outlet.delivered += len(own)

    def _group_of(self, reader: Reader) -> _Group | None:
        for group in self._groups:
            if reader in group.readers:
                return group
        return None
