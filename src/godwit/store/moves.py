"""The journal of moves in SQL."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Row, false, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from godwit.store import refusals
from godwit.store.base import FINISHED, MOVING
from godwit.store.database import Database
from godwit.store.schema import moves
from godwit.values import Move, MoveState


def _values(move: Move) -> dict[str, Any]:
    values: dict[str, Any] = msgspec.to_builtins(move)
    return values | {"finished": move.state in FINISHED, "moving": move.state in MOVING}


def _move(row: Row[Any]) -> Move:
    return msgspec.convert(row._mapping, Move)


class Moves(Database):
    """The part of `SqlStore` that remembers moves."""

    async def begin_move(self, move: Move) -> Move:
        """Journal a new move; refused while the channel has one that is not committed."""
        rival = select(moves).where(moves.c.channel == move.channel, moves.c.moving == true())

        async def work(connection: AsyncConnection) -> Move:
            # Two unique keys may be in the way: the move's id, and its channel among those not committed.
            await connection.execute(self._insert_new(moves).values(_values(move)))
            stored = (await connection.execute(select(moves).where(moves.c.id == move.id))).one_or_none()
            if stored is not None:
                return _move(stored)
            raise refusals.move_under_way(_move((await connection.execute(rival)).one()))

        return await self._write(work)

    async def journal(self, move: Move, state: MoveState, now: float) -> Move | None:
        """Write the move's next step; None if the stored version is not `move.version`."""
        written = msgspec.structs.replace(
            move, state=state, version=move.version + 1, history=(*move.history, (state, now))
        )
        step = update(moves).where(moves.c.id == move.id, moves.c.version == move.version)
        if state not in FINISHED:
            step = step.where(moves.c.finished == false())
        return written if await self._change(step.values(_values(written))) else None

    async def move(self, move_id: str) -> Move | None:
        """One move by its id."""
        rows = await self._fetch(select(moves).where(moves.c.id == move_id))
        return _move(rows[0]) if rows else None

    async def moves(self, *, channel: str | None = None, unfinished: bool = False, limit: int = 100) -> list[Move]:
        """Moves, newest first."""
        query = select(moves).order_by(moves.c.number.desc()).limit(limit)
        if channel is not None:
            query = query.where(moves.c.channel == channel)
        if unfinished:
            query = query.where(moves.c.finished == false())
        return [_move(row) for row in await self._fetch(query)]
