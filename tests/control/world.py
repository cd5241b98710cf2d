"""A store and two clusters' logs for the tests of this room, and what can go wrong with them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import msgspec

from godwit.chatlog.memory import MemoryLog
from godwit.clock import FakeClock
from godwit.control.mover import Mover
from godwit.settings import MoveSettings
from godwit.store.memory import MemoryStore
from godwit.store.rollout_base import RolloutStore
from godwit.values import Author, Entry, Message, Move, MoveState, Open, Placement, Record, Seal, Segment

SETTINGS = MoveSettings(lease=10.0, drain=60.0)
ANN = Author("1", "ann")


class Dies(BaseException):
    """The process ends here."""


class Faulty:
    """Passes calls on to a port, but for those that a test has something in mind for.

    Args:
        port: a log or a store.
        disturb: called before and after each asynchronous call with its name and whether it is done; it may raise.
    """

    def __init__(self, port: Any, disturb: Callable[[str, bool], None]) -> None:
        self._port = port
        self._disturb = disturb

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._port, name)
        if name in ("stream", "cluster", "subscribe"):
            return value

        async def call(*args: Any, **kwargs: Any) -> Any:
            self._disturb(name, False)
            answer = await value(*args, **kwargs)
            self._disturb(name, True)
            return answer

        return call


def quiet(name: str, done: bool) -> None:
    """Nothing goes wrong."""


class World:
    """The channel #room on `main`, with epoch 1, and the clusters `aws` and `event` to go to.

    Args:
        store: one in memory unless given.
    """

    def __init__(self, store: RolloutStore | None = None) -> None:
        self.clock = FakeClock(1000.0)
        self.store: RolloutStore = store or MemoryStore()
        self.logs = {name: MemoryLog(name, f"{name}/1", self.clock) for name in ("main", "aws", "event")}
        self.steps: list[Move] = []
        self._moves = 0

    async def start(self) -> None:
        """Let the network begin, with some talk in the channel."""
        await self.store.set_default(Segment("main", 1, 0, "main/1"), hold_until=0.0)
        await self.say("main", 1)

    def mover(self, disturb: Callable[[str, bool], None] = quiet, **options: Any) -> Mover:
        """A controller's mover, of which each call may be disturbed."""
        logs: Any = {name: Faulty(log, disturb) for name, log in self.logs.items()}
        store: Any = Faulty(self.store, disturb)
        return Mover(store, logs, self.clock, SETTINGS, journaled=self.steps.append, **options)

    async def wish(self, target: str = "aws", **changes: Any) -> Move:
        """Record a wish, as the API does."""
        self._moves += 1
        move = Move(f"m{self._moves}", "room", target, "wished", history=(("wished", self.clock.now()),))
        return await self.store.begin_move(msgspec.structs.replace(move, **changes))

    async def upto(self, state: MoveState, **changes: Any) -> Move:
        """A move that a controller left in this state."""
        move = await self.wish(**changes)
        return move if state == "wished" else await self.resume(move, state)

    async def resume(self, move: Move, state: MoveState) -> Move:
        """Have a controller go on with a move from the journal, that dies when it has come to this state."""
        move = await self.journaled(move)
        before = len(self.steps)

        def stop(name: str, done: bool) -> None:
            if any(step.id == move.id and step.state == state for step in self.steps[before:]):
                raise Dies

        with contextlib.suppress(Dies):
            await self.mover(stop).carry(move)
        return await self.journaled(move)

    async def journaled(self, move: Move) -> Move:
        """The move as the journal has it."""
        found = await self.store.move(move.id)
        assert found
        return found

    async def say(self, cluster: str, epoch: int, number: int = 1, producer: str = "p") -> int:
        """Have a line in a cluster's log."""
        line = Message(f"{producer}{number}", epoch, producer, number, ANN, "hi")
        return await self.append(cluster, line)

    async def append(self, cluster: str, record: Record) -> int:
        """Have a record in a cluster's log."""
        log = self.logs[cluster]
        return await log.append("room", record, stream=log.stream("room"))

    async def entries(self, cluster: str) -> list[Entry]:
        """All that a cluster's log has of the channel."""
        return list((await self.logs[cluster].read("room", 0)).entries)

    async def seals(self, cluster: str) -> list[Seal]:
        """The seals in a cluster's log."""
        return [entry.record for entry in await self.entries(cluster) if isinstance(entry.record, Seal)]

    async def opens(self, cluster: str) -> list[Open]:
        """The opens in a cluster's log."""
        return [entry.record for entry in await self.entries(cluster) if isinstance(entry.record, Open)]

    async def placement(self) -> Placement:
        """Where the channel is."""
        return await self.store.placement("room")

    def lose_log(self, cluster: str, life: int = 2) -> None:
        """Put a new and empty log in place of a cluster's log."""
        self.logs[cluster] = MemoryLog(cluster, f"{cluster}/{life}", self.clock)
