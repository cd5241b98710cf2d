"""The store as a port: placements, moves, accounts, moderation, audit.

`tests/conformance/store.py` is the suite that every implementation passes. All methods raise
`StoreUnavailable` when there is no answer; a write that raised it may have happened, and every write
here may be repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, Protocol

import msgspec

from godwit.values import Account, Move, MoveState, Placement, Position, Segment


class Sanction(msgspec.Struct, frozen=True):
    """A moderation act as a row (rules R2, R3).

    Attributes:
        id: id of the act's record.
        position: where its first valid record lies; None until somebody has read it.
        time: log time of that record.
        seconds: duration of a timeout.
    """

    id: str
    channel: str
    kind: Literal["ban", "timeout", "lift"]
    target: str
    target_login: str
    by: str
    reason: str = ""
    seconds: int = 0
    position: Position | None = None
    time: float = 0.0


class AuditEntry(msgspec.Struct, frozen=True):
    """Who did what, when and why."""

    time: float
    actor: str
    action: str
    subject: str
    reason: str = ""
    details: str = ""


class Token(msgspec.Struct, frozen=True):
    """A token's row; the token itself is kept as a hash only."""

    id: str
    login: str
    scopes: tuple[str, ...]
    created: float
    revoked: bool = False


class Store(Protocol):
    """What the roles share."""

    # placements -----------------------------------------------------------------------------

    async def placement(self, channel: str) -> Placement:
        """Where the channel is; the default placement for one without a row."""
        ...

    async def placements(self, channels: Sequence[str]) -> list[Placement]:
        """The same for many, in the order asked for."""
        ...

    async def rows(self, after: str = "", limit: int = 1000) -> list[Placement]:
        """Placements that have rows, by channel name."""
        ...

    async def segments(self, channel: str) -> list[Segment]:
        """The channel's chain by epoch (rules C1, C3), the default's segment first if it began there."""
        ...

    async def commit(self, channel: str, to: Segment, *, drain_until: float, now: float) -> Placement:
        """Make `to` the newest segment if the stored epoch is lower (rule C3), else change nothing.

        Returns:
            What is stored afterwards, by whoever.
        """
        ...

    async def settle(self, channel: str, epoch: int) -> Placement:
        """End the drain of `epoch`, if that is still the newest; returns what is stored."""
        ...

    async def default_placement(self) -> Segment:
        """Where channels without a row are."""
        ...

    async def set_default(self, to: Segment) -> Segment:
        """Change the default if the stored epoch is lower (rule C10); returns what is stored."""
        ...

    async def pin(self, channels: Iterable[str]) -> int:
        """Give rows to channels that have none, at the default as it stands (C10); returns how many."""
        ...

    async def reopen(self, streams: dict[str, str]) -> int:
        """Open anew what a dead log held: for each cluster whose placements name another stream.

        Every such placement, and the default's, gets its epoch raised by 2, `at` 0, the new stream and
        the mark unclean (rules L2, C8). Returns the number of channels with rows concerned.
        """
        ...

    # live state -----------------------------------------------------------------------------

    async def set_live(self, channel: str, live: bool, now: float) -> None:
        """Record that a stream began or ended."""
        ...

    async def is_live(self, channel: str) -> bool:
        """Say whether the channel's stream runs."""
        ...

    # moves ----------------------------------------------------------------------------------

    async def begin_move(self, move: Move) -> Move:
        """Journal a new move.

        Raises:
            MoveRefused: the channel has an unfinished one; the message names it.
        """
        ...

    async def journal(self, move: Move, state: MoveState, now: float) -> Move | None:
        """Write the move's next step: `move` as given, with the state, a version one higher and its history.

        Returns:
            What was written; None if the stored version is not `move.version` (another controller went on).
        """
        ...

    async def move(self, move_id: str) -> Move | None:
        """One move by its id."""
        ...

    async def moves(
        self, *, channel: str | None = None, unfinished: bool = False, limit: int = 100
    ) -> list[Move]:
        """Moves, newest first."""
        ...

    # accounts -------------------------------------------------------------------------------

    async def add_account(self, account: Account) -> Account:
        """Add an account, or return the one of that login; `user_id` '' means: choose one."""
        ...

    async def account(self, login: str) -> Account | None:
        """The account of a login."""
        ...

    async def accounts(self, after: str = "", limit: int = 1000) -> list[Account]:
        """Accounts by login."""
        ...

    async def remove_account(self, login: str) -> bool:
        """Remove an account and its tokens; says whether it was there."""
        ...

    async def add_token(self, login: str, token: str, scopes: Sequence[str], now: float) -> Token:
        """Let `token` (without `oauth:`) log in as `login`; only its hash is stored."""
        ...

    async def check_token(self, token: str) -> tuple[Account, Token] | None:
        """Whose token it is, if it is valid."""
        ...

    async def revoke_token(self, token_id: str) -> bool:
        """End a token; says whether it was valid."""
        ...

    # moderation -----------------------------------------------------------------------------

    async def add_sanction(self, sanction: Sanction) -> None:
        """Write an act before it is appended, without a position (rule R2)."""
        ...

    async def place_sanction(self, sanction_id: str, position: Position, time: float) -> None:
        """Give a row the position of its first valid record, for good (rule R2)."""
        ...

    async def sanctions(self, channel: str) -> list[Sanction]:
        """A channel's rows: those without a position and the newest placed one per target."""
        ...

    # audit ----------------------------------------------------------------------------------

    async def audit(self, entry: AuditEntry) -> None:
        """Add a line to the audit."""
        ...

    async def audit_log(self, *, subject: str | None = None, limit: int = 100) -> list[AuditEntry]:
        """The audit, newest first."""
        ...
