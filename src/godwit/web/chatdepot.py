"""Group rooms and who is in them, for their members: rooms are made, people invited (HTTP-chatdepot).

Whoever calls says who he is by the token with which he logs in to chat.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from urllib.parse import parse_qsl, quote

import msgspec
from fastapi import APIRouter, Depends, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from godwit.clock import Clock
from godwit.errors import IdentityUnavailable, InvalidRequest
from godwit.store.base import AuditEntry, Sanction, Store, in_force
from godwit.store.group_base import GroupRoom, Membership
from godwit.values import GROUP, Account, Addresses, is_room
from godwit.web.directory import server_lists
from godwit.web.names import login_name, numbered, shown
from godwit.web.plain import check

MOST_ROOMS = 50
"""Rooms that an account may have made."""

MOST_MEMBERS = 500
"""Members of a room, invited ones too."""

LONGEST_NAME = 100
"""Characters of a room's display name."""

Caller = tuple[Account, bool]
"""Who calls, and whether he may change anything."""

Identify = Callable[[str, str], Awaitable[Caller | None]]
"""Says whose token it is (without `oauth:`), given the login if that was told, or ''; None if it lets nobody in."""


class RoomView(msgspec.Struct, frozen=True):
    """A room, as clients of 2016 read it."""

    irc_channel: str
    owner_id: int | str
    display_name: str
    public_invites_enabled: bool
    cluster: str
    servers: tuple[str, ...]
    chatters_list_url: str


class UserView(msgspec.Struct, frozen=True):
    """Whose membership it is."""

    id: int | str


class MembershipView(msgspec.Struct, frozen=True):
    """A membership, as clients of 2016 read it."""

    room: RoomView
    user: UserView
    is_owner: bool
    is_mod: bool
    is_confirmed: bool
    is_banned: bool
    created_at: int


class MembershipsView(msgspec.Struct, frozen=True):
    """Those of one account."""

    memberships: tuple[MembershipView, ...]


class RoomsView(msgspec.Struct, frozen=True):
    """The rooms that one account has made."""

    rooms: tuple[RoomView, ...]


class Rooms:
    """What may be done with rooms, and by whom.

    Args:
        addresses: public addresses of each cluster; read at each request.
    """

    def __init__(self, store: Store, clock: Clock, addresses: Mapping[str, Addresses]) -> None:
        self._store = store
        self._clock = clock
        self._addresses = addresses

    # looking ----------------------------------------------------------------------------------

    async def memberships(self, me: Account, base: str) -> MembershipsView:
        """All of an account's, confirmed or not."""
        return MembershipsView(await self._shown(await self._store.memberships(me.user_id), base))

    async def own(self, me: Account, base: str) -> RoomsView:
        """The rooms that an account has made."""
        return RoomsView(tuple(self._room(room, base) for room in await self._store.rooms_of(me.user_id)))

    async def room(self, me: Account, name: str, base: str) -> RoomView:
        """A room, for its members and those who are invited."""
        room, _ = await self._mine(me, name)
        return self._room(room, base)

    # rooms ------------------------------------------------------------------------------------

    async def create(self, me: Account, display_name: str, public: bool, base: str) -> RoomView:
        """Make a room.

        Raises:
            HTTPException: 409, there are too many already.
        """
        if len(await self._store.rooms_of(me.user_id)) >= MOST_ROOMS:
            raise HTTPException(409, f"you have made {MOST_ROOMS} rooms: remove one of them first")
        now = self._clock.now()
        millis = int(now * 1000)
        while True:
            room = GroupRoom(f"_{me.login}_{millis:013d}", me.user_id, display_name or me.login, public, now)
            if await self._store.add_room(room):
                await self._audit(me, "room add", room.name)
                return self._room(room, base)
            millis += 1

    async def change(
        self, me: Account, name: str, display_name: str | None, public: bool | None, base: str
    ) -> RoomView:
        """Change a room of one's own."""
        await self._owned(me, name)
        room = await self._store.set_room(name, display_name=display_name, public_invites=public, by=me.login)
        if room is None:
            raise _no_room(name)
        return self._room(room, base)

    async def remove(self, me: Account, name: str) -> None:
        """Remove a room of one's own."""
        await self._owned(me, name)
        await self._store.remove_room(name, by=me.login)
        await self._audit(me, "room remove", name)

    # memberships ------------------------------------------------------------------------------

    async def invite(self, me: Account, name: str, login: str, base: str) -> MembershipView:
        """Invite somebody; one who is there already is left as he is.

        Raises:
            HTTPException: 403, who calls may not; 404, there is nobody of that name; 409, the room is full, or he
                is banned from it.
        """
        room, mine = await self._mine(me, name)
        rows = await self._rows(name)
        may = room.public_invites or room.owner == me.user_id or _is_mod(rows, me.user_id)
        if not (mine.confirmed and may):
            raise HTTPException(403, f"you may not invite anybody to {name}")
        account = await self._store.account(login_name(login))
        if account is None:
            raise HTTPException(404, f"there is no account {shown(login)}")
        if _last(rows, account.user_id, "ban", "timeout", "lift") == "ban":
            raise HTTPException(409, f"{account.login} is banned from {name}: lift that first")
        members = await self._store.members(name)
        if len(members) >= MOST_MEMBERS and account.user_id not in {member.user_id for member in members}:
            raise HTTPException(409, f"{name} has {MOST_MEMBERS} members, and cannot have more")
        new = Membership(name, account.user_id, False, me.user_id, self._clock.now())
        found = await self._store.invite(new, by=me.login)
        if found is None:
            raise _no_room(name)
        return (await self._shown([found], base))[0]

    async def accept(self, me: Account, name: str, user_id: str, base: str) -> MembershipView:
        """Accept an invitation of one's own."""
        if user_id != me.user_id:
            raise HTTPException(403, "an invitation is accepted by who is invited")
        await self._mine(me, name)
        found = await self._store.confirm(name, user_id)
        if found is None:
            raise _no_room(name)
        return (await self._shown([found], base))[0]

    async def end(self, me: Account, name: str, user_id: str) -> None:
        """Decline an invitation, leave, or put somebody out who has no more to say than who calls."""
        room, _ = await self._mine(me, name)
        if user_id == room.owner:
            raise HTTPException(409, "who has made a room stays in it: remove the room instead")
        rows = await self._rows(name)
        if user_id != me.user_id and not (
            room.owner == me.user_id or (_is_mod(rows, me.user_id) and not _is_mod(rows, user_id))
        ):
            raise HTTPException(403, f"you may not put anybody out of {name}")
        if not await self._store.end_membership(name, user_id, by=me.login):
            raise HTTPException(404, f"{shown(user_id)} is no member of {name}")
        if user_id != me.user_id:
            await self._audit(me, "room put out", name, user_id)

    # inside -----------------------------------------------------------------------------------

    async def _mine(self, me: Account, name: str) -> tuple[GroupRoom, Membership]:
        """A room with the caller's membership; to anybody else it is as if there was none."""
        (room,) = await self._store.group_rooms([name])
        (membership,) = await self._store.memberships_among([(name, me.user_id)])
        if room is None or membership is None:
            raise _no_room(name)
        return room, membership

    async def _owned(self, me: Account, name: str) -> None:
        room, _ = await self._mine(me, name)
        if room.owner != me.user_id:
            raise HTTPException(403, f"{name} is not yours")

    async def _rows(self, name: str) -> list[Sanction]:
        return in_force(await self._store.sanctions(name), self._clock.now())

    async def _shown(self, memberships: Sequence[Membership], base: str) -> tuple[MembershipView, ...]:
        names = [membership.room for membership in memberships]
        rooms = await self._store.group_rooms(names)
        found = await self._store.sanctions_among(names)
        rulings = {name: in_force(rows, self._clock.now()) for name, rows in found.items()}
        return tuple(
            MembershipView(
                self._room(room, base),
                UserView(numbered(each.user_id)),
                is_owner=room.owner == each.user_id,
                is_mod=_is_mod(rulings.get(each.room, ()), each.user_id),
                is_confirmed=each.confirmed,
                is_banned=_last(rulings.get(each.room, ()), each.user_id, "ban", "timeout", "lift") == "ban",
                created_at=int(each.created),
            )
            for each, room in zip(memberships, rooms, strict=True)
            if room is not None
        )

    def _room(self, room: GroupRoom, base: str) -> RoomView:
        return RoomView(
            room.name,
            numbered(room.owner),
            room.display_name,
            room.public_invites,
            GROUP,
            server_lists(self._addresses.get(GROUP, Addresses())).servers,
            f"{base}group/user/{quote(room.name)}/chatters",
        )

    async def _audit(self, me: Account, action: str, room: str, details: str = "") -> None:
        await self._store.audit(AuditEntry(self._clock.now(), me.login, action, room, details=details))


def _no_room(name: str) -> HTTPException:
    return HTTPException(404, f"there is no room {shown(name)}, or you are not in it")


def _last(rows: Sequence[Sanction], user_id: str, *kinds: str) -> str:
    """The kind of the last of these rows about an account; '' for none."""
    found = [row.kind for row in rows if row.target == user_id and row.kind in kinds]
    return found[-1] if found else ""


def _is_mod(rows: Sequence[Sanction], user_id: str) -> bool:
    return _last(rows, user_id, "mod", "unmod", "vip", "unvip") == "mod"


class Call:
    """A request of somebody who has said who he is.

    Attributes:
        me: who.
        fields: what the address and the form say.
        base: how this server was called.
    """

    def __init__(self, me: Account, fields: Mapping[str, str], base: str) -> None:
        self.me = me
        self.fields = fields
        self.base = base

    def flag(self, name: str) -> bool | None:
        """A field that is yes or no; None if it is not there.

        Raises:
            InvalidRequest: it is neither.
        """
        text = self.fields.get(name)
        if text is None:
            return None
        if text.lower() not in ("0", "1", "true", "false"):
            raise InvalidRequest(f"{name} = {shown(text)} cannot be: send 1 or 0")
        return text.lower() in ("1", "true")

    def display_name(self) -> str | None:
        """The name that a room is to have; None if none is named.

        Raises:
            InvalidRequest: it cannot be shown.
        """
        name = self.fields.get("display_name")
        if name is None:
            return None
        check(name, "display_name")
        if len(name) > LONGEST_NAME:
            raise InvalidRequest(f"display_name: {len(name)} characters are too many: {LONGEST_NAME} at most")
        return name.strip()


def room_name(text: str) -> str:
    """Read a room's name.

    Raises:
        InvalidRequest: it cannot be one.
    """
    name = text.removeprefix("#").lower()
    if not is_room(name):
        raise InvalidRequest(f"{shown(text)} cannot be a room: rooms are named _OWNER_ and 13 digits")
    return name


def router(rooms: Rooms, identify: Identify) -> APIRouter:
    """The routes, for whoever has a token."""
    routes = APIRouter(tags=["group chat"])

    async def called(request: Request) -> Call:
        body = (await request.body()).decode("utf-8", "replace") if request.method != "GET" else ""
        try:
            sent = dict(parse_qsl(body, keep_blank_values=True, max_num_fields=100))
        except ValueError as error:
            raise InvalidRequest("the form has too many fields") from error
        fields = {**sent, **dict(request.query_params)}
        header = request.headers.get("authorization", "").partition(" ")[2].strip()
        token = (fields.get("oauth_token") or header).removeprefix("oauth:")
        try:
            caller = await identify(token, fields.get("login", "").lower()) if token else None
        except IdentityUnavailable as error:
            raise HTTPException(503, "nobody can say now whose token it is; try again", {"Retry-After": "1"}) from error
        if caller is None:
            raise HTTPException(401, "send oauth_token=TOKEN with the token that you log in to chat with")
        if request.method != "GET" and not caller[1]:
            raise HTTPException(403, "the token may only read: it lacks the scope chat:edit")
        return Call(caller[0], fields, str(request.base_url))

    caller = Depends(called)

    @routes.get("/room_memberships", summary="The rooms that one is in or invited to")
    async def memberships(call: Call = caller) -> Response:
        """Answer all memberships of who calls (HTTP-chatdepot)."""
        return _json(await rooms.memberships(call.me, call.base))

    @routes.post("/room_memberships", summary="Invite somebody")
    async def invite(call: Call = caller) -> Response:
        """Invite `username` to `irc_channel` (HTTP-chatdepot)."""
        name = room_name(call.fields.get("irc_channel", ""))
        return _json(await rooms.invite(call.me, name, call.fields.get("username", ""), call.base))

    @routes.put("/room_memberships/{room}/{user_id}", summary="Accept an invitation")
    async def accept(room: str, user_id: str, call: Call = caller) -> Response:
        """Accept an invitation, with `is_confirmed=1` (HTTP-chatdepot)."""
        if not call.flag("is_confirmed"):
            raise InvalidRequest("send is_confirmed=1 to accept; DELETE declines")
        return _json(await rooms.accept(call.me, room_name(room), user_id, call.base))

    @routes.delete("/room_memberships/{room}/{user_id}", status_code=204, summary="Decline, leave, or put somebody out")
    async def end(room: str, user_id: str, call: Call = caller) -> Response:
        """End a membership (HTTP-chatdepot)."""
        await rooms.end(call.me, room_name(room), user_id)
        return Response(status_code=204)

    @routes.get("/rooms", summary="The rooms that one has made")
    async def own(call: Call = caller) -> Response:
        """Answer the rooms of who calls (HTTP-chatdepot)."""
        return _json(await rooms.own(call.me, call.base))

    @routes.get("/rooms/{room}", summary="A room that one is in")
    async def one(room: str, call: Call = caller) -> Response:
        """Answer a room (HTTP-chatdepot)."""
        return _json(await rooms.room(call.me, room_name(room), call.base))

    @routes.post("/rooms", summary="Make a room")
    async def create(call: Call = caller) -> Response:
        """Make a room, with `display_name` and perhaps `public_invites_enabled` (HTTP-chatdepot)."""
        public = call.flag("public_invites_enabled") or False
        return _json(await rooms.create(call.me, call.display_name() or "", public, call.base))

    @routes.put("/rooms/{room}", summary="Change a room")
    async def change(room: str, call: Call = caller) -> Response:
        """Change what is named of a room (HTTP-chatdepot)."""
        public = call.flag("public_invites_enabled")
        return _json(await rooms.change(call.me, room_name(room), call.display_name(), public, call.base))

    @routes.delete("/rooms/{room}", status_code=204, summary="Remove a room")
    async def remove(room: str, call: Call = caller) -> Response:
        """Remove a room with all memberships (HTTP-chatdepot)."""
        await rooms.remove(call.me, room_name(room))
        return Response(status_code=204)

    return routes


def _json(value: msgspec.Struct) -> Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(msgspec.json.encode(value), headers=headers, media_type="application/json")
