"""The store in a database: SQLite by default, written so that PostgreSQL can join."""

from __future__ import annotations

from godwit.errors import StoreUnavailable
from godwit.store.accounts import Accounts
from godwit.store.database import answering
from godwit.store.migrations import is_current
from godwit.store.moderation import Moderation
from godwit.store.rollouts import Rollouts


class SqlStore(Rollouts, Accounts, Moderation):
    """A `RolloutStore` over an async engine; each call is one transaction.

    Several of them, in one process or in many, may share a database.
    """

    async def open(self) -> None:
        """Connect.

        Raises:
            StoreUnavailable: no answer, or the tables are not those of this version (`migrate` first).
        """
        with answering():
            async with self._engine.connect() as connection:
                current = await connection.run_sync(is_current)
        if not current:
            await self._engine.dispose()
            raise StoreUnavailable("the store's tables are not those of this version of Godwit: migrate it first")
        self._open = True
