"""Streams that begin and end, whoever says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from godwit.clock import Clock
from godwit.store.base import AuditEntry
from godwit.store.rollout_base import RolloutStore


@dataclass(frozen=True, slots=True)
class LiveReports:
    """Where operators and webhooks report to.

    Attributes:
        wake: called after each report: a channel that went offline may move now.
    """

    store: RolloutStore
    clock: Clock
    wake: Callable[[], None]

    async def since(self, channel: str) -> float:
        """When the channel's stream last began or ended, as far as stored; 0 if nobody ever told."""
        return (await self.store.candidates_of([channel]))[0].live_since

    async def record(self, channel: str, live: bool, by: str, details: str = "", *, at: float | None = None) -> None:
        """Record that a stream began or ended, in the audit too.

        Args:
            channel: a legal name, as Godwit stores it.
            by: who says so.
            at: when it was, if that is known; by default now, and never later.
        """
        now = self.clock.now()
        await self.store.set_live(channel, live, now if at is None else min(at, now))
        self.wake()
        await self.store.audit(AuditEntry(now, by, "live" if live else "offline", channel, details=details))
