"""The directory: where a channel is (protocol rows HTTP-servers, HTTP-bulk, HTTP-properties).

Everybody may ask, from any web page. What is answered for a cluster depends on its addresses alone, so
`?cluster=group` gives the same bytes whatever moves.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from godwit.errors import InvalidRequest
from godwit.store.base import Store
from godwit.values import GROUP, Addresses, is_room
from godwit.web.names import channel_name, cluster_name, numbered, shown

MAX_CHANNELS = 10_000
"""Channels that one request may ask for."""

OPEN = ("/api/channels/", "/group/user/", "/hosts", "/room_memberships", "/rooms")
"""How addresses begin that web pages of any origin may read; whoever is asked for a token there has to say it."""

RoomId = Callable[[str], Awaitable[str | None]]
"""Gives a channel's room id, as the tag `room-id` shows it; None if there is no such account."""

_PLAIN = re.compile(r"[^:/\[\]\s]+:[0-9]{1,5}")
_CALLBACK = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*(\.[A-Za-z_$][A-Za-z0-9_$]*)*")
_LONGEST_CALLBACK = 100


class Servers(msgspec.Struct, frozen=True):
    """What clients of 2016 read: exactly these three keys (HTTP-servers)."""

    cluster: str
    servers: tuple[str, ...]
    websockets_servers: tuple[str, ...]


class Place(msgspec.Struct, frozen=True):
    """A channel in a bulk answer."""

    cluster: str
    epoch: int
    draining: bool


class ServerLists(msgspec.Struct, frozen=True):
    """A cluster in a bulk answer."""

    servers: tuple[str, ...]
    websockets_servers: tuple[str, ...]


class Bulk(msgspec.Struct, frozen=True):
    """Many channels at once, each cluster's addresses said once (HTTP-bulk)."""

    channels: dict[str, Place]
    clusters: dict[str, ServerLists]


class Properties(msgspec.Struct, frozen=True):
    """The older look-up, which the web client of 2016 used (HTTP-properties)."""

    id: int | str = msgspec.field(name="_id")
    cluster: str
    chat_servers: tuple[str, ...]
    web_socket_servers: tuple[str, ...]
    darklaunch_pct: int = 0
    subsonly: bool = False


class BulkRequest(BaseModel):
    """The channels asked for."""

    channels: list[str] = Field(description=f"Up to {MAX_CHANNELS} channels, with or without #.")


def server_lists(addresses: Addresses) -> ServerLists:
    """A cluster's addresses as clients of 2016 can read them: `host:port`, no scheme, no IPv6 literal."""
    return ServerLists(
        tuple(entry for entry in addresses.tcp if _PLAIN.fullmatch(entry)),
        tuple(entry for entry in addresses.ws if _PLAIN.fullmatch(entry)),
    )


class Directory:
    """Answers where channels are."""

    def __init__(self, store: Store, addresses: Mapping[str, Addresses], room_id: RoomId) -> None:
        """Take what it reads.

        Args:
            addresses: public addresses of each configured cluster; read at each request.
            room_id: gives a channel's room id.
        """
        self._store = store
        self._addresses = addresses
        self._room_id = room_id

    def _servers(self, cluster: str) -> Servers:
        addresses = self._addresses.get(cluster)
        lists = server_lists(addresses) if addresses is not None else None
        if lists is None or not (lists.servers or lists.websockets_servers):
            # Clients take the first element of a list without looking whether there is one.
            raise HTTPException(503, f"no address is known for the cluster {cluster}")
        return Servers(cluster, lists.servers, lists.websockets_servers)

    async def channel(self, name: str) -> Servers:
        """Where one channel is; the default cluster for a channel nobody placed.

        Raises:
            UnknownChannel: the name cannot be a channel.
        """
        channel = channel_name(name, rooms=True)
        if is_room(channel):
            return self._servers(GROUP)
        return self._servers((await self._store.placement(channel)).segment.cluster)

    async def cluster(self, name: str | None) -> Servers:
        """The addresses of a cluster, of the default one if none is named.

        Raises:
            UnknownCluster: no cluster has that name.
        """
        if name is None:
            return self._servers((await self._store.default_placement()).cluster)
        return self._servers(cluster_name(name, self._addresses))

    async def many(self, names: Sequence[str]) -> Bulk:
        """Where many channels are; each is answered under its name in lower case, without `#`.

        Raises:
            UnknownChannel: a name cannot be a channel; the first such one is told.
            InvalidRequest: too many channels.
        """
        if len(names) > MAX_CHANNELS:
            raise InvalidRequest(f"{len(names)} channels in one request: ask for at most {MAX_CHANNELS} at once")
        wanted = list(dict.fromkeys(channel_name(name, rooms=True) for name in names))
        placements = await self._store.placements([name for name in wanted if not is_room(name)])
        placed = {
            placement.channel: Place(placement.segment.cluster, placement.segment.epoch, placement.phase == "draining")
            for placement in placements
        }
        channels = {name: placed.get(name) or Place(GROUP, 1, False) for name in wanted}
        used = dict.fromkeys(place.cluster for place in channels.values())
        return Bulk(channels, {cluster: server_lists(self._addresses.get(cluster, Addresses())) for cluster in used})

    async def properties(self, login: str) -> Properties:
        """The older look-up.

        Raises:
            UnknownChannel: the name cannot be a channel.
            HTTPException: 404, there is no such channel.
        """
        name = channel_name(login, rooms=True)
        room_id = None if is_room(name) else await self._room_id(name)
        if room_id is None:
            raise HTTPException(404, f"there is no channel {name}")
        servers = await self.channel(name)
        settings = [row for row in await self._store.sanctions(name) if row.target == "subs-only" and row.position]
        return Properties(
            numbered(room_id),
            servers.cluster,
            servers.servers,
            servers.websockets_servers,
            subsonly=any(row.seconds == 1 for row in settings[-1:]),
        )


def answer(value: msgspec.Struct, callback: str | None) -> Response:
    """`value` as JSON, or as JSONP if a callback is named.

    Raises:
        InvalidRequest: the callback's name is not a plain dotted JavaScript name.
    """
    body = msgspec.json.encode(value)
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if not callback:
        return Response(body, headers=headers, media_type="application/json")
    if len(callback) > _LONGEST_CALLBACK or not _CALLBACK.fullmatch(callback):
        raise InvalidRequest(f"{shown(callback)} cannot be a callback: use a name such as handle or app.handle")
    # The comment in front keeps the answer from being taken for another type of file by its first bytes.
    script = b"/**/" + callback.encode() + b"(" + body + b");"
    return Response(script, headers=headers, media_type="application/javascript")


_Callback = Annotated[str | None, Query(description="Name of a JavaScript function: the answer is JSONP.")]


def router(directory: Directory) -> APIRouter:
    """The directory's routes."""
    routes = APIRouter(tags=["directory"])

    @routes.get("/servers", summary="Where a channel is, or how a cluster is reached")
    async def servers(
        channel: Annotated[list[str] | None, Query(description="A channel; several give the bulk form.")] = None,
        cluster: Annotated[str | None, Query(description="A cluster, if no channel is named.")] = None,
        callback: _Callback = None,
    ) -> Response:
        """Answer `cluster`, `servers`, `websockets_servers`; other parameters are ignored (HTTP-servers)."""
        if channel and len(channel) > 1:
            return answer(await directory.many(channel), callback)
        if channel:
            return answer(await directory.channel(channel[0]), callback)
        return answer(await directory.cluster(cluster), callback)

    @routes.post("/servers", summary="Where many channels are")
    async def bulk(request: BulkRequest) -> Response:
        """Answer `channels` with cluster, epoch and draining, and `clusters` with addresses (HTTP-bulk)."""
        return answer(await directory.many(request.channels), None)

    @routes.get("/api/channels/{login}/chat_properties", summary="The older look-up")
    async def chat_properties(login: str, callback: _Callback = None) -> Response:
        """Answer what the web client of 2016 asked for (HTTP-properties)."""
        return answer(await directory.properties(login), callback)

    return routes


class OpenToAll:
    """ASGI middleware: lets web pages of any origin read what is public, and nothing else (HTTP-servers)."""

    def __init__(self, app: ASGIApp, also: Collection[str] = ()) -> None:
        """Take what it opens.

        Args:
            also: public addresses besides the directory's.
        """
        self._app = app
        self._also = also
        self._open = CORSMiddleware(app, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path = scope.get("path", "")
        public = path in self._also or path.startswith(OPEN) or path == "/servers"
        app = self._open if public else self._app
        await app(scope, receive, send)
