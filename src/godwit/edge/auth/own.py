"""Authorities that need nobody else: open authentication, and tokens of the store (AUTH-1, AUTH-2)."""

from __future__ import annotations

import structlog

from godwit.edge.auth.base import Grant
from godwit.errors import InvalidRequest
from godwit.store.base import Store
from godwit.values import Account, derived_id

log = structlog.get_logger()


class Open:
    """Any legal nick with any token exists, and owns the channel of its name."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def open(self) -> None:
        """There is nothing to do."""

    async def close(self) -> None:
        """There is nothing to do."""

    async def check(self, nick: str, token: str) -> Grant | None:
        """Let everybody in; an account that is not there is added."""
        account = await self._store.account(nick)
        if account is None:
            try:
                account = await self._store.add_account(Account(derived_id(nick), nick))
            except InvalidRequest:
                account = await self._store.add_account(Account("", nick))  # another login has the same id
        return Grant(account)

    def forget(self, user_id: str) -> None:
        """There is nothing to do."""


class Tokens:
    """Accounts and tokens of the store. A token without any scope may do everything."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def open(self) -> None:
        """There is nothing to do."""

    async def close(self) -> None:
        """There is nothing to do."""

    async def check(self, nick: str, token: str) -> Grant | None:
        """Look the token up."""
        found = await self._store.check_token(token)
        if found is None or found[0].login != nick:
            return None
        account, row = found
        return Grant(account, frozenset(row.scopes) or None, row.id)

    def forget(self, user_id: str) -> None:
        """There is nothing to do."""


async def enrolled(store: Store, account: Account) -> Account | None:
    """The account that somebody else vouches for, as the store has it; added if it is not there.

    None if the store knows the login under another user id, or the id under another login: an operator has to say
    which of the two it is.
    """
    stored = await store.account(account.login)
    if stored is None:
        try:
            stored = await store.add_account(account)
        except InvalidRequest as error:
            log.warning("identity_differs", login=account.login, user_id=account.user_id, error=str(error))
            return None
    if account.user_id and stored.user_id != account.user_id:
        log.warning("identity_differs", login=account.login, user_id=account.user_id, stored=stored.user_id)
        return None
    return stored
