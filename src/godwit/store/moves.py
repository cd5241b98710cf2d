"""The journal of moves in SQL."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import bindparam, false, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from godwit.store import refusals
from godwit.store.base import FINISHED, MOVING
from godwit.store.database import chunks, structs
from godwit.store.placements import Placements
from godwit.store.schema import moves
from godwit.store.steps import NOT_SEALED, cancelled, fits, written
from godwit.values import Move, MoveState


def _values(move: Move) -> dict[str, Any]:
    values: dict[str, Any] = msgspec.to_builtins(move)
    return values | {"finished": move.state in FINISHED, "moving": move.state in MOVING}


class Moves(Placements):
    """The part of `SqlStore` that remembers moves."""

    async def begin_move(self, move: Move) -> Move:
        """Journal a new move; refused while the channel has one that is not committed."""

        async def work(connection: AsyncConnection) -> Move:
            await self._begin(connection, [move])
            return (await self._moves(connection, [move.id]))[move.id]

        return await self._write(work)

    async def _begin(self, connection: AsyncConnection, begin: Sequence[Move]) -> None:
        """Journal new moves; those whose ids are known are left as they are."""
        if not begin:
            return
        # Two unique keys may be in the way: the move's id, and its channel among those not committed.
        new = self._insert_new(moves).returning(moves.c.id)
        missing = {move.id: move for move in begin}
        while missing:
            added = set(await connection.scalars(new, [_values(move) for move in missing.values()]))
            added |= (await self._moves(connection, missing)).keys()
            missing = {move.id: move for move in missing.values() if move.id not in added}
            for move in missing.values():
                rival = select(moves).where(moves.c.channel == move.channel, moves.c.moving == true())
                if found := structs(await connection.execute(rival), Move):
                    raise refusals.move_under_way(found[0])
                # It was committed just now: the channel is free.

    async def _cancel(self, connection: AsyncConnection, move_ids: Iterable[str], error: str, now: float) -> None:
        """Cancel those that are known and not sealed."""
        found = (await self._moves(connection, move_ids, keep=True)).values()
        await self._overwrite(connection, [cancelled(move, error, now) for move in found if move.state in NOT_SEALED])

    async def journal(self, move: Move, state: MoveState, now: float) -> Move | None:
        """Write the move's next step; None if the stored version is not `move.version`."""
        return (await self.journal_many([(move, state)], now))[0]

    async def journal_many(self, steps: Sequence[tuple[Move, MoveState]], now: float) -> list[Move | None]:
        """`journal` for many moves in one write; each by itself may be refused."""

        async def work(connection: AsyncConnection) -> list[Move | None]:
            stored = await self._versions(connection, [move.id for move, _ in steps])
            # The moves are locked by now: see `set_live`.
            sealing = [move.channel for move, state in steps if state == "sealing"]
            live = await self._live_among(connection, sealing)
            held = await self._held_among(connection, sealing)
            answers: list[Move | None] = []
            for step in steps:
                move = step[0]
                version, finished = stored.get(move.id, (None, False))
                if version is None or not fits(step, version, finished=finished):
                    answers.append(None)
                    continue
                new = written(step, now, live=move.channel in live, held=move.channel in held)
                stored[move.id] = (new.version, new.state in FINISHED)
                answers.append(new)
            await self._overwrite(connection, [new for new in answers if new])
            return answers

        return await self._write(work)

    async def _versions(self, connection: AsyncConnection, move_ids: Iterable[str]) -> dict[str, tuple[int, bool]]:
        found: dict[str, tuple[int, bool]] = {}
        for ids in chunks(move_ids):
            query = select(moves.c.id, moves.c.version, moves.c.finished).where(moves.c.id.in_(ids))
            for row in await connection.execute(query.order_by(moves.c.id).with_for_update()):
                found[row.id] = (row.version, row.finished)
        return found

    async def _moves(
        self, connection: AsyncConnection, move_ids: Iterable[str], *, keep: bool = False
    ) -> dict[str, Move]:
        """Moves by their ids; `keep` lets nobody change them before the transaction ends."""
        found: dict[str, Move] = {}
        for ids in chunks(move_ids):
            query = select(moves).where(moves.c.id.in_(ids)).order_by(moves.c.id)
            rows = await connection.execute(query.with_for_update() if keep else query)
            found |= {move.id: move for move in structs(rows, Move)}
        return found

    async def _overwrite(self, connection: AsyncConnection, changed: Sequence[Move]) -> None:
        """Write moves over what is stored; of one move the last of these stays."""
        if not changed:
            return
        newest = {move.id: move for move in changed}
        rows = [_values(move) | {"known": move.id} for move in newest.values()]
        for row in rows:  # what never changes: the database would write indexes anew
            for name in ("id", "channel", "target", "forced", "evacuate", "by", "reason", "rollout", "cold"):
                del row[name]
        await connection.execute(update(moves).where(moves.c.id == bindparam("known")), rows)

    async def move(self, move_id: str) -> Move | None:
        """One move by its id."""
        rows = await self._fetch(select(moves).where(moves.c.id == move_id))
        return next(iter(structs(rows, Move)), None)

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
        """Moves, newest first, but those with these ids."""
        query = select(moves).order_by(moves.c.number.desc())
        if channel is not None:
            query = query.where(moves.c.channel == channel)
        if rollout is not None:
            query = query.where(moves.c.rollout == rollout)
        if unfinished:
            query = query.where(moves.c.finished == false())
        if moving:
            query = query.where(moves.c.moving == true())
        if not but:
            return structs(await self._fetch(query.limit(limit)), Move)

        async def work(connection: AsyncConnection) -> list[Move]:
            ids = await connection.scalars(query.with_only_columns(moves.c.id))
            wanted = [move_id for move_id in ids if move_id not in but][:limit]
            found = await self._moves(connection, wanted)
            return [found[move_id] for move_id in wanted]

        return await self._read(work)
