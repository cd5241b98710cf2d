"""Readers of many channels share few subscriptions."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from godwit.chatlog.jetstream_live import Live
from godwit.chatlog.jetstream_records import Stored, encode
from godwit.chatlog.jetstream_streams import PARTITIONS, Layout
from godwit.values import Entry, Record
from tests.conformance.chatlog import message

LAYOUT = Layout("main", 2)


class World:
    """The live path without a server."""

    def __init__(self) -> None:
        self.watched: dict[str, Callable[[Msg], None]] = {}
        self.name = "s1"
        self.saw: list[str] = []
        self.forgotten: list[str] = []
        self.live = Live(
            self,  # type: ignore[arg-type]
            LAYOUT,
            name_of=lambda channel: self.name,
            saw=self._saw,
            forgotten=self.forgotten.append,
        )

    def _saw(self, channel: str, stored: Stored) -> None:
        self.saw.append(channel)

    def watch(self, subject: str, deliver: Callable[[Msg], None]) -> None:
        assert subject not in self.watched
        self.watched[subject] = deliver

    def unwatch(self, subject: str) -> None:
        del self.watched[subject]

    def come(self, channel: str, data: bytes, sequence: int = 7, stream: str = "s1") -> None:
        """A message of the server for one channel."""
        headers = {
            "Nats-Stream": stream,
            "Nats-Subject": LAYOUT.subject(channel),
            "Nats-Sequence": str(sequence),
            "Nats-Last-Sequence": "5",
            "Nats-Time-Stamp": "2026-11-23T12:54:11Z",
        }
        subject = LAYOUT.live(LAYOUT.partition(channel))
        message = Msg(Client(), subject=subject.replace("*", channel), data=data, headers=headers)
        self.watched[subject](message)


@pytest.fixture
def world() -> World:
    return World()


def ignore(entry: Entry) -> None:
    """A reader that does nothing."""


def trust() -> None:
    """A reader that is never told."""


def neighbours() -> tuple[str, str]:
    """Two channels of one partition."""
    partition = LAYOUT.partition("room")
    return "room", next(f"c{n}" for n in range(9999) if LAYOUT.partition(f"c{n}") == partition)


def test_subscriptions_of_partitions(world: World) -> None:
    subscriptions = [world.live.subscribe(f"c{number}", ignore, trust) for number in range(1000)]
    assert len(world.watched) == PARTITIONS
    assert len(world.live) == 1000
    for subscription in subscriptions:
        subscription.close()
    assert (world.watched, len(world.live)) == ({}, 0)
    assert sorted(world.forgotten) == sorted(f"c{number}" for number in range(1000))


def test_last_reader_of_a_channel(world: World) -> None:
    one, two = neighbours()
    first, second = world.live.subscribe(one, ignore, trust), world.live.subscribe(one, ignore, trust)
    third = world.live.subscribe(two, ignore, trust)
    first.close()
    first.close()
    assert (one in world.live, world.forgotten) == (True, [])
    second.close()
    assert (one in world.live, world.forgotten, len(world.watched)) == (False, [one], 1)
    third.close()
    assert world.watched == {}


def test_each_hears_its_channel(world: World) -> None:
    one, two = neighbours()
    heard: list[tuple[str, Record]] = []
    subscription = world.live.subscribe(one, lambda entry: heard.append((one, entry.record)), trust)
    world.come(two, encode(message(1)))
    assert world.saw == []
    other = world.live.subscribe(two, lambda entry: heard.append((two, entry.record)), trust)
    world.come(two, encode(message(2)))
    world.come(one, encode(message(3)))
    assert heard == [(two, message(2)), (one, message(3))]
    assert (world.saw, world.live.heard) == ([two, one], 2)
    subscription.close()
    other.close()


def test_other_stream_is_not_heard(world: World) -> None:
    """Its sequences mean something else."""
    heard: list[Entry] = []
    world.live.subscribe("room", heard.append, trust)
    world.come("room", encode(message(1)), stream="s2")
    assert (heard, world.saw) == ([], [])
    world.name = "s2"
    world.come("room", encode(message(1)), stream="s2")
    assert [entry.record for entry in heard] == [message(1)]


def test_what_is_no_record_is_known_of(world: World) -> None:
    """It has a sequence, though nobody is shown it."""
    heard: list[Entry] = []
    world.live.subscribe("room", heard.append, trust)
    world.come("room", b"hello")
    assert (heard, world.saw) == ([], ["room"])


def test_suspicion_of_one_stream(world: World) -> None:
    told: list[str] = []
    for number in range(20):
        world.live.subscribe(f"c{number}", ignore, lambda name=f"c{number}": told.append(name))  # type: ignore[misc]
    world.live.suspect(1)
    assert told == [f"c{number}" for number in range(20) if LAYOUT.stream(f"c{number}") == 1]
    told.clear()
    world.live.suspect()
    assert len(told) == 20


def test_readers_that_close_each_other(world: World) -> None:
    """Who was closed hears and is told nothing."""
    told: list[str] = []

    def close(mine: str) -> None:
        told.append(mine)
        for name, subscription in subscriptions.items():
            if name != mine:
                subscription.close()

    subscriptions = {
        name: world.live.subscribe("room", lambda _, name=name: close(name), lambda name=name: close(name))  # type: ignore[misc]
        for name in ("one", "two")
    }
    world.live.suspect()
    world.come("room", encode(message(1)))
    assert told == ["one", "one"]
