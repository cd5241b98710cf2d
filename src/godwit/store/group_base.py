"""The part of the store about group chat, as a port: rooms with their members, and whispers.

Part of `base.Store`, and of its conformance suite (`tests/conformance/group.py`). As there: no clock, no random
number, `StoreUnavailable` when there is no answer, and every write may be repeated.

A room lives on the cluster of group chat for good, so it has no placement: no move and no rollout ever sees one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from godwit.values import GROUP, Segment

KEPT_NEWS = 100_000
"""News of rooms that are kept; who looks every second misses none."""

NewsKind = Literal["invited", "changed", "left", "deleted"]
"""What happened: an invitation, a change of the room or of a membership, the end of a membership, or of the room."""


class GroupRoom(msgspec.Struct, frozen=True):
    """A group room.

    Attributes:
        name: `_`, the owner's login, `_`, 13 digits.
        owner: user id of who made it.
        public_invites: every member may invite, not only its owner and moderators.
        created: when, in seconds since the Unix epoch.
    """

    name: str
    owner: str
    display_name: str = ""
    public_invites: bool = False
    created: float = 0.0


class Membership(msgspec.Struct, frozen=True):
    """Somebody's place in a group room.

    Attributes:
        confirmed: the invitation was accepted; before that nothing of the room is shown.
        inviter: user id of who invited; the owner's own for the owner.
        created: when it was written, in seconds since the Unix epoch.
    """

    room: str
    user_id: str
    confirmed: bool = False
    inviter: str = ""
    created: float = 0.0


class RoomNews(msgspec.Struct, frozen=True, gc=False):
    """Something that connections to group chat are to hear of.

    Attributes:
        number: grows with each, in the order in which they were written.
        users: user ids of those whom it concerns.
        by: login of who did it.
    """

    number: int
    kind: NewsKind
    room: str
    users: tuple[str, ...]
    by: str = ""


class GroupChat(Protocol):
    """What the store knows of group chat. All that changes a room or a membership is told as news."""

    # rooms ----------------------------------------------------------------------------------

    async def add_room(self, room: GroupRoom) -> bool:
        """Add a room, with its owner as its first member; says whether the name was free."""
        ...

    async def group_rooms(self, names: Sequence[str]) -> list[GroupRoom | None]:
        """Rooms by name, in the order asked for."""
        ...

    async def rooms_of(self, owner: str) -> list[GroupRoom]:
        """The rooms that an account has made, by name."""
        ...

    async def set_room(
        self, name: str, *, display_name: str | None = None, public_invites: bool | None = None, by: str = ""
    ) -> GroupRoom | None:
        """Change what is given; returns the room as it is then, None if there is none. Its members are told."""
        ...

    async def remove_room(self, name: str, *, by: str = "") -> bool:
        """Remove a room with its memberships; says whether it was there. Its members are told, invited ones too."""
        ...

    async def stand(self, streams: Mapping[str, str]) -> dict[str, Segment]:
        """Where rooms are: segments on the cluster of group chat; without those that are no rooms.

        A room that nobody wrote to begins with epoch 1. One whose segment lies in another log has been lost with it,
        and goes on in a new segment: its epoch grows by 2, and it is unclean (rules L2, C8).

        Args:
            streams: room -> creation id of the log that is to hold it now.
        """
        ...

    # memberships ----------------------------------------------------------------------------

    async def invite(self, membership: Membership, *, by: str = "") -> Membership | None:
        """Add a membership, or return the one that there is; None if there is no such room. Who is new is told."""
        ...

    async def confirm(self, room: str, user_id: str) -> Membership | None:
        """Accept an invitation; returns the membership as it is then, None if there is none."""
        ...

    async def end_membership(self, room: str, user_id: str, *, by: str = "") -> bool:
        """End a membership or refuse an invitation; says whether there was one. Who had it is told."""
        ...

    async def memberships(self, user_id: str) -> list[Membership]:
        """All memberships of an account, confirmed or not, by room."""
        ...

    async def members(self, room: str) -> list[Membership]:
        """All memberships in a room, by user id."""
        ...

    async def memberships_among(self, pairs: Sequence[tuple[str, str]]) -> list[Membership | None]:
        """Memberships by room and user id, in the order asked for."""
        ...

    # news -----------------------------------------------------------------------------------

    async def room_news(self, after: int, limit: int = 1000) -> list[RoomNews]:
        """News after the number `after`, oldest first; very old ones are not kept."""
        ...

    async def last_room_news(self) -> int:
        """The highest number of them, 0 before the first."""
        ...

    # whispers -------------------------------------------------------------------------------

    async def next_whisper(self, thread: str) -> int:
        """Count a whisper in its thread; returns its number, from 1. Called again it counts again."""
        ...


def first_membership(room: GroupRoom) -> Membership:
    """The membership that a room begins with: its owner's."""
    return Membership(room.name, room.owner, True, room.owner, room.created)


def users(members: Collection[Membership]) -> tuple[str, ...]:
    """Whose memberships these are."""
    return tuple(sorted(member.user_id for member in members))


def stands(segment: Segment | None, stream: str) -> Segment:
    """A room's segment, once it lies in the log with that creation id."""
    if segment is None:
        return Segment(GROUP, 1, 0, stream)
    return segment if segment.stream == stream else Segment(GROUP, segment.epoch + 2, 0, stream, unclean=True)
