"""The store in a database: SQLite by default, or PostgreSQL."""

from __future__ import annotations

from godwit.errors import GodwitError, StoreUnavailable
from godwit.store import postgres
from godwit.store.accounts import Accounts
from godwit.store.database import answering
from godwit.store.emotes import Emotes
from godwit.store.migrations import check_current
from godwit.store.moderation import Moderation
from godwit.store.nodes import Nodes
from godwit.store.relations import Relations
from godwit.store.rollouts import Rollouts
from godwit.store.urls import shown


class SqlStore(Rollouts, Accounts, Relations, Emotes, Moderation, Nodes):
    """A `RolloutStore` and `NodeRegistry` over an async engine; each call is one transaction.

    Several of them, in one process or in many, may share a database.
    """

    async def open(self) -> None:
        """Connect.

        Raises:
            StoreUnavailable: no answer.
            StoreNotPrepared: the tables are not those of this version (`migrate` first), or the server is too old.
        """
        try:
            with answering():
                async with self._engine.connect() as connection:
                    if not self._is_sqlite:
                        await connection.run_sync(postgres.check_version)
                    await connection.run_sync(check_current)
        except GodwitError as error:
            await self._engine.dispose()
            if isinstance(error, StoreUnavailable) and not self._is_sqlite:
                raise StoreUnavailable(f"{error}; store.url is {shown(self.url)}") from error
            raise
        self._open = True
