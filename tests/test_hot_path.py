"""What is done per message and per delivery on the hot path, counted: calls, renderings, joins, writes.

Nothing is timed here. A count that grows is a mistake, or has a reason that the test then names.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, cast

import pytest

from godwit.edge.fanout import LARGE, PORTION, TINY, Fanout
from godwit.edge.turn import Turn
from godwit.tmi import dialect
from godwit.tmi.capabilities import NONE, Caps
from godwit.wire.sending import SendAll
from godwit.wire.websocket import frame
from tests.edge.test_fanout import FakeLoop, FakeReader
from tests.edge.world import World, world


class Calls:
    """How many functions were called meanwhile, in Python and in C."""

    count = 0

    def saw(self, frame: FrameType, event: str, argument: Any) -> None:
        """Count one; called by the interpreter."""
        if event in ("call", "c_call"):
            self.count += 1


@contextmanager
def counted() -> Iterator[Calls]:
    """Count calls; the one that ends this is among them."""
    calls = Calls()
    gc.disable()  # others may have asked to be called when it collects
    sys.setprofile(calls.saw)
    try:
        yield calls
    finally:
        sys.setprofile(None)
        gc.enable()


class Room:
    """A fan-out over sockets that take everything."""

    def __init__(self, readers: int, caps: tuple[Caps, ...] = (NONE,), websocket: tuple[bool, ...] = (False,)) -> None:
        self.loop = FakeLoop()
        self.sent: list[tuple[int, bytes]] = []
        self.turn = Turn(cast(asyncio.AbstractEventLoop, self.loop), self._send_all)
        self.fanout = Fanout("room", self.turn)
        self.rendered: list[Caps] = []
        kinds = [(each, framed) for each in caps for framed in websocket]
        self.readers = [FakeReader(f"r{at}", *kinds[at % len(kinds)], at + 1) for at in range(readers)]
        for reader in self.readers:
            self.fanout.add(reader)

    def _send_all(self, numbers: list[int], data: bytes) -> list[tuple[int, int]]:
        self.sent.append((len(numbers), data))
        return []

    def render(self, caps: Caps) -> bytes:
        """Note that a line was rendered."""
        self.rendered.append(caps)
        return b"line %d;" % caps


def calls_of(readers: int, say: Callable[[Room], None]) -> int:
    """How many calls it takes to show something to so many."""
    room = Room(readers)
    say(room)
    room.loop.turn()  # what is made once is there
    with counted() as calls:
        say(room)
        room.loop.turn()
    return calls.count


@pytest.mark.parametrize("batch", [1, 30])
def test_a_reader_more_costs_no_call_more(batch: int) -> None:
    def say(room: Room) -> None:
        for _ in range(batch):
            room.fanout.message(room.render, room.readers[0])

    assert calls_of(LARGE, say) == calls_of(LARGE // 2, say)
    assert calls_of(LARGE + 2 * PORTION - 1, say) == calls_of(LARGE + PORTION + 1, say)


def test_calls_per_message() -> None:
    """A few of them are the interpreter's own (there are 34, 66 and 200 here), so there is a little room."""

    def say(room: Room) -> None:
        room.fanout.message(room.render, room.readers[0])
        room.fanout.only(room.readers[0], b"ack;")

    def say_ten(room: Room) -> None:
        for _ in range(10):
            say(room)

    assert calls_of(TINY, say) <= 38
    assert calls_of(1000, say) <= 72
    assert calls_of(1000, say_ten) - calls_of(1000, say) <= 220
    portions = 4
    more = calls_of(LARGE + portions * PORTION, say) - calls_of(LARGE, say)
    assert more <= portions * 40


def test_a_turn_of_a_mixed_room_renders_each_view_once() -> None:
    """CAP-7: four sets of capabilities are two views of a message."""
    caps = (NONE, Caps.COMMANDS, Caps.TAGS, Caps.TAGS | Caps.COMMANDS)
    room = Room(800, caps, (False, True))
    room.fanout.message(room.render)
    room.fanout.message(room.render)
    room.loop.turn()
    assert sorted(room.rendered) == [NONE, NONE, Caps.TAGS, Caps.TAGS]
    assert [size for size, _ in room.sent] == [100] * 8
    for view in (b"line 0;", b"line 1;"):
        assert sum(data == 2 * view for _, data in room.sent) == 2
        assert sum(data == 2 * frame(view) for _, data in room.sent) == 2


def test_a_turn_is_one_write_for_each_view_and_speaker() -> None:
    room = Room(1000)
    speakers = room.readers[:20]
    for at in range(100):
        room.fanout.message(room.render, speakers[at % 20])
        room.fanout.only(speakers[at % 20], b"ack;")
    room.loop.turn()
    assert sorted(size for size, _ in room.sent) == [1] * 20 + [980]
    assert max(room.sent)[1] == 100 * b"line 0;"
    assert {len(data) for size, data in room.sent if size == 1} == {95 * 7 + 5 * 4}


class Wire:
    """What the edge of a network hands to sockets, and how often it renders a message."""

    def __init__(self, net: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.writes: list[int] = []
        self.rendered = 0
        turn = net.nodes["main"].turn
        turn.send_all = self._counted(turn.send_all)
        self._render = dialect.NOW.privmsg
        monkeypatch.setattr(dialect.Dialect, "privmsg", staticmethod(self._rendered))

    def _counted(self, send_all: SendAll) -> SendAll:
        def counted(numbers: list[int], data: bytes) -> list[tuple[int, int]]:
            self.writes.append(len(numbers))
            return send_all(numbers, data)

        return counted

    def _rendered(self, *args: Any, **kwargs: Any) -> bytes:
        self.rendered += 1
        return self._render(*args, **kwargs)


@pytest.mark.parametrize("others", [5, 2 * TINY])
async def test_a_message_through_the_server_is_one_write_for_a_view(
    others: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world() as net:
        readers = [await net.join(f"r{at}", caps="") for at in range(others)]
        tagged = [await net.join(f"t{at}") for at in range(others)]
        ann = await net.join("ann")
        wire = Wire(net, monkeypatch)
        ann.send("PRIVMSG #room :one")
        await ann.until("USERSTATE")
        for client in (*readers, *tagged):
            await client.until(" PRIVMSG #room :one")
        assert wire.rendered == 2
        assert sorted(wire.writes) == [1, others, others]


async def test_what_is_said_in_one_turn_leaves_in_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world() as net:
        readers = [await net.join(f"r{at}", caps="") for at in range(2 * TINY)]
        speakers = [await net.join(f"s{at}", caps="twitch.tv/commands") for at in range(5)]
        wire = Wire(net, monkeypatch)
        for speaker in speakers:
            speaker.send(*(f"PRIVMSG #room :{at}" for at in range(4)))
        for speaker in speakers:
            for _ in range(4):
                await speaker.until("USERSTATE")
        for client in readers:
            for _ in range(20):
                await client.line()
        flushes = wire.writes.count(len(readers))
        assert wire.rendered == 20
        assert flushes <= 10
        assert sum(wire.writes) <= flushes * (len(readers) + len(speakers))


async def test_calls_of_a_message_on_its_way_in() -> None:
    """Read, parsed, checked, appended, read back, shown to one and acknowledged, all in one turn of the loop."""
    async with world() as net:
        await net.join("bob", caps="")
        ann = await net.join("ann")
        ann.send("PRIVMSG #room :what is made once is there after this")
        await ann.until("USERSTATE")
        connection, counts = net.session("ann").connection, net.nodes["main"].counts
        net.clock.advance(1.0)
        said = counts.acknowledged
        with counted() as calls:
            connection.data_received(b"PRIVMSG #room :hello there\r\n")
        assert counts.acknowledged == said + 1
        assert calls.count <= 185  # there are 179 here
