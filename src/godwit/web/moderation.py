"""Moderation for operators: who is banned, who has which role, and changing it (HTTP-bans, HTTP-roles, UN-2).

What changes something in a channel is a wish like any other: the controller appends it to the channel's log, so all
edges agree on it, and it is there while the channel moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from godwit.store.base import Sanction, in_force
from godwit.tmi.emotes import GLOBAL, emote_ranges
from godwit.tmi.text import clean, cut
from godwit.values import FAMILIES, Family
from godwit.web import people_views as views
from godwit.web import usernotices
from godwit.web.accounts import People
from godwit.web.admission import Admin
from godwit.web.names import channel_name
from godwit.web.rollout_views import NewWish, WishView
from godwit.web.views import Actor, Text
from godwit.web.wishes import Wishing, answered

PATIENCE = 10.0
"""Seconds that a request waits for the controller."""

_Channel = Annotated[str, Path(description="A channel, without # or with %23.")]
_After = Annotated[str, Query(max_length=100, description="Begin behind this login.")]
_Limit = Annotated[int, Query(ge=1, le=1000, description="How many at most.")]
_By = Annotated[Actor, Query(description="Who does it.")]
_Reason = Annotated[Text, Query(description="Why.")]

_ANSWERS: dict[int | str, dict[str, Any]] = {
    202: {"model": WishView, "description": "Recorded; the controller has not acted on it yet."},
    409: {"description": "It was refused; nothing was changed."},
}


def newest(rows: Sequence[Sanction], family: Family) -> list[Sanction]:
    """Of each account the row of one family that stands, by login.

    Args:
        rows: as the store gives them: those with a position in order, then those that wait for one.
    """
    found = {row.target: row for row in rows if FAMILIES[row.kind] == family}
    return sorted(found.values(), key=lambda row: (row.target_login, row.target))


@dataclass(frozen=True, slots=True)
class Moderating:
    """What operators see and do in channels."""

    people: People
    wishing: Wishing

    async def bans(self, channel: str) -> list[Sanction]:
        """Bans, and timeouts that are not over."""
        now = self.people.clock.now()
        rows = newest(in_force(await self.people.store.sanctions(channel_name(channel)), now), "sanction")
        return [row for row in rows if row.kind == "ban" or (row.kind == "timeout" and row.time + row.seconds > now)]

    async def roles(self, channel: str) -> list[Sanction]:
        """Moderators and VIPs."""
        rows = in_force(await self.people.store.sanctions(channel_name(channel)), self.people.clock.now())
        rows = newest(rows, "role")
        return [row for row in rows if row.kind in ("mod", "vip")]

    async def act(self, channel: str, kind: str, login: str, by: str, reason: str, seconds: int = 0) -> Response:
        """Have something done to an account in a channel."""
        account = await self.people.find(login)
        args: dict[str, Any] = {"channel": channel, "kind": kind, "login": account.login}
        return await self._wish("act", args | ({"seconds": seconds} if seconds else {}), by, reason)

    async def show(self, channel: str, new: views.NewUserNotice) -> Response:
        """Show a channel that something has happened around an account."""
        name, account = channel_name(channel), await self.people.find(new.login)
        shown_as = account.display_name or account.login
        params, words = usernotices.complete(new.kind, account.login, shown_as, name, new.params)
        text = cut(clean(new.text))
        own = {emote.code: emote.id for emote in await self.people.store.emotes_of([name])}
        everybodys = {emote.code: emote.id for emote in await self.people.store.emotes_of([""])}
        args = {
            "channel": name,
            "kind": new.kind,
            "login": account.login,
            "text": text,
            "emotes": emote_ranges(text, {**GLOBAL, **everybodys, **own}),
            "system_msg": words if new.system_msg is None else new.system_msg,
            "params": params,
        }
        return await self._wish("usernotice", args, new.by, new.reason)

    async def _wish(self, verb: str, args: dict[str, Any], by: str, reason: str) -> Response:
        wish = await self.wishing.read(NewWish.model_validate({"verb": verb, "args": args, "by": by, "reason": reason}))
        recorded = await self.wishing.record(wish)
        return answered(await self.wishing.wait(recorded.id, PATIENCE))


def router(moderating: Moderating, admin: Admin) -> APIRouter:
    """The routes of moderation."""
    routes = admin.router()
    _bans(routes, moderating)
    _roles(routes, moderating)

    @routes.post(
        "/channels/{name}/usernotices",
        tags=["moderation"],
        summary="Show a sub, a raid, an announcement",
        response_model=WishView,
        responses=_ANSWERS,
    )
    async def show(name: _Channel, new: views.NewUserNotice) -> Response:
        """Everybody in the channel is shown it, whatever cluster they are on (UN-2)."""
        return await moderating.show(name, new)

    return routes


def _bans(routes: APIRouter, moderating: Moderating) -> None:
    @routes.get("/channels/{name}/bans", tags=["moderation"], summary="Who is banned or timed out")
    async def bans(name: _Channel, after: _After = "", limit: _Limit = 1000) -> views.Bans:
        """Bans and timeouts that stand, by login (HTTP-bans)."""
        found = [row for row in await moderating.bans(name) if row.target_login > after]
        return views.Bans(bans=tuple(map(views.BanView.of, found[:limit])))

    @routes.post(
        "/channels/{name}/bans",
        tags=["moderation"],
        summary="Ban somebody, or time them out",
        response_model=WishView,
        responses=_ANSWERS,
    )
    async def ban(name: _Channel, new: views.NewBan) -> Response:
        """Everybody in the channel sees it (HTTP-bans)."""
        kind = "timeout" if new.seconds else "ban"
        return await moderating.act(name, kind, new.login, new.by, new.reason, new.seconds or 0)

    @routes.delete(
        "/channels/{name}/bans/{login}",
        tags=["moderation"],
        summary="End a ban or a timeout",
        response_model=WishView,
        responses=_ANSWERS,
    )
    async def unban(name: _Channel, login: str, by: _By = "admin", reason: _Reason = "") -> Response:
        """The account may talk again (HTTP-bans)."""
        return await moderating.act(name, "lift", login, by, reason)


def _roles(routes: APIRouter, moderating: Moderating) -> None:
    @routes.get("/channels/{name}/roles", tags=["moderation"], summary="Moderators and VIPs")
    async def roles(name: _Channel, after: _After = "", limit: _Limit = 1000) -> views.Roles:
        """Roles by login (HTTP-roles)."""
        found = [row for row in await moderating.roles(name) if row.target_login > after]
        return views.Roles(roles=tuple(map(views.RoleView.of, found[:limit])))

    @routes.put(
        "/channels/{name}/roles/{login}",
        tags=["moderation"],
        summary="Make somebody a moderator or a VIP",
        response_model=WishView,
        responses=_ANSWERS,
    )
    async def give(name: _Channel, login: str, new: views.NewRole) -> Response:
        """It takes the place of the role that the account had (HTTP-roles)."""
        return await moderating.act(name, new.role, login, new.by, new.reason)

    @routes.delete(
        "/channels/{name}/roles/{login}",
        tags=["moderation"],
        summary="Take a role away",
        response_model=WishView,
        responses=_ANSWERS,
    )
    async def take(name: _Channel, login: str, by: _By = "admin", reason: _Reason = "") -> Response:
        """The account is neither a moderator nor a VIP any more (HTTP-roles)."""
        account = await moderating.people.find(login)
        has = {row.target: row.kind for row in await moderating.roles(name)}.get(account.user_id)
        return await moderating.act(name, "unvip" if has == "vip" else "unmod", login, by, reason)
