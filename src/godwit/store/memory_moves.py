"""The journal of moves in dictionaries."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from godwit.store import refusals
from godwit.store.base import FINISHED, MOVING
from godwit.store.memory_channels import MemoryChannels
from godwit.store.steps import NOT_SEALED, cancelled, fits, written
from godwit.values import Move, MoveState


class MemoryMoves(MemoryChannels):
    """The part of `MemoryStore` that remembers moves."""

    async def begin_move(self, move: Move) -> Move:
        """Journal a new move; refused while the channel has one that is not committed."""
        self._check_begin([move], [])
        return self._moves.setdefault(move.id, move)

    def _check_begin(self, begin: Iterable[Move], cancel: Iterable[str]) -> None:
        """Refuse moves of channels that have one which is neither committed nor among those to be cancelled."""
        away = {move_id for move_id in cancel if move_id in self._moves and self._moves[move_id].state in NOT_SEALED}
        busy = {move.channel: move for move in self._moves.values() if move.state in MOVING and move.id not in away}
        for move in begin:
            if move.id in self._moves:
                continue
            other = busy.setdefault(move.channel, move)
            if other.id != move.id:
                raise refusals.move_under_way(other)

    def _cancel(self, move_ids: Iterable[str], error: str, now: float) -> None:
        """Cancel those that are known and not sealed."""
        for move_id in move_ids:
            move = self._moves.get(move_id)
            if move and move.state in NOT_SEALED:
                self._moves[move_id] = cancelled(move, error, now)

    async def journal(self, move: Move, state: MoveState, now: float) -> Move | None:
        """Write the move's next step; None if the stored version is not `move.version`."""
        return (await self.journal_many([(move, state)], now))[0]

    async def journal_many(self, steps: Sequence[tuple[Move, MoveState]], now: float) -> list[Move | None]:
        """`journal` for many moves in one write; each by itself may be refused."""
        return [self._step(step, now) for step in steps]

    def _step(self, step: tuple[Move, MoveState], now: float) -> Move | None:
        stored = self._moves.get(step[0].id)
        if stored is None or not fits(step, stored.version, finished=stored.state in FINISHED):
            return None
        live, _ = self._live.get(stored.channel, (False, 0.0))
        self._moves[stored.id] = written(step, now, live=live, held=stored.channel in self._holds)
        return self._moves[stored.id]

    async def move(self, move_id: str) -> Move | None:
        """One move by its id."""
        return self._moves.get(move_id)

    async def moves(
        self,
        *,
        channel: str | None = None,
        rollout: str | None = None,
        unfinished: bool = False,
        moving: bool = False,
        but: Collection[str] = (),
        limit: int = 100,
    ) -> list[Move]:
        """Moves, newest first."""
        found = [
            move
            for move in reversed(self._moves.values())
            if move.id not in but
            and channel in (None, move.channel)
            and rollout in (None, move.rollout)
            and not (unfinished and move.state in FINISHED)
            and not (moving and move.state not in MOVING)
        ]
        return found[:limit]
