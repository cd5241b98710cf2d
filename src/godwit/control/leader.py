"""The lease of the controller, and writing under its term (fencing)."""

from __future__ import annotations

import msgspec

from godwit.clock import Clock
from godwit.errors import StaleEpoch
from godwit.rollout.values import Advance, Rollout
from godwit.store.rollout_base import RolloutStore

LEASE = "controller"
TTL = 10.0
"""Seconds for which a lease is taken; it is prolonged at each look."""


class Leader:
    """Holds the lease, or waits for it.

    Attributes:
        term: of the lease as long as it is held, else 0.

    Args:
        holder: a name that no other process has; the same one after a restart takes over at once.
    """

    def __init__(self, store: RolloutStore, clock: Clock, holder: str) -> None:
        self._store = store
        self._clock = clock
        self._holder = holder
        self._until = 0.0
        self.term = 0
        self.fresh = False

    async def hold(self) -> float:
        """Take or keep the lease; `fresh` says whether it is another term than before.

        Returns:
            0 if it is held, else the seconds after which to try again.
        """
        now = self._clock.now()
        lease = await self._store.lead(LEASE, self._holder, now=now, until=now + TTL)
        if lease.holder != self._holder:
            self.term = 0
            return min(max(lease.until - now, 0.1), TTL / 2)
        self.fresh = lease.term != self.term
        self.term, self._until = lease.term, lease.until
        return 0.0

    @property
    def leads(self) -> bool:
        """Whether the lease is held, as far as is known here."""
        return self.term > 0 and self._clock.now() < self._until

    def lose(self) -> None:
        """Something was written by another hand, or nobody knows whether ours was: read everything again."""
        self.term = 0

    async def resign(self) -> None:
        """Let another one lead at once."""
        self.term = 0
        await self._store.resign(LEASE, self._holder)

    async def write(self, advance: Advance) -> Rollout | None:
        """Write a decision under the term.

        Raises:
            StaleEpoch: another one leads by now.
            MoveRefused: see the store.
        """
        if not self.term:
            raise StaleEpoch("the lease of the controller was lost")
        return await self._store.advance(advance, term=self.term)

    async def keep(self, rollout: Rollout, **changes: object) -> Rollout:
        """Write a rollout, with fields of the `Advance` as given; returns it as written."""
        advance: Advance = msgspec.structs.replace(Advance(self._clock.now(), rollout), **changes)
        written = await self.write(advance)
        assert written
        return written
