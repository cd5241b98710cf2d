"""The store as a port: placements, moves, accounts, moderation, audit.

`tests/conformance/store.py` is the suite that every implementation passes. All methods raise
`StoreUnavailable` when there is no answer; a write that raised it may have happened, and every write
here may be repeated (a line of the audit is then there twice). The store asks no clock and draws
no random number: times and ids are passed in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from godwit.store.group_base import GroupChat
from godwit.store.people_base import People
from godwit.values import Account, Addresses, Move, MoveState, Placement, Position, Segment

FINISHED: tuple[MoveState, ...] = ("settled", "cancelled", "failed")
"""States in which a move has ended; it never leaves them for an unfinished one."""

MOVING: tuple[MoveState, ...] = ("wished", "opening", "opened", "sealing", "sealed")
"""States before the switch is committed; a channel has one such move at most, and may drain meanwhile."""


SanctionKind = Literal["ban", "timeout", "lift", "mod", "unmod", "vip", "unvip", "host", "unhost", "set"]
"""What a row is about. Rows of one family (sanctions, roles, hosting, one setting) on one target replace each other."""


class Sanction(msgspec.Struct, frozen=True):
    """A moderation act as a row (rules R2, R3).

    Attributes:
        id: id of the act's record.
        kind: as in `Act`; `set` is a change of one room setting.
        target: user id; for `set` the setting's name.
        position: where its first valid record lies; None until somebody has read it.
        time: log time of that record; until it is known, when the row was written.
        seconds: duration of a timeout; for `set` the setting's value.
    """

    id: str
    channel: str
    kind: SanctionKind
    target: str
    target_login: str
    by: str
    reason: str = ""
    seconds: int = 0
    position: Position | None = None
    time: float = 0.0


OVERDUE = 300.0
"""Seconds after which a row without a position says nothing: its record would have been read long ago, and is not held
for as long."""


def in_force(rows: Sequence[Sanction], now: float) -> list[Sanction]:
    """Rows that have a position or may still get one; the others are of acts that came to nothing."""
    return [row for row in rows if row.position is not None or now - row.time < OVERDUE]


def hosted(rows: Sequence[Sanction]) -> str:
    """The channel that a channel hosts, by its rows that decide; '' for none."""
    placed = [row for row in rows if row.kind in ("host", "unhost") and row.position is not None]
    return placed[-1].target_login if placed and placed[-1].kind == "host" else ""


class AuditEntry(msgspec.Struct, frozen=True):
    """Who did what, when and why.

    Attributes:
        number: its place in the audit, from 1, which the store gives it; 0 before.
    """

    time: float
    actor: str
    action: str
    subject: str
    reason: str = ""
    details: str = ""
    number: int = 0


class Token(msgspec.Struct, frozen=True):
    """A token's row; the token itself is kept as a hash only."""

    id: str
    login: str
    scopes: tuple[str, ...]
    created: float
    revoked: bool = False


KEPT_ENDINGS = 100_000
"""Endings that are kept; who looks every few seconds misses none."""


class Ending(msgspec.Struct, frozen=True, gc=False):
    """Connections that are to end.

    Attributes:
        number: grows with each, in the order in which they were written.
        user_id: whose.
        token: id of the token with which they logged in; '' for all connections of the account.
        time: tokens of other authorities that are older are void; 0 for none.
    """

    number: int
    user_id: str
    token: str = ""
    time: float = 0.0


class Store(People, GroupChat, Protocol):
    """What the roles share.

    Before the first `set_default` there is no answer to where a channel is: `StoreUnavailable`.
    """

    # clusters -------------------------------------------------------------------------------

    async def set_clusters(self, clusters: Mapping[str, Addresses]) -> None:
        """Replace the list of clusters: name -> public addresses, the default's first."""
        ...

    async def clusters(self) -> dict[str, Addresses]:
        """The clusters with their public addresses, in the order in which they were given."""
        ...

    # placements -----------------------------------------------------------------------------

    async def placement(self, channel: str) -> Placement:
        """Where the channel is; the default placement for one without a row."""
        ...

    async def placements(self, channels: Sequence[str]) -> list[Placement]:
        """The same for many, in the order asked for."""
        ...

    async def rows(self, after: str = "", limit: int = 1000) -> list[Placement]:
        """Placements that have rows, sorted by channel name, beginning behind the name `after`."""
        ...

    async def segments(self, channel: str) -> list[Segment]:
        """The channel's chain, lowest epoch first (rules C1, C3).

        It begins with the segment that was the default's when the channel was first moved or pinned;
        a channel without a row has the default's segment alone.
        """
        ...

    async def commit(self, channel: str, to: Segment, *, drain_until: float, now: float) -> Placement:
        """Make `to` the newest segment if the stored epoch is lower (rule C3), else change nothing.

        An unclean segment replaces only the one it was decided for: its epoch less two (rule C8).

        The phase becomes `draining`; only `settle` ends it. For a channel without a row the stored
        epoch is the default's.

        Args:
            drain_until: when the drain of the cluster that is left ends.
            now: the time of the commit; it is kept for those who look into the store.

        Returns:
            What is stored afterwards, by whoever.
        """
        ...

    async def commit_many(
        self, switches: Sequence[tuple[str, Segment]], *, drain_until: float, now: float
    ) -> list[Placement]:
        """`commit` for many channels in one write; answers in their order."""
        ...

    async def settle_many(self, ends: Sequence[tuple[str, int]]) -> None:
        """`settle` for many channels in one write."""
        ...

    async def chains(self, channels: Sequence[str]) -> list[list[Segment]]:
        """`segments` for many channels, in the order asked for."""
        ...

    async def note_reached(self, channel: str, epoch: int, sequence: int) -> None:
        """A reader left the segment of `epoch` by force (rule C8); it had read up to `sequence`."""
        ...

    async def reached(self, channel: str, epoch: int) -> int:
        """The highest sequence noted for the segment, 0 for none."""
        ...

    async def settle(self, channel: str, epoch: int) -> Placement:
        """End the drain of `epoch`, if that is still the newest (`drain_until` becomes 0); returns what is stored."""
        ...

    async def default_placement(self) -> Segment:
        """Where channels without a row are.

        Raises:
            StoreUnavailable: it was never set.
        """
        ...

    async def set_default(self, to: Segment, *, hold_until: float, now: float = 0.0) -> Segment:
        """Change the default if there is none or its epoch is lower (rule C10); returns what is stored.

        Placements of channels without a row carry `hold_until` as their `drain_until`: before that
        time nobody may write to them.

        Args:
            now: the time of the change, for those who read of it in the feed.
        """
        ...

    async def pin(self, channels: Iterable[str]) -> int:
        """Give rows to channels that have none, at the default as it stands (C10); returns how many.

        The rows are settled; a hold of the default does not pass on to them.
        """
        ...

    async def reopen(self, streams: dict[str, str]) -> int:
        """Open anew what a dead log held: for each cluster whose placements name another stream.

        Every such placement, and the default's, gets its epoch raised by 2, `at` 0, the new stream and
        the mark unclean (rules L2, C8), as a new segment of its chain, settled.

        Args:
            streams: cluster -> creation id of its log as it is now.

        Returns:
            The number of channels with rows concerned.
        """
        ...

    # live state -----------------------------------------------------------------------------

    async def set_live(self, channel: str, live: bool, now: float) -> None:
        """Record that a stream began or ended.

        A channel whose stream begins gets a row if it has none, so that a change of the default never moves it.
        """
        ...

    async def is_live(self, channel: str) -> bool:
        """Say whether the channel's stream runs; False if nothing is known."""
        ...

    # moves ----------------------------------------------------------------------------------

    async def begin_move(self, move: Move) -> Move:
        """Journal a new move as it is given, history included; one whose id is known is returned as stored.

        Raises:
            MoveRefused: the channel has one that is not committed yet; the message names it.
        """
        ...

    async def journal(self, move: Move, state: MoveState, now: float) -> Move | None:
        """Write the move's next step: `move` as given, with the state, a version one higher and its history.

        A step to `sealing` of a move that is not forced is written only while the channel is not live:
        otherwise the move is written as `cancelled`, with an error that says so.

        Returns:
            What was written: `(state, now)` is added to the history. None if nothing was written: the
            stored version is not `move.version` (another controller went on, or this very call did
            and its answer was lost), or the move has finished and `state` is not an end.
        """
        ...

    async def move(self, move_id: str) -> Move | None:
        """One move by its id."""
        ...

    async def moves(
        self,
        *,
        channel: str | None = None,
        rollout: str | None = None,
        unfinished: bool = False,
        moving: bool = False,
        but: Collection[str] = (),
        limit: int = 100,
    ) -> list[Move]:
        """Moves, newest first, but those with these ids; `moving` ones have not been committed yet (`MOVING`)."""
        ...

    # accounts -------------------------------------------------------------------------------

    async def add_account(self, account: Account) -> Account:
        """Add an account, or return the one of that login.

        Args:
            account: with `user_id` '' the store chooses a decimal number higher than any it has seen (but for
                `derived_id`s), so that the number of a removed account is never given to another.

        Raises:
            InvalidRequest: the user id belongs to another login.
        """
        ...

    async def account(self, login: str) -> Account | None:
        """The account of a login."""
        ...

    async def owners(self, logins: Sequence[str]) -> list[Account | None]:
        """The accounts of many logins, in the order asked for."""
        ...

    async def accounts(self, after: str = "", limit: int = 1000) -> list[Account]:
        """Accounts sorted by login, beginning behind the login `after`."""
        ...

    async def remove_account(self, login: str) -> bool:
        """Remove an account with its tokens and relations; says whether it was there. Its connections end."""
        ...

    async def add_token(self, login: str, token: str, scopes: Sequence[str], now: float) -> Token:
        """Let `token` (without `oauth:`) log in as `login`; only its hash is stored.

        A token that is known already is left as it is, revoked or not.

        Raises:
            InvalidRequest: there is no such account, or the token belongs to another.
        """
        ...

    async def check_token(self, token: str) -> tuple[Account, Token] | None:
        """Whose token it is; None if it is unknown or revoked."""
        ...

    async def check_tokens(self, asked: Sequence[str]) -> list[tuple[Account, Token] | None]:
        """`check_token` for many, in the order asked for."""
        ...

    async def tokens(self, login: str) -> list[Token]:
        """The tokens of an account, the oldest first."""
        ...

    async def revoke_token(self, token_id: str) -> bool:
        """End a token, and the connections that logged in with it; says whether it was valid."""
        ...

    async def end_account(self, user_id: str, now: float) -> None:
        """Revoke all tokens of an account, end its connections, and make void what others let it in with so far."""
        ...

    async def void_before(self, user_id: str) -> float:
        """When `end_account` was last called for an account: what others issued before lets nobody in; 0 for never."""
        ...

    async def endings(self, after: int, limit: int = 1000) -> list[Ending]:
        """Whose connections were to end, after the number `after`, oldest first; of very old ones nothing is kept."""
        ...

    async def last_ending(self) -> int:
        """The highest number of an ending, 0 before the first."""
        ...

    # moderation -----------------------------------------------------------------------------

    async def add_sanction(self, sanction: Sanction) -> None:
        """Write an act before it is appended, without a position (rule R2); a known id changes nothing."""
        ...

    async def place_sanction(self, sanction_id: str, position: Position, time: float) -> None:
        """Give a row the position of its first valid record, for good (rule R2).

        A row that has one keeps it; an unknown id is ignored.
        """
        ...

    async def sanctions(self, channel: str, *, since: float | None = None) -> list[Sanction]:
        """A channel's rows that decide.

        The newest placed row of each family and target by position (of equal ones, as operators bring them, by time,
        then id), then those without a position in the order in which they were added. With `since`, a log time: also
        every row placed since then and the newest before it, which is what a reader that replays the log from there
        needs (rule R3).
        """
        ...

    async def sanctions_among(
        self, channels: Sequence[str], *, since: float | None = None
    ) -> dict[str, list[Sanction]]:
        """`sanctions` of many channels; without those that have none."""
        ...

    async def hosts_of(self, login: str, limit: int = 1000) -> list[str]:
        """The channels that host a channel now, by name."""
        ...

    # audit ----------------------------------------------------------------------------------

    async def audit(self, entry: AuditEntry) -> None:
        """Add a line to the audit."""
        ...

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
        """The audit, newest first: those lines that fit all that is asked for.

        Args:
            since: no line that is older, in seconds since the Unix epoch.
            before: only lines with a lower number; 0 for all.
        """
        ...
