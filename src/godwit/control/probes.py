"""Probes: two chatters of our own on each cluster, which see from outside what everybody sees.

One talks in a hidden room, once a second, the other listens. What comes late, twice, in another order or not at
all is counted over a window of time. A cluster that does not let them in has no numbers, and a gate without
numbers is inconclusive.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from math import ceil

import msgspec
import structlog

from godwit.control.hidden import Chatter, Credentials, Place, anonymous, hidden_room
from godwit.control.round_trip import travel
from godwit.errors import GodwitError, LoginRefused
from godwit.tmi.client_events import ChannelMessage, ClientEvent, UserState
from godwit.values import Addresses

log = structlog.get_logger()

EVERY = 1.0
"""Seconds between two messages of a talker."""

WINDOW = 60.0
"""Seconds over which is counted."""

LATE = 10.0
"""Seconds after which a message counts as lost."""

FEWEST = 5
"""Messages in the window below which there is no percentile."""

LOOK = 5.0
"""Seconds between two looks at which clusters there are."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds between two tries to get in."""

COUNTS = ("lost", "repeated", "disorder", "unanswered", "refused", "reconnects")
"""What is counted; each in the window."""


class ProbeView(msgspec.Struct, frozen=True):
    """What the probe of one cluster saw in the last `WINDOW` seconds.

    Attributes:
        deliveries: messages whose fate is known.
        p50, p99: seconds from sending a message to reading it; a lost one counts as `LATE`. None below `FEWEST`.
        lost: acknowledged and not shown.
        unanswered: neither acknowledged nor shown.
        refused: logins that were refused.
        reconnects: connections that were lost or not made.
    """

    deliveries: int = 0
    p50: float | None = None
    p99: float | None = None
    lost: int = 0
    repeated: int = 0
    disorder: int = 0
    unanswered: int = 0
    refused: int = 0
    reconnects: int = 0


class Record:
    """What was said and seen on one cluster.

    Args:
        now: seconds that only grow.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._number = 0
        self._newest_seen = 0
        self._waiting: dict[int, float] = {}
        self._acknowledged: set[int] = set()
        self._known: deque[int] = deque(maxlen=100)
        self._given_up: deque[int] = deque(maxlen=100)
        self._latencies: deque[tuple[float, float]] = deque()
        self._faults: deque[tuple[float, str]] = deque()

    def say(self) -> int:
        """A message goes out; returns its number."""
        self._number += 1
        self._waiting[self._number] = self._now()
        return self._number

    def acknowledged(self, number: int) -> None:
        """It was acknowledged."""
        if number in self._waiting:
            self._acknowledged.add(number)

    def seen(self, number: int) -> None:
        """It was shown."""
        said = self._waiting.pop(number, None)
        if said is None:
            if number in self._known:
                self.fault("repeated")
            elif number in self._given_up:
                self._known.append(number)
            return
        self._latencies.append((self._now(), self._now() - said))
        self._known.append(number)
        self._acknowledged.discard(number)
        if number < self._newest_seen:
            self.fault("disorder")
        self._newest_seen = max(self._newest_seen, number)

    def fault(self, kind: str) -> None:
        """Something of `COUNTS` happened."""
        self._faults.append((self._now(), kind))

    def give_up_late(self) -> None:
        """Count what should have come by now."""
        for number, said in list(self._waiting.items()):
            if self._now() - said >= LATE:
                del self._waiting[number]
                self.fault("lost" if number in self._acknowledged else "unanswered")
                self._latencies.append((self._now(), LATE))
                self._given_up.append(number)
                self._acknowledged.discard(number)

    def forget_waiting(self) -> None:
        """Who does not listen any more misses nothing."""
        self._waiting.clear()
        self._acknowledged.clear()

    def view(self) -> ProbeView:
        """The numbers of the window."""
        since = self._now() - WINDOW
        while self._latencies and self._latencies[0][0] < since:
            self._latencies.popleft()
        while self._faults and self._faults[0][0] < since:
            self._faults.popleft()
        latencies = sorted(latency for _, latency in self._latencies)
        enough = len(latencies) >= FEWEST
        counts = {kind: sum(kind == what for _, what in self._faults) for kind in COUNTS}
        return ProbeView(
            deliveries=len(latencies),
            p50=latencies[ceil(0.5 * len(latencies)) - 1] if enough else None,
            p99=latencies[ceil(0.99 * len(latencies)) - 1] if enough else None,
            **counts,
        )


class Probes:
    """The chatters of all clusters.

    Args:
        clusters: those to watch now, with the addresses that clients are told.
        place: puts hidden rooms on their clusters.
        credentials: lets the talkers in; each talks in the room of its own name.
        now: seconds that only grow.
        sleep: how pauses are made.
    """

    def __init__(
        self,
        clusters: Callable[[], Mapping[str, Addresses]],
        place: Place,
        credentials: Credentials,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clusters = clusters
        self._place = place
        self._credentials = credentials
        self._now = now
        self._sleep = sleep
        self._records: dict[str, Record] = {}
        self._run = secrets.token_hex(4)

    async def run(self) -> None:
        """Watch until cancelled; clusters may come and go."""
        async with asyncio.TaskGroup() as group:
            tasks: dict[str, asyncio.Task[None]] = {}
            while True:
                there = {name for name, addresses in self._clusters().items() if addresses != Addresses()}
                for cluster in tasks.keys() - there:
                    tasks.pop(cluster).cancel()
                    self._records.pop(cluster, None)
                for cluster in there - tasks.keys():
                    record = self._records[cluster] = Record(self._now)
                    tasks[cluster] = group.create_task(self._keep(cluster, record), name=f"probe {cluster}")
                await self._sleep(LOOK)

    def view(self, cluster: str) -> ProbeView:
        """What the probe of a cluster saw lately."""
        record = self._records.get(cluster)
        return record.view() if record else ProbeView()

    def views(self) -> dict[str, ProbeView]:
        """The same for all clusters that are watched."""
        return {cluster: record.view() for cluster, record in self._records.items()}

    def value(self, name: str, target: str, sources: Sequence[str]) -> tuple[float | None, str]:
        """The number that a gate asks for, None if there is none, and what it is made of.

        `p50` and `p99` are those of the target; `p99_difference` is the target's p99 minus that of the slowest source;
        counts are those of target and sources together.
        """
        here = self.view(target)
        there = {source: self.view(source) for source in sources}
        few = f"only {here.deliveries} messages of the probe on {target} in the last {WINDOW:g} s"
        if name in ("p50", "p99"):
            found = here.p50 if name == "p50" else here.p99
            return found, few if found is None else f"{name} {_ms(found)} on {target}"
        if name == "p99_difference":
            slowest = max((view.p99 for view in there.values() if view.p99 is not None), default=None)
            if here.p99 is None or slowest is None:
                return None, few if here.p99 is None else f"no numbers from {', '.join(there) or 'any source'}"
            return here.p99 - slowest, f"p99 {_ms(here.p99)} on {target}, {_ms(slowest)} where channels come from"
        if name in COUNTS:
            if here.deliveries < FEWEST and name not in ("refused", "reconnects"):
                return None, few
            if target not in self._records:
                return None, f"there is no probe on {target}"
            counts = {cluster: getattr(view, name) for cluster, view in {target: here, **there}.items()}
            told = ", ".join(f"{count} on {cluster}" for cluster, count in counts.items())
            return float(sum(counts.values())), f"{name} in the last {WINDOW:g} s: {told}"
        return None, f"probes do not measure {name!r}"

    async def round_trip(self, source: str, target: str) -> tuple[int, str]:
        """Move a hidden room to `target` and back, see `round_trip.travel`."""
        return await travel(
            self._clusters(), source, target, self._place, self._credentials, now=self._now, sleep=self._sleep
        )

    # Inside.

    async def _keep(self, cluster: str, record: Record) -> None:
        """Watch one cluster, again and again."""
        pause = FIRST_PAUSE
        while True:
            before = record.view().deliveries
            try:
                await self._watch(cluster, record)
            except LoginRefused as error:
                record.fault("refused")
                log.warning("probe_refused", cluster=cluster, error=str(error))
            except (GodwitError, OSError) as error:
                log.warning("probe_waits", cluster=cluster, error=str(error) or type(error).__name__)
            except Exception:
                # A fault of ours ends here: a cluster that is not watched is no reason to stop serving it.
                log.exception("probe_failed", cluster=cluster)
            record.forget_waiting()
            record.fault("reconnects")
            pause = FIRST_PAUSE if record.view().deliveries > before else min(pause * 2, LONGEST_PAUSE)
            await self._sleep(pause)

    async def _watch(self, cluster: str, record: Record) -> None:
        """Talk and listen until a connection is lost, or the room is not here any more."""
        room = hidden_room("probe", cluster)
        token = await self._credentials(room)
        if token is None:
            raise LoginRefused("no account for probes")
        await self._place(room, cluster)
        addresses = self._clusters()[cluster]
        listener = Chatter(partial(self._on_heard, record, room))
        talker = Chatter(partial(self._on_told, record))
        try:
            await listener.enter(addresses, anonymous(), None, room)
            await talker.enter(addresses, room, token)
            log.info("probe_watches", cluster=cluster, room=room)
            while not (listener.gone or listener.moved or talker.gone):
                number = record.say()
                talker.say(room, f"{self._run} {number}", str(number))
                await self._sleep(EVERY)
                record.give_up_late()
        finally:
            listener.close()
            talker.close()

    def _on_heard(self, record: Record, talker: str, event: ClientEvent) -> None:
        if isinstance(event, ChannelMessage) and event.login == talker:
            run, _, number = event.text.partition(" ")
            if run == self._run and number.isdecimal():
                record.seen(int(number))

    def _on_told(self, record: Record, event: ClientEvent) -> None:
        if isinstance(event, UserState) and event.nonce.isdecimal():
            record.acknowledged(int(event.nonce))


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
