"""The controller: the only thing that moves channels. It wakes on wishes, events and deadlines.

It leads, or waits for the lease (`conductor`); while it leads it carries out every unfinished move of the journal
(`mover`): hot ones by themselves, cold ones together; and ends drains (`drains`). What is unavailable is tried again
with growing pauses; a move that another controller went on with is read from the journal again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence

import structlog

from godwit.chatlog.base import ChatLog
from godwit.clock import Clock
from godwit.control.conductor import Conductor
from godwit.control.drains import Drains, unrecorded, unverified
from godwit.control.mover import Mover
from godwit.control.patience import patient_logs, patient_store
from godwit.control.ports import Crowd
from godwit.errors import ChatLogUnavailable, StoreUnavailable
from godwit.rollout.moves import FINAL
from godwit.settings import MoveSettings
from godwit.store.rollout_base import RolloutStore
from godwit.values import Move

log = structlog.get_logger()

LOOK = 5.0
"""Seconds after which the journal is looked at without a wake: wishes of other processes."""

FIRST_PAUSE = 0.1
"""Seconds before something is tried again; each further pause is twice as long."""

LONGEST_PAUSE = 5.0
"""Seconds between tries, at most."""

TOGETHER = 500
"""Cold moves that are carried out together."""

PATIENCE = 20.0
"""Seconds that a call of the store or a log may take."""

EVERY = 2**31 - 1


class Controller:
    """Carries out every unfinished move of the journal, and what the conductor begins.

    Args:
        store, logs, clock, crowd: the ports; `logs` by cluster.
        settings: lease and drain.
        conductor: leads and carries rollouts on; without one this controller always leads.
        clusters: names that channels may move to.
        verify: what is wrong with each of some moves at the end of their drains, `ok` for nothing.
        changed: called after each journaled step.
        skip_seal: for the demo's fault only, see `Mover`.
        sleep: how pauses are made.
    """

    def __init__(
        self,
        store: RolloutStore,
        logs: Mapping[str, ChatLog],
        clock: Clock,
        settings: MoveSettings,
        crowd: Crowd,
        *,
        conductor: Conductor | None = None,
        clusters: Collection[str] = (),
        verify: Callable[[Sequence[Move]], Awaitable[list[str]]] = unverified,
        changed: Callable[[], None] = lambda: None,
        skip_seal: bool = False,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = patient_store(store, PATIENCE)
        self._conductor = conductor
        self._changed = changed
        self._sleep = sleep
        self._mover = Mover(
            self._store,
            patient_logs(logs, PATIENCE),
            clock,
            settings,
            clusters=clusters,
            skip_seal=skip_seal,
            journaled=self._journaled,
        )
        record = conductor.record if conductor else unrecorded
        self._drains = Drains(self._mover, crowd, clock, settings, verify=verify, record=record, sleep=sleep)
        self._look = asyncio.Event()
        self._read = asyncio.Event()
        self._under_way: set[str] = set()
        self._term = -1
        if conductor:
            conductor.wake = self._look.set

    def wake(self) -> None:
        """Something has happened: a wish, a stream that ended, a gate that turned. Look now."""
        self._look.set()
        self._read.set()

    async def run(self) -> None:
        """Carry moves out until cancelled; what was begun is in the journal."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._lead(), name="lead")
            group.create_task(self._drains.run(), name="drains")
            while True:
                self._read.clear()
                try:
                    await self._begin(group)
                except StoreUnavailable as error:
                    log.warning("journal_unavailable", error=str(error))
                await _wait(self._read, LOOK)

    def statistics(self) -> dict[str, int]:
        """How many moves are under way here, and how many drain."""
        found = {"under_way": len(self._under_way), "draining": len(self._drains)}
        return found | (self._conductor.statistics() if self._conductor else {})

    async def _lead(self) -> None:
        """Have the conductor look whenever something has happened."""
        while self._conductor is not None:
            self._look.clear()
            try:
                waits = await self._conductor.look()
            except StoreUnavailable as error:
                log.warning("store_unavailable", error=str(error))
                waits = 1.0
            except Exception:
                # A rollout must not end because of one look; it is written down where it stands.
                log.exception("look_failed")
                self._conductor.leader.lose()
                waits = LONGEST_PAUSE
            self._read.set()
            await _wait(self._look, waits)

    async def _begin(self, group: asyncio.TaskGroup) -> None:
        """Give every move of the journal that nobody carries here to somebody."""
        term = self._conductor.leader.term if self._conductor else 0
        # One that ends while the journal is read would be taken up again as it was before.
        carried = set(self._under_way)
        if self._conductor is not None and not self._conductor.leader.leads:
            if self._term != -1:
                self._drains.forget()
                self._term = -1
            return
        if term != self._term:  # the drains of whoever led before
            self._term = term
            found = await self._store.moves(unfinished=True, limit=EVERY)
        else:
            found = await self._store.moves(moving=True, but=carried, limit=EVERY)
        cold: list[Move] = []
        for move in reversed(found):
            if move.state == "draining":
                self._drains.add(move)
            elif move.id not in carried and move.id not in self._under_way:
                self._under_way.add(move.id)
                if move.cold:
                    cold.append(move)
                else:
                    group.create_task(self._carry([move]), name=f"move {move.id}")
        for start in range(0, len(cold), TOGETHER):
            group.create_task(self._carry(cold[start : start + TOGETHER]), name="cold moves")

    async def _carry(self, moves: Sequence[Move]) -> None:
        """Moves, until each is draining or over."""
        ids = {move.id for move in moves}
        pause = FIRST_PAUSE
        try:
            while moves:
                try:
                    carried = await self._mover.carry_all(moves)
                except StoreUnavailable as error:
                    log.warning("moves_wait", moves=len(moves), channel=moves[0].channel, error=str(error))
                    await self._sleep(pause)
                    pause = min(pause * 2, LONGEST_PAUSE)
                    moves = await self._reread(moves)
                    continue
                if any(one.move.version > move.version for one, move in zip(carried, moves, strict=True)):
                    pause = FIRST_PAUSE
                moves = [one.move for one in carried if one.error is not None]
                waiting = [one for one in carried if isinstance(one.error, ChatLogUnavailable)]
                for one in waiting:
                    log.warning("move_waits", channel=one.move.channel, state=one.move.state, error=str(one.error))
                if waiting:
                    await self._sleep(pause)
                    pause = min(pause * 2, LONGEST_PAUSE)
                if moves:
                    moves = await self._reread(moves)
        except Exception:
            log.exception("moves_given_up", moves=len(moves), first=moves[0].id)
            if len(moves) > 1:  # whatever is wrong with one must not hold up the others
                for move in await self._reread(moves):
                    await self._carry([move])
        finally:
            self._under_way -= ids

    async def _reread(self, moves: Iterable[Move]) -> list[Move]:
        """The moves as journaled by now, without those that are over or drain."""
        found = []
        for move in moves:
            with contextlib.suppress(StoreUnavailable):
                move = await self._store.move(move.id) or move
            if move.state == "draining":
                self._drains.add(move)
            elif move.state not in FINAL:
                found.append(move)
        return found

    def _journaled(self, move: Move) -> None:
        if move.state == "draining":
            self._drains.add(move)
        if move.state in FINAL or move.state == "draining":
            if not move.cold:
                log.info("move", channel=move.channel, to=move.target, state=move.state, error=move.error)
            self._look.set()
        self._changed()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
