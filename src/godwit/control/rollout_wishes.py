"""The verbs that concern one rollout."""

from __future__ import annotations

from typing import Any

import msgspec

from godwit.control.prepared import Prepared, Preparer
from godwit.errors import InvalidRequest
from godwit.rollout import progress
from godwit.rollout.keys import BUDGET
from godwit.rollout.values import (
    Advance,
    Budget,
    Issue,
    Item,
    Regoal,
    Rollout,
    RolloutState,
    Wish,
)

EVERY = 10**6
"""More items than a rollout has."""


class RolloutWishes(Preparer):
    """Prepares wishes about rollouts that exist."""

    async def _pause(self, wish: Wish, rollout: Rollout) -> Prepared:
        return self._turned(wish, rollout, "paused", "no more moves begin; those under way go on to their end")

    async def _resume(self, wish: Wish, rollout: Rollout) -> Prepared:
        now = self._clock.now()
        await self._alone(rollout)
        state: RolloutState
        if rollout.state == "paused":
            back = progress.after_reverse(rollout, await self._store.tallies(rollout.id)) is None
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
        await self._alone(rollout)
        now, force = self._clock.now(), bool(wish.args.get("force"))
        regoals: tuple[Regoal, ...] = ()
        items: tuple[Item, ...] = ()
        if ways == ["channel"]:
            item = await self._item(wish, rollout)
            state = "moving" if item.state == "moving" else "waiting"
            item = msgspec.structs.replace(item, goal="back", state=state, error="", fails=0, force=force, since=now)
            items = (item,)
            answer = f"#{item.channel} goes back to {item.origin}"
        elif ways == ["wave"]:
            wave = self._wave(rollout, wish.args["wave"])
            regoals = (Regoal(rollout.id, "back", now, wave=wave, force=force),)
            answer = f"wave {rollout.definition.waves[wave].name} goes back"
        else:
            regoals = (Regoal(rollout.id, "back", now, force=force),)
            answer = "everything goes back to where it came from"
        turned = rollout
        if rollout.state != "reversing" and not (items and rollout.state == "running"):
            turned = progress.turn(rollout, "reversing", by=wish.by, why=wish.reason, now=now)
        if force:
            answer += ", although it is live" if items else ", live channels too"
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
            found = await self._store.items(rollout.id, state="failed", limit=EVERY)
        items = tuple(msgspec.structs.replace(item, state="waiting", error="", fails=0, since=now) for item in found)
        if not items:
            raise InvalidRequest("no channel has failed: nothing to try again; name a skipped one with its channel")
        if rollout.state == "finished":
            await self._alone(rollout)
            rollout = progress.turn(rollout, "running", by=wish.by, why=wish.reason, now=now)
        answer = f"{_channels(len(items))} tried again: {', '.join(f'#{item.channel}' for item in items[:5])}"
        return self._prepared(rollout, answer, "item", wish, items=items)

    async def _set(self, wish: Wish, rollout: Rollout) -> Prepared:
        given = wish.args["budget"]
        names = Budget.__struct_fields__
        if not isinstance(given, dict) or not given or any(name not in names for name in given):
            raise InvalidRequest(f"set takes name=value, the names are {', '.join(names)}")
        read: dict[str, Any] = {}
        for name, value in given.items():
            try:
                read[name] = BUDGET[name].read(_number(value))
            except InvalidRequest as error:
                raise InvalidRequest(f"set: {name} {error}; `pause` stops everything") from error
        budget = msgspec.structs.replace(rollout.budget, **read)
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

    # inside -----------------------------------------------------------------------------------

    async def _alone(self, rollout: Rollout) -> None:
        """Refuse what would have two rollouts at work: each keeps to its own budget only.

        Raises:
            InvalidRequest: another one is running or reversing.
        """
        for other in await self._store.rollouts():
            if other.id != rollout.id and other.state in ("running", "reversing"):
                raise InvalidRequest(
                    f"rollout {other.definition.name} ({other.id}) is {other.state}: "
                    "pause it first, or wait for its end"
                )

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


def _number(value: Any) -> Any:
    """A number that may have been written as a text, as command lines do."""
    try:
        return msgspec.convert(value, int | float, strict=False)
    except msgspec.ValidationError:
        return value


def _channels(count: int) -> str:
    return "one channel is" if count == 1 else f"{count} channels are"


def _why(wish: Wish) -> str:
    return f"by {wish.by}: {wish.reason}" if wish.reason else f"by {wish.by}"
