"""Fan-out: one rendering per view, one write per turn, everybody's lines in order."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import cast

import pytest
from structlog.testing import capture_logs

from godwit.edge import fanout
from godwit.edge.fanout import TINY, Fanout
from godwit.edge.turn import Turn
from godwit.tmi.capabilities import NONE, Caps
from godwit.wire.websocket import frame


class FakeLoop:
    """A loop that runs what was called soon when told to; its clock stands still."""

    def __init__(self) -> None:
        self.soon: list[Callable[[], None]] = []

    def time(self) -> float:
        return 0.0

    def call_soon(self, callback: Callable[[], None]) -> None:
        self.soon.append(callback)

    def turn(self) -> None:
        soon, self.soon = self.soon, []
        for callback in soon:
            callback()


class FakeSink:
    """A connection that remembers each write, by whichever way it came."""

    def __init__(self, websocket: bool, number: int) -> None:
        self.websocket = websocket
        self.fd = number
        self.fanouts = 0
        self.takes: int | None = None
        self.writes: list[bytes] = []
        self.queued: list[bytes] = []

    def write_raw(self, data: bytes) -> None:
        self.writes.append(data)
        self.queued.append(data)


class FakeReader:
    """A connection in a channel."""

    def __init__(self, nick: str, caps: Caps, websocket: bool, number: int) -> None:
        self.nick = nick
        self.caps = caps
        self.connection = FakeSink(websocket, number)

    @property
    def writes(self) -> list[bytes]:
        return self.connection.writes

    @property
    def queued(self) -> list[bytes]:
        return self.connection.queued


class Place:
    """A fan-out with its loop.

    Args:
        straight: connections may be written to straight.
    """

    def __init__(self, straight: bool) -> None:
        self.loop: FakeLoop = FakeLoop()
        self.straight = straight
        self.sends = 0
        self.turn = Turn(cast(asyncio.AbstractEventLoop, self.loop), self.send_all)
        self.fanout = Fanout("room", self.turn)
        self.sinks: list[FakeSink] = []

    def send_all(self, numbers: list[int], data: bytes) -> list[tuple[int, int]]:
        """Stand in for the operating system."""
        self.sends += 1
        missed = []
        for position, number in enumerate(numbers):
            sink = self.sinks[number] if number >= 0 else None
            taken = 0 if sink is None else len(data) if sink.takes is None else min(sink.takes, len(data))
            if sink is not None and taken:
                sink.writes.append(data[:taken] if taken < len(data) else data)
            if taken < len(data):
                missed.append((position, taken))
        return missed

    def somebody(self, nick: str, caps: Caps = NONE, websocket: bool = False) -> FakeReader:
        reader = FakeReader(nick, caps, websocket, len(self.sinks) if self.straight else -1)
        self.sinks.append(reader.connection)
        return reader

    def reader(self, nick: str, caps: Caps = NONE, websocket: bool = False) -> FakeReader:
        reader = self.somebody(nick, caps, websocket)
        self.fanout.add(reader)
        return reader

    def say(self, text: str, but: FakeReader | None = None) -> None:
        self.fanout.message(lambda caps: f"{text} {caps.value};".encode(), but)


@pytest.fixture(params=[True, False], ids=["straight", "queued"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A room that counts as a large one, however few are in it."""
    monkeypatch.setattr(fanout, "TINY", 0)
    return Place(request.param)


@pytest.fixture
def small(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A room in which few is few."""
    monkeypatch.setattr(fanout, "TINY", TINY)
    return place


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
    assert not place.fanout.only(place.somebody("eve"), b"x")
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
    place.fanout.regroup(place.somebody("eve"))
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
    class Broken(FakeSink):
        def write_raw(self, data: bytes) -> None:
            raise RuntimeError("broken")

    eve = place.reader("eve")
    eve.connection.fd = -1
    eve.connection.__class__ = Broken
    other = Fanout("other", place.turn)
    bob = place.somebody("bob")
    other.add(bob)
    place.say("a")
    other.message(lambda caps: b"fine")
    with capture_logs() as logs:
        place.loop.turn()
    assert bob.writes == [b"fine"]
    assert [(entry["event"], entry["channel"]) for entry in logs] == [("fanout_failed", "room")]
    eve.connection.__class__ = FakeSink
    place.say("b")
    place.loop.turn()
    assert eve.writes == [b"b 0;"]


def test_membership_of_the_fan_out(place: Place) -> None:
    ann, bob = place.reader("ann"), place.reader("bob", Caps.MEMBERSHIP)
    assert list(place.fanout) == [ann, bob]
    assert ann in place.fanout
    assert place.fanout.listens(Caps.MEMBERSHIP)
    place.fanout.remove(bob)
    assert not place.fanout.listens(Caps.MEMBERSHIP)
    assert bob not in place.fanout
    assert len(place.fanout) == 1


# straight to the sockets --------------------------------------------------------------------------


def test_one_call_hands_a_turn_to_a_whole_view() -> None:
    place = Place(straight=True)
    readers = [place.reader(f"r{number}") for number in range(2 * TINY)]
    place.say("a")
    place.say("b")
    place.loop.turn()
    assert place.sends == 1
    assert all(reader.writes == [b"a 0;b 0;"] and reader.queued == [] for reader in readers)


def test_what_a_socket_does_not_take_is_queued() -> None:
    place = Place(straight=True)
    readers = [place.reader(f"r{number}") for number in range(2 * TINY)]
    readers[3].connection.takes = 2
    readers[5].connection.takes = 0
    place.say("abc")
    place.loop.turn()
    assert (readers[3].writes, readers[3].queued) == ([b"ab", b"c 0;"], [b"c 0;"])
    assert (readers[5].writes, readers[5].queued) == ([b"abc 0;"], [b"abc 0;"])
    assert all(reader.queued == [] for reader in readers if reader not in (readers[3], readers[5]))


def test_who_is_in_several_channels_that_have_lines_gets_them_queued(place: Place) -> None:
    """So that they leave in one write; who is in one channel has no use for that."""
    other = Fanout("other", place.turn)
    ann, bob = place.reader("ann"), place.reader("bob")
    other.add(bob)
    place.say("a")
    place.loop.turn()
    assert (bob.writes, bool(bob.queued)) == ([b"a 0;"], not place.straight)
    place.say("b")
    other.message(lambda caps: b"x;")
    place.loop.turn()
    assert ann.writes == [b"a 0;", b"b 0;"]
    assert bool(ann.queued) is not place.straight
    assert bob.queued[-2:] == [b"b 0;", b"x;"]
    other.remove(bob)
    place.say("c")
    other.add(place.somebody("eve"))
    other.message(lambda caps: b"y;")
    place.loop.turn()
    assert bob.writes[-1] == b"c 0;"
    assert (b"c 0;" in bob.queued) is not place.straight


# at once ------------------------------------------------------------------------------------------


def test_a_small_room_is_written_to_at_once(small: Place) -> None:
    ann, bob, web = small.reader("ann"), small.reader("bob"), small.reader("web", websocket=True)
    small.say("a", but=ann)
    assert (ann.writes, bob.writes, web.writes) == ([], [b"a 0;"], [frame(b"a 0;")])
    small.fanout.only(ann, b"ack;")
    assert ann.writes == [b"ack;"]
    assert small.turn.delivered == 3


def test_the_second_line_of_a_turn_waits(small: Place) -> None:
    ann, bob = small.reader("ann"), small.reader("bob")
    for text in "abc":
        small.say(text)
    small.fanout.only(ann, b"mine;")
    assert ann.writes == [b"a 0;"]
    small.loop.turn()
    assert ann.writes == [b"a 0;", b"b 0;c 0;mine;"]
    assert bob.writes == [b"a 0;", b"b 0;c 0;"]
    small.loop.turn()
    small.say("d")
    assert bob.writes[-1] == b"d 0;"


def test_the_next_turn_may_begin_before_the_last_one_is_flushed(small: Place) -> None:
    """What is said while lines wait goes behind them, though the room is cool again."""
    ann = small.reader("ann")
    small.say("a")
    small.say("b")
    small.fanout.cool()
    small.say("c")
    assert ann.writes == [b"a 0;"]
    small.loop.turn()
    assert ann.writes == [b"a 0;", b"b 0;c 0;"]


def test_a_room_that_grows_is_no_longer_written_to_at_once(small: Place) -> None:
    readers = [small.reader(f"r{number}") for number in range(TINY)]
    small.say("a")
    small.loop.turn()
    readers.append(small.reader("one more"))
    small.say("b")
    assert readers[0].writes == [b"a 0;"]
    small.loop.turn()
    assert [reader.writes[-1] for reader in readers] == [b"b 0;"] * len(readers)


def test_who_is_in_several_small_rooms_gets_their_lines_queued(small: Place) -> None:
    bot = small.reader("bot")
    other = Fanout("other", small.turn)
    other.add(bot)
    small.say("a")
    other.message(lambda caps: b"x;")
    assert bot.queued == [b"a 0;", b"x;"]


def test_a_line_that_nobody_sees_is_sent_to_nobody(small: Place) -> None:
    ann = small.reader("ann")
    small.say("a", but=ann)
    small.fanout.line(lambda caps: b"")
    assert (ann.writes, small.sends, small.turn.delivered) == ([], 0, 0)


# ahead of the others ------------------------------------------------------------------------------


def test_who_was_caught_up_gets_the_rest_later(place: Place) -> None:
    ann, bob = place.reader("ann"), place.reader("bob")
    place.say("a")
    place.turn.catch_up(ann, [place.fanout], 1)
    assert (ann.writes, bob.writes) == ([b"a 0;"], [])
    place.turn.catch_up(ann, [place.fanout], 1)
    place.say("b")
    place.fanout.only(ann, b"mine;")
    place.loop.turn()
    assert ann.writes == [b"a 0;", b"b 0;mine;"]
    assert bob.writes == [b"a 0;b 0;"]
    assert place.turn.delivered == 5


def test_catching_up_needs_lines_and_a_reader(place: Place) -> None:
    ann = place.reader("ann")
    place.turn.catch_up(ann, [place.fanout], 1)
    place.say("a")
    place.turn.catch_up(place.somebody("eve"), [], 0)
    place.fanout.catch_up(place.somebody("eve"))
    assert ann.writes == []


def test_catching_up_looks_at_the_fewest_channels(place: Place) -> None:
    """A bot in thousands of channels asks those that have lines; who is in few asks these."""
    ann = place.reader("ann")
    place.say("a")
    asked: list[Fanout] = []

    class Asked(Fanout):
        def catch_up(self, reader: fanout.Reader) -> None:
            asked.append(self)

    several = [Asked(f"c{number}", place.turn) for number in range(3)]
    place.turn.catch_up(ann, several, 3)
    assert (asked, ann.writes) == ([], [b"a 0;"])
    for other in several:
        other.add(place.somebody("eve"))
        other.message(lambda caps: b"")
    place.turn.catch_up(ann, several[:2], 2)
    assert asked == several[:2]


def test_who_leaves_and_comes_back_sees_each_line_once(place: Place) -> None:
    ann, bob = place.reader("ann"), place.reader("bob")
    place.say("a")
    place.fanout.remove(ann)
    place.say("b")
    place.fanout.add(ann)
    place.say("c")
    place.loop.turn()
    assert ann.writes == [b"a 0;", b"c 0;"]
    assert bob.writes == [b"a 0;b 0;c 0;"]


def test_comings_and_goings_do_not_flush_the_others(place: Place) -> None:
    """A storm of JOINs in a busy room costs the others nothing."""
    ann = place.reader("ann")
    place.say("a")
    for number in range(50):
        place.fanout.remove(place.reader(f"r{number}"))
    assert ann.writes == []
    place.say("b")
    place.loop.turn()
    assert ann.writes == [b"a 0;b 0;"]


def test_who_comes_into_a_busy_room_is_answered_before_its_lines_leave(place: Place) -> None:
    """Nothing waits for it, so it need not wait either; thousands of such answers would be looked at for each."""
    ann = place.reader("ann")
    place.say("a")
    bob = place.reader("bob")
    place.fanout.only(bob, b"welcome;")
    assert bob.writes == [b"welcome;"]
    place.say("b")
    place.fanout.only(bob, b"more;")
    place.loop.turn()
    assert bob.writes == [b"welcome;", b"b 0;more;"]
    assert ann.writes == [b"a 0;b 0;"]


def test_adding_twice_counts_once(place: Place) -> None:
    ann = place.reader("ann")
    place.fanout.add(ann)
    assert (len(place.fanout), ann.connection.fanouts) == (1, 1)
    place.fanout.remove(ann)
    assert (len(place.fanout), ann.connection.fanouts) == (0, 0)


def test_the_last_of_a_view_takes_its_lines_along(place: Place) -> None:
    ann, tagged = place.reader("ann"), place.reader("tagged", Caps.TAGS)
    place.say("a")
    place.fanout.remove(tagged)
    assert tagged.writes == [b"a 1;"]
    assert place.fanout.views() == 1
    place.loop.turn()
    assert ann.writes == [b"a 0;"]


@pytest.mark.parametrize("straight", [True, False])
@pytest.mark.parametrize("tiny", [0, 3, TINY])
def test_whatever_happens_each_sees_what_is_for_it_once_and_in_order(
    straight: bool, tiny: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fanout, "TINY", tiny)
    for seed in range(50):
        dice = random.Random(seed)
        place = Place(straight)
        readers = [place.reader(f"r{at}", dice.choice((NONE, Caps.TAGS)), dice.random() < 0.3) for at in range(5)]
        expected = dict.fromkeys(readers, b"")

        def show(
            reader: FakeReader, line: bytes, place: Place = place, expected: dict[FakeReader, bytes] = expected
        ) -> None:
            if reader in place.fanout:
                expected[reader] += frame(line) if reader.connection.websocket else line

        for number in range(60):
            reader = dice.choice(readers)
            happens = dice.random()
            if happens < 0.4:
                for other in readers:
                    if other is not reader:
                        show(other, f"{number} {other.caps.value};".encode())
                place.say(str(number), reader)
            elif happens < 0.6:
                show(reader, b"own;")
                place.fanout.only(reader, b"own;")
            elif happens < 0.7:
                place.fanout.catch_up(reader)
            elif happens < 0.8 and not place.fanout.remove(reader):
                place.fanout.add(reader)
            elif happens < 0.85 and reader in place.fanout:
                reader.caps ^= Caps.TAGS
                place.fanout.regroup(reader)
            elif happens < 0.95:
                place.loop.turn()
        place.turn.flush()
        assert {reader: b"".join(reader.writes) for reader in readers} == expected, seed
