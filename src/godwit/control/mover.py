"""Carrying one move out: journal, act, journal (`docs/architecture.md`, "The move").

`carry` may be stopped at any await and started again by anybody from the journal, and two that
carry the same move do no harm: every append is stored once per id, the first valid seal decides
(C2), the commit is a compare-and-set (C3), and the journal's versions let one of them go on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping

import msgspec

from godwit.chatlog.base import ChatLog
from godwit.clock import Clock
from godwit.errors import ChatLogUnavailable, DeadLog, InvalidRequest
from godwit.rollout import moves
from godwit.settings import MoveSettings
from godwit.store.base import Store
from godwit.values import Entry, Message, Move, MoveState, Placement, Seal, Segment

Step = Callable[[Move], Awaitable[Move]]


class Superseded(Exception):
    """The journal was written by another controller: leave the move to it."""


class Mover:
    """Carries moves out, one step after the other.

    Args:
        store, logs, clock: the ports; `logs` by cluster.
        settings: lease and drain.
        journaled: called with each step that was journaled.
        skip_seal: for the demo's `--fault skip-seal` only: commits without a seal, and so loses lines.
    """

    def __init__(
        self,
        store: Store,
        logs: Mapping[str, ChatLog],
        clock: Clock,
        settings: MoveSettings,
        *,
        clusters: Collection[str] = (),
        journaled: Callable[[Move], None] = lambda move: None,
        skip_seal: bool = False,
    ) -> None:
        self._store = store
        self._logs = logs
        self._clock = clock
        self._settings = settings
        self._clusters = clusters or tuple(logs)
        self._journaled = journaled
        self._skip_seal = skip_seal
        self._steps: dict[MoveState, Step] = {
            "wished": self._admit,
            "opening": self._open,
            "opened": self._recheck,
            "sealing": self._seal,
            "sealed": self._commit,
        }

    async def carry(self, move: Move) -> Move:
        """Go on with a move until it is draining, or over.

        Returns:
            The move as last journaled.

        Raises:
            ChatLogUnavailable, StoreUnavailable: try again later; nothing is half done.
            Superseded: another controller went on with it.
        """
        while step := self._steps.get(move.state):
            move = await step(move)
        return move

    async def settle(self, move: Move) -> Move:
        """End the drain of a move (step 7); a dead log that is back is sealed first (rule C8).

        To be called a lease after the commit at the earliest (rule L3).

        Raises:
            ChatLogUnavailable, StoreUnavailable: try again later.
            Superseded: another controller settled it.
        """
        assert move.source
        log = self._logs[move.source.cluster]
        unshown = 0
        try:
            if move.evacuate:  # whoever still stands in the segment that was given up is sent after the others
                await log.append(move.channel, moves.seal_record(move), stream=move.source.stream)
                unshown = await self._count_unshown(move, move.source)
            elif log.stream(move.channel) == move.source.stream:
                await log.release(move.channel, move.source.epoch)
        except DeadLog:
            pass  # it never comes back
        await self._store.settle(move.channel, move.epoch)
        return await self._journal(move, "settled", unshown=unshown)

    async def _count_unshown(self, move: Move, given_up: Segment) -> int:
        """Messages of the segment that was given up which nobody is known to have read, nor said again (C8)."""
        reached = await self._store.reached(move.channel, given_up.epoch)
        old = await self._messages(given_up, move.channel, max(reached, given_up.at))
        new = await self._messages(moves.destination(move), move.channel, move.at)
        return len(old - new)

    async def _messages(self, segment: Segment, channel: str, after: int) -> set[str]:
        found: set[str] = set()
        while True:
            page = await self._logs[segment.cluster].read(channel, after)
            found |= {
                entry.record.id
                for entry in page.entries
                if isinstance(entry.record, Message) and entry.record.epoch == segment.epoch
            }
            if not page.more:
                return found
            after = page.upto

    async def _admit(self, move: Move) -> Move:
        placement = await self._store.placement(move.channel)
        try:
            moves.admit(
                move,
                placement=placement,
                clusters=self._clusters,
                live=await self._store.is_live(move.channel),
            )
        except InvalidRequest as error:
            return await self._journal(move, "failed", error=str(error))
        if placement.default:  # the segment that is to be sealed must stand in the store (C10)
            await self._store.pin([move.channel])
            placement = await self._store.placement(move.channel)
        return await self._journal(moves.begin(move, placement), "opening")

    async def _open(self, move: Move) -> Move:
        log = self._logs[move.target]
        stream = log.stream(move.channel)
        at = await log.append(move.channel, moves.open_record(move), stream=stream)
        return await self._journal(move, "opened", at=at, stream=stream)

    async def _recheck(self, move: Move) -> Move:
        """Only offline: looked at once more just before the seal; until here cancelling costs nothing."""
        if not move.forced and await self._store.is_live(move.channel):
            return await self._journal(move, "cancelled", error=f"#{move.channel} went live before the switch")
        return await self._journal(move, "sealing")

    async def _seal(self, move: Move) -> Move:
        assert move.source
        if move.evacuate:
            return await self._journal(move, "sealed")
        if self._skip_seal:
            return await self._journal(move, "sealed")
        if verdict := await self._overtaken(move):
            return verdict
        log = self._logs[move.source.cluster]
        try:
            await log.append(move.channel, moves.seal_record(move), stream=move.source.stream)
            seal = await self._read_seal(log, move.channel, move.source)
        except DeadLog:  # nobody will read that seal any more; whoever did commits it within a lease (C3, C4)
            if self._clock.now() - move.history[-1][1] <= self._settings.lease:
                raise
            return await self._journal(move, "cancelled", error=f"the log of {move.source.cluster} is gone: evacuate")
        if seal is None:
            raise ChatLogUnavailable(f"the seal of #{move.channel} is not to be seen yet")
        if seal.id == moves.seal_record(move).id:
            return await self._journal(move, "sealed", at=seal.to.at, stream=seal.to.stream)
        await self._commit_segment(move.channel, seal.to)  # C2: another one decided; C3: anyone commits it
        return await self._journal(move, "cancelled", error=f"another move came first: it is on {seal.to.cluster}")

    async def _overtaken(self, move: Move) -> Move | None:
        """What the move becomes if the store knows a newer segment than its source already."""
        assert move.source
        chain = [segment for segment in await self._store.segments(move.channel) if segment.epoch > move.source.epoch]
        if not chain:
            return None
        if destination := next((segment for segment in chain if _opened_by(move, segment)), None):
            return await self._journal(move, "sealed", at=destination.at, stream=destination.stream)
        return await self._journal(move, "cancelled", error=_why_not(chain[-1]))

    async def _commit(self, move: Move) -> Move:
        stored = await self._commit_segment(move.channel, moves.destination(move))
        if moves.destination(move) not in await self._store.segments(move.channel):
            # It was overtaken: an evacuation by the channel's own move (C8), or any move by a restart (L2).
            return await self._journal(move, "cancelled", error=_why_not(stored.segment))
        return await self._journal(move, "draining")

    async def _commit_segment(self, channel: str, to: Segment) -> Placement:
        now = self._clock.now()
        return await self._store.commit(channel, to, drain_until=now + self._settings.drain, now=now)

    async def _read_seal(self, log: ChatLog, channel: str, segment: Segment) -> Seal | None:
        after = segment.at
        while True:
            page = await log.read(channel, after)
            if page.stream != segment.stream:
                raise DeadLog(f"log of {segment.cluster} is {page.stream}, not {segment.stream}")
            found: list[Entry] = list(page.entries)
            if seal := moves.first_valid_seal(segment, found):
                return seal
            if not page.more:
                return None
            after = page.upto

    async def _journal(self, move: Move, state: MoveState, **changes: object) -> Move:
        moves.check(move, state)
        changed: Move = msgspec.structs.replace(move, **changes)
        written = await self._store.journal(changed, state, self._clock.now())
        if written is None:
            raise Superseded(move.id)
        self._journaled(written)
        return written


def _opened_by(move: Move, segment: Segment) -> bool:
    return (segment.epoch, segment.cluster, segment.at, segment.stream) == (
        move.epoch,
        move.target,
        move.at,
        move.stream,
    )


def _why_not(newest: Segment) -> str:
    if newest.unclean:
        return f"the channel was opened anew by force: it is on {newest.cluster}"
    return f"another move came first: it is on {newest.cluster}"
