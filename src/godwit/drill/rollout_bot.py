"""A verified bot that sits in every channel and keeps to its JOIN limit."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Mapping

from godwit.drill.link import Dial
from godwit.drill.plan import Part, Transport
from godwit.drill.talkers import PATIENCE, Client
from godwit.drill.witness import Witness

CHUNK = 20
"""Channels in one JOIN."""

MARGIN = 0.25
"""Seconds for which the bot waits longer than it must."""


class Bot(Client):
    """A follower in very many channels, on one connection per cluster.

    Args:
        joins: JOINs that it may make in a window.
        window: seconds of that.
        flood: it then joins everything again at once, above its limit (a fault).
    """

    def __init__(
        self,
        part: Part,
        cluster: str,
        addresses: Mapping[Transport, str],
        dial: Dial,
        witness: Witness,
        tasks: asyncio.TaskGroup,
        *,
        joins: int,
        window: float,
        flood: bool = False,
    ) -> None:
        super().__init__(part, cluster, addresses, dial, witness, tasks)
        self._joins = joins - joins % CHUNK
        self._window = window
        self._flood = flood

    @property
    def entered(self) -> int:
        """In how many channels it is."""
        return sum(bool(room.joined) for room in self.rooms.values())

    async def start(self) -> None:
        """Connect, log in and join everything, as fast as the limit allows.

        Raises:
            ConnectionError: refused, or lost.
            TimeoutError: no answer in time.
        """
        side = await self._side(self._home, self._addresses[self.part.transport])
        channels = self.part.channels
        for begin in range(0, len(channels), self._joins):
            opens = time.monotonic() + self._window + MARGIN
            for first in range(begin, min(begin + self._joins, len(channels)), CHUNK):
                some = channels[first : min(first + CHUNK, begin + self._joins)]
                side.send("JOIN " + ",".join(f"#{channel}" for channel in some))
                await side.flush(f"join-{first}")
                if first == begin:
                    opens = time.monotonic() + self._window + MARGIN
            if begin + self._joins < len(channels):
                await asyncio.sleep(opens - time.monotonic())
        async with asyncio.timeout(PATIENCE):
            await self._entered
        if self._flood:
            again = itertools.islice(itertools.cycle(channels), self._joins + 2 * CHUNK)
            side.send("JOIN " + ",".join(f"#{channel}" for channel in again))
