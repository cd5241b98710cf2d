"""The store in dictionaries: for tests and simulations, and the shortest statement of the contract.

Nothing here suspends, so each call is one atomic step. What it holds dies with the process.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from godwit.clock import Clock
from godwit.store import refusals
from godwit.store.base import AuditEntry, Sanction, Token
from godwit.store.memory_nodes import MemoryNodes
from godwit.store.memory_rollouts import MemoryRollouts
from godwit.store.tokens import token_hash, token_id
from godwit.values import FAMILIES, Account, Position, is_counted


class MemoryStore(MemoryRollouts, MemoryNodes):
    """A `RolloutStore` and `NodeRegistry` that lives in the process; several roles share it by sharing the object."""

    def __init__(self, clock: Clock | None = None) -> None:
        """Begin without anything.

        Args:
            clock: what the store itself has for the time; the machine's, unless it is given.
        """
        MemoryRollouts.__init__(self)
        MemoryNodes.__init__(self, clock)
        self._accounts: dict[str, Account] = {}
        self._last_user_id = 0
        self._tokens: dict[str, Token] = {}
        self._sanctions: dict[str, Sanction] = {}
        self._audit: list[AuditEntry] = []

    # accounts -------------------------------------------------------------------------------

    async def add_account(self, account: Account) -> Account:
        """Add an account, or return the one of that login."""
        if account.login in self._accounts:
            return self._accounts[account.login]
        if not account.user_id:
            account = msgspec.structs.replace(account, user_id=str(self._last_user_id + 1))
        elif any(other.user_id == account.user_id for other in self._accounts.values()):
            raise refusals.user_id_taken(account.user_id, account.login)
        if is_counted(account.user_id):
            self._last_user_id = max(self._last_user_id, int(account.user_id))
        self._accounts[account.login] = account
        return account

    async def account(self, login: str) -> Account | None:
        """The account of a login."""
        return self._accounts.get(login)

    async def owners(self, logins: Sequence[str]) -> list[Account | None]:
        """The accounts of many logins, in the order asked for."""
        return [self._accounts.get(login) for login in logins]

    async def accounts(self, after: str = "", limit: int = 1000) -> list[Account]:
        """Accounts sorted by login."""
        logins = sorted(login for login in self._accounts if login > after)
        return [self._accounts[login] for login in logins[:limit]]

    async def remove_account(self, login: str) -> bool:
        """Remove an account and its tokens; says whether it was there."""
        self._tokens = {digest: token for digest, token in self._tokens.items() if token.login != login}
        return self._accounts.pop(login, None) is not None

    async def add_token(self, login: str, token: str, scopes: Sequence[str], now: float) -> Token:
        """Let `token` log in as `login`; only its hash is stored."""
        if login not in self._accounts:
            raise refusals.no_account(login)
        digest = token_hash(token)
        stored = self._tokens.setdefault(digest, Token(token_id(digest), login, tuple(scopes), now))
        if stored.login != login:
            raise refusals.token_taken(login)
        return stored

    async def check_token(self, token: str) -> tuple[Account, Token] | None:
        """Whose token it is; None if it is unknown or revoked."""
        stored = self._tokens.get(token_hash(token))
        return None if stored is None or stored.revoked else (self._accounts[stored.login], stored)

    async def revoke_token(self, token_id: str) -> bool:
        """End a token; says whether it was valid."""
        for digest, token in self._tokens.items():
            if token.id == token_id and not token.revoked:
                self._tokens[digest] = msgspec.structs.replace(token, revoked=True)
                return True
        return False

    # moderation -----------------------------------------------------------------------------

    async def add_sanction(self, sanction: Sanction) -> None:
        """Write an act before it is appended; a known id changes nothing."""
        self._sanctions.setdefault(sanction.id, sanction)

    async def place_sanction(self, sanction_id: str, position: Position, time: float) -> None:
        """Give a row the position of its first valid record, for good."""
        row = self._sanctions.get(sanction_id)
        if row and row.position is None:
            self._sanctions[sanction_id] = msgspec.structs.replace(row, position=position, time=time)

    async def sanctions(self, channel: str, *, since: float | None = None) -> list[Sanction]:
        """The rows that decide: the newest placed one of each subject, those placed since, all without a position."""
        return _deciding([row for row in self._sanctions.values() if row.channel == channel], since)

    async def sanctions_among(
        self, channels: Sequence[str], *, since: float | None = None
    ) -> dict[str, list[Sanction]]:
        """`sanctions` of many channels; without those that have none."""
        found: dict[str, list[Sanction]] = {}
        wanted = set(channels)
        for row in self._sanctions.values():
            if row.channel in wanted:
                found.setdefault(row.channel, []).append(row)
        return {channel: _deciding(rows, since) for channel, rows in found.items()}

    # audit ----------------------------------------------------------------------------------

    async def audit(self, entry: AuditEntry) -> None:
        """Add a line to the audit."""
        self._audit.append(entry)

    async def audit_log(self, *, subject: str | None = None, limit: int = 100) -> list[AuditEntry]:
        """The audit, newest first."""
        found = [entry for entry in reversed(self._audit) if subject in (None, entry.subject)]
        return found[:limit]


def _deciding(rows: Sequence[Sanction], since: float | None) -> list[Sanction]:
    """The rows of one channel that decide."""
    order = sorted((row.position, row.time, row.id, row) for row in rows if row.position is not None)
    placed = [row for *_, row in order]
    newest = {_subject(row): row for row in placed}
    before = {_subject(row): row for row in placed if since is not None and row.time < since}
    wanted = {row.id for row in (*newest.values(), *before.values())}
    return [
        *(row for row in placed if row.id in wanted or (since is not None and row.time >= since)),
        *(row for row in rows if row.position is None),
    ]


def _subject(row: Sanction) -> tuple[str, str]:
    return FAMILIES[row.kind], row.target
