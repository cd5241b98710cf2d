"""What every store knows of group chat: part of `tests/conformance/store.py`."""

from __future__ import annotations

import asyncio

from godwit.store.base import Sanction, Store
from godwit.store.group_base import GroupRoom, Membership, RoomNews
from godwit.values import Account, Position, Segment

NAME = "_ann_1447033529452"
OTHER = "_ann_1447033529453"
ROOM = GroupRoom(NAME, "1", "friends", False, 5.0)


def hosts(name: str, channel: str, kind: str, target: str, place: int | None) -> Sanction:
    """A row that says whom a channel hosts, or that it hosts nobody."""
    position = None if place is None else Position(1, place)
    return Sanction(name, channel, kind, "", target, "op", position=position, time=1.0)  # type: ignore[arg-type]


class GroupSuite:
    """Tests by family; the fixtures are those of `StoreSuite`."""

    # rooms ----------------------------------------------------------------------------------

    async def test_rooms(self, store: Store, rival: Store) -> None:
        """A room begins with its owner, once, and can be changed."""
        assert await store.add_room(ROOM)
        assert not await rival.add_room(GroupRoom(NAME, "2", "mine"))
        assert await rival.add_room(GroupRoom(OTHER, "1"))
        assert await rival.group_rooms([OTHER, "_nobody_1447033529452", NAME]) == [GroupRoom(OTHER, "1"), None, ROOM]
        assert await store.rooms_of("1") == [ROOM, GroupRoom(OTHER, "1")]
        assert await store.rooms_of("2") == []
        assert await rival.members(NAME) == [Membership(NAME, "1", True, "1", 5.0)]
        changed = GroupRoom(NAME, "1", "pals", True, 5.0)
        assert await rival.set_room(NAME, display_name="pals", public_invites=True, by="ann") == changed
        assert await rival.set_room(NAME) == changed
        assert await store.group_rooms([NAME]) == [changed]
        assert await store.set_room("_nobody_1447033529452", display_name="x") is None

    async def test_rooms_are_removed_with_their_members(self, store: Store, rival: Store) -> None:
        """And nothing of another room goes."""
        await store.add_room(ROOM)
        await store.add_room(GroupRoom(OTHER, "1"))
        await store.invite(Membership(NAME, "2", False, "1", 6.0))
        last = await store.last_room_news()
        assert await rival.remove_room(NAME, by="ann")
        assert not await rival.remove_room(NAME)
        assert await store.group_rooms([NAME]) == [None]
        assert await store.members(NAME) == []
        assert [each.room for each in await store.memberships("1")] == [OTHER]
        assert await store.room_news(last) == [RoomNews(last + 1, "deleted", NAME, ("1", "2"), "ann")]

    async def test_where_rooms_are(self, store: Store, rival: Store) -> None:
        """L2, C8: in the log that there is; if that is another one, in a new segment."""
        await store.add_room(ROOM)
        first = Segment("group", 1, 0, "g1")
        assert await store.stand({NAME: "g1", "_nobody_1447033529452": "g1"}) == {NAME: first}
        assert await rival.stand({NAME: "g1"}) == {NAME: first}
        second = Segment("group", 3, 0, "g2", unclean=True)
        assert await rival.stand({NAME: "g2"}) == {NAME: second}
        assert await store.stand({NAME: "g2"}) == {NAME: second}
        assert await store.stand({}) == {}

    async def test_nothing_that_moves_sees_a_room(self, store: Store) -> None:
        """They have no placements."""
        await store.set_default(Segment("main", 1, 0, "m1"), hold_until=0.0)
        await store.add_room(ROOM)
        await store.stand({NAME: "g1"})
        assert await store.rows() == []
        assert await store.reopen({"group": "g2"}) == 0

    # memberships ----------------------------------------------------------------------------

    async def test_memberships(self, store: Store, rival: Store) -> None:
        """Invited, confirmed, ended."""
        await store.add_room(ROOM)
        bob = Membership(NAME, "2", False, "1", 6.0)
        assert await store.invite(bob, by="ann") == bob
        assert await rival.invite(Membership(NAME, "2", False, "3", 9.0), by="cid") == bob
        assert await rival.invite(Membership("_nobody_1447033529452", "2")) is None
        joined = Membership(NAME, "2", True, "1", 6.0)
        assert await rival.confirm(NAME, "2") == joined
        assert await store.confirm(NAME, "2") == joined
        assert await store.confirm(NAME, "3") is None
        assert await store.memberships("2") == [joined]
        owner = Membership(NAME, "1", True, "1", 5.0)
        assert await store.members(NAME) == [owner, joined]
        pairs = [(NAME, "2"), (OTHER, "2"), (NAME, "1"), (NAME, "2")]
        assert await rival.memberships_among(pairs) == [joined, None, owner, joined]
        assert await rival.memberships_among([]) == []
        assert await store.end_membership(NAME, "2", by="ann")
        assert not await store.end_membership(NAME, "2")
        assert await rival.memberships("2") == []

    async def test_accounts_go_with_what_they_have_in_rooms(self, store: Store) -> None:
        """The rooms that they made, too; others stay."""
        ann = await store.add_account(Account("", "ann"))
        await store.add_room(GroupRoom(NAME, ann.user_id))
        await store.add_room(GroupRoom("_bob_1447033529452", "77"))
        await store.invite(Membership("_bob_1447033529452", ann.user_id))
        await store.remove_account("ann")
        assert await store.memberships(ann.user_id) == []
        assert await store.group_rooms([NAME]) == [None]
        assert [each.user_id for each in await store.members("_bob_1447033529452")] == ["77"]

    # news -----------------------------------------------------------------------------------

    async def test_news(self, store: Store, rival: Store) -> None:
        """Everything that changes something is told once, in order, to those whom it concerns."""
        assert await store.last_room_news() == 0
        await store.add_room(ROOM)
        await rival.invite(Membership(NAME, "2"), by="ann")
        await rival.invite(Membership(NAME, "2"), by="cid")
        await store.confirm(NAME, "2")
        await store.confirm(NAME, "2")
        await rival.set_room(NAME, display_name="x", by="ann")
        await store.end_membership(NAME, "2", by="bob")
        await store.end_membership(NAME, "2", by="bob")
        assert await rival.room_news(0) == [
            RoomNews(1, "changed", NAME, ("1",)),
            RoomNews(2, "invited", NAME, ("2",), "ann"),
            RoomNews(3, "changed", NAME, ("2",)),
            RoomNews(4, "changed", NAME, ("1", "2"), "ann"),
            RoomNews(5, "left", NAME, ("2",), "bob"),
        ]
        assert [each.number for each in await store.room_news(1, limit=2)] == [2, 3]
        assert await store.last_room_news() == 5

    # whispers -------------------------------------------------------------------------------

    async def test_whispers_are_counted_by_thread(self, store: Store, rival: Store) -> None:
        """From 1, and each number is given once."""
        assert await store.next_whisper("1_2") == 1
        assert await rival.next_whisper("1_3") == 1
        numbers = await asyncio.gather(*(each.next_whisper("1_2") for each in (store, rival) * 3))
        assert sorted(numbers) == [2, 3, 4, 5, 6, 7]

    # what neighbours ask --------------------------------------------------------------------

    async def test_accounts_of(self, store: Store) -> None:
        """By user id."""
        ann, bob = await store.add_account(Account("", "ann")), await store.add_account(Account("", "bob", "Bob"))
        await store.add_account(Account("", "cid"))
        wanted = [bob.user_id, "999", ann.user_id]
        assert await store.accounts_of(wanted) == {ann.user_id: ann, bob.user_id: bob}
        assert await store.accounts_of([]) == {}

    async def test_hosts(self, store: Store) -> None:
        """The newest row of a channel counts; one without a position does not."""
        for row in (
            hosts("1", "bob", "host", "ann", 1),
            hosts("2", "cid", "host", "ann", 2),
            hosts("3", "cid", "host", "dan", 3),
            hosts("4", "eve", "host", "ann", 4),
            hosts("5", "eve", "unhost", "", 5),
            hosts("6", "fay", "host", "ann", None),
            hosts("7", "abe", "host", "ann", 7),
            Sanction("8", "gus", "ban", "1", "ann", "op", position=Position(1, 1)),
        ):
            await store.add_sanction(row)
            if row.position:
                await store.place_sanction(row.id, row.position, 1.0)
        assert await store.hosts_of("ann") == ["abe", "bob"]
        assert await store.hosts_of("dan") == ["cid"]
        assert await store.hosts_of("eve") == []
