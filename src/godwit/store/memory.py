"""The store in dictionaries: for tests and simulations, and the shortest statement of the contract.

Nothing here suspends, so each call is one atomic step. What it holds dies with the process.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from godwit.store import refusals
from godwit.store.base import FINISHED, MOVING, AuditEntry, Sanction, Token
from godwit.store.tokens import token_hash, token_id
from godwit.values import Account, Addresses, Move, MoveState, Placement, Position, Segment


class MemoryStore:
    """A `Store` that lives in the process; several roles share it by sharing the object."""

    def __init__(self) -> None:
        self._clusters: dict[str, Addresses] = {}
        self._default: Segment | None = None
        self._hold_until = 0.0
        self._rows: dict[str, Placement] = {}
        self._chains: dict[str, list[Segment]] = {}
        self._reached: dict[tuple[str, int], int] = {}
        self._live: dict[str, bool] = {}
        self._moves: dict[str, Move] = {}
        self._accounts: dict[str, Account] = {}
        self._last_user_id = 0
        self._tokens: dict[str, Token] = {}
        self._sanctions: dict[str, Sanction] = {}
        self._audit: list[AuditEntry] = []

    # clusters -------------------------------------------------------------------------------

    async def set_clusters(self, clusters: Mapping[str, Addresses]) -> None:
        """Replace the list of clusters."""
        self._clusters = dict(clusters)

    async def clusters(self) -> dict[str, Addresses]:
        """The clusters with their public addresses."""
        return dict(self._clusters)

    # placements -----------------------------------------------------------------------------

    async def placement(self, channel: str) -> Placement:
        """Where the channel is; the default placement for one without a row."""
        row = self._rows.get(channel)
        return row or Placement(channel, await self.default_placement(), drain_until=self._hold_until, default=True)

    async def placements(self, channels: Sequence[str]) -> list[Placement]:
        """The same for many, in the order asked for."""
        return [await self.placement(channel) for channel in channels]

    async def rows(self, after: str = "", limit: int = 1000) -> list[Placement]:
        """Placements that have rows, by channel name."""
        names = sorted(name for name in self._rows if name > after)
        return [self._rows[name] for name in names[:limit]]

    async def segments(self, channel: str) -> list[Segment]:
        """The channel's chain, lowest epoch first."""
        chain = self._chains.get(channel)
        return list(chain) if chain else [await self.default_placement()]

    async def commit(self, channel: str, to: Segment, *, drain_until: float, now: float) -> Placement:
        """Make `to` the newest segment if the stored epoch is lower, by two if it is unclean."""
        stored = await self.placement(channel)
        if stored.segment.epoch < to.epoch and (not to.unclean or stored.segment.epoch == to.epoch - 2):
            await self.pin([channel])
            self._extend(stored, to, drain_until, "draining")
        return await self.placement(channel)

    def _extend(
        self, stored: Placement, to: Segment, drain_until: float, phase: Literal["draining", "settled"]
    ) -> None:
        """Add a segment to the chain; `drain_until` is the deadline of the cluster that is left."""
        left = stored.segment.cluster
        drains = {left: drain_until} | {
            cluster: until for cluster, until in zip(stored.previous, stored.drains, strict=True) if cluster != left
        }
        drains.pop(to.cluster, None)
        self._chains[stored.channel].append(to)
        self._rows[stored.channel] = Placement(
            stored.channel, to, phase, drain_until, tuple(drains), drains=tuple(drains.values())
        )

    async def note_reached(self, channel: str, epoch: int, sequence: int) -> None:
        """Remember how far a reader came that left a segment by force."""
        self._reached[channel, epoch] = max(self._reached.get((channel, epoch), 0), sequence)

    async def reached(self, channel: str, epoch: int) -> int:
        """The highest sequence noted for the segment, 0 for none."""
        return self._reached.get((channel, epoch), 0)

    async def settle(self, channel: str, epoch: int) -> Placement:
        """End the drain of `epoch`, if that is still the newest; returns what is stored."""
        row = self._rows.get(channel)
        if row and row.segment.epoch == epoch:
            self._rows[channel] = msgspec.structs.replace(row, phase="settled", drain_until=0.0)
        return await self.placement(channel)

    async def default_placement(self) -> Segment:
        """Where channels without a row are."""
        if self._default is None:
            raise refusals.no_default()
        return self._default

    async def set_default(self, to: Segment, *, hold_until: float) -> Segment:
        """Change the default if there is none or its epoch is lower; returns what is stored."""
        if self._default is None or self._default.epoch < to.epoch:
            self._default, self._hold_until = to, hold_until
        return self._default

    async def pin(self, channels: Iterable[str]) -> int:
        """Give rows to channels that have none, at the default as it stands; returns how many."""
        default = await self.default_placement()
        new = [channel for channel in dict.fromkeys(channels) if channel not in self._rows]
        for channel in new:
            self._rows[channel] = Placement(channel, default)
            self._chains[channel] = [default]
        return len(new)

    async def reopen(self, streams: dict[str, str]) -> int:
        """Open anew what a dead log held: for each cluster whose placements name another stream."""

        def anew(old: Segment) -> Segment | None:
            stream = streams.get(old.cluster, old.stream)
            return None if stream == old.stream else Segment(old.cluster, old.epoch + 2, 0, stream, unclean=True)

        if self._default:
            self._default = anew(self._default) or self._default
        concerned = 0
        for row in list(self._rows.values()):
            segment = anew(row.segment)
            if segment:
                self._extend(row, segment, 0.0, "settled")
                concerned += 1
        return concerned

    # live state -----------------------------------------------------------------------------

    async def set_live(self, channel: str, live: bool, now: float) -> None:
        """Record that a stream began or ended."""
        self._live[channel] = live

    async def is_live(self, channel: str) -> bool:
        """Say whether the channel's stream runs; False if nothing is known."""
        return self._live.get(channel, False)

    # moves ----------------------------------------------------------------------------------

    async def begin_move(self, move: Move) -> Move:
        """Journal a new move; refused while the channel has one that is not committed."""
        if move.id in self._moves:
            return self._moves[move.id]
        for other in self._moves.values():
            if other.channel == move.channel and other.state in MOVING:
                raise refusals.move_under_way(other)
        self._moves[move.id] = move
        return move

    async def journal(self, move: Move, state: MoveState, now: float) -> Move | None:
        """Write the move's next step; None if the stored version is not `move.version`."""
        stored = self._moves.get(move.id)
        if stored is None or stored.version != move.version:
            return None
        if stored.state in FINISHED and state not in FINISHED:
            return None
        written = msgspec.structs.replace(
            move, state=state, version=move.version + 1, history=(*move.history, (state, now))
        )
        self._moves[move.id] = written
        return written

    async def move(self, move_id: str) -> Move | None:
        """One move by its id."""
        return self._moves.get(move_id)

    async def moves(self, *, channel: str | None = None, unfinished: bool = False, limit: int = 100) -> list[Move]:
        """Moves, newest first."""
        found = [
            move
            for move in reversed(self._moves.values())
            if channel in (None, move.channel) and not (unfinished and move.state in FINISHED)
        ]
        return found[:limit]

    # accounts -------------------------------------------------------------------------------

    async def add_account(self, account: Account) -> Account:
        """Add an account, or return the one of that login."""
        if account.login in self._accounts:
            return self._accounts[account.login]
        if not account.user_id:
            account = msgspec.structs.replace(account, user_id=str(self._last_user_id + 1))
        elif any(other.user_id == account.user_id for other in self._accounts.values()):
            raise refusals.user_id_taken(account.user_id, account.login)
        if account.user_id.isascii() and account.user_id.isdecimal():
            self._last_user_id = max(self._last_user_id, int(account.user_id))
        self._accounts[account.login] = account
        return account

    async def account(self, login: str) -> Account | None:
        """The account of a login."""
        return self._accounts.get(login)

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
        """The rows that decide: the newest placed one per target, those placed since, all without a position."""
        rows = [row for row in self._sanctions.values() if row.channel == channel]
        placed = [row for _, _, row in sorted((row.position, row.id, row) for row in rows if row.position is not None)]
        newest = {row.target: row for row in placed}
        before = {row.target: row for row in placed if since is not None and row.time < since}
        return [
            *(
                row
                for row in placed
                if row in (newest[row.target], before.get(row.target)) or (since is not None and row.time >= since)
            ),
            *(row for row in rows if row.position is None),
        ]

    # audit ----------------------------------------------------------------------------------

    async def audit(self, entry: AuditEntry) -> None:
        """Add a line to the audit."""
        self._audit.append(entry)

    async def audit_log(self, *, subject: str | None = None, limit: int = 100) -> list[AuditEntry]:
        """The audit, newest first."""
        found = [entry for entry in reversed(self._audit) if subject in (None, entry.subject)]
        return found[:limit]
