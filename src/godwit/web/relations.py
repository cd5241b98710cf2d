"""Followers, subscribers and emotes, one by one (HTTP-followers, HTTP-emotes)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.exceptions import HTTPException
from starlette.responses import Response

from godwit.store.people_base import Related, Tie
from godwit.tmi.emotes import GLOBAL
from godwit.values import Emote, Relation
from godwit.web import people_views as views
from godwit.web.accounts import People
from godwit.web.admission import Admin
from godwit.web.names import channel_name, shown
from godwit.web.views import Actor

_Channel = Annotated[str, Path(description="A channel, without # or with %23.")]
_After = Annotated[str, Query(max_length=100, description="Begin behind this user id.")]
_Limit = Annotated[int, Query(ge=1, le=1000, description="How many at most.")]
_By = Annotated[Actor, Query(description="Who does it.")]


@dataclass(frozen=True, slots=True)
class Ties:
    """What ties accounts to channels."""

    people: People

    async def tie(self, channel: str, login: str, tie: Tie, relation: Relation, by: str, told: str) -> Related:
        """Write one half of what ties an account to a channel; only those fields of `relation` count."""
        name, account = channel_name(channel), await self.people.find(login)
        row = Relation(
            name,
            account.user_id,
            relation.follows_since,
            relation.subscriber,
            relation.months,
            relation.tier,
        )
        await self.people.store.set_relations([row], [tie])
        await self.people.audit(by, f"channel {tie}", name, details=f"{account.login} {told}")
        return Related(account.login, row)


def router(ties: Ties, admin: Admin) -> APIRouter:
    """The routes of followers, subscribers and emotes."""
    routes = admin.router()
    _followers(routes, ties)
    _subscribers(routes, ties)
    _emotes(routes, ties.people)
    return routes


def _followers(routes: APIRouter, ties: Ties) -> None:
    store = ties.people.store

    @routes.get("/channels/{name}/followers", tags=["people"], summary="Who follows a channel")
    async def followers(name: _Channel, after: _After = "", limit: _Limit = 1000) -> views.Followers:
        """Followers that have accounts, by user id."""
        found = await store.related(channel_name(name), "follow", after=after, limit=limit)
        return views.Followers(followers=tuple(map(views.FollowerView.of, found)))

    @routes.put("/channels/{name}/followers/{login}", tags=["people"], summary="Somebody follows a channel")
    async def follow(name: _Channel, login: str, new: views.NewFollow) -> views.FollowerView:
        """Say since when."""
        since = ties.people.clock.now() if new.since is None else new.since
        told = f"follows since {since:.0f}"
        return views.FollowerView.of(await ties.tie(name, login, "follow", Relation("", "", since), new.by, told))

    @routes.delete(
        "/channels/{name}/followers/{login}", status_code=204, tags=["people"], summary="Somebody follows no more"
    )
    async def unfollow(name: _Channel, login: str, by: _By = "admin") -> Response:
        """End it; who does not follow is not asked why."""
        await ties.tie(name, login, "follow", Relation("", ""), by, "follows no more")
        return Response(status_code=204)


def _subscribers(routes: APIRouter, ties: Ties) -> None:
    store = ties.people.store

    @routes.get("/channels/{name}/subscribers", tags=["people"], summary="Who has subscribed to a channel")
    async def subscribers(name: _Channel, after: _After = "", limit: _Limit = 1000) -> views.Subscribers:
        """Subscribers that have accounts, by user id."""
        found = await store.related(channel_name(name), "subscription", after=after, limit=limit)
        return views.Subscribers(subscribers=tuple(map(views.SubscriberView.of, found)))

    @routes.put("/channels/{name}/subscribers/{login}", tags=["people"], summary="Somebody has a subscription")
    async def subscribe(name: _Channel, login: str, new: views.NewSubscription) -> views.SubscriberView:
        """Say of which tier and for how many months."""
        told = f"{'has' if new.active else 'had'} a subscription, {new.tier}, {new.months} months"
        relation = subscription(new)
        return views.SubscriberView.of(await ties.tie(name, login, "subscription", relation, new.by, told))

    @routes.delete(
        "/channels/{name}/subscribers/{login}", status_code=204, tags=["people"], summary="A subscription is removed"
    )
    async def unsubscribe(name: _Channel, login: str, by: _By = "admin") -> Response:
        """Remove it with its months."""
        await ties.tie(name, login, "subscription", Relation("", ""), by, "has no subscription")
        return Response(status_code=204)


def subscription(given: views.Subscription, channel: str = "", user_id: str = "") -> Relation:
    """A subscription as the store keeps it."""
    return Relation(channel, user_id, 0.0, given.active, given.months, given.tier if given.active else "")


def _emotes(routes: APIRouter, people: People) -> None:
    @routes.get("/emotes", tags=["emotes"], summary="Emotes that operators have added")
    async def emotes(
        channel: Annotated[str, Query(max_length=100, description="Of this channel; empty for everybody's.")] = "",
        after: Annotated[str, Query(max_length=100, description="Begin behind this code.")] = "",
        limit: _Limit = 1000,
    ) -> views.Emotes:
        """By code; those that every server begins with are at `/emotes/first`."""
        name = channel_name(channel) if channel else ""
        found = await people.store.emotes(name, after=after, limit=limit)
        return views.Emotes(emotes=tuple(map(views.EmoteView.of, found)))

    @routes.get("/emotes/first", tags=["emotes"], summary="Emotes that every server begins with")
    async def first() -> views.Emotes:
        """An emote that operators add with the same code takes their place."""
        return views.Emotes(
            emotes=tuple(views.EmoteView(code=code, id=number, channel="") for code, number in sorted(GLOBAL.items()))
        )

    @routes.post("/emotes", status_code=201, tags=["emotes"], summary="Add an emote")
    async def add(new: views.NewEmote) -> views.EmoteView:
        """Add an emote, or replace the one with that code; edges know it within a minute or two (HTTP-emotes)."""
        emote = Emote(new.code, new.id, channel_name(new.channel) if new.channel else "")
        await people.store.set_emotes([emote])
        await people.audit(new.by, "emote add", emote.channel, details=f"{emote.code} is {emote.id}")
        return views.EmoteView.of(emote)

    @routes.delete("/emotes", status_code=204, tags=["emotes"], summary="Remove an emote")
    async def remove(
        code: Annotated[str, Query(max_length=100, description="The word.")],
        channel: Annotated[str, Query(max_length=100, description="Of this channel; empty for everybody's.")] = "",
        by: _By = "admin",
    ) -> Response:
        """Remove an emote that operators have added."""
        name = channel_name(channel) if channel else ""
        if not await people.store.remove_emotes(name, [code]):
            raise HTTPException(404, f"there is no emote {shown(code)} {f'of #{name}' if name else 'for everybody'}")
        await people.audit(by, "emote remove", name, details=code)
        return Response(status_code=204)
