"""What comes of a wish: prepared first, and only then done, so that a dry run shares every check with the act.

`Wishes.prepare` reads the store and decides; it changes nothing. The leading controller then writes what was prepared.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from godwit.chatlog.base import ChatLog
from godwit.clock import Clock
from godwit.control.meters import metric_names
from godwit.control.ports import Crowd
from godwit.errors import InvalidRequest, UnknownChannel, UnknownCluster
from godwit.rollout import definition as definitions
from godwit.rollout import plan, progress, verbs
from godwit.rollout.values import (
    ENDED,
    Advance,
    Budget,
    Candidate,
    Definition,
    Event,
    Facts,
    Hold,
    Issue,
    Item,
    Regoal,
    Rollout,
    RolloutState,
    Wave,
    WaveProgress,
    Wish,
)
from godwit.settings import MoveSettings
from godwit.store.rollout_base import RolloutStore
from godwit.values import Segment, is_login

GROUP = "group"
PAGE = 1000
"""Channels that are read or written at a time."""

Answer = TypeVar("Answer")


async def inline(work: Callable[[], Answer]) -> Answer:
    """Do what may take a while, here and now."""
    return work()


class Prepared(msgspec.Struct, frozen=True):
    """What a wish leads to.

    Attributes:
        answer: said to whoever wished, in one line.
        advance: written together with the answer.
        items: new items, written before, a page at a time.
        act: what the store does beside it; may be repeated.
        look: channels of the rollout may have nothing left to do.
    """

    answer: str
    advance: Advance
    items: Sequence[Item] = ()
    act: Callable[[], Awaitable[object]] | None = None
    look: bool = False


class Wishes:
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
        self._store = store
        self._logs = logs
        self._crowd = crowd
        self._clock = clock
        self._settings = settings
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

    # rollouts ---------------------------------------------------------------------------------

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
        self._cluster(definition.to)
        for source in definition.sources:
            self._cluster(source)
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

    async def _pause(self, wish: Wish, rollout: Rollout) -> Prepared:
        return self._turned(wish, rollout, "paused", "no more moves begin; those under way go on to their end")

    async def _resume(self, wish: Wish, rollout: Rollout) -> Prepared:
        now = self._clock.now()
        state: RolloutState
        if rollout.state == "paused":
            back = progress.after_reverse(await self._store.tallies(rollout.id)) is None
            state = "reversing" if back and progress.was_reversing(rollout) else "running"
            turned = progress.turn(rollout, state, by=wish.by, why=wish.reason, now=now)
            return self._prepared(turned, f"it goes on, {state}", "resumed", wish)
        forward = progress.rewind(progress.turn(rollout, "running", by=wish.by, why=wish.reason, now=now), now=now)
        return self._prepared(
            forward, "it goes forward again, from its first wave", "resumed", wish, Regoal(rollout.id, "there", now)
        )

    async def _abort(self, wish: Wish, rollout: Rollout) -> Prepared:
        under_way = await self._store.items(rollout.id, state="moving", limit=10**6)
        prepared = self._turned(
            wish, rollout, "aborted", f"no more moves; of {len(under_way)} under way those not sealed yet are cancelled"
        )
        advance = msgspec.structs.replace(
            prepared.advance,
            cancel=tuple(item.move for item in under_way),
            cancel_error=f"the rollout was aborted by {wish.by}",
        )
        return msgspec.structs.replace(prepared, advance=advance)

    async def _reverse(self, wish: Wish, rollout: Rollout) -> Prepared:
        ways = [way for way in ("channel", "wave", "all") if wish.args.get(way)]
        if len(ways) != 1:
            raise InvalidRequest("reverse needs one of a channel, a wave, or all")
        now = self._clock.now()
        regoals: tuple[Regoal, ...] = ()
        items: tuple[Item, ...] = ()
        if ways == ["channel"]:
            item = await self._item(wish, rollout)
            state = "moving" if item.state == "moving" else "waiting"
            items = (msgspec.structs.replace(item, goal="back", state=state, error="", since=now),)
            answer = f"#{item.channel} goes back to {item.origin}"
        elif ways == ["wave"]:
            wave = self._wave(rollout, wish.args["wave"])
            regoals = (Regoal(rollout.id, "back", now, wave=wave),)
            answer = f"wave {rollout.definition.waves[wave].name} goes back"
        else:
            regoals = (Regoal(rollout.id, "back", now),)
            answer = "everything goes back to where it came from"
        turned = rollout
        if rollout.state != "reversing" and not (items and rollout.state == "running"):
            turned = progress.turn(rollout, "reversing", by=wish.by, why=wish.reason, now=now)
        if wish.args.get("force"):
            turned = msgspec.structs.replace(turned, force=True)
            answer += ", live channels too"
        rest = ways == ["all"] or (ways == ["wave"] and rollout.definition.waves[regoals[0].wave or 0].rest)
        if rest and rollout.default_before is not None:
            turned = msgspec.structs.replace(turned, default_back=True)
            answer += ", and so does the default placement"
        return self._prepared(turned, answer, "reversing", wish, *regoals, items=items)

    async def _skip(self, wish: Wish, rollout: Rollout) -> Prepared:
        item = await self._item(wish, rollout)
        if item.state == "moving":
            raise InvalidRequest(f"#{item.channel} is moving already ({item.move}): wait for its end, then reverse it")
        if item.state == "done":
            raise InvalidRequest(f"#{item.channel} is done: bring it back with reverse --channel")
        skipped = msgspec.structs.replace(item, state="skipped", error=_why(wish), since=self._clock.now())
        return self._prepared(rollout, f"#{item.channel} is left out", "item", wish, items=(skipped,))

    async def _retry(self, wish: Wish, rollout: Rollout) -> Prepared:
        now = self._clock.now()
        if wish.args.get("channel"):
            found = [await self._item(wish, rollout)]
            if found[0].state not in ("failed", "skipped"):
                raise InvalidRequest(
                    f"#{found[0].channel} is {found[0].state}: only failed and skipped ones are tried again"
                )
        else:
            found = await self._store.items(rollout.id, state="failed", limit=PAGE)
        items = tuple(msgspec.structs.replace(item, state="waiting", error="", since=now) for item in found)
        if not items:
            raise InvalidRequest("no channel has failed: nothing to try again; name a skipped one with its channel")
        if rollout.state == "finished":
            rollout = progress.turn(rollout, "running", by=wish.by, why=wish.reason, now=now)
        answer = f"{_channels(len(items))} tried again: {', '.join(f'#{item.channel}' for item in items[:5])}"
        return self._prepared(rollout, answer, "item", wish, items=items)

    async def _set(self, wish: Wish, rollout: Rollout) -> Prepared:
        given = wish.args["budget"]
        names = Budget.__struct_fields__
        if not isinstance(given, dict) or not given or any(name not in names for name in given):
            raise InvalidRequest(f"set takes name=value, the names are {', '.join(names)}")
        try:
            budget = msgspec.convert(msgspec.to_builtins(rollout.budget) | given, Budget, strict=False)
        except msgspec.ValidationError as error:
            raise InvalidRequest(f"set: {error}") from error
        if min(msgspec.structs.astuple(budget)) <= 0:
            raise InvalidRequest("set: a budget must be above 0; `pause` stops everything")
        changed = ", ".join(f"{name} {getattr(rollout.budget, name)} -> {getattr(budget, name)}" for name in given)
        return self._prepared(msgspec.structs.replace(rollout, budget=budget), changed, "set", wish)

    async def _approve(self, wish: Wish, rollout: Rollout) -> Prepared:
        place = self._wave(rollout, wish.args["wave"])
        wave = rollout.definition.waves[place]
        gates = [gate for gate in wave.gates if gate.kind == "approval"]
        if name := wish.args.get("gate"):
            gates = [gate for gate in wave.gates if gate.name == name]
            if not gates:
                known = ", ".join(gate.name for gate in wave.gates) or "none"
                raise InvalidRequest(f"wave {wave.name} has no gate '{name}': it has {known}")
            if gates[0].kind != "approval" and not wish.reason:
                raise InvalidRequest(
                    f"to pass over gate '{name}' ({gates[0].kind}) a reason is needed: add --reason TEXT"
                )
        if not gates:
            raise InvalidRequest(f"wave {wave.name} waits for no approval; name the gate to pass over")
        names = [gate.name for gate in gates]
        approved = tuple(dict.fromkeys((*rollout.waves[place].approved, *names)))
        waves = list(rollout.waves)
        waves[place] = msgspec.structs.replace(waves[place], approved=approved)
        return self._prepared(
            msgspec.structs.replace(rollout, waves=tuple(waves)),
            f"wave {wave.name}: {', '.join(names)} passes",
            "gate",
            wish,
        )

    async def _add_issue(self, wish: Wish, rollout: Rollout) -> Prepared:
        wave = self._wave(rollout, wish.args["wave"]) if wish.args.get("wave") not in (None, "") else rollout.wave
        issue = Issue(wish.id, rollout.id, wave, str(wish.args["text"]), wish.by, self._clock.now())
        name = rollout.definition.waves[wave].name
        return self._prepared(
            rollout, f"issue {issue.id} on wave {name}: the next wave waits for it", "issue", wish, issues=(issue,)
        )

    async def _resolve_issue(self, wish: Wish, rollout: Rollout) -> Prepared:
        issues = {issue.id: issue for issue in await self._store.issues(rollout.id)}
        issue = issues.get(str(wish.args["issue"]))
        if issue is None:
            raise InvalidRequest(f"no issue {wish.args['issue']}: there are {', '.join(issues) or 'none'}")
        if issue.resolved:
            raise InvalidRequest(f"issue {issue.id} was resolved already, by {issue.resolved_by}")
        resolution = str(wish.args.get("resolution") or wish.reason)
        now = self._clock.now()
        resolved = msgspec.structs.replace(issue, resolved=now, resolved_by=wish.by, resolution=resolution)
        return self._prepared(rollout, f"issue {issue.id} is resolved", "issue", wish, issues=(resolved,))

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
        cluster, into = self._two(wish)
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
        return msgspec.structs.replace(
            prepared, answer=f"{prepared.answer}, by force: lines may be lost, and are counted"
        )

    async def _default(self, wish: Wish) -> Prepared:
        to = self._cluster(wish.args["cluster"])
        default = await self._store.default_placement()
        if default.cluster == to:
            raise InvalidRequest(f"channels without a row are on {to} already: nothing to do")
        answer = f"channels without a row go from {default.cluster} to {to}"
        return Prepared(answer, self.new_default(Advance(self._clock.now()), to, over=default))

    def new_default(self, advance: Advance, to: str, *, over: Segment) -> Advance:
        """Have a decision change the default placement; nobody writes to what it holds for a lease (C10)."""
        segment = Segment(to, over.epoch + 1, 0, self._logs[to].stream(""))
        return msgspec.structs.replace(advance, default=segment, hold_until=advance.now + self._settings.lease)

    async def _retire(self, wish: Wish) -> Prepared:
        cluster, into = self._two(wish)
        retired = await self._store.retired()
        if into in retired:
            raise InvalidRequest(f"{into} is retired itself, into {retired[into]}")
        if reasons := await self._retirable(cluster):
            raise InvalidRequest(f"{cluster} cannot be retired yet: {'; '.join(reasons)}")
        return self._acted(
            f"the addresses of {cluster} serve {into}; who is connected to {cluster} is sent a RECONNECT in time",
            lambda: self._store.retire(cluster, into, self._clock.now()),
        )

    async def _restore(self, wish: Wish) -> Prepared:
        cluster = self._cluster(wish.args["cluster"])
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

    # inside -----------------------------------------------------------------------------------

    def _turned(self, wish: Wish, rollout: Rollout, state: RolloutState, answer: str) -> Prepared:
        turned = progress.turn(rollout, state, by=wish.by, why=wish.reason, now=self._clock.now())
        return self._prepared(turned, answer, state, wish)

    def _prepared(
        self,
        rollout: Rollout,
        answer: str,
        kind: str,
        wish: Wish,
        *regoals: Regoal,
        items: tuple[Item, ...] = (),
        issues: tuple[Issue, ...] = (),
    ) -> Prepared:
        now = self._clock.now()
        channel = str(wish.args.get("channel") or "").lstrip("#")
        event = self._event(kind, rollout, now, channel, by=wish.by, why=wish.reason, did=answer)
        advance = Advance(now, rollout, items=items, regoals=regoals, issues=issues, events=(event,))
        return Prepared(answer, advance, look=bool(items or regoals))

    def _acted(self, answer: str, act: Callable[[], Awaitable[object]] | None) -> Prepared:
        return Prepared(answer, Advance(self._clock.now()), act=act)

    def _event(self, kind: str, rollout: Rollout, now: float, channel: str = "", **details: Any) -> Event:
        return Event(f"rollout.{kind}", now, channel, rollout.id, {"name": rollout.definition.name, **details})

    def _cluster(self, name: object) -> str:
        known = self._homes()
        if name not in known:
            raise UnknownCluster(f"no cluster '{name}' for channels: choose one of {', '.join(known)}")
        return str(name)

    def _homes(self) -> list[str]:
        return [cluster for cluster in self._logs if cluster != GROUP]

    def _two(self, wish: Wish) -> tuple[str, str]:
        cluster, into = self._cluster(wish.args["cluster"]), self._cluster(wish.args["into"])
        if cluster == into:
            raise InvalidRequest(f"{wish.verb}: {cluster} and {into} must be two clusters")
        return cluster, into

    def _channel(self, wish: Wish) -> str:
        channel = str(wish.args["channel"]).lstrip("#").lower()
        if not is_login(channel):
            raise UnknownChannel(f"'{channel}' is not a channel name: use 1 to 25 of a-z, 0-9 and _")
        return channel

    def _wave(self, rollout: Rollout, name: object) -> int:
        names = [wave.name for wave in rollout.definition.waves]
        if str(name) in names:
            return names.index(str(name))
        raise InvalidRequest(f"no wave '{name}': the waves are {', '.join(names)}")

    async def _item(self, wish: Wish, rollout: Rollout) -> Item:
        channel = self._channel(wish)
        item = await self._store.item(rollout.id, channel)
        if item is None:
            raise InvalidRequest(f"#{channel} is not part of rollout {rollout.definition.name}")
        return item

    async def _candidates(self, definition: Definition) -> list[Candidate]:
        """Every channel that is known or that the definition names."""
        found: list[Candidate] = []
        while page := await self._store.candidates(after=found[-1].channel if found else "", limit=PAGE):
            found += await sized(self._crowd, page)
        known = {candidate.channel for candidate in found}
        named = [channel for channel in plan.named(definition) if channel not in known]
        for start in range(0, len(named), PAGE):
            found += await sized(self._crowd, await self._store.candidates_of(named[start : start + PAGE]))
        return found


async def sized(crowd: Crowd, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Candidates with the members that they have now, if there are more than were known of."""
    presence = await crowd.presence([candidate.channel for candidate in candidates])
    return [
        msgspec.structs.replace(candidate, facts=_sized(candidate.facts, here.members))
        for candidate, here in zip(candidates, presence, strict=True)
    ]


def _channels(count: int) -> str:
    return "one channel is" if count == 1 else f"{count} channels are"


def _sized(facts: Facts, members: int) -> Facts:
    return msgspec.structs.replace(facts, members=max(facts.members, members))


def _why(wish: Wish) -> str:
    return f"by {wish.by}: {wish.reason}" if wish.reason else f"by {wish.by}"
