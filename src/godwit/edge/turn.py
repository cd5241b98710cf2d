"""When the channels of a node are flushed.

What begins to wait in a turn of the loop goes out in the next one, together with what came meanwhile. In a busy process
that would write as often as it can, each time a little; so it waits some milliseconds longer there, if that does not
slow the talk down (`Rhythm`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from math import sqrt
from typing import TYPE_CHECKING

import structlog

from godwit.wire.sending import SendAll, best

if TYPE_CHECKING:
    from godwit.edge.fanout import Fanout, Reader

log = structlog.get_logger()

WINDOW = 0.01
"""Seconds for which lines are collected while that pays."""

_SPELL, _TRIAL = 0.1, 0.05  # seconds between two looks; the same in a trial
_BUSY, _CALM = (
    0.5,
    0.1,
)  # shares of the time that flushes take: from the one on lines are collected, below the other not
_WORTH = 2.0  # lines that must come in a window: fewer cannot share a write
_MORE = 1.3  # times as many lines as before must share a write
_SLOWED = 0.8  # of the lines that came before; fewer mean that talkers wait for their answers
_TRUST = 5.0  # seconds for which lines are collected before it is measured anew how many come without
_PROOF = 0.5  # seconds in which a trial can still fail; what ends later has had its time
_AGAIN, _AGAIN_AT_MOST = 0.4, 6.4  # seconds until the next trial; doubled by each that fails


class Rhythm:
    """Decides whether lines are collected for a while before they go out.

    Collecting saves writes where lines come by themselves, and only delays them where their senders wait for an answer
    before they say more. Which of both it is nobody can see; so it is tried, for a moment: as long as about as many
    lines come as before and more of them leave together, it saves work and keeps nobody waiting.

    Attributes:
        collecting: whether they are collected.
    """

    __slots__ = (
        "_again", "_before", "_flushed", "_lines", "_next", "_shared", "_since", "_spent", "_trial", "_until",
        "collecting",
    )  # fmt: skip

    def __init__(self) -> None:
        self.collecting = False
        self._trial = False
        self._since = 0.0
        self._spent = 0.0
        self._lines = 0
        self._flushed = 0
        self._before = 0.0  # lines a second, before the trial
        self._shared = 0.0  # lines that a channel had at its flush, before the trial
        self._until = 0.0
        self._next = 0.0
        self._again = _AGAIN

    def wait(self, now: float, lines: int, flushed: int, spent: float) -> float:
        """Say for how many seconds lines are to wait.

        Args:
            now: the loop's time.
            lines: how many have come so far.
            flushed: how many times a channel has been flushed so far.
            spent: seconds that all flushes so far have taken. Not processor time: of that a process does not get much
                on a machine that is too busy, which is the more a reason to write less often.
        """
        spell = now - self._since
        if spell >= (_TRIAL if self._trial else _SPELL):
            shared = (lines - self._lines) / max(flushed - self._flushed, 1)
            self._judge(now, spell, (spent - self._spent) / spell, lines - self._lines, shared)
            self._since, self._spent, self._lines, self._flushed = now, spent, lines, flushed
        return WINDOW if self.collecting else 0.0

    def _judge(self, now: float, spell: float, share: float, lines: int, shared: float) -> None:
        self._trial = False
        if self.collecting:
            expected = self._before * spell
            # Less the scatter of what comes by chance.
            if shared < _MORE * self._shared or lines < _SLOWED * expected - 2 * sqrt(expected):
                self.collecting = False
                if now < self._until - _TRUST + _PROOF:
                    self._next = now + self._again
                    self._again = min(2 * self._again, _AGAIN_AT_MOST)
            elif share < _CALM or now >= self._until:
                self.collecting = False
                self._again = _AGAIN
        elif share >= _BUSY and lines * WINDOW >= _WORTH * spell and now >= self._next:
            self.collecting = self._trial = True
            self._before, self._shared = lines / spell, shared
            self._until = now + _TRUST


class Turn:
    """The channels of a node that have lines waiting; flushed together.

    Attributes:
        send_all: hands bytes to many sockets.
        lines: how many have waited so far.
        delivered: lines handed to connections so far, each counted once per reader.

    Args:
        rhythm: decides when.
    """

    __slots__ = (
        "_dirty", "_flushed", "_hot", "_loop", "_rhythm", "_spent", "_timer", "_under_way", "delivered", "lines",
        "send_all",
    )  # fmt: skip

    def __init__(
        self, loop: asyncio.AbstractEventLoop, send_all: SendAll | None = None, rhythm: Rhythm | None = None
    ) -> None:
        self.send_all = send_all or best()
        self.lines = 0
        self.delivered = 0
        self._loop = loop
        self._rhythm = rhythm or Rhythm()
        self._dirty: list[Fanout] = []
        self._under_way: list[Fanout] = []  # with readers that have not been written to yet
        self._hot: list[Fanout] = []
        self._timer: asyncio.TimerHandle | None = None
        self._flushed = 0
        self._spent = 0.0

    def add(self, fanout: Fanout) -> None:
        """Have `fanout` flushed; call it once, when its first line begins to wait."""
        if not self._dirty:
            self._loop.call_soon(self._due)
        self._dirty.append(fanout)

    def hot(self, fanout: Fanout) -> None:
        """Have `fanout` cooled in the next turn; call it once, when it was written to at once."""
        if not self._hot:
            self._loop.call_soon(self._cool)
        self._hot.append(fanout)

    def catch_up(self, reader: Reader, among: Iterable[Fanout], many: int) -> None:
        """Give a reader what waits for it in any channel: what is written to it after this comes behind.

        Args:
            among: the channels that it is in.
            many: how many these are.
        """
        waiting = self._dirty + self._under_way if self._under_way else self._dirty
        if waiting:
            for fanout in list(among) if many < len(waiting) else waiting:
                fanout.catch_up(reader)

    def flush(self) -> None:
        """Flush all now."""
        while self._dirty or self._under_way:
            self._go_on()
            self._begin()

    def _begin(self) -> None:
        """Flush what has waited: of channels with very many readers a portion each."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        dirty, self._dirty = self._dirty, []
        self._flushed += len(dirty)
        self._write(dirty, len(dirty) == 1 and not self._under_way)

    def _go_on(self) -> None:
        """Flush the next portion of the channel that has waited for it longest."""
        if self._under_way:
            self._write([self._under_way.pop(0)], not self._under_way and not self._dirty)

    def _write(self, fanouts: list[Fanout], alone: bool) -> None:
        began = time.perf_counter()  # the loop's time stands still within a turn
        for fanout in fanouts:
            try:
                fanout.flush(alone)
            except Exception:
                # One channel's fault must not keep the lines of the others back.
                log.exception("fanout_failed", channel=fanout.channel)
            if fanout.under_way:
                self._under_way.append(fanout)
                self._loop.call_soon(self._go_on)
        self._spent += time.perf_counter() - began

    def _due(self) -> None:
        if not self._dirty or self._timer is not None:
            return  # flushed meanwhile
        wait = self._rhythm.wait(self._loop.time(), self.lines, self._flushed, self._spent)
        if wait:
            self._timer = self._loop.call_later(wait, self._begin)
        else:
            self._begin()

    def _cool(self) -> None:
        hot, self._hot = self._hot, []
        for fanout in hot:
            fanout.cool()
