"""What stood beside the chat servers of 2016, open to all: who chats in a channel, who hosts whom.

Protocol rows HTTP-chatters and HTTP-hosts.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query
from starlette.exceptions import HTTPException
from starlette.responses import Response

from godwit.clock import Clock
from godwit.errors import InvalidRequest
from godwit.store.base import Sanction, Store, hosted, in_force
from godwit.tmi.login import is_anonymous
from godwit.values import GROUP, Account, is_room, owner_of
from godwit.web.directory import answer
from godwit.web.names import channel_name, numbered, shown

KEPT = 5.0
"""Seconds for which a list of chatters is good for others who ask."""

PER_CHATTER = 0.001
"""Seconds more for each of them: finding out costs as much again."""

LISTS = 1000
"""Lists of chatters that are kept."""

LONGEST_ID = 40
"""Characters of a user id that may be asked for."""

AT_ONCE = 8
"""Lists that are made at once; who asks for another one waits."""

Members = Callable[[str, str], Awaitable[Sequence[str]]]
"""Gives the logins of those who are in a channel on a cluster."""


class ByRole(msgspec.Struct, frozen=True):
    """Chatters, each in one list."""

    broadcaster: tuple[str, ...] = ()
    vips: tuple[str, ...] = ()
    moderators: tuple[str, ...] = ()
    staff: tuple[str, ...] = ()
    admins: tuple[str, ...] = ()
    global_mods: tuple[str, ...] = ()
    viewers: tuple[str, ...] = ()


class ChatterList(msgspec.Struct, frozen=True):
    """What bots of then read (HTTP-chatters)."""

    links: dict[str, str] = msgspec.field(name="_links")
    chatter_count: int
    chatters: ByRole


class Wrapped(msgspec.Struct, frozen=True):
    """The same as JSONP has it."""

    status: int
    data: ChatterList


class Hosting(msgspec.Struct, frozen=True, omit_defaults=True):
    """One channel that hosts another; without a target it hosts none (HTTP-hosts)."""

    host_id: int | str
    target_id: int | str = 0
    host_login: str = ""
    target_login: str = ""
    host_display_name: str = ""
    target_display_name: str = ""


class Hostings(msgspec.Struct, frozen=True):
    """Several of them."""

    hosts: tuple[Hosting, ...]


class Chatters:
    """Says who chats where, and keeps the answers for a while.

    Args:
        clusters: names of the clusters that channels live on; read at each request.
        members: without it nobody here knows.
    """

    def __init__(self, store: Store, clock: Clock, clusters: Collection[str], members: Members | None) -> None:
        self._store = store
        self._clock = clock
        self._clusters = clusters
        self._members = members
        self._kept: OrderedDict[str, tuple[float, ChatterList]] = OrderedDict()
        self._asking = asyncio.Semaphore(AT_ONCE)

    async def of(self, channel: str) -> ChatterList:
        """Who is in a channel or a group room, on all edges.

        Raises:
            HTTPException: 503, nobody here knows.
            EdgeUnavailable: an edge does not answer.
        """
        if self._members is None:
            raise HTTPException(503, "nobody here knows who is in channels")
        if known := self._known(channel):
            return known
        async with self._asking:
            return self._known(channel) or await self._find_out(channel, self._members)

    def _known(self, channel: str) -> ChatterList | None:
        """What was found out a moment ago."""
        kept = self._kept.get(channel)
        if kept is None or not 0 <= self._clock.now() - kept[0] < KEPT + PER_CHATTER * kept[1].chatter_count:
            return None
        return kept[1]

    async def _find_out(self, channel: str, members: Members) -> ChatterList:
        now = self._clock.now()
        found: set[str] = set()
        for cluster in list(self._clusters):
            if (cluster == GROUP) == is_room(channel):
                found.update(await members(channel, cluster))
        logins = sorted(login for login in found if not is_anonymous(login))
        accounts = [account for account in await self._store.owners(logins) if account is not None]
        lists = _sorted(channel, logins, accounts, in_force(await self._store.sanctions(channel), now))
        self._kept[channel] = now, ChatterList({}, len(logins), lists)
        self._kept.move_to_end(channel)
        if len(self._kept) > LISTS:
            self._kept.popitem(last=False)
        return self._kept[channel][1]


def _sorted(channel: str, logins: Sequence[str], accounts: Sequence[Account], rows: Sequence[Sanction]) -> ByRole:
    """Everybody in the one list where he belongs."""
    roles: dict[str, str] = {}
    for row in rows:
        if row.kind in ("mod", "unmod", "vip", "unvip"):
            roles[row.target_login] = row.kind
    kinds = {account.login: account.user_type for account in accounts}
    lists: dict[str, list[str]] = {}
    names = {"staff": "staff", "admin": "admins", "global_mod": "global_mods", "mod": "moderators", "vip": "vips"}
    for login in logins:
        if login == owner_of(channel):
            where = "broadcaster"
        else:
            where = names.get(kinds.get(login, "")) or names.get(roles.get(login, ""), "viewers")
        lists.setdefault(where, []).append(login)
    return ByRole(**{name: tuple(listed) for name, listed in lists.items()})


async def hosts_of(store: Store, target_id: str, *, logins: bool) -> Hostings:
    """Who hosts a channel, named by its owner's user id."""
    target = (await store.accounts_of([target_id])).get(target_id)
    if target is None:
        return Hostings(())
    hosts = await store.owners(await store.hosts_of(target.login))
    return Hostings(tuple(_hosting(host, target, logins=logins) for host in hosts if host is not None))


async def hosted_by(store: Store, host_id: str, *, logins: bool) -> Hostings:
    """Whom a channel hosts, named by its owner's user id: always one entry, without a target if it hosts nobody."""
    host = (await store.accounts_of([host_id])).get(host_id)
    if host is None:
        return Hostings((Hosting(numbered(host_id)),))
    login = hosted(await store.sanctions(host.login))
    target = await store.account(login) if login else None
    return Hostings((_hosting(host, target, logins=logins),))


def _hosting(host: Account, target: Account | None, *, logins: bool) -> Hosting:
    target_id = numbered(target.user_id) if target else 0
    if not logins:
        return Hosting(numbered(host.user_id), target_id)
    return Hosting(
        numbered(host.user_id),
        target_id,
        host.login,
        target.login if target else "",
        host.display_name or host.login,
        (target.display_name or target.login) if target else "",
    )


_Callback = Annotated[str | None, Query(description="Name of a JavaScript function: the answer is JSONP.")]


def router(chatters: Chatters, store: Store) -> APIRouter:
    """The routes, open to all."""
    routes = APIRouter(tags=["directory"])

    @routes.get("/group/user/{login}/chatters", summary="Who chats in a channel")
    async def chatters_of(login: str, callback: _Callback = None) -> Response:
        """Answer who is in a channel or a group room, by role; JSONP has it as `data` (HTTP-chatters)."""
        found = await chatters.of(channel_name(login, rooms=True))
        return answer(Wrapped(200, found) if callback else found, callback)

    @routes.get("/hosts", summary="Who hosts whom")
    async def hosts(
        target: Annotated[str | None, Query(max_length=LONGEST_ID, description="User id of who is hosted.")] = None,
        host: Annotated[str | None, Query(max_length=LONGEST_ID, description="User id of who hosts.")] = None,
        include_logins: Annotated[str, Query(description="1: logins and display names, too.")] = "",
        callback: _Callback = None,
    ) -> Response:
        """Answer who hosts a channel, or whom it hosts (HTTP-hosts)."""
        logins = include_logins.lower() in ("1", "true")
        if bool(target) == bool(host):
            raise InvalidRequest("name either target or host: the user id of a channel's owner")
        wanted = target or host or ""
        if not wanted.isascii() or not wanted.isprintable():
            raise InvalidRequest(f"{shown(wanted)} cannot be a user id")
        find = hosts_of if target else hosted_by
        return answer(await find(store, wanted, logins=logins), callback)

    return routes
