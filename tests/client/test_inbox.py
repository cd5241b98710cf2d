"""The bounded queue to the user."""

from __future__ import annotations

import asyncio

import pytest

from godwit.client.events import Gap, Message
from godwit.client.inbox import Inbox
from godwit.errors import LoginRefused


def line(number: int, channel: str = "room") -> Message:
    return Message(channel, str(number), "ann", f"line {number}")


async def drain(inbox: Inbox) -> list[object]:
    inbox.close()
    found: list[object] = []
    while (event := await inbox.get()) is not None:
        found.append(event)
    return found


async def test_events_come_out_in_order() -> None:
    inbox = Inbox(10)
    for number in range(10):
        inbox.put(line(number))
    assert await drain(inbox) == [line(number) for number in range(10)]


async def test_a_full_queue_leaves_a_gap_with_a_count_at_the_place_of_the_hole() -> None:
    inbox = Inbox(2)
    for number in range(5):
        inbox.put(line(number))
    assert await inbox.get() == line(0)
    inbox.put(line(5))
    assert inbox.dropped == 3
    assert await drain(inbox) == [line(1), Gap("room", 3, "overflow"), line(5)]


async def test_each_channel_has_its_own_count_and_each_hole_too() -> None:
    inbox = Inbox(1)
    inbox.put(line(0))
    inbox.put(line(1))
    inbox.put(line(1, "other"))
    inbox.put(line(2))
    assert await inbox.get() == line(0)
    assert await inbox.get() == Gap("room", 2, "overflow")
    inbox.put(line(3))
    inbox.put(line(4))
    assert await drain(inbox) == [Gap("other", 1, "overflow"), line(3), Gap("room", 1, "overflow")]


async def test_a_read_hole_is_not_counted_on() -> None:
    inbox = Inbox(1)
    inbox.put(line(0))
    inbox.put(line(1, "other"))
    inbox.put(line(1))
    assert await inbox.get() == line(0)
    assert await inbox.get() == Gap("other", 1, "overflow")
    inbox.put(line(2, "third"))
    inbox.put(line(2, "other"))
    assert await drain(inbox) == [Gap("room", 1, "overflow"), line(2, "third"), Gap("other", 1, "overflow")]


async def test_a_reader_that_waits_is_woken() -> None:
    inbox = Inbox(1)
    reader = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    assert not reader.done()
    inbox.put(line(0))
    assert await reader == line(0)


async def test_the_end_comes_after_what_is_queued_and_stays() -> None:
    inbox = Inbox(4)
    inbox.put(line(0))
    inbox.close(LoginRefused("no"))
    inbox.put(line(1))
    inbox.close()
    assert await inbox.get() == line(0)
    for _ in range(2):
        with pytest.raises(LoginRefused, match="no"):
            await inbox.get()


def test_room_for_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Inbox(0)
