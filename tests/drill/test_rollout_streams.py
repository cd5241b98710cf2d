"""The drill's streams: begun when nothing is under way, ended once, and held against the change feed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from godwit.drill.operator import ApiError
from godwit.drill.rollout_api import Change, Changes, RolloutOperator
from godwit.drill.rollout_streams import Streams


class Api(RolloutOperator):
    """Answers at once, without a server."""

    def __init__(self, *feed: Changes) -> None:
        super().__init__("http://127.0.0.1:1", "", 1)
        self.done: list[tuple[str, object]] = []
        self.under_way = [False]
        self.feed: Iterator[Changes] = iter(feed)
        self.since: list[int | None] = []

    async def set_live(self, channel: str, live: bool) -> None:
        """Note it."""
        self.done.append((channel, live))

    async def look_at(self, channel: str) -> tuple[int, bool]:
        """Epoch 1; under way as long as the test wants."""
        return 1, self.under_way.pop(0) if len(self.under_way) > 1 else self.under_way[0]

    async def force_move(self, channel: str, to: str) -> None:
        """Note it."""
        self.done.append((channel, to))

    async def changes(self, since: int | None, wait: float = 5.0) -> Changes:
        """The next answer; an error when there is none any more."""
        self.since.append(since)
        for answer in self.feed:
            return answer
        raise ApiError("it is over")


def _streams(api: Api) -> tuple[Streams, list[str], list[str]]:
    problems: list[str] = []
    said: list[str] = []
    return Streams(api, {"a", "b"}, problems, said.append), problems, said


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, as a list of one."""
    now = [100.0]
    monkeypatch.setattr("godwit.drill.rollout_streams.time.time", lambda: now[0])
    return now


async def test_streams_begin_and_end(clock: list[float]) -> None:
    """A stream counts when no move of its channel is under way any more; one that does not run cannot end."""
    api = Api()
    api.under_way = [True, False]
    streams, _, said = _streams(api)
    await streams.begin("a")
    assert streams.book.live == {"a"}
    await streams.end(["a", "b"])
    await streams.end(["a"])
    assert streams.book.live == set()
    assert streams.ended == 1
    assert api.done == [("a", True), ("a", False)]
    assert said == ["streams end: #a"]


async def test_a_live_channel_is_moved_once(clock: list[float]) -> None:
    """The fault, which needs a stream that runs."""
    api = Api()
    streams, _, _ = _streams(api)
    await streams.move_live("a", "aws")
    await streams.begin("a")
    await streams.move_live("a", "aws")
    await streams.move_live("a", "aws")
    assert api.done == [("a", True), ("a", "aws")]


async def test_the_feed_tells_of_moves(clock: list[float]) -> None:
    """Only those of the drill's channels count; a feed that has lost its place, or breaks off, is a problem."""
    api = Api(
        Changes(3, (Change("moved", 101.0, "a", "aws", 2), Change("moved", 101.0, "stranger", "aws", 2))),
        Changes(9, (Change("live", 102.0, "b"),), reset=True),
    )
    streams, problems, _ = _streams(api)
    await streams.begin("a")
    await streams.read_feed()
    assert streams.book.moved_live() == ["#a (epoch 2)"]
    assert streams.book.moves == 1
    assert api.since == [None, 3, 9]
    assert problems == ["the change feed has lost its place", "the change feed: ApiError('it is over')"]
