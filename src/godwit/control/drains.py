"""Ends drains: verifies each move, notes who followed, and settles it (step 7 of a move)."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Sequence

import msgspec
import structlog

from godwit.clock import Clock
from godwit.control.mover import Mover
from godwit.control.ports import Crowd
from godwit.errors import ChatLogUnavailable, StoreUnavailable
from godwit.settings import MoveSettings
from godwit.values import Move

log = structlog.get_logger()

TOGETHER = 500
"""Drains that are ended in one go, at most."""

LOOK = 1.0
"""Seconds between two looks whether somebody is left."""

LATER = 60.0
"""Seconds after which a drain is looked at again that could not be ended by a fault of ours."""

MOST_NAMED = 100
"""Logins of those who stayed that are kept for one move."""


class Outcome(msgspec.Struct, frozen=True):
    """What is known of a move at the end of its drain.

    Attributes:
        left: connections that are still in the channel on the old cluster.
        members: connections in the channel on all clusters.
        stayed: logins of those that are left, the first hundred.
        verified: `ok`, or what was wrong.
    """

    move: Move
    left: int = 0
    members: int = 0
    stayed: tuple[str, ...] = ()
    verified: str = ""


async def unverified(moves: Sequence[Move]) -> list[str]:
    """Nobody verifies moves."""
    return [""] * len(moves)


async def unrecorded(outcomes: Sequence[Outcome]) -> None:
    """Nobody keeps what is known of moves."""


class Drains:
    """The drains that are under way here.

    Args:
        verify: what is wrong with each of some moves, `ok` for nothing.
        record: keeps outcomes; called before the moves are settled.
        sleep: how pauses are made.
    """

    def __init__(
        self,
        mover: Mover,
        crowd: Crowd,
        clock: Clock,
        settings: MoveSettings,
        *,
        verify: Callable[[Sequence[Move]], Awaitable[list[str]]] = unverified,
        record: Callable[[Sequence[Outcome]], Awaitable[None]] = unrecorded,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._mover = mover
        self._crowd = crowd
        self._clock = clock
        self._settings = settings
        self._verify = verify
        self._record = record
        self._sleep = sleep
        self._due: list[tuple[float, str]] = []
        self._moves: dict[str, Move] = {}
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        return len(self._moves)

    def __contains__(self, move_id: str) -> bool:
        return move_id in self._moves

    def add(self, move: Move) -> None:
        """See to a move that is draining; never before a lease has passed (rule L3)."""
        if move.id not in self._moves:
            self._moves[move.id] = move
            heapq.heappush(self._due, (move.history[-1][1] + self._settings.lease, move.id))
            self._wake.set()

    def forget(self) -> None:
        """Another controller sees to them."""
        self._moves.clear()
        self._due.clear()

    async def run(self) -> None:
        """End drains until cancelled."""
        while True:
            self._wake.clear()
            if not self._due:
                await self._wake.wait()
                continue
            waits = self._due[0][0] - self._clock.now()
            if waits > 0:
                await self._sleep(min(waits, LOOK))
                continue
            await self._end(self._take())

    def _take(self) -> list[Move]:
        """Those that are due."""
        now, taken = self._clock.now(), list[Move]()
        while self._due and self._due[0][0] <= now and len(taken) < TOGETHER:
            move = self._moves.get(heapq.heappop(self._due)[1])
            if move is not None:
                taken.append(move)
        return taken

    async def _end(self, due: Sequence[Move]) -> None:
        """End the drains of those whom nobody is left to wait for; look again later at the others."""
        now = self._clock.now()
        over: list[Outcome] = []
        try:
            for move in due:
                assert move.source
                left = await self._crowd.left_behind(move.channel, move.source.cluster)
                until = move.history[-1][1] + max(self._settings.drain, self._settings.lease)
                if left and not move.cold and now < until:
                    heapq.heappush(self._due, (min(now + LOOK, until), move.id))
                else:
                    stayed = tuple(dict.fromkeys(left))[:MOST_NAMED]
                    over.append(Outcome(move, len(left), stayed=stayed))
            if not over:
                return
            verified = await self._verify([outcome.move for outcome in over])
            presence = await self._crowd.presence([outcome.move.channel for outcome in over])
            over = [
                msgspec.structs.replace(outcome, verified=found, members=here.members)
                for outcome, found, here in zip(over, verified, presence, strict=True)
            ]
            await self._record(over)
            for carried in await self._mover.settle_all([outcome.move for outcome in over]):
                if isinstance(carried.error, ChatLogUnavailable):
                    heapq.heappush(self._due, (now + LOOK, carried.move.id))
                    log.warning("settling_waits", channel=carried.move.channel, error=str(carried.error))
                else:
                    self._moves.pop(carried.move.id, None)
        except (ChatLogUnavailable, StoreUnavailable) as error:
            log.warning("drains_wait", moves=len(due), error=str(error))
            self._again(self._left(due), now + LOOK)
        except Exception:
            log.exception("drains_given_up", moves=len(due), first=due[0].id)
            if len(due) == 1:
                self._again(self._left(due), now + LATER)
                return
            for move in self._left(due):  # whatever is wrong with one must not hold up the others
                await self._end([move])

    def _left(self, due: Sequence[Move]) -> list[Move]:
        """Those of which nothing has come yet."""
        waiting = {move_id for _, move_id in self._due}
        return [move for move in due if move.id in self._moves and move.id not in waiting]

    def _again(self, moves: Sequence[Move], when: float) -> None:
        for move in moves:
            heapq.heappush(self._due, (when, move.id))
