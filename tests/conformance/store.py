"""The suite that every `godwit.store.base.Store` passes.

A back-end's test module gives a class of its own that inherits `StoreSuite`, and a fixture `make_store`:
each call of what it yields opens one more store on the same, at first empty, data.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from godwit.errors import InvalidRequest, MoveRefused, StoreUnavailable
from godwit.store.base import AuditEntry, Ending, Sanction, Store
from godwit.values import Account, Addresses, Move, Placement, Position, Segment, derived_id
from tests.conformance.group import GroupSuite
from tests.conformance.people import PeopleSuite

MakeStore = Callable[[], Awaitable[Store]]

MAIN = Segment("main", 1, 0, "m1")
AWS = Segment("aws", 2, 7, "a1")


def sanction(name: str, target: str = "7", **changes: object) -> Sanction:
    """A ban in #room, with changes."""
    return msgspec.structs.replace(Sanction(name, "room", "ban", target, f"user{target}", "1"), **changes)


class StoreSuite(PeopleSuite, GroupSuite):
    """Tests by family; the fixtures give two stores on the same data."""

    @pytest.fixture
    async def store(self, make_store: MakeStore) -> Store:
        """A store whose default placement is `MAIN`."""
        store = await make_store()
        await store.set_default(MAIN, hold_until=0.0)
        return store

    @pytest.fixture
    async def rival(self, store: Store, make_store: MakeStore) -> Store:
        """Another store on the same data, as a second process would have it."""
        return await make_store()

    # clusters -------------------------------------------------------------------------------

    async def test_clusters_keep_their_order(self, store: Store, rival: Store) -> None:
        """The list is what was set last, in that order."""
        assert await store.clusters() == {}
        await store.set_clusters({"old": Addresses()})
        new = {"main": Addresses(tcp=("a:1", "b:2"), ws=("a:3",)), "aws": Addresses(tls=("c:4",), wss=("c:5",))}
        await store.set_clusters(new)
        assert list((await rival.clusters()).items()) == list(new.items())
        await store.set_clusters({})
        assert await rival.clusters() == {}

    # the default placement ------------------------------------------------------------------

    async def test_no_default_yet(self, make_store: MakeStore) -> None:
        """Without a default nobody can say where a channel is, and nothing is written."""
        store = await make_store()
        for call in (
            store.default_placement(),
            store.placement("room"),
            store.placements(["room"]),
            store.segments("room"),
            store.commit("room", AWS, drain_until=0.0, now=1.0),
            store.pin(["room"]),
        ):
            with pytest.raises(StoreUnavailable, match="no default placement"):
                await call
        assert await store.reopen({"main": "m2"}) == 0
        assert await store.rows() == []

    async def test_default_by_epoch(self, store: Store, rival: Store) -> None:
        """The default changes for a higher epoch only; who repeats or comes late changes nothing."""
        assert await store.set_default(AWS, hold_until=50.0) == AWS
        assert await rival.set_default(Segment("event", 2, 9, "e1"), hold_until=99.0) == AWS
        assert await rival.set_default(MAIN, hold_until=99.0) == AWS
        assert await rival.default_placement() == AWS
        assert await rival.placement("room") == Placement("room", AWS, drain_until=50.0, default=True)

    async def test_default_for_channels_without_a_row(self, store: Store) -> None:
        """A channel that nobody moved is where the default says."""
        assert await store.placement("room") == Placement("room", MAIN, default=True)
        assert await store.segments("room") == [MAIN]
        assert await store.rows() == []

    async def test_pin(self, store: Store, rival: Store) -> None:
        """Rule C10: pinned channels stay when the default goes elsewhere; a hold is not theirs."""
        await store.commit("moved", AWS, drain_until=9.0, now=1.0)
        assert await store.pin(["a", "b", "a", "moved"]) == 2
        assert await rival.pin(["b", "c"]) == 1
        assert await store.set_default(Segment("aws", 2, 0, "a1"), hold_until=50.0)
        assert await rival.placements(["a", "moved", "free"]) == [
            Placement("a", MAIN),
            Placement("moved", AWS, "draining", 9.0, ("main",), drains=(9.0,)),
            Placement("free", Segment("aws", 2, 0, "a1"), drain_until=50.0, default=True),
        ]
        assert await rival.segments("a") == [MAIN]

    async def test_pin_many(self, store: Store) -> None:
        """More channels than one statement names."""
        names = [f"c{number:04}" for number in range(1203)]
        assert await store.pin(iter(names)) == 1203
        assert [row.channel for row in await store.placements(names)] == names
        assert not any(row.default for row in await store.placements(names))

    # commits --------------------------------------------------------------------------------

    async def test_commit(self, store: Store, rival: Store) -> None:
        """Rule C3: a higher epoch wins; the chain keeps the default's segment in front (rule C1)."""
        committed = await store.commit("room", AWS, drain_until=60.0, now=1.0)
        assert committed == Placement("room", AWS, "draining", 60.0, ("main",), drains=(60.0,))
        assert await rival.placement("room") == committed
        assert await rival.segments("room") == [MAIN, AWS]
        assert await rival.placement("other") == Placement("other", MAIN, default=True)

    @pytest.mark.parametrize("late", [AWS, Segment("event", 2, 9, "e1"), Segment("event", 1, 9, "e1")])
    async def test_commit_too_late(self, store: Store, rival: Store, late: Segment) -> None:
        """Rule C3: an epoch that is not higher changes nothing, and the answer says what is stored."""
        first = await store.commit("room", AWS, drain_until=60.0, now=1.0)
        assert await rival.commit("room", late, drain_until=99.0, now=2.0) == first
        assert await rival.placement("room") == first
        assert await rival.segments("room") == [MAIN, AWS]

    async def test_commit_below_the_default(self, store: Store) -> None:
        """Without a row the default's epoch is the stored one."""
        stored = await store.commit("room", Segment("aws", 1, 7, "a1"), drain_until=60.0, now=1.0)
        assert stored == Placement("room", MAIN, default=True)
        assert await store.rows() == []
        assert await store.segments("room") == [MAIN]

    async def test_commit_of_a_pinned_channel_below_the_default(self, store: Store) -> None:
        """With a row, only the row's epoch counts."""
        await store.pin(["room"])
        await store.set_default(Segment("event", 5, 0, "e1"), hold_until=0.0)
        assert (await store.commit("room", AWS, drain_until=60.0, now=1.0)).segment == AWS
        assert await store.segments("room") == [MAIN, AWS]

    async def test_commit_repeated_after_settling(self, store: Store) -> None:
        """Who repeats an old commit does not start its drain again."""
        await store.commit("room", AWS, drain_until=60.0, now=1.0)
        settled = await store.settle("room", 2)
        assert await store.commit("room", AWS, drain_until=99.0, now=2.0) == settled

    async def test_previous(self, store: Store) -> None:
        """Former homes, newest first, each once, without the home."""
        for epoch, cluster in enumerate(["aws", "event", "aws", "group", "event"], start=2):
            segment = Segment(cluster, epoch, epoch, "s")
            await store.commit("room", segment, drain_until=0.0, now=1.0)
        assert (await store.placement("room")).previous == ("group", "aws", "main")
        assert [segment.epoch for segment in await store.segments("room")] == [1, 2, 3, 4, 5, 6]

    async def test_drains(self, store: Store, rival: Store) -> None:
        """Rule C11: each former home has a deadline of its own: that of the last time it was left."""
        found = []
        for epoch, cluster in enumerate(["aws", "event", "aws", "main", "event"], start=2):
            segment = Segment(cluster, epoch, epoch, "s")
            placement = await store.commit("room", segment, drain_until=10.0 * epoch, now=1.0)
            assert await rival.placement("room") == placement
            found.append(dict(zip(placement.previous, placement.drains, strict=True)))
        assert found == [
            {"main": 20.0},
            {"aws": 30.0, "main": 20.0},
            {"event": 40.0, "main": 20.0},
            {"aws": 50.0, "event": 40.0},
            {"main": 60.0, "aws": 50.0},
        ]
        assert [list(drains) for drains in found][-1] == ["main", "aws"], "newest first"

    async def test_drains_of_many(self, store: Store) -> None:
        """No channel has another one's deadlines."""
        for number, name in enumerate(("a", "b", "c"), start=1):
            await store.commit(name, AWS, drain_until=10.0 * number, now=1.0)
            if name != "b":
                await store.commit(name, Segment("event", 3, 1, "e1"), drain_until=10.0 * number + 5.0, now=1.0)
        assert [row.drains for row in await store.rows()] == [(15.0, 10.0), (20.0,), (35.0, 30.0)]
        assert [row.drains for row in await store.placements(["b", "a"])] == [(20.0,), (15.0, 10.0)]

    async def test_drains_of_a_cluster_that_was_evacuated_to_itself(self, store: Store) -> None:
        """Two segments in a row of one cluster: it is one former home, left when the second one was."""
        await store.commit("room", AWS, drain_until=60.0, now=1.0)
        await store.commit("room", Segment("aws", 4, 9, "a1", unclean=True), drain_until=70.0, now=1.0)
        placement = await store.placement("room")
        assert (placement.previous, placement.drains) == (("main",), (60.0,))
        placement = await store.commit("room", Segment("event", 5, 1, "e1"), drain_until=80.0, now=1.0)
        assert (placement.previous, placement.drains) == (("aws", "main"), (80.0, 60.0))

    async def test_a_segment_keeps_what_it_was_given(self, store: Store, rival: Store) -> None:
        """Every field survives, large numbers too."""
        await store.commit("room", Segment("main", 2**53 + 1, 0, "m"), drain_until=1.0, now=1.0)
        segment = Segment("aws", 2**53 + 3, 2**62 + 1, "stream id \N{SNOWMAN}", unclean=True)
        await store.commit("room", segment, drain_until=1_700_000_000.123, now=1.0)
        until = 1_700_000_000.123
        expected = Placement("room", segment, "draining", until, ("main",), drains=(until,))
        assert await rival.placement("room") == expected
        assert (await rival.segments("room"))[-1] == segment

    async def test_competitors(self, store: Store, rival: Store) -> None:
        """Of competing commits one wins each epoch, and everybody is told the same one."""
        for number in range(10):
            here = Segment("aws", number + 2, 1, "a1")
            there = Segment("event", number + 2, 2, "e1")
            told = await asyncio.gather(
                store.commit("room", here, drain_until=1.0, now=1.0),
                rival.commit("room", there, drain_until=2.0, now=1.0),
                rival.commit("room", here, drain_until=1.0, now=1.0),
                store.commit("room", there, drain_until=2.0, now=1.0),
            )
            assert set(told) == {told[0]}
            assert told[0].segment in (here, there)
            assert await store.placement("room") == await rival.placement("room") == told[0]
        chain = await store.segments("room")
        assert [segment.epoch for segment in chain] == list(range(1, 12))
        assert chain == await rival.segments("room")

    async def test_competitors_over_many_channels(self, store: Store, rival: Store) -> None:
        """Pins, commits and settlements of many channels at once all come through."""
        names = [f"c{number}" for number in range(20)]
        await asyncio.gather(
            *(store.commit(name, AWS, drain_until=1.0, now=1.0) for name in names),
            rival.pin(names),
            *(rival.commit(name, Segment("event", 3, 1, "e1"), drain_until=2.0, now=1.0) for name in names),
        )
        rows = await asyncio.gather(*(rival.settle(name, 3) for name in names))
        assert [(row.channel, row.segment.cluster, row.phase) for row in rows] == [
            (name, "event", "settled") for name in names
        ]

    async def test_settle(self, store: Store, rival: Store) -> None:
        """A drain ends once, for the newest epoch only."""
        await store.commit("room", AWS, drain_until=60.0, now=1.0)
        assert (await rival.settle("room", 1)).phase == "draining"
        settled = Placement("room", AWS, "settled", 0.0, ("main",), drains=(60.0,))
        assert await rival.settle("room", 2) == settled
        assert await store.settle("room", 2) == settled
        assert await store.placement("room") == settled
        assert await store.settle("other", 1) == Placement("other", MAIN, default=True)

    async def test_rows(self, store: Store) -> None:
        """Rows come by name, in pages."""
        await store.pin(["b", "d"])
        await store.commit("c", AWS, drain_until=60.0, now=1.0)
        await store.pin(["a"])
        assert [row.channel for row in await store.rows()] == ["a", "b", "c", "d"]
        assert [row.channel for row in await store.rows(limit=2)] == ["a", "b"]
        page = await store.rows(after="b", limit=2)
        assert page == [Placement("c", AWS, "draining", 60.0, ("main",), drains=(60.0,)), Placement("d", MAIN)]
        assert await store.rows(after="d") == []

    async def test_placements(self, store: Store) -> None:
        """Many at once: in the order asked for, repeated where asked for twice."""
        await store.commit("b", AWS, drain_until=60.0, now=1.0)
        found = await store.placements(["c", "b", "a", "b"])
        assert found == [await store.placement(name) for name in ("c", "b", "a", "b")]
        assert await store.placements([]) == []

    # reopening ------------------------------------------------------------------------------

    async def test_reopen(self, store: Store, rival: Store) -> None:
        """Rules L2, C8: what a dead log held opens anew, two epochs higher and unclean; the rest stays."""
        await store.pin(["pinned"])
        await store.commit("moved", AWS, drain_until=60.0, now=1.0)
        await store.commit("back", AWS, drain_until=60.0, now=1.0)
        await store.commit("back", Segment("main", 3, 5, "m1"), drain_until=70.0, now=2.0)
        assert await store.reopen({"main": "m2", "aws": "a1", "event": "e9"}) == 2
        main = Segment("main", 3, 0, "m2", unclean=True)
        back = Segment("main", 5, 0, "m2", unclean=True)
        assert await rival.default_placement() == main
        assert await rival.placements(["pinned", "moved", "back", "free"]) == [
            Placement("pinned", main),
            Placement("moved", AWS, "draining", 60.0, ("main",), drains=(60.0,)),
            Placement("back", back, "settled", 0.0, ("aws",), drains=(70.0,)),
            Placement("free", main, default=True),
        ]
        assert await rival.segments("pinned") == [MAIN, main]
        assert await rival.segments("back") == [MAIN, AWS, Segment("main", 3, 5, "m1"), back]
        assert await rival.reopen({"main": "m2", "aws": "a1"}) == 0
        assert await rival.segments("pinned") == [MAIN, main]

    async def test_reopen_settles(self, store: Store, rival: Store) -> None:
        """Nobody is left of a drain that a restart has met; the deadlines of the clusters stay what they were."""
        await store.commit("room", AWS, drain_until=60.0, now=1.0)
        assert await store.reopen({"main": "m2", "aws": "a2"}) == 1
        anew = Segment("aws", 4, 0, "a2", unclean=True)
        reopened = Placement("room", anew, "settled", 0.0, ("main",), drains=(60.0,))
        assert await rival.placement("room") == reopened
        assert await rival.segments("room") == [MAIN, AWS, anew]
        assert await store.settle("room", 2) == reopened
        assert await store.settle("room", 4) == reopened
        assert await store.reopen({"aws": "a3"}) == 1
        placement = await store.commit("room", Segment("event", 7, 3, "e1"), drain_until=90.0, now=2.0)
        assert (placement.phase, placement.drain_until) == ("draining", 90.0)
        assert (placement.previous, placement.drains) == (("aws", "main"), (90.0, 60.0))

    async def test_reopen_keeps_the_hold(self, store: Store) -> None:
        """A default that is held is held still (rule C10)."""
        await store.set_default(AWS, hold_until=50.0)
        await store.reopen({"aws": "a2"})
        anew = Segment("aws", 4, 0, "a2", unclean=True)
        assert await store.placement("room") == Placement("room", anew, drain_until=50.0, default=True)

    # live state -----------------------------------------------------------------------------

    async def test_live(self, store: Store, rival: Store) -> None:
        """A stream begins and ends; of other channels nothing is known."""
        assert await store.is_live("room") is False
        await store.set_live("room", True, 5.0)
        await store.set_live("room", True, 6.0)
        assert await rival.is_live("room") is True
        assert await rival.is_live("other") is False
        await rival.set_live("room", False, 7.0)
        assert await store.is_live("room") is False

    # moves ----------------------------------------------------------------------------------

    async def test_begin_move(self, store: Store, rival: Store) -> None:
        """A move is kept as it is given, every field of it."""
        move = Move(
            "m1", "room", "aws", "wished", MAIN, 2, 7, "a1", True, True, "ann", "why", "oops", 0, (("wished", 4.5),)
        )
        assert await store.begin_move(move) == move
        assert await rival.move("m1") == move
        assert await rival.begin_move(move) == move
        plain = Move("m2", "other", "aws", "wished")
        await store.begin_move(plain)
        assert await rival.move("m2") == plain
        assert await rival.move("m3") is None

    async def test_begin_move_refused(self, store: Store, rival: Store) -> None:
        """One unfinished move a channel; the refusal names it and says how to watch it."""
        await store.begin_move(Move("m1", "room", "aws", "wished"))
        await store.journal(Move("m1", "room", "aws", "wished"), "opening", 5.0)
        with pytest.raises(
            MoveRefused, match=r"#room .* aws \(move m1, opening\).*godwit channel show '#room'"
        ) as info:
            await rival.begin_move(Move("m2", "room", "event", "wished"))
        assert "\n" not in str(info.value)
        assert await store.move("m2") is None
        await store.begin_move(Move("m3", "other", "event", "wished"))

    async def test_begin_move_once(self, store: Store, rival: Store) -> None:
        """Of two who begin at the same time one is refused."""
        told = await asyncio.gather(
            store.begin_move(Move("m1", "room", "aws", "wished")),
            rival.begin_move(Move("m2", "room", "event", "wished")),
            return_exceptions=True,
        )
        assert [type(answer) for answer in told].count(MoveRefused) == 1
        assert len(await store.moves(unfinished=True)) == 1

    @pytest.mark.parametrize("end", ["settled", "cancelled", "failed"])
    async def test_begin_move_after_the_end(self, store: Store, end: str) -> None:
        """A finished move is no hindrance, and stays finished."""
        move = await store.begin_move(Move("m1", "room", "aws", "wished"))
        ended = await store.journal(move, msgspec.convert(end, type=type(move.state)), 5.0)
        assert ended is not None
        assert await store.journal(ended, "opening", 6.0) is None
        await store.begin_move(Move("m2", "room", "event", "wished"))
        noted = await store.journal(msgspec.structs.replace(ended, error="late"), ended.state, 7.0)
        assert noted is not None
        assert (noted.error, noted.version) == ("late", 2)
        assert await store.move("m1") == noted

    async def test_commit_unclean(self, store: Store) -> None:
        """Rule C8: an evacuation that was overtaken by a move changes nothing."""
        await store.commit("room", Segment("aws", 2, 5, "a"), drain_until=9.0, now=1.0)
        late = await store.commit("room", Segment("event", 3, 1, "e", unclean=True), drain_until=9.0, now=2.0)
        assert late.segment == Segment("aws", 2, 5, "a")
        jump = Segment("event", 4, 1, "e", unclean=True)
        assert (await store.commit("room", jump, drain_until=9.0, now=3.0)).segment == jump

    async def test_reached(self, store: Store, rival: Store) -> None:
        """Rule C8: the farthest of those who left a segment by force counts."""
        await store.commit("room", Segment("aws", 2, 5, "a"), drain_until=9.0, now=1.0)
        assert await store.reached("room", 2) == 0
        for sequence in (7, 12, 9):
            await store.note_reached("room", 2, sequence)
        assert await rival.reached("room", 2) == 12
        assert await rival.reached("room", 1) == 0
        assert await rival.reached("else", 2) == 0

    async def test_begin_move_while_draining(self, store: Store) -> None:
        """Once the switch is committed the channel may move on: nobody waits for a drain to roll back."""
        move = await store.begin_move(Move("m1", "room", "aws", "wished"))
        assert await store.journal(move, "draining", 5.0)
        await store.begin_move(Move("m2", "room", "main", "wished"))
        assert [move.id for move in await store.moves(unfinished=True)] == ["m2", "m1"]
        with pytest.raises(MoveRefused, match="m2"):
            await store.begin_move(Move("m3", "room", "event", "wished"))

    async def test_begin_move_again_after_the_end(self, store: Store) -> None:
        """A repeated beginning is answered with the move as it stands, even over a newer one."""
        move = await store.begin_move(Move("m1", "room", "aws", "wished"))
        ended = await store.journal(move, "cancelled", 5.0)
        await store.begin_move(Move("m2", "room", "event", "wished"))
        assert await store.begin_move(move) == ended

    async def test_journal(self, store: Store, rival: Store) -> None:
        """Each step writes the move as given, one version up, and adds to its history."""
        move = await store.begin_move(Move("m1", "room", "aws", "wished", history=(("wished", 4.0),)))
        opened = msgspec.structs.replace(move, source=MAIN, epoch=2, at=7, stream="a1")
        written = await store.journal(opened, "opened", 5.0)
        assert written == msgspec.structs.replace(
            opened, state="opened", version=1, history=(("wished", 4.0), ("opened", 5.0))
        )
        assert await rival.move("m1") == written

    async def test_journal_conflict(self, store: Store, rival: Store) -> None:
        """Who writes on an older version is told, and changes nothing."""
        move = await store.begin_move(Move("m1", "room", "aws", "wished"))
        written = await store.journal(move, "opening", 5.0)
        assert await rival.journal(move, "cancelled", 6.0) is None
        assert await store.journal(move, "opening", 5.0) is None
        assert await rival.move("m1") == written
        assert await store.journal(Move("m9", "room", "aws", "wished"), "opening", 5.0) is None
        assert await store.move("m9") is None

    async def test_journal_once(self, store: Store, rival: Store) -> None:
        """Of two controllers that write the same step one goes on."""
        move = await store.begin_move(Move("m1", "room", "aws", "wished"))
        told = await asyncio.gather(store.journal(move, "opening", 5.0), rival.journal(move, "opening", 5.0))
        assert told.count(None) == 1
        assert await store.move("m1") in told

    async def test_moves(self, store: Store) -> None:
        """Newest first, by channel, unfinished only, at most so many."""
        for number, channel in enumerate(["a", "b", "a", "c"]):
            move = await store.begin_move(Move(f"m{number}", channel, "aws", "wished"))
            if number != 3:
                await store.journal(move, "settled", 5.0)
        assert [move.id for move in await store.moves()] == ["m3", "m2", "m1", "m0"]
        assert [move.id for move in await store.moves(channel="a")] == ["m2", "m0"]
        assert [move.id for move in await store.moves(unfinished=True)] == ["m3"]
        assert await store.moves(channel="a", unfinished=True) == []
        assert [move.id for move in await store.moves(limit=2)] == ["m3", "m2"]
        assert await store.moves(but=["m3"], limit=1) == [await store.move("m2")]

    # accounts -------------------------------------------------------------------------------

    async def test_add_account(self, store: Store, rival: Store) -> None:
        """An account is kept as given; the same login again gives the one that is there."""
        ann = Account("77", "ann", "Ann", "#FF0000", "staff", "verified")
        assert await store.add_account(ann) == ann
        assert await rival.add_account(Account("78", "ann", "Other")) == ann
        assert await rival.account("ann") == ann
        assert await rival.account("nobody") is None

    async def test_user_ids_grow(self, store: Store, rival: Store) -> None:
        """A chosen id is a decimal number above all before it, removed ones included."""
        first = await store.add_account(Account("", "a"))
        await store.add_account(Account("500", "b"))
        await store.add_account(Account("20", "c"))
        third = await rival.add_account(Account("", "d"))
        assert first.user_id.isdecimal()
        assert int(third.user_id) > 500
        await store.remove_account("d")
        assert int((await store.add_account(Account("", "e"))).user_id) > int(third.user_id)
        await store.add_account(Account("x1", "f"))
        assert (await rival.account("f")) == Account("x1", "f")

    async def test_user_ids_are_unique(self, store: Store, rival: Store) -> None:
        """Nobody gets another's id, whether asked for or chosen at the same time."""
        added = await asyncio.gather(
            *(store.add_account(Account("", f"a{number}")) for number in range(5)),
            *(rival.add_account(Account("", f"b{number}")) for number in range(5)),
            *(rival.add_account(Account("", f"a{number}")) for number in range(5)),
        )
        assert len({account.user_id for account in added}) == 10
        with pytest.raises(InvalidRequest, match="belongs to another login"):
            await store.add_account(Account(added[0].user_id, "c"))
        assert await store.account("c") is None

    async def test_owners(self, store: Store, rival: Store) -> None:
        """Many at once, in the order asked for."""
        ann = await store.add_account(Account("77", "ann", "Ann"))
        bob = await rival.add_account(Account("", "bob"))
        assert await store.owners(["bob", "cid", "ann", "bob"]) == [bob, None, ann, bob]
        assert await store.owners([]) == []

    async def test_derived_user_ids_are_not_counted(self, store: Store) -> None:
        """So that the numbers that the store chooses stay small."""
        await store.add_account(Account("77", "ann"))
        assert (await store.add_account(Account(derived_id("bob"), "bob"))).user_id == derived_id("bob")
        assert (await store.add_account(Account("", "cid"))).user_id == "78"

    async def test_accounts(self, store: Store) -> None:
        """Accounts come by login, in pages."""
        for login in ("c", "a", "b"):
            await store.add_account(Account("", login))
        assert [account.login for account in await store.accounts()] == ["a", "b", "c"]
        assert [account.login for account in await store.accounts(limit=1)] == ["a"]
        assert [account.login for account in await store.accounts(after="a")] == ["b", "c"]

    async def test_tokens(self, store: Store, rival: Store) -> None:
        """A token lets its account in until it is revoked."""
        ann = await store.add_account(Account("", "ann"))
        token = await store.add_token("ann", "s3cret", ["chat:read", "chat:edit"], 5.0)
        assert (token.login, token.scopes, token.created) == ("ann", ("chat:read", "chat:edit"), 5.0)
        assert await rival.check_token("s3cret") == (ann, token)
        assert await rival.check_token("S3cret") is None
        assert await rival.check_tokens(["S3cret", "s3cret", "s3cret"]) == [None, (ann, token), (ann, token)]
        assert await rival.check_tokens([]) == []
        assert "s3cret" not in token.id
        assert await rival.revoke_token(token.id) is True
        assert await store.check_token("s3cret") is None
        assert await store.revoke_token(token.id) is False
        assert await store.revoke_token("unknown") is False

    async def test_tokens_added_again(self, store: Store) -> None:
        """A repeated call changes nothing: a revoked token stays revoked."""
        await store.add_account(Account("", "ann"))
        token = await store.add_token("ann", "s3cret", ["chat:read"], 5.0)
        assert await store.add_token("ann", "s3cret", [], 6.0) == token
        await store.revoke_token(token.id)
        assert (await store.add_token("ann", "s3cret", ["chat:read"], 7.0)).revoked is True
        assert await store.check_token("s3cret") is None

    async def test_tokens_refused(self, store: Store) -> None:
        """No token without an account, and none for two."""
        await store.add_account(Account("", "ann"))
        await store.add_account(Account("", "bob"))
        with pytest.raises(InvalidRequest, match="no account nobody"):
            await store.add_token("nobody", "other", [], 5.0)
        await store.add_token("ann", "s3cret", [], 5.0)
        with pytest.raises(InvalidRequest, match="another account"):
            await store.add_token("bob", "s3cret", [], 5.0)
        found = await store.check_token("s3cret")
        assert found is not None
        assert found[0].login == "ann"

    async def test_remove_account(self, store: Store, rival: Store) -> None:
        """An account goes with its tokens; who takes the login later does not inherit them."""
        await store.add_account(Account("", "ann"))
        await store.add_account(Account("", "bob"))
        await store.add_token("ann", "s3cret", [], 5.0)
        await store.add_token("bob", "other", [], 5.0)
        assert await rival.remove_account("ann") is True
        assert await rival.remove_account("ann") is False
        assert await store.account("ann") is None
        await store.add_account(Account("", "ann"))
        assert await store.check_token("s3cret") is None
        assert await store.check_token("other") is not None

    async def test_tokens_are_listed(self, store: Store) -> None:
        """Revoked ones, too."""
        await store.add_account(Account("", "ann"))
        await store.add_account(Account("", "bob"))
        late = await store.add_token("ann", "late", ["chat:read"], 7.0)
        early = await store.add_token("ann", "early", [], 5.0)
        await store.add_token("bob", "other", [], 5.0)
        await store.revoke_token(early.id)
        assert await store.tokens("ann") == [msgspec.structs.replace(early, revoked=True), late]
        assert await store.tokens("nobody") == []

    async def test_end_account(self, store: Store, rival: Store) -> None:
        """All that let it in so far is void; what it is given afterwards is not."""
        ann = await store.add_account(Account("", "ann"))
        await store.add_account(Account("", "bob"))
        for login, token in (("ann", "one"), ("ann", "two"), ("bob", "other")):
            await store.add_token(login, token, [], 5.0)
        await rival.end_account(ann.user_id, 8.0)
        await rival.end_account(ann.user_id, 7.0)
        assert [await store.check_token(token) for token in ("one", "two")] == [None, None]
        assert await store.check_token("other") is not None
        assert (await store.void_before(ann.user_id), await store.void_before("77")) == (8.0, 0.0)
        await store.add_token("ann", "three", [], 9.0)
        assert await rival.check_token("three") is not None

    async def test_endings(self, store: Store, rival: Store) -> None:
        """Whose connections are to end is numbered: of a token, of an account, in order; nothing else writes any."""
        ann = await store.add_account(Account("", "ann"))
        token = await store.add_token("ann", "s3cret", [], 5.0)
        assert (await store.last_ending(), await store.endings(0)) == (0, [])
        await rival.revoke_token(token.id)
        await rival.revoke_token(token.id)
        await store.end_account("77", 9.0)
        await rival.remove_account("ann")
        await rival.remove_account("ann")
        found = [Ending(1, ann.user_id, token.id), Ending(2, "77", time=9.0), Ending(3, ann.user_id)]
        assert await store.endings(0) == found
        assert await store.endings(1, limit=1) == found[1:2]
        assert (await store.endings(3), await store.last_ending()) == ([], 3)

    # moderation -----------------------------------------------------------------------------

    async def test_sanctions_get_a_position_for_good(self, store: Store, rival: Store) -> None:
        """Rule R2: the first position stays, whoever comes with another."""
        await store.add_sanction(sanction("s1", reason="spam", seconds=600, kind="timeout"))
        await store.add_sanction(sanction("s1", reason="other"))
        waiting = sanction("s1", reason="spam", seconds=600, kind="timeout")
        assert await rival.sanctions("room") == [waiting]
        await rival.place_sanction("s1", Position(2, 40), 8.5)
        placed = msgspec.structs.replace(waiting, position=Position(2, 40), time=8.5)
        assert await store.sanctions("room") == [placed]
        assert await store.sanctions_among(["other", "room"]) == {"room": [placed]}
        await store.place_sanction("s1", Position(1, 3), 1.5)
        await store.place_sanction("s1", Position(3, 50), 9.5)
        await store.add_sanction(waiting)
        assert await rival.sanctions("room") == [placed]

    async def test_the_later_position_wins(self, store: Store) -> None:
        """Rule R2: between acts on the same account, by position and not by when they were written."""
        for name in ("s1", "s2", "s3"):
            await store.add_sanction(sanction(name))
        await store.add_sanction(sanction("s4", target="8", kind="lift"))
        await store.place_sanction("s1", Position(2, 5), 1.0)
        await store.place_sanction("s2", Position(1, 90), 1.0)
        await store.place_sanction("s3", Position(2, 4), 1.0)
        await store.place_sanction("s4", Position(2, 1), 1.0)
        assert [row.id for row in await store.sanctions("room")] == ["s4", "s1"]

    async def test_sanctions_that_wait(self, store: Store) -> None:
        """Rule R3: rows without a position are all there, behind the others, as they were written."""
        for name in ("w2", "w1", "placed", "w3"):
            await store.add_sanction(sanction(name))
        await store.place_sanction("placed", Position(1, 5), 1.0)
        assert [row.id for row in await store.sanctions("room")] == ["placed", "w2", "w1", "w3"]

    async def test_sanctions_since(self, store: Store) -> None:
        """Rule R3: a reader that replays the log gets what was in force where it begins, and all later ones."""
        for number, (target, time) in enumerate([("7", 1.0), ("7", 2.0), ("7", 5.0), ("7", 6.0), ("8", 3.0)], start=1):
            await store.add_sanction(sanction(f"s{number}", target=target))
            await store.place_sanction(f"s{number}", Position(1, number), time)
        assert [row.id for row in await store.sanctions("room", since=4.0)] == ["s2", "s3", "s4", "s5"]
        assert [row.id for row in await store.sanctions("room")] == ["s4", "s5"]

    async def test_rows_of_each_family_and_target_stand_apart(self, store: Store) -> None:
        """A role does not take a ban's place, nor one setting another's; within a family the later position wins."""
        kinds = {
            "ban": "7", "mod": "7", "set": "7", "host": "", "vip": "8", "unvip": "8", "lift": "7", "unhost": "",
        }  # fmt: skip
        for number, (kind, target) in enumerate(kinds.items(), 1):
            await store.add_sanction(sanction(kind, target, kind=kind, position=Position(1, number), time=1.0))
        await store.add_sanction(sanction("slow", "slow", kind="set", seconds=30, position=Position(1, 20), time=1.0))
        newest = ["mod", "set", "unvip", "lift", "unhost", "slow"]
        assert [row.id for row in await store.sanctions("room")] == newest
        assert [row.id for row in await store.sanctions("room", since=9.0)] == newest
        assert (await store.sanctions("room"))[-1].seconds == 30

    async def test_rows_that_count_from_the_beginning(self, store: Store) -> None:
        """Of one target the one that was written last counts, then the greater id; an act in the log comes later."""
        for name, target, time in (("b", "7", 5.0), ("a", "7", 6.0), ("c", "8", 5.0), ("d", "8", 5.0), ("e", "9", 9.0)):
            await store.add_sanction(sanction(name, target, kind="mod", position=Position(0, 0), time=time))
        await store.add_sanction(sanction("act", "9", kind="unmod", position=Position(1, 4), time=7.0))
        assert [row.id for row in await store.sanctions("room")] == ["d", "a", "act"]

    async def test_sanctions_of_many_channels(self, store: Store) -> None:
        """Each as if it were asked for alone; in any number."""
        for number, channel in enumerate(["a", "b", "c", "a"], 1):
            row = sanction(f"s{number}", str(number), channel=channel, position=Position(1, number), time=float(number))
            await store.add_sanction(row)
        await store.add_sanction(sanction("waits", channel="b"))
        found = await store.sanctions_among(["b", "a", "none", *(f"none{number}" for number in range(600))])
        assert {channel: [row.id for row in rows] for channel, rows in found.items()} == {
            "a": ["s1", "s4"],
            "b": ["s2", "waits"],
        }
        for channel in ("a", "b"):
            assert found[channel] == await store.sanctions(channel)
        since = await store.sanctions_among(["a"], since=2.0)
        assert since == {"a": await store.sanctions("a", since=2.0)}
        assert await store.sanctions_among([]) == {}

    async def test_sanctions_of_a_channel(self, store: Store) -> None:
        """Other channels' rows are no concern; an unknown act has no row to place."""
        await store.add_sanction(sanction("s1", channel="other"))
        await store.place_sanction("unknown", Position(1, 5), 1.0)
        assert await store.sanctions("room") == []
        given = sanction("s2", position=Position(1, 7), time=3.0)
        await store.add_sanction(given)
        assert await store.sanctions("room") == [given]

    # audit ----------------------------------------------------------------------------------

    async def test_audit(self, store: Store, rival: Store) -> None:
        """Newest first, numbered from 1, by subject, at most so many."""
        lines = [AuditEntry(float(n), "ann", "move", f"#c{n % 2}", "why", "from main") for n in range(4)]
        for line in lines:
            await store.audit(line)
        lines = [msgspec.structs.replace(line, number=n + 1) for n, line in enumerate(lines)]
        assert await rival.audit_log() == lines[::-1]
        assert await rival.audit_log(subject="#c1") == [lines[3], lines[1]]
        assert await rival.audit_log(limit=1) == [lines[3]]
        assert await rival.audit_log(subject="#c9") == []

    async def test_audit_is_searched(self, store: Store) -> None:
        """By who acted, what was done, since when and, for the next page, behind a line."""
        lines = [AuditEntry(float(n), f"actor{n % 2}", f"action{n % 3}", "room") for n in range(6)]
        for line in lines:
            await store.audit(line)

        async def found(**wanted: object) -> list[int]:
            return [entry.number for entry in await store.audit_log(**wanted)]  # type: ignore[arg-type]

        assert await found(actor="actor1") == [6, 4, 2]
        assert await found(action="action2") == [6, 3]
        assert await found(actor="actor1", action="action2", subject="room") == [6]
        assert await found(since=3.0) == [6, 5, 4]
        assert await found(before=3) == [2, 1]
        assert await found(before=5, actor="actor0", limit=1) == [3]
