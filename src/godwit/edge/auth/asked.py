"""Tokens that somebody else is asked about, by HTTP (AUTH-4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import structlog

from godwit.clock import Clock
from godwit.edge.auth.base import Grant
from godwit.edge.auth.claims import account_of, scopes_of
from godwit.edge.auth.own import Tokens, enrolled
from godwit.errors import IdentityUnavailable
from godwit.settings import AuthSettings
from godwit.store.base import Store
from godwit.store.tokens import token_hash

log = structlog.get_logger()

REFUSED = (400, 401, 403, 404)
"""Answers that say that the token lets nobody in."""

MOST = 100_000
"""Answers that are kept at once."""


class Asked:
    """Tokens that a webhook knows; those of the store are valid, too.

    Args:
        http: for tests: over which it is asked.
    """

    def __init__(
        self, settings: AuthSettings, store: Store, clock: Clock, http: httpx.AsyncClient | None = None
    ) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._own = Tokens(store)
        self._http = http or httpx.AsyncClient()
        self._kept: dict[str, tuple[Grant, float]] = {}
        self._forgotten = 0

    async def open(self) -> None:
        """There is nothing to do."""

    async def close(self) -> None:
        """Close connections."""
        await self._own.close()
        await self._http.aclose()

    async def check(self, nick: str, token: str) -> Grant | None:
        """Ask, unless it was answered a moment ago or the token is one of the store."""
        own = await self._own.check(nick, token)
        if own is not None:
            return own
        now, digest = self._clock.now(), token_hash(token)
        kept = self._kept.get(digest)
        if kept is not None and kept[1] > now:
            grant: Grant | None = kept[0]
        else:
            forgotten = self._forgotten
            grant = await self._ask(nick, token)
            if grant is not None and forgotten == self._forgotten:
                self._keep(digest, grant, now)
        return grant if grant is not None and grant.account.login == nick else None

    def forget(self, user_id: str) -> None:
        """Ask again about an account."""
        self._forgotten += 1
        self._kept = {key: kept for key, kept in self._kept.items() if kept[0].account.user_id != user_id}

    def _keep(self, digest: str, grant: Grant, now: float) -> None:
        self._kept.pop(digest, None)  # so that they stand in the order in which they become old
        self._kept[digest] = (grant, now + self._settings.webhook_cache)
        while (oldest := next(iter(self._kept))) and (len(self._kept) > MOST or self._kept[oldest][1] <= now):
            del self._kept[oldest]

    async def _ask(self, nick: str, token: str) -> Grant | None:
        settings = self._settings
        headers = {"Authorization": f"Bearer {settings.webhook_secret}"} if settings.webhook_secret else {}
        try:
            answer = await self._http.post(
                settings.webhook_url,
                json={"token": token, "login": nick},
                headers=headers,
                timeout=settings.webhook_timeout,
            )
            if answer.status_code in REFUSED:
                return None
            told = answer.raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise IdentityUnavailable(f"auth.webhook_url: {error!r}") from error
        if not isinstance(told, Mapping):
            raise IdentityUnavailable("auth.webhook_url: the answer is no JSON object")
        return await self._read(told)

    async def _read(self, told: Mapping[str, Any]) -> Grant | None:
        account = account_of(told.get("login"), told.get("user_id"), told.get("display_name"))
        expires = told.get("expires", 0.0)
        if account is None or isinstance(expires, bool) or not isinstance(expires, int | float):
            raise IdentityUnavailable("auth.webhook_url: the answer names no login, or an expiry that is no number")
        stored = await enrolled(self._store, account)
        if stored is None:
            return None
        scopes = told.get("scopes")
        return Grant(stored, None if scopes is None else scopes_of(scopes), expires=float(expires))
