"""Fan-out: one rendering per view, one write per turn, everybody's lines in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from godwit.edge.fanout import Fanout, Turn
from godwit.tmi.capabilities import NONE, Caps
from godwit.wire.websocket import frame


class FakeLoop:
    """A loop that runs what was called soon when told to."""

    def __init__(self) -> None:
        self.soon: list[Callable[[], None]] = []

    def call_soon(self, callback: Callable[[], None]) -> None:
        self.soon.append(callback)

    def turn(self) -> None:
        soon, self.soon = self.soon, []
        for callback in soon:
            callback()


class FakeSink:
    """A connection that remembers each write."""

    def __init__(self, websocket: bool) -> None:
        self.websocket = websocket
        self.writes: list[bytes] = []

    def write_raw(self, data: bytes) -> None:
        self.writes.append(data)


class FakeReader:
    """A connection in a channel."""

    def __init__(self, nick: str, caps: Caps = NONE, websocket: bool = False) -> None:
        self.nick = nick
        self.caps = caps
        self.connection = FakeSink(websocket)

    @property
    def writes(self) -> list[bytes]:
        return self.connection.writes


class Place:
    """A fan-out with its loop."""

    def __init__(self) -> None:
        self.loop = FakeLoop()
        self.turn = Turn(cast(asyncio.AbstractEventLoop, self.loop))
        self.fanout = Fanout("room", self.turn)

    def reader(self, nick: str, caps: Caps = NONE, websocket: bool = False) -> FakeReader:
        reader = FakeReader(nick, caps, websocket)
        self.fanout.add(reader)
        return reader

    def say(self, text: str, but: FakeReader | None = None) -> None:
        self.fanout.message(lambda caps: f"{text} {caps.value};".encode(), but)


@pytest.fixture
def place() -> Place:
    return Place()


def test_many_lines_of_one_turn_leave_in_one_write(place: Place) -> None:
    reader = place.reader("ann")
    for number in range(5):
        place.say(str(number))
    assert reader.writes == []
    place.loop.turn()
    assert reader.writes == [b"0 0;1 0;2 0;3 0;4 0;"]
    assert place.loop.soon == []


def test_bytes_are_shared_by_all_readers_of_a_view(place: Place) -> None:
    readers = [place.reader(f"r{number}") for number in range(3)]
    place.say("a")
    place.say("b")
    place.loop.turn()
    assert readers[0].writes[0] is readers[1].writes[0] is readers[2].writes[0]


def test_a_message_is_rendered_once_per_view_that_a_message_has(place: Place) -> None:
    """CAP-7: COMMANDS and MEMBERSHIP do not change how a message looks, and framing is no rendering."""
    for caps in (NONE, Caps.COMMANDS, Caps.TAGS, Caps.TAGS | Caps.COMMANDS, Caps.TAGS | Caps.MEMBERSHIP):
        place.reader("tcp", caps)
        place.reader("ws", caps, websocket=True)
    rendered: list[Caps] = []

    def render(caps: Caps) -> bytes:
        rendered.append(caps)
        return b"line"

    place.fanout.message(render)
    assert sorted(rendered) == [NONE, Caps.TAGS]


def test_each_view_gets_its_own_rendering(place: Place) -> None:
    plain, tagged = place.reader("plain"), place.reader("tagged", Caps.TAGS)
    place.say("a")
    place.loop.turn()
    assert (plain.writes, tagged.writes) == ([b"a 0;"], [b"a 1;"])


def test_on_websocket_each_line_is_a_frame(place: Place) -> None:
    """WS-2."""
    reader = place.reader("ann", websocket=True)
    place.say("a")
    place.say("b")
    place.loop.turn()
    assert reader.writes == [frame(b"a 0;") + frame(b"b 0;")]


def test_the_producer_of_a_line_gets_the_others(place: Place) -> None:
    """MSG-1."""
    ann, bob, cat = (place.reader(nick) for nick in ("ann", "bob", "cat"))
    place.say("a", but=ann)
    place.say("b", but=bob)
    place.say("c")
    place.loop.turn()
    assert ann.writes == [b"b 0;c 0;"]
    assert bob.writes == [b"a 0;c 0;"]
    assert cat.writes == [b"a 0;b 0;c 0;"]


def test_a_producer_alone_gets_nothing(place: Place) -> None:
    ann = place.reader("ann")
    place.say("a", but=ann)
    place.loop.turn()
    assert ann.writes == []


def test_a_line_for_one_reader_comes_in_order(place: Place) -> None:
    ann, bob = place.reader("ann"), place.reader("bob")
    place.say("a")
    place.say("mine", but=ann)
    assert place.fanout.only(ann, b"ack;")
    place.say("z")
    place.loop.turn()
    assert ann.writes == [b"a 0;ack;z 0;"]
    assert bob.writes == [b"a 0;mine 0;z 0;"]


def test_a_line_for_one_on_websocket_is_a_frame(place: Place) -> None:
    reader = place.reader("ann", websocket=True)
    place.fanout.only(reader, b"one\r\ntwo\r\n")
    place.loop.turn()
    assert reader.writes == [frame(b"one\r\ntwo\r\n")]


def test_a_line_for_somebody_else_is_not_taken(place: Place) -> None:
    assert not place.fanout.only(FakeReader("eve"), b"x")
    assert place.loop.soon == []


def test_who_comes_does_not_see_what_waits(place: Place) -> None:
    ann = place.reader("ann")
    place.say("before")
    bob = place.reader("bob")
    place.say("after")
    place.loop.turn()
    assert b"".join(ann.writes) == b"before 0;after 0;"
    assert bob.writes == [b"after 0;"]


def test_who_leaves_sees_what_waits_and_nothing_more(place: Place) -> None:
    ann, bob = place.reader("ann"), place.reader("bob")
    place.say("before")
    assert place.fanout.remove(ann)
    place.say("after")
    place.loop.turn()
    assert ann.writes == [b"before 0;"]
    assert b"".join(bob.writes) == b"before 0;after 0;"
    assert not place.fanout.remove(ann)


def test_changed_capabilities_count_for_what_comes_then(place: Place) -> None:
    """CAP-2."""
    ann = place.reader("ann")
    place.say("before")
    ann.caps = Caps.TAGS
    place.fanout.regroup(ann)
    place.say("after")
    place.loop.turn()
    assert b"".join(ann.writes) == b"before 0;after 1;"
    assert place.fanout.views() == 1


def test_regrouping_somebody_who_is_no_reader_changes_nothing(place: Place) -> None:
    place.fanout.regroup(FakeReader("eve"))
    assert len(place.fanout) == 0


def test_a_view_without_a_line_is_sent_nothing(place: Place) -> None:
    """CAP-6."""
    plain, other = place.reader("plain"), place.reader("other", Caps.COMMANDS)
    place.fanout.line(lambda caps: b"x;" if Caps.COMMANDS in caps else b"")
    place.loop.turn()
    assert (plain.writes, other.writes) == ([], [b"x;"])


def test_a_flush_before_the_turn_leaves_nothing_for_it(place: Place) -> None:
    ann = place.reader("ann")
    place.say("a")
    place.turn.flush()
    place.say("b")
    place.loop.turn()
    place.loop.turn()
    assert ann.writes == [b"a 0;", b"b 0;"]


def test_deliveries_are_counted_per_reader(place: Place) -> None:
    ann = place.reader("ann")
    place.reader("bob")
    place.say("a")
    place.say("b", but=ann)
    place.fanout.only(ann, b"ack;")
    place.loop.turn()
    assert place.turn.delivered == 4


def test_a_fault_in_one_channel_does_not_keep_others_back(place: Place) -> None:
    def broken(data: bytes) -> Any:
        raise RuntimeError("broken")

    place.reader("eve").connection.write_raw = broken  # type: ignore[method-assign]
    other = Fanout("other", place.turn)
    bob = FakeReader("bob")
    other.add(bob)
    place.say("a")
    other.message(lambda caps: b"fine")
    with capture_logs() as logs:
        place.loop.turn()
    assert bob.writes == [b"fine"]
    assert [(entry["event"], entry["channel"]) for entry in logs] == [("fanout_failed", "room")]


def test_membership_of_the_fan_out(place: Place) -> None:
    ann, bob = place.reader("ann"), place.reader("bob", Caps.MEMBERSHIP)
    assert list(place.fanout) == [ann, bob]
    assert ann in place.fanout
    assert place.fanout.listens(Caps.MEMBERSHIP)
    place.fanout.remove(bob)
    assert not place.fanout.listens(Caps.MEMBERSHIP)
    assert bob not in place.fanout
