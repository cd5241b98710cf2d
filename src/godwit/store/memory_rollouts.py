"""Who leads, wishes, rollouts and what is known of channels, in dictionaries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import msgspec

from godwit.rollout.values import (
    Advance,
    Candidate,
    Facts,
    Goal,
    Hold,
    Issue,
    Item,
    Lease,
    Regoal,
    Rollout,
    Tally,
    Wish,
)
from godwit.store.base import FINISHED
from godwit.store.memory_moves import MemoryMoves
from godwit.store.rollout_base import may_be_planned
from godwit.store.steps import CONTROLLER, check_term, next_version, taken
from godwit.values import Move, Placement


class MemoryRollouts(MemoryMoves):
    """The part of `MemoryStore` that rollouts need."""

    def __init__(self) -> None:
        super().__init__()
        self._leases: dict[str, Lease] = {}
        self._wishes: dict[str, Wish] = {}
        self._rollouts: dict[str, Rollout] = {}
        self._items: dict[tuple[str, str], Item] = {}
        self._issues: dict[str, Issue] = {}
        self._facts: dict[str, Facts] = {}

    # who leads ------------------------------------------------------------------------------

    async def lead(self, name: str, holder: str, *, now: float, until: float) -> Lease:
        """Take or keep the lease `name`; returns it as it stands afterwards, whoever holds it."""
        lease = self._leases.get(name, Lease(name, "", 0, now))
        self._leases[name] = taken(lease, holder, now=now, until=until)
        return self._leases[name]

    async def resign(self, name: str, holder: str) -> None:
        """End the lease at once, if `holder` holds it."""
        lease = self._leases.get(name)
        if lease and lease.holder == holder:
            self._leases[name] = msgspec.structs.replace(lease, until=0.0)

    async def advance(self, advance: Advance, *, term: int) -> Rollout | None:
        """Write one decision, whole or not at all; returns the rollout as written."""
        lease = self._leases.get(CONTROLLER)
        check_term(lease.term if lease else None, term)
        rollout = advance.rollout and self._numbered(advance.rollout)
        others = [self._numbered(other) for other in advance.others]
        self._check_begin(advance.begin, advance.cancel)
        # Nothing below refuses.
        if rollout:
            self._rollouts[rollout.id] = rollout
        self._rollouts |= {other.id: other for other in others}
        for regoal in advance.regoals:
            self._regoal(regoal)
        self._items |= {(item.rollout, item.channel): item for item in advance.items}
        self._cancel(advance.cancel, advance.cancel_error, advance.now)
        for move in advance.begin:
            self._moves.setdefault(move.id, move)
        for hold in advance.holds:
            self._holds.setdefault(hold.channel, hold)
        for channel in advance.releases:
            self._holds.pop(channel, None)
        if advance.default:
            await self.set_default(advance.default, hold_until=advance.hold_until, now=advance.now)
        for wish in advance.wishes:
            if wish.id in self._wishes:
                self._wishes[wish.id] = msgspec.structs.replace(
                    self._wishes[wish.id], state=wish.state, answer=wish.answer
                )
        self._issues |= {issue.id: issue for issue in advance.issues}
        for event in advance.events:
            self._write_event(event)
        return rollout

    def _numbered(self, rollout: Rollout) -> Rollout:
        stored = self._rollouts.get(rollout.id)
        number = stored.number if stored else len(self._rollouts) + 1
        return msgspec.structs.replace(next_version(rollout, stored.version if stored else None), number=number)

    def _regoal(self, regoal: Regoal) -> None:
        for key, item in self._items.items():
            if (
                item.rollout == regoal.rollout
                and regoal.wave in (None, item.wave)
                and item.goal != regoal.goal
                and (regoal.skipped or item.state != "skipped")
            ):
                self._items[key] = msgspec.structs.replace(item, goal=regoal.goal, force=False, fails=0)
                if item.state != "moving":
                    self._items[key] = msgspec.structs.replace(
                        self._items[key], state="waiting", error="", since=regoal.time
                    )
        if regoal.force:
            for key, item in self._items.items():
                under_way = item.goal == regoal.goal and item.state in ("waiting", "moving")
                if item.rollout == regoal.rollout and regoal.wave in (None, item.wave) and under_way:
                    self._items[key] = msgspec.structs.replace(item, force=True)

    # wishes ---------------------------------------------------------------------------------

    async def add_wish(self, wish: Wish) -> Wish:
        """Record a wish; one whose id is known is returned as stored."""
        return self._wishes.setdefault(wish.id, msgspec.structs.replace(wish, number=len(self._wishes) + 1))

    async def wish(self, wish_id: str) -> Wish | None:
        """One wish by its id."""
        return self._wishes.get(wish_id)

    async def wishes(self, *, new: bool = False, rollout: str | None = None, limit: int = 100) -> list[Wish]:
        """Wishes: the new ones oldest first, otherwise newest first."""
        ordered = self._wishes.values() if new else reversed(self._wishes.values())
        found = [wish for wish in ordered if rollout in (None, wish.rollout) and (wish.state == "new" or not new)]
        return found[:limit]

    # rollouts -------------------------------------------------------------------------------

    async def rollout(self, rollout_id: str) -> Rollout | None:
        """One rollout by its id."""
        return self._rollouts.get(rollout_id)

    async def rollouts(self, limit: int = 100) -> list[Rollout]:
        """Rollouts, newest first."""
        return list(reversed(self._rollouts.values()))[:limit]

    async def items(
        self, rollout: str, *, wave: int | None = None, state: str | None = None, after: str = "", limit: int = 1000
    ) -> list[Item]:
        """Items by channel name, beginning behind the name `after`."""
        found = [
            item
            for item in self._items.values()
            if item.rollout == rollout
            and wave in (None, item.wave)
            and state in (None, item.state)
            and item.channel > after
        ]
        return sorted(found, key=lambda item: item.channel)[:limit]

    async def item(self, rollout: str, channel: str) -> Item | None:
        """One item."""
        return self._items.get((rollout, channel))

    async def items_of(self, channel: str) -> list[Item]:
        """The channel's items in all rollouts, that of the newest rollout first."""
        found = [self._items.get((rollout, channel)) for rollout in reversed(self._rollouts)]
        return [item for item in found if item]

    async def items_by_move(self, move_ids: Sequence[str]) -> list[Item]:
        """The items whose `move` is among these, in no particular order."""
        wanted = set(move_ids)
        return [item for item in self._items.values() if item.move in wanted]

    async def tallies(self, rollout: str) -> list[Tally]:
        """How many items are in which state, for each wave and goal that has any."""
        counts = Counter((item.wave, item.goal, item.state) for item in self._items.values() if item.rollout == rollout)
        return [Tally(wave, goal, state, count) for (wave, goal, state), count in sorted(counts.items())]

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
        """Items in state `waiting` with one of `goals`, of waves 0 to `upto`, that seem free to move."""

        def is_free(item: Item, candidate: Candidate) -> bool:
            out = candidate.facts.opt == "out" and item.goal == "there" and item.wave not in mandatory
            if candidate.hold or out or force or item.force:
                return not (candidate.hold or out)
            ended_lately = candidate.live_since > max(0.0, now - offline_for)
            starts_soon = now <= candidate.facts.starts_at <= now + starts_within
            return not (candidate.live or ended_lately or starts_soon)

        waiting = [item for item in self._items.values() if item.rollout == rollout and item.state == "waiting"]
        found = [
            (item, self._candidate(await self.placement(item.channel)))
            for item in waiting
            if item.wave <= upto and item.goal in goals
        ]
        free = [(item, candidate) for item, candidate in found if is_free(item, candidate)]
        free.sort(key=lambda pair: (pair[0].wave, pair[1].facts.members, pair[0].channel))
        return free[:limit]

    async def arrived(self, rollout: str, limit: int) -> list[tuple[Item, Move, Placement]]:
        """Items in state `moving` whose move is `draining` or over, by channel name."""
        found: list[tuple[Item, Move, Placement]] = []
        for item in sorted(self._items.values(), key=lambda item: item.channel):
            move = self._moves.get(item.move)
            if item.rollout == rollout and item.state == "moving" and move and move.state in ("draining", *FINISHED):
                found.append((item, move, _now(await self.placement(item.channel))))
        return found[:limit]

    async def newcomers(self, rollout: str, clusters: Sequence[str], limit: int, *, after: str = "") -> list[Candidate]:
        """Channels with rows on one of `clusters` that are no items of the rollout, by name, behind `after`."""
        found = [
            self._candidate(row)
            for channel, row in sorted(self._rows.items())
            if row.segment.cluster in clusters
            and channel > after
            and (rollout, channel) not in self._items
            and may_be_planned(channel)
        ]
        return found[:limit]

    async def issues(self, rollout: str, *, open_only: bool = False) -> list[Issue]:
        """Its issues, oldest first."""
        return [
            issue for issue in self._issues.values() if issue.rollout == rollout and not (open_only and issue.resolved)
        ]

    # what is known of channels --------------------------------------------------------------

    def _candidate(self, placement: Placement) -> Candidate:
        name = placement.channel
        live, since = self._live.get(name, (False, 0.0))
        return Candidate(_now(placement), self._facts.get(name, Facts(name)), live, since, self._holds.get(name))

    async def candidates(self, *, after: str = "", limit: int = 1000) -> list[Candidate]:
        """Every channel that has a row, facts, a hold or a live state, by name, beginning behind `after`."""
        known = {*self._rows, *self._facts, *self._holds, *self._live}
        names = sorted(name for name in known if name > after and may_be_planned(name))
        return await self.candidates_of(names[:limit])

    async def candidates_of(self, channels: Sequence[str]) -> list[Candidate]:
        """The same for named channels, known or not, in the order asked for."""
        return [self._candidate(placement) for placement in await self.placements(channels)]

    async def set_facts(self, facts: Sequence[Facts]) -> int:
        """Write facts of channels, replacing what was known of them; returns how many."""
        new = {known.channel: known for known in facts}
        self._facts |= new
        return len(new)

    async def facts(self, *, after: str = "", limit: int = 1000) -> list[Facts]:
        """What is known, by channel name, beginning behind `after`."""
        names = sorted(name for name in self._facts if name > after)
        return [self._facts[name] for name in names[:limit]]

    async def hold(self, hold: Hold) -> None:
        """Keep a channel where it is; a hold that is there already stays."""
        self._holds.setdefault(hold.channel, hold)

    async def release_hold(self, channel: str) -> bool:
        """End a hold; says whether there was one."""
        return self._holds.pop(channel, None) is not None

    async def holds(self) -> list[Hold]:
        """All holds, by channel name."""
        return [hold for _, hold in sorted(self._holds.items())]


def _now(placement: Placement) -> Placement:
    """Where a channel is, without where it was."""
    return msgspec.structs.replace(placement, previous=(), drains=())
