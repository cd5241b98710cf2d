"""What comes of a wish: prepared first, and only then done, so that a dry run shares every check with the act.

`Wishes.prepare` reads the store and decides; it changes nothing. The leading controller then writes what was prepared.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

from godwit.chatlog.base import ChatLog
from godwit.clock import Clock
from godwit.control.chat_acts import ChatActs
from godwit.control.meters import metric_names
from godwit.control.ports import Crowd
from godwit.control.prepared import Prepared, inline
from godwit.control.rollout_wishes import RolloutWishes
from godwit.errors import InvalidRequest
from godwit.rollout import definition as definitions
from godwit.rollout import plan, progress, verbs
from godwit.rollout.values import (
    ENDED,
    Advance,
    Budget,
    Definition,
    Hold,
    Rollout,
    Wave,
    WaveProgress,
    Wish,
)
from godwit.settings import MoveSettings
from godwit.store.rollout_base import RolloutStore


class Wishes(RolloutWishes, ChatActs):
    """Prepares wishes.

    Args:
        store, logs, crowd, clock: the ports; `logs` by cluster.
        retirable: why a cluster cannot be retired, reasons one by one.
        repair: does or (dry) says what doctor found missing.
        heavy: how work of a second or so is done without holding up others.
    """

    def __init__(
        self,
        store: RolloutStore,
        logs: Mapping[str, ChatLog],
        crowd: Crowd,
        clock: Clock,
        settings: MoveSettings,
        *,
        retirable: Callable[[str], Awaitable[Sequence[str]]],
        repair: Callable[[bool, bool], Awaitable[Sequence[str]]],
        heavy: Callable[[Callable[[], Any]], Awaitable[Any]] = inline,
    ) -> None:
        super().__init__(store, logs, crowd, clock, settings)
        self._retirable = retirable
        self._repair = repair
        self._heavy = heavy
        self._verbs: dict[str, Callable[[Wish, Rollout], Awaitable[Prepared]]] = {
            "pause": self._pause,
            "resume": self._resume,
            "abort": self._abort,
            "reverse": self._reverse,
            "skip": self._skip,
            "retry": self._retry,
            "set": self._set,
            "approve": self._approve,
            "issue-add": self._add_issue,
            "issue-resolve": self._resolve_issue,
        }
        self._network: dict[str, Callable[[Wish], Awaitable[Prepared]]] = {
            "start": self._start,
            "hold": self._hold,
            "release": self._release,
            "evacuate": self._evacuate,
            "default": self._default,
            "retire": self._retire,
            "restore": self._restore,
            "repair": self._mend,
            "act": self._act,
            "usernotice": self._usernotice,
        }

    async def dry_run(self, wish: Wish) -> str:
        """What would come of a wish, in one line.

        Raises:
            InvalidRequest: it would be refused.
        """
        return (await self.prepare(wish, dry=True)).answer

    async def prepare(self, wish: Wish, *, dry: bool = False) -> Prepared:
        """Decide what a wish leads to.

        Raises:
            InvalidRequest: it is refused; says what to do instead.
            StoreUnavailable: try again later.
        """
        rollout = await self._store.rollout(wish.rollout) if wish.rollout else None
        if wish.rollout and rollout is None:
            raise InvalidRequest(f"there is no rollout {wish.rollout}: see `godwit rollout list`")
        verbs.check(wish, rollout.state if rollout else None)
        if rollout is not None and wish.verb in self._verbs:
            return await self._verbs[wish.verb](wish, rollout)
        if wish.verb == "repair":
            return await self._mend(wish, dry=dry)
        return await self._network[wish.verb](wish)

    # rollouts that begin ----------------------------------------------------------------------

    async def _start(self, wish: Wish) -> Prepared:
        homes = self._homes()
        toml = str(wish.args["toml"])
        definition = definitions.parse(toml, "rollout.toml", clusters=homes, metrics=metric_names(homes))
        for other in await self._store.rollouts():
            if other.state not in ENDED and other.id != wish.id:
                raise InvalidRequest(
                    f"rollout {other.definition.name} ({other.id}) is {other.state}: abort or reverse it first, "
                    "or wait for its end"
                )
        return await self._begin(wish, definition)

    async def _begin(self, wish: Wish, definition: Definition) -> Prepared:
        now = self._clock.now()
        await self._cluster(definition.to)
        for source in definition.sources:
            await self._cluster(source)
        candidates = await self._candidates(definition)
        made = await self._heavy(lambda: plan.make(definition, candidates, now=now))
        given = str(wish.args.get("hash") or "")
        if given != made.hash and not wish.args.get("replan"):
            if not given:
                raise InvalidRequest(
                    f"name the plan that was reviewed: its hash is {made.hash} now (--hash {made.hash})"
                )
            raise InvalidRequest(
                f"the plan is {made.hash} now, not {given}: the file, or tiers, opt-outs or places of channels have "
                "changed since; look at the plan again, or start with --replan"
            )
        items = await self._heavy(lambda: plan.items(made, wish.id, now))
        progress_of = tuple(WaveProgress("pending", now) for _ in definition.waves)
        rollout = Rollout(
            wish.id,
            definition,
            made.hash,
            "running",
            progress_of,
            definition.budget,
            by=wish.by,
            reason=wish.reason or definition.reason,
            at_once=bool(wish.args.get("all_at_once")),
            created=now,
            history=(("running", now, wish.by, wish.reason),),
        )
        waves = ", ".join(f"{wave.name} {len(found)}" for wave, found in zip(definition.waves, made.waves, strict=True))
        answer = f"rollout {definition.name} ({rollout.id}) to {definition.to}: {len(items)} channels in waves {waves}"
        event = self._event("started", rollout, now, by=wish.by, why=wish.reason, channels=len(items), to=definition.to)
        # A channel that is named belongs to the rollout like any other: the default placement does not take it along.
        named = set(plan.named(definition))
        rowless = [one.channel for wave in made.waves for one in wave if one.placement.default and one.channel in named]
        act = (lambda: self._store.pin(rowless)) if rowless else None
        return Prepared(answer, Advance(now, rollout, events=(event,)), items, act, look=True)

    # the network ------------------------------------------------------------------------------

    async def _hold(self, wish: Wish) -> Prepared:
        channel = self._channel(wish)
        hold = Hold(channel, wish.by, wish.reason, self._clock.now())
        return Prepared(f"#{channel} is held", Advance(self._clock.now(), holds=(hold,)))

    async def _release(self, wish: Wish) -> Prepared:
        channel = self._channel(wish)
        if not any(hold.channel == channel for hold in await self._store.holds()):
            raise InvalidRequest(f"#{channel} is not held")
        return Prepared(f"#{channel} is held no more", Advance(self._clock.now(), releases=(channel,)))

    async def _evacuate(self, wish: Wish) -> Prepared:
        cluster, into = await self._two(wish)
        definition = Definition(
            f"evacuate-{cluster}",
            into,
            (Wave("all", rest=True, mandatory=True),),
            sources=(cluster,),
            reason=wish.reason,
            budget=Budget(in_flight=1000, cold_in_flight=5000, hot_per_second=1000.0, cold_per_second=5000.0),
            evacuate=True,
        )
        prepared = await self._begin(
            msgspec.structs.replace(wish, args={"replan": True, "all_at_once": True}), definition
        )
        now = self._clock.now()
        others = tuple(
            progress.turn(other, "paused", by=wish.by, why=f"{cluster} is evacuated into {into}", now=now)
            for other in await self._store.rollouts()
            if other.state in ("running", "reversing") and other.id != wish.id
        )
        answer = f"{prepared.answer}, by force: lines may be lost, and are counted"
        if others:
            answer += f"; paused: {', '.join(other.definition.name for other in others)}"
        return msgspec.structs.replace(
            prepared, answer=answer, advance=msgspec.structs.replace(prepared.advance, others=others)
        )

    async def _default(self, wish: Wish) -> Prepared:
        to = await self._cluster(wish.args["cluster"])
        default = await self._store.default_placement()
        if default.cluster == to:
            raise InvalidRequest(f"channels without a row are on {to} already: nothing to do")
        answer = f"channels without a row go from {default.cluster} to {to}"
        advance = self.new_default(Advance(self._clock.now()), to, over=default)
        return Prepared(f"{answer}; those that are known stay", advance, act=self.pin_known)

    async def _retire(self, wish: Wish) -> Prepared:
        cluster, into = await self._two(wish)
        if reasons := await self._retirable(cluster):
            raise InvalidRequest(f"{cluster} cannot be retired yet: {'; '.join(reasons)}")
        return self._acted(
            f"the addresses of {cluster} serve {into}; who is connected to {cluster} is sent a RECONNECT in time",
            lambda: self._store.retire(cluster, into, self._clock.now()),
        )

    async def _restore(self, wish: Wish) -> Prepared:
        cluster = str(wish.args["cluster"])
        if cluster not in await self._store.retired():
            raise InvalidRequest(f"{cluster} is not retired")
        return self._acted(
            f"the addresses of {cluster} serve {cluster} again",
            lambda: self._store.retire(cluster, "", self._clock.now()),
        )

    async def _mend(self, wish: Wish, *, dry: bool = False) -> Prepared:
        force = bool(wish.args.get("force"))
        steps = await self._repair(True, force)
        if dry or not steps:
            return self._acted("; ".join(steps) or "nothing to repair", None)
        return self._acted(f"{len(steps)} steps: {'; '.join(steps[:20])}", lambda: self._repair(False, force))
