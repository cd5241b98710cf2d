"""What one edge does with one channel, without I/O: read, show, admit, append, follow.

The channel reads the log of the segment it is in, in order, and shows what is valid; on a seal it
goes on in the next segment by itself, tells the store, and only then its members (rules C1 to C6).
All it needs from outside are the ports of `ports.py`; the node answers its calls, and the
simulation in `tests/model` plays the node.

States::

    UNPLACED   asks the store where the channel is
    READING    has a segment, reads up to where the live path begins (L5); shows no new member anything
    LIVE       shows, admits and appends, while what it knows is younger than the lease (C7)

Calls may come from within calls of the backend only for `live`, which queues them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from enum import Enum

import msgspec

from godwit.chat.modes import Modes
from godwit.chat.outbox import Outbox
from godwit.chat.room import RoomState, Sealed, Valid, Void
from godwit.chatlog.base import Page
from godwit.chatlog.tail import Current, Dead, Hole, Skipped, Tail, TailEvent
from godwit.edge.attendance import Attendance
from godwit.edge.deferred import Deferred
from godwit.edge.history import DOUBTS, Recall
from godwit.edge.known import KnownRoom
from godwit.edge.ports import Audience, Backend, Member, Shown
from godwit.edge.rest import NOWHERE, Content, Rest
from godwit.edge.rows import Rows
from godwit.edge.whereabouts import first_segment
from godwit.settings import EdgeSettings, LogSettings, MoveSettings
from godwit.store.base import Sanction
from godwit.values import Act, Arrive, Entry, Message, Placement, Position, Produced, Segment, Tell, UserNotice

MAIN = 0
"""Purpose of the reads that the channel itself needs; backfills have higher ones."""


class State(Enum):
    """How far the channel has come; see the module's docstring."""

    UNPLACED = "unplaced"
    READING = "reading"
    LIVE = "live"


_LIVE, _UNPLACED = State.LIVE, State.UNPLACED  # asked for with every message, and an enum is slow to look up


class EdgeChannel(KnownRoom):
    """A channel on an edge.

    Args:
        channel: its name.
        cluster: the cluster of the edge.
        backend: does the I/O.
        audience: shows the outcomes.
        producer: a name for its own records, unique for ever.
        numbers: counts up, for all records of this process.
        log, move, edge: settings.
        duplicate_window: seconds for which an account may not repeat itself; 0 for none.
        rest: what another one left of it when nothing happened.
    """

    __slots__ = (
        "_asking", "_audience", "_backend", "_busy", "_claiming", "_committing", "_dead", "_deferred", "_doubts",
        "_edge", "_evicting", "_inbox", "_log", "_move", "_numbers", "_outbox", "_producer", "_reached",
        "_read_at", "_rows", "_stored_epoch", "_tail", "_trouble", "_uncommitted", "_verified", "channel", "cluster",
        "last_message", "state",
    )  # fmt: skip

    def __init__(
        self,
        channel: str,
        cluster: str,
        backend: Backend,
        audience: Audience,
        *,
        producer: str,
        numbers: Iterator[int],
        log: LogSettings,
        move: MoveSettings,
        edge: EdgeSettings,
        duplicate_window: float = 0.0,
        rest: Rest | None = None,
    ) -> None:
        super().__init__()
        self.channel = channel
        self.cluster = cluster
        self.state = State.UNPLACED
        self._backend = backend
        self._audience = audience
        self._producer = producer
        self._numbers = numbers
        self._log = log
        self._move = move
        self._edge = edge
        self._outbox = Outbox(edge.pending_per_sender, log.hold, log.append_timeout / 5)
        self._deferred = Deferred(edge.pending_per_sender, log.hold)
        self._tail = Tail("", 0)
        self.last_message = 0.0
        """Log time of the last message that was read, 0 if there was none."""
        self._stored_epoch = 0
        self._asking = False
        self._claiming = False
        self._uncommitted: Segment | None = None
        self._committing = False
        self._dead = False
        self._doubts = DOUBTS
        self._trouble = False
        self._verified = 0.0
        self._read_at = 0.0
        self._reached = NOWHERE
        self._recall = Recall(edge.recent, backend.read)
        self._rows = Rows(self._recall, backend, 2 * log.hold)
        self._modes = Modes(duplicate_window)
        if rest is not None:
            self._go_on(rest)
        self._attendance = Attendance(self, audience, self._recall, move.legacy_rule, lease=move.lease, hold=log.hold)
        self._evicting = False
        self._busy = False
        self._inbox: deque[tuple[Segment, Entry]] = deque()
        if rest is not None:
            self.members.update(dict.fromkeys(rest.members, True))

    # what clients do ------------------------------------------------------------------------

    def join(self, member: Member, after: Position | None = None, since: float | None = None) -> None:
        """A connection wants in, now or `since` then; with `after`, what came after that position first (rule F3)."""
        self._attendance.join(member, after, self._backend.now() if since is None else since)
        self._settle()

    def leave(self, member: Member) -> None:
        """A connection is out: PART, or it closed."""
        self._attendance.leave(member)

    def submit(self, record: Produced, now: float | None = None) -> bool:
        """Take a record to append; its epoch and number are filled in here.

        Args:
            now: the time, if it was looked at already.

        Returns:
            False if too many records of its producer wait already.
        """
        room = self._room
        epoch, settings = (room.segment.epoch, room.settings) if room is not None else (0, {})
        record = msgspec.structs.replace(record, number=next(self._numbers), epoch=epoch)
        now = self._backend.now() if now is None else now
        if not self._outbox.put(record, now):
            return False
        if isinstance(record, Message):
            self._modes.said(record, settings, now)
        self._settle(now)
        return True

    def known_to(self, producer: str, now: float) -> bool:
        """Whether the room's state is known, and nothing of a producer waits for it: else what comes now must, too."""
        return self.state is _LIVE and self._fresh(now) and not self._deferred.waits(producer)

    def when_known(
        self,
        producer: str,
        call: Callable[[], None],
        otherwise: Callable[[], None],
        ready: Callable[[], bool] = lambda: True,
    ) -> bool:
        """Have something done once the room's state is known: at once, or when it has been read; in order per producer.

        Args:
            otherwise: called instead if it stays unknown for as long as a record is held, or is given up.
            ready: whether it could be done, as far as it is not the channel's matter; see `look_again`.

        Returns:
            False if too much of its producer waits already.
        """
        if self.known_to(producer, self._backend.now()) and ready():
            call()
            return True
        if not self._deferred.put(producer, call, otherwise, ready, self._backend.now()):
            return False
        self._settle()
        return True

    def look_again(self) -> None:
        """What somebody waits for may be ready now."""
        self._settle()

    def tick(self) -> None:
        """Try again what failed, give up what was held too long, end what is over."""
        now = self._backend.now()
        self._deferred.give_up(now)
        for record, tried in self._outbox.give_up(now):
            self._undelivered(record, tried)
        if self._uncommitted and not self._committing:
            self._commit(self._uncommitted)
        self._rows.place_again()
        self._tail.compare()
        self._recall.retry()
        self._trouble = False
        self._evicting = True  # once a tick is enough: with many members it takes a while to look at all
        if self._room and (self._rows.incomplete or self._behind or not self._fresh(now)):
            self._ask()
        self._settle()

    def abandon(self) -> None:
        """The channel is given up here: tell the producers of what is pending (the promise "said aloud")."""
        self._deferred.abandon()
        for record, tried in self._outbox.abandon():
            if record.producer != self._producer:
                self._undelivered(record, tried)

    # at rest --------------------------------------------------------------------------------

    def rest(self, *, content: bool = True) -> Rest | None:
        """End it, and give what must be kept while nothing happens; None, and nothing ends, if something is under way.

        Args:
            content: also if it remembers something, which is kept then.
        """
        room, placement, recall, members = self._room, self._where.placement, self._recall, self.members
        if room is None or placement is None or not self.calm or self._inbox or not self._tail.still:
            return None
        if self._asking or self._claiming or self._committing or recall.reading or self._attendance.unsettled:
            return None
        if not self._where.stands(room.segment) or recall.chain[-1:] != [room.segment]:
            return None
        blank = room.blank and recall.blank and self._rows.blank and self._modes.blank
        if not (blank or content):
            return None
        del self._attendance  # it knows this channel: together they would wait for the garbage collector
        return Rest(
            placement, () if len(recall.chain) == 1 else tuple(recall.chain), self._tail.position, recall.since,
            self._reached, self._verified, self._verified, self.last_message, tuple(members),
            None if blank else Content(room, recall, self._rows, self._modes),
        )  # fmt: skip

    def _go_on(self, rest: Rest) -> None:
        """Take up what another one left."""
        segment = rest.segment
        self._where.learn(rest.placement)
        if rest.content is not None:
            self._room, self._recall = rest.content.room, rest.content.recall
            self._rows, self._modes = rest.content.rows, rest.content.modes
        else:
            self._room = RoomState(segment)
            self._room.reach(rest.position)
            self._recall.learn(rest.chain or (segment,))
            self._recall.restart(rest.since)
        current = rest.compared > 0.0
        self._tail = Tail(segment.stream, rest.position, fresh=not current, current=current)
        self._stored_epoch = segment.epoch
        self._verified = rest.verified
        self._reached = rest.reached
        self.last_message = rest.last_message
        self.state = State.LIVE if current else State.READING

    # answers of the store -------------------------------------------------------------------

    def placed(
        self, placement: Placement, chain: Sequence[Segment], sanctions: Sequence[Sanction], asked_at: float
    ) -> None:
        """The store's answer to `ask` or `claim`, or news of it; asked for at `asked_at`."""
        self._asking = self._claiming = False
        if self._backend.now() - asked_at > self._move.lease:
            self._trouble = True  # too old to act on (C7); the next tick asks again
            return
        newest = placement.segment
        self._stored_epoch = max(self._stored_epoch, newest.epoch)
        self._attendance.confirm(newest.epoch, asked_at)
        self._rows.learn(sanctions, asked_at)
        self._recall.learn(chain)
        room = self._room
        if room is None:
            self._where.learn(placement)
            chain, incomplete = self._recall.chain, self._rows.incomplete
            wanted = self._attendance.oldest_wanted
            self._begin(first_segment(placement, chain, incomplete=incomplete, oldest_wanted=wanted))
            self._verified = asked_at
        elif newest.epoch == room.segment.epoch:
            self._where.learn(placement)
            room.load(self._rows.rulings)
            if not self._dead:
                self._verified = max(self._verified, asked_at)
                if self.state is State.UNPLACED:
                    self._begin(newest)
        elif newest.epoch > room.segment.epoch:
            self._catch_up(placement, asked_at)
        if self.state is State.UNPLACED:
            self._trouble = True  # nothing came of it; the next tick asks again
        self._settle()

    def ask_failed(self) -> None:
        """The store did not answer `ask` or `claim`."""
        self._asking = self._claiming = False
        self._trouble = True

    def committed(self, placement: Placement) -> None:
        """The store's answer to `commit`: what it holds now (rule C5: now members may be told)."""
        self._committing = False
        self._stored_epoch = max(self._stored_epoch, placement.segment.epoch)
        if self._uncommitted and placement.segment.epoch >= self._uncommitted.epoch:
            self._uncommitted = None
            self._where.learn(placement)
            self._announce(placement)
        if self._behind:
            self._ask()  # others are ahead, perhaps by force (C8)
        self._settle()

    def commit_failed(self) -> None:
        """The store did not answer `commit`."""
        self._committing = False

    def sanction_placed(self, sanction_id: str) -> None:
        """The store has the position of a sanction."""
        self._rows.placed(sanction_id)

    # answers of the log ---------------------------------------------------------------------

    def live(self, segment: Segment, entry: Entry) -> None:
        """An entry came on the live path."""
        self._inbox.append((segment, entry))
        if not self._busy:
            self._settle()

    def suspect(self, segment: Segment) -> None:
        """The live path may have missed something."""
        if self._room and segment == self._room.segment:
            self._tail.suspect()
            self._settle()

    def stands(self, segment: Segment, head: int, asked_at: float) -> bool:
        """Take a comparison that finds everything as it should be, as nearly all do; says False for any other."""
        room, tail = self._room, self._tail
        if room is None or segment != room.segment or head > tail.position or not tail.current or not self.calm:
            return False
        self._verified = max(self._verified, asked_at)
        return True

    def compared(self, segment: Segment, head: int, asked_at: float) -> None:
        """The channel's last record lies at `head`, as asked for at `asked_at` (rule L1)."""
        if self._room and segment == self._room.segment:
            stood = self.state is _LIVE and self._fresh(self._backend.now())
            self._tail.known(head)
            self._tail.compare()
            if head <= self._tail.position and self._tail.current:
                self._attendance.heard(asked_at)
                self._verified = max(self._verified, asked_at if stood else 0.0)
            self._settle()

    def answer(self, segment: Segment, after: int, page: Page, purpose: int) -> None:
        """The answer to a read."""
        if purpose != MAIN:
            self._recall.answer(purpose, after, page)
        elif self._room and segment == self._room.segment:
            stood = self.state is _LIVE and self._fresh(self._backend.now())
            self._take(self._tail.answer(after, page))
            if self._tail.current and not self._tail.wants_read:
                self._attendance.heard(self._read_at)
                self._verified = max(self._verified, self._read_at if stood else 0.0)
        self._settle()

    def read_failed(self, segment: Segment, purpose: int) -> None:
        """A read got no answer; the next tick asks again, the store too."""
        if purpose != MAIN:
            self._recall.read_failed(purpose)
            self._settle()
        elif self._room and segment == self._room.segment:
            self._tail.failed()
            self._trouble = True

    def appended(self, segment: Segment, record: Produced, sequence: int) -> None:
        """An append was acknowledged by the log; it counts when it is read back."""
        if self._room and segment == self._room.segment:
            self._tail.known(sequence)

    def append_failed(self, segment: Segment, record: Produced) -> None:
        """An append was refused: nothing was stored, and it is tried again."""
        self._outbox.refused(record, self._backend.now())

    def append_unknown(self, segment: Segment, record: Produced) -> None:
        """An append timed out: it may still land, and is tried again under the same id (rule L6)."""
        self._outbox.unanswered(record, self._backend.now())

    # what others may know -------------------------------------------------------------------

    @property
    def position(self) -> Position:
        """Everything up to here has been read."""
        return Position(self._room.segment.epoch, self._tail.position) if self._room else NOWHERE

    @property
    def known(self) -> bool:
        """Whether the room's state is known as it is now, so that who may do what can be decided."""
        return self.state is _LIVE and self._fresh(self._backend.now())

    @property
    def idle(self) -> bool:
        """Nobody is here and nothing is pending."""
        pending = self._outbox or self._deferred or self._uncommitted or self._rows.placing
        return not (self.members or self._attendance.waiting or pending)

    @property
    def needs_tick(self) -> bool:
        """Whether a tick is due soon: something is waiting, in trouble or ending."""
        pending = self._outbox or self._deferred or self._uncommitted or self._rows.placing
        waiting = self._attendance.waiting or pending or self._rows.incomplete
        troubled = self._trouble or self._behind or self.state is not _LIVE or self._tail.wants_read
        return bool(waiting or troubled or self._attendance.overstay())

    @property
    def calm(self) -> bool:
        """Whether a tick would change nothing."""
        return not self.needs_tick and self._fresh(self._backend.now())

    # turning the crank ----------------------------------------------------------------------

    def _settle(self, now: float | None = None) -> None:
        """Do what can be done now: take what came live, read, admit, append."""
        if self._busy:
            return
        self._busy = True
        now = self._backend.now() if now is None else now
        try:
            self._turn(now)
            while self._inbox:
                segment, entry = self._inbox.popleft()
                room = self._room
                if room and (segment is room.segment or segment == room.segment) and self._tail.live(entry):
                    self._apply(room, entry)
                if not self._inbox:
                    self._turn(now)
        finally:
            self._busy = False

    def _turn(self, now: float) -> None:
        room = self._room
        if room is None or (self.state is _UNPLACED and not self._asking):
            if not self._trouble:
                self._ask()
            return
        tail = self._tail
        if tail.suspicious and tail.wants_read and not self._trouble:
            self._read_at = now
            self._backend.read(room.segment, tail.reading(), MAIN)
        outbox, deferred = self._outbox, self._deferred
        if self.state is not _LIVE or not (outbox or deferred.waiting or self._evicting or self._attendance.waiting):
            return
        if not self._fresh(now):
            if not self._trouble and (self._attendance.waiting or outbox or deferred.waiting):
                self._ask()
            return
        if self._attendance.waiting:
            redirect = self._where.placement if self._uncommitted is None else None
            if self._attendance.admit(now, redirect=redirect):
                self._ask()
        if self._evicting and (placement := self._where.placement) and placement.segment == room.segment:
            self._evicting = False
            self._attendance.evict(placement, now)
        if deferred.waiting:
            deferred.release()
        if outbox.grounded:
            self._append(now)

    def _fresh(self, now: float) -> bool:
        """Whether what is known may be acted on (rule C7)."""
        return now - self._verified <= self._move.lease

    @property
    def _behind(self) -> bool:
        """Whether the store knows a newer segment than the one that is read."""
        return self._room is not None and self._stored_epoch > self._room.segment.epoch

    def _ask(self) -> None:
        if not self._asking:
            self._asking = True
            self._backend.ask()

    def _append(self, now: float) -> None:
        assert self._room
        if self._where.rowless:
            if now >= self._where.hold_until and not self._claiming:
                self._claiming = True
                self._backend.claim()
            return
        segment = self._room.segment
        for record in self._outbox.due(segment.epoch, now):
            if isinstance(record, Arrive):  # some may have gone meanwhile
                record = msgspec.structs.replace(record, accounts=self._attendance.still_early(record.accounts))
                if not record.accounts:
                    self._outbox.read_back(record)
                    continue
            self._backend.append(segment, record)

    # placement ------------------------------------------------------------------------------

    def _begin(self, segment: Segment, *, fresh: bool = True) -> None:
        """Read `segment`, from its beginning or from where this reader stopped in it."""
        room = self._room
        if room is None:
            room = self._room = RoomState(segment)
            after = segment.at
            self._recall.restart(Position(segment.epoch, after))
        else:
            self._backend.unsubscribe(room.segment)
            after = self._tail.position if segment.epoch == room.segment.epoch else segment.at
            if segment.epoch != room.segment.epoch:
                room.follow(segment)
                self._welcome_early()
        room.load(self._rows.rulings)
        self._dead = False
        self._doubts = DOUBTS
        self.state = State.READING
        self._tail = Tail(segment.stream, after, fresh=fresh)
        self._backend.subscribe(segment)

    def _catch_up(self, placement: Placement, asked_at: float) -> None:
        """The store knows a newer segment than the one that is read."""
        assert self._room
        epoch = self._room.segment.epoch
        unclean = [segment for segment in self._recall.chain if segment.unclean and segment.epoch > epoch]
        if unclean:  # C8: jump, and append again what is pending
            self._backend.reached(self._room.segment, self._tail.position)
            self._where.learn(placement)
            self._outbox.resend()
            self._recall.restart(Position(unclean[-1].epoch, unclean[-1].at))
            self._begin(unclean[-1], fresh=False)
            self._audience.gap(None)
            self._announce(placement)
            self._verified = asked_at
        elif self._where.rowless and all(segment.epoch != epoch for segment in self._recall.chain):
            self._where.learn(placement)  # C10: nobody has written where this reader stands
            self._begin(self._recall.chain[0] if self._recall.chain else placement.segment)
            self._announce(placement)
            self._verified = asked_at
        elif self.state is State.UNPLACED:
            self._where.learn(placement)
            self._lose(Position(placement.segment.epoch, placement.segment.at))
            self._begin(placement.segment)
            self._announce(placement)
            self._verified = asked_at
        else:  # the seal is to be met; `_current` sees to it if it is gone
            self._tail.suspect()
            self._tail.current = False

    def _announce(self, placement: Placement) -> None:
        """Tell the members where the channel went, now that the store says so and they have seen it go (rule C5)."""
        reached = self._room is not None and self._room.segment.epoch >= placement.segment.epoch
        if reached:
            self._attendance.announce(placement, self._backend.now())

    def _lose(self, since: Position) -> None:
        for record, tried in self._outbox.lose():
            self._undelivered(record, tried)
        self._recall.restart(since)
        self._audience.gap(None)

    # reading --------------------------------------------------------------------------------

    def _take(self, events: list[TailEvent]) -> None:
        tail = self._tail
        for event in events:
            if isinstance(event, Entry):
                assert self._room
                self._apply(self._room, event)
            elif isinstance(event, Current):
                self._current()
            elif isinstance(event, Skipped):
                assert self._room
                since = Position(self._room.segment.epoch, event.floor)
                if since > self._recall.since:  # else it is the hole that was told already
                    self._recall.restart(since)
                    self._audience.gap(None)
            elif isinstance(event, Hole):
                assert self._room
                self.state = State.UNPLACED
                self._lose(Position(self._room.segment.epoch, event.floor))
                return
            elif isinstance(event, Dead):
                self.state = State.UNPLACED
                self._dead = True
                self._trouble = True
                return
            if self._tail is not tail:
                return

    def _current(self) -> None:
        """The tail stands at the end: if the chain is known to go on, what should have led there is gone."""
        assert self._room
        later = [segment for segment in self._recall.chain if segment.epoch > self._room.segment.epoch]
        if later and self._doubts and not later[0].unclean:
            self._doubts -= 1  # there must be a seal: the answer may have been a stale one
            self._tail.suspect()
            self._tail.current = False
        elif later:
            self._lose(Position(later[0].epoch, later[0].at))
            self._begin(later[0])
            self._commit(later[0])  # changes nothing; the answer says where members are to be sent (C5)
        else:
            self._room.reach(self._tail.position)
            self.state = State.LIVE

    def _apply(self, room: RoomState, entry: Entry) -> None:
        outcome = room.apply(entry)
        if isinstance(outcome, Valid):
            self._valid(outcome)
        elif isinstance(outcome, Sealed):
            self._follow(outcome.to)
        elif isinstance(outcome, Void) and self._outbox.read_back(outcome.record):
            self._modes.unsaid(outcome.record, self._backend.now())
            if outcome.reason == "repeated":
                self._audience.unknown(outcome.record)
            else:
                self._audience.voided(outcome.record, outcome.reason)

    def _valid(self, outcome: Valid) -> None:
        record, position, time = outcome.record, outcome.position, outcome.time
        mine = self._outbox.read_back(record)
        new = position > self._reached
        if isinstance(record, Message):
            shown = Shown(position, time, record)
            self._recall.add(shown)
            self.last_message = time
            if not mine and (settings := self.settings):
                self._modes.heard(record, settings, min(time, self._backend.now()))
            if new:
                self._reached = position
                self._audience.shown(shown)
        elif isinstance(record, Act):
            self._rows.complete(outcome)
            if new:
                self._audience.acted(record, position, time)
        elif isinstance(record, Arrive):
            self._attendance.arrive(record)
        elif isinstance(record, Tell):
            if new:
                self._audience.noticed(record)
        elif isinstance(record, UserNotice):
            if new:
                self._audience.announced(record, position, time)
        else:
            self._rows.complete(outcome)
            if new:
                self._audience.changed(record, self.settings)
        if new:
            self._reached = position
        if mine and record.producer != self._producer:
            self._audience.acknowledged(record, position, time)

    def _follow(self, to: Segment) -> None:
        """The first valid seal was met: go on in `to`, write there from now on (rules C2, C3, C6)."""
        assert self._room
        left = self._room.segment
        self._backend.unsubscribe(left)
        self._room.follow(to)
        self._recall.learn([*self._recall.chain, to])
        self._doubts = DOUBTS
        placement = self._where.followed(left, to)
        self._tail = Tail(to.stream, to.at)
        self._backend.subscribe(to)
        self._outbox.resend()
        self._welcome_early()
        if placement is None:
            self._commit(to)
        else:
            self._announce(placement)

    def _commit(self, to: Segment) -> None:
        self._uncommitted = to
        self._committing = True
        self._backend.commit(to)

    def _welcome_early(self) -> None:
        if accounts := self._attendance.welcome_early():
            number = next(self._numbers)
            name = f"{self._producer}:{number}"
            arrive = Arrive(name, 0, self._producer, number, self.cluster, accounts)
            self._outbox.put(arrive, self._backend.now())

    def _undelivered(self, record: Produced, tried: bool) -> None:
        self._modes.unsaid(record, self._backend.now())
        if record.producer == self._producer:
            self._welcome_early()
        elif tried:
            self._audience.unknown(record)
        else:
            self._audience.voided(record, "unsent")
