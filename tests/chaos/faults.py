"""What is done to the network. Each fault is over when its function returns, but for what has to start again."""

from __future__ import annotations

import asyncio
import random
import re
import signal
from collections.abc import Awaitable, Callable, Sequence

from tests.chaos.moves import Moves
from tests.chaos.network import CLUSTERS, ChaosNetwork, Unwell

PAUSE = 8.0
"""Seconds for which a process is stopped: more than its lease, and than its sign of life counts (6 s)."""

PAUSE_CONTROLLER = 12.0
"""The same for a controller, whose lease is for 10 s."""

SHORT, LONG = 3.0, 8.0
"""Seconds for which a network is bad, at least and at most."""

ROOM = 4000
"""Bytes that a stream is left with until it is full."""

ROLLOUT_START = 60.0
"""Seconds that a rollout may take to begin."""


class Breaker:
    """Does one fault after the other.

    Args:
        chance: decides what is hit, and for how long.
    """

    def __init__(self, network: ChaosNetwork, moves: Moves, chance: random.Random) -> None:
        self._network = network
        self._moves = moves
        self._chance = chance

    async def do(self, kind: str) -> str:
        """Do a fault; returns what was hit, in words.

        Raises:
            Unwell: it could not be done.
        """
        return await KINDS[kind](self)

    # processes that are killed -----------------------------------------------------------------

    async def kill_edge(self) -> str:
        """An edge."""
        return self._kill(self._network.names("edge"))

    async def kill_edges(self) -> str:
        """Both edges of a cluster."""
        cluster = self._chance.choice(CLUSTERS)
        return " and ".join([self._kill([name]) for name in self._network.names("edge", cluster)])

    async def kill_controller(self) -> str:
        """The controller that leads, while moves are under way."""
        return self._kill([self.leader()])

    async def kill_in_rollout(self) -> str:
        """The controller that leads, in the middle of a rollout."""
        await self._moves.begin_rollout(ROLLOUT_START)
        return self._kill([self.leader()]) + " in a rollout"

    async def kill_directory(self) -> str:
        """The directory."""
        return self._kill(self._network.names("directory"))

    async def kill_nats(self) -> str:
        """A NATS server."""
        return self._kill(self._network.names("nats"))

    async def kill_nats_leader(self) -> str:
        """The NATS server that leads a stream."""
        name, leads, of = await self._stream_leader()
        return f"{self._kill([name])}, which led {leads} of {of} streams"

    async def kill_nats_most(self) -> str:
        """All NATS servers of a cluster but one, so that there is no majority."""
        names = self._network.names("nats", self._chance.choice(CLUSTERS))
        self._chance.shuffle(names)
        return " and ".join([self._kill([name]) for name in names[1:] or names])

    async def kill_store(self) -> str:
        """PostgreSQL."""
        return self._kill(self._network.names("postgres"))

    # processes that are stopped for a while -----------------------------------------------------

    async def pause_edge(self) -> str:
        """An edge, for longer than its lease."""
        return await self._pause(self._chance.choice(self._network.names("edge")), PAUSE)

    async def pause_controller(self) -> str:
        """The controller that leads, for longer than its lease."""
        return await self._pause(self.leader(), PAUSE_CONTROLLER)

    async def pause_directory(self) -> str:
        """The directory."""
        return await self._pause(self._chance.choice(self._network.names("directory")), PAUSE)

    async def pause_nats(self) -> str:
        """The NATS server that leads a stream."""
        name, _, _ = await self._stream_leader()
        return await self._pause(name, PAUSE)

    # a bad network --------------------------------------------------------------------------------

    async def cut_clusters(self) -> str:
        """No way between the clusters: neither reaches the other's log; the second not the store either."""
        one, other = CLUSTERS
        wires = [self._network.between(one, other), self._network.between(other, one), self._network.to_store(other)]
        return await self._for_a_while(f"{one} from {other}", *(((wire.hold), (wire.flow)) for wire in wires))

    async def cut_log(self) -> str:
        """No way from one cluster's processes to one cluster's log."""
        site, cluster = self._chance.choice(CLUSTERS), self._chance.choice(CLUSTERS)
        wire = self._network.between(site, cluster)
        return await self._for_a_while(f"{site} from the log of {cluster}", (wire.hold, wire.flow))

    async def cut_store(self) -> str:
        """No way from anybody to PostgreSQL."""
        wire = self._network.to_store(*CLUSTERS)
        return await self._for_a_while("all from the store", (wire.hold, wire.flow))

    async def slow(self) -> str:
        """All that is sent to logs and store, and back, is late, each piece for another time."""
        wire, most = self._network.everywhere(), self._chance.choice((0.05, 0.2, 0.4))
        return await self._for_a_while(f"up to {most:g} s each way", (lambda: wire.slow(0.0, most), wire.flow))

    async def drop(self) -> str:
        """All connections to logs and store break, again and again."""
        wire, times = self._network.everywhere(), self._chance.randint(3, 8)
        for _ in range(times):
            wire.cut()
            await asyncio.sleep(self._chance.uniform(0.2, 1.2))
        return f"{times} times"

    # a log without room ------------------------------------------------------------------------------

    async def fill(self) -> str:
        """A cluster's streams have almost no room left, and then some again."""
        cluster, seconds = self._chance.choice(CLUSTERS), self._chance.uniform(SHORT, LONG)
        before = {name: info["config"] for name, info in (await self._network.streams(cluster)).items()}
        try:
            for name, config in before.items():
                used = (await self._network.js(cluster, f"STREAM.INFO.{name}"))["state"]["bytes"]
                await self._limit(cluster, {**config, "max_bytes": used + ROOM})
            await asyncio.sleep(seconds)
        finally:
            for config in before.values():
                await self._insist(cluster, config)
        return f"{len(before)} streams of {cluster} for {seconds:.1f} s"

    # how ------------------------------------------------------------------------------------------------

    def leader(self) -> str:
        """The controller that was the last to lead."""
        names = self._network.names("controller")
        terms = {
            max(map(int, found)): name
            for name in names
            if (found := re.findall(r"event=leads .*term=(\d+)", self._network.said_by(name)))
        }
        return terms[max(terms)] if terms else names[0]

    async def _stream_leader(self) -> tuple[str, int, int]:
        """A server that leads a stream, how many it leads, and of how many."""
        infos = await self._network.streams(self._chance.choice(CLUSTERS))
        leaders = [info.get("cluster", {}).get("leader", "") for info in infos.values()]
        if not (named := sorted({name for name in leaders if name})):
            raise Unwell("no stream has a leader")
        name = self._chance.choice(named)
        return name, leaders.count(name), len(leaders)

    def _kill(self, names: Sequence[str]) -> str:
        name = self._chance.choice(names)
        if not self._network.signal(name, signal.SIGKILL):
            raise Unwell(f"{name} does not run")
        return name

    async def _pause(self, name: str, seconds: float) -> str:
        if not self._network.signal(name, signal.SIGSTOP):
            raise Unwell(f"{name} does not run")
        try:
            await asyncio.sleep(seconds)
        finally:
            self._network.signal(name, signal.SIGCONT)
        return f"{name} for {seconds:g} s"

    async def _for_a_while(self, what: str, *ways: tuple[Callable[[], None], Callable[[], None]]) -> str:
        seconds = self._chance.uniform(SHORT, LONG)
        for begin, _ in ways:
            begin()
        try:
            await asyncio.sleep(seconds)
        finally:
            for _, end in ways:
                end()
        return f"{what} for {seconds:.1f} s"

    async def _limit(self, cluster: str, config: dict[str, object]) -> None:
        answer = await self._network.js(cluster, f"STREAM.UPDATE.{config['name']}", config)
        if "error" in answer:
            raise Unwell(f"{config['name']}: {answer['error']}")

    async def _insist(self, cluster: str, config: dict[str, object]) -> None:
        for attempt in range(10):
            try:
                return await self._limit(cluster, config)
            except Unwell:
                if attempt == 9:
                    raise
                await asyncio.sleep(0.5)


KINDS: dict[str, Callable[[Breaker], Awaitable[str]]] = {
    "edge": Breaker.kill_edge,
    "controller": Breaker.kill_controller,
    "nats-leader": Breaker.kill_nats_leader,
    "pause-edge": Breaker.pause_edge,
    "postgres": Breaker.kill_store,
    "cut-clusters": Breaker.cut_clusters,
    "directory": Breaker.kill_directory,
    "fill": Breaker.fill,
    "rollout": Breaker.kill_in_rollout,
    "slow": Breaker.slow,
    "nats": Breaker.kill_nats,
    "edges": Breaker.kill_edges,
    "pause-controller": Breaker.pause_controller,
    "drop": Breaker.drop,
    "nats-most": Breaker.kill_nats_most,
    "cut-store": Breaker.cut_store,
    "pause-nats": Breaker.pause_nats,
    "cut-log": Breaker.cut_log,
    "pause-directory": Breaker.pause_directory,
}
"""All kinds of faults by name, in the order in which they come the first time."""


def plan(count: int, chance: random.Random, only: Sequence[str] = ()) -> list[str]:
    """Which faults there will be: every kind in turn, then at random, each about as often."""
    kinds = list(only or KINDS)
    found = kinds[:count]
    while len(found) < count:
        chance.shuffle(kinds)
        found += kinds[: count - len(found)]
    return found
