"""The part of the store that rollouts need, as a port: who leads, wishes, rollouts, facts, holds, the feed.

`tests/conformance/rollout_store.py` is the suite that every implementation passes. As in `base`: no clock, no random
number, `StoreUnavailable` when there is no answer, and every write may be repeated.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from godwit.rollout.values import (
    Advance,
    Candidate,
    Event,
    Facts,
    Goal,
    Hold,
    Issue,
    Item,
    Lease,
    Rollout,
    Tally,
    Wish,
)
from godwit.store.base import Store
from godwit.values import Move, MoveState, Placement

HIDDEN = "godwit__"
"""How the names of hidden rooms begin, in which probes and rehearsals chat."""


def may_be_planned(channel: str) -> bool:
    """Say whether a rollout may concern the channel: group rooms and hidden ones stay where they are."""
    return not channel.startswith(("_", HIDDEN))


class RolloutStore(Store, Protocol):
    """A store that rollouts can be carried out with."""

    async def check_writes(self) -> None:
        """Write something that nobody reads, to see whether writes come through."""
        ...

    # who leads ------------------------------------------------------------------------------

    async def lead(self, name: str, holder: str, *, now: float, until: float) -> Lease:
        """Take or keep the lease `name`; returns it as it stands afterwards, whoever holds it.

        A free or ended lease (`until` at or before `now`) is taken with a term one higher; the holder's own is
        prolonged under its term. An ended one that its old holder takes again gets a new term too.
        """
        ...

    async def resign(self, name: str, holder: str) -> None:
        """End the lease at once, if `holder` holds it."""
        ...

    async def advance(self, advance: Advance, *, term: int) -> Rollout | None:
        """Write one decision, whole or not at all; returns the rollout as written (version one higher).

        An `Advance` without a rollout returns None. Who repeats one with a rollout, because the answer was lost, is
        told `StaleEpoch`: its version has moved on. One without is written again: its rows are the same then, and
        its events are there twice. Wishes that are not known are passed over.

        Raises:
            StaleEpoch: the lease `controller` has another term, or the rollout another version: read again.
            MoveRefused: a channel of `begin` has a move that is not committed yet; nothing was written.
        """
        ...

    # wishes ---------------------------------------------------------------------------------

    async def add_wish(self, wish: Wish) -> Wish:
        """Record a wish; one whose id is known is returned as stored."""
        ...

    async def wish(self, wish_id: str) -> Wish | None:
        """One wish by its id."""
        ...

    async def wishes(self, *, new: bool = False, rollout: str | None = None, limit: int = 100) -> list[Wish]:
        """Wishes: the new ones oldest first, otherwise newest first."""
        ...

    # rollouts -------------------------------------------------------------------------------

    async def rollout(self, rollout_id: str) -> Rollout | None:
        """One rollout by its id."""
        ...

    async def rollouts(self, limit: int = 100) -> list[Rollout]:
        """Rollouts, newest first."""
        ...

    async def items(
        self, rollout: str, *, wave: int | None = None, state: str | None = None, after: str = "", limit: int = 1000
    ) -> list[Item]:
        """Items by channel name, beginning behind the name `after`."""
        ...

    async def item(self, rollout: str, channel: str) -> Item | None:
        """One item."""
        ...

    async def items_of(self, channel: str) -> list[Item]:
        """The channel's items in all rollouts, that of the newest rollout first."""
        ...

    async def items_by_move(self, move_ids: Sequence[str]) -> list[Item]:
        """The items whose `move` is among these, in no particular order."""
        ...

    async def tallies(self, rollout: str) -> list[Tally]:
        """How many items are in which state, for each wave and goal that has any."""
        ...

    async def eligible(
        self,
        rollout: str,
        *,
        goals: Sequence[Goal],
        upto: int,
        mandatory: Collection[int],
        now: float,
        offline_for: float,
        starts_within: float,
        force: bool,
        limit: int,
    ) -> list[tuple[Item, Candidate]]:
        """Items in state `waiting` with one of `goals`, of waves 0 to `upto`, that seem free to move.

        The lowest wave comes first, then whoever has the fewest members.

        Left out are held channels and, without `force`, those that are live, whose stream ended less than
        `offline_for` seconds ago, or is planned to start (`starts_at`) within `starts_within` seconds from `now`;
        one that should have started before `now` does not count any more.
        It is a first look that saves work: admission decides.
        """
        ...

    async def arrived(self, rollout: str, limit: int) -> list[tuple[Item, Move, Placement]]:
        """Items in state `moving` whose move is `draining` or over, by channel name.

        The placements are without `previous` and `drains`.
        """
        ...

    async def newcomers(self, rollout: str, clusters: Sequence[str], limit: int, *, after: str = "") -> list[Candidate]:
        """Channels with rows on one of `clusters` that are no items of the rollout, by name, behind `after`.

        Group rooms and hidden ones are left out (`may_be_planned`).
        """
        ...

    async def issues(self, rollout: str, *, open_only: bool = False) -> list[Issue]:
        """Its issues, oldest first."""
        ...

    # what is known of channels --------------------------------------------------------------

    async def candidates(self, *, after: str = "", limit: int = 1000) -> list[Candidate]:
        """Every channel that has a row, facts, a hold or a live state, by name, beginning behind `after`.

        Group rooms and hidden ones are left out (`may_be_planned`).
        """
        ...

    async def candidates_of(self, channels: Sequence[str]) -> list[Candidate]:
        """The same for named channels, known or not, in the order asked for."""
        ...

    async def set_facts(self, facts: Sequence[Facts]) -> int:
        """Write facts of channels, replacing what was known of them; returns how many."""
        ...

    async def facts(self, *, after: str = "", limit: int = 1000) -> list[Facts]:
        """What is known, by channel name, beginning behind `after`."""
        ...

    async def hold(self, hold: Hold) -> None:
        """Keep a channel where it is; a hold that is there already stays."""
        ...

    async def release_hold(self, channel: str) -> bool:
        """End a hold; says whether there was one."""
        ...

    async def holds(self) -> list[Hold]:
        """All holds, by channel name."""
        ...

    # many moves at once ---------------------------------------------------------------------

    async def journal_many(self, steps: Sequence[tuple[Move, MoveState]], now: float) -> list[Move | None]:
        """`journal` for many moves in one write; each by itself may be refused.

        A step to `sealing` of a move that is not forced is written only while its channel is not live: otherwise
        the move is written as `cancelled`, with an error that says so. (`journal` does the same.)
        """
        ...

    async def live_among(self, channels: Sequence[str]) -> set[str]:
        """Which of these channels are live."""
        ...

    # clusters -------------------------------------------------------------------------------

    async def clusters_in_use(self) -> dict[str, int]:
        """Clusters that channels or unfinished moves need, and how many of both name each (a move may name two).

        Hidden rooms are left out: they come back wherever they are needed.
        """
        ...

    async def channels_on(self) -> dict[str, int]:
        """How many channels live on which cluster, of those that have rows; hidden rooms are left out."""
        ...

    async def retire(self, cluster: str, into: str, now: float) -> None:
        """Record that the addresses of `cluster` serve `into` from now on; '' brings it back.

        What is so already changes nothing, and nothing is said of it in the feed.
        """
        ...

    async def retired(self) -> Mapping[str, str]:
        """Retired clusters, and what serves in their place."""
        ...

    # the feed -------------------------------------------------------------------------------

    async def feed(
        self, *, after: int, public: bool = False, rollout: str | None = None, limit: int = 1000
    ) -> list[Event]:
        """What happened after the number `after`, oldest first.

        Every `commit` that changed something has written `moved` (details: `cluster`, `epoch`, `from`), every
        change of the default `default` (the same) and every `retire` `retired` (`cluster`, `into`), in the same
        transaction; the first default is no change, and `reopen` writes nothing: clients of a dead log are told by
        their connections.
        Numbers grow in the order of the commits: whoever has read up to a number has missed nothing below it.
        """
        ...

    async def last_event(self) -> int:
        """The highest number of the feed, 0 for none."""
        ...

    async def trim_feed(self, before: float) -> int:
        """Forget public events older than `before`; returns how many."""
        ...

    async def feed_floor(self) -> int:
        """The highest number that was ever trimmed, 0 for none: who has read less far may have missed something."""
        ...

    # webhooks -------------------------------------------------------------------------------

    async def webhook_cursor(self, hook: str) -> int | None:
        """The number of the last event that was delivered to a webhook; None if it is a new one."""
        ...

    async def set_webhook_cursor(self, hook: str, number: int) -> None:
        """Remember it; a lower number than the stored one changes nothing."""
        ...
