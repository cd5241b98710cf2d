"""Carrying moves out: journal, act, journal (`docs/architecture.md`, "The move").

`carry` may be stopped at any await and started again by anybody from the journal, and two that
carry the same move do no harm: every append is stored once per id, the first valid seal decides
(C2), the commit is a compare-and-set (C3), and the journal's versions let one of them go on.

Many moves go together, a state at a time, so that thousands of cold channels cost few writes (C9); what
fails for one does not hold up the others. Of a cold move two steps are journaled with the one that follows them:
`opened` with `sealing`, and `sealed` with `draining`; nothing depends on the former, since both records and the
commit may be written again (`docs/adr/0019-fewer-steps-for-cold-moves.md`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

import msgspec

from godwit.chatlog.base import ChatLog
from godwit.clock import Clock
from godwit.errors import ChatLogUnavailable, DeadLog, InvalidRequest
from godwit.rollout import moves
from godwit.settings import MoveSettings
from godwit.store.rollout_base import RolloutStore
from godwit.values import Entry, Message, Move, MoveState, Placement, Seal, Segment

Step = tuple[Move, MoveState, *tuple[MoveState, ...]]
"""What is to be journaled together: the move as it is to be, and its next states."""

Act = Callable[[Sequence[Move]], Awaitable[Sequence[Step | Exception]]]
"""Does for moves of one state what that state asks for."""


class Superseded(Exception):
    """The journal was written by another controller: leave the move to it."""


class Carried(msgspec.Struct, frozen=True):
    """How far a move came, and what stopped it, if it is neither draining nor over."""

    move: Move
    error: Exception | None = None


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
        store: RolloutStore,
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
        self._acts: dict[MoveState, Act] = {
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
        carried = (await self.carry_all([move]))[0]
        if carried.error is not None:
            raise carried.error
        return carried.move

    async def carry_all(self, wanted: Sequence[Move]) -> list[Carried]:
        """Go on with moves together; each ends draining, over, or with the error that stopped it.

        Returns:
            One for each, in the order given.

        Raises:
            StoreUnavailable: for all of them; read them from the journal again.
        """
        carried = [Carried(move) for move in wanted]
        while due := [place for place, one in enumerate(carried) if not one.error and one.move.state in self._acts]:
            # The state that is least far first, so that those behind catch up and all go on together.
            state = next(state for state in self._acts if any(carried[place].move.state == state for place in due))
            group = [place for place in due if carried[place].move.state == state]
            steps = await self._acts[state]([carried[place].move for place in group])
            for place, one in zip(group, await self._journal([carried[p].move for p in group], steps), strict=True):
                carried[place] = one
        return carried

    async def settle(self, move: Move) -> Move:
        """End the drain of a move (step 7); a dead log that is back is sealed first (rule C8).

        To be called a lease after the commit at the earliest (rule L3).

        Raises:
            ChatLogUnavailable, StoreUnavailable: try again later.
            Superseded: another controller settled it.
        """
        carried = (await self.settle_all([move]))[0]
        if carried.error is not None:
            raise carried.error
        return carried.move

    async def settle_all(self, drained: Sequence[Move]) -> list[Carried]:
        """`settle` for many moves; one for each, in the order given.

        Raises:
            StoreUnavailable: for all of them.
        """
        steps: list[Step | Exception] = []
        for move in drained:
            try:
                steps.append((msgspec.structs.replace(move, unshown=await self._leave(move)), "settled"))
            except ChatLogUnavailable as error:
                steps.append(error)
        await self._store.settle_many([(step[0].channel, step[0].epoch) for step in steps if isinstance(step, tuple)])
        return await self._journal(drained, steps)

    async def _leave(self, move: Move) -> int:
        """Have done with the segment that was left; returns what nobody was shown of one given up by force."""
        assert move.source
        log = self._logs[move.source.cluster]
        try:
            if move.evacuate:  # whoever still stands in the segment that was given up is sent after the others
                await log.append(move.channel, moves.seal_record(move), stream=move.source.stream)
                return await self._count_unshown(move, move.source)
            if log.stream(move.channel) == move.source.stream:
                await log.release(move.channel, move.source.epoch)
        except DeadLog:
            pass  # it never comes back
        return 0

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

    async def _admit(self, wished: Sequence[Move]) -> list[Step | Exception]:
        channels = [move.channel for move in wished]
        live = await self._store.live_among(channels)
        placements = await self._store.placements(channels)
        refused: dict[str, str] = {}
        for move, placement in zip(wished, placements, strict=True):
            try:
                moves.admit(move, placement=placement, clusters=self._clusters, live=move.channel in live)
            except InvalidRequest as error:
                refused[move.id] = str(error)
        pairs = zip(wished, placements, strict=True)
        rowless = [place.channel for move, place in pairs if place.default and move.id not in refused]
        if rowless:  # the segment that is to be sealed must stand in the store (C10)
            await self._store.pin(rowless)
            placements = await self._store.placements(channels)
        return [
            (msgspec.structs.replace(move, error=refused[move.id]), "failed")
            if move.id in refused
            else (moves.begin(move, placement), "opening")
            for move, placement in zip(wished, placements, strict=True)
        ]

    async def _open(self, opening: Sequence[Move]) -> list[Step | Exception]:
        steps: list[Step | Exception] = []
        for move in opening:
            log = self._logs[move.target]
            stream = log.stream(move.channel)
            try:
                at = await log.append(move.channel, moves.open_record(move), stream=stream)
            except ChatLogUnavailable as error:
                steps.append(error)
            else:
                opened = msgspec.structs.replace(move, at=at, stream=stream)
                steps.append((opened, "opened", "sealing") if move.cold else (opened, "opened"))
        return steps

    async def _recheck(self, opened: Sequence[Move]) -> list[Step | Exception]:
        """Only offline: the store refuses this very step to a channel that is live, unless it is forced."""
        return [(move, "sealing") for move in opened]

    async def _seal(self, sealing: Sequence[Move]) -> list[Step | Exception]:
        chains = await self._store.chains([move.channel for move in sealing])
        steps: list[Step | Exception] = []
        for move, chain in zip(sealing, chains, strict=True):
            try:
                steps.append(_overtaken(move, chain) or await self._seal_one(move))
            except ChatLogUnavailable as error:
                steps.append(error)
        cold = [step[0] for step in steps if isinstance(step, tuple) and step[1] == "sealed" and step[0].cold]
        committed = {step[0].id: step for step in await self._commit(cold)} if cold else {}
        for place, step in enumerate(steps):
            if isinstance(step, tuple) and step[0].id in committed:
                move, then = committed[step[0].id]
                steps[place] = (move, "sealed", then)
        return steps

    async def _seal_one(self, move: Move) -> tuple[Move, MoveState]:
        assert move.source
        if move.evacuate or self._skip_seal:
            return move, "sealed"
        log = self._logs[move.source.cluster]
        try:
            await log.append(move.channel, moves.seal_record(move), stream=move.source.stream)
            seal = await self._read_seal(log, move.channel, move.source)
        except DeadLog:  # nobody will read that seal any more; whoever did commits it within a lease (C3, C4)
            if self._clock.now() - move.history[-1][1] <= self._settings.lease:
                raise
            return _cancelled(move, f"the log of {move.source.cluster} is gone: evacuate")
        if seal is None:
            raise ChatLogUnavailable(f"the seal of #{move.channel} is not to be seen yet")
        if seal.id == moves.seal_record(move).id:
            return msgspec.structs.replace(move, at=seal.to.at, stream=seal.to.stream), "sealed"
        await self._commit_segments([(move.channel, seal.to)])  # C2: another one decided; C3: anyone commits it
        return _cancelled(move, f"another move came first: it is on {seal.to.cluster}")

    async def _commit(self, sealed: Sequence[Move]) -> list[tuple[Move, MoveState]]:
        placements = await self._commit_segments([(move.channel, moves.destination(move)) for move in sealed])
        newest = {placement.channel: placement.segment for placement in placements}
        elsewhere = [move.channel for move in sealed if newest[move.channel] != moves.destination(move)]
        chains = await self._store.chains(elsewhere) if elsewhere else []
        longer = dict(zip(elsewhere, chains, strict=True))
        return [_committed(move, longer.get(move.channel)) for move in sealed]

    async def _commit_segments(self, switches: Sequence[tuple[str, Segment]]) -> list[Placement]:
        now = self._clock.now()
        return await self._store.commit_many(switches, drain_until=now + self._settings.drain, now=now)

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

    async def _journal(self, before: Sequence[Move], steps: Sequence[Step | Exception]) -> list[Carried]:
        """Write the steps of moves; one that another controller went on with is superseded."""
        now = self._clock.now()
        taken: list[tuple[Move, MoveState]] = []
        for move, step in zip(before, steps, strict=True):
            if isinstance(step, Exception):
                continue
            then, *states = step
            at = move.state
            for state in states:
                moves.check(at, state)
                taken.append((then, state))
                at, then = state, moves.stepped(then, state, now)
        written = iter(await self._store.journal_many(taken, now) if taken else [])
        carried = []
        for move, step in zip(before, steps, strict=True):
            if isinstance(step, Exception):
                carried.append(Carried(move, step))
                continue
            stored = [next(written) for _ in step[1:]][-1]
            if stored is None:
                carried.append(Carried(move, Superseded(move.id)))
            else:
                carried.append(Carried(stored))
                self._journaled(stored)
        return carried


def _committed(move: Move, chain: Sequence[Segment] | None) -> tuple[Move, MoveState]:
    """What a move becomes after its commit; `chain` is the channel's, if that does not end with the move's segment."""
    if chain is None or moves.destination(move) in chain:
        return move, "draining"
    return _overtaken(move, chain) or _cancelled(move, f"the store has it on {chain[-1].cluster} again")


def _cancelled(move: Move, why: str) -> tuple[Move, MoveState]:
    return msgspec.structs.replace(move, error=why), "cancelled"


def _overtaken(move: Move, chain: Sequence[Segment]) -> tuple[Move, MoveState] | None:
    """What a move becomes if the store knows a newer segment than its source already."""
    assert move.source
    newer = [segment for segment in chain if segment.epoch > move.source.epoch]
    if not newer:
        return None
    if ours := next((segment for segment in newer if _opened_by(move, segment)), None):
        return msgspec.structs.replace(move, at=ours.at, stream=ours.stream), "sealed"
    newest = newer[-1]
    if newest.unclean and newest.cluster == move.source.cluster:  # a restart opened it anew where it was (L2)
        return moves.begin_anew(move), "wished"
    if newest.unclean:
        return _cancelled(move, f"the channel was opened anew by force: it is on {newest.cluster}")
    return _cancelled(move, f"another move came first: it is on {newest.cluster}")


def _opened_by(move: Move, segment: Segment) -> bool:
    return (segment.epoch, segment.cluster, segment.at, segment.stream) == (
        move.epoch,
        move.target,
        move.at,
        move.stream,
    )
