"""The gate of a process: who is let in, and whose connections end (AUTH-7, LOGIN-11).

The store numbers whatever ends connections: a revoked token, a removed account. Every process looks for new
numbers every two seconds, one small question whatever the number of its connections, and at what has expired.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import structlog

from godwit.clock import Clock
from godwit.edge.auth.base import Authority, Grant
from godwit.edge.auth.own import Open, Tokens
from godwit.edge.auth.scopes import may_log_in
from godwit.errors import StoreUnavailable
from godwit.settings import AuthSettings
from godwit.store.base import Ending, Store

if TYPE_CHECKING:
    from godwit.edge.session import Session

log = structlog.get_logger()

LOOK = 2.0
"""Seconds between two looks at what has ended."""

REMEMBERED = 10_000
"""Endings that are remembered, for logins that are being checked meanwhile."""


def authority(settings: AuthSettings, store: Store, clock: Clock) -> Authority:
    """The authority that the settings ask for."""
    if settings.mode == "open":
        return Open(store)
    if settings.mode == "jwt":
        from godwit.edge.auth.signed import Signed

        return Signed(settings, store, clock)
    if settings.mode == "webhook":
        from godwit.edge.auth.asked import Asked

        return Asked(settings, store, clock)
    return Tokens(store)


class Gate:
    """Lets clients in for all nodes of a process, and ends their connections when they may not stay.

    Args:
        judge: by default the one that the settings ask for.
    """

    def __init__(self, settings: AuthSettings, store: Store, clock: Clock, judge: Authority | None = None) -> None:
        self._judge = judge or authority(settings, store, clock)
        self._store = store
        self._clock = clock
        self._last: int | None = None
        self._heard = 0
        self._recent: deque[Ending] = deque(maxlen=REMEMBERED)

    async def open(self) -> None:
        """Get ready, before anybody is let in.

        Raises:
            InvalidSetting: the settings name an authority that cannot be.
            StoreUnavailable: no answer.
        """
        await self._judge.open()
        self._last = await self._store.last_ending()

    async def close(self) -> None:
        """Let go of connections and the like."""
        await self._judge.close()

    async def check(self, nick: str, token: str) -> Grant | None:
        """Say what a token (without `oauth:`) lets the owner of a nick do; None if it does not let him in.

        Raises:
            StoreUnavailable, IdentityUnavailable: nobody can say now.
        """
        heard = self._heard
        grant = await self._judge.check(nick, token)
        if grant is None or not may_log_in(grant.scopes) or self._is_over(grant):
            return None
        meanwhile = list(self._recent)[len(self._recent) - (self._heard - heard) :] if self._heard > heard else []
        return None if any(_concerns(ending, grant) for ending in meanwhile) else grant

    async def watch(self, sessions: Callable[[], Iterable[Session]]) -> None:
        """End connections whenever something says so, until cancelled.

        Args:
            sessions: those of the process.
        """
        while True:
            await asyncio.sleep(LOOK)
            try:
                async with asyncio.timeout(LOOK):
                    await self.look(sessions)
            except (StoreUnavailable, TimeoutError) as error:
                log.warning("endings_unknown", error=repr(error))
            except Exception:
                # Whatever it met this time, there must be a next time.
                log.exception("endings_unknown")

    async def look(self, sessions: Callable[[], Iterable[Session]]) -> None:
        """End the connections whose token has expired or was revoked, or whose account was removed.

        Raises:
            StoreUnavailable: no answer; what has expired has ended nevertheless.
        """
        now = self._clock.now()
        for session in list(sessions()):
            if session.grant is not None and 0 < session.grant.expires <= now:
                session.guard(session.end)
        if self._last is None:
            self._last = await self._store.last_ending()
        while found := await self._store.endings(self._last):
            self._last = found[-1].number
            self._heard += len(found)
            self._recent.extend(found)
            self._end(found, list(sessions()))

    def _end(self, found: list[Ending], sessions: Iterable[Session]) -> None:
        accounts = {ending.user_id for ending in found if not ending.token}
        tokens = {ending.token for ending in found if ending.token}
        for user_id in {ending.user_id for ending in found}:
            self._judge.forget(user_id)
        ended = 0
        for session in sessions:
            if session.grant is not None and (session.account in accounts or session.grant.token in tokens):
                session.guard(session.end)
                ended += 1
        log.info("logins_ended", accounts=len(accounts), tokens=len(tokens), connections=ended)

    def _is_over(self, grant: Grant) -> bool:
        return 0 < grant.expires <= self._clock.now()


def _concerns(ending: Ending, grant: Grant) -> bool:
    return ending.token == grant.token if ending.token else ending.user_id == grant.account.user_id
