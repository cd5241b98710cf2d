"""Clusters, placements, chains and live state in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, Table, delete, insert, literal, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncConnection

from godwit.store import refusals
from godwit.store.database import Database
from godwit.store.schema import clusters as cluster_table
from godwit.store.schema import default_placement, placements, segments
from godwit.store.schema import live as live_table
from godwit.values import Addresses, Placement, Segment

CHUNK = 500
"""Channels named in one statement."""

_DEFAULT = "default"
"""Name of the row of `default_placement`."""


def _segment(row: Row[Any]) -> Segment:
    return Segment(row.cluster, row.epoch, row.at, row.stream, row.unclean)


def _chunks(channels: Sequence[str]) -> Iterable[Sequence[str]]:
    return (channels[start : start + CHUNK] for start in range(0, len(channels), CHUNK))


class Placements(Database):
    """The part of `SqlStore` that says where channels are."""

    # clusters -------------------------------------------------------------------------------

    async def set_clusters(self, clusters: Mapping[str, Addresses]) -> None:
        """Replace the list of clusters."""
        rows = [
            {"name": name, "addresses": msgspec.to_builtins(addresses), "position": position}
            for position, (name, addresses) in enumerate(clusters.items())
        ]

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(delete(cluster_table))
            if rows:
                await connection.execute(insert(cluster_table), rows)

        await self._write(work)

    async def clusters(self) -> dict[str, Addresses]:
        """The clusters with their public addresses."""
        rows = await self._fetch(select(cluster_table).order_by(cluster_table.c.position))
        return {row.name: msgspec.convert(row.addresses, Addresses) for row in rows}

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
        chain = select(segments).where(segments.c.channel == channel).order_by(segments.c.epoch)

        async def work(connection: AsyncConnection) -> list[Segment]:
            default = await self._default(connection)
            return [_segment(row) for row in await connection.execute(chain)] or [default.segment]

        return await self._read(work)

    async def commit(self, channel: str, to: Segment, *, drain_until: float, now: float) -> Placement:
        """Make `to` the newest segment if the stored epoch is lower, by two if it is unclean."""
        lower = placements.c.epoch == to.epoch - 2 if to.unclean else placements.c.epoch < to.epoch
        switch = (
            update(placements)
            .where(placements.c.channel == channel, lower)
            .values(msgspec.to_builtins(to) | {"phase": "draining", "drain_until": drain_until})
        )

        async def work(connection: AsyncConnection) -> Placement:
            default = await self._default(connection, keep=True)
            if default.segment.epoch < to.epoch:
                await self._pin(connection, [channel], default.segment)
            if (await connection.execute(switch)).rowcount:
                await self._add_segment(connection, channel, to, drain_until, now)
            return (await self._placements(connection, [channel]))[0]

        return await self._write(work)

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
        end = (
            update(placements)
            .where(placements.c.channel == channel, placements.c.epoch == epoch)
            .values(phase="settled", drain_until=0.0)
        )

        async def work(connection: AsyncConnection) -> Placement:
            await connection.execute(end)
            return (await self._placements(connection, [channel]))[0]

        return await self._write(work)

    async def default_placement(self) -> Segment:
        """Where channels without a row are."""
        return (await self._read(self._default)).segment

    async def set_default(self, to: Segment, *, hold_until: float) -> Segment:
        """Change the default if there is none or its epoch is lower; returns what is stored."""
        values = msgspec.to_builtins(to) | {"hold_until": hold_until}
        higher = update(default_placement).where(default_placement.c.epoch < to.epoch).values(values)

        async def work(connection: AsyncConnection) -> Segment:
            await connection.execute(self._insert_new(default_placement).values(name=_DEFAULT, **values))
            await connection.execute(higher)
            return (await self._default(connection)).segment

        return await self._write(work)

    async def pin(self, channels: Iterable[str]) -> int:
        """Give rows to channels that have none, at the default as it stands; returns how many."""

        async def work(connection: AsyncConnection) -> int:
            default = await self._default(connection, keep=True)
            return await self._pin(connection, channels, default.segment)

        return await self._write(work)

    async def reopen(self, streams: dict[str, str]) -> int:
        """Open anew what a dead log held: for each cluster whose placements name another stream."""

        async def work(connection: AsyncConnection) -> int:
            concerned = 0
            for cluster, stream in streams.items():
                await self._reopen(connection, default_placement, cluster, stream)
                new = select(
                    placements.c.channel,
                    placements.c.epoch + 2,
                    placements.c.cluster,
                    literal(0),
                    literal(stream),
                    true(),
                    literal(0.0),
                ).where(placements.c.cluster == cluster, placements.c.stream != stream)
                columns = ["channel", "epoch", "cluster", "at", "stream", "unclean", "drain_until"]
                await connection.execute(insert(segments).from_select(columns, new))
                concerned += await self._reopen(
                    connection, placements, cluster, stream, phase="settled", drain_until=0.0
                )
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

    async def _placements(self, connection: AsyncConnection, channels: Sequence[str]) -> list[Placement]:
        # The default is read first: a channel that has no row afterwards had none at that time either.
        default = await self._default(connection)
        rows = await self._rows(connection, channels)
        return [rows.get(name) or msgspec.structs.replace(default, channel=name) for name in channels]

    async def _rows(self, connection: AsyncConnection, channels: Sequence[str]) -> dict[str, Placement]:
        """The rows of those channels that have one, by name, sorted within each chunk."""
        found: dict[str, Placement] = {}
        for names in _chunks(channels):
            rows = select(placements).where(placements.c.channel.in_(names)).order_by(placements.c.channel)
            for row in await connection.execute(rows):
                found[row.channel] = Placement(row.channel, _segment(row), row.phase, row.drain_until)
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
            for channel, drains in left.items():
                found[channel] = msgspec.structs.replace(
                    found[channel], previous=tuple(drains), drains=tuple(drains.values())
                )
        return found

    async def _pin(self, connection: AsyncConnection, channels: Iterable[str], default: Segment) -> int:
        values = msgspec.to_builtins(default) | {"phase": "settled", "drain_until": 0.0}
        new = 0
        for channel in dict.fromkeys(channels):
            row = self._insert_new(placements).values(channel=channel, **values)
            if (await connection.execute(row)).rowcount:
                await self._add_segment(connection, channel, default, 0.0, None)
                new += 1
        return new

    async def _add_segment(
        self, connection: AsyncConnection, channel: str, segment: Segment, drain_until: float, committed: float | None
    ) -> None:
        values = msgspec.to_builtins(segment) | {"drain_until": drain_until, "committed": committed}
        await connection.execute(insert(segments).values(channel=channel, **values))

    # live state -----------------------------------------------------------------------------

    async def set_live(self, channel: str, live: bool, now: float) -> None:
        """Record that a stream began or ended."""
        new = self._insert_new(live_table).values(channel=channel, live=live, since=now)
        other = update(live_table).where(live_table.c.channel == channel, live_table.c.live != live)

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(new)
            await connection.execute(other.values(live=live, since=now))

        await self._write(work)

    async def is_live(self, channel: str) -> bool:
        """Say whether the channel's stream runs; False if nothing is known."""
        rows = await self._fetch(select(live_table.c.live).where(live_table.c.channel == channel))
        return any(row.live for row in rows)
