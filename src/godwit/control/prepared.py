"""What a wish leads to, and what every verb needs to find that out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from godwit.chatlog.base import ChatLog
from godwit.clock import Clock
from godwit.control.ports import Crowd
from godwit.errors import InvalidRequest, UnknownChannel, UnknownCluster
from godwit.rollout import plan
from godwit.rollout.values import Advance, Candidate, Definition, Event, Facts, Item, Rollout, Wish
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


class Preparer:
    """What the verbs share; it reads the store and changes nothing."""

    def __init__(
        self,
        store: RolloutStore,
        logs: Mapping[str, ChatLog],
        crowd: Crowd,
        clock: Clock,
        settings: MoveSettings,
    ) -> None:
        self._store = store
        self._logs = logs
        self._crowd = crowd
        self._clock = clock
        self._settings = settings

    def new_default(self, advance: Advance, to: str, *, over: Segment) -> Advance:
        """Have a decision change the default placement; nobody writes to what it holds for a lease (C10)."""
        segment = Segment(to, over.epoch + 1, 0, self._logs[to].stream(""))
        return msgspec.structs.replace(advance, default=segment, hold_until=advance.now + self._settings.lease)

    async def pin_known(self) -> None:
        """Channels that somebody has said something of get rows: they move by themselves, not with the default."""
        after = ""
        while page := await self._store.candidates(after=after, limit=PAGE):
            if rowless := [candidate.channel for candidate in page if candidate.placement.default]:
                await self._store.pin(rowless)
            after = page[-1].channel

    def _acted(self, answer: str, act: Callable[[], Awaitable[object]] | None) -> Prepared:
        return Prepared(answer, Advance(self._clock.now()), act=act)

    def _event(self, kind: str, rollout: Rollout, now: float, channel: str = "", **details: Any) -> Event:
        return Event(f"rollout.{kind}", now, channel, rollout.id, {"name": rollout.definition.name, **details})

    async def _cluster(self, name: object) -> str:
        """A cluster that channels may live on; a retired one is none."""
        known, retired = self._homes(), await self._store.retired()
        if name not in known:
            raise UnknownCluster(f"no cluster '{name}' for channels: choose one of {', '.join(known)}")
        if into := retired.get(str(name)):
            raise UnknownCluster(
                f"{name} is retired into {into}: choose another one, or `cluster restore {name}` first"
            )
        return str(name)

    def _homes(self) -> list[str]:
        return [cluster for cluster in self._logs if cluster != GROUP]

    async def _two(self, wish: Wish) -> tuple[str, str]:
        cluster, into = await self._cluster(wish.args["cluster"]), await self._cluster(wish.args["into"])
        if cluster == into:
            raise InvalidRequest(f"{wish.verb}: {cluster} and {into} must be two clusters")
        return cluster, into

    def _channel(self, wish: Wish) -> str:
        channel = str(wish.args["channel"]).lstrip("#").lower()
        if not is_login(channel):
            raise UnknownChannel(f"'{channel}' is not a channel name: use 1 to 25 of a-z, 0-9 and _")
        return channel

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


def _sized(facts: Facts, members: int) -> Facts:
    return msgspec.structs.replace(facts, members=max(facts.members, members))
