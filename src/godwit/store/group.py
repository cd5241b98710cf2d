"""Group rooms, memberships and whispers in SQL. What changes a room begins with the lock of its row."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, delete, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from godwit.store.database import CHUNK, Database, chunks, structs
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
from godwit.store.schema import counters, group_rooms, room_members, room_news, whispers
from godwit.values import GROUP, Segment

_NEWS = "room news"
"""Name of the counter."""


def _room(row: Row[Any]) -> GroupRoom:
    return GroupRoom(row.name, row.owner, row.display_name, row.public_invites, row.created)


def _segment(row: Row[Any]) -> Segment | None:
    return Segment(GROUP, row.epoch, 0, row.stream, row.unclean) if row.epoch else None


class Group(Database):
    """The part of `SqlStore` about group chat."""

    # rooms ----------------------------------------------------------------------------------

    async def add_room(self, room: GroupRoom) -> bool:
        """Add a room, with its owner as its first member; says whether the name was free."""
        new = self._insert_new(group_rooms).values(**msgspec.to_builtins(room), epoch=0, stream="", unclean=False)

        async def work(connection: AsyncConnection) -> bool:
            if not (await connection.execute(new)).rowcount:
                return False
            await connection.execute(insert(room_members).values(msgspec.to_builtins(first_membership(room))))
            await self._tell(connection, "changed", room.name, (room.owner,), "")
            return True

        return await self._write(work)

    async def group_rooms(self, names: Sequence[str]) -> list[GroupRoom | None]:
        """Rooms by name, in the order asked for."""

        async def work(connection: AsyncConnection) -> dict[str, GroupRoom]:
            found: dict[str, GroupRoom] = {}
            for some in chunks(names):
                for row in await connection.execute(select(group_rooms).where(group_rooms.c.name.in_(some))):
                    found[row.name] = _room(row)
            return found

        found = await self._read(work)
        return [found.get(name) for name in names]

    async def rooms_of(self, owner: str) -> list[GroupRoom]:
        """The rooms that an account has made, by name."""
        query = select(group_rooms).where(group_rooms.c.owner == owner).order_by(group_rooms.c.name)
        return [_room(row) for row in await self._fetch(query)]

    async def set_room(
        self, name: str, *, display_name: str | None = None, public_invites: bool | None = None, by: str = ""
    ) -> GroupRoom | None:
        """Change what is given; returns the room as it is then."""
        changes: dict[str, Any] = {}
        if display_name is not None:
            changes["display_name"] = display_name
        if public_invites is not None:
            changes["public_invites"] = public_invites

        async def work(connection: AsyncConnection) -> GroupRoom | None:
            if await self._locked_room(connection, name) is None:
                return None
            if changes:
                await connection.execute(update(group_rooms).where(group_rooms.c.name == name).values(changes))
            row = await self._locked_room(connection, name)
            assert row is not None
            concerned = users(await self._members(connection, name))
            await self._tell(connection, "changed", name, concerned, by)
            return _room(row)

        return await self._write(work)

    async def remove_room(self, name: str, *, by: str = "") -> bool:
        """Remove a room with its memberships; says whether it was there."""

        async def work(connection: AsyncConnection) -> bool:
            if await self._locked_room(connection, name) is None:
                return False
            await self._remove(connection, name, by)
            return True

        return await self._write(work)

    async def stand(self, streams: Mapping[str, str]) -> dict[str, Segment]:
        """Where rooms are; one whose segment lies in another log goes on in a new one."""

        async def look(connection: AsyncConnection) -> dict[str, Segment | None]:
            found: dict[str, Segment | None] = {}
            for names in chunks(streams):
                for row in await connection.execute(select(group_rooms).where(group_rooms.c.name.in_(names))):
                    found[row.name] = _segment(row)
            return found

        async def work(connection: AsyncConnection) -> dict[str, Segment]:
            found: dict[str, Segment] = {}
            for name in sorted(streams):
                row = await self._locked_room(connection, name)
                if row is None:
                    continue
                found[name] = to = stands(_segment(row), streams[name])
                here = update(group_rooms).where(group_rooms.c.name == name)
                await connection.execute(here.values(epoch=to.epoch, stream=to.stream, unclean=to.unclean))
            return found

        known = await self._read(look)
        standing = {name: at for name, at in known.items() if at is not None and at.stream == streams[name]}
        return standing if len(standing) == len(known) else await self._write(work)

    async def _locked_room(self, connection: AsyncConnection, name: str) -> Row[Any] | None:
        query = select(group_rooms).where(group_rooms.c.name == name).with_for_update()
        return (await connection.execute(query)).one_or_none()

    async def _remove(self, connection: AsyncConnection, name: str, by: str) -> None:
        concerned = users(await self._members(connection, name))
        await connection.execute(delete(room_members).where(room_members.c.room == name))
        await connection.execute(delete(group_rooms).where(group_rooms.c.name == name))
        await self._tell(connection, "deleted", name, concerned, by)

    async def _forget_member(self, connection: AsyncConnection, user_id: str) -> None:
        """End all that an account has in rooms, and the rooms that it has made."""
        own = select(group_rooms.c.name).where(group_rooms.c.owner == user_id).order_by(group_rooms.c.name)
        for name in (await connection.scalars(own.with_for_update())).all():
            await self._remove(connection, name, "")
        await connection.execute(delete(room_members).where(room_members.c.user_id == user_id))

    # memberships ----------------------------------------------------------------------------

    async def invite(self, membership: Membership, *, by: str = "") -> Membership | None:
        """Add a membership, or return the one that there is; None if there is no such room."""
        new = self._insert_new(room_members).values(msgspec.to_builtins(membership))

        async def work(connection: AsyncConnection) -> Membership | None:
            if await self._locked_room(connection, membership.room) is None:
                return None
            if (await connection.execute(new)).rowcount:
                await self._tell(connection, "invited", membership.room, (membership.user_id,), by)
            return await self._membership(connection, membership.room, membership.user_id)

        return await self._write(work)

    async def confirm(self, room: str, user_id: str) -> Membership | None:
        """Accept an invitation; returns the membership as it is then."""
        one = (room_members.c.room == room, room_members.c.user_id == user_id)
        waiting = update(room_members).where(*one, room_members.c.confirmed.is_(False)).values(confirmed=True)

        async def work(connection: AsyncConnection) -> Membership | None:
            if (await connection.execute(waiting)).rowcount:
                await self._tell(connection, "changed", room, (user_id,), "")
            return await self._membership(connection, room, user_id)

        return await self._write(work)

    async def end_membership(self, room: str, user_id: str, *, by: str = "") -> bool:
        """End a membership or refuse an invitation; says whether there was one."""
        one = delete(room_members).where(room_members.c.room == room, room_members.c.user_id == user_id)

        async def work(connection: AsyncConnection) -> bool:
            if not (await connection.execute(one)).rowcount:
                return False
            await self._tell(connection, "left", room, (user_id,), by)
            return True

        return await self._write(work)

    async def memberships(self, user_id: str) -> list[Membership]:
        """All memberships of an account, by room."""
        query = select(room_members).where(room_members.c.user_id == user_id).order_by(room_members.c.room)
        return structs(await self._fetch(query), Membership)

    async def members(self, room: str) -> list[Membership]:
        """All memberships in a room, by user id."""
        return await self._read(lambda connection: self._members(connection, room))

    async def memberships_among(self, pairs: Sequence[tuple[str, str]]) -> list[Membership | None]:
        """Memberships by room and user id, in the order asked for."""
        key = tuple_(room_members.c.room, room_members.c.user_id)
        wanted = sorted(set(pairs))

        async def work(connection: AsyncConnection) -> dict[tuple[str, str], Membership]:
            found: dict[tuple[str, str], Membership] = {}
            for start in range(0, len(wanted), CHUNK):
                rows = await connection.execute(select(room_members).where(key.in_(wanted[start : start + CHUNK])))
                found |= {(each.room, each.user_id): each for each in structs(rows, Membership)}
            return found

        found = await self._read(work) if wanted else {}
        return [found.get(pair) for pair in pairs]

    async def _members(self, connection: AsyncConnection, room: str) -> list[Membership]:
        query = select(room_members).where(room_members.c.room == room).order_by(room_members.c.user_id)
        return structs(await connection.execute(query), Membership)

    async def _membership(self, connection: AsyncConnection, room: str, user_id: str) -> Membership | None:
        one = select(room_members).where(room_members.c.room == room, room_members.c.user_id == user_id)
        return next(iter(structs(await connection.execute(one), Membership)), None)

    # news -----------------------------------------------------------------------------------

    async def room_news(self, after: int, limit: int = 1000) -> list[RoomNews]:
        """News after the number `after`, oldest first."""
        query = select(room_news).where(room_news.c.number > after).order_by(room_news.c.number).limit(limit)
        rows = await self._fetch(query)
        return [RoomNews(row.number, row.kind, row.room, tuple(row.users), row.by) for row in rows]

    async def last_room_news(self) -> int:
        """The highest number of them, 0 before the first."""
        rows = await self._fetch(select(counters.c.value).where(counters.c.name == _NEWS))
        return rows[0].value if rows else 0

    async def _tell(
        self, connection: AsyncConnection, kind: NewsKind, room: str, concerned: Collection[str], by: str
    ) -> None:
        """Add news, as the last thing of a transaction: others wait for the counter's row from here on."""
        await connection.execute(self._insert_new(counters).values(name=_NEWS, value=0))
        counter = update(counters).where(counters.c.name == _NEWS).values(value=counters.c.value + 1)
        number: int = (await connection.execute(counter.returning(counters.c.value))).scalar_one()
        values = {"kind": kind, "room": room, "users": list(concerned), "by": by}
        await connection.execute(insert(room_news).values(number=number, **values))
        await connection.execute(delete(room_news).where(room_news.c.number <= number - KEPT_NEWS))

    # whispers -------------------------------------------------------------------------------

    async def next_whisper(self, thread: str) -> int:
        """Count a whisper in its thread; returns its number."""
        one_more = update(whispers).where(whispers.c.thread == thread).values(count=whispers.c["count"] + 1)

        async def work(connection: AsyncConnection) -> int:
            await connection.execute(self._insert_new(whispers).values(thread=thread, count=0))
            number: int = (await connection.execute(one_more.returning(whispers.c["count"]))).scalar_one()
            return number

        return await self._write(work)
