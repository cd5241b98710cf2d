"""The two ways to load a server: as fast as it acknowledges, and at a fixed rate whatever it does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, cycle

from godwit.load.crowd import Crowd
from godwit.load.receiver import quantile

BOUND = 0.93
"""A load generator that uses more of its core than this measures itself, not the server."""

DRAIN = 10.0
"""Seconds without news after which what has not come is lost."""

Meter = Callable[[], float]
"""Seconds of CPU that the server has used."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one run found.

    Attributes:
        seconds: how long it was measured.
        messages: said in that time.
        said: said in all, warming up included.
        deliveries: lines that arrived in that time, of all receivers.
        server_cpu: seconds of CPU of the server in that time; -1 if its process is not known.
        load_busy: share of its core that the load generator used.
        expected: lines that all receivers had to hear, with those that were said before and after.
        cut: connections that the server closed.
        notices: NOTICEs in rooms, which nobody here calls for.
        p50_ms, p99_ms, max_ms: latency, from when a line was to be sent to its arrival at each receiver; 0 if unknown.
        silence_ms: the longest that a receiver heard nothing.
    """

    seconds: float
    messages: int
    deliveries: int
    server_cpu: float
    load_busy: float
    expected: int
    lost: int
    repeated: int
    misordered: int
    cut: int = 0
    notices: int = 0
    said: int = 0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    max_ms: float = 0.0
    silence_ms: float = 0.0

    @property
    def exact(self) -> bool:
        """Whether everything came once and in order."""
        return not (self.lost or self.repeated or self.misordered or self.cut or self.notices)

    @property
    def load_bound(self) -> bool:
        """Whether the load generator was at its limit, so that the server may be faster."""
        return self.load_busy >= BOUND

    @property
    def deliveries_per_s(self) -> float:
        """Lines that arrived per second."""
        return self.deliveries / self.seconds

    @property
    def cpu_us(self) -> float:
        """Microseconds of the server's CPU for each line that arrived."""
        return self.server_cpu / self.deliveries * 1e6 if self.deliveries else 0.0

    @property
    def cpu_share(self) -> float:
        """Share of one core that the server used."""
        return self.server_cpu / self.seconds


class _Window:
    """The time in which it counts, between warming up and the end."""

    def __init__(self, crowd: Crowd, seconds: float, warm_up: float, meter: Meter) -> None:
        self._crowd = crowd
        self._meter = meter
        self._before = crowd.account()
        self._cut_before = len(crowd.cut)
        self.begins = time.monotonic() + warm_up
        self.ends = self.begins + seconds
        self._first: tuple[float, int, int, float, float] | None = None
        self._last: tuple[float, int, int, float, float] | None = None
        self.said = 0

    def open(self, now: float) -> bool:
        """Whether to go on; takes the readings when their times have come."""
        if self._first is None and now >= self.begins:
            self._crowd.receiver.measure(True)
            self._first = self._read()
        return now < self.ends

    def close(self) -> None:
        """Take the last reading."""
        self._last = self._read()

    def result(self) -> Result:
        """Wait for what is under way, and say what was found."""
        self._crowd.settle(DRAIN)
        self._crowd.receiver.measure(False)
        assert self._first is not None
        assert self._last is not None
        seconds, messages, deliveries, server, load = (
            after - before for after, before in zip(self._last, self._first, strict=True)
        )
        histogram = self._crowd.receiver.histogram()
        before, after = self._before, self._crowd.account()
        expected = after.expected - before.expected
        return Result(
            seconds=seconds,
            messages=int(messages),
            deliveries=int(deliveries),
            server_cpu=server if self._meter is not no_meter else -1.0,
            load_busy=load / seconds,
            p50_ms=quantile(histogram, 0.5),
            p99_ms=quantile(histogram, 0.99),
            max_ms=quantile(histogram, 1.0),
            silence_ms=after.silence / 1e6,
            expected=expected,
            lost=expected - (after.heard - before.heard),
            repeated=after.repeated - before.repeated,
            misordered=after.misordered - before.misordered,
            cut=len(self._crowd.cut) - self._cut_before,
            notices=after.notices - before.notices,
            said=self.said,
        )

    def _read(self) -> tuple[float, int, int, float, float]:
        return time.monotonic(), self.said, self._crowd.receiver.deliveries, self._meter(), time.process_time()


def no_meter() -> float:
    """The meter of a server whose process is not known."""
    return 0.0


def prime(crowd: Crowd) -> None:
    """Have every sender say a line, so that what is done once for each room and sender is done."""
    shape = crowd.shape
    now = time.monotonic_ns()
    crowd.speak(range(shape.rooms * shape.senders), [now] * shape.rooms * shape.senders)
    crowd.settle(DRAIN)


def closed(crowd: Crowd, window: int, seconds: float, warm_up: float = 0.5, meter: Meter = no_meter) -> Result:
    """Keep so many lines under way: whenever a receiver has seen one, the next sender of that room says one.

    Args:
        window: lines under way in all rooms together.
        seconds: of measuring, after the warming up.
    """
    span = _Window(crowd, seconds, warm_up, meter)
    speak, following, tend = crowd.speak, crowd.following, crowd.tend
    turn = crowd.begin(window)
    while span.open(time.monotonic()):
        if turn:
            now = time.monotonic_ns()
            speak(turn, [now] * len(turn))
            span.said += len(turn)
        turn = [following(sender) for sender in tend(0.1)]
        crowd.unblock()
    span.close()
    return span.result()


def steady(crowd: Crowd, rate: float, seconds: float, warm_up: float = 0.5, meter: Meter = no_meter) -> Result:
    """Say lines at a fixed rate; a line's latency counts from when it was due, however late it could be sent.

    Args:
        rate: lines a second in all rooms together.
    """
    span = _Window(crowd, seconds, warm_up, meter)
    senders = _everybody(crowd)
    began = time.monotonic_ns()
    dues = (began + int(number * 1e9 / rate) for number in count())
    due = next(dues)
    while span.open(time.monotonic()):
        turn = []
        now = time.monotonic_ns()
        while due <= now:
            turn.append(due)
            due = next(dues)
        if turn:
            crowd.speak(senders, turn)
            span.said += len(turn)
        crowd.tend(min(0.1, max(0.0, (due - time.monotonic_ns()) / 1e9)))
        crowd.unblock()
    span.close()
    return span.result()


def _everybody(crowd: Crowd) -> Iterator[int]:
    """All senders in turn, for ever, room by room."""
    shape = crowd.shape
    return cycle([room * shape.senders + place for place in range(shape.senders) for room in range(shape.rooms)])
