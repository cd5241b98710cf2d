"""The channels of rollouts in SQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec
from sqlalchemy import and_, case, exists, false, func, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from godwit.rollout.values import Candidate, Goal, Item, Regoal, Tally
from godwit.store.base import FINISHED
from godwit.store.database import chunks, structs
from godwit.store.facts import ChannelFacts, may_be_planned
from godwit.store.moves import Moves
from godwit.store.schema import facts, holds, items, live, moves, placements, rollouts
from godwit.values import Move, Placement


class Items(ChannelFacts, Moves):
    """The part of `SqlStore` that knows which channels a rollout moves, and how far each is."""

    async def items(
        self, rollout: str, *, wave: int | None = None, state: str | None = None, after: str = "", limit: int = 1000
    ) -> list[Item]:
        """Items by channel name, beginning behind the name `after`."""
        query = select(items).where(items.c.rollout == rollout, items.c.channel > after)
        if wave is not None:
            query = query.where(items.c.wave == wave)
        if state is not None:
            query = query.where(items.c.state == state)
        return structs(await self._fetch(query.order_by(items.c.channel).limit(limit)), Item)

    async def item(self, rollout: str, channel: str) -> Item | None:
        """One item."""
        rows = await self._fetch(select(items).where(items.c.rollout == rollout, items.c.channel == channel))
        return next(iter(structs(rows, Item)), None)

    async def items_of(self, channel: str) -> list[Item]:
        """The channel's items in all rollouts, that of the newest rollout first."""
        query = select(items).join(rollouts, rollouts.c.id == items.c.rollout).where(items.c.channel == channel)
        return structs(await self._fetch(query.order_by(rollouts.c.number.desc())), Item)

    async def items_by_move(self, move_ids: Sequence[str]) -> list[Item]:
        """The items whose `move` is among these, in no particular order."""

        async def work(connection: AsyncConnection) -> list[Item]:
            found: list[Item] = []
            for ids in chunks(move_ids):
                found += structs(await connection.execute(select(items).where(items.c.move.in_(ids))), Item)
            return found

        return await self._read(work)

    async def tallies(self, rollout: str) -> list[Tally]:
        """How many items are in which state, for each wave and goal that has any."""
        back = func.sum(case((items.c.goal == "back", 1), else_=0)).label("back")
        # Grouped in the order of the index, which has all that is asked for.
        query = select(items.c.state, items.c.wave, func.count().label("items"), back)
        query = query.where(items.c.rollout == rollout).group_by(items.c.rollout, items.c.state, items.c.wave)
        tallies: list[Tally] = []
        for row in await self._fetch(query):
            tallies.append(Tally(row.wave, "there", row.state, row.items - row.back))
            tallies.append(Tally(row.wave, "back", row.state, row.back))
        found = [tally for tally in tallies if tally.count]
        return sorted(found, key=lambda tally: (tally.wave, tally.goal, tally.state))

    async def eligible(
        self,
        rollout: str,
        *,
        goals: Sequence[Goal],
        upto: int,
        mandatory: Collection[int],
        now: float,
        offline_for: float,
        starts_within: float,
        force: bool,
        limit: int,
    ) -> list[tuple[Item, Candidate]]:
        """Items in state `waiting` with one of `goals`, of waves 0 to `upto`, that seem free to move."""
        lately = live.c.since > max(0.0, now - offline_for)
        bound = and_(items.c.goal == "there", items.c.wave.not_in(list(mandatory)))
        reasons = [
            exists().where(holds.c.channel == items.c.channel),
            and_(bound, exists().where(facts.c.channel == items.c.channel, facts.c.opt == "out")),
        ]
        if not force:
            soon = facts.c.starts_at.between(now, now + starts_within)
            streams = or_(
                exists().where(live.c.channel == items.c.channel, or_(live.c.live == true(), lately)),
                exists().where(facts.c.channel == items.c.channel, soon),
            )
            reasons.append(and_(items.c.force == false(), streams))
        query = (
            select(items)
            .where(items.c.rollout == rollout, items.c.state == "waiting", items.c.wave <= upto)
            .where(items.c.goal.in_(goals))
            .where(and_(*(~reason for reason in reasons)))
            .order_by(items.c.wave, items.c.members, items.c.channel)
            .limit(limit)
        )

        async def work(connection: AsyncConnection) -> list[tuple[Item, Candidate]]:
            found = structs(await connection.execute(query), Item)
            return list(zip(found, await self._candidates(connection, [item.channel for item in found]), strict=True))

        return await self._read(work)

    async def arrived(self, rollout: str, limit: int) -> list[tuple[Item, Move, Placement]]:
        """Items in state `moving` whose move is `draining` or over, by channel name."""
        query = (
            select(items)
            .join(moves, moves.c.id == items.c.move)
            .where(items.c.rollout == rollout, items.c.state == "moving", moves.c.state.in_(("draining", *FINISHED)))
            .order_by(items.c.channel)
            .limit(limit)
        )

        async def work(connection: AsyncConnection) -> list[tuple[Item, Move, Placement]]:
            found = structs(await connection.execute(query), Item)
            arrived = await self._moves(connection, [item.move for item in found])
            rows = await self._placements(connection, [item.channel for item in found], drains=False)
            return [(item, arrived[item.move], row) for item, row in zip(found, rows, strict=True)]

        return await self._read(work)

    async def newcomers(self, rollout: str, clusters: Sequence[str], limit: int, *, after: str = "") -> list[Candidate]:
        """Channels with rows on one of `clusters` that are no items of the rollout, by name, behind `after`."""
        name = placements.c.channel
        query = (
            select(name)
            .where(placements.c.cluster.in_(clusters), name > after, may_be_planned(name))
            .where(~exists().where(items.c.rollout == rollout, items.c.channel == name))
            .order_by(name)
            .limit(limit)
        )

        async def work(connection: AsyncConnection) -> list[Candidate]:
            return await self._candidates(connection, (await connection.scalars(query)).all())

        return await self._read(work)

    async def _write_items(self, connection: AsyncConnection, written: Sequence[Item]) -> None:
        """Write items as they are to be, new ones too."""
        if not written:
            return
        members: dict[str, int] = {}
        for names in chunks(item.channel for item in written):
            sizes = select(facts.c.channel, facts.c.members).where(facts.c.channel.in_(names))
            members |= {row.channel: row.members for row in await connection.execute(sizes)}
        latest = {(item.rollout, item.channel): item for item in written}
        rows = [
            msgspec.to_builtins(item) | {"members": members.get(item.channel, 0)} for _, item in sorted(latest.items())
        ]
        await connection.execute(self._put(items, "rollout", "channel"), rows)

    async def _regoal(self, connection: AsyncConnection, regoal: Regoal) -> None:
        changed = update(items).where(items.c.rollout == regoal.rollout, items.c.goal != regoal.goal)
        if regoal.wave is not None:
            changed = changed.where(items.c.wave == regoal.wave)
        if not regoal.skipped:
            changed = changed.where(items.c.state != "skipped")
        anew = {"goal": regoal.goal, "force": False, "fails": 0}
        still = changed.where(items.c.state != "moving")
        await connection.execute(still.values(**anew, state="waiting", error="", since=regoal.time))
        await connection.execute(changed.values(**anew))
        if regoal.force:
            under_way = update(items).where(
                items.c.rollout == regoal.rollout,
                items.c.goal == regoal.goal,
                items.c.state.in_(("waiting", "moving")),
            )
            if regoal.wave is not None:
                under_way = under_way.where(items.c.wave == regoal.wave)
            await connection.execute(under_way.values(force=True))
