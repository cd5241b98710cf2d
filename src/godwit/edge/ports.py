"""What a channel on an edge needs from the node around it, as two ports.

`EdgeChannel` (channel.py) decides; the node does the I/O (`Backend`) and renders to connections
(`Audience`). All calls are synchronous and in order; answers of a backend call come back later as
calls of the channel's methods, never from within the call itself.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

import msgspec

from godwit.values import Act, Change, Message, Placement, Position, Produced, Record, Segment, Tell, UserNotice


class Member(Protocol):
    """A connection in a channel, as far as the channel cares."""

    @property
    def producer(self) -> str:
        """Id of the connection, unique for ever: the producer of its records."""
        ...

    @property
    def account(self) -> str:
        """User id of the account, '' for anonymous connections."""
        ...


class Shown(msgspec.Struct, frozen=True, gc=False):
    """A message that is shown, with its place and its log time."""

    position: Position
    time: float
    message: Message


class Audience(Protocol):
    """Where a channel's outcomes for clients go."""

    def joined(self, member: Member, position: Position, *, home: bool, silent: bool, missing: int | None) -> None:
        """The member is let in; everything after `position` that it is to see will come.

        Args:
            home: whether this edge's cluster is the channel's home.
            silent: an early JOIN: nothing is shown yet (rule C12).
            missing: lines that cannot be had any more: 0 none, -1 an unknown number, None nothing was asked for.
        """
        ...

    def redirected(self, member: Member, placement: Placement, *, asked: bool) -> None:
        """Send SERVERCHANGE towards the placement (rules C5, C11).

        Args:
            asked: in answer to a JOIN, so at once; else it may wait until the client may be told (`untold`).
        """
        ...

    def untold(self) -> Collection[Member]:
        """Members whose SERVERCHANGE still waits."""
        ...

    def refused(self, member: Member) -> None:
        """The JOIN is not let in (rule C11): SERVERCHANGE went out, nothing else follows."""
        ...

    def shown(self, shown: Shown) -> None:
        """Show a message to all members that are served, but its producer."""
        ...

    def replayed(self, member: Member, lines: list[Shown]) -> None:
        """Show one member what it asked for when it resumed."""
        ...

    def acted(self, act: Act, position: Position, time: float) -> None:
        """A moderation act took effect."""
        ...

    def changed(self, change: Change, settings: dict[str, int]) -> None:
        """Room settings changed; `settings` is what they are now."""
        ...

    def announced(self, record: UserNotice, position: Position, time: float) -> None:
        """Something happened around an account: a USERNOTICE to all members that are served."""
        ...

    def noticed(self, record: Tell) -> None:
        """Operators have something to say to all members that are served."""
        ...

    def acknowledged(self, record: Produced, position: Position, time: float) -> None:
        """The producer's record was read back and is valid."""
        ...

    def voided(self, record: Produced, reason: str) -> None:
        """The producer's record takes no effect: `banned`, `timedout`, or `unsent` (the log was away)."""
        ...

    def unknown(self, record: Produced) -> None:
        """The fate of the producer's record is unknown; it will not be tried again (rule L6)."""
        ...

    def gap(self, missing: int | None) -> None:
        """Lines are missing for all members that are served (rule L4), how many if known."""
        ...

    def served(self, member: Member) -> None:
        """A member that had joined early is shown lines from now on (rule C12)."""
        ...

    def parted(self, member: Member) -> None:
        """The account is served on another cluster now (rule C12): PART; the member is out."""
        ...

    def evicted(self, member: Member, placement: Placement) -> None:
        """The drain is over and the legacy rule ends the membership; the member is out."""
        ...


class Backend(Protocol):
    """The I/O of a channel. Each call is answered by the channel's method named in its docstring."""

    def now(self) -> float:
        """The time, in seconds since the Unix epoch."""
        ...

    def subscribe(self, segment: Segment) -> None:
        """Open the live path of the segment's cluster: `live` and `suspect`, until `unsubscribe`."""
        ...

    def unsubscribe(self, segment: Segment) -> None:
        """Close it."""
        ...

    def read(self, segment: Segment, after: int, purpose: int) -> None:
        """Read the segment's log: `answer` or `read_failed`, with the same purpose."""
        ...

    def append(self, segment: Segment, record: Record) -> None:
        """Append: `appended`, `append_failed` (nothing stored) or `append_unknown`."""
        ...

    def ask(self) -> None:
        """Ask the store for placement, chain (which ends with it) and sanctions: `placed` or `ask_failed`."""
        ...

    def claim(self) -> None:
        """Give the channel a row at the default as it stands (rule C10), then as `ask`."""
        ...

    def commit(self, to: Segment) -> None:
        """Commit the switch in the store (rule C3): `committed` or `commit_failed`."""
        ...

    def reached(self, segment: Segment, sequence: int) -> None:
        """Note how far the segment was read before it was left by force (rule C8). Not answered."""
        ...

    def place_sanction(self, sanction_id: str, position: Position, time: float) -> None:
        """Complete a sanction's row (rules R2, R3): `sanction_placed`, or nothing; it is asked again."""
        ...
