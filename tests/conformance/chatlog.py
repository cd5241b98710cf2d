"""The suite that every `godwit.chatlog.base.ChatLog` passes.

An implementation's test module gives classes of its own that inherit `ChatLogSuite`, and `MovableClockSuite`
if its tests can move the log's clock, and a fixture `rig`.

A log may be on another machine. So the suite takes the live path for the hint that it is, asks again where
an answer may be stale, takes no sequence for dense, and waits for events up to a deadline, never for time
to pass.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import pytest

from godwit.chatlog.base import ChatLog, Page
from godwit.chatlog.tail import Current, Dead, Hole, Skipped, Tail, TailEvent
from godwit.errors import DeadLog
from godwit.values import Act, Arrive, Author, Change, Entry, Message, Open, Record, Reply, Seal, Segment, Tell

DEADLINE = 20.0
"""Seconds after which a test that waits for something fails."""

ANN = Author("1", "ann", "Ann", "#FF0000", ("broadcaster/1",), ("subscriber/7",), True, True, True, True, "staff")


class Rig(Protocol):
    """An empty log that a test may do things to; its fixture cleans it up."""

    async def open(self) -> ChatLog:
        """One more way to the log as it is now, as another process has it."""
        ...

    async def recreate(self) -> None:
        """Lose the log, and make a new and empty one with another creation id in its place (rule L2)."""
        ...

    async def expire(self) -> None:
        """Let all records expire that are stored by now and may expire; returns when they are gone."""
        ...


class MovableClockRig(Rig, Protocol):
    """A rig for logs whose clock a test can move."""

    duplicate_window: float
    """Seconds within which the log stores a record once."""

    def advance(self, seconds: float) -> None:
        """Move the log's clock forward."""
        ...


def message(number: int, producer: str = "p", epoch: int = 1, text: str = "") -> Message:
    """A chat line; its id is made of producer and number."""
    return Message(f"{producer}{number}", epoch, producer, number, ANN, text or f"line {number}")


OPEN = Open("open:m1", 1)
SEAL = Seal("seal:m2", 1, Segment("aws", 2, 7, "a1"))

RECORDS: tuple[Record, ...] = (
    OPEN,
    message(1),
    Message(
        "x",
        1,
        "p",
        2,
        ANN,
        "hé \x01 \N{SLIGHTLY SMILING FACE}",
        True,
        "nonce",
        Reply("i", "2", "bo", "Bo", "hm", Reply("h", "1", "ann", "Ann", "")),
        True,
    ),
    Act("a", 1, "q", 1, "timeout", ANN, "7", "bo", 600, "spam", ""),
    Act("d", 1, "q", 2, "delete", ANN, deletes="x"),
    Change("c", 1, "q", 3, ANN, {"slow": 30, "subs-only": 1}),
    Arrive("r", 1, "q", 4, "aws", ("1", "2")),
    Tell("n", 1, "n", 1, "it moves soon"),
    Seal("seal:m2", 1, Segment("aws", 2, 7, "a1", unclean=True)),
)
"""A record of each kind with everything in it."""


async def eventually(ask: Callable[[], Awaitable[bool]]) -> None:
    """Ask until the answer is yes: a log's answers may be stale."""
    async with asyncio.timeout(DEADLINE):
        while not await ask():  # noqa: ASYNC110  (what it waits for has no event of its own)
            await asyncio.sleep(0)


async def add(log: ChatLog, channel: str, *records: Record) -> list[int]:
    """Append records one after the other; returns their sequences."""
    return [await log.append(channel, record, stream=log.stream(channel)) for record in records]


async def page_upto(log: ChatLog, channel: str, after: int, upto: int) -> Page:
    """A page after a position that is not staler than `upto`."""
    page: Page | None = None

    async def fresh() -> bool:
        nonlocal page
        page = await log.read(channel, after)
        return page.upto >= upto

    await eventually(fresh)
    assert page
    return page


class Reader:
    """Reads a channel as an edge does: the live path into a `Tail`, and reads when the tail wants them."""

    def __init__(self, log: ChatLog, channel: str, after: int = 0, *, fresh: bool = False) -> None:
        self.events: list[TailEvent] = []
        self.came = asyncio.Event()
        self._log = log
        self._channel = channel
        self._tail = Tail(log.stream(channel), after, fresh=fresh)
        self._subscription = log.subscribe(channel, self._deliver, self._suspect)

    def _deliver(self, entry: Entry) -> None:
        if self._tail.live(entry):
            self.events.append(entry)
        self.came.set()

    def _suspect(self) -> None:
        self._tail.suspect()
        self.came.set()

    def close(self) -> None:
        """Stop reading."""
        self._subscription.close()

    @property
    def entries(self) -> list[Entry]:
        """What was delivered so far."""
        return [event for event in self.events if isinstance(event, Entry)]

    @property
    def records(self) -> list[Record]:
        """The same, without places and times."""
        return [entry.record for entry in self.entries]

    async def wait_current(self) -> None:
        """Read on until the tail is content, or has come to an end."""
        async with asyncio.timeout(DEADLINE):
            while self._tail.wants_read:
                after = self._tail.reading()
                self.events += self._tail.answer(after, await self._log.read(self._channel, after, limit=3))

    async def wait_read(self, sequence: int) -> None:
        """Read on until the record at `sequence` is delivered."""
        self._tail.known(sequence)
        self._tail.compare()
        await self.wait_current()
        assert self._tail.position >= sequence


@asynccontextmanager
async def reading(log: ChatLog, channel: str, after: int = 0, *, fresh: bool = False) -> AsyncIterator[Reader]:
    """A reader that has come to the end of the log."""
    reader = Reader(log, channel, after, fresh=fresh)
    try:
        await reader.wait_current()
        yield reader
    finally:
        reader.close()


def sequences(entries: Sequence[Entry]) -> list[int]:
    """Where entries lie."""
    return [entry.sequence for entry in entries]


class ChatLogSuite:
    """Tests by rule; `log` and `other` are two ways to the same log."""

    @pytest.fixture
    async def log(self, rig: Rig) -> ChatLog:
        """The log."""
        return await rig.open()

    @pytest.fixture
    async def other(self, log: ChatLog, rig: Rig) -> ChatLog:
        """The same log, as another process has it."""
        return await rig.open()

    # what is stored ---------------------------------------------------------------------------

    async def test_nothing_yet(self, log: ChatLog) -> None:
        """A channel that nobody has written to is empty, and nothing of it has expired."""
        assert await log.heads(["room"]) == [0]
        page = await log.read("room", 0)
        assert (page.stream, page.entries, page.floor, page.more) == (log.stream("room"), (), 0, False)

    async def test_each_kind_of_record_comes_back_as_it_was(self, log: ChatLog, other: ChatLog) -> None:
        stored = await add(log, "room", *RECORDS)
        page = await page_upto(other, "room", 0, stored[-1])
        assert tuple(entry.record for entry in page.entries) == RECORDS
        assert sequences(page.entries) == stored

    async def test_sequences_grow(self, log: ChatLog, other: ChatLog) -> None:
        """Whoever writes, what is stored later lies higher; the first lies above 0."""
        stored = []
        for number in range(1, 6):
            stored += await add(log, "room", message(number))
            stored += await add(other, "room", message(number, "q"))
        assert stored == sorted(set(stored))
        assert stored[0] > 0

    async def test_order_of_one_writer(self, log: ChatLog, other: ChatLog) -> None:
        """Rule L6: with one append in flight per writer, each one's records lie in the order in which it wrote."""
        writers = {"p": log, "q": other, "r": log}

        async def write(producer: str) -> None:
            await add(writers[producer], "room", *(message(number, producer) for number in range(1, 21)))

        await asyncio.gather(*map(write, writers))
        async with reading(log, "room") as reader:
            [head] = await log.heads(["room"])
            await reader.wait_read(head)
            for producer in writers:
                mine = [
                    record for record in reader.records if isinstance(record, Message) and record.producer == producer
                ]
                assert [record.number for record in mine] == list(range(1, 21))

    async def test_times_never_go_back(self, log: ChatLog, other: ChatLog) -> None:
        """The time is the log's: whoever wrote and whoever asks, it is one, and grows with the sequence."""
        for number in range(1, 6):
            await add(log, "room", message(number))
            [last] = await add(other, "room", message(number, "q"))
        mine, theirs = [await page_upto(way, "room", 0, last) for way in (log, other)]
        times = [entry.time for entry in mine.entries]
        assert times == sorted(times)
        assert times[0] > 0
        assert [entry.time for entry in theirs.entries] == times

    async def test_channels_are_apart(self, log: ChatLog) -> None:
        """The same id in another channel is another record, and no channel sees another's."""
        [first] = await add(log, "one", message(1, text="in one"))
        [second] = await add(log, "two", message(1, text="in two"))
        [third] = await add(log, "one", message(2))
        one = await page_upto(log, "one", 0, third)
        two = await page_upto(log, "two", 0, second)
        assert [entry.record for entry in one.entries] == [message(1, text="in one"), message(2)]
        assert [entry.record for entry in two.entries] == [message(1, text="in two")]
        assert [entry.prev for entry in one.entries] == [0, first]

    # reads and heads (rule L1) ----------------------------------------------------------------

    async def test_heads_in_the_order_asked_for(self, log: ChatLog, other: ChatLog) -> None:
        one = await add(log, "one", message(1), message(2))
        two = await add(log, "two", message(1))

        async def fresh() -> bool:
            return await other.heads(["two", "none", "one", "two"]) == [two[-1], 0, one[-1], two[-1]]

        await eventually(fresh)
        assert await other.heads([]) == []

    async def test_prev_is_the_record_before(self, log: ChatLog) -> None:
        """Records of other channels do not count."""
        stored = []
        for number in range(1, 5):
            stored += await add(log, "room", message(number))
            await add(log, "noise", message(number))
        page = await page_upto(log, "room", 0, stored[-1])
        assert [entry.prev for entry in page.entries] == [0, *stored[:-1]]

    async def test_read_after_a_position(self, log: ChatLog) -> None:
        """From each position there comes what lies behind it, and nothing behind the last."""
        stored = await add(log, "room", *(message(number) for number in range(1, 5)))
        for index, sequence in enumerate(stored):
            page = await page_upto(log, "room", sequence, stored[-1])
            assert sequences(page.entries) == stored[index + 1 :]
            assert not page.more
            before = dict(zip(stored[1:], stored, strict=False))
            assert all(entry.prev in (0, before[entry.sequence]) for entry in page.entries)

    async def test_read_between_records(self, log: ChatLog) -> None:
        """A position need not be a record's."""
        [first] = await add(log, "room", message(1))
        [noise] = await add(log, "noise", message(1))
        [second] = await add(log, "room", message(2))
        page = await page_upto(log, "room", max(first, min(noise, second - 1)), second)
        assert sequences(page.entries) == [second]

    async def test_limit(self, log: ChatLog) -> None:
        """A page that was cut says so, ends with its last entry, and the next one goes on from there."""
        stored = await add(log, "room", *(message(number) for number in range(1, 8)))
        await page_upto(log, "room", 0, stored[-1])
        for limit in (1, 2, 3, 7, 8):
            found: list[int] = []
            after = 0
            async with asyncio.timeout(DEADLINE):
                while len(found) < len(stored):
                    page = await log.read("room", after, limit=limit)
                    assert len(page.entries) <= limit
                    assert not page.more or page.upto == page.entries[-1].sequence
                    found += sequences(page.entries)
                    after = page.upto
            assert found == stored

    async def test_a_page_is_complete_up_to_what_it_says(self, log: ChatLog, other: ChatLog) -> None:
        """Nothing appears later at or below `upto`, be the answer stale or not."""
        stored: list[int] = []
        pages: list[Page] = []
        finished = asyncio.Event()

        async def write() -> None:
            for number in range(1, 41):
                stored.extend(await add(log, "room", message(number)))
                await add(log, "noise", message(number))
            finished.set()

        async def read() -> None:
            while not finished.is_set():
                pages.append(await other.read("room", 0, limit=100))
                await asyncio.sleep(0)

        await asyncio.gather(write(), read())
        pages.append(await page_upto(other, "room", 0, stored[-1]))
        assert sequences(pages[-1].entries) == stored
        for page in pages:
            assert sequences(page.entries) == [sequence for sequence in stored if sequence <= page.upto]

    # another log (rule L2) --------------------------------------------------------------------

    async def test_creation_id(self, log: ChatLog, other: ChatLog) -> None:
        """Both ways name the same stream."""
        assert log.stream("room")
        assert log.stream("room") == other.stream("room")

    async def test_append_to_another_stream(self, log: ChatLog) -> None:
        """It stores nothing, and the id is not taken."""
        with pytest.raises(DeadLog):
            await log.append("room", message(1), stream="another")
        assert await log.heads(["room"]) == [0]
        [stored] = await add(log, "room", message(1))
        page = await page_upto(log, "room", 0, stored)
        assert [entry.record for entry in page.entries] == [message(1)]

    async def test_created_anew(self, log: ChatLog, rig: Rig) -> None:
        """The new log has another id, nothing of the old one, and refuses who still means the old one."""
        await add(log, "room", OPEN, message(1), SEAL)
        old = log.stream("room")
        await rig.recreate()
        new = await rig.open()
        assert new.stream("room") != old
        assert await new.heads(["room"]) == [0]
        with pytest.raises(DeadLog):
            await new.append("room", message(2), stream=old)
        page = await new.read("room", 0)
        assert (page.stream, page.entries) == (new.stream("room"), ())
        tail = Tail(old, 0)
        assert tail.answer(tail.reading(), page) == [Dead(new.stream("room"))]

    async def test_ids_of_the_old_log_are_free(self, log: ChatLog, rig: Rig) -> None:
        await add(log, "room", message(1))
        await rig.recreate()
        new = await rig.open()
        [stored] = await add(new, "room", message(1))
        page = await page_upto(new, "room", 0, stored)
        assert [entry.record for entry in page.entries] == [message(1)]

    # what expires (rules L3, L4) --------------------------------------------------------------

    async def test_open_and_seal_stay(self, log: ChatLog, rig: Rig) -> None:
        """Rule L3: they are there when all else has gone."""
        await add(log, "room", OPEN, message(1), message(2), SEAL)
        await rig.expire()
        [last] = await add(log, "room", message(3))
        page = await page_upto(log, "room", 0, last)
        assert [entry.record for entry in page.entries] == [OPEN, SEAL, message(3)]

    async def test_released_open_and_seal_expire(self, log: ChatLog, other: ChatLog, rig: Rig) -> None:
        """Rule L3: once the seal is committed and a lease has passed they need not stay; a hole is told."""
        stored = await add(log, "room", OPEN, message(1), SEAL)
        await other.release("room", 1)
        await other.release("room", 1)
        await rig.expire()
        [last] = await add(log, "room", message(2))
        page = await page_upto(log, "room", 0, last)
        assert [entry.record for entry in page.entries] == [message(2)]
        assert stored[-1] <= page.floor < last

    async def test_release_is_for_one_channel_up_to_one_epoch(self, log: ChatLog, rig: Rig) -> None:
        """What a later segment began with stays, as do the messages, which are not old enough."""
        again = Open("open:m3", 3)
        await add(log, "other", OPEN, SEAL)
        await log.release("room", 1)
        await add(log, "room", OPEN, SEAL, again)
        await log.release("room", 1)
        await log.release("room", 2)
        await rig.expire()
        stored = await add(log, "room", message(1, epoch=3))
        await log.release("room", 2)
        rooms = await page_upto(log, "room", 0, stored[-1])
        [head] = await log.heads(["other"])
        others = await page_upto(log, "other", 0, head)
        assert [entry.record for entry in rooms.entries] == [again, message(1, epoch=3)]
        assert [entry.record for entry in others.entries] == [OPEN, SEAL]

    async def test_nothing_expired(self, log: ChatLog) -> None:
        stored = await add(log, "room", OPEN, message(1), message(2))
        assert (await page_upto(log, "room", 0, stored[-1])).floor == 0

    async def test_floor_tells_what_may_have_gone(self, log: ChatLog, rig: Rig) -> None:
        """Rule L4: it lies at or above the last record that expired, and below those still there."""
        gone = await add(log, "room", message(1), message(2))
        await rig.expire()
        kept = await add(log, "room", message(3), message(4))
        for after in (0, gone[0], gone[1]):
            page = await page_upto(log, "room", after, kept[-1])
            assert sequences(page.entries) == kept
            assert gone[-1] <= page.floor < kept[0]
        page = await page_upto(log, "room", kept[0], kept[-1])
        assert page.floor <= kept[0]

    async def test_floor_when_only_open_and_seal_are_left(self, log: ChatLog, rig: Rig) -> None:
        opened, said, sealed = await add(log, "room", OPEN, message(1), SEAL)
        await rig.expire()
        page = await page_upto(log, "room", opened, sealed)
        assert [entry.record for entry in page.entries] == [SEAL]
        assert page.floor >= said

    async def test_reader_behind_a_hole_stops(self, log: ChatLog, rig: Rig) -> None:
        """Rule L4: it is told where, and reads nothing beyond."""
        first, second = await add(log, "room", message(1), message(2))
        await rig.expire()
        [third] = await add(log, "room", message(3))
        tail = Tail(log.stream("room"), first)
        events = tail.answer(tail.reading(), await page_upto(log, "room", first, third))
        match events:
            case [Hole(after, floor)]:
                assert after == first
                assert second <= floor < third
            case _:
                pytest.fail(f"no hole: {events}")

    async def test_reader_before_what_is_left_goes_on(self, log: ChatLog, rig: Rig) -> None:
        """A reader that knows a record that is still there misses nothing, though much has expired."""
        await add(log, "room", message(1))
        await rig.expire()
        second, third = await add(log, "room", message(2), message(3))
        async with reading(log, "room", second) as reader:
            await reader.wait_read(third)
            assert reader.records == [message(3)]
            assert not [event for event in reader.events if isinstance(event, Hole | Skipped)]

    async def test_new_reader_begins_with_what_is_left(self, log: ChatLog, rig: Rig) -> None:
        """Rule L5: it is told that something may be missing, and comes to the end."""
        stored = await add(log, "room", OPEN, message(1), message(2))
        await rig.expire()
        [third] = await add(log, "room", message(3))
        async with reading(log, "room", fresh=True) as reader:
            await reader.wait_read(third)
            assert reader.records == [OPEN, message(3)]
            assert isinstance(reader.events[0], Skipped)
            assert reader.events[0].floor >= stored[-1]
            assert Current() in reader.events

    # the joint of reads and the live path (rule L5) -------------------------------------------

    async def test_live(self, log: ChatLog, other: ChatLog) -> None:
        """In quiet times what is appended comes live, by whatever way, as a read would tell it."""
        entries: list[Entry] = []
        came = asyncio.Event()

        def deliver(entry: Entry) -> None:
            entries.append(entry)
            came.set()

        subscription = log.subscribe("room", deliver, came.set)
        try:
            await log.read("room", 0)  # rule L5: when it is answered the live path is open
            [stored] = await add(other, "room", message(1))
            await asyncio.wait_for(came.wait(), DEADLINE)
        finally:
            subscription.close()
        page = await page_upto(other, "room", 0, stored)
        assert entries[:1] == list(page.entries)

    async def test_live_entries_name_the_one_before(self, log: ChatLog) -> None:
        entries: dict[int, Entry] = {}
        came = asyncio.Event()

        def deliver(entry: Entry) -> None:
            entries[entry.sequence] = entry
            came.set()

        subscription = log.subscribe("room", deliver, came.set)
        try:
            stored = []
            for number in range(1, 4):
                came.clear()
                stored += await add(log, "room", message(number))
                await add(log, "noise", message(number))
                await asyncio.wait_for(came.wait(), DEADLINE)
        finally:
            subscription.close()
        assert entries
        assert all(entry.prev == dict(zip(stored, [0, *stored], strict=False))[at] for at, entry in entries.items())

    async def test_other_channels_are_not_heard(self, log: ChatLog) -> None:
        heard: list[Record] = []
        subscription = log.subscribe("room", lambda entry: heard.append(entry.record), lambda: None)
        try:
            async with reading(log, "noise") as reader:
                await add(log, "noise", message(1))
                await asyncio.wait_for(reader.came.wait(), DEADLINE)
            async with reading(log, "room") as reader:
                await add(log, "room", message(2))
                await asyncio.wait_for(reader.came.wait(), DEADLINE)
        finally:
            subscription.close()
        assert set(heard) <= {message(2)}

    async def test_joint_without_gap_or_repeat(self, log: ChatLog, other: ChatLog) -> None:
        """Readers that begin at different times, while others write, all read the same, once and in order."""
        halfway = asyncio.Event()
        readers: list[Reader] = []

        async def write(producer: str, way: ChatLog) -> None:
            for number in range(1, 31):
                await add(way, "room", message(number, producer))
                if number == 15:
                    halfway.set()
                await asyncio.sleep(0)

        async def read(way: ChatLog) -> None:
            reader = Reader(way, "room", fresh=True)
            readers.append(reader)
            await reader.wait_current()

        async def read_late() -> None:
            await halfway.wait()
            await asyncio.gather(read(log), read(other))

        await read(log)
        await asyncio.gather(write("p", log), write("q", other), read_late())
        [head] = await log.heads(["room"])
        stored = (await page_upto(other, "room", 0, head)).entries
        assert len(stored) == 60
        for reader in readers:
            await reader.wait_read(stored[-1].sequence)
            reader.close()
            assert sequences(reader.entries) == sequences(stored)
            assert reader.records == [entry.record for entry in stored]
            assert not [event for event in reader.events if isinstance(event, Hole | Skipped | Dead)]

    async def test_reader_from_a_position(self, log: ChatLog) -> None:
        """It reads what lies behind its position, be it written before or after it began."""
        _, second, _ = await add(log, "room", message(1), message(2), message(3))
        async with reading(log, "room", second) as reader:
            [fourth] = await add(log, "room", message(4))
            await reader.wait_read(fourth)
            assert reader.records == [message(3), message(4)]

    async def test_closed_subscription_is_silent(self, log: ChatLog) -> None:
        heard: list[Record] = []
        subscription = log.subscribe("room", lambda entry: heard.append(entry.record), lambda: None)
        async with reading(log, "room") as reader:
            await add(log, "room", message(1))
            await asyncio.wait_for(reader.came.wait(), DEADLINE)
            subscription.close()
            before = list(heard)
            reader.came.clear()
            await add(log, "room", message(2))
            await asyncio.wait_for(reader.came.wait(), DEADLINE)
        assert heard == before

    async def test_closed_while_an_entry_is_delivered(self, log: ChatLog) -> None:
        """Who is closed by another reader of the same entry hears nothing afterwards."""
        heard: list[str] = []
        came = asyncio.Event()

        def close_others(mine: str) -> None:
            heard.append(mine)
            for name, subscription in subscriptions.items():
                if name != mine:
                    subscription.close()
            came.set()

        subscriptions = {
            name: log.subscribe("room", lambda _, name=name: close_others(name), lambda: None)  # type: ignore[misc]
            for name in ("one", "two")
        }
        async with reading(log, "room") as reader:
            for number in (1, 2):
                came.clear()
                reader.came.clear()
                await add(log, "room", message(number))
                await asyncio.wait_for(asyncio.gather(came.wait(), reader.came.wait()), DEADLINE)
        for subscription in subscriptions.values():
            subscription.close()
        assert len(set(heard)) == 1

    # stored once (rule L6) --------------------------------------------------------------------

    async def test_stored_once(self, log: ChatLog, other: ChatLog) -> None:
        """A repeated append tells where the first copy lies, also of a record that is not the last."""
        first, second = await add(log, "room", message(1), message(2))
        assert await add(other, "room", message(1), message(2), message(1)) == [first, second, first]
        page = await page_upto(log, "room", 0, second)
        assert [entry.record for entry in page.entries] == [message(1), message(2)]

    async def test_first_copy_counts(self, log: ChatLog) -> None:
        [first] = await add(log, "room", message(1, text="first"))
        assert await add(log, "room", message(1, text="second")) == [first]
        page = await page_upto(log, "room", 0, first)
        assert [entry.record for entry in page.entries] == [message(1, text="first")]

    async def test_again_under_another_epoch(self, log: ChatLog) -> None:
        """What was void in one segment may have to enter the same log once more."""
        first, second = await add(log, "room", message(1), message(1, epoch=3))
        assert second > first
        assert await add(log, "room", message(1), message(1, epoch=3)) == [first, second]
        page = await page_upto(log, "room", 0, second)
        assert [entry.record.epoch for entry in page.entries] == [1, 3]

    async def test_open_and_seal_are_stored_once(self, log: ChatLog) -> None:
        """A controller that died and another that went on append the same ones."""
        opened, sealed = await add(log, "room", OPEN, SEAL)
        assert await add(log, "room", OPEN, SEAL) == [opened, sealed]

    async def test_concurrent_repeats(self, log: ChatLog, other: ChatLog) -> None:
        tries = [way.append("room", message(1), stream=log.stream("room")) for way in (log, other) * 5]
        answers = await asyncio.gather(*tries)
        assert len(set(answers)) == 1
        page = await page_upto(log, "room", 0, answers[0])
        assert [entry.record for entry in page.entries] == [message(1)]

    async def test_repeats_are_not_shown_live(self, log: ChatLog) -> None:
        """A reader reads the record once however often it was appended."""
        async with reading(log, "room") as reader:
            await add(log, "room", message(1), message(1))
            [last] = await add(log, "room", message(2))
            await reader.wait_read(last)
            assert reader.records == [message(1), message(2)]


class MovableClockSuite:
    """For logs whose clock a test can move."""

    @pytest.fixture
    async def log(self, rig: MovableClockRig) -> ChatLog:
        """The log."""
        return await rig.open()

    async def test_times_are_the_logs(self, log: ChatLog, rig: MovableClockRig) -> None:
        """Rule R4 rests on this: as much time lies between two records as passed for the log."""
        await add(log, "room", message(1))
        rig.advance(12.5)
        await add(log, "other", message(1))
        [last] = await add(log, "room", message(2))
        first, second = (await page_upto(log, "room", 0, last)).entries
        assert second.time - first.time == 12.5

    async def test_stored_once_up_to_the_window(self, log: ChatLog, rig: MovableClockRig) -> None:
        """Holding and retrying must end well inside the window (rule L6)."""
        [first] = await add(log, "room", message(1))
        rig.advance(rig.duplicate_window)
        assert await add(log, "room", message(1)) == [first]
