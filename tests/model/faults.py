"""Logs and a store as an edge or a controller meets them: late, twice, not at all, stale.

Each wraps the real thing (`MemoryLog`, `MemoryStore`). What the chances are is the run's choice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from godwit.chatlog.base import Page
from godwit.chatlog.memory import MemoryLog
from godwit.errors import AppendUnknown, ChatLogUnavailable, DeadLog, StoreUnavailable
from godwit.settings import LogSettings
from godwit.store.memory import MemoryStore
from godwit.values import Entry, Record
from tests.model.schedule import Schedule, at_once

Done = Callable[[Any], None]
Failed = Callable[[BaseException], None]


class Chances(msgspec.Struct):
    """How badly things go, each a probability."""

    slow: float = 0.05
    log_fails: float = 0.03
    append_late: float = 0.05
    append_twice: float = 0.05
    very_late: float = 0.01
    live_lost: float = 0.05
    stale_read: float = 0.1
    store_fails: float = 0.03
    store_answer_lost: float = 0.03


class SkewedClock:
    """A log's own clock: not everybody's."""

    def __init__(self, schedule: Schedule, skew: float) -> None:
        self._schedule = schedule
        self.skew = skew

    def now(self) -> float:
        return self._schedule.now() + self.skew


class Log:
    """One cluster's log behind a bad network."""

    def __init__(self, cluster: str, schedule: Schedule, settings: LogSettings, chances: Chances, skew: float) -> None:
        self.cluster = cluster
        self.chances = chances
        self._schedule = schedule
        self._settings = settings
        self._clock = SkewedClock(schedule, skew)
        self._generation = 0
        self.away = False
        self.real = self._new()
        self.graveyard: list[MemoryLog] = []

    def _new(self) -> MemoryLog:
        self._generation += 1
        return MemoryLog(self.cluster, f"{self.cluster}/{self._generation}", self._clock, self._settings)

    def recreate(self) -> None:
        """The stream is lost and created anew: sequences start over (rule L2)."""
        self.graveyard.append(self.real)
        self.real = self._new()

    def stream(self, channel: str) -> str:
        return self.real.stream(channel)

    def delay(self) -> float:
        rng = self._schedule.rng
        return rng.uniform(0.5, 6.0) if rng.random() < self.chances.slow else rng.uniform(0.001, 0.05)

    def append(self, channel: str, record: Record, stream: str, done: Done, failed: Failed, timeout: float) -> None:
        """Store, now or later or twice; `failed` with AppendUnknown after the time-out."""
        rng, after = self._schedule.rng, self._schedule.after
        answered = [False]

        def answer(call: Callable[[Any], None], value: Any) -> None:
            if not answered[0]:
                answered[0] = True
                call(value)

        def store(*, quiet: bool) -> None:
            try:
                sequence = at_once(self.real.append(channel, record, stream=stream))
            except DeadLog as error:
                if not quiet:
                    after(self.delay(), lambda error=error: answer(failed, error))  # type: ignore[misc]
                return
            if not quiet:
                after(self.delay(), lambda: answer(done, sequence))

        def arrive() -> None:
            if self.away:
                return
            if rng.random() < self.chances.very_late:
                after(rng.uniform(timeout, 60.0), lambda: store(quiet=True))
                return
            roll = rng.random()
            if roll < self.chances.log_fails:
                after(self.delay(), lambda: answer(failed, ChatLogUnavailable("refused")))
            elif roll < self.chances.log_fails + self.chances.append_late:
                after(rng.uniform(timeout, 3 * timeout), lambda: store(quiet=True))
            else:
                store(quiet=False)
                if rng.random() < self.chances.append_twice:
                    after(rng.uniform(0.1, 3 * timeout), lambda: store(quiet=True))

        after(self.delay(), arrive)
        after(timeout, lambda: answer(failed, AppendUnknown("no answer")))

    def read(self, channel: str, after: int, done: Done, failed: Failed) -> None:
        """Read, perhaps from a replica that lags."""
        schedule, rng = self._schedule, self._schedule.rng

        def arrive() -> None:
            if self.away or rng.random() < self.chances.log_fails:
                schedule.after(self.delay(), lambda: failed(ChatLogUnavailable("no answer")))
                return
            page: Page = at_once(self.real.read(channel, after, limit=rng.choice((2, 5, 500))))
            if page.entries and page.floor <= after and rng.random() < self.chances.stale_read:
                kept = page.entries[: rng.randrange(len(page.entries))]
                upto = kept[-1].sequence if kept else max(after, page.entries[0].sequence - 1)
                page = Page(page.stream, kept, upto, page.floor)
            schedule.after(self.delay(), lambda: done(page))

        schedule.after(self.delay(), arrive)

    def heads(self, channel: str, done: Done, failed: Failed) -> None:
        """The last sequence."""
        schedule = self._schedule

        def arrive() -> None:
            if self.away:
                schedule.after(self.delay(), lambda: failed(ChatLogUnavailable("no answer")))
                return
            head = at_once(self.real.heads([channel]))[0]
            schedule.after(self.delay(), lambda: done((head, self.real.stream(channel))))

        schedule.after(self.delay(), arrive)

    def release(self, channel: str, epoch: int, done: Done, failed: Failed) -> None:
        """Let open and seal expire."""
        at_once(self.real.release(channel, epoch))
        self._schedule.after(self.delay(), lambda: done(None))

    def subscribe(self, channel: str, deliver: Callable[[Entry], None]) -> Callable[[], None]:
        """The live path: in order, but some entries never come."""
        schedule, rng = self._schedule, self._schedule.rng
        last = [schedule.now()]
        open_ = [True]

        def live(entry: Entry) -> None:
            if rng.random() < self.chances.live_lost or self.away:
                return
            last[0] = max(last[0], schedule.now() + self.delay())
            schedule.after(last[0] - schedule.now(), lambda: deliver(entry) if open_[0] else None)

        subscription = self.real.subscribe(channel, live, lambda: None)

        def close() -> None:
            open_[0] = False
            subscription.close()

        return close


class Store:
    """The store behind a bad network."""

    def __init__(self, real: MemoryStore, schedule: Schedule, chances: Chances) -> None:
        self.real = real
        self.chances = chances
        self.away = False
        self._schedule = schedule

    def call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], done: Done, failed: Failed) -> None:
        """Call a method of the store; it may fail before or after it took effect."""
        schedule, rng = self._schedule, self._schedule.rng

        def delay() -> float:
            return rng.uniform(0.5, 15.0) if rng.random() < self.chances.slow else rng.uniform(0.001, 0.03)

        def arrive() -> None:
            if self.away or rng.random() < self.chances.store_fails:
                schedule.after(delay(), lambda: failed(StoreUnavailable("no answer")))
                return
            try:
                value = at_once(getattr(self.real, name)(*args, **kwargs))
            except Exception as raised:
                error = raised
                schedule.after(delay(), lambda: failed(error))
                return
            if rng.random() < self.chances.store_answer_lost:
                schedule.after(delay(), lambda: failed(StoreUnavailable("answer lost")))
            else:
                schedule.after(delay(), lambda: done(value))

        schedule.after(delay(), arrive)
