"""`MemoryLog` keeps the chat log's contract."""

from __future__ import annotations

import pytest

from godwit.chatlog.base import ChatLog
from godwit.chatlog.memory import MemoryLog
from godwit.chatlog.tail import Current, Tail
from godwit.clock import FakeClock
from godwit.settings import LogSettings
from godwit.values import Entry
from tests.conformance.chatlog import OPEN, SEAL, ChatLogSuite, MovableClockSuite, add, message, sequences

SETTINGS = LogSettings(max_age=900.0, duplicate_window=120.0, max_records=100)


class MemoryRig:
    """The log is the object: all ways to it are the same one."""

    def __init__(self) -> None:
        self.duplicate_window = SETTINGS.duplicate_window
        self._clock = FakeClock()
        self._generation = 0
        self._log = self._new()

    def _new(self) -> MemoryLog:
        self._generation += 1
        return MemoryLog("main", f"main/{self._generation}", self._clock, SETTINGS)

    async def open(self) -> ChatLog:
        return self._log

    async def recreate(self) -> None:
        self._log = self._new()

    async def expire(self) -> None:
        self.advance(SETTINGS.max_age)
        self._log.expire()

    def advance(self, seconds: float) -> None:
        self._clock.advance(seconds)


class TestMemoryLog(ChatLogSuite):
    """The suite."""

    @pytest.fixture
    def rig(self) -> MemoryRig:
        return MemoryRig()


class TestMovableClock(MovableClockSuite):
    """The part of the suite that moves the clock."""

    @pytest.fixture
    def rig(self) -> MemoryRig:
        return MemoryRig()


class Clock:
    """A clock that may be set back, as a machine's may."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return self.time


def make(clock: Clock | FakeClock | None = None, **settings: float) -> MemoryLog:
    return MemoryLog("main", "m1", clock or FakeClock(), LogSettings(**settings))  # type: ignore[arg-type]


def test_cluster() -> None:
    assert make().cluster == "main"


async def test_clock_that_is_set_back() -> None:
    """Log times never go back, whatever the machine's clock does."""
    clock = Clock()
    log = make(clock)
    await add(log, "room", message(1))
    clock.time = 400.0
    await add(log, "other", message(1))
    await add(log, "room", message(2))
    clock.time = 1001.0
    await add(log, "room", message(3))
    assert [entry.time for entry in (await log.read("room", 0)).entries] == [1000.0, 1000.0, 1001.0]


async def test_sequences_are_not_dense() -> None:
    """They count over all channels, so that nobody comes to rely on dense ones."""
    log = make()
    await add(log, "noise", message(1))
    await add(log, "room", message(1))
    await add(log, "noise", message(2))
    assert sequences((await log.read("room", 0)).entries) == [2]
    assert (await log.read("room", 2)).upto == 3


async def test_exact_limit_is_no_cut() -> None:
    log = make()
    stored = await add(log, "room", message(1), message(2))
    await add(log, "noise", message(1))
    page = await log.read("room", 0, limit=2)
    assert (sequences(page.entries), page.upto, page.more) == (stored, 3, False)
    assert (await log.read("room", 0, limit=1)).more


async def test_live_before_the_append_returns() -> None:
    """What an edge has appended it has read back when the append is answered."""
    log = make()
    heard: list[Entry] = []
    log.subscribe("room", heard.append, lambda: None)
    [stored] = await add(log, "room", message(1))
    assert sequences(heard) == [stored]


async def test_repeat_is_not_delivered_again() -> None:
    log = make()
    heard: list[Entry] = []
    log.subscribe("room", heard.append, lambda: None)
    await add(log, "room", message(1), message(1))
    assert len(heard) == 1


@pytest.mark.parametrize(("age", "left"), [(899.9, [1, 2]), (900.0, [2])])
async def test_age(age: float, left: list[int]) -> None:
    """Records are kept for `max_age` seconds."""
    clock = FakeClock()
    log = make(clock, max_age=900.0)
    await add(log, "room", message(1))
    clock.advance(age)
    await add(log, "room", message(2))
    log.expire()
    assert sequences((await log.read("room", 0)).entries) == left


async def test_count_of_records_without_open_and_seal() -> None:
    """The newest `max_records` are kept; open and seal neither count nor go (rule L3)."""
    log = make(max_records=4)
    stored = await add(log, "room", OPEN, *(message(number) for number in range(1, 8)), SEAL)
    log.expire()
    page = await log.read("room", 0)
    assert sequences(page.entries) == [stored[0], *stored[4:8], stored[8]]
    assert page.floor == stored[3]


async def test_released_ones_stay_until_they_are_old() -> None:
    clock = FakeClock()
    log = make(clock, max_age=10.0)
    stored = await add(log, "room", OPEN, message(1), SEAL)
    await log.release("room", 1)
    clock.advance(9.0)
    log.expire()
    assert sequences((await log.read("room", 0)).entries) == stored
    clock.advance(1.0)
    log.expire()
    page = await log.read("room", 0)
    assert (page.entries, page.floor) == ((), stored[-1])


async def test_floor_never_falls() -> None:
    """What expires late, since it was released late, lies below what has long expired."""
    clock = FakeClock()
    log = make(clock, max_age=10.0)
    stored = await add(log, "room", OPEN, message(1))
    clock.advance(10.0)
    log.expire()
    await log.release("room", 1)
    log.expire()
    page = await log.read("room", 0)
    assert (page.entries, page.floor) == ((), stored[-1])


async def test_busy_channel_is_bounded_between_expiries() -> None:
    """It never holds more than a quarter above `max_records`."""
    log = make(max_records=8)
    for number in range(1, 51):
        await add(log, "room", message(number))
        assert log.statistics()["records"] <= 10
    assert (await log.read("room", 0)).entries[-1].record == message(50)


async def test_no_hole_for_who_has_read_everything() -> None:
    """A reader that stood at the last record has missed nothing when it expires."""
    clock = FakeClock()
    log = make(clock, max_age=10.0)
    stored = await add(log, "room", message(1), message(2))
    clock.advance(10.0)
    log.expire()
    tail = Tail("m1", stored[-1])
    assert tail.answer(tail.reading(), await log.read("room", stored[-1])) == [Current()]
    assert (await log.read("room", stored[0])).floor == stored[-1]


async def test_head_outlives_the_record() -> None:
    """A reader that compares must not come to believe that there was never anything."""
    clock = FakeClock()
    log = make(clock, max_age=10.0)
    stored = await add(log, "room", message(1))
    clock.advance(10.0)
    log.expire()
    assert await log.heads(["room"]) == stored
    await add(log, "room", message(2))
    [entry] = (await log.read("room", stored[0])).entries
    assert entry.prev == stored[0]


async def test_subscriptions_survive_expiry() -> None:
    """A reader of a channel in which nothing was ever said hears the first line."""
    log = make()
    heard: list[Entry] = []
    log.subscribe("room", heard.append, lambda: None)
    log.expire()
    await add(log, "room", message(1))
    assert len(heard) == 1


async def test_statistics() -> None:
    log = make()
    await add(log, "one", OPEN, message(1))
    await add(log, "two", message(1))
    assert log.statistics() == {"channels": 2, "records": 3, "last": 3}


async def test_channels_that_only_had_readers_are_forgotten() -> None:
    log = make()
    log.subscribe("room", lambda entry: None, lambda: None).close()
    log.expire()
    assert log.statistics()["channels"] == 0


async def test_ids_are_forgotten_after_the_window() -> None:
    """Rule L6: from twice the window on a repeat is stored anew, so nobody may try for so long."""
    clock = FakeClock()
    log = make(clock, duplicate_window=120.0)
    [first] = await add(log, "room", message(1))
    clock.advance(120.1)
    await add(log, "noise", message(1))
    assert await add(log, "room", message(1)) == [first]
    clock.advance(120.1)
    [second] = await add(log, "room", message(1))
    assert second > first
