"""Why a channel is where it is, and why what waits in a rollout is waiting: one reason each (`progress.obstacle`)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import msgspec

from godwit.clock import Clock
from godwit.errors import UnknownChannel
from godwit.rollout import progress
from godwit.rollout.values import Candidate, Item, Rollout
from godwit.store.base import MOVING
from godwit.store.rollout_base import RolloutStore
from godwit.values import Move, is_channel

PAGE = 500

LOOKED_AT = 5000
"""Waiting channels of a rollout whose reasons are looked at one by one."""

MOVES = 10
"""Moves of a channel that are told, the newest first."""

TURN = "its turn within the budget has not come"

ALIKE = {
    "its stream ended": "its stream ended a short while ago",
    "its stream is planned": "its stream is planned to start soon",
}
"""Reasons that differ by a number of seconds only: how they begin -> how they are counted."""


class MoveLine(msgspec.Struct, frozen=True):
    """One move of a channel.

    Attributes:
        origin: the cluster it left, '' if that was never fixed.
        time: of its last step.
    """

    id: str
    to: str
    state: str
    error: str
    time: float
    origin: str = msgspec.field(default="", name="from")


class Explained(msgspec.Struct, frozen=True):
    """Why a channel is where it is.

    Attributes:
        reason: why it does not move now, or what it does; in one line.
        since: when that began, 0 if nobody knows.
        rollout, wave: names of those that it belongs to, the newest; '' for none.
        goal, state: of its item there.
        moves: the newest first.
    """

    channel: str
    cluster: str
    epoch: int
    reason: str
    since: float = 0.0
    rollout: str = ""
    wave: str = ""
    goal: str = ""
    state: str = ""
    moves: tuple[MoveLine, ...] = ()


class Explainer:
    """Explains.

    Args:
        holding: why no more moves of a rollout begin although it runs, by its id; '' if they do.
    """

    def __init__(self, store: RolloutStore, clock: Clock, holding: Callable[[str], str]) -> None:
        self._store = store
        self._clock = clock
        self._holding = holding

    async def explain(self, channel: str) -> Explained:
        """Why a channel is where it is.

        Raises:
            UnknownChannel: the name cannot be one.
        """
        if not is_channel(channel):
            raise UnknownChannel(f"'{channel}' is not a channel name: use 1 to 25 of a-z, 0-9 and _")
        (candidate,) = await self._store.candidates_of([channel])
        moves = await self._store.moves(channel=channel, limit=MOVES)
        items = await self._store.items_of(channel)
        rollout = await self._store.rollout(items[0].rollout) if items else None
        reason, since = self._reason(candidate, moves, rollout, items[0] if items else None)
        here = candidate.placement.segment
        told = Explained(channel, here.cluster, here.epoch, reason, since, moves=tuple(_line(move) for move in moves))
        if rollout is None:
            return told
        return msgspec.structs.replace(
            told,
            rollout=rollout.definition.name,
            wave=rollout.definition.waves[items[0].wave].name,
            goal=items[0].goal,
            state=items[0].state,
        )

    async def waiting(self, rollout: Rollout) -> dict[str, int]:
        """Why what waits in a rollout is waiting: reason -> number of channels, the most frequent first."""
        found: Counter[str] = Counter()
        left = sum(tally.count for tally in await self._store.tallies(rollout.id) if tally.state == "waiting")
        after, looked = "", 0
        while looked < LOOKED_AT:
            page = await self._store.items(rollout.id, state="waiting", after=after, limit=PAGE)
            if not page:
                break
            candidates = await self._store.candidates_of([item.channel for item in page])
            found.update(
                _alike(self._obstacle(rollout, item, candidate))
                for item, candidate in zip(page, candidates, strict=True)
            )
            looked, after = looked + len(page), page[-1].channel
            await asyncio.sleep(0)
        if looked >= LOOKED_AT and left > looked:
            found[f"not looked at: only the first {LOOKED_AT} are"] = left - looked
        return dict(found.most_common())

    def _obstacle(self, rollout: Rollout, item: Item, candidate: Candidate) -> str:
        obstacle = progress.obstacle(rollout, item, candidate, now=self._clock.now())
        return obstacle or self._holding(rollout.id) or TURN

    def _reason(
        self, candidate: Candidate, moves: list[Move], rollout: Rollout | None, item: Item | None
    ) -> tuple[str, float]:
        if moves and moves[0].state in MOVING:
            return f"it moves to {moves[0].target}: {moves[0].state}", _when(moves[0])
        if rollout is not None and item is not None and item.state != "done":
            reason = self._obstacle(rollout, item, candidate)
            if candidate.hold and reason.startswith("held"):
                return reason, candidate.hold.time
            return reason, candidate.live_since if reason.startswith(("live", "its stream ended")) else item.since
        if candidate.hold:
            return f"held by {candidate.hold.by}: {candidate.hold.reason}", candidate.hold.time
        if rollout is not None and item is not None:
            return f"rollout {rollout.definition.name} has brought it {item.goal}", item.since
        if moves and moves[0].state in ("draining", "settled"):
            return f"it was moved here by {moves[0].by or 'somebody'}", _when(moves[0])
        if candidate.placement.default:
            return "it is where the default placement says", 0.0
        return "no rollout names it", 0.0


def _alike(reason: str) -> str:
    return next((alike for start, alike in ALIKE.items() if reason.startswith(start)), reason)


def _when(move: Move) -> float:
    return move.history[-1][1] if move.history else 0.0


def _line(move: Move) -> MoveLine:
    origin = move.source.cluster if move.source else ""
    return MoveLine(move.id, move.target, move.state, move.error, _when(move), origin)
