"""Clusters, placements, chains and live state in SQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, Table, and_, bindparam, delete, exists, false, func, insert, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from godwit.rollout.values import Event
from godwit.store import refusals
from godwit.store.database import chunks
from godwit.store.feed import Feed
from godwit.store.rollout_base import HIDDEN
from godwit.store.schema import clusters as cluster_table
from godwit.store.schema import default_placement, holds, moves, placements, retired, segments
from godwit.store.schema import live as live_table
from godwit.store.steps import changed, replaces
from godwit.values import Addresses, Placement, Segment

_DEFAULT = "default"
"""Name of the row of `default_placement`."""


def _segment(row: Row[Any]) -> Segment:
    return Segment(row.cluster, row.epoch, row.at, row.stream, row.unclean)


class Placements(Feed):
    """The part of `SqlStore` that says where channels are."""

    # clusters -------------------------------------------------------------------------------

    async def set_clusters(self, clusters: Mapping[str, Addresses]) -> None:
        """Replace the list of clusters."""
        rows = [
            {"name": name, "addresses": msgspec.to_builtins(addresses), "position": position}
            for position, (name, addresses) in enumerate(clusters.items())
        ]

        async def work(connection: AsyncConnection) -> None:
            await self._alone(connection, "clusters")
            await connection.execute(delete(cluster_table))
            if rows:
                await connection.execute(insert(cluster_table), rows)

        await self._write(work)

    async def clusters(self) -> dict[str, Addresses]:
        """The clusters with their public addresses."""
        rows = await self._fetch(select(cluster_table).order_by(cluster_table.c.position))
        return {row.name: msgspec.convert(row.addresses, Addresses) for row in rows}

    async def clusters_in_use(self) -> dict[str, int]:
        """Clusters that channels or unfinished moves need, and how many of both name each; hidden rooms need none."""
        shown = func.substr(moves.c.channel, 1, len(HIDDEN)) != HIDDEN
        unfinished = select(moves.c.target, moves.c.source).where(moves.c.finished == false(), shown)

        async def work(connection: AsyncConnection) -> dict[str, int]:
            uses = Counter(await _homes(connection))
            for target, source in await connection.execute(unfinished):
                uses.update({target} | ({source["cluster"]} if source else set()))
            return dict(uses)

        return await self._read(work)

    async def channels_on(self) -> dict[str, int]:
        """How many channels live on which cluster, of those that have rows; hidden rooms are left out."""
        return await self._read(_homes)

    async def retire(self, cluster: str, into: str, now: float) -> None:
        """Record that the addresses of `cluster` serve `into` from now on; '' brings it back."""
        stored = select(retired.c.into).where(retired.c.cluster == cluster)

        async def work(connection: AsyncConnection) -> None:
            await self._alone(connection, "retired")
            if (await connection.scalar(stored) or "") == into:
                return
            await connection.execute(delete(retired).where(retired.c.cluster == cluster))
            if into:
                await connection.execute(insert(retired).values(cluster=cluster, into=into, time=now))
            await self._say(connection, [Event("retired", now, details={"cluster": cluster, "into": into})])

        await self._write(work)

    async def retired(self) -> Mapping[str, str]:
        """Retired clusters, and what serves in their place."""
        return {row.cluster: row.into for row in await self._fetch(select(retired))}

    # placements -----------------------------------------------------------------------------

    async def placement(self, channel: str) -> Placement:
        """Where the channel is; the default placement for one without a row."""
        return (await self.placements([channel]))[0]

    async def placements(self, channels: Sequence[str]) -> list[Placement]:
        """The same for many, in the order asked for."""
        return await self._read(lambda connection: self._placements(connection, channels))

    async def rows(self, after: str = "", limit: int = 1000) -> list[Placement]:
        """Placements that have rows, by channel name."""
        names = select(placements.c.channel).where(placements.c.channel > after)

        async def work(connection: AsyncConnection) -> list[Placement]:
            found = await connection.scalars(names.order_by(placements.c.channel).limit(limit))
            return list((await self._rows(connection, found.all())).values())

        return await self._read(work)

    async def segments(self, channel: str) -> list[Segment]:
        """The channel's chain, lowest epoch first."""
        return (await self.chains([channel]))[0]

    async def chains(self, channels: Sequence[str]) -> list[list[Segment]]:
        """`segments` for many channels, in the order asked for."""

        async def work(connection: AsyncConnection) -> list[list[Segment]]:
            default = await self._default(connection)
            found: dict[str, list[Segment]] = {}
            for names in chunks(channels):
                chain = select(segments).where(segments.c.channel.in_(names))
                for row in await connection.execute(chain.order_by(segments.c.channel, segments.c.epoch)):
                    found.setdefault(row.channel, []).append(_segment(row))
            return [list(found.get(channel, [default.segment])) for channel in channels]

        return await self._read(work)

    async def commit(self, channel: str, to: Segment, *, drain_until: float, now: float) -> Placement:
        """Make `to` the newest segment if the stored epoch is lower, by two if it is unclean."""
        return (await self.commit_many([(channel, to)], drain_until=drain_until, now=now))[0]

    async def commit_many(
        self, switches: Sequence[tuple[str, Segment]], *, drain_until: float, now: float
    ) -> list[Placement]:
        """`commit` for many channels in one write; answers in their order."""
        channels = [channel for channel, _ in switches]

        async def work(connection: AsyncConnection) -> list[Placement]:
            newest = await self._newest(connection, switches)
            left: list[tuple[str, Segment, Segment]] = []
            for channel, to in switches:
                stored = newest.get(channel)
                if stored and replaces(to, stored.epoch):
                    newest[channel] = to
                    left.append((channel, stored, to))
            if left:
                await self._switch(connection, {channel: newest[channel] for channel, _, _ in left}, drain_until)
                await self._add_segments(connection, [(channel, to) for channel, _, to in left], drain_until, now)
                events = [Event("moved", now, channel, details=changed(old, to)) for channel, old, to in left]
                await self._say(connection, events)
            return await self._placements(connection, channels)

        return await self._write(work)

    async def _newest(self, connection: AsyncConnection, switches: Sequence[tuple[str, Segment]]) -> dict[str, Segment]:
        """The newest segments as stored, locked; channels without a row get one if the switch will be made."""
        default = (await self._default(connection, keep=True)).segment
        newest = await self._locked(connection, [channel for channel, _ in switches])
        rowless = [name for name, to in switches if name not in newest and replaces(to, default.epoch)]
        if rowless:
            await self._pin(connection, rowless, default)
            newest |= await self._locked(connection, rowless)
        return newest

    async def _locked(self, connection: AsyncConnection, channels: Iterable[str]) -> dict[str, Segment]:
        found: dict[str, Segment] = {}
        for names in chunks(channels):
            rows = select(placements).where(placements.c.channel.in_(names)).order_by(placements.c.channel)
            for row in await connection.execute(rows.with_for_update()):
                found[row.channel] = _segment(row)
        return found

    async def _switch(self, connection: AsyncConnection, newest: Mapping[str, Segment], drain_until: float) -> None:
        await connection.execute(
            update(placements).where(placements.c.channel == bindparam("name")),
            [
                msgspec.to_builtins(to) | {"phase": "draining", "drain_until": drain_until, "name": channel}
                for channel, to in sorted(newest.items())
            ],
        )

    async def note_reached(self, channel: str, epoch: int, sequence: int) -> None:
        """Remember how far a reader came that left a segment by force."""
        lower = or_(segments.c.reached.is_(None), segments.c.reached < sequence)
        row = update(segments).where(segments.c.channel == channel, segments.c.epoch == epoch, lower)
        await self._change(row.values(reached=sequence))

    async def reached(self, channel: str, epoch: int) -> int:
        """The highest sequence noted for the segment, 0 for none."""
        query = select(segments.c.reached).where(segments.c.channel == channel, segments.c.epoch == epoch)
        return next((row.reached or 0 for row in await self._fetch(query)), 0)

    async def settle(self, channel: str, epoch: int) -> Placement:
        """End the drain of `epoch`, if that is still the newest; returns what is stored."""
        await self.settle_many([(channel, epoch)])
        return await self.placement(channel)

    async def settle_many(self, ends: Sequence[tuple[str, int]]) -> None:
        """`settle` for many channels in one write."""
        end = update(placements).where(
            placements.c.channel == bindparam("name"), placements.c.epoch == bindparam("newest")
        )
        rows = [{"name": channel, "newest": epoch} for channel, epoch in sorted(ends)]

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(end.values(phase="settled", drain_until=0.0), rows)

        if rows:
            await self._write(work)

    async def default_placement(self) -> Segment:
        """Where channels without a row are."""
        return (await self._read(self._default)).segment

    async def set_default(self, to: Segment, *, hold_until: float, now: float = 0.0) -> Segment:
        """Change the default if there is none or its epoch is lower; returns what is stored."""
        return await self._write(lambda connection: self._set_default(connection, to, hold_until, now))

    async def _lock_default(self, connection: AsyncConnection) -> None:
        """Let nobody read the default in order to write before the transaction ends: it will be changed."""
        await connection.execute(select(default_placement).with_for_update())

    async def _set_default(self, connection: AsyncConnection, to: Segment, hold_until: float, now: float) -> Segment:
        values = msgspec.to_builtins(to) | {"hold_until": hold_until}
        await connection.execute(self._insert_new(default_placement).values(name=_DEFAULT, **values))
        old = _segment((await connection.execute(select(default_placement).with_for_update())).one())
        if old.epoch >= to.epoch:
            return old
        await connection.execute(update(default_placement).values(values))
        await self._say(connection, [Event("default", now, details=changed(old, to))])
        return to

    async def pin(self, channels: Iterable[str]) -> int:
        """Give rows to channels that have none, at the default as it stands; returns how many."""
        names = set(channels)

        async def work(connection: AsyncConnection) -> int:
            default = await self._default(connection, keep=True)
            return await self._pin(connection, names, default.segment)

        return await self._write(work)

    async def reopen(self, streams: dict[str, str]) -> int:
        """Open anew what a dead log held: for each cluster whose placements name another stream."""

        async def work(connection: AsyncConnection) -> int:
            concerned = 0
            for cluster, stream in streams.items():
                await self._reopen(connection, default_placement, cluster, stream)
                opened = await self._reopen(connection, placements, cluster, stream, phase="settled", drain_until=0.0)
                if not opened:
                    continue
                concerned += opened
                # Afterwards, so that both statements mean the same rows, whatever others write in between.
                columns = ["channel", "epoch", "cluster", "at", "stream", "unclean", "drain_until"]
                known = and_(segments.c.channel == placements.c.channel, segments.c.epoch == placements.c.epoch)
                new = select(*(placements.c[column] for column in columns)).where(
                    placements.c.cluster == cluster, placements.c.stream == stream, ~exists().where(known)
                )
                await connection.execute(insert(segments).from_select(columns, new))
            return concerned

        return await self._write(work)

    async def _reopen(
        self, connection: AsyncConnection, table: Table, cluster: str, stream: str, **changes: object
    ) -> int:
        changed = await connection.execute(
            update(table)
            .where(table.c.cluster == cluster, table.c.stream != stream)
            .values(epoch=table.c.epoch + 2, at=0, stream=stream, unclean=True, **changes)
        )
        return changed.rowcount

    async def _default(self, connection: AsyncConnection, *, keep: bool = False) -> Placement:
        """The default as a placement; `keep` lets nobody change it before the transaction ends."""
        query = select(default_placement)
        row = (await connection.execute(query.with_for_update(read=True) if keep else query)).one_or_none()
        if row is None:
            raise refusals.no_default()
        return Placement("", _segment(row), drain_until=row.hold_until, default=True)

    async def _placements(
        self, connection: AsyncConnection, channels: Sequence[str], *, drains: bool = True
    ) -> list[Placement]:
        """Where channels are; without `drains` not where they were before, which costs as much again to find out."""
        # The default is read first: a channel that has no row afterwards had none at that time either.
        default = await self._default(connection)
        rows = await self._rows(connection, channels, drains=drains)
        return [rows.get(name) or msgspec.structs.replace(default, channel=name) for name in channels]

    async def _rows(
        self, connection: AsyncConnection, channels: Sequence[str], *, drains: bool = True
    ) -> dict[str, Placement]:
        """The rows of those channels that have one, by name and in the order of names."""
        found: dict[str, Placement] = {}
        for names in chunks(channels):
            rows = select(placements).where(placements.c.channel.in_(names)).order_by(placements.c.channel)
            for row in await connection.execute(rows):
                found[row.channel] = Placement(row.channel, _segment(row), row.phase, row.drain_until)
            if not drains:
                continue
            chain = select(segments.c.channel, segments.c.epoch, segments.c.cluster, segments.c.drain_until)
            chain = chain.where(segments.c.channel.in_(names)).order_by(segments.c.epoch.desc())
            left: dict[str, dict[str, float]] = {}
            later: dict[str, float] = {}
            for row in await connection.execute(chain):
                # A chain without a row, or longer than the row says, has been written since the row was read.
                home = found[row.channel].segment if row.channel in found else None
                if home and row.epoch < home.epoch and row.cluster != home.cluster:
                    left.setdefault(row.channel, {}).setdefault(row.cluster, later.get(row.channel, 0.0))
                later[row.channel] = row.drain_until  # of the cluster that the segment before it was in
            for channel, ends in left.items():
                found[channel] = msgspec.structs.replace(
                    found[channel], previous=tuple(ends), drains=tuple(ends.values())
                )
        return found

    async def _pin(self, connection: AsyncConnection, channels: Iterable[str], default: Segment) -> int:
        values = msgspec.to_builtins(default) | {"phase": "settled", "drain_until": 0.0}
        rows = [values | {"channel": channel} for channel in sorted(set(channels))]
        if not rows:
            return 0
        added = await connection.scalars(self._insert_new(placements).returning(placements.c.channel), rows)
        new = added.all()
        if new:
            await self._add_segments(connection, [(channel, default) for channel in new], 0.0, None)
        return len(new)

    async def _add_segments(
        self,
        connection: AsyncConnection,
        added: Iterable[tuple[str, Segment]],
        drain_until: float,
        committed: float | None,
    ) -> None:
        values = {"drain_until": drain_until, "committed": committed}
        rows = [msgspec.to_builtins(segment) | values | {"channel": channel} for channel, segment in added]
        await connection.execute(insert(segments), rows)

    # live state -----------------------------------------------------------------------------

    async def set_live(self, channel: str, live: bool, now: float) -> None:
        """Record that a stream began or ended; a channel whose stream begins gets a row."""
        new = self._insert_new(live_table).values(channel=channel, live=live, since=now)
        other = update(live_table).where(live_table.c.channel == channel, live_table.c.live != live)
        # A step to `sealing` looks at the live state while it holds its move: one of the two waits for the other.
        held = select(moves.c.id).where(moves.c.channel == channel, moves.c.moving == true()).with_for_update()

        async def work(connection: AsyncConnection) -> None:
            if live:
                await self._pin(connection, [channel], (await self._default(connection, keep=True)).segment)
                await connection.execute(held)
            await connection.execute(new)
            await connection.execute(other.values(live=live, since=now))

        await self._write(work)

    async def is_live(self, channel: str) -> bool:
        """Say whether the channel's stream runs; False if nothing is known."""
        return bool(await self.live_among([channel]))

    async def live_among(self, channels: Sequence[str]) -> set[str]:
        """Which of these channels are live."""
        return await self._read(lambda connection: self._live_among(connection, channels))

    async def _held_among(self, connection: AsyncConnection, channels: Iterable[str]) -> set[str]:
        found: set[str] = set()
        for names in chunks(channels):
            found.update(await connection.scalars(select(holds.c.channel).where(holds.c.channel.in_(names))))
        return found

    async def _live_among(self, connection: AsyncConnection, channels: Iterable[str]) -> set[str]:
        found: set[str] = set()
        for names in chunks(channels):
            rows = select(live_table.c.channel).where(live_table.c.channel.in_(names), live_table.c.live == true())
            found.update(await connection.scalars(rows))
        return found


async def _homes(connection: AsyncConnection) -> dict[str, int]:
    """How many channels live on which cluster."""
    shown = func.substr(placements.c.channel, 1, len(HIDDEN)) != HIDDEN
    rows = select(placements.c.cluster, func.count().label("channels")).where(shown).group_by(placements.c.cluster)
    return {row.cluster: row.channels for row in await connection.execute(rows)}
