"""Streams that begin and end, whoever says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from godwit.clock import Clock
from godwit.store.base import AuditEntry, Store


@dataclass(frozen=True, slots=True)
class LiveReports:
    """Where operators and webhooks report to.

    Attributes:
        wake: called after each report: a channel that went offline may move now.
    """

    store: Store
    clock: Clock
    wake: Callable[[], None]

    async def record(self, channel: str, live: bool, by: str, details: str = "") -> None:
        """Record that a stream began or ended, in the audit too.

        Args:
            channel: a legal name, as Godwit stores it.
            by: who says so.
        """
        now = self.clock.now()
        await self.store.set_live(channel, live, now)
        self.wake()
        await self.store.audit(AuditEntry(now, by, "live" if live else "offline", channel, details=details))
