"""The plan of a rollout, as it would be now; nothing is changed by it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec
from fastapi import APIRouter

from godwit.clock import Clock
from godwit.errors import InvalidRequest
from godwit.rollout import definition as definitions
from godwit.rollout import forecast, plan
from godwit.rollout.progress import QUIET, sources
from godwit.rollout.values import Candidate, Definition
from godwit.store.rollout_base import RolloutStore
from godwit.values import GROUP
from godwit.web import rollout_views as views
from godwit.web.admission import Admin
from godwit.web.names import refuse_retired, shown

PAGE = 1000
"""Channels that are read at a time."""

FIRST = 5
"""Channels of a wave that are named."""


class Seen(Protocol):
    """Who is in a channel now (`control.ports.Presence`)."""

    @property
    def members(self) -> int:
        """Connections in it."""
        ...

    @property
    def told(self) -> int:
        """Those that would have to be told of a move."""
        ...

    @property
    def last_message(self) -> float:
        """When something was last said, 0 if nobody knows."""
        ...


Presence = Callable[[Sequence[str]], Awaitable[Sequence[Seen]]]
"""Who is in channels now, in the order asked for."""


@dataclass(frozen=True, slots=True)
class Planner:
    """Makes plans.

    Attributes:
        clusters: names of the configured clusters.
        presence: who is in channels now; None if nobody here knows.
        metrics: names of the built-in metrics; empty if nobody here knows.
    """

    store: RolloutStore
    clock: Clock
    clusters: Collection[str]
    presence: Presence | None = None
    metrics: Collection[str] = ()

    async def plan(self, wanted: views.PlanRequest) -> views.PlanView:
        """The plan of what somebody wrote, as things are.

        Raises:
            InvalidRequest: it is no good; with file, line and what was expected.
            MoveRefused: its goal is retired.
        """

        def read(name: str) -> str:
            if name not in wanted.files:
                raise InvalidRequest(f"the list {shown(name)} was not sent along")
            return wanted.files[name]

        homes = [name for name in self.clusters if name != GROUP]
        definition = definitions.parse(wanted.toml, read=read, clusters=homes, metrics=self.metrics)
        refuse_retired(definition.to, await self.store.retired())
        candidates, hot = await self._candidates(definition)
        # Sorting a hundred thousand channels takes seconds: beside the loop, which others need meanwhile.
        return await asyncio.to_thread(_view, definition, homes, candidates, hot, self.clock.now())

    async def _candidates(self, definition: Definition) -> tuple[list[Candidate], set[str] | None]:
        """Every channel that is known or named, sized by who is there now, and which are hot (None: nobody knows)."""
        found: list[Candidate] = []
        hot: set[str] | None = None if self.presence is None else set()
        while page := await self.store.candidates(after=found[-1].channel if found else "", limit=PAGE):
            found += await self._sized(page, hot)
        known = {candidate.channel for candidate in found}
        named = [channel for channel in plan.named(definition) if channel not in known]
        for start in range(0, len(named), PAGE):
            found += await self._sized(await self.store.candidates_of(named[start : start + PAGE]), hot)
        return found, hot

    async def _sized(self, page: Sequence[Candidate], hot: set[str] | None) -> list[Candidate]:
        """Candidates sized by who is there now; notes which are hot."""
        if self.presence is None or hot is None:
            return list(page)
        quiet = self.clock.now() - QUIET
        found = []
        for candidate, here in zip(page, await self.presence([one.channel for one in page]), strict=True):
            facts = candidate.facts
            larger = msgspec.structs.replace(facts, members=max(facts.members, here.members))
            found.append(msgspec.structs.replace(candidate, facts=larger))
            if here.told > 0 or here.last_message > quiet:
                hot.add(candidate.channel)
        return found


def _view(
    definition: Definition, homes: Sequence[str], candidates: Sequence[Candidate], hot: set[str] | None, now: float
) -> views.PlanView:
    made = plan.make(definition, candidates, now=now)
    expected = (
        forecast.forecast(made)
        if hot is None
        else forecast.forecast(made, hot=lambda candidate: candidate.channel in hot)
    )
    waves = tuple(
        views.PlannedWave(
            name=wave.name,
            count=len(members),
            hot=about.hot,
            cold=about.cold,
            members=sum(candidate.facts.members for candidate in members),
            largest=views.Largest(channel=about.largest, members=about.members) if about.largest else None,
            first=tuple(candidate.channel for candidate in members[:FIRST]),
            gates=tuple(gate.name for gate in wave.gates),
            mandatory=wave.mandatory,
            seconds=about.moving + about.gates,
        )
        for wave, members, about in zip(definition.waves, made.waves, expected.waves, strict=True)
    )
    return views.PlanView(
        name=definition.name,
        to=definition.to,
        sources=tuple(sources(definition, homes)),
        hash=made.hash,
        count=sum(wave.count for wave in waves),
        seconds=expected.seconds,
        waves=waves,
        excluded=tuple(views.Excluded(channel=channel, reason=reason) for channel, reason in made.excluded),
        unknown=made.unknown,
        warnings=tuple(_warnings(expected)),
    )


def _warnings(expected: forecast.Forecast) -> list[str]:
    found = []
    for wave in expected.waves:
        if not wave.hot + wave.cold:
            found.append(f"wave '{wave.name}' is empty")
        if wave.live:
            found.append(f"wave '{wave.name}': {wave.live} live now, they wait for their streams to end")
        if wave.held:
            found.append(f"wave '{wave.name}': {wave.held} held, they wait until they are released")
        if wave.approvals:
            found.append(f"wave '{wave.name}' waits for an approval, which is not in the time")
    return found


def router(planner: Planner, admin: Admin) -> APIRouter:
    """The route of plans."""
    routes = admin.router()

    @routes.post("/rollouts/plan", tags=["rollouts"], summary="What a rollout would do")
    async def make(wanted: views.PlanRequest) -> views.PlanView:
        """The plan as things are, and its hash, which start takes; nothing is changed (HTTP-rollouts)."""
        return await planner.plan(wanted)

    return routes
