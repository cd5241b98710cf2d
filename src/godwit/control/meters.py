"""The built-in metrics that gates ask for by name (`docs/gates.md`), made from the counters of this process.

Counters only grow, so readings are kept for a while and a metric compares the newest with one a window older. A
name is that of a row of `METERS`, for all clusters together, or with `@CLUSTER` for one.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Literal

import msgspec
from prometheus_client.registry import CollectorRegistry

from godwit.control.probes import ProbeView

WINDOW = 60.0
"""Seconds between the two readings that are compared."""

EVERY = 5.0
"""Seconds between readings."""

SHORTEST = 1.0
"""Seconds between two readings below which they are not compared."""

PREFIX = "godwit_edge_"

Reading = Mapping[tuple[str, str], float]
"""`(metric, cluster)` -> value."""

How = Literal["now", "grown", "share", "ended", "probe"]


class Meter(msgspec.Struct, frozen=True):
    """One built-in metric.

    Attributes:
        meaning: for people, in one line.
        how: `now`: the sum of `of`; `grown`: by how much that grew in the window; `share`: the same, divided by
            what `among` grew by; `ended`: connections that ended, per connection there was; `probe`: of the probes,
            the slowest cluster's.
        of, among: metrics of the edges, without their prefix.
    """

    meaning: str
    how: How
    of: tuple[str, ...] = ()
    among: tuple[str, ...] = ()


METERS: dict[str, Meter] = {
    "delivery_p50": Meter("seconds from sending to reading, as probes see it, the median; of the slowest", "probe"),
    "delivery_p99": Meter("the same for all but one in a hundred", "probe"),
    "publish_errors": Meter(
        "share of the messages that took no effect or whose fate is unknown",
        "share",
        ("voided_total", "unknown_total"),
        ("accepted_total",),
    ),
    "unknown": Meter("messages whose fate is unknown", "grown", ("unknown_total",)),
    "gaps": Meter("gap notices that were sent", "grown", ("gaps_total",)),
    "disconnects": Meter(
        "connections that ended, per connection there was at the beginning",
        "ended",
        ("connections", "logins_total"),
    ),
    "refused_logins": Meter("logins that were refused", "grown", ("logins_refused_total",)),
    "joins_over": Meter(
        "JOINs that were dropped because they were past the client's limit", "grown", ("joins_over_total",)
    ),
    "slow_readers": Meter("connections that were cut because they did not read", "grown", ("slow_readers_total",)),
    "failures": Meter(
        "channels and connections that were given up because of a fault of Godwit's",
        "grown",
        ("channels_failed_total", "sessions_failed_total"),
    ),
    "serverchanges": Meter("SERVERCHANGE lines that were sent", "grown", ("serverchanges_total",)),
    "connections": Meter("connections there are", "now", ("connections",)),
    "members": Meter("memberships there are: connections times the channels each is in", "now", ("members",)),
}
"""What is made from the edges' counters and the probes; those of the window count what happened in 60 s."""

FOLLOWED = "followed"
"""The one metric that is made from the store, for one wave (`samplers.Metric`)."""


def metric_names(clusters: Iterable[str]) -> list[str]:
    """Every name that a gate of the kind `metric` may give."""
    return [*METERS, FOLLOWED, *(f"{name}@{cluster}" for cluster in clusters for name in METERS)]


def read(registry: CollectorRegistry) -> Reading:
    """What the edges of this process count now."""
    return {
        (sample.name.removeprefix(PREFIX), sample.labels.get("cluster", "")): sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name.startswith(PREFIX)
    }


class Meters:
    """Keeps readings, and makes metrics of them.

    Args:
        reading: what is counted now.
        probes: what the probes see, by cluster.
        now: seconds that only grow.
        sleep: how pauses are made.
    """

    def __init__(
        self,
        reading: Callable[[], Reading],
        probes: Callable[[], Mapping[str, ProbeView]],
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._reading = reading
        self._probes = probes
        self._now = now
        self._sleep = sleep
        self._kept: deque[tuple[float, Reading]] = deque()

    async def run(self) -> None:
        """Take readings until cancelled."""
        while True:
            self.take()
            await self._sleep(EVERY)

    def take(self) -> None:
        """Take one reading; those that no window reaches back to are forgotten."""
        now = self._now()
        self._kept.append((now, self._reading()))
        while len(self._kept) > 1 and self._kept[1][0] <= now - WINDOW:
            self._kept.popleft()

    def value(self, name: str) -> tuple[float | None, str]:
        """The number of a metric now, None if there is none, and what it is made of.

        Args:
            name: of a row of `METERS`, or that and `@CLUSTER`.
        """
        base, _, cluster = name.partition("@")
        meter = METERS.get(base)
        if meter is None:
            return None, f"there is no metric {base!r}: use one of {', '.join(METERS)}, {FOLLOWED}"
        if meter.how == "probe":
            return self._probed(base, cluster)
        newest = self._reading()
        if cluster and not any(where == cluster for _, where in newest):
            return None, f"there is no cluster {cluster!r} here"
        if meter.how == "now":
            found = _sum(newest, meter.of, cluster)
            return found, f"{name} {found:g}"
        if not self._kept or self._now() - self._kept[0][0] < SHORTEST:
            return None, "there is nothing to compare with yet"
        then, oldest = self._kept[0]

        def grown(names: tuple[str, ...]) -> float:
            return _sum(newest, names, cluster) - _sum(oldest, names, cluster)

        seconds = self._now() - then
        if meter.how == "grown":
            return grown(meter.of), f"{name} {grown(meter.of):g} in {seconds:.0f} s"
        if meter.how == "share":
            parts, whole = grown(meter.of), grown(meter.among)
        else:
            parts, whole = grown(("logins_total",)) - grown(("connections",)), _sum(oldest, ("connections",), cluster)
        if whole <= 0:
            return None, f"{name}: nothing to divide by in {seconds:.0f} s"
        share = max(parts, 0.0) / whole
        return share, f"{name} {share:.4g} ({max(parts, 0.0):g} of {whole:g} in {seconds:.0f} s)"

    def _probed(self, base: str, cluster: str) -> tuple[float | None, str]:
        views = {name: view for name, view in self._probes().items() if cluster in ("", name)}
        found = {name: view.p50 if base == "delivery_p50" else view.p99 for name, view in views.items()}
        silent = [name for name, value in found.items() if value is None]
        slowest = max(((value, name) for name, value in found.items() if value is not None), default=None)
        if silent or slowest is None:
            return None, f"the probes have no numbers of {', '.join(silent) or cluster or 'any cluster'}"
        return slowest[0], f"{base} {slowest[0] * 1000:.1f} ms on {slowest[1]}"


def _sum(reading: Reading, names: tuple[str, ...], cluster: str) -> float:
    return sum(value for (name, where), value in reading.items() if name in names and cluster in ("", where))
