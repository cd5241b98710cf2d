"""One mutant per rule of the log, the chain, the room and the followers: what goes wrong without it.

Each breaks the product's own code at run time in one place. The simulation must find every one of
them; `test_mutants.py` says so when it does not. L1 and L2 are broken from the other side: by a log
that misbehaves as JetStream was seen to, before code that does not expect it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from math import inf
from typing import Any
from unittest import mock

import msgspec

from godwit.chat import admission, outbox, room
from godwit.chat.admission import Admission
from godwit.chatlog.base import Page
from godwit.chatlog.memory import MemoryLog
from godwit.chatlog.tail import Tail, TailEvent
from godwit.control.mover import Mover, Step
from godwit.edge import attendance
from godwit.edge.attendance import Attendance
from godwit.edge.channel import EdgeChannel
from godwit.edge.history import History, Recall
from godwit.edge.rest import Rest
from godwit.edge.rows import Rows
from godwit.errors import ChatLogUnavailable
from godwit.rollout import moves
from godwit.store.memory import MemoryStore
from godwit.tmi.follow import Follower
from godwit.values import FAMILIES, Change, Entry, Message, Move, Placement, Seal, Segment
from tests.model.edges import Edge
from tests.model.schedule import at_once

Mutant = Callable[[], Any]

MUTANTS: dict[str, tuple[Mutant, str]] = {}
"""Name -> the patch, and what it does. The name begins with the rule's id."""


def mutant(name: str, what: str) -> Callable[[Mutant], Mutant]:
    def add(make: Mutant) -> Mutant:
        MUTANTS[name] = (make, what)
        return make

    return add


@contextmanager
def broken(name: str) -> Iterator[None]:
    """The product without one rule."""
    with MUTANTS[name][0]():
        yield


# L: the chat log ------------------------------------------------------------------------------------


@mutant("L1-live-is-all", "a reader does not compare with the log's end, and takes silence for being up to date")
def _() -> Any:
    def compared(self: EdgeChannel, segment: Segment, head: int, asked_at: float) -> None:
        self._verified = max(self._verified, asked_at)

    return _both(mock.patch.object(Tail, "compare"), mock.patch.object(EdgeChannel, "compared", compared))


@mutant("L1-gap-unseen", "a reader takes what comes live without looking at the predecessor")
def _() -> Any:
    def live(self: Tail, entry: Entry) -> list[TailEvent]:
        if entry.sequence <= self.position or not self.current:
            return []
        self.position = entry.sequence
        return [entry]

    return mock.patch.object(Tail, "live", live)


@mutant("L1-stale-answer", "an answer older than a sequence already known is not asked again")
def _() -> Any:
    original = Tail.answer

    def answer(self: Tail, after: int, page: Page) -> list[TailEvent]:
        events = original(self, after, page)
        if not page.more:
            self.position = max(self.position, self._known)
            self.suspicious = False
        return events

    return mock.patch.object(Tail, "answer", answer)


@mutant("L2-stream-ignored", "the log is taken for the one that the segment names, whatever its creation id")
def _() -> Any:
    append = MemoryLog.append

    async def careless(self: MemoryLog, channel: str, record: Any, *, stream: str) -> int:
        return await append(self, channel, record, stream=self._stream)

    original = Tail.answer

    def answer(self: Tail, after: int, page: Page) -> list[TailEvent]:
        return original(self, after, msgspec.structs.replace(page, stream=self.stream))

    return _both(mock.patch.object(MemoryLog, "append", careless), mock.patch.object(Tail, "answer", answer))


@mutant("L3-seals-expire", "open and seal expire before they are committed")
def _() -> Any:
    original = MemoryLog.expire

    def expire(self: MemoryLog) -> None:
        original(self)
        for kept in self._channels.values():
            if kept.pinned:
                kept.floor = max(kept.floor, kept.pinned[-1].sequence)
                kept.pinned = []

    return mock.patch.object(MemoryLog, "expire", expire)


@mutant("L4-over-the-hole", "a reader whose next sequence expired reads on in silence")
def _() -> Any:
    original = Tail.answer

    def answer(self: Tail, after: int, page: Page) -> list[TailEvent]:
        return original(self, after, msgspec.structs.replace(page, floor=0))

    return mock.patch.object(Tail, "answer", answer)


@mutant("L5-not-up-to-the-joint", "a new reader begins with the live path and reads nothing that lies before it")
def _() -> Any:
    original = EdgeChannel._begin

    def begin(self: EdgeChannel, segment: Segment, *, fresh: bool = True) -> None:
        original(self, segment, fresh=fresh)
        log = self._backend.world.logs[segment.cluster].real  # type: ignore[attr-defined]
        self._tail.position = max(self._tail.position, at_once(log.heads([self.channel]))[0])

    return mock.patch.object(EdgeChannel, "_begin", begin)


@mutant("L6-repeats-count", "a second record of the same number is in force")
def _() -> Any:
    return mock.patch.object(room.RoomState, "_first", return_value=True)


@mutant("L6-several-in-flight", "several appends of one producer are in flight")
def _() -> Any:
    def due(self: outbox.Outbox, epoch: int, now: float) -> Iterator[Any]:
        for producer, lane in list(self._lanes.items()):
            for pending in list(lane):
                grounded = producer in self.grounded if pending is lane[0] else not pending.tried
                if grounded and pending.retry_at <= now:
                    self.grounded.pop(producer, None)
                    pending.tried = True
                    pending.record = msgspec.structs.replace(pending.record, epoch=epoch)
                    yield pending.record

    return mock.patch.object(outbox.Outbox, "due", due)


# C: the chain ---------------------------------------------------------------------------------------


@mutant("C1-latest-open-wins", "a record behind a seal is in force, whatever its segment")
def _() -> Any:
    original = room.RoomState.apply

    def apply(self: room.RoomState, entry: Entry) -> room.Outcome:
        record = entry.record
        if record.epoch != self.segment.epoch and not isinstance(record, Seal):
            entry = msgspec.structs.replace(entry, record=msgspec.structs.replace(record, epoch=self.segment.epoch))
        segment = self.segment
        self.segment = msgspec.structs.replace(segment, at=0)
        try:
            return original(self, entry)
        finally:
            self.segment = segment

    return mock.patch.object(room.RoomState, "apply", apply)


@mutant("C2-own-wish", "a controller commits its own wish and believes in it, whatever the first valid seal says")
def _() -> Any:
    async def seal(self: Mover, move: Move) -> Step:
        assert move.source
        log = self._logs[move.source.cluster]
        await log.append(move.channel, moves.seal_record(move), stream=move.source.stream)
        return move, "sealed"

    async def commit(self: Mover, sealed: Sequence[Move]) -> list[Step | Exception]:
        await self._commit_segments([(move.channel, moves.destination(move)) for move in sealed])
        return [(move, "draining") for move in sealed]

    return _both(mock.patch.object(Mover, "_seal_one", seal), mock.patch.object(Mover, "_commit", commit))


@mutant("C3-commit-blindly", "the commit does not compare epochs")
def _() -> Any:
    async def commit(
        self: MemoryStore, switches: Sequence[tuple[str, Segment]], *, drain_until: float, now: float
    ) -> list[Placement]:
        for channel, to in switches:
            stored = await self.placement(channel)
            if stored.segment != to:
                await self.pin([channel])
                self._extend(stored, to, drain_until, "draining")
        return await self.placements([channel for channel, _ in switches])

    return mock.patch.object(MemoryStore, "commit_many", commit)


@mutant("C4-cancel-on-time-out", "a move whose seal timed out counts as cancelled")
def _() -> Any:
    original = Mover._seal_one

    async def seal(self: Mover, move: Move) -> Step:
        try:
            return await original(self, move)
        except ChatLogUnavailable:
            return move, "cancelled"

    return mock.patch.object(Mover, "_seal_one", seal)


@mutant("C5-told-too-early", "SERVERCHANGE goes out on the seal, before the commit")
def _() -> Any:
    original = EdgeChannel._follow

    def follow(self: EdgeChannel, to: Segment) -> None:
        original(self, to)
        self._announce(Placement(self.channel, to))

    return mock.patch.object(EdgeChannel, "_follow", follow)


@mutant("C6-not-again", "what is pending at the seal is not appended again")
def _() -> Any:
    return mock.patch.object(outbox.Outbox, "resend", lambda self: self._take(lambda pending: True))


@mutant("C7-no-lease", "what was known once is acted on for ever")
def _() -> Any:
    def placed(self: EdgeChannel, placement: Any, chain: Any, sanctions: Any, asked_at: float) -> None:
        original(self, placement, chain, sanctions, self._backend.now())

    original = EdgeChannel.placed
    return _both(
        mock.patch.object(EdgeChannel, "_fresh", return_value=True),
        mock.patch.object(EdgeChannel, "placed", placed),
    )


@mutant("C7-rest-is-fresh", "what a channel at rest knew once is acted on for ever")
def _() -> Any:
    go_on, lets_in, stands = EdgeChannel._go_on, Rest.lets_in, Rest.stands

    def woken(self: EdgeChannel, rest: Rest) -> None:
        go_on(self, rest)
        self._verified = inf

    return _both(
        mock.patch.object(EdgeChannel, "_go_on", woken),
        mock.patch.object(
            Rest, "lets_in", lambda self, cluster, after, now, _: lets_in(self, cluster, after, now, inf)
        ),
        mock.patch.object(Rest, "stands", lambda self, segment, head, at, _: stands(self, segment, head, at, inf)),
    )


@mutant("C8-next-epoch", "a forced evacuation takes the next epoch, and nobody jumps")
def _() -> Any:
    original = moves.begin

    def begin(move: Move, placement: Placement) -> Move:
        begun = original(move, placement)
        return msgspec.structs.replace(begun, epoch=placement.segment.epoch + 1) if move.evacuate else begun

    return mock.patch.object(moves, "begin", begin)


@mutant("C8-no-jump", "a reader below the newest unclean epoch goes on where it is")
def _() -> Any:
    original = EdgeChannel._catch_up

    def catch_up(self: EdgeChannel, placement: Placement, asked_at: float) -> None:
        if not any(segment.unclean for segment in self._recall.chain):
            original(self, placement, asked_at)

    return mock.patch.object(EdgeChannel, "_catch_up", catch_up)


@mutant("C9-cold-by-store-alone", "a channel moves by its row alone, without open and seal")
def _() -> Any:
    async def seal(self: Mover, move: Move) -> Step:
        return move, "sealed"

    return mock.patch.object(Mover, "_seal_one", seal)


@mutant("C10-no-row", "an edge writes to a channel without a row and does not claim one")
def _() -> Any:
    original = EdgeChannel._append

    def append(self: EdgeChannel, now: float) -> None:
        rowless, self._where.rowless = self._where.rowless, False
        original(self, now)
        self._where.rowless = rowless

    return mock.patch.object(EdgeChannel, "_append", append)


@mutant("C11-refused", "a JOIN where the channel lived before is let in silently, whatever the legacy rule")
def _() -> Any:
    original = admission.admit

    def admit(cluster: str, **facts: Any) -> Admission:
        found = original(cluster, **facts)
        return Admission.EARLY if found is Admission.BRIDGE else found

    return mock.patch.object(attendance, "admit", admit)


@mutant("C12-both-sides", "an account that had joined early is served on both clusters")
def _() -> Any:
    def arrive(self: Attendance, record: Any) -> None:
        for member in list(self.members):
            if member.account in record.accounts and self._standing.cluster == record.cluster:
                self.members[member] = True

    return mock.patch.object(Attendance, "arrive", arrive)


@mutant("C12-not-silent", "an early JOIN is shown lines before the channel is there")
def _() -> Any:
    original = admission.admit

    def admit(cluster: str, **facts: Any) -> Admission:
        found = original(cluster, **facts)
        return Admission.BRIDGE if found is Admission.EARLY else found

    return mock.patch.object(attendance, "admit", admit)


# R: the room ----------------------------------------------------------------------------------------


@mutant("R1-window-by-reader", "a reader voids what is too near to what it saw itself")
def _() -> Any:
    original = room.RoomState.apply
    seen: dict[room.RoomState, tuple[str, float]] = {}

    def apply(self: room.RoomState, entry: Entry) -> room.Outcome:
        outcome = original(self, entry)
        if isinstance(outcome, room.Valid) and isinstance(outcome.record, Message):
            author, time = seen.get(self, ("", 0.0))
            seen[self] = (outcome.record.author.user_id, outcome.time)
            if author == outcome.record.author.user_id and abs(outcome.time - time) < 10.0:
                return room.Void(outcome.record, "timedout")
        return outcome

    return mock.patch.object(room.RoomState, "apply", apply)


@mutant("R1-rest-forgets", "a channel at rest forgets who is banned, and what was said")
def _() -> Any:
    original = EdgeChannel.rest

    def rest(self: EdgeChannel, *, content: bool = True) -> Rest | None:
        found = original(self, content=content)
        if found is not None:
            found.content = None
        return found

    return mock.patch.object(EdgeChannel, "rest", rest)


@mutant("R2-order-of-rows", "between acts the one that was written last wins, not the later position")
def _() -> Any:
    def rule(self: room.RoomState, ruling: room.Ruling) -> None:
        self._standing[FAMILIES[ruling.kind]][ruling.target] = ruling

    original = room.RoomState.load

    def load(self: room.RoomState, rows: Any) -> None:
        original(self, rows)
        for row in self._rows:
            self._rule(row)

    return _both(mock.patch.object(room.RoomState, "_rule", rule), mock.patch.object(room.RoomState, "load", load))


@mutant("R3-rows-not-completed", "rows without a position are left as they are")
def _() -> Any:
    return mock.patch.object(Rows, "complete")


@mutant("R3-rows-not-loaded", "a new reader does not load the rows")
def _() -> Any:
    return mock.patch.object(room.RoomState, "load")


@mutant("R2-role-by-arrival", "of two acts on a role the one that came last to this edge counts, a row or a record")
def _() -> Any:
    original = room.RoomState._rule

    def rule(self: room.RoomState, ruling: room.Ruling) -> None:
        if FAMILIES[ruling.kind] == "role":
            self._roles[ruling.target] = ruling
        else:
            original(self, ruling)

    load = room.RoomState.load

    def early(self: room.RoomState, rows: Any) -> None:
        load(self, rows)
        for row in self._rows:
            if FAMILIES[row.kind] == "role":
                self._roles[row.target] = row

    return _both(mock.patch.object(room.RoomState, "_rule", rule), mock.patch.object(room.RoomState, "load", early))


@mutant("R2-settings-not-completed", "the row of a setting does not get the position of its record")
def _() -> Any:
    original = Rows.complete

    def complete(self: Rows, outcome: room.Valid) -> None:
        if not isinstance(outcome.record, Change):
            original(self, outcome)

    return mock.patch.object(Rows, "complete", complete)


@mutant("R3-settings-from-the-beginning", "the row of a setting counts from the beginning")
def _() -> Any:
    original = room.RoomState.load

    def load(self: room.RoomState, rows: Any) -> None:
        original(self, rows)
        for row in self._rows:
            if row.kind == "set":
                self._rule(row)

    return mock.patch.object(room.RoomState, "load", load)


@mutant("R3-rows-behind-the-last-record", "rows whose records have expired count with the next record only")
def _() -> Any:
    return mock.patch.object(room.RoomState, "reach")


@mutant("R4-clock-of-the-reader", "a timeout that seems to lie in the future does not count")
def _() -> Any:
    def sanctioned(self: room.RoomState, user_id: str, time: float) -> Any:
        ruling = self._sanctions.get(user_id)
        if ruling is None or ruling.kind == "lift":
            return None
        if ruling.kind == "ban":
            return "banned"
        return "timedout" if 0 <= time - ruling.since < ruling.seconds else None

    return mock.patch.object(room.RoomState, "sanctioned", sanctioned)


# F: followers ---------------------------------------------------------------------------------------


@mutant("F1-leave-when-welcomed", "a follower joins the new side without saying what it has seen")
def _() -> Any:
    original = Edge.join

    def join(self: Edge, member: Any, after: Any) -> None:
        original(self, member, None)

    return mock.patch.object(Edge, "join", join)


@mutant("F2-old-hints", "a follower believes a hint with an older epoch")
def _() -> Any:
    original = Follower.located

    def located(self: Follower, cluster: str, epoch: int = 0, addresses: Any = None) -> Any:
        if epoch and epoch <= self.epoch:
            self.epoch = epoch - 1
        return original(self, cluster, epoch, addresses)

    return mock.patch.object(Follower, "located", located)


@mutant("F3-gap-not-told", "a position that has expired is answered as if nothing were missing")
def _() -> Any:
    original = History.after

    def after(self: History, position: Any) -> Any:
        return original(self, max(position, self.since))

    return mock.patch.object(History, "after", after)


# LIMIT: what a client may be told ------------------------------------------------------------------


@mutant("LIMIT-6-evicted-untold", "who has not had its turn to be told is put out with the others")
def _() -> Any:
    return mock.patch.object(Edge, "untold", return_value=())


# promises -------------------------------------------------------------------------------------------


@mutant("P-order-of-a-sender", "the newest message of a sender is appended first")
def _() -> Any:
    def due(self: outbox.Outbox, epoch: int, now: float) -> Iterator[Any]:
        for producer, lane in list(self._lanes.items()):
            if producer in self.grounded and lane[0].retry_at <= now:
                if not lane[0].tried:
                    lane.insert(0, lane.pop())
                del self.grounded[producer]
                lane[0].tried = True
                lane[0].record = msgspec.structs.replace(lane[0].record, epoch=epoch)
                yield lane[0].record

    return mock.patch.object(outbox.Outbox, "due", due)


@mutant("P-told-unsent", "senders are told that what is in force was not sent")
def _() -> Any:
    original = EdgeChannel._valid

    def valid(self: EdgeChannel, outcome: room.Valid) -> None:
        audience = self._audience
        with mock.patch.object(audience, "acknowledged", lambda record, *_: audience.voided(record, "unsent")):
            original(self, outcome)

    return mock.patch.object(EdgeChannel, "_valid", valid)


@mutant("P-gap-at-every-resume", "whoever resumes is told that lines are missing")
def _() -> Any:
    return _both(
        mock.patch.object(History, "after", return_value=None), mock.patch.object(Recall, "fetch", return_value=False)
    )


@mutant("P-nobody-is-evicted", "members stay on a cluster that was left, whatever the legacy rule")
def _() -> Any:
    return mock.patch.object(Attendance, "evict")


@mutant("P-replayed-again", "a JOIN of somebody who is in already replays what it has seen")
def _() -> Any:
    original = Attendance._enter

    def enter(self: Attendance, member: Any, after: Any, how: Admission) -> bool:
        if self.members.get(member) and after is not None:
            self.members.pop(member)
        return original(self, member, after, how)

    return mock.patch.object(Attendance, "_enter", enter)


def _both(*patches: Any) -> Any:
    @contextmanager
    def patched() -> Iterator[None]:
        with ExitStack() as stack:
            for patch in patches:
                stack.enter_context(patch)
            yield

    return patched()
