"""Rollouts as operators look at them (protocol row HTTP-rollouts); what is done to them are wishes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from godwit.errors import InvalidRequest
from godwit.rollout.report import markdown
from godwit.rollout.values import ENDED, Rollout
from godwit.store.rollout_base import RolloutStore
from godwit.web import rollout_views as views
from godwit.web.admission import Admin
from godwit.web.changes import Changes, wait_until
from godwit.web.names import channel_name, shown
from godwit.web.reporting import report
from godwit.web.status import Samples, Statuses
from godwit.web.wishes import find_rollout

LONGEST_WAIT = 60.0
"""Seconds that one request may wait."""

SETTLE = 0.5
"""Seconds for which moves of single channels are gathered before those who wait are told."""

_Name = Annotated[str, Path(max_length=200, description="A rollout's id or name, or `latest`.")]
_Wait = Annotated[float, Query(ge=0, le=LONGEST_WAIT, description="Seconds to wait for something new.")]
_Limit = Annotated[int, Query(ge=1, le=1000, description="How many at most.")]
_State = Literal["waiting", "moving", "done", "skipped", "failed"]


@dataclass(frozen=True, slots=True)
class Looking:
    """Reads rollouts, and waits for them to go on.

    Attributes:
        samples: what gates answered lately; None if nobody here knows.
    """

    store: RolloutStore
    changes: Changes
    statuses: Statuses
    samples: Samples | None = None

    async def changed(self, name: str, version: str, patience: float) -> Rollout:
        """A rollout once it is another than that of `version`, or as it is after `patience` seconds."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience
        rollout = await find_rollout(self.store, name)
        rollout_id, known = rollout.id, rollout.version
        while rollout.state not in ENDED and await self.statuses.version(rollout) == version:
            left = deadline - loop.time()
            if left <= 0 or self.changes.closed:
                break
            found = await wait_until(
                self.changes,
                lambda: self.store.rollout(rollout_id),
                lambda each: each is None or each.version != known,
                min(left, SETTLE),
            )
            rollout = found or rollout
        return rollout


def router(looking: Looking, admin: Admin) -> APIRouter:
    """The routes of rollouts."""
    routes = admin.router()
    _overview(routes, looking)
    _details(routes, looking)
    return routes


def _overview(routes: APIRouter, looking: Looking) -> None:
    store, statuses = looking.store, looking.statuses

    @routes.get("/rollouts", tags=["rollouts"], summary="Rollouts, newest first")
    async def rollouts(limit: _Limit = 100) -> views.Rollouts:
        """Each with its state and how far it is."""
        listed = await store.rollouts(limit)
        return views.Rollouts(rollouts=tuple([await statuses.summary(each) for each in listed]))

    @routes.get("/rollouts/{name}", tags=["rollouts"], summary="How far a rollout is")
    async def status(
        name: _Name,
        wait: _Wait = 0.0,
        version: Annotated[str, Query(max_length=100, description="Of the last answer: wait for another.")] = "",
    ) -> views.Status:
        """State, waves, rate, time left, gates, open issues, and why what waits is waiting (HTTP-rollouts)."""
        rollout = await looking.changed(name, version, wait) if version else await find_rollout(store, name)
        return await statuses.status(rollout)


def _details(routes: APIRouter, looking: Looking) -> None:
    store = looking.store

    @routes.get("/rollouts/{name}/items", tags=["rollouts"], summary="The channels of a rollout")
    async def items(
        name: _Name,
        state: Annotated[_State | None, Query(description="Only those in this state.")] = None,
        wave: Annotated[str | None, Query(description="Only those of the wave of this name.")] = None,
        after: Annotated[str, Query(description="A channel: begin behind it.")] = "",
        limit: _Limit = 1000,
    ) -> views.Items:
        """By name, from `after` on."""
        rollout = await find_rollout(store, name)
        index = None if wave is None else _wave(rollout, wave)
        behind = channel_name(after) if after else ""
        found = await store.items(rollout.id, wave=index, state=state, after=behind, limit=limit)
        following = found[-1].channel if len(found) == limit else ""
        return views.Items(items=tuple(views.ItemView.of(item, rollout) for item in found), next=following)

    @routes.get("/rollouts/{name}/events", tags=["rollouts"], summary="What happened in a rollout")
    async def events(
        name: _Name,
        after: Annotated[int, Query(ge=0, le=2**63 - 1, description="`next` of the last answer.")] = 0,
        wait: _Wait = 0.0,
        limit: _Limit = 1000,
    ) -> views.Events:
        """Oldest first, from `after` on; waits for some if there are none."""
        rollout = await find_rollout(store, name)
        found = await wait_until(
            looking.changes, lambda: store.feed(after=after, rollout=rollout.id, limit=limit), bool, wait
        )
        following = found[-1].number if found else after
        return views.Events(events=tuple(views.EventView.of(event) for event in found), next=following)

    @routes.get("/rollouts/{name}/issues", tags=["rollouts"], summary="What was found wrong")
    async def issues(
        name: _Name, open_only: Annotated[bool, Query(alias="open", description="Only open ones.")] = False
    ) -> views.Issues:
        """Oldest first."""
        rollout = await find_rollout(store, name)
        found = await store.issues(rollout.id, open_only=open_only)
        return views.Issues(issues=tuple(views.IssueView.of(issue, rollout) for issue in found))

    @routes.get(
        "/rollouts/{name}/report",
        tags=["rollouts"],
        summary="What came of a rollout",
        responses={200: {"content": {"application/json": {}, "text/markdown": {}}, "description": "The report."}},
        response_class=Response,
    )
    async def whole(
        name: _Name, form: Annotated[Literal["json", "md"], Query(alias="format", description="How.")] = "json"
    ) -> Response:
        """What moved when, how long it took, who followed, which accounts never did, issues, gates over time."""
        made = await report(store, await find_rollout(store, name), looking.samples)
        if form == "md":
            return Response(markdown(made), media_type="text/markdown; charset=utf-8")
        return Response(msgspec.json.encode(made), media_type="application/json")


def _wave(rollout: Rollout, name: str) -> int:
    names = [wave.name for wave in rollout.definition.waves]
    if name not in names:
        raise InvalidRequest(f"there is no wave {shown(name)}: choose one of {', '.join(names)}")
    return names.index(name)
