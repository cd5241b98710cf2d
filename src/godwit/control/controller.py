"""The controller: the only thing that moves channels. It wakes on wishes and deadlines and carries moves out.

Each move has one task here, which goes on from the journal until the move is over. What is
unavailable is tried again with growing pauses; a move that another controller went on with is read
from the journal again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping

import structlog

from godwit.chatlog.base import ChatLog
from godwit.clock import Clock
from godwit.control.mover import Mover, Superseded
from godwit.errors import ChatLogUnavailable, StoreUnavailable
from godwit.rollout.moves import FINAL
from godwit.settings import MoveSettings
from godwit.store.base import Store
from godwit.values import Move

log = structlog.get_logger()

LOOK = 5.0
"""Seconds after which the journal is looked at without a wake: wishes of other processes."""

LONGEST_PAUSE = 5.0
"""Seconds between tries, at most."""


class Controller:
    """Carries out every unfinished move of the journal.

    Args:
        store, logs, clock: the ports; `logs` by cluster.
        settings: lease and drain.
        clusters: names that channels may move to.
        drained: says whether nobody is left of a channel on a cluster, so that its drain may end early.
        changed: called after each journaled step.
        skip_seal: for the demo's fault only, see `Mover`.
        sleep: how pauses are made.
    """

    def __init__(
        self,
        store: Store,
        logs: Mapping[str, ChatLog],
        clock: Clock,
        settings: MoveSettings,
        *,
        clusters: Collection[str] = (),
        drained: Callable[[str, str], bool] = lambda channel, cluster: False,
        changed: Callable[[], None] = lambda: None,
        skip_seal: bool = False,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._clock = clock
        self._settings = settings
        self._drained = drained
        self._sleep = sleep
        self._mover = Mover(
            store, logs, clock, settings, clusters=clusters, skip_seal=skip_seal, journaled=lambda move: changed()
        )
        self._wake = asyncio.Event()
        self._under_way: set[str] = set()

    def wake(self) -> None:
        """A wish was recorded: look at the journal now."""
        self._wake.set()

    async def run(self) -> None:
        """Carry moves out until cancelled; what was begun is in the journal."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                try:
                    unfinished = await self._store.moves(unfinished=True, limit=10_000)
                except StoreUnavailable as error:
                    log.warning("journal_unavailable", error=str(error))
                    unfinished = []
                for move in reversed(unfinished):
                    if move.id not in self._under_way:
                        self._under_way.add(move.id)
                        group.create_task(self._carry(move), name=f"move {move.id}")
                try:
                    async with asyncio.timeout(LOOK):
                        await self._wake.wait()
                except TimeoutError:
                    continue

    def statistics(self) -> dict[str, int]:
        """How many moves are under way here."""
        return {"under_way": len(self._under_way)}

    async def _carry(self, move: Move) -> None:
        """One move, to its end."""
        pause = 0.1
        try:
            while move.state not in FINAL:
                try:
                    before = move.state
                    if move.state == "draining":
                        await self._wait_drained(move)
                        move = await self._mover.settle(move)
                    else:
                        move = await self._mover.carry(move)
                    log.info("move", channel=move.channel, to=move.target, state=move.state, before=before)
                    pause = 0.1
                except (ChatLogUnavailable, StoreUnavailable) as error:
                    log.warning("move_waits", channel=move.channel, state=move.state, error=str(error))
                    await self._sleep(pause)
                    pause = min(pause * 2, LONGEST_PAUSE)
                    move = await self._reread(move)
                except Superseded:
                    move = await self._reread(move)
        except Exception:
            log.exception("move_given_up", channel=move.channel, move=move.id, state=move.state)
        finally:
            self._under_way.discard(move.id)

    async def _reread(self, move: Move) -> Move:
        try:
            return await self._store.move(move.id) or move
        except StoreUnavailable:
            return move

    async def _wait_drained(self, move: Move) -> None:
        """Wait until the drain is over: its time has passed, or nobody is left there; a lease at least (L3)."""
        left = move.source.cluster if move.source else ""
        begun = move.history[-1][1]
        while (passed := self._clock.now() - begun) < max(self._settings.drain, self._settings.lease):
            if passed >= self._settings.lease and self._drained(move.channel, left):
                return
            await self._sleep(min(max(self._settings.drain, self._settings.lease) - passed, 1.0))
