"""Group rooms, memberships and whispers in dictionaries; part of `MemoryStore`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from godwit.store.group_base import (
    KEPT_NEWS,
    GroupRoom,
    Membership,
    NewsKind,
    RoomNews,
    first_membership,
    stands,
    users,
)
from godwit.values import Segment


class MemoryGroup:
    """Rooms with their members, and what was told of them."""

    def __init__(self) -> None:
        self._group_rooms: dict[str, GroupRoom] = {}
        self._room_segments: dict[str, Segment] = {}
        self._members: dict[tuple[str, str], Membership] = {}
        self._room_news: list[RoomNews] = []
        self._threads: dict[str, int] = {}

    # rooms ----------------------------------------------------------------------------------

    async def add_room(self, room: GroupRoom) -> bool:
        """Add a room, with its owner as its first member; says whether the name was free."""
        if room.name in self._group_rooms:
            return False
        self._group_rooms[room.name] = room
        self._members[room.name, room.owner] = first_membership(room)
        self._tell("changed", room.name, (room.owner,))
        return True

    async def group_rooms(self, names: Sequence[str]) -> list[GroupRoom | None]:
        """Rooms by name, in the order asked for."""
        return [self._group_rooms.get(name) for name in names]

    async def rooms_of(self, owner: str) -> list[GroupRoom]:
        """The rooms that an account has made, by name."""
        return [room for _, room in sorted(self._group_rooms.items()) if room.owner == owner]

    async def set_room(
        self, name: str, *, display_name: str | None = None, public_invites: bool | None = None, by: str = ""
    ) -> GroupRoom | None:
        """Change what is given; returns the room as it is then."""
        room = self._group_rooms.get(name)
        if room is None:
            return None
        if display_name is not None:
            room = msgspec.structs.replace(room, display_name=display_name)
        if public_invites is not None:
            room = msgspec.structs.replace(room, public_invites=public_invites)
        self._group_rooms[name] = room
        self._tell("changed", name, users(await self.members(name)), by)
        return room

    async def remove_room(self, name: str, *, by: str = "") -> bool:
        """Remove a room with its memberships; says whether it was there."""
        if self._group_rooms.pop(name, None) is None:
            return False
        concerned = users(await self.members(name))
        self._room_segments.pop(name, None)
        self._members = {key: member for key, member in self._members.items() if key[0] != name}
        self._tell("deleted", name, concerned, by)
        return True

    async def stand(self, streams: Mapping[str, str]) -> dict[str, Segment]:
        """Where rooms are; one whose segment lies in another log goes on in a new one."""
        for name, stream in streams.items():
            if name in self._group_rooms:
                self._room_segments[name] = stands(self._room_segments.get(name), stream)
        return {name: self._room_segments[name] for name in streams if name in self._group_rooms}

    # memberships ----------------------------------------------------------------------------

    async def invite(self, membership: Membership, *, by: str = "") -> Membership | None:
        """Add a membership, or return the one that there is; None if there is no such room."""
        if membership.room not in self._group_rooms:
            return None
        key = membership.room, membership.user_id
        if key not in self._members:
            self._members[key] = membership
            self._tell("invited", membership.room, (membership.user_id,), by)
        return self._members[key]

    async def confirm(self, room: str, user_id: str) -> Membership | None:
        """Accept an invitation; returns the membership as it is then."""
        membership = self._members.get((room, user_id))
        if membership is not None and not membership.confirmed:
            membership = self._members[room, user_id] = msgspec.structs.replace(membership, confirmed=True)
            self._tell("changed", room, (user_id,))
        return membership

    async def end_membership(self, room: str, user_id: str, *, by: str = "") -> bool:
        """End a membership or refuse an invitation; says whether there was one."""
        if self._members.pop((room, user_id), None) is None:
            return False
        self._tell("left", room, (user_id,), by)
        return True

    async def forget_member(self, user_id: str) -> None:
        """End all that an account has in rooms, and the rooms that it has made."""
        for room in await self.rooms_of(user_id):
            await self.remove_room(room.name)
        self._members = {key: member for key, member in self._members.items() if key[1] != user_id}

    async def memberships(self, user_id: str) -> list[Membership]:
        """All memberships of an account, by room."""
        return [member for key, member in sorted(self._members.items()) if key[1] == user_id]

    async def members(self, room: str) -> list[Membership]:
        """All memberships in a room, by user id."""
        return [member for key, member in sorted(self._members.items()) if key[0] == room]

    async def memberships_among(self, pairs: Sequence[tuple[str, str]]) -> list[Membership | None]:
        """Memberships by room and user id, in the order asked for."""
        return [self._members.get(pair) for pair in pairs]

    # news -----------------------------------------------------------------------------------

    async def room_news(self, after: int, limit: int = 1000) -> list[RoomNews]:
        """News after the number `after`, oldest first."""
        return [news for news in self._room_news if news.number > after][:limit]

    async def last_room_news(self) -> int:
        """The highest number of them, 0 before the first."""
        return self._room_news[-1].number if self._room_news else 0

    def _tell(self, kind: NewsKind, room: str, concerned: tuple[str, ...], by: str = "") -> None:
        last = self._room_news[-1].number if self._room_news else 0
        self._room_news.append(RoomNews(last + 1, kind, room, concerned, by))
        del self._room_news[:-KEPT_NEWS]

    # whispers -------------------------------------------------------------------------------

    async def next_whisper(self, thread: str) -> int:
        """Count a whisper in its thread; returns its number."""
        self._threads[thread] = number = self._threads.get(thread, 0) + 1
        return number
