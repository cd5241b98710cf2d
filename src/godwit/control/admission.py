"""Which channels of a rollout begin to move now: budgets, the pure `obstacle`, and the notice before a move."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec
import structlog

from godwit.buckets import Bucket
from godwit.chatlog.base import ChatLog
from godwit.clock import Clock
from godwit.control.leader import Leader
from godwit.control.ports import Crowd, Presence
from godwit.errors import ChatLogUnavailable, MoveRefused
from godwit.rollout import progress
from godwit.rollout.values import Advance, Budget, Candidate, Item, Rollout
from godwit.store.rollout_base import RolloutStore
from godwit.values import Move, Tell

log = structlog.get_logger()

MOST = 1000
"""Moves that are begun in one write, at most."""

WIDEST = 2000
"""Channels that are looked at beyond those that may begin, when the first ones are all hot, or all cold."""

PAGE = 1000

AGAIN = 5.0
"""Seconds after which a channel is looked at again that another move had."""


class Admitted(msgspec.Struct, frozen=True):
    """What an admission did.

    Attributes:
        begun: moves that were begun.
        waits: seconds after which there may be more to do.
        exhausted: nothing that may move was left.
    """

    begun: int
    waits: float
    exhausted: bool


class Admission:
    """Begins moves of one rollout within its budget.

    A new leader's budgets begin empty, so that two in turn do not begin more than one would.
    """

    def __init__(
        self,
        store: RolloutStore,
        logs: Mapping[str, ChatLog],
        crowd: Crowd,
        clock: Clock,
        leader: Leader,
        rollout: Rollout,
    ) -> None:
        self._store = store
        self._logs = logs
        self._crowd = crowd
        self._clock = clock
        self._leader = leader
        self._id = rollout.id
        self._budget = rollout.budget
        now = clock.now()
        self._hot = _empty(rollout.budget.hot_per_second, now)
        self._cold = _empty(rollout.budget.cold_per_second, now)
        self.moving: dict[str, bool] = {}
        """Channels under way -> whether they are cold."""
        self._notices = _empty(rollout.budget.hot_per_second, now)
        self._busy: dict[str, float] = {}
        self._later: dict[str, float] = {}
        """Channels that wait for something of their own; a wave does not wait for them."""
        self._noticed: dict[str, float] = {}
        self._held_back: set[bool] = set()
        """Kinds (whether cold) of which more would begin if there were room."""
        self._wider = 0

    async def load(self) -> None:
        """Read which channels are under way."""
        after = ""
        while page := await self._store.items(self._id, state="moving", after=after, limit=PAGE):
            self.moving.update({item.channel: item.cold for item in page})
            after = page[-1].channel

    def ended(self, channels: Sequence[str]) -> None:
        """These are under way no more."""
        for channel in channels:
            self.moving.pop(channel, None)

    async def admit(self, rollout: Rollout) -> Admitted:
        """Begin what may begin now.

        Raises:
            StaleEpoch: another controller leads.
        """
        now = self._clock.now()
        self._change_budget(rollout.budget, now)
        hot, cold = self._room(now)
        if hot + cold == 0:
            return Admitted(0, self._wait(now, {False, True}), False)
        self._busy = {channel: until for channel, until in self._busy.items() if until > now}
        self._later = {channel: until for channel, until in self._later.items() if until > now}
        self._noticed = {channel: due for channel, due in self._noticed.items() if due > now}
        aside = len(self._busy) + len(self._later) + len(self._noticed) + self._wider
        definition = rollout.definition
        limit = min(hot + cold, MOST) + aside
        found = await self._store.eligible(
            self._id,
            goals=progress.goals(rollout),
            upto=progress.begun(rollout),
            mandatory=progress.mandatory(rollout),
            now=now,
            offline_for=0.0 if definition.evacuate else definition.offline_for,
            starts_within=0.0 if definition.evacuate else definition.starts_within,
            force=definition.evacuate,
            limit=limit,
        )
        presence = await self._crowd.presence([candidate.channel for _, candidate in found])
        moves, items = self._choose(rollout, found, presence, hot, cold, now)
        announced = [item for item in items if item.state == "waiting" and item.noticed]
        if items:
            items = await self._write(items, moves, now)
        for item in items:
            if item.state == "moving":
                self.moving[item.channel] = item.cold
        places = {candidate.channel: candidate for _, candidate in found}
        for item in announced:
            await self._announce(rollout, places[item.channel], item)
        begun = sum(item.state == "moving" for item in items)
        more = len(found) == limit
        exhausted = not (more or self._busy or self._noticed or self._held_back)
        if more and self._held_back and begun < min(hot + cold, MOST):  # those behind may be of the other kind
            more = self._wider < WIDEST
            self._wider = min(2 * self._wider + MOST // 10, WIDEST)
        elif not self._held_back:
            self._wider = 0
        return Admitted(begun, self._wait(now, {False, True} if more else self._held_back), exhausted)

    def _choose(
        self,
        rollout: Rollout,
        found: Sequence[tuple[Item, Candidate]],
        presence: Sequence[Presence],
        hot: int,
        cold: int,
        now: float,
    ) -> tuple[list[Move], list[Item]]:
        moves: list[Move] = []
        items: list[Item] = []
        self._held_back = set()
        for (item, candidate), here in zip(found, presence, strict=True):
            if candidate.channel in self._busy or candidate.channel in self._later:
                continue
            if progress.obstacle(rollout, item, candidate, now=now):
                self._later[candidate.channel] = max(item.since + progress.pause_after(item.fails), now + AGAIN)
                continue
            if candidate.cluster == progress.destination(item, rollout.definition):
                items.append(msgspec.structs.replace(item, state="done", error="", since=now))
                continue
            is_cold = here.told == 0 and now - here.last_message >= progress.QUIET
            item = msgspec.structs.replace(item, cold=is_cold)
            due = progress.notice_due(rollout.definition, item, now=now)
            if due is not None and due > now:
                self._noticed[item.channel] = due
                continue
            if due is None:  # as many are told as may move when the time has come
                if self._in_flight(False) < self._budget.in_flight and self._notices.take(now):
                    self._noticed[item.channel] = now + rollout.definition.notice_before
                    items.append(msgspec.structs.replace(item, noticed=now))
                else:
                    self._held_back.add(False)
                continue
            if (cold if is_cold else hot) <= 0:
                self._held_back.add(is_cold)
                continue
            if is_cold:
                cold -= 1
            else:
                hot -= 1
            move = progress.move_of(rollout, item, candidate, cold=is_cold, now=now)
            moves.append(move)
            items.append(
                msgspec.structs.replace(
                    item, state="moving", move=move.id, tries=item.tries + 1, before=here.members, since=now
                )
            )
        return moves, items

    async def _write(self, items: list[Item], moves: list[Move], now: float) -> list[Item]:
        """Write a choice; channels that somebody else moves are left out and looked at again later."""
        try:
            await self._leader.write(Advance(now, items=tuple(items), begin=tuple(moves)))
        except MoveRefused:
            for move in moves:
                others = await self._store.moves(channel=move.channel, unfinished=True)
                if any(other.id != move.id for other in others):
                    self._busy[move.channel] = now + AGAIN
            items = [item for item in items if item.channel not in self._busy]
            moves = [move for move in moves if move.channel not in self._busy]
            try:
                await self._leader.write(Advance(now, items=tuple(items), begin=tuple(moves)))
            except MoveRefused:  # one more came between: next time
                return []
        written = self._clock.now()  # a slow store has begun them later than they were chosen
        for move in moves:
            (self._cold if move.cold else self._hot).force(written)
        return items

    async def _announce(self, rollout: Rollout, candidate: Candidate, item: Item) -> None:
        """Say in chat that the channel will move; if it cannot be said, it moves all the same."""
        segment = candidate.placement.segment
        text = rollout.definition.notice.replace("{cluster}", progress.destination(item, rollout.definition))
        name = f"notice:{rollout.id}:{item.tries}"
        tell = Tell(f"{name}:{item.channel}", segment.epoch, name, 1, text=text, msg_id="godwit_moves_soon")
        try:
            if not candidate.placement.default and segment.cluster in self._logs:
                await self._logs[segment.cluster].append(item.channel, tell, stream=segment.stream)
        except ChatLogUnavailable as error:
            log.warning("notice_failed", channel=item.channel, error=str(error))

    def _room(self, now: float) -> tuple[int, int]:
        """How many hot and cold moves may begin now."""
        return (
            max(min(self._budget.in_flight - self._in_flight(False), int(self._hot.level(now) + 1e-6)), 0),
            max(min(self._budget.cold_in_flight - self._in_flight(True), int(self._cold.level(now) + 1e-6)), 0),
        )

    def _in_flight(self, cold: bool) -> int:
        return sum(kind is cold for kind in self.moving.values())

    def _wait(self, now: float, kinds: Collection[bool]) -> float:
        """Seconds until more of these kinds may begin; what waits for moves to end is woken by their end."""
        waits = [AGAIN, *(until - now for until in (*self._noticed.values(), *self._busy.values()))]
        if False in kinds and self._in_flight(False) < self._budget.in_flight:
            waits.append(self._hot.wait(now))
        if True in kinds and self._in_flight(True) < self._budget.cold_in_flight:
            waits.append(self._cold.wait(now, min(self._cold.size, max(self._cold.size / 4, 1.0))))
        return max(min(waits), 0.01)

    def _change_budget(self, budget: Budget, now: float) -> None:
        if budget.hot_per_second != self._budget.hot_per_second:
            self._hot = _empty(budget.hot_per_second, now)
            self._notices = _empty(budget.hot_per_second, now)
        if budget.cold_per_second != self._budget.cold_per_second:
            self._cold = _empty(budget.cold_per_second, now)
        self._budget = budget


def _empty(rate: float, now: float) -> Bucket:
    """A bucket that holds what one second brings, at least one, and begins empty."""
    bucket = Bucket(rate, max(rate, 1.0))
    bucket.force(now, bucket.size)
    return bucket
