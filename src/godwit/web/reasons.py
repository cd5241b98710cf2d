"""Why channels wait: one reason for each, and for a rollout how many for which.

What is said of a channel is what admission says of it (`rollout.progress.obstacle`).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from godwit.clock import Clock
from godwit.rollout.progress import begun, goals, obstacle
from godwit.rollout.values import ENDED, Candidate, Facts, Item, Rollout
from godwit.store.rollout_base import RolloutStore
from godwit.values import Placement, Segment
from godwit.web import rollout_views, views

PAGE = 1000
"""Channels that are looked at together."""

LEAST = 0.5
"""Seconds for which reasons that were counted are told again, at least."""

SHARE = 0.05
"""The part of the time that counting may take."""

LOOKED = 5000
"""Channels that are looked at in one count; when that many wait, most of them only wait for their turn."""

MOVES = 5
"""Moves of a channel that are told."""

TURN = "its turn has not come within the budget"
UNSEEN = "not looked at: too many wait"

Holding = Callable[[str], str]
"""What holds a rollout as a whole, such as a gate; '' if nothing does."""


class Reasons:
    """Says why channels wait.

    Args:
        holding: what holds a rollout as a whole; None if nobody here knows.
    """

    def __init__(self, store: RolloutStore, clock: Clock, holding: Holding | None = None) -> None:
        self._store = store
        self._clock = clock
        self._holding = holding or (lambda rollout_id: "")
        self._counting = asyncio.Lock()
        self._counted: dict[str, tuple[int, float, Mapping[str, int]]] = {}

    async def waiting(self, rollout: Rollout) -> Mapping[str, int]:
        """How many channels of a rollout wait for which reason.

        That is counted now and then only, and of a large rollout only the first are looked at, wave by wave and by
        name, so that asking costs little.
        """
        async with self._counting:
            loop = asyncio.get_running_loop()
            version, until, reasons = self._counted.get(rollout.id, (-1, 0.0, {}))
            if version == rollout.version and loop.time() < until:
                return reasons
            begin = loop.time()
            reasons = dict((await self._count(rollout)).most_common())
            end = loop.time()
            self._counted = {rollout.id: (rollout.version, end + max(LEAST, (end - begin) / SHARE), reasons)}
            return reasons

    async def _count(self, rollout: Rollout) -> Counter[str]:
        found: Counter[str] = Counter()
        looked = 0
        waiting = [tally for tally in await self._store.tallies(rollout.id) if tally.state == "waiting"]
        for tally in sorted(waiting, key=lambda tally: tally.wave):
            if tally.goal not in goals(rollout) or tally.wave > begun(rollout):
                # The same holds for all of them, whatever each of them does.
                item = Item(rollout.id, "", tally.wave, "", goal=tally.goal)
                found[self._reason(rollout, item, _NOBODY)] += tally.count
                continue
            after, left = "", tally.count
            while looked < LOOKED and (
                page := await self._store.items(rollout.id, wave=tally.wave, state="waiting", after=after, limit=PAGE)
            ):
                after = page[-1].channel
                items = [item for item in page if item.goal == tally.goal]
                looked += len(page)
                left -= len(items)
                known = await self._store.candidates_of([item.channel for item in items])
                for item, candidate in zip(items, known, strict=True):
                    found[_general(rollout, self._reason(rollout, item, candidate))] += 1
            if left > 0:
                found[UNSEEN] += left
        return found

    def _reason(self, rollout: Rollout, item: Item, candidate: Candidate) -> str:
        """Why an item does not move now."""
        reason = obstacle(rollout, item, candidate, now=self._clock.now())
        if reason.startswith("the gates of its wave"):
            return self._holding(rollout.id) or reason
        return reason or self._holding(rollout.id) or TURN

    async def explain(self, channel: str) -> dict[str, Any]:
        """Why a channel is where it is: one reason, since when, which rollout and wave, and its moves.

        Args:
            channel: its name, as Godwit stores it.
        """
        candidate = (await self._store.candidates_of([channel]))[0]
        moves = await self._store.moves(channel=channel, limit=MOVES)
        told: dict[str, Any] = {
            "channel": channel,
            "cluster": candidate.cluster,
            "epoch": candidate.placement.segment.epoch,
            "live": candidate.live,
            "reason": "no rollout concerns it",
            "since": 0.0,
            "rollout": "",
            "wave": "",
            "goal": "",
            "state": "",
            "moves": [views.MoveView.of(move).model_dump(by_alias=True) for move in moves],
        }
        if candidate.hold:
            told |= {"reason": f"held by {candidate.hold.by}: {candidate.hold.reason}", "since": candidate.hold.time}
        found = await self._item(channel)
        if found is None:
            return told
        rollout, item = found
        reason = self._reason(rollout, item, candidate)
        if item.state == "done":
            reason = f"it is where it is to be, on {candidate.cluster}"
        since = item.since
        if item.state == "waiting" and candidate.hold and reason.startswith("held"):
            since = candidate.hold.time
        elif item.state == "waiting" and reason.startswith(("live", "its stream ended")):
            since = candidate.live_since
        return told | {
            "reason": reason,
            "since": since,
            "rollout": rollout.definition.name,
            "wave": rollout_views.wave_name(rollout, item.wave),
            "goal": item.goal,
            "state": item.state,
        }

    async def _item(self, channel: str) -> tuple[Rollout, Item] | None:
        """The channel's item in the rollout that is under way, else in the newest."""
        first: tuple[Rollout, Item] | None = None
        for item in await self._store.items_of(channel):
            rollout = await self._store.rollout(item.rollout)
            if rollout is not None and rollout.state not in ENDED:
                return rollout, item
            if rollout is not None and first is None:
                first = rollout, item
        return first


_NOBODY = Candidate(Placement("", Segment("", 0, 0, "")), Facts(""))
"""Stands for any channel where it does not matter which."""


def _general(rollout: Rollout, reason: str) -> str:
    """A reason without what differs from channel to channel."""
    definition = rollout.definition
    if reason.startswith("its stream ended"):
        return f"the stream ended less than {definition.offline_for:g} s ago"
    if reason.startswith("its stream is planned"):
        return f"the stream is planned to start within {definition.starts_within:g} s"
    return reason
