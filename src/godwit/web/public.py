"""What anybody may read: what changed, and what will move (protocol rows HTTP-changes, HTTP-moves)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from godwit.errors import InvalidRequest
from godwit.rollout.values import Rollout
from godwit.store.rollout_base import RolloutStore
from godwit.web import network_views as views
from godwit.web.feed import PAGE, Feed, is_shown
from godwit.web.names import shown
from godwit.web.stream import EventStream

LONGEST_WAIT = 60.0
"""Seconds that one request may wait."""

WATCHERS = 10_000
"""Who may wait for changes at once."""

PATHS = frozenset({"/changes", "/changes/stream", "/moves/public"})
"""Addresses that web pages of any origin may read."""

_FURTHEST = 2**63 - 1

_Since = Annotated[
    int | None,
    Query(ge=0, le=_FURTHEST, description="`next` of the last answer; without it: the number of this moment."),
]
_NO_STORE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {}}, "description": "Events without end."}
}


def router(feed: Feed, store: RolloutStore) -> APIRouter:
    """The routes, open to all."""
    routes = APIRouter(tags=["changes"])
    _changes(routes, feed)
    _moves(routes, store)
    return routes


def _changes(routes: APIRouter, feed: Feed) -> None:
    def crowded() -> None:
        if feed.waiting >= WATCHERS:
            raise HTTPException(503, "too many wait for changes; ask again later", {"Retry-After": "5"})

    def stream(since: int | None, last_event_id: str) -> EventStream:
        crowded()
        if not last_event_id:
            return EventStream(feed, since)
        if not (last_event_id.isascii() and last_event_id.isdecimal() and int(last_event_id) <= _FURTHEST):
            raise InvalidRequest(f"Last-Event-ID {shown(last_event_id)} is no number of a change")
        return EventStream(feed, int(last_event_id))

    @routes.get(
        "/changes",
        summary="What moved since then",
        response_model=views.Changes,
        responses={200: {"content": {"text/event-stream": {}}, "description": "Changes, oldest first."}},
    )
    async def changes(
        request: Request,
        since: _Since = None,
        wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT, description="Seconds to wait for a change.")] = 25.0,
        limit: Annotated[int, Query(ge=1, le=PAGE, description="How many at most.")] = PAGE,
        last_event_id: Annotated[str, Header(description="For event streams: goes before `since`.")] = "",
    ) -> Response:
        """Wait for changes behind `since`; with `Accept: text/event-stream`, a stream of events (HTTP-changes)."""
        if "text/event-stream" in request.headers.get("accept", ""):
            return stream(since, last_event_id)
        if since is None:
            batch = await feed.now()
        else:
            crowded()
            batch = await feed.wait(since, limit, wait)
        return Response(batch.encoded(), headers=_NO_STORE, media_type="application/json")

    @routes.get("/changes/stream", summary="What moves, as it moves", response_class=Response, responses=_EVENTS)
    async def changes_stream(
        since: _Since = None,
        last_event_id: Annotated[str, Header(description="Goes before `since`.")] = "",
    ) -> Response:
        """Server-sent events, whose ids are the numbers of the changes (HTTP-changes)."""
        return stream(since, last_event_id)


def _moves(routes: APIRouter, store: RolloutStore) -> None:
    listings: dict[str, Callable[[RolloutStore, str, int], Awaitable[views.PublicMoves]]] = {
        "planned": planned,
        "done": done,
    }

    @routes.get("/moves/public", summary="What will move, and what has moved", response_model_exclude_none=True)
    async def public_moves(
        state: Annotated[Literal["planned", "done"], Query(description="Which moves.")] = "planned",
        after: Annotated[str, Query(max_length=200, description="`next` of the last answer.")] = "",
        limit: Annotated[int, Query(ge=1, le=PAGE, description="How many at most.")] = PAGE,
    ) -> views.PublicMoves:
        """Channels that wait for their move, by rollout and name, or moves that are done, oldest first (HTTP-moves)."""
        return await listings[state](store, after, limit)


async def planned(store: RolloutStore, after: str, limit: int) -> views.PublicMoves:
    """Channels that wait for their move in rollouts that are under way.

    Args:
        after: `number:channel`, as the last answer gave it.

    Raises:
        InvalidRequest: `after` is something else.
    """
    number, _, channel = after.partition(":")
    if after and not (number.isascii() and number.isdecimal()):
        raise InvalidRequest(f"after = {shown(after)} cannot be: give what `next` of the last answer says")
    begin = int(number) if after else 0
    going = [rollout for rollout in await store.rollouts() if rollout.state in ("running", "paused", "reversing")]
    found: list[views.PublicMove] = []
    for rollout in sorted(going, key=lambda each: each.number):
        if rollout.number < begin:
            continue
        behind = channel if rollout.number == begin else ""
        items = await store.items(rollout.id, state="waiting", after=behind, limit=limit - len(found))
        found += [_planned(rollout, item.channel, item.wave, item.origin, item.goal) for item in items]
        if len(found) == limit:
            return views.PublicMoves(moves=tuple(found), next=f"{rollout.number}:{items[-1].channel}")
    return views.PublicMoves(moves=tuple(found), next="")


def _planned(rollout: Rollout, channel: str, wave: int, origin: str, goal: str) -> views.PublicMove:
    definition = rollout.definition
    ends = (origin, definition.to) if goal == "there" else (definition.to, origin)
    return views.PublicMove(
        channel=channel, source=ends[0], target=ends[1], rollout=definition.name, wave=definition.waves[wave].name
    )


async def done(store: RolloutStore, after: str, limit: int) -> views.PublicMoves:
    """Moves whose switch is committed, as far back as the change feed goes.

    Args:
        after: a number of the feed, as the last answer gave it.

    Raises:
        InvalidRequest: `after` is something else.
    """
    if after and not (after.isascii() and after.isdecimal() and int(after) <= _FURTHEST):
        raise InvalidRequest(f"after = {shown(after)} cannot be: give what `next` of the last answer says")
    events = await store.feed(after=int(after or 0), public=True, limit=limit)
    moves = tuple(
        views.PublicMove(
            channel=event.channel,
            source=_named(event.details, "from"),
            target=_named(event.details, "cluster"),
            time=event.time,
        )
        for event in events
        if event.kind == "moved" and is_shown(event)
    )
    return views.PublicMoves(moves=moves, next=str(events[-1].number) if len(events) == limit else "")


def _named(details: dict[str, Any], key: str) -> str:
    return str(details.get(key, ""))
