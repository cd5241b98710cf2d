"""The chat log of one cluster in NATS JetStream (`docs/jetstream.md`; rules L1 to L6).

What JetStream promises and what it does not decides the shape of this file. An append is acknowledged by the
stream's leader when enough replicas have it. The live path comes from the leader alone and loses records when it
changes. Reads are answered by any replica, which may be behind, but never has a hole; where that is not
enough the leader is asked. Records expire by a time to live of their own.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

import structlog

from godwit.chatlog.base import Page
from godwit.chatlog.jetstream_link import Link, NoAnswer
from godwit.chatlog.jetstream_live import Deliver, Live, LiveSubscription, Suspect
from godwit.chatlog.jetstream_records import Stored, encode, of_answer, stays
from godwit.chatlog.jetstream_release import Releases
from godwit.chatlog.jetstream_streams import Api, ApiError, Layout, lifetime, margin
from godwit.chatlog.jetstream_views import Doubt, View, Views
from godwit.ending import end
from godwit.errors import AppendUnknown, ChatLogUnavailable, DeadLog
from godwit.settings import LogSettings, NatsSettings
from godwit.values import Record

log = structlog.get_logger()

LOOK_INTERVAL = 10.0
"""Seconds between looks at the streams (rule L2)."""

DOUBT_INTERVAL = 0.5
"""Seconds between looks while one of them is not ready."""

HEADS = 1000
"""Channels that are compared with one request; the server answers 1,024 at most."""

MEMORY = 200_000
"""Channels whose last known sequence is remembered."""

_OTHER_STREAM = 10060
_IN_PROCESS = 10158
"""The server's number for a copy of a record that is just being stored."""

_AGAIN = 0.02
"""Seconds after which the same question may have another answer."""


class JetStreamLog:
    """A `ChatLog` over a connection to NATS servers.

    Args:
        cluster: whose log it is.
        servers: URLs of the NATS servers.
        nats: which streams there are, and in which JetStream domain.
        settings: how long records are kept, and how long an append may take.
        backlog: messages of the live path that may wait for this process, per partition.
        doubt: when a stream counts as dead, and a server as cut off.
    """

    def __init__(
        self,
        cluster: str,
        servers: Sequence[str],
        nats: NatsSettings,
        settings: LogSettings,
        *,
        backlog: int = 65_536,
        doubt: Doubt | None = None,
    ) -> None:
        self._cluster = cluster
        self._settings = settings
        self._doubt = doubt or Doubt()
        self._layout = Layout(cluster, nats.streams)
        self._link = Link(
            f"godwit {cluster}",
            servers,
            connected=self._connected,
            lost=self._lost,
            slow=self._slow,
            credentials=nats.credentials,
            backlog=backlog,
        )
        self._api = Api(self._link, self._layout, nats.domains.get(cluster, ""))
        self._views = Views(self._api, self._layout, settings, self._changed, self._doubt)
        self._releases = Releases(self._api, self._layout, settings)
        self._time_to_live = f"{lifetime(settings)}s"
        self._live = Live(
            self._link,
            self._layout,
            name_of=lambda channel: self._views.of(channel).name,
            saw=self._saw,
            forgotten=self._forget,
        )
        self._heads: dict[str, int] = {}
        self._quiet: dict[str, tuple[int, int]] = {}
        self._look_soon = asyncio.Event()
        self._slow_told: asyncio.TimerHandle | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._counts = dict.fromkeys(("appended", "slow", "stale"), 0)

    async def open(self) -> None:
        """Connect, and see that the streams are there.

        Raises:
            LogNotPrepared: they are not; says what to do.
            ChatLogUnavailable: no server answers.
        """
        await self._link.open()
        self._tasks = [
            asyncio.create_task(self._keep_looking(), name=f"streams of {self._cluster}"),
            asyncio.create_task(self._keep_sweeping(), name=f"releases of {self._cluster}"),
        ]

    async def close(self) -> None:
        """Disconnect; whoever waits is told."""
        await end(*self._tasks)
        if self._slow_told:
            self._slow_told.cancel()
        await self._link.close()

    @property
    def cluster(self) -> str:
        """The cluster whose log it is."""
        return self._cluster

    def stream(self, channel: str) -> str:
        """Creation id of the channel's stream, as far as this process knows; see `ChatLog`."""
        return self._views.of(channel).id

    @property
    def streams(self) -> tuple[str, ...]:
        """Creation ids of all its streams, as far as this process knows."""
        return tuple(view.id for view in self._views)

    @property
    def ready(self) -> bool:
        """Whether all its streams may be read and written."""
        return self._link.up and self._views.ready

    async def clock(self) -> float:
        """The time that the leader of its first stream has, in seconds since the Unix epoch.

        Raises:
            ChatLogUnavailable: no answer.
        """
        info = await self._api.call(f"STREAM.INFO.{self.streams[0]}")
        return datetime.fromisoformat(info["ts"]).timestamp()

    # writing ----------------------------------------------------------------------------------

    async def append(self, channel: str, record: Record, *, stream: str) -> int:
        """Store a record; see `ChatLog`."""
        view = self._views.of(channel)
        if stream != view.id:
            raise DeadLog(f"log of {self._cluster} is {view.id}, not {stream}")
        view.require_ready()
        headers = {"Nats-Expected-Stream": stream, "Nats-Msg-Id": f"{channel}:{record.id}:{record.epoch}"}
        if not stays(record):
            headers["Nats-TTL"] = self._time_to_live
        try:
            sequence = await self._append(self._layout.subject(channel), encode(record), headers)
        except NoAnswer as error:
            self._look_soon.set()
            raise AppendUnknown(f"{self._cluster}: {error}") from None
        except ApiError as error:
            if error.number == _OTHER_STREAM:
                self._look_soon.set()
                raise DeadLog(f"{stream} is not the stream of {channel} any more") from None
            raise
        except ChatLogUnavailable:
            self._look_soon.set()
            raise
        self._counts["appended"] += 1
        if view.name == stream:
            view.knows(sequence)
            self._knows(channel, sequence)
        return sequence

    async def _append(self, subject: str, payload: bytes, headers: dict[str, str]) -> int:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.append_timeout
        while True:
            left = deadline - loop.time()
            if left <= 0:
                raise NoAnswer("another copy of the record is being stored")
            try:
                return (await self._api.append(subject, payload, headers, left))[0]
            except ApiError as error:
                if error.number != _IN_PROCESS:
                    raise
            await asyncio.sleep(_AGAIN)

    async def release(self, channel: str, epoch: int) -> None:
        """Note that open and seal up to `epoch` may go; see `ChatLog`."""
        view = self._views.of(channel)
        view.require_ready()
        await self._releases.note(view, channel, epoch, self._settings.append_timeout)

    async def sweep(self) -> int:
        """Delete what was released and is old enough, which happens by itself now and then; tells how many records.

        Raises:
            ChatLogUnavailable: no answer.
        """
        now = asyncio.get_running_loop().time()
        return sum([await self._releases.sweep(view, now + view.clock_ahead) for view in self._views if view.ready])

    # reading ----------------------------------------------------------------------------------

    async def read(self, channel: str, after: int, limit: int = 500) -> Page:
        """Read records after a sequence; see `ChatLog`."""
        view = self._views.of(channel)
        if view.lost:
            return Page(view.id, (), 0, 0)
        view.require_ready()
        stream, subject = view.name, self._layout.subject(channel)
        # The record at `after` comes along: while it is there and young, nothing behind it has expired.
        found, more = await self._api.batch(stream, subject, after, limit + 2, self._settings.append_timeout)
        anchor = found.pop(0) if found and found[0].sequence == after else None
        upto = found[-1].sequence if found else after
        if not more and upto < self._heads.get(channel, 0):
            self._counts["stale"] += 1
            upto = await self._ask_leader(stream, subject, found, upto, limit + 1)
        if len(found) > limit:
            more = True
            del found[limit:]
        if more and found:
            upto = found[-1].sequence
        elif not more:
            upto = max(upto, self._quiet_upto(channel, upto))
        floor = 0
        if anchor is None or not self._views.is_young(view, anchor.time):
            floor = await self._views.horizon(view)
            if floor <= self._quiet_upto(channel, after):
                floor = 0
        if view.id != stream:
            raise ChatLogUnavailable(f"{stream} has gone while it was read")
        if found:
            view.saw(found[-1])
            self._knows(channel, found[-1].sequence)
        return Page(stream, tuple(entry for each in found if (entry := each.entry)), upto, floor, more)

    async def _ask_leader(self, stream: str, subject: str, found: list[Stored], after: int, limit: int) -> int:
        """Add to `found` what a replica did not have yet; tells how far the answer is complete then."""
        known = self._heads.get(subject.rpartition(".")[2], 0)
        while len(found) < limit:
            message = await self._api.message(stream, {"seq": after + 1, "next_by_subj": subject})
            if message is None:
                self._look_soon.set()  # either it has expired, or the stream has lost it
                return max(after, known)
            found.append(of_answer(message, after if found else 0))
            after = found[-1].sequence
        return after

    async def heads(self, channels: Sequence[str]) -> list[int]:
        """The sequence of each channel's last record; see `ChatLog`."""
        found = dict.fromkeys(channels, 0)
        groups: dict[tuple[View, bool], list[str]] = {}
        for channel in found:
            groups.setdefault((self._views.of(channel), channel in self._quiet), []).append(channel)
        parts = [(view, part) for (view, _), group in groups.items() for part in _slices(group)]
        for some in await asyncio.gather(*(self._compare(view, part) for view, part in parts)):
            found.update(some)
        return [found[channel] for channel in channels]

    async def _compare(self, view: View, channels: list[str]) -> dict[str, int]:
        """The heads of channels of one stream; only those that have changed since the last time are sent."""
        view.require_ready()
        name, subject = view.name, self._layout.subject
        # The birth is asked for as well, since who finds nothing does not say up to where.
        subjects = [self._layout.birth(view.number), *map(subject, channels)]
        known = max(self._heads.get(channel, 0) for channel in channels)
        before = {channel: self._quiet.get(channel, (0, 0)) for channel in channels}
        since = min(quiet for _, quiet in before.values())
        deadline = asyncio.get_running_loop().time() + self._settings.append_timeout
        while True:
            lasts, upto = await self._api.lasts(name, subjects, since, self._settings.append_timeout)
            if upto >= known:
                break
            self._counts["stale"] += 1
            if asyncio.get_running_loop().time() >= deadline:
                raise ChatLogUnavailable(f"stream {name}: a replica stands at {upto}, before {known}")
            await asyncio.sleep(_AGAIN)
        if view.id != name:
            raise ChatLogUnavailable(f"{name} has gone while it was read")
        heads: dict[str, int] = {}
        for channel in channels:
            # The head outlives the record: who compares must not come to believe that there was never anything.
            head, quiet = before[channel]
            heads[channel] = max(lasts.get(subject(channel), 0), head, self._heads.get(channel, 0))
            if channel in self._live:
                self._quiet[channel] = (heads[channel], max(upto, quiet))
        view.knows(upto)
        return heads

    def _quiet_upto(self, channel: str, after: int) -> int:
        """How far there is known to be nothing of the channel behind the sequence `after`, or 0."""
        head, upto = self._quiet.get(channel, (0, 0))
        return upto if head <= after else 0

    def _knows(self, channel: str, sequence: int) -> None:
        if sequence <= self._heads.get(channel, 0):
            return
        if channel not in self._heads and len(self._heads) >= MEMORY:
            del self._heads[next(iter(self._heads))]
        self._heads[channel] = sequence

    # the live path, the connection and the streams --------------------------------------------

    def subscribe(self, channel: str, deliver: Deliver, suspect: Suspect) -> LiveSubscription:
        """Open the live path; see `ChatLog`."""
        return self._live.subscribe(channel, deliver, suspect)

    def _saw(self, channel: str, stored: Stored) -> None:
        self._views.of(channel).saw(stored)
        self._knows(channel, stored.sequence)

    def _forget(self, channel: str) -> None:
        self._quiet.pop(channel, None)

    async def _connected(self) -> None:
        if not self._views.found:
            await self._views.find()
        elif not await self._views.look():
            raise ChatLogUnavailable("no stream has a leader that answers here")

    def _lost(self) -> None:
        self._views.doubt()
        self._look_soon.set()

    def _slow(self) -> None:
        self._counts["slow"] += 1
        if self._slow_told is None:  # one dropped message is seldom alone
            self._slow_told = asyncio.get_running_loop().call_later(_AGAIN, self._tell_slow)

    def _tell_slow(self) -> None:
        self._slow_told = None
        self._live.suspect()

    def _changed(self, view: View, anew: bool) -> None:
        if anew:
            known: dict[str, Any]
            for known in (self._heads, self._quiet):
                for channel in [channel for channel in known if self._views.of(channel) is view]:
                    del known[channel]
        self._live.suspect(view.number)

    async def _keep_looking(self) -> None:
        loop = asyncio.get_running_loop()
        heard = loop.time()
        interval = LOOK_INTERVAL
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(interval):
                    await self._look_soon.wait()
            self._look_soon.clear()
            answers = 0
            try:
                answers = await self._views.look() if self._link.up else 0
            except Exception:
                # Whatever it met this time, there must be a next time.
                log.exception("look_failed", cluster=self._cluster)
            interval = LOOK_INTERVAL if answers == self._layout.streams and self._views.ready else DOUBT_INTERVAL
            if answers or not self._link.up:
                heard = loop.time()
            elif loop.time() - heard >= self._doubt.silence:
                self._link.drop()  # perhaps its server is cut off from the others

    async def _keep_sweeping(self) -> None:
        while True:
            await asyncio.sleep(margin(self._settings) * random.uniform(0.5, 1.5))
            try:
                await self.sweep()
            except ChatLogUnavailable as error:
                log.info("sweep_failed", cluster=self._cluster, error=str(error))

    def statistics(self) -> dict[str, int]:
        """Counts since the start, channels that are read, subscriptions at the server."""
        return self._counts | {
            "heard": self._live.heard,
            "channels": len(self._live),
            "connections": self._link.connections,
            "subscriptions": self._link.subscriptions,
        }


def _slices(channels: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(channels), HEADS):
        yield channels[start : start + HEADS]
