"""Clusters, placements, chains, live state and the feed in dictionaries: the ground of `MemoryStore`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import msgspec

from godwit.rollout.values import Event, Hold
from godwit.store import refusals
from godwit.store.base import FINISHED
from godwit.store.rollout_base import HIDDEN
from godwit.store.steps import PUBLIC, changed, replaces
from godwit.values import Addresses, Move, Placement, Segment


class MemoryChannels:
    """The part of `MemoryStore` that says where channels are."""

    def __init__(self) -> None:
        self._clusters: dict[str, Addresses] = {}
        self._retired: dict[str, str] = {}
        self._holds: dict[str, Hold] = {}
        self._default: Segment | None = None
        self._hold_until = 0.0
        self._rows: dict[str, Placement] = {}
        self._chains: dict[str, list[Segment]] = {}
        self._reached: dict[tuple[str, int], int] = {}
        self._live: dict[str, tuple[bool, float]] = {}
        self._moves: dict[str, Move] = {}
        self._events: list[Event] = []
        self._last_event = 0
        self._feed_floor = 0
        self._cursors: dict[str, int] = {}

    # clusters -------------------------------------------------------------------------------

    async def check_writes(self) -> None:
        """Write something that nobody reads: here it always comes through."""

    async def set_clusters(self, clusters: Mapping[str, Addresses]) -> None:
        """Replace the list of clusters."""
        self._clusters = dict(clusters)

    async def clusters(self) -> dict[str, Addresses]:
        """The clusters with their public addresses."""
        return dict(self._clusters)

    async def clusters_in_use(self) -> dict[str, int]:
        """Clusters that channels or unfinished moves need, and how many of both name each; hidden rooms need none."""
        uses = Counter(await self.channels_on())
        for move in self._moves.values():
            if move.state not in FINISHED and not move.channel.startswith(HIDDEN):
                uses.update({move.target} | ({move.source.cluster} if move.source else set()))
        return dict(uses)

    async def channels_on(self) -> dict[str, int]:
        """How many channels live on which cluster, of those that have rows; hidden rooms are left out."""
        return dict(Counter(row.segment.cluster for row in self._rows.values() if not row.channel.startswith(HIDDEN)))

    async def retire(self, cluster: str, into: str, now: float) -> None:
        """Record that the addresses of `cluster` serve `into` from now on; '' brings it back."""
        if self._retired.get(cluster, "") != into:
            self._retired = {other: name for other, name in self._retired.items() if other != cluster}
            self._retired |= {cluster: into} if into else {}
            self._say("retired", now, details={"cluster": cluster, "into": into})

    async def retired(self) -> Mapping[str, str]:
        """Retired clusters, and what serves in their place."""
        return dict(self._retired)

    # placements -----------------------------------------------------------------------------

    async def placement(self, channel: str) -> Placement:
        """Where the channel is; the default placement for one without a row."""
        row = self._rows.get(channel)
        return row or Placement(channel, await self.default_placement(), drain_until=self._hold_until, default=True)

    async def placements(self, channels: Sequence[str]) -> list[Placement]:
        """The same for many, in the order asked for."""
        return [await self.placement(channel) for channel in channels]

    async def rows(self, after: str = "", limit: int = 1000) -> list[Placement]:
        """Placements that have rows, by channel name."""
        names = sorted(name for name in self._rows if name > after)
        return [self._rows[name] for name in names[:limit]]

    async def segments(self, channel: str) -> list[Segment]:
        """The channel's chain, lowest epoch first."""
        return (await self.chains([channel]))[0]

    async def chains(self, channels: Sequence[str]) -> list[list[Segment]]:
        """`segments` for many channels, in the order asked for."""
        default = await self.default_placement()
        return [list(self._chains.get(channel, [default])) for channel in channels]

    async def commit(self, channel: str, to: Segment, *, drain_until: float, now: float) -> Placement:
        """Make `to` the newest segment if the stored epoch is lower, by two if it is unclean."""
        return (await self.commit_many([(channel, to)], drain_until=drain_until, now=now))[0]

    async def commit_many(
        self, switches: Sequence[tuple[str, Segment]], *, drain_until: float, now: float
    ) -> list[Placement]:
        """`commit` for many channels in one write; answers in their order."""
        for channel, to in switches:
            stored = await self.placement(channel)
            if replaces(to, stored.segment.epoch):
                await self.pin([channel])
                self._extend(stored, to, drain_until, "draining")
                self._say("moved", now, channel, details=changed(stored.segment, to))
        return await self.placements([channel for channel, _ in switches])

    def _extend(
        self, stored: Placement, to: Segment, drain_until: float, phase: Literal["draining", "settled"]
    ) -> None:
        """Add a segment to the chain; `drain_until` is the deadline of the cluster that is left."""
        left = stored.segment.cluster
        drains = {left: drain_until} | {
            cluster: until for cluster, until in zip(stored.previous, stored.drains, strict=True) if cluster != left
        }
        drains.pop(to.cluster, None)
        self._chains[stored.channel].append(to)
        self._rows[stored.channel] = Placement(
            stored.channel, to, phase, drain_until, tuple(drains), drains=tuple(drains.values())
        )

    async def note_reached(self, channel: str, epoch: int, sequence: int) -> None:
        """Remember how far a reader came that left a segment by force."""
        self._reached[channel, epoch] = max(self._reached.get((channel, epoch), 0), sequence)

    async def reached(self, channel: str, epoch: int) -> int:
        """The highest sequence noted for the segment, 0 for none."""
        return self._reached.get((channel, epoch), 0)

    async def settle(self, channel: str, epoch: int) -> Placement:
        """End the drain of `epoch`, if that is still the newest; returns what is stored."""
        await self.settle_many([(channel, epoch)])
        return await self.placement(channel)

    async def settle_many(self, ends: Sequence[tuple[str, int]]) -> None:
        """`settle` for many channels in one write."""
        for channel, epoch in ends:
            row = self._rows.get(channel)
            if row and row.segment.epoch == epoch:
                self._rows[channel] = msgspec.structs.replace(row, phase="settled", drain_until=0.0)

    async def default_placement(self) -> Segment:
        """Where channels without a row are."""
        if self._default is None:
            raise refusals.no_default()
        return self._default

    async def set_default(self, to: Segment, *, hold_until: float, now: float = 0.0) -> Segment:
        """Change the default if there is none or its epoch is lower; returns what is stored."""
        if self._default is None or self._default.epoch < to.epoch:
            if self._default is not None:
                self._say("default", now, details=changed(self._default, to))
            self._default, self._hold_until = to, hold_until
        return self._default

    async def pin(self, channels: Iterable[str]) -> int:
        """Give rows to channels that have none, at the default as it stands; returns how many."""
        default = await self.default_placement()
        new = [channel for channel in dict.fromkeys(channels) if channel not in self._rows]
        for channel in new:
            self._rows[channel] = Placement(channel, default)
            self._chains[channel] = [default]
        return len(new)

    async def reopen(self, streams: dict[str, str]) -> int:
        """Open anew what a dead log held: for each cluster whose placements name another stream."""

        def anew(old: Segment) -> Segment | None:
            stream = streams.get(old.cluster, old.stream)
            return None if stream == old.stream else Segment(old.cluster, old.epoch + 2, 0, stream, unclean=True)

        if self._default:
            self._default = anew(self._default) or self._default
        concerned = 0
        for row in list(self._rows.values()):
            segment = anew(row.segment)
            if segment:
                self._extend(row, segment, 0.0, "settled")
                concerned += 1
        return concerned

    # live state -----------------------------------------------------------------------------

    async def set_live(self, channel: str, live: bool, now: float) -> None:
        """Record that a stream began or ended; a channel whose stream begins gets a row."""
        if live:
            await self.pin([channel])
        if channel not in self._live or self._live[channel][0] != live:
            self._live[channel] = (live, now)

    async def is_live(self, channel: str) -> bool:
        """Say whether the channel's stream runs; False if nothing is known."""
        return bool(await self.live_among([channel]))

    async def live_among(self, channels: Sequence[str]) -> set[str]:
        """Which of these channels are live."""
        return {channel for channel in channels if self._live.get(channel, (False, 0.0))[0]}

    # the feed -------------------------------------------------------------------------------

    async def feed(
        self, *, after: int, public: bool = False, rollout: str | None = None, limit: int = 1000
    ) -> list[Event]:
        """What happened after the number `after`, oldest first."""
        found = [
            event
            for event in self._events
            if event.number > after and rollout in (None, event.rollout) and (event.kind in PUBLIC or not public)
        ]
        return found[:limit]

    async def last_event(self) -> int:
        """The highest number of the feed, 0 for none."""
        return self._last_event

    async def trim_feed(self, before: float) -> int:
        """Forget public events older than `before`; returns how many."""
        forgotten = [event for event in self._events if event.kind in PUBLIC and event.time < before]
        self._events = [event for event in self._events if event.kind not in PUBLIC or event.time >= before]
        self._feed_floor = max([self._feed_floor, *(event.number for event in forgotten)])
        return len(forgotten)

    async def feed_floor(self) -> int:
        """The highest number that was ever trimmed, 0 for none."""
        return self._feed_floor

    async def webhook_cursor(self, hook: str) -> int | None:
        """The number of the last event that was delivered to a webhook; None if it is a new one."""
        return self._cursors.get(hook)

    async def set_webhook_cursor(self, hook: str, number: int) -> None:
        """Remember it; a lower number than the stored one changes nothing."""
        self._cursors[hook] = max(number, self._cursors.get(hook, number))

    def _say(self, kind: str, now: float, channel: str = "", *, details: dict[str, Any]) -> None:
        self._write_event(Event(kind, now, channel, details=details))

    def _write_event(self, event: Event) -> None:
        self._last_event += 1
        self._events.append(msgspec.structs.replace(event, number=self._last_event))
