"""Leads: answers wishes and carries rollouts on, each decision written before it acts.

`look` may be stopped at any await and started again by anybody: what is known here beside the store (budgets,
which items are under way) is read anew by whoever leads next. Only the holder of the lease decides, and what
an older term writes is refused (fencing).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec
import structlog

from godwit.chatlog.base import ChatLog
from godwit.clock import Clock
from godwit.control.drains import Outcome
from godwit.control.leader import TTL, Leader
from godwit.control.ports import Crowd, Gatekeeper
from godwit.control.prepared import PAGE, Prepared
from godwit.control.waves import IDLE, Course
from godwit.control.wishes import Wishes
from godwit.errors import InvalidRequest, MoveRefused, StaleEpoch, StoreUnavailable
from godwit.rollout import progress
from godwit.rollout.values import Advance, Rollout, Wish
from godwit.rollout.verify import with_members
from godwit.store.rollout_base import RolloutStore

log = structlog.get_logger()

STEPS = 20
"""Steps of one rollout in one look, at most: then wishes are heard again."""


class Conductor:
    """Answers wishes and carries rollouts on while it leads.

    Attributes:
        wake: called when a look is wanted; whoever has it look sets it.

    Args:
        holder: name of the process, see `Leader`.
        clusters: those for channels.
        changed: called when moves were begun or cancelled, or the network changed.
    """

    def __init__(
        self,
        store: RolloutStore,
        logs: Mapping[str, ChatLog],
        crowd: Crowd,
        clock: Clock,
        gatekeeper: Gatekeeper,
        wishes: Wishes,
        *,
        holder: str,
        clusters: Collection[str],
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.leader = Leader(store, clock, holder)
        self._store = store
        self._logs = logs
        self._crowd = crowd
        self._clock = clock
        self._gatekeeper = gatekeeper
        self._wishes = wishes
        self._clusters = clusters
        self._changed = changed
        self._courses: dict[str, Course] = {}
        self._outcomes: list[tuple[list[Outcome], asyncio.Future[None]]] = []
        self.wake: Callable[[], None] = lambda: None

    async def look(self) -> float:
        """Do what is to be done now, if this is the leader.

        Returns:
            The seconds after which to look again, if nothing wakes it before.

        Raises:
            StoreUnavailable: try again later.
        """
        try:
            if waits := await self.leader.hold():
                self._drop_outcomes()
                return waits
            if self.leader.fresh:
                await self._take_over()
            for wish in await self._store.wishes(new=True):
                await self._answer(wish)
            await self._note_outcomes()
            waits = min(IDLE, TTL / 3)
            for course in list(self._courses.values()):
                waits = min(waits, await self._carry_on(course))
            return waits
        except StaleEpoch as error:
            log.info("read_again", error=str(error))
            self.leader.lose()
            return 0.1
        except StoreUnavailable:
            self.leader.lose()  # nobody knows whether the last write happened
            raise

    async def record(self, outcomes: Sequence[Outcome]) -> None:
        """Keep what is known of moves at the end of their drains; returns when it is written, or nobody leads here.

        Items are written by `look` only, so that no two hands write one.
        """
        ours = [outcome for outcome in outcomes if outcome.move.rollout]
        if ours and self.leader.leads:
            written = asyncio.get_running_loop().create_future()
            self._outcomes.append((ours, written))
            self.wake()
            await written

    def holding(self, rollout: str) -> str:
        """Why no more moves of a rollout begin although it runs, '' if they do, or nothing is known here."""
        course = self._courses.get(rollout)
        return course.holding if course else ""

    def statistics(self) -> dict[str, int]:
        """Whether it leads, and how many rollouts are under way."""
        return {"leads": int(self.leader.leads), "rollouts": len(self._courses)}

    def _drop_outcomes(self) -> None:
        """Another one leads, and ends the drains."""
        for _, written in self._outcomes:
            if not written.done():
                written.set_exception(StoreUnavailable("another controller leads"))
        self._outcomes.clear()

    async def _note_outcomes(self) -> None:
        while self._outcomes:
            outcomes, written = self._outcomes[0]
            by_move = {outcome.move.id: outcome for outcome in outcomes}
            items = []
            for item in await self._store.items_by_move(list(by_move)):
                known = by_move[item.move]
                followed = max(item.before - known.left, 0)
                verified = with_members(known.verified, item.before, known.members) if known.verified else ""
                items.append(msgspec.structs.replace(item, followed=followed, stayed=known.stayed, verified=verified))
            await self.leader.write(Advance(self._clock.now(), items=tuple(items)))
            self._outcomes.pop(0)
            if not written.done():
                written.set_result(None)

    async def _take_over(self) -> None:
        self._courses.clear()
        log.info("leads", term=self.leader.term)
        for rollout in await self._store.rollouts():
            await self._follow(rollout)

    async def _follow(self, rollout: Rollout) -> Course:
        course = Course(
            self._store,
            self._logs,
            self._crowd,
            self._clock,
            self.leader,
            self._gatekeeper,
            self._wishes,
            self._clusters,
            rollout,
        )
        await course.load()
        if not (progress.is_over(rollout) and course.idle):
            self._courses[rollout.id] = course
        return course

    async def _carry_on(self, course: Course) -> float:
        waits = 0.0
        try:
            for _ in range(STEPS):
                waits = await course.step()
                self._changed()
                if waits > 0:
                    break
        except (StaleEpoch, StoreUnavailable):
            raise
        except Exception:
            # One rollout's fault must not stop the others, nor the wishes that could mend it.
            log.exception("rollout_failed", rollout=course.rollout.id, name=course.rollout.definition.name)
            course.holding = "a fault of the controller, see its log"
            return IDLE
        if course.idle:
            self._gatekeeper.watch(course.rollout, course.rollout.wave, ())
            del self._courses[course.rollout.id]
        return waits

    async def _answer(self, wish: Wish) -> None:
        try:
            prepared = await self._wishes.prepare(wish)
            await self._do(wish, prepared)
        except (InvalidRequest, MoveRefused) as error:
            refused = msgspec.structs.replace(wish, state="refused", answer=str(error))
            await self.leader.write(Advance(self._clock.now(), wishes=(refused,)))
            log.info("wish_refused", verb=wish.verb, by=wish.by, why=str(error))
        except (StaleEpoch, StoreUnavailable):
            raise
        except Exception as error:
            # It would fail again at each look, and nobody after it would be heard.
            log.exception("wish_failed", verb=wish.verb, wish=wish.id)
            why = f"a fault of the controller, see its log: {type(error).__name__}"
            failed = msgspec.structs.replace(wish, state="refused", answer=why)
            await self.leader.write(Advance(self._clock.now(), wishes=(failed,)))
        self._changed()

    async def _do(self, wish: Wish, prepared: Prepared) -> None:
        now = self._clock.now()
        for start in range(0, len(prepared.items), PAGE):
            page = tuple(prepared.items[start : start + PAGE])
            await self.leader.write(Advance(now, items=page))
        if prepared.act:
            await prepared.act()
        done = msgspec.structs.replace(wish, state="done", answer=prepared.answer)
        written = await self.leader.write(msgspec.structs.replace(prepared.advance, wishes=(done,)))
        log.info("wish_done", verb=wish.verb, by=wish.by, reason=wish.reason, answer=prepared.answer)
        if written is not None:
            course = self._courses.get(written.id) or await self._follow(written)
            self._courses[written.id] = course
            course.changed(written, look=prepared.look)
        if wish.verb == "repair" or prepared.advance.others:
            self.leader.lose()  # what is remembered here may have changed
