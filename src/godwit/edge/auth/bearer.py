"""Whose token it is, for services beside the chat: there nobody says a nick before (HTTP-chatdepot)."""

from __future__ import annotations

from godwit.clock import Clock
from godwit.edge.auth.gate import Gate
from godwit.edge.auth.scopes import may_speak
from godwit.settings import AuthSettings
from godwit.store.base import Store
from godwit.values import Account, is_login


class Bearer:
    """Lets in whom the gate of chat would let in.

    Args:
        gate: by default one of its own.
    """

    def __init__(self, settings: AuthSettings, store: Store, clock: Clock, gate: Gate | None = None) -> None:
        self._open = settings.mode == "open"
        self._store = store
        self._gate = gate or Gate(settings, store, clock)

    async def start(self) -> None:
        """Get ready.

        Raises:
            InvalidSetting: the settings name an authority that cannot be.
            StoreUnavailable: no answer.
        """
        await self._gate.open()

    async def close(self) -> None:
        """Let go of connections and the like."""
        await self._gate.close()

    async def identify(self, token: str, login: str) -> tuple[Account, bool] | None:
        """Say who has a token (without `oauth:`) and whether he may change anything; None if it lets nobody in.

        With open authentication, where any token is good, the token is the login if none is told.

        Args:
            login: whose it is said to be; '' is enough for tokens of the store.

        Raises:
            StoreUnavailable, IdentityUnavailable: nobody can say now.
        """
        if not login:
            login = token.lower() if self._open else await self._login(token)
        if not is_login(login):
            return None
        grant = await self._gate.check(login, token)
        return None if grant is None else (grant.account, may_speak(grant.scopes))

    async def _login(self, token: str) -> str:
        found = await self._store.check_token(token)
        return found[0].login if found else ""
