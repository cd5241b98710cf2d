"""The I/O of one channel: chat logs and store behind the port `Backend`.

Every answer reaches the channel from the event loop, never from within the call that asked. The
coroutines of a `MemoryLog` never suspend, so they are run in the loop's next turns without a task;
and what is appended to it comes back on the live path at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

import structlog

from godwit.chatlog.base import ChatLog, Page, Subscription
from godwit.chatlog.memory import MemoryLog
from godwit.clock import Clock
from godwit.edge.batches import Batches
from godwit.edge.channel import EdgeChannel
from godwit.edge.portions import Portions
from godwit.edge.tasks import Tasks
from godwit.errors import AppendUnknown, ChatLogUnavailable, StoreUnavailable
from godwit.settings import Settings
from godwit.store.base import Sanction, Store
from godwit.values import GROUP, Account, Entry, Placement, Position, Record, Segment, derived_id

log = structlog.get_logger()

T = TypeVar("T")

CLOCKS_DIFFER = 120.0
"""Seconds by which the clocks of logs and edges may differ, at most."""

TRIES = 3
"""How often placement and chain are read until they agree: a commit may fall between the two."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a channel asks the store.

    Attributes:
        known: its room id is known already.
        claim: it wants a row first.
    """

    channel: str
    known: bool
    claim: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What the store said, asked at `asked_at`; `room_id` is '' where it was known."""

    room_id: str
    placement: Placement
    chain: list[Segment]
    sanctions: list[Sanction]
    asked_at: float


class Outside:
    """What the channels of a node share.

    Attributes:
        stirred: channels to which something has happened since the node looked after them last.
        soon: what a log in memory is asked, and is answered at once. A JOIN of hundreds into channels that were not
            known waits for such answers.

    Args:
        cluster: the node's cluster.
        logs: cluster -> its chat log; an edge reads the logs of all clusters.
        tasks: owner of everything that has to wait.
    """

    def __init__(
        self,
        cluster: str,
        logs: Mapping[str, ChatLog],
        store: Store,
        clock: Clock,
        settings: Settings,
        loop: asyncio.AbstractEventLoop,
        tasks: Tasks,
    ) -> None:
        self.cluster = cluster
        self.logs = logs
        self.store = store
        self.clock = clock
        self.settings = settings
        self.loop = loop
        self.tasks = tasks
        self.stirred: set[str] = set()
        self.questions: Batches[Question, Answer | None] = Batches(self.ask, settings.move.lease, tasks, "ask")
        self.soon = Portions(loop.call_soon)
        self.commits: Batches[tuple[str, Segment], Placement] = Batches(
            self._commit, settings.move.lease, tasks, "commit"
        )

    async def ask(self, questions: Sequence[Question]) -> list[Answer | None]:
        """Ask the store for many channels; None for one whose row changed all the while."""
        asked_at = self.clock.now()
        if claims := [question.channel for question in questions if question.claim]:
            await self.store.pin(claims)
        ids = await self._room_ids([question.channel for question in questions if not question.known])
        places = await self._places([question.channel for question in questions])
        since = asked_at - self.settings.log.max_age - CLOCKS_DIFFER
        sanctions = await self.store.sanctions_among(list(places), since=since)
        return [
            Answer(ids.get(channel, ""), *places[channel], sanctions.get(channel, []), asked_at)
            if (channel := question.channel) in places
            else None
            for question in questions
        ]

    async def _room_ids(self, channels: Sequence[str]) -> dict[str, str]:
        if self.cluster == GROUP:
            return {channel: derived_id(channel) for channel in channels}
        if not channels:
            return {}
        owners = await self.store.owners(channels)
        return {
            channel: _room_id(self.settings, channel, owner) for channel, owner in zip(channels, owners, strict=True)
        }

    async def _places(self, channels: Sequence[str]) -> dict[str, tuple[Placement, list[Segment]]]:
        """Where channels are, and their chains; without those whose two did not agree.

        On the cluster of group chat there are only its rooms, which have no placements (GROUP-7).
        """
        if self.cluster == GROUP:
            return await self._rooms(channels)
        found: dict[str, tuple[Placement, list[Segment]]] = {}
        wanted = list(dict.fromkeys(channels))
        for _ in range(TRIES):
            placements, chains = await self.store.placements(wanted), await self.store.chains(wanted)
            for placement, chain in zip(placements, chains, strict=True):
                if chain and chain[-1] == placement.segment:
                    found[placement.channel] = placement, chain
            wanted = [channel for channel in wanted if channel not in found]
            if not wanted:
                break
        return found

    async def _rooms(self, names: Sequence[str]) -> dict[str, tuple[Placement, list[Segment]]]:
        """Where group rooms are: here for good. What was in a log that was lost is missing (rules L2, C8)."""
        streams = {name: self.logs[GROUP].stream(name) for name in names}
        found: dict[str, tuple[Placement, list[Segment]]] = {}
        for name, segment in (await self.store.stand(streams)).items():
            lost = [Segment(GROUP, segment.epoch - 2, 0, "")] if segment.unclean else []
            found[name] = Placement(name, segment), [*lost, segment]
        return found

    async def _commit(self, switches: Sequence[tuple[str, Segment]]) -> list[Placement]:
        now = self.clock.now()
        return await self.store.commit_many(switches, drain_until=now + self.settings.move.drain, now=now)


class Owner(Protocol):
    """Who has the channel."""

    channel: EdgeChannel

    def confirmed(self, placement: Placement, chain: Sequence[Segment], asked_at: float) -> bool:
        """The store says where the channel is, for which there are no rows; says whether that changes nothing."""
        ...

    def fail(self) -> None:
        """Give the channel up: it has failed itself at an answer."""
        ...


class RoomBackend:
    """Answers one channel; see `ports.Backend`.

    Args:
        name: the channel's name.
        outside: what it may use.
        owner: has the channel.
    """

    __slots__ = (
        "_asked", "_at_hand", "_outside", "_owner", "_segment", "_subscription", "_who", "name", "open", "room_id"
    )  # fmt: skip

    def __init__(self, name: str, outside: Outside, owner: Owner) -> None:
        self.name = name
        self._outside = outside
        self._owner = owner
        self.open = True
        """Whether the channel still gets answers: it was neither dropped nor given up."""
        self._segment: Segment | None = None
        self._subscription: Subscription | None = None
        self.room_id: str | None = None
        self._who = ""
        self._asked: tuple[Question, ...] = ()
        self._at_hand: tuple[Answer | None, ...] = ()

    # what the room uses -----------------------------------------------------------------------

    def call(self, method: Callable[..., T], *args: Any) -> T | None:
        """Call a method of the channel, unless it was given up; it is if the method fails, which gives None."""
        if not self.open:
            return None
        self._outside.stirred.add(self.name)
        try:
            return method(*args)
        except Exception:
            # One channel's fault must not reach the others, nor the log that delivers to it.
            log.exception("channel_failed", channel=self.name, cluster=self._outside.cluster)
            self._owner.fail()
            return None

    def close(self) -> None:
        """Answer nothing any more."""
        self.open = False
        if self._segment is not None:
            self.unsubscribe(self._segment)

    def asked_by(self, who: str) -> None:
        """Somebody wants something of the channel: from now on the store is asked in their turn.

        If the channel waits already for somebody else's turn, it waits for theirs, too.
        """
        self._who = who
        for question in self._asked:
            self._outside.questions.too(question, who)

    @property
    def channel(self) -> EdgeChannel:
        """The channel: one that rests is woken."""
        return self._owner.channel

    # what the channel uses --------------------------------------------------------------------

    def now(self) -> float:
        """The time, in seconds since the Unix epoch."""
        return self._outside.clock.now()

    def subscribe(self, segment: Segment) -> None:
        """Open the live path of the segment's cluster."""
        log_ = self._outside.logs.get(segment.cluster)
        if log_ is not None and segment != self._segment:
            if self._subscription is not None:
                self._subscription.close()
            self._segment = segment
            self._subscription = log_.subscribe(self.name, self._deliver, self._suspect)

    def unsubscribe(self, segment: Segment) -> None:
        """Close it."""
        if segment == self._segment and self._subscription is not None:
            self._subscription.close()
            self._segment = self._subscription = None

    def _deliver(self, entry: Entry) -> None:
        if self._segment is not None:
            self.call(self._owner.channel.live, self._segment, entry)

    def _suspect(self) -> None:
        self._outside.loop.call_soon(self._suspected)

    def _suspected(self) -> None:
        if self._segment is not None:
            self.call(self.channel.suspect, self._segment)

    def read(self, segment: Segment, after: int, purpose: int) -> None:
        """Read the segment's log."""
        self._start(segment, self._read, segment, after, purpose)

    def append(self, segment: Segment, record: Record) -> None:
        """Append to the segment's log.

        A `MemoryLog` shows the record on the live path before it answers, and that is all a reader needs to know.
        """
        log_ = self._outside.logs.get(segment.cluster)
        if isinstance(log_, MemoryLog) and (segment is self._segment or segment == self._segment):
            try:
                log_.store(self.name, record, segment.stream)
                return
            except ChatLogUnavailable:
                pass  # which is told in the loop's next turn, as of any log
        self._start(segment, self._append, segment, record)

    def ask(self) -> None:
        """Ask the store where the channel is, unless it was asked already on the channel's behalf."""
        if self._at_hand:
            (found,), self._at_hand = self._at_hand, ()
            self._outside.loop.call_soon(self._answered, found)
            return
        self._outside.tasks.start(self._ask(claim=False), f"ask {self.name}")

    def claim(self) -> None:
        """Give the channel a row, then ask."""
        self._outside.tasks.start(self._ask(claim=True), f"claim {self.name}")

    def commit(self, to: Segment) -> None:
        """Commit the switch in the store."""
        self._outside.tasks.start(self._commit(to), f"commit {self.name}")

    def reached(self, segment: Segment, sequence: int) -> None:
        """Note how far a segment was read that is left by force."""
        self._outside.tasks.start(self._note_reached(segment, sequence), f"reached {self.name}")

    def place_sanction(self, sanction_id: str, position: Position, time: float) -> None:
        """Complete a sanction's row."""
        self._outside.tasks.start(self._place(sanction_id, position, time), f"place sanction {sanction_id}")

    # the log ----------------------------------------------------------------------------------

    def _start(self, segment: Segment, work: Callable[..., Coroutine[Any, Any, None]], *args: Any) -> None:
        if isinstance(self._outside.logs.get(segment.cluster), MemoryLog):
            self._outside.soon.add(partial(_finish, work, args))
        else:
            self._outside.tasks.start(work(*args), f"{work.__name__} {self.name}")

    async def _read(self, segment: Segment, after: int, purpose: int) -> None:
        page: Page | None = None
        log_ = self._outside.logs.get(segment.cluster)
        try:
            if log_ is not None:
                page = await self._in_time(log_, log_.read(self.name, after))
        except (ChatLogUnavailable, TimeoutError) as error:
            log.warning("read_failed", channel=self.name, cluster=segment.cluster, error=repr(error))
        except Exception:
            # Whatever the log died of, the channel must learn that no answer comes.
            log.exception("read_failed", channel=self.name, cluster=segment.cluster)
        if page is None:
            self.call(self.channel.read_failed, segment, purpose)
        else:
            self.call(self.channel.answer, segment, after, page, purpose)

    async def _append(self, segment: Segment, record: Record) -> None:
        log_ = self._outside.logs.get(segment.cluster)
        try:
            if log_ is None:
                raise ChatLogUnavailable(f"no chat log of {segment.cluster} is known here")
            sequence = await self._in_time(log_, log_.append(self.name, record, stream=segment.stream))
        except (AppendUnknown, TimeoutError):
            log.warning("append_unknown", channel=self.name, cluster=segment.cluster)
            self.call(self.channel.append_unknown, segment, record)
        except ChatLogUnavailable as error:
            log.warning("append_failed", channel=self.name, cluster=segment.cluster, error=str(error))
            self.call(self.channel.append_failed, segment, record)
        except Exception:
            # As in `_read`; nobody can say whether it was stored.
            log.exception("append_unknown", channel=self.name, cluster=segment.cluster)
            self.call(self.channel.append_unknown, segment, record)
        else:
            self.call(self.channel.appended, segment, record, sequence)

    async def _in_time(self, log_: ChatLog, answer: Coroutine[Any, Any, T]) -> T:
        """Wait for a log's answer, as long as an append may take.

        Raises:
            TimeoutError: it did not come.
        """
        if isinstance(log_, MemoryLog):
            return await answer  # it never suspends, and runs outside any task, where there are no time-outs
        async with asyncio.timeout(self._outside.settings.log.append_timeout):
            return await answer

    # the store --------------------------------------------------------------------------------

    @asynccontextmanager
    async def _store(self, failed: str, **about: object) -> AsyncIterator[Store]:
        """The store, for as long as a lease: what it raises then, or a time-out, is logged and goes no further.

        Args:
            failed: the event to log, with what it is about.
        """
        with self._told(failed, **about):
            async with asyncio.timeout(self._outside.settings.move.lease):
                yield self._outside.store

    @contextmanager
    def _told(self, failed: str, **about: object) -> Iterator[None]:
        """Log what the store raises, and let it go no further."""
        try:
            yield
        except (StoreUnavailable, TimeoutError) as error:
            log.warning(failed, channel=self.name, error=repr(error), **about)
        except Exception:
            # Whatever the store died of, the channel must learn that no answer comes.
            log.exception(failed, channel=self.name, **about)

    def question(self, *, claim: bool) -> Question:
        """What is asked for the channel."""
        return Question(self.name, self.room_id is not None, claim)

    async def _ask(self, *, claim: bool) -> None:
        found: Answer | None = None
        question = self.question(claim=claim)
        self._asked = (*self._asked, question)
        with self._told("ask_failed"):
            found = await self._outside.questions.answer(question, self._who)
            if found is None:
                raise StoreUnavailable(f"placement and chain of {self.name} do not agree")
        self._asked = tuple(asked for asked in self._asked if asked is not question)
        self._answered(found)

    def _answered(self, found: Answer | None) -> None:
        if found is None:
            self.call(self.channel.ask_failed)
        else:
            self.take(found)

    def keep(self, found: Answer | None) -> None:
        """Keep what the store said, None if it did not answer: the channel will ask for it as soon as it is made."""
        self._at_hand = (found,)

    def take(self, found: Answer) -> None:
        """Hand the channel what the store said of it."""
        self.room_id = found.room_id or self.room_id
        if found.sanctions or not self._owner.confirmed(found.placement, found.chain, found.asked_at):
            self.call(self.channel.placed, found.placement, found.chain, found.sanctions, found.asked_at)

    async def _commit(self, to: Segment) -> None:
        placement: Placement | None = None
        with self._told("commit_failed", epoch=to.epoch):
            placement = await self._outside.commits.answer((self.name, to))
        if placement is None:
            self.call(self.channel.commit_failed)
        else:
            self.call(self.channel.committed, placement)

    async def _place(self, sanction_id: str, position: Position, time: float) -> None:
        placed = False
        async with self._store("place_sanction_failed", sanction=sanction_id) as store:
            await store.place_sanction(sanction_id, position, time)
            placed = True
        if placed:
            self.call(self.channel.sanction_placed, sanction_id)

    async def _note_reached(self, segment: Segment, sequence: int) -> None:
        async with self._store("note_reached_failed", epoch=segment.epoch) as store:
            await store.note_reached(self.name, segment.epoch, sequence)


async def room_id(store: Store, settings: Settings, channel: str) -> str:
    """The room id of a channel: the user id of its owner.

    With open authentication every name has an owner: one without an account has the user id that it will get when it
    logs in. Else a channel whose owner has no account has the id 0.
    """
    return _room_id(settings, channel, await store.account(channel))


def _room_id(settings: Settings, channel: str, owner: Account | None) -> str:
    if owner:
        return owner.user_id
    return derived_id(channel) if settings.auth.mode == "open" else "0"


def _finish(work: Callable[..., Coroutine[Any, Any, None]], args: tuple[Any, ...]) -> None:
    """Run a coroutine that never suspends to its end."""
    coroutine = work(*args)
    try:
        coroutine.send(None)
    except StopIteration:
        return
    coroutine.close()
    raise RuntimeError(f"{work.__name__} suspended")


__all__ = ["Outside", "RoomBackend", "room_id"]
