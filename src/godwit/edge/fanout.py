"""Who sees a channel's lines on this node, and how the lines get there; docs/fan-out.md has the reasons.

The readers of a channel are grouped by view: their capabilities and their kind of transport. A line is
rendered once per view that has readers, never once per reader, and its bytes are shared. Lines wait in
their group until the channels of the node are flushed (`edge/turn.py`); then they are joined once, and the
same bytes are handed to the sockets of all readers of the group at once. In a room of a few readers the
first line of a turn is handed over at once; one of very many is written to in portions, a turn each.

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

LARGE = 1024
"""Readers up to which a room is written to in one turn of the loop: about 5 ms."""

PORTION = 256
"""Readers that are written to in a turn, about, of a room that has more than these."""

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


class _Batch:
    """What waits for the readers of a view: the lines for all, and in what the cut of some differs from them.

    Attributes:
        lines: those for all.
        own: for each reader that a line is not for, or is only for: before how many of `lines` that one came; its
            bytes, or None if it is the next of `lines` that the reader does not get.
        begins: from which line on a reader is one, or has not been given them yet.
    """

    __slots__ = ("begins", "lines", "own")

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.own: dict[Reader, list[tuple[int, bytes | None]]] = {}
        self.begins: dict[Reader, int] = {}

    def add(self, data: bytes, but: Reader | None) -> None:
        """Have a line wait for all but one."""
        if but is not None:
            self.own.setdefault(but, []).append((len(self.lines), None))
        self.lines.append(data)

    def put(self, reader: Reader, data: bytes) -> bool:
        """Have bytes for one reader wait behind what waits for it; False, with nothing done, if nothing does."""
        if self.begins.get(reader) == len(self.lines) and reader not in self.own:
            return False
        self.own.setdefault(reader, []).append((len(self.lines), data))
        return True

    def take(self, reader: Reader) -> list[bytes]:
        """Cut out what waits for one reader; from here on nothing of it does."""
        lines, begin = self.lines, self.begins.get(reader, 0)
        cut: list[bytes] = []
        for at, data in self.own.pop(reader, ()):
            cut += lines[begin:at]
            begin = at
            if data is None:
                begin += 1
            else:
                cut.append(data)
        cut += lines[begin:]
        self.begins[reader] = len(lines)
        return cut

    def drop(self, reader: Reader) -> None:
        """Forget a reader, whose cut was taken."""
        del self.begins[reader]


class _Group:
    """Readers with the same view; in a large room a portion of these.

    Attributes:
        batch: what waits for them; None if nothing does.
    """

    __slots__ = ("batch", "caps", "framed", "readers", "view")

    def __init__(self, caps: Caps, framed: bool) -> None:
        self.caps = caps
        self.view = message_view(caps)
        self.framed = framed
        self.readers: dict[Reader, Sink] = {}
        self.batch: _Batch | None = None

    def flush(self, outlet: Outlet, alone: bool) -> None:
        """Hand over what waits, as `send` does: first to those who get a cut of their own."""
        batch, self.batch = self.batch, None
        if batch is None:
            return
        readers = self.readers
        special = batch.own.keys() | batch.begins.keys()
        if special:
            readers = readers.copy()
            for reader in special:
                sink = readers.pop(reader)
                if cut := batch.take(reader):
                    send(outlet, (sink,), b"".join(cut), alone)
                    outlet.delivered += len(cut)
        lines = batch.lines
        if lines and readers:
            send(outlet, readers.values(), b"".join(lines) if len(lines) > 1 else lines[0], alone)
            outlet.delivered += len(lines) * len(readers)


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


def send_one(outlet: Outlet, sink: Sink, data: bytes) -> None:
    """Hand bytes to one connection, as `send` does while other channels are written to."""
    if sink.fd >= 0 and sink.fanouts == 1:
        missed = outlet.send_all([sink.fd], data)
        if not missed:
            return
        data = data[missed[0][1] :]
    sink.write_raw(data)


class Fanout:
    """The readers of one channel on one node."""

    __slots__ = ("_dirty", "_groups", "_hot", "_left", "_outlet", "_size", "channel")

    def __init__(self, channel: str, outlet: Outlet) -> None:
        self.channel = channel
        self._outlet = outlet
        self._groups: tuple[_Group, ...] = ()
        self._size = 0
        self._dirty = False  # lines may wait, and the outlet knows
        self._left: list[_Group] = []  # that the flush has not come to yet, the next one last
        self._hot = False  # it was written to at once in this turn of the loop: what comes now waits

    def __len__(self) -> int:
        return self._size

    def __contains__(self, reader: Reader) -> bool:
        return self._group_of(reader) is not None

    def __iter__(self) -> Iterator[Reader]:
        for group in self._groups:
            yield from group.readers

    @property
    def under_way(self) -> bool:
        """Whether `flush` must be called again, for the readers that it has not come to yet."""
        return bool(self._left)

    def views(self) -> int:
        """How many different views the readers have: how often a line is rendered at most."""
        return len({(group.caps, group.framed) for group in self._groups})

    def listens(self, caps: Caps) -> bool:
        """Whether somebody has all of these capabilities."""
        return any(caps in group.caps for group in self._groups)

    def add(self, reader: Reader) -> None:
        """Let a reader see what is said from here on; what waits is not for it."""
        sink = reader.connection
        most = LARGE if self._size < LARGE else PORTION
        for group in self._groups:
            if group.caps == reader.caps and group.framed == sink.websocket and len(group.readers) < most:
                break
        else:
            group = _Group(reader.caps, sink.websocket)
            self._groups = (*self._groups, group)
        if reader not in group.readers:
            group.readers[reader] = sink
            if group.batch is not None:
                group.batch.begins[reader] = len(group.batch.lines)
            sink.fanouts += 1
            self._size += 1

    def remove(self, reader: Reader) -> bool:
        """Let a reader see nothing from here on; it still gets what waits. Says whether it was one."""
        group = self._group_of(reader)
        if group is None:
            return False
        self._catch_up(group, reader)
        if group.batch is not None:
            group.batch.drop(reader)
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
            readers = group.readers
            if len(readers) == 1 and but in readers:
                continue  # nobody to show it to
            view = group.view
            data = rendered.get(view)
            if data is None:
                data = rendered[view] = render(view)
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
        if group.batch is None or not group.batch.put(reader, data):
            sink = group.readers[reader]
            if self._size <= TINY:
                send_one(self._outlet, sink, data)
            else:
                sink.write_raw(data)
            self._outlet.delivered += 1
        return True

    def catch_up(self, reader: Reader) -> None:
        """Give a reader what waits for it now: what is written to its connection next comes behind it."""
        group = self._group_of(reader)
        if group is not None:
            self._catch_up(group, reader)

    def flush(self, alone: bool) -> None:
        """Hand over what waits, if there are very many readers to a portion of them; `send` says what `alone` means.

        What is said before the last portion's turn goes to all that have not had theirs with what waited before, and to
        the others in the next round.
        """
        if not self._left and self._size <= LARGE:
            self._dirty = False
            for group in self._groups:
                group.flush(self._outlet, alone)
            return
        left = self._left = self._left or [*reversed(self._groups)]
        written = 0
        try:
            while left and written < PORTION:
                group = left.pop()
                written += len(group.readers)
                group.flush(self._outlet, alone)
        finally:
            if not left:
                self._dirty = any(group.batch is not None for group in self._groups)
                if self._dirty:
                    self._outlet.add(self)

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
            if group.batch is None:
                group.batch = _Batch()
            group.batch.add(data, but if but in group.readers else None)
            return
        outlet, sinks = self._outlet, [sink for reader, sink in group.readers.items() if reader is not but]
        outlet.delivered += len(sinks)
        if len(sinks) == 1:
            send_one(outlet, sinks[0], data)
        else:
            send(outlet, sinks, data, alone=False)

    def _catch_up(self, group: _Group, reader: Reader) -> None:
        if group.batch is not None and (cut := group.batch.take(reader)):
            group.readers[reader].write_raw(b"".join(cut))
            self._outlet.delivered += len(cut)

    def _group_of(self, reader: Reader) -> _Group | None:
        for group in self._groups:
            if reader in group.readers:
                return group
        return None
