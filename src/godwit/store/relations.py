"""What ties accounts to channels, in SQL: followers, subscribers, and roles from the beginning."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Insert, Row, and_, bindparam, delete, false, select, text, true, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from godwit.store.base import Sanction
from godwit.store.database import CHUNK
from godwit.store.people import People
from godwit.store.people_base import Related, Tie
from godwit.store.schema import accounts, relations, sanctions
from godwit.values import Relation

_COLUMNS: dict[Tie, tuple[str, ...]] = {"follow": ("follows_since",), "subscription": ("subscriber", "months", "tier")}


_BY_PAIRS = text(
    """
    SELECT known.channel, known.user_id, known.follows_since, known.subscriber, known.months, known.tier
    FROM json_each(:pairs) AS pair CROSS JOIN relations AS known
    ON known.channel = json_extract(pair.value, '$[0]') AND known.user_id = json_extract(pair.value, '$[1]')
    """
).columns(*relations.columns)
"""For SQLite, which reads the whole table when it is asked for `(channel, user_id) IN (...)`."""


def tied(tie: Tie) -> ColumnElement[bool]:
    """The rows of followers, or of subscribers."""
    return relations.c.follows_since > 0 if tie == "follow" else relations.c.subscriber == true()


def _relation(row: Row[Any]) -> Relation:
    return Relation(row.channel, row.user_id, row.follows_since, row.subscriber, row.months, row.tier)


class Relations(People):
    """The part of `SqlStore` that knows who belongs to a channel."""

    async def relations(self, pairs: Sequence[tuple[str, str]]) -> list[Relation]:
        """What ties accounts to channels, in the order asked for."""
        key = tuple_(relations.c.channel, relations.c.user_id)

        async def work(connection: AsyncConnection) -> dict[tuple[str, str], Relation]:
            found: dict[tuple[str, str], Relation] = {}
            for some in _portions(sorted(set(pairs))):
                if self._is_sqlite:
                    rows = await connection.execute(_BY_PAIRS, {"pairs": msgspec.json.encode(some).decode()})
                else:
                    rows = await connection.execute(select(relations).where(key.in_(some)))
                for row in rows:
                    found[row.channel, row.user_id] = _relation(row)
            return found

        found = await self._read(work) if pairs else {}
        return [found.get(pair) or Relation(*pair) for pair in pairs]

    async def set_relations(self, rows: Sequence[Relation], ties: Collection[Tie]) -> None:
        """Write those halves of relations that `ties` names; rows that say nothing any more are removed."""
        latest = {(row.channel, row.user_id): row for row in rows}
        if not latest:
            return
        ordered = [latest[key] for key in sorted(latest)]
        written = [name for tie in ties for name in _COLUMNS[tie]]
        # What is not written belongs to the other half: it is blank in a new row, and stays in an old one.
        new = [
            msgspec.structs.asdict(Relation(row.channel, row.user_id)) | {name: getattr(row, name) for name in written}
            for row in ordered
        ]
        ended = [
            {"in_channel": row["channel"], "of_user": row["user_id"]}
            for row in new
            if not any(row[name] for name in written)
        ]
        blank = and_(
            relations.c.channel == bindparam("in_channel"),
            relations.c.user_id == bindparam("of_user"),
            relations.c.follows_since == 0,
            relations.c.subscriber == false(),
            relations.c.months == 0,
        )

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(self._put_columns(written), new)
            if ended:
                await connection.execute(delete(relations).where(blank), ended)
            await self._count_change(connection)

        await self._write(work)

    def _put_columns(self, names: Sequence[str]) -> Insert:
        new = sqlite.insert(relations) if self._is_sqlite else postgresql.insert(relations)
        return new.on_conflict_do_update(
            index_elements=("channel", "user_id"), set_={name: new.excluded[name] for name in names}
        )

    async def related(self, channel: str, tie: Tie, *, after: str = "", limit: int = 1000) -> list[Related]:
        """A channel's followers or subscribers that have accounts, by user id."""
        here = select(relations, accounts.c.login).join(accounts, accounts.c.user_id == relations.c.user_id)
        query = (
            here.where(relations.c.channel == channel, relations.c.user_id > after, tied(tie))
            .order_by(relations.c.user_id)
            .limit(limit)
        )
        return [Related(row.login, _relation(row)) for row in await self._fetch(query)]

    async def set_first_roles(self, rows: Sequence[Sanction]) -> None:
        """Write roles that count from the beginning; one of the same id is replaced."""
        latest = {row.id: row for row in rows}
        if not latest:
            return
        new = []
        for row_id in sorted(latest):
            values = msgspec.to_builtins(latest[row_id])
            values.pop("position")
            new.append({**values, "epoch": 0, "sequence": 0})

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(self._put(sanctions, "id"), new)
            await self._count_change(connection, "roles")

        await self._write(work)


def _portions(pairs: Sequence[tuple[str, str]]) -> Iterator[Sequence[tuple[str, str]]]:
    """The pairs in portions that one statement can name."""
    return (pairs[start : start + CHUNK] for start in range(0, len(pairs), CHUNK))
