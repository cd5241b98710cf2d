"""Controllers of the simulation: the real code, driven by hand, that may die at every await.

A dead one is replaced; a zombie freezes in mid-step and goes on much later, as if nothing had been.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from godwit.chatlog.base import Page
from godwit.control.mover import Mover, Superseded
from godwit.errors import ChatLogUnavailable, MoveRefused, StoreUnavailable
from godwit.values import Move, Record
from tests.model.schedule import Call, Request

if TYPE_CHECKING:
    from tests.model.world import World


OFTEN = ("lead", "rollouts", "wishes", "items", "candidates", "placements")
"""Calls that are made at every look; who died in each as often as in others would never come further."""


RARELY = ("newcomers", "pin", "default_placement", "journal sealed", "journal draining")
"""Calls that are made once or twice in a run of a rollout; dying in them is made more probable."""

LAST = {"tallies": 0.03}
"""Calls that are made when a rollout ends and nobody dies any more, and how probable it is to die in them then."""


class Log:
    """A log as a coroutine sees it."""

    def __init__(self, world: World, cluster: str) -> None:
        self._world = world
        self.cluster = cluster

    def stream(self, channel: str) -> str:
        return self._world.logs[self.cluster].stream(channel)

    async def append(self, channel: str, record: Record, *, stream: str) -> int:
        log, timeout = self._world.logs[self.cluster], self._world.log_settings.append_timeout
        self._world.label = f"append {type(record).__name__.lower()}"
        sequence: int = await Call(lambda done, failed: log.append(channel, record, stream, done, failed, timeout))
        return sequence

    async def release(self, channel: str, epoch: int) -> None:
        log = self._world.logs[self.cluster]
        self._world.label = "release"
        await Call(lambda done, failed: log.release(channel, epoch, done, failed))

    async def read(self, channel: str, after: int, limit: int = 500) -> Page:
        log = self._world.logs[self.cluster]
        self._world.label = "read"
        page: Page = await Call(lambda done, failed: log.read(channel, after, done, failed))
        return page


class Store:
    """The store as a coroutine sees it."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __getattr__(self, name: str) -> Any:
        async def call(*args: Any, **kwargs: Any) -> Any:
            store = self._world.store
            self._world.label = f"journal {args[0][0][1]}" if name == "journal_many" else name
            return await Call(lambda done, failed: store.call(name, args, kwargs, done, failed))

        return call


class Process:
    """Coroutines that die together, at any await.

    Args:
        deadly: how probable it is at each await to die before it, after it, and to freeze in it.
    """

    def __init__(self, world: World, deadly: float) -> None:
        self.world = world
        self.deadly = deadly
        self.alive = True
        self.busy: set[str] = set()
        self.logs: Any = {cluster: Log(world, cluster) for cluster in world.logs}
        self.store: Any = Store(world)
        self.mover = Mover(self.store, self.logs, world.schedule.clock, world.move_settings)

    def wake(self) -> None:
        """Begin what there is to do."""
        raise NotImplementedError

    def begin(self, name: str, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Run a coroutine to its end, unless one of that name runs already."""
        if name in self.busy:
            coroutine.close()
            return
        self.busy.add(name)
        self._step(name, coroutine, None, None)

    def _step(self, name: str, coroutine: Coroutine[Any, Any, Any], value: Any, error: BaseException | None) -> None:
        if not self.alive:
            coroutine.close()
            return
        rng, schedule = self.world.rng, self.world.schedule
        try:
            request: Request = coroutine.throw(error) if error else coroutine.send(value)
        except StopIteration:
            self.busy.discard(name)
            return
        except (ChatLogUnavailable, StoreUnavailable, Superseded, MoveRefused) as refused:
            self.world.visit(f"controller:{type(refused).__name__}")
            self.busy.discard(name)
            return
        label = self.world.label
        self.world.visit(f"step:{label}")
        roll = rng.random() * (10 if label in OFTEN else 0.3 if label in RARELY else 1)
        deadly = LAST.get(label, self.deadly)
        if roll < deadly:
            self.world.visit(f"crash before:{label}")
            self._die()
            return
        after = roll < 2 * deadly
        frozen = rng.uniform(5, 40) if 2 * deadly < roll <= 3 * deadly else 0.0

        def go_on(value: Any, error: BaseException | None) -> None:
            if after:
                self.world.visit(f"crash after:{label}")
                self._die()
            elif frozen and not self.world.healed:
                self.world.visit(f"zombie:{label}")
                self.world.replace(self, keep=True)
                schedule.after(frozen, lambda: self._step(name, coroutine, value, error))
            else:
                self._step(name, coroutine, value, error)

        request(lambda value: go_on(value, None), lambda error: go_on(None, error))

    def _die(self) -> None:
        if self.alive:
            self.alive = False
            self.world.replace(self)


class Controller(Process):
    """Carries the run's moves out, one at a time, until it dies."""

    def wake(self) -> None:
        if not self.alive or self.busy:
            return
        now = self.world.now()
        for move in self.world.moves():
            if move.state == "draining":
                if now >= move.history[-1][1] + self.world.move_settings.drain:
                    self.begin("move", self.mover.settle(move))
                    return
            elif move.state not in ("settled", "cancelled", "failed"):
                self.begin("move", self._carry(move))
                return

    async def _carry(self, move: Move) -> None:
        await self.mover.carry(move)
