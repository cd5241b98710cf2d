"""Wishes and issues in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from godwit.rollout.values import Issue, Wish
from godwit.store.database import Database
from godwit.store.schema import issues, wishes


def _wish(row: Row[Any]) -> Wish:
    return msgspec.convert(row._mapping, Wish)


def _issue(row: Row[Any]) -> Issue:
    return msgspec.convert(row._mapping, Issue)


class Wishes(Database):
    """The part of `SqlStore` that remembers what operators want and what they found wrong."""

    async def add_wish(self, wish: Wish) -> Wish:
        """Record a wish; one whose id is known is returned as stored."""
        values = msgspec.to_builtins(wish)
        del values["number"]

        async def work(connection: AsyncConnection) -> Wish:
            await connection.execute(self._insert_new(wishes).values(values))
            return _wish((await connection.execute(select(wishes).where(wishes.c.id == wish.id))).one())

        return await self._write(work)

    async def wish(self, wish_id: str) -> Wish | None:
        """One wish by its id."""
        rows = await self._fetch(select(wishes).where(wishes.c.id == wish_id))
        return _wish(rows[0]) if rows else None

    async def wishes(self, *, new: bool = False, rollout: str | None = None, limit: int = 100) -> list[Wish]:
        """Wishes: the new ones oldest first, otherwise newest first."""
        query = select(wishes).order_by(wishes.c.number if new else wishes.c.number.desc()).limit(limit)
        if new:
            query = query.where(wishes.c.state == "new")
        if rollout is not None:
            query = query.where(wishes.c.rollout == rollout)
        return [_wish(row) for row in await self._fetch(query)]

    async def issues(self, rollout: str, *, open_only: bool = False) -> list[Issue]:
        """Its issues, oldest first."""
        query = select(issues).where(issues.c.rollout == rollout).order_by(issues.c.number)
        if open_only:
            query = query.where(issues.c.resolved == 0.0)
        return [_issue(row) for row in await self._fetch(query)]

    async def _answer(self, connection: AsyncConnection, answered: Sequence[Wish]) -> None:
        """Write what came of wishes; those that are not known are passed over."""
        if answered:
            await connection.execute(
                update(wishes)
                .where(wishes.c.id == bindparam("known"))
                .values(state=bindparam("outcome"), answer=bindparam("told")),
                [{"known": wish.id, "outcome": wish.state, "told": wish.answer} for wish in answered],
            )

    async def _write_issues(self, connection: AsyncConnection, written: Sequence[Issue]) -> None:
        if written:
            await connection.execute(self._put(issues, "id"), [msgspec.to_builtins(issue) for issue in written])
