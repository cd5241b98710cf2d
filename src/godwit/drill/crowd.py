"""The crowd of a drill: all its clients together, from the first connection to the last count."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence

from godwit.drill.ledger import Ledger, add
from godwit.drill.talkers import Client, talk

CONNECTING = 32
"""Clients that connect at once."""

_WORDS = ("bar-tailed", "over", "the", "ocean", "without", "landing", "naïve", "café", "鳥", "🐦", "Kappa", "11,000")


class Crowd:
    """Clients that connect, talk, are flushed and leave.

    Args:
        ledger: where what they say and hear is entered.
        problems: takes what goes wrong.
        seed: of what is said, and when.
    """

    def __init__(self, clients: Sequence[Client], ledger: Ledger, problems: list[str], seed: int) -> None:
        self.clients = clients
        self._ledger = ledger
        self._problems = problems
        self._seed = seed

    async def connect(self) -> None:
        """Have every client connect, log in and join its channels."""
        connecting = asyncio.Semaphore(CONNECTING)

        async def start(client: Client) -> None:
            async with connecting:
                await self._trying(client.start(), f"{client.part.name} could not connect")

        async with asyncio.TaskGroup() as starting:
            for client in self.clients:
                starting.create_task(start(client))

    def talk(self, tasks: asyncio.TaskGroup, stop: asyncio.Event, pace: tuple[float, float]) -> None:
        """Let the talkers talk until `stop` is set.

        Args:
            pace: seconds between two messages of a talker: at least, at most.
        """
        for client in self.clients:
            if client.part.talks:
                chance = random.Random(f"{self._seed} {client.part.name}")
                tasks.create_task(talk(client, stop, _words(chance), _pace(chance, pace)))

    def said(self, channel: str) -> int:
        """How many messages were sent in a channel."""
        return sum(client.rooms[channel].said for client in self.clients if channel in client.rooms)

    async def finish(self, channels: Iterable[str], patience: float) -> None:
        """Wait for what is still under way, then flush, so that what has not come does not come.

        Args:
            patience: seconds to wait for acknowledgements, and for lines.
        """
        counted = tuple(channels)
        await until(lambda: self._ledger.unacknowledged == 0, patience)
        await self._flush("first")
        await until(lambda: add(self._ledger.count(channel) for channel in counted).lost == 0, patience, step=0.25)
        await self._flush("last")

    def leave(self) -> None:
        """Have all hang up."""
        for client in self.clients:
            client.leave()

    async def _flush(self, token: str) -> None:
        async with asyncio.TaskGroup() as flushing:
            for client in self.clients:
                flushing.create_task(self._trying(client.flush(token), f"{client.part.name} could not be flushed"))

    async def _trying(self, doing: Awaitable[None], what: str) -> None:
        try:
            await doing
        except (OSError, TimeoutError) as error:
            self._problems.append(f"{what}: {error!r}")


async def until(reached: Callable[[], bool], seconds: float, step: float = 0.02) -> bool:
    """Wait until something is so; say whether it came to be in time."""
    end = time.monotonic() + seconds
    while not reached():
        if time.monotonic() >= end:
            return False
        await asyncio.sleep(step)
    return True


def _words(chance: random.Random) -> Callable[[], str]:
    return lambda: " ".join(chance.choices(_WORDS, k=chance.randint(1, 8)))


def _pace(chance: random.Random, pace: tuple[float, float]) -> Callable[[], float]:
    return lambda: chance.uniform(*pace)
