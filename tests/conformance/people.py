"""What every store knows of people and emotes: part of `tests/conformance/store.py`."""

from __future__ import annotations

import asyncio

from godwit.store.base import Sanction, Store
from godwit.store.people_base import Related
from godwit.values import Account, Emote, Position, Relation, derived_id


def role(name: str, kind: str = "mod", target: str = "7", channel: str = "room") -> Sanction:
    """A role that an operator brings."""
    return Sanction(name, channel, kind, target, f"user{target}", "ops", position=Position(0, 0), time=5.0)  # type: ignore[arg-type]


class PeopleSuite:
    """Tests by family; the fixtures are those of `StoreSuite`."""

    # accounts -------------------------------------------------------------------------------

    async def test_set_account(self, store: Store, rival: Store) -> None:
        """What is given changes, all else stays."""
        await store.add_account(Account("77", "ann", "Ann", "#FF0000"))
        changed = await rival.set_account("ann", color="#00FF00", badges=("partner/1", "turbo/1"), suspended=True)
        wanted = Account("77", "ann", "Ann", "#00FF00", badges=("partner/1", "turbo/1"), suspended=True)
        assert changed == wanted
        assert await store.account("ann") == wanted
        assert await store.set_account("ann") == wanted
        everything = Account("77", "ann", "A", "#010203", "staff", "known", (), False, True)
        assert (
            await store.set_account(
                "ann",
                display_name="A",
                color="#010203",
                user_type="staff",
                bot="known",
                badges=(),
                suspended=False,
                channel_suspended=True,
            )
            == everything
        )
        assert await rival.owners(["ann"]) == [everything]
        assert await store.set_account("bob", color="#00FF00") is None
        assert await store.account("bob") is None

    async def test_accounts_keep_their_facts(self, store: Store, rival: Store) -> None:
        """A new account has the facts that it is added with."""
        ann = Account("77", "ann", badges=("partner/1",), suspended=True, channel_suspended=True)
        assert await store.add_account(ann) == ann
        assert await rival.account("ann") == ann

    async def test_add_accounts(self, store: Store, rival: Store) -> None:
        """Many at once: those that are there stay, ids are chosen above all that are brought, none is given twice."""
        ann = await store.add_account(Account("77", "ann", "Ann"))
        added = await rival.add_accounts(
            [
                Account("", "bob"),
                Account("78", "ann", "Other"),
                Account("77", "cid"),
                Account("500", "dan", badges=("staff/1",)),
                Account(derived_id("eve"), "eve"),
                Account("", "fay"),
            ]
        )
        assert added[1] == ann
        assert added[2] is None
        assert added[3] == Account("500", "dan", badges=("staff/1",))
        assert added[4] == Account(derived_id("eve"), "eve")
        assert {account.user_id for account in (added[0], added[5]) if account} == {"501", "502"}
        assert await store.account("cid") is None
        assert (await store.add_account(Account("", "gus"))).user_id == "503"
        assert await store.add_accounts([]) == []

    async def test_add_accounts_twice(self, store: Store, rival: Store) -> None:
        """A repeated write changes nothing; a login named twice is added once."""
        new = [Account("", "ann"), Account("", "bob"), Account("", "ann")]
        first = await store.add_accounts(new)
        assert first[0] == first[2]
        assert await rival.add_accounts(new) == first
        assert len(await store.accounts()) == 2

    async def test_add_many_at_the_same_time(self, store: Store, rival: Store) -> None:
        """Two that add the same accounts agree on them."""
        new = [Account("", f"user{number}") for number in range(20)]
        one, other = await asyncio.gather(store.add_accounts(new), rival.add_accounts(new[::-1]))
        assert one == other[::-1]
        assert len({account.user_id for account in one if account}) == 20

    async def test_set_accounts(self, store: Store, rival: Store) -> None:
        """All facts of each are replaced; ids stay, unknown logins are passed over."""
        await store.add_account(Account("77", "ann", "Ann", "#FF0000"))
        await store.add_account(Account("78", "bob", "Bob"))
        await rival.set_accounts(
            [Account("1", "ann", "ANN", badges=("turbo/1",)), Account("79", "cid"), Account("", "bob", bot="verified")]
        )
        assert await store.account("ann") == Account("77", "ann", "ANN", badges=("turbo/1",))
        assert await store.account("bob") == Account("78", "bob", bot="verified")
        assert await store.account("cid") is None
        await store.set_accounts([])

    # relations ------------------------------------------------------------------------------

    async def test_relations(self, store: Store, rival: Store) -> None:
        """In the order asked for; where nothing ties, a relation without facts."""
        follows = Relation("room", "7", follows_since=5.0)
        await store.set_relations([follows, Relation("other", "7", follows_since=6.5)], ["follow"])
        assert await rival.relations([("room", "8"), ("room", "7"), ("room", "8"), ("other", "7")]) == [
            Relation("room", "8"),
            follows,
            Relation("room", "8"),
            Relation("other", "7", follows_since=6.5),
        ]
        assert await store.relations([]) == []

    async def test_many_relations(self, store: Store) -> None:
        """More than one statement can name."""
        rows = [Relation(f"c{number % 7}", str(number), subscriber=True, months=number) for number in range(1, 1201)]
        await store.set_relations(rows, ["subscription"])
        assert await store.relations([(row.channel, row.user_id) for row in rows[::-1]]) == rows[::-1]

    async def test_each_half_by_itself(self, store: Store, rival: Store) -> None:
        """Followers are written without a word about subscriptions, and the other way round."""
        await store.set_relations([Relation("room", "7", 5.0, True, 14, "2000")], ["follow"])
        assert await rival.relations([("room", "7")]) == [Relation("room", "7", 5.0)]
        await store.set_relations([Relation("room", "7", 9.0, True, 14, "2000")], ["subscription"])
        assert await rival.relations([("room", "7")]) == [Relation("room", "7", 5.0, True, 14, "2000")]
        await store.set_relations([Relation("room", "7")], ["follow"])
        assert await rival.relations([("room", "7")]) == [Relation("room", "7", 0.0, True, 14, "2000")]
        await store.set_relations([Relation("room", "7", 6.0, False, 14)], ["follow", "subscription"])
        assert await rival.relations([("room", "7")]) == [Relation("room", "7", 6.0, False, 14)]
        await store.set_relations([Relation("room", "7")], ["subscription", "follow"])
        assert await rival.relations([("room", "7")]) == [Relation("room", "7")]
        await store.set_relations([], ["follow"])

    async def test_the_last_of_two_counts(self, store: Store) -> None:
        """A pair that is named twice in one write is what it was last."""
        await store.set_relations([Relation("room", "7", 5.0), Relation("room", "7", 6.0)], ["follow"])
        assert await store.relations([("room", "7")]) == [Relation("room", "7", 6.0)]

    async def test_related(self, store: Store) -> None:
        """Followers and subscribers of one channel with their logins, in pages; no one without an account."""
        await store.add_accounts([Account("3", "ann"), Account("1", "bob"), Account("2", "cid")])
        ann, bob, cid = (
            Relation("room", "3", follows_since=3.0),
            Relation("room", "1", 0.0, True, 1, "1000"),
            Relation("room", "2", 2.0, True, 2, "prime"),
        )
        elsewhere = Relation("other", "1", follows_since=9.0)
        await store.set_relations([ann, bob, cid, elsewhere, Relation("room", "9", 1.0)], ["follow", "subscription"])
        assert await store.related("room", "follow") == [Related("cid", cid), Related("ann", ann)]
        assert await store.related("room", "follow", limit=1) == [Related("cid", cid)]
        assert await store.related("room", "follow", after="2") == [Related("ann", ann)]
        assert await store.related("room", "subscription") == [Related("bob", bob), Related("cid", cid)]
        assert await store.related("nowhere", "follow") == []

    async def test_relations_go_with_the_account(self, store: Store, rival: Store) -> None:
        """Who gets the user id of a removed account again has none of its relations."""
        await store.add_accounts([Account("7", "ann"), Account("8", "bob")])
        kept = Relation("room", "8", follows_since=5.0)
        await store.set_relations([Relation("room", "7", follows_since=5.0), kept], ["follow"])
        assert await rival.remove_account("ann")
        assert await store.relations([("room", "7"), ("room", "8")]) == [Relation("room", "7"), kept]

    async def test_first_roles(self, store: Store, rival: Store) -> None:
        """Roles that operators bring count from the beginning, and may be brought again."""
        await store.set_first_roles([role("r1"), role("r2", target="8")])
        assert await rival.sanctions("room") == [role("r1"), role("r2", target="8")]
        await store.set_first_roles([role("r1", "vip"), role("r3", channel="other"), role("r1", "vip")])
        assert [(row.id, row.kind) for row in await rival.sanctions("room")] == [("r1", "vip"), ("r2", "mod")]
        await store.set_first_roles([])

    async def test_first_roles_are_counted(self, store: Store, rival: Store) -> None:
        """By a number of their own."""
        assert await rival.roles_version() == 0
        await store.set_first_roles([role("r1")])
        first = await rival.roles_version()
        await rival.set_first_roles([role("r1")])
        assert await store.roles_version() > first > 0
        assert await store.people_version() == 0

    async def test_acts_come_after_first_roles(self, store: Store) -> None:
        """What was decided in the room is later than what was brought, whenever that was."""
        await store.add_sanction(Sanction("a1", "room", "unmod", "7", "user7", "1"))
        await store.place_sanction("a1", Position(1, 3), 9.0)
        await store.set_first_roles([role("r1")])
        assert [row.id for row in await store.sanctions("room")] == ["a1"]

    # emotes ---------------------------------------------------------------------------------

    async def test_emotes(self, store: Store, rival: Store) -> None:
        """By channel and code, in pages; the same code again replaces."""
        assert await store.emotes() == []
        await store.set_emotes([Emote("b", "2"), Emote("a", "1"), Emote("a", "300_HF", "room"), Emote("a", "5")])
        assert await rival.emotes() == [Emote("a", "5"), Emote("b", "2")]
        assert await rival.emotes(after="a") == [Emote("b", "2")]
        assert await rival.emotes(limit=1) == [Emote("a", "5")]
        assert await rival.emotes("room") == [Emote("a", "300_HF", "room")]
        await store.set_emotes([Emote("a", "6", "room")])
        found = await rival.emotes_of(["", "room", "nowhere"])
        assert sorted(found, key=lambda emote: (emote.channel, emote.code)) == [
            Emote("a", "5"),
            Emote("b", "2"),
            Emote("a", "6", "room"),
        ]
        assert await rival.emotes_of([]) == []

    async def test_removed_emotes(self, store: Store, rival: Store) -> None:
        """Only those of the channel go."""
        await store.set_emotes([Emote("a", "1"), Emote("b", "2"), Emote("a", "3", "room")])
        assert await rival.remove_emotes("", ["a", "c"]) == 1
        assert await store.emotes() == [Emote("b", "2")]
        assert await store.emotes("room") == [Emote("a", "3", "room")]
        assert await store.remove_emotes("", []) == 0

    # changes --------------------------------------------------------------------------------

    async def test_changes_are_counted(self, store: Store, rival: Store) -> None:
        """Whatever changes, whoever does it; accounts that come without facts are nobody's news."""
        await store.add_account(Account("7", "ann"))
        await store.add_accounts([Account("8", "bob"), Account("9", "cid")])
        assert await rival.people_version() == 0
        seen = [0]

        async def news(by: Store) -> bool:
            seen.append(await by.people_version())
            return seen[-1] > seen[-2]

        await rival.add_account(Account("10", "dan", bot="known"))
        assert await news(store)
        await rival.add_accounts([Account("11", "eve"), Account("12", "fay", suspended=True)])
        assert await news(store)
        await store.set_account("ann", color="#FF0000")
        assert await news(rival)
        await store.set_accounts([Account("8", "bob", "Bob")])
        assert await news(rival)
        await store.set_relations([Relation("room", "7", 5.0)], ["follow"])
        assert await news(rival)
        await store.set_emotes([Emote("a", "1")])
        assert await news(rival)
        await rival.remove_emotes("", ["a"])
        assert await news(store)
        await rival.remove_emotes("", ["a"])
        await store.add_account(Account("", "gus"))
        await store.set_account("nobody", color="#FF0000")
        assert not await news(store)
