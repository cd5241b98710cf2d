"""The streams of a rollout drill: begun and ended by the drill, and held against what the change feed says of moves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable

import msgspec

from godwit.drill.operator import ApiError
from godwit.drill.rollout_api import RolloutOperator
from godwit.drill.rollout_live import LiveBook


class Streams:
    """Which streams run, and what is moved meanwhile.

    Attributes:
        book: the account.
        ended: how many streams were ended so that their channels may move.

    Args:
        channels: all of the network.
        problems: takes what goes wrong.
        say: takes lines for people.
    """

    def __init__(
        self, api: RolloutOperator, channels: Collection[str], problems: list[str], say: Callable[[str], None]
    ) -> None:
        self.book = LiveBook()
        self.ended = 0
        self._api = api
        self._channels = channels
        self._problems = problems
        self._say = say
        self._forced = False

    async def begin(self, channel: str) -> None:
        """Have a stream begin; it counts once no move of its channel is under way any more.

        Raises:
            ApiError, OSError, msgspec.MsgspecError: the API does not answer as it should.
        """
        await self._api.set_live(channel, True)
        epoch, under_way = await self._api.look_at(channel)
        while under_way:
            await asyncio.sleep(0.05)
            epoch, under_way = await self._api.look_at(channel)
        self.book.began(channel, epoch, time.time())

    async def end(self, channels: Iterable[str]) -> None:
        """Have those of these streams end that run.

        Raises:
            ApiError, OSError, msgspec.MsgspecError: the API does not answer as it should.
        """
        ending = [channel for channel in channels if channel in self.book.live]
        for channel in ending:
            epoch, _ = await self._api.look_at(channel)
            self.book.ended(channel, epoch, time.time())
            await self._api.set_live(channel, False)
        self.ended += len(ending)
        if ending:
            self._say(f"streams end: {', '.join(f'#{channel}' for channel in ending)}")

    async def move_live(self, channel: str, target: str) -> None:
        """The fault: move a channel whose stream runs, once.

        Raises:
            ApiError, OSError, msgspec.MsgspecError: the API does not answer as it should.
        """
        if channel in self.book.live and not self._forced:
            self._forced = True
            await self._api.force_move(channel, target)

    async def read_feed(self) -> None:
        """Enter what the change feed says into the book, until cancelled."""
        since: int | None = None
        while True:
            try:
                changes = await self._api.changes(since)
            except (OSError, ApiError, msgspec.MsgspecError) as error:
                self._problems.append(f"the change feed: {error!r}")
                return
            if changes.reset:
                self._problems.append("the change feed has lost its place")
            since = changes.next
            for change in changes.changes:
                if change.kind == "moved" and change.channel in self._channels:
                    self.book.moved(change.channel, change.epoch, change.time)
