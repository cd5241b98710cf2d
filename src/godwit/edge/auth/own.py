"""Authorities that need nobody else: open authentication, and tokens of the store (AUTH-1, AUTH-2)."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from godwit.edge.auth.base import Grant
from godwit.edge.batches import Batches, K, V
from godwit.edge.tasks import Tasks
from godwit.errors import InvalidRequest, StoreUnavailable
from godwit.store.base import Store, Token
from godwit.values import Account, derived_id

log = structlog.get_logger()

PATIENCE = 10.0
"""Seconds that the store may take to say who some are that log in."""


class Open:
    """Any legal nick with any token exists, and owns the channel of its name. Who logs in together is asked for so."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tasks = Tasks()
        self._questions: Batches[str, Account] = Batches(self._accounts, PATIENCE, self._tasks, "accounts")

    async def open(self) -> None:
        """There is nothing to do."""

    async def close(self) -> None:
        """Ask nothing any more."""
        await self._tasks.close()

    async def check(self, nick: str, token: str) -> Grant | None:
        """Let everybody in; an account that is not there is added."""
        return Grant(await _answer(self._questions, nick))

    async def _accounts(self, nicks: Sequence[str]) -> list[Account]:
        found = dict(zip(nicks, await self._store.owners(nicks), strict=True))
        if new := [nick for nick, account in found.items() if account is None]:
            added = await self._store.add_accounts([Account(derived_id(nick), nick) for nick in new])
            found |= dict(zip(new, added, strict=True))
        accounts = []
        for nick, account in found.items():  # without one is now whose id another login has
            accounts.append(account or await self._store.add_account(Account("", nick)))
        return accounts

    def forget(self, user_id: str) -> None:
        """There is nothing to do."""


class Tokens:
    """Accounts and tokens of the store, looked up together. A token without any scope may do everything."""

    def __init__(self, store: Store) -> None:
        self._tasks = Tasks()
        self._questions: Batches[str, tuple[Account, Token] | None] = Batches(
            store.check_tokens, PATIENCE, self._tasks, "tokens"
        )

    async def open(self) -> None:
        """There is nothing to do."""

    async def close(self) -> None:
        """Ask nothing any more."""
        await self._tasks.close()

    async def check(self, nick: str, token: str) -> Grant | None:
        """Look the token up."""
        found = await _answer(self._questions, token)
        if found is None or found[0].login != nick:
            return None
        account, row = found
        return Grant(account, frozenset(row.scopes) or None, row.id)

    def forget(self, user_id: str) -> None:
        """There is nothing to do."""


async def _answer(questions: Batches[K, V], question: K) -> V:
    try:
        return await questions.answer(question)
    except TimeoutError as error:
        raise StoreUnavailable("the store did not say in time who logs in") from error


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
