"""When lines go out: in the next turn of the loop, or some milliseconds later where that saves work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import pytest

from godwit.edge import fanout
from godwit.edge.fanout import Fanout
from godwit.edge.turn import WINDOW, Rhythm, Turn
from tests.edge.test_fanout import FakeLoop, Place


class Machine:
    """A process on a fake clock, and a rhythm that watches it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.spent = 0.0
        self.lines = 0
        self.flushed = 0
        self.rhythm = Rhythm()
        self.look()

    def look(self) -> float:
        """Ask how long to wait."""
        return self.rhythm.wait(self.now, self.lines, self.flushed, self.spent)

    def run(self, seconds: float, share: float, rate: float, shared: float = 5.0) -> list[float]:
        """Let time pass; returns what was waited, each 10 ms.

        Args:
            share: of the time, spent on flushes.
            rate: lines a second.
            shared: lines of a channel that leave together.
        """
        waits = []
        for _ in range(round(seconds * 100)):
            self.now += 0.01
            self.spent += 0.01 * share
            self.lines += round(rate / 100)
            self.flushed = round(self.flushed + rate / 100 / shared)
            waits.append(self.look())
        return waits

    def talk(self, seconds: float, load: Load) -> float:
        """Like `run`, with what depends on whether lines are collected; returns the part of the time that they were."""
        waits: list[float] = []
        for _ in range(round(seconds * 100)):
            waits += self.run(0.01, *load(self.rhythm.collecting))
        return sum(map(bool, waits)) / len(waits)


Load = Callable[[bool], tuple[float, float, float]]


def people(collecting: bool) -> tuple[float, float, float]:
    """Who talks without waiting for an answer: collecting merges what comes anyway."""
    return (0.25, 2000, 20) if collecting else (1.0, 2000, 5)


def bots(collecting: bool) -> tuple[float, float, float]:
    """Who waits for an answer: collecting only makes it later."""
    return (1.0, 4000, 30) if collecting else (1.0, 10000, 30)


def test_an_idle_process_never_waits() -> None:
    machine = Machine()
    assert not any(machine.run(2, share=0.4, rate=2000))


def test_a_busy_process_with_few_lines_does_not_wait() -> None:
    """One room of ten thousand and twenty lines a second: nothing comes that could share a write."""
    machine = Machine()
    assert not any(machine.run(2, share=1.0, rate=100))


def test_a_busy_process_collects_what_comes_by_itself() -> None:
    """And goes on when that has made it less busy."""
    assert Machine().talk(20, people) > 0.9


def test_who_waits_for_answers_is_hardly_ever_kept_waiting() -> None:
    """A twentieth of a second each now and then, to see whether it is still so."""
    assert 0 < Machine().talk(60, bots) < 0.02


def test_lines_that_do_not_leave_together_are_not_collected() -> None:
    """Of many channels with a line each, none saves a write."""
    assert Machine().talk(60, lambda collecting: (1.0, 2000, 1.1 if collecting else 1.0)) < 0.02


def test_lines_that_leave_together_but_come_more_slowly_are_not_collected() -> None:
    assert Machine().talk(60, lambda collecting: (1.0, 4000, 100) if collecting else (1.0, 10000, 50)) < 0.02


def test_it_is_tried_again_soon_when_the_load_changes() -> None:
    machine = Machine()
    machine.talk(2, bots)
    assert machine.talk(8, people) > 0.6


def test_a_load_that_begins_to_wait_for_answers_is_found_out() -> None:
    machine = Machine()
    machine.talk(3, people)
    assert machine.rhythm.collecting
    assert machine.talk(60, bots) < 0.1


def test_a_stumble_is_forgiven() -> None:
    """A machine that was busy with something else for a moment: it is measured anew, and collected again."""
    machine = Machine()
    machine.talk(2, people)
    machine.run(0.2, share=1.0, rate=500, shared=20)
    assert not machine.rhythm.collecting
    assert machine.talk(1, people) > 0.8


def test_a_calm_process_stops_waiting() -> None:
    machine = Machine()
    machine.talk(1, people)
    assert machine.rhythm.collecting
    machine.run(0.3, share=0.05, rate=2000, shared=20)
    assert not machine.rhythm.collecting


def test_a_pause_counts_as_calm() -> None:
    machine = Machine()
    machine.talk(1, people)
    machine.now += 60
    assert machine.look() == 0


class FixedRhythm(Rhythm):
    """Waits as long as a test says."""

    seconds = WINDOW

    def wait(self, now: float, lines: int, flushed: int, spent: float) -> float:
        return self.seconds


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    """A large room, by a loop that runs when it is told to, and collects."""
    monkeypatch.setattr(fanout, "TINY", 0)
    place = Place(straight=True)
    place.loop = Timers()
    place.turn = Turn(cast(asyncio.AbstractEventLoop, place.loop), place.send_all, FixedRhythm())
    place.fanout = Fanout("room", place.turn)
    return place


class Timer:
    """A call that is due later."""

    def __init__(self, call: Callable[[], None]) -> None:
        self.call = call
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Timers(FakeLoop):
    """A loop that runs also what was called later when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.later: list[Timer] = []
        self.delays: list[float] = []

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        self.delays.append(delay)
        self.later.append(Timer(callback))
        return self.later[-1]

    def window(self) -> None:
        later, self.later = self.later, []
        for timer in later:
            if not timer.cancelled:
                timer.call()


def test_lines_of_a_window_leave_together(place: Place) -> None:
    loop = cast(Timers, place.loop)
    ann = place.reader("ann")
    for text in "abc":
        place.say(text)
        loop.turn()
    other = Fanout("other", place.turn)
    bob = place.somebody("bob")
    other.add(bob)
    other.message(lambda caps: b"x;")
    loop.turn()
    assert (ann.writes, bob.writes, loop.delays) == ([], [], [WINDOW])
    loop.window()
    assert (ann.writes, bob.writes) == ([b"a 0;b 0;c 0;"], [b"x;"])
    assert place.turn.lines == 4


def test_a_flush_ends_a_window(place: Place) -> None:
    loop = cast(Timers, place.loop)
    ann = place.reader("ann")
    place.say("a")
    loop.turn()
    place.turn.flush()
    place.say("b")
    loop.window()
    assert ann.writes == [b"a 0;"]
    loop.turn()
    loop.window()
    assert ann.writes == [b"a 0;", b"b 0;"]


def test_a_flush_before_the_turn_begins_no_window(place: Place) -> None:
    loop = cast(Timers, place.loop)
    place.reader("ann")
    place.say("a")
    place.turn.flush()
    place.say("b")
    loop.turn()
    assert loop.delays == [WINDOW]


@pytest.fixture
def large(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A room that is written to two readers at a time."""
    monkeypatch.setattr(fanout, "LARGE", 2)
    monkeypatch.setattr(fanout, "PORTION", 2)
    monkeypatch.setattr(FixedRhythm, "seconds", 0.0)
    return place


def test_a_large_room_is_written_to_in_portions(large: Place) -> None:
    """What comes meanwhile joins what waits for those that have not had their turn."""
    readers = [large.reader(nick) for nick in "abcdef"]
    large.say("1")
    large.loop.turn()
    assert [reader.writes for reader in readers] == [[b"1 0;"]] * 2 + [[]] * 4
    large.say("2")
    large.loop.turn()
    large.loop.turn()
    assert [reader.writes for reader in readers] == [[b"1 0;"]] * 2 + [[b"1 0;2 0;"]] * 4
    large.loop.turn()
    assert [reader.writes for reader in readers] == [[b"1 0;", b"2 0;"]] * 2 + [[b"1 0;2 0;"]] * 4
    for _ in range(3):
        large.loop.turn()
    assert large.loop.soon == []
    assert large.turn.delivered == 12


def test_other_channels_are_written_to_between_the_portions(large: Place) -> None:
    readers = [large.reader(nick) for nick in "abcdef"]
    other = Fanout("other", large.turn)
    bob = large.somebody("bob")
    other.add(bob)
    large.say("1")
    large.loop.turn()
    other.message(lambda caps: b"x;")
    large.loop.turn()
    assert bob.writes == [b"x;"]
    assert readers[-1].writes == []


def test_a_collected_round_of_a_large_room_goes_out_whole(large: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The window stands between rounds, not between portions."""
    monkeypatch.setattr(FixedRhythm, "seconds", WINDOW)
    loop = cast(Timers, large.loop)
    readers = [large.reader(nick) for nick in "abcd"]
    large.say("1")
    loop.turn()
    loop.window()
    large.say("2")
    loop.turn()
    assert [reader.writes for reader in readers] == [[b"1 0;"]] * 2 + [[b"1 0;2 0;"]] * 2
    loop.turn()
    assert readers[0].writes == [b"1 0;"]
    loop.window()
    loop.turn()
    assert readers[0].writes == [b"1 0;", b"2 0;"]
    assert loop.delays == [WINDOW] * 2


def test_who_leaves_between_the_portions_takes_its_part_along(large: Place) -> None:
    readers = [large.reader(nick) for nick in "abcd"]
    large.say("1")
    large.loop.turn()
    large.say("2")
    for reader in readers:
        assert large.fanout.remove(reader)
    assert [reader.writes for reader in readers] == [[b"1 0;", b"2 0;"]] * 2 + [[b"1 0;2 0;"]] * 2
    for _ in range(3):
        large.loop.turn()
    large.reader("eve")
    large.say("3")
    large.loop.turn()
    assert large.sinks[-1].writes == [b"3 0;"]


def test_what_is_written_beside_a_large_room_comes_behind_it(large: Place) -> None:
    readers = [large.reader(nick) for nick in "abcd"]
    large.say("1")
    large.loop.turn()
    large.turn.catch_up(readers[3], [large.fanout], 1)
    assert (readers[2].writes, readers[3].writes) == ([], [b"1 0;"])
    large.loop.turn()
    assert (readers[2].writes, readers[3].writes) == ([b"1 0;"], [b"1 0;"])


def test_a_flush_writes_all_portions(large: Place) -> None:
    readers = [large.reader(nick) for nick in "abcdefg"]
    large.say("1")
    large.loop.turn()
    large.turn.flush()
    assert all(reader.writes == [b"1 0;"] for reader in readers)


def test_a_portion_that_fails_holds_up_no_other(large: Place) -> None:
    readers = [large.reader(nick) for nick in "abcdef"]
    fine = large.turn.send_all

    def fails(numbers: list[int], data: bytes) -> list[tuple[int, int]]:
        large.turn.send_all = fine
        raise RuntimeError("as a fault would")

    large.turn.send_all = fails
    large.say("1")
    for _ in range(3):
        large.loop.turn()
    large.say("2")
    for _ in range(3):
        large.loop.turn()
    assert [reader.writes for reader in readers] == [[b"2 0;"]] * 2 + [[b"1 0;", b"2 0;"]] * 4
