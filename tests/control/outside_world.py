"""A small network on loopback with hidden rooms that can be put anywhere, and pauses that a test allows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from godwit.values import Addresses, Open, Seal, Segment
from tests.edge.world import DEADLINE, World


class Pauses:
    """Pauses that last until the test lets them pass; the time stands still unless the test sets it.

    Attributes:
        begun: how long each pause was to be.
    """

    def __init__(self) -> None:
        self.time = 0.0
        self.begun: list[float] = []
        self._waiting: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        """Seconds that only grow."""
        return self.time

    async def __call__(self, seconds: float) -> None:
        self.begun.append(seconds)
        self._waiting.append((seconds, passed := asyncio.get_running_loop().create_future()))
        await passed

    def let_pass(self, seconds: float | None = None) -> None:
        """End the pauses of that length that there are now; all if none is given."""
        waiting, self._waiting = self._waiting, []
        for length, passed in waiting:
            if seconds not in (None, length):
                self._waiting.append((length, passed))
            elif not passed.done():
                passed.set_result(None)


class Rooms:
    """Puts rooms on clusters of a network, as a controller does.

    Attributes:
        placed: what was asked for.
        before: called before each of it.
    """

    def __init__(self, net: World) -> None:
        self.net = net
        self.placed: list[tuple[str, str]] = []
        self.before: Callable[[str, str], None] = lambda room, cluster: None

    async def place(self, room: str, cluster: str) -> None:
        """Open, seal, commit."""
        self.before(room, cluster)
        self.placed.append((room, cluster))
        net, number = self.net, len(self.placed)
        await net.store.pin([room])
        here = (await net.store.placement(room)).segment
        if here.cluster == cluster:
            return
        stream = f"stream-{cluster}"
        at = await net.logs[cluster].append(room, Open(f"o{number}", here.epoch + 1), stream=stream)
        there = Segment(cluster, here.epoch + 1, at, stream)
        await net.logs[here.cluster].append(room, Seal(f"s{number}", here.epoch, there), stream=here.stream)
        await net.store.commit(room, there, drain_until=net.clock.now() + 60, now=net.clock.now())

    def clusters(self) -> Mapping[str, Addresses]:
        """Where the clusters are."""
        return {name: self.net.addresses(name) for name in ("main", "aws")}


async def token(login: str) -> str | None:
    """Lets anybody in."""
    return "x"


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until something is true."""
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110  (what it waits for has no event of its own)
            await asyncio.sleep(0)
