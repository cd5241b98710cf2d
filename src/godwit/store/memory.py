"""The store in dictionaries: for tests and simulations, and the shortest statement of the contract.

Nothing here suspends, so each call is one atomic step. What it holds dies with the process.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from godwit.clock import Clock
from godwit.store import refusals
from godwit.store.base import KEPT_ENDINGS, AuditEntry, Ending, Sanction, Token, hosted
from godwit.store.memory_group import MemoryGroup
from godwit.store.memory_nodes import MemoryNodes
from godwit.store.memory_people import MemoryPeople
from godwit.store.memory_rollouts import MemoryRollouts
from godwit.store.tokens import token_hash, token_id
from godwit.values import FAMILIES, Account, Position


class MemoryStore(MemoryRollouts, MemoryPeople, MemoryGroup, MemoryNodes):
    """A `RolloutStore` and `NodeRegistry` that lives in the process; several roles share it by sharing the object."""

    def __init__(self, clock: Clock | None = None) -> None:
        """Begin without anything.

        Args:
            clock: what the store itself has for the time; the machine's, unless it is given.
        """
        MemoryRollouts.__init__(self)
        MemoryPeople.__init__(self)
        MemoryGroup.__init__(self)
        MemoryNodes.__init__(self, clock)
        self._tokens: dict[str, Token] = {}
        self._endings: list[Ending] = []
        self._audit: list[AuditEntry] = []

    # accounts -------------------------------------------------------------------------------

    async def remove_account(self, login: str) -> bool:
        """Remove an account with its tokens and relations; says whether it was there."""
        gone = self._accounts.pop(login, None)
        if gone is None:
            return False
        self._relations = {key: relation for key, relation in self._relations.items() if key[1] != gone.user_id}
        await self.forget_member(gone.user_id)
        self._tokens = {digest: token for digest, token in self._tokens.items() if token.login != login}
        self._end(gone.user_id)
        return True

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

    async def check_tokens(self, asked: Sequence[str]) -> list[tuple[Account, Token] | None]:
        """`check_token` for many, in the order asked for."""
        return [await self.check_token(token) for token in asked]

    async def tokens(self, login: str) -> list[Token]:
        """The tokens of an account, the oldest first."""
        found = [token for token in self._tokens.values() if token.login == login]
        return sorted(found, key=lambda token: (token.created, token.id))

    async def revoke_token(self, token_id: str) -> bool:
        """End a token, and the connections that logged in with it; says whether it was valid."""
        for digest, token in self._tokens.items():
            if token.id == token_id and not token.revoked:
                self._tokens[digest] = msgspec.structs.replace(token, revoked=True)
                self._end(self._accounts[token.login].user_id, token_id)
                return True
        return False

    async def end_account(self, user_id: str, now: float) -> None:
        """Revoke all tokens of an account, end its connections, and make void what others let it in with so far."""
        for digest, token in self._tokens.items():
            if self._accounts[token.login].user_id == user_id:
                self._tokens[digest] = msgspec.structs.replace(token, revoked=True)
        self._end(user_id, time=now)

    async def void_before(self, user_id: str) -> float:
        """When `end_account` was last called for an account; 0 for never."""
        return max((ending.time for ending in self._endings if ending.user_id == user_id), default=0.0)

    async def endings(self, after: int, limit: int = 1000) -> list[Ending]:
        """What ended after the number `after`, oldest first."""
        return [ending for ending in self._endings if ending.number > after][:limit]

    async def last_ending(self) -> int:
        """The highest number of them, 0 for none."""
        return self._endings[-1].number if self._endings else 0

    def _end(self, user_id: str, token: str = "", time: float = 0.0) -> None:
        last = self._endings[-1].number if self._endings else 0
        self._endings.append(Ending(last + 1, user_id, token, time))
        del self._endings[:-KEPT_ENDINGS]

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

    async def hosts_of(self, login: str, limit: int = 1000) -> list[str]:
        """The channels that host a channel now, by name."""
        some = sorted({row.channel for row in self._sanctions.values() if row.target_login == login})
        found = await self.sanctions_among(some)
        return [channel for channel in some if hosted(found[channel]) == login][:limit]

    # audit ----------------------------------------------------------------------------------

    async def audit(self, entry: AuditEntry) -> None:
        """Add a line to the audit."""
        self._audit.append(msgspec.structs.replace(entry, number=len(self._audit) + 1))

    async def audit_log(
        self,
        *,
        subject: str | None = None,
        actor: str | None = None,
        action: str | None = None,
        since: float = 0.0,
        before: int = 0,
        limit: int = 100,
    ) -> list[AuditEntry]:
        """The audit, newest first: those lines that fit all that is asked for."""
        found = [
            entry
            for entry in reversed(self._audit)
            if subject in (None, entry.subject) and actor in (None, entry.actor) and action in (None, entry.action)
            if entry.time >= since and (not before or entry.number < before)
        ]
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
