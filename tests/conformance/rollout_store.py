"""The suite that every `godwit.store.rollout_base.RolloutStore` passes, besides `tests/conformance/store.py`.

A back-end's test module gives a class of its own that inherits `RolloutStoreSuite`, and a fixture
`make_store`: each call of what it yields opens one more store on the same, at first empty, data.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
import pytest

from godwit.errors import MoveRefused, StaleEpoch, StoreUnavailable
from godwit.rollout.values import (
    Advance,
    Budget,
    Definition,
    Event,
    Facts,
    Gate,
    Goal,
    Hold,
    Issue,
    Item,
    Lease,
    Regoal,
    Rollout,
    Tally,
    Wave,
    WaveProgress,
    Wish,
)
from godwit.store.rollout_base import RolloutStore
from godwit.values import Move, Placement, Segment

MakeRolloutStore = Callable[[], Awaitable[RolloutStore]]

MAIN = Segment("main", 1, 0, "m1")
AWS = Segment("aws", 2, 7, "a1")
EVENT = Segment("event", 3, 9, "e1")

GATE = Gate("metric", "delivery", "during", value="delivery_p99", at_most=0.5, critical=2.0)
DEFINITION = Definition(
    "west",
    "aws",
    (Wave("staff", channels=("a", "b"), tiers=("staff", ""), gates=(GATE,)), Wave("rest", percent=12.5, rest=True)),
    sources=("main",),
    budget=Budget(in_flight=3),
    notice="to {cluster}",
)


def rollout(**changes: object) -> Rollout:
    """A rollout as it is started, with changes."""
    new = Rollout("r1", DEFINITION, "hash", "running", (WaveProgress(), WaveProgress()), Budget(), created=5.0)
    return msgspec.structs.replace(new, **changes)


def item(channel: str, wave: int = 0, **changes: object) -> Item:
    """A waiting item of `r1`, with changes."""
    return msgspec.structs.replace(Item("r1", channel, wave, "main"), **changes)


def wished(move_id: str, channel: str, **changes: object) -> Move:
    """A move to aws that was just wished for, with changes."""
    return msgspec.structs.replace(Move(move_id, channel, "aws", "wished"), **changes)


class RolloutStoreSuite:
    """Tests by family; the fixtures give two stores on the same data."""

    @pytest.fixture
    async def store(self, make_store: MakeRolloutStore) -> RolloutStore:
        """A store whose default placement is `MAIN`, and whose leader has term 1."""
        store = await make_store()
        await store.set_default(MAIN, hold_until=0.0)
        await store.lead("controller", "one", now=0.0, until=100.0)
        return store

    @pytest.fixture
    async def rival(self, store: RolloutStore, make_store: MakeRolloutStore) -> RolloutStore:
        """Another store on the same data, as a second process would have it."""
        return await make_store()

    # who leads ------------------------------------------------------------------------------

    async def test_lead(self, store: RolloutStore, rival: RolloutStore) -> None:
        """The lease is kept by its holder and taken when it has ended, with a term one higher each time."""
        assert await store.lead("x", "one", now=5.0, until=10.0) == Lease("x", "one", 1, 10.0)
        assert await rival.lead("x", "two", now=6.0, until=11.0) == Lease("x", "one", 1, 10.0)
        assert await store.lead("x", "one", now=7.0, until=12.0) == Lease("x", "one", 1, 12.0)
        assert await store.lead("x", "one", now=7.0, until=9.0) == Lease("x", "one", 1, 12.0), "never shorter"
        assert await rival.lead("x", "two", now=12.0, until=20.0) == Lease("x", "two", 2, 20.0)
        assert await store.lead("x", "one", now=13.0, until=30.0) == Lease("x", "two", 2, 20.0)
        assert await rival.lead("x", "two", now=20.0, until=40.0) == Lease("x", "two", 3, 40.0), "it had ended"
        assert (await store.lead("y", "one", now=13.0, until=30.0)).term == 1

    async def test_resign(self, store: RolloutStore, rival: RolloutStore) -> None:
        """Who resigns makes room at once; nobody ends the lease of another."""
        await store.lead("x", "one", now=5.0, until=10.0)
        await rival.resign("x", "two")
        assert (await rival.lead("x", "two", now=6.0, until=11.0)).holder == "one"
        await store.resign("x", "one")
        assert await rival.lead("x", "two", now=6.0, until=11.0) == Lease("x", "two", 2, 11.0)
        await store.resign("nobody ever led this", "one")

    async def test_lead_once(self, store: RolloutStore, rival: RolloutStore) -> None:
        """Of two who reach for a free lease one gets it, and both are told who."""
        told = await asyncio.gather(
            store.lead("x", "one", now=5.0, until=10.0), rival.lead("x", "two", now=5.0, until=10.0)
        )
        assert told[0] == told[1]
        assert told[0].term == 1

    # decisions ------------------------------------------------------------------------------

    async def test_advance(self, store: RolloutStore, rival: RolloutStore) -> None:
        """A new rollout is kept as given, with a number and version 1; each change has a version one higher."""
        new = rollout(default_before=MAIN, history=(("running", 5.0, "ann", "why"),), by="ann", reason="because")
        first = await store.advance(Advance(5.0, new), term=1)
        assert first == msgspec.structs.replace(new, version=1, number=1)
        assert await rival.rollout("r1") == first
        assert first is not None
        progress = (WaveProgress("moving", 6.0, ("delivery",)), WaveProgress())
        paused = msgspec.structs.replace(first, state="paused", why="a gate", waves=progress, default_before=None)
        second = await rival.advance(Advance(6.0, paused), term=1)
        assert second == msgspec.structs.replace(paused, version=2)
        assert await store.rollout("r1") == second
        assert await store.rollout("r2") is None
        other = await store.advance(Advance(7.0, rollout(id="r2")), term=1)
        assert other is not None
        assert await rival.rollouts() == [other, second]
        assert [found.id for found in await rival.rollouts(limit=1)] == ["r2"]
        assert other.number > first.number

    async def test_advance_on_an_old_version(self, store: RolloutStore, rival: RolloutStore) -> None:
        """Who read the rollout before it was changed, or repeats a decision, is told so, and writes nothing."""
        first = await store.advance(Advance(5.0, rollout()), term=1)
        with pytest.raises(StaleEpoch, match="version 1, not 0"):
            await rival.advance(Advance(5.0, rollout(), items=(item("a"),)), term=1)
        with pytest.raises(StaleEpoch, match="version 0, not 1"):
            await rival.advance(Advance(5.0, rollout(id="r2", version=1)), term=1)
        assert await store.rollouts() == [first]
        assert await store.items("r1") == []

    async def test_advance_of_an_old_term(self, store: RolloutStore, rival: RolloutStore) -> None:
        """Who does not lead any more writes nothing."""
        with pytest.raises(StaleEpoch, match="term is 1, not 0"):
            await store.advance(Advance(5.0, rollout()), term=0)
        await store.lead("controller", "two", now=100.0, until=200.0)
        for decision in (
            Advance(5.0, rollout()),
            Advance(5.0, items=(item("a"),), events=(Event("rollout.item", 5.0),)),
        ):
            with pytest.raises(StaleEpoch, match="term is 2, not 1"):
                await rival.advance(decision, term=1)
        assert (await store.rollouts(), await store.items("r1"), await store.last_event()) == ([], [], 0)
        assert await rival.advance(Advance(5.0, rollout()), term=2)

    async def test_advance_before_anybody_led(self, make_store: MakeRolloutStore) -> None:
        """Without a lease there is no leader whose decision counts."""
        store = await make_store()
        with pytest.raises(StaleEpoch):
            await store.advance(Advance(5.0), term=0)

    async def test_advance_of_a_zombie(self, store: RolloutStore, rival: RolloutStore) -> None:
        """Of two that decide on the same version one goes on."""
        await store.advance(Advance(5.0, rollout()), term=1)
        told = await asyncio.gather(
            store.advance(Advance(6.0, rollout(version=1, why="one")), term=1),
            rival.advance(Advance(6.0, rollout(version=1, why="two")), term=1),
            return_exceptions=True,
        )
        assert [type(answer) for answer in told].count(StaleEpoch) == 1
        assert await store.rollout("r1") in told

    async def test_advance_writes_all(self, store: RolloutStore, rival: RolloutStore) -> None:
        """One decision can change the rollout, items, moves, wishes, issues and the feed."""
        await store.add_wish(Wish("w1", "pause", "ann", 4.0, "r1"))
        issue = Issue("i1", "r1", 0, "it smells", "ann", 5.0)
        answered = Wish("w1", "pause", "ann", 4.0, "r1", state="done", answer="paused")
        event = Event("rollout.item", 5.0, "a", "r1", {"to": "aws", "count": 3})
        await store.advance(
            Advance(
                5.0,
                rollout(),
                items=(item("a", state="moving", move="m1"),),
                begin=(wished("m1", "a", rollout="r1", cold=True),),
                wishes=(answered, Wish("w9", "pause", "ann", 4.0, state="done")),
                issues=(issue,),
                events=(event,),
            ),
            term=1,
        )
        assert await rival.items("r1") == [item("a", state="moving", move="m1")]
        assert await rival.move("m1") == wished("m1", "a", rollout="r1", cold=True)
        assert await rival.wish("w1") == msgspec.structs.replace(answered, number=1)
        assert await rival.wish("w9") is None
        assert await rival.issues("r1") == [issue]
        assert await rival.feed(after=0) == [msgspec.structs.replace(event, number=1)]

    async def test_advance_writes_nothing(self, store: RolloutStore, rival: RolloutStore) -> None:
        """One move that is refused undoes the whole decision."""
        await store.add_wish(Wish("w1", "start", "ann", 4.0))
        await store.begin_move(wished("m0", "b"))
        await store.begin_move(wished("m8", "c"))
        await store.advance(Advance(4.0, items=(item("z"),)), term=1)
        decision = Advance(
            5.0,
            rollout(),
            items=(item("a"),),
            regoals=(Regoal("r1", "back", 5.0),),
            begin=(wished("m1", "a"), wished("m2", "b")),
            cancel=("m8",),
            wishes=(Wish("w1", "start", "ann", 4.0, state="done"),),
            issues=(Issue("i1", "r1", 0, "it smells", "ann", 5.0),),
            events=(Event("rollout.started", 5.0),),
        )
        with pytest.raises(MoveRefused, match=r"#b .*m0"):
            await rival.advance(decision, term=1)
        assert await store.rollouts() == []
        assert await store.items("r1") == [item("z")]
        assert [move.id for move in await store.moves(unfinished=True)] == ["m8", "m0"]
        assert [wish.id for wish in await store.wishes(new=True)] == ["w1"]
        assert (await store.issues("r1"), await store.last_event()) == ([], 0)

    async def test_advance_begins_once_a_channel(self, store: RolloutStore) -> None:
        """Two moves of one channel in one decision are refused; one that is known is left as it stands."""
        with pytest.raises(MoveRefused, match=r"#a .*m1"):
            await store.advance(Advance(5.0, begin=(wished("m1", "a"), wished("m2", "a"))), term=1)
        assert await store.moves() == []
        move = await store.begin_move(wished("m1", "a"))
        opened = await store.journal(move, "opening", 5.0)
        assert await store.advance(Advance(5.0, begin=(move, wished("m2", "b"), move)), term=1) is None
        assert await store.move("m1") == opened
        assert {found.id for found in await store.moves()} == {"m1", "m2"}

    async def test_advance_cancels(self, store: RolloutStore, rival: RolloutStore) -> None:
        """Moves that have not been sealed are cancelled and make room; all others go on."""
        for move_id, channel in (("m1", "a"), ("m2", "b"), ("m3", "c")):
            await store.begin_move(wished(move_id, channel))
        await store.journal(wished("m2", "b"), "opened", 4.0)
        sealing = await store.journal(wished("m3", "c"), "sealing", 4.0)
        decision = Advance(
            5.0, cancel=("m1", "m2", "m3", "m9"), cancel_error="aborted", begin=(wished("m4", "a"), wished("m5", "b"))
        )
        assert await rival.advance(decision, term=1) is None
        found = await store.move("m2")
        assert found == msgspec.structs.replace(
            wished("m2", "b"),
            state="cancelled",
            error="aborted",
            version=2,
            history=(("opened", 4.0), ("cancelled", 5.0)),
        )
        assert await store.move("m3") == sealing
        assert {move.id for move in await store.moves(unfinished=True)} == {"m3", "m4", "m5"}
        assert await store.advance(decision, term=1) is None
        assert await store.move("m2") == found, "repeated, it changes nothing"

    async def test_advance_holds(self, store: RolloutStore, rival: RolloutStore) -> None:
        """A decision may begin and end holds; one that is there already stays."""
        first = Hold("a", "ann", "why", 5.0)
        await store.advance(Advance(5.0, holds=(first, Hold("b", "ann", "why", 5.0))), term=1)
        assert await rival.holds() == [first, Hold("b", "ann", "why", 5.0)]
        await rival.advance(Advance(6.0, holds=(Hold("a", "bob", "else", 6.0),), releases=("b", "c")), term=1)
        assert await store.holds() == [first]

    async def test_advance_others(self, store: RolloutStore, rival: RolloutStore) -> None:
        """A decision may write other rollouts too; if one of them was changed meanwhile nothing is written."""
        one = await store.advance(Advance(5.0, rollout(id="r1")), term=1)
        two = await store.advance(Advance(5.0, rollout(id="r2")), term=1)
        assert one
        assert two
        paused = msgspec.structs.replace(two, state="paused")
        await store.advance(Advance(6.0, one, others=(paused,)), term=1)
        assert [(found.id, found.state, found.version) for found in await rival.rollouts()] == [
            ("r2", "paused", 2),
            ("r1", "running", 2),
        ]
        with pytest.raises(StaleEpoch):
            await store.advance(Advance(7.0, rollout(id="r3"), others=(paused,)), term=1)
        assert await rival.rollout("r3") is None

    async def test_advance_default(self, store: RolloutStore, rival: RolloutStore) -> None:
        """A decision may change the default placement, under its term only, and only to a higher epoch."""
        to = Segment("aws", 9, 0, "a9")
        with pytest.raises(StaleEpoch):
            await store.advance(Advance(5.0, default=to, hold_until=8.0), term=7)
        assert await rival.default_placement() == MAIN
        await store.advance(Advance(5.0, default=to, hold_until=8.0), term=1)
        assert await rival.default_placement() == to
        assert (await rival.placement("nobody")).drain_until == 8.0
        assert [event.kind for event in await store.feed(after=0, public=True)] == ["default"]
        await store.advance(Advance(6.0, default=msgspec.structs.replace(MAIN, epoch=9), hold_until=9.0), term=1)
        assert await rival.default_placement() == to

    async def test_regoal(self, store: RolloutStore, rival: RolloutStore) -> None:
        """A wave, or all, get another goal; moving items go on, skipped ones stay; items are written afterwards."""
        states = {
            "done": item("done", state="done", move="m1", since=1.0),
            "failed": item("failed", state="failed", error="oops"),
            "later": item("later", 1, state="done"),
            "moving": item("moving", state="moving"),
            "other": item("other", rollout="r2", state="done"),
            "skipped": item("skipped", state="skipped"),
            "waiting": item("waiting", since=2.0),
            "written": item("written", state="done"),
        }
        await store.advance(Advance(5.0, rollout(), items=tuple(states.values())), term=1)

        def back(name: str) -> Item:
            return msgspec.structs.replace(states[name], goal="back", state="waiting", error="", since=6.0)

        kept = item("written", state="skipped")
        one_wave = Advance(6.0, regoals=(Regoal("r1", "back", 6.0, wave=0),), items=(kept,))
        await rival.advance(one_wave, term=1)
        expected = states | {name: back(name) for name in ("done", "failed", "waiting")} | {"written": kept}
        expected["moving"] = item("moving", state="moving", goal="back")
        assert await store.items("r2") == [expected.pop("other")]
        assert await store.items("r1") == list(expected.values())
        await rival.advance(Advance(7.0, regoals=(Regoal("r1", "back", 6.0, skipped=True),)), term=1)
        expected |= {"later": back("later"), "skipped": back("skipped")}
        expected["written"] = msgspec.structs.replace(kept, goal="back", state="waiting", since=6.0)
        assert await store.items("r1") == list(expected.values())
        assert await store.items("r2") == [states["other"]]

    # wishes ---------------------------------------------------------------------------------

    async def test_wishes(self, store: RolloutStore, rival: RolloutStore) -> None:
        """Wishes are kept as given and numbered; new ones come oldest first, all of them newest first."""
        given = Wish("w1", "start", "ann", 4.0, args={"hash": "x", "waves": [1, 2], "force": True}, reason="why")
        first = await store.add_wish(given)
        assert first == msgspec.structs.replace(given, number=first.number)
        assert await rival.add_wish(Wish("w1", "abort", "bob", 5.0)) == first
        assert await rival.wish("w1") == first
        await rival.add_wish(Wish("w2", "pause", "ann", 5.0, "r1"))
        third = await rival.add_wish(Wish("w3", "resume", "ann", 6.0, "r1"))
        assert third.number > first.number
        await store.advance(
            Advance(7.0, wishes=(msgspec.structs.replace(third, state="refused", answer="no"),)), term=1
        )

        async def ids(**options: Any) -> list[str]:
            return [wish.id for wish in await store.wishes(**options)]

        assert await ids() == ["w3", "w2", "w1"]
        assert await ids(limit=2) == ["w3", "w2"]
        assert await ids(new=True) == ["w1", "w2"]
        assert await ids(new=True, limit=1) == ["w1"]
        assert await ids(rollout="r1") == ["w3", "w2"]
        assert await ids(new=True, rollout="r1") == ["w2"]
        assert await ids(new=True, rollout="") == ["w1"]

    # items ----------------------------------------------------------------------------------

    async def test_items(self, store: RolloutStore, rival: RolloutStore) -> None:
        """Items are kept as given and come by name, of a wave or a state, in pages."""
        full = Item(
            "r1",
            "d",
            1,
            "main",
            "back",
            "failed",
            True,
            "m7",
            3,
            2,
            True,
            "oops",
            7.5,
            12,
            9,
            ("ann", "bob"),
            "gap",
            8.25,
        )
        given = (full, item("b", state="done"), item("a"), item("c", 1), item("e", 1, rollout="r2"))
        await store.advance(Advance(5.0, items=given), term=1)
        assert await rival.items("r1") == [given[2], given[1], given[3], full]
        assert await rival.item("r1", "d") == full
        assert await rival.item("r2", "d") is None
        assert await rival.items("r1", wave=1) == [given[3], full]
        assert await rival.items("r1", state="waiting") == [given[2], given[3]]
        assert await rival.items("r1", state="waiting", wave=1) == [given[3]]
        assert await rival.items("r1", after="a", limit=2) == [given[1], given[3]]
        changed = msgspec.structs.replace(full, state="done", stayed=())
        await rival.advance(Advance(6.0, items=(changed,)), term=1)
        assert await store.item("r1", "d") == changed

    async def test_items_of(self, store: RolloutStore) -> None:
        """The item of the newest rollout comes first, whatever the rollouts are called."""
        for name in ("r2", "r9", "r1"):
            await store.advance(Advance(5.0, rollout(id=name), items=(item("a", rollout=name),)), term=1)
        assert [found.rollout for found in await store.items_of("a")] == ["r1", "r9", "r2"]
        assert await store.items_of("b") == []

    async def test_items_by_move(self, store: RolloutStore) -> None:
        """The items that wait for these moves."""
        given = (item("a", move="m1"), item("b", move="m2"), item("c"), item("d", move="m3"))
        await store.advance(Advance(5.0, items=given), term=1)
        found = await store.items_by_move(["m3", "m1", "m9"])
        assert sorted(found, key=lambda one: one.channel) == [given[0], given[3]]
        assert await store.items_by_move([]) == []

    async def test_tallies(self, store: RolloutStore) -> None:
        """Counts by wave, goal and state, without those that are zero."""
        given = [item(f"a{number}") for number in range(3)]
        given += [item("b", state="done"), item("c", goal="back"), item("d", 1, goal="back", state="done")]
        await store.advance(Advance(5.0, items=(*given, item("e", rollout="r2"))), term=1)
        assert await store.tallies("r1") == [
            Tally(0, "back", "waiting", 1),
            Tally(0, "there", "done", 1),
            Tally(0, "there", "waiting", 3),
            Tally(1, "back", "done", 1),
        ]
        assert await store.tallies("r3") == []

    async def eligible(
        self,
        store: RolloutStore,
        upto: int = 0,
        *,
        goals: Sequence[Goal] = ("there",),
        force: bool = False,
        limit: int = 10,
    ) -> list[str]:
        """Names of those that seem free to move at 1000, offline for 100 and not about to start within 50."""
        found = await store.eligible(
            "r1",
            goals=goals,
            upto=upto,
            mandatory=(),
            now=1000.0,
            offline_for=100.0,
            starts_within=50.0,
            force=force,
            limit=limit,
        )
        return [one.channel for one, _ in found]

    async def test_eligible(self, store: RolloutStore, rival: RolloutStore) -> None:
        """Held, live, lately live and soon live channels are left out, and those that do not wait."""
        names = ["free", "held", "lately", "late", "live", "long_ago", "soon", "tomorrow"]
        given = (*(item(name) for name in names), item("done", state="done"), item("other", rollout="r2"))
        await store.advance(Advance(5.0, items=given), term=1)
        await store.hold(Hold("held", "ann", "why", 5.0))
        await store.set_live("live", True, 10.0)
        await store.set_live("lately", True, 10.0)
        await store.set_live("lately", False, 901.0)
        await store.set_live("long_ago", False, 900.0)
        starts = {"soon": 1050.0, "tomorrow": 1051.0, "late": 999.0}
        await store.set_facts([Facts(name, starts_at=time) for name, time in starts.items()])
        assert await self.eligible(rival) == ["free", "late", "long_ago", "tomorrow"]
        assert await self.eligible(rival, force=True) == [
            "free",
            "late",
            "lately",
            "live",
            "long_ago",
            "soon",
            "tomorrow",
        ]
        await store.release_hold("held")
        assert "held" in await self.eligible(rival)

    async def test_eligible_early_in_time(self, store: RolloutStore) -> None:
        """A channel of which nothing was ever said is not one that ended its stream at 0."""
        await store.advance(Advance(5.0, items=(item("a"),)), term=1)
        found = await store.eligible(
            "r1",
            goals=("there", "back"),
            upto=0,
            mandatory=(),
            now=5.0,
            offline_for=100.0,
            starts_within=50.0,
            force=False,
            limit=9,
        )
        assert [candidate.channel for _, candidate in found] == ["a"]

    async def test_eligible_opted_out(self, store: RolloutStore, rival: RolloutStore) -> None:
        """Who opts out while the rollout runs stays, but for mandatory waves and the way back."""
        given = (item("bound", 1), item("free", 0), item("home", 0, goal="back"))
        await store.advance(Advance(5.0, items=given), term=1)
        await store.set_facts([Facts(one.channel, opt="out") for one in given])
        found = await rival.eligible(
            "r1", goals=("there", "back"), upto=1, mandatory=(1,), now=9.0, offline_for=0.0, starts_within=0.0,
            force=False, limit=9,
        )  # fmt: skip
        assert [one.channel for one, _ in found] == ["home", "bound"]

    async def test_eligible_by_force(self, store: RolloutStore, rival: RolloutStore) -> None:
        """Force belongs to a channel on its way to a goal, and ends with it; other live channels stay."""
        given = (item("a", goal="back"), item("b", goal="back", state="done"), item("c"))
        await store.advance(Advance(5.0, items=given), term=1)
        for one in given:
            await store.set_live(one.channel, True, 1.0)
        assert await self.eligible(rival, goals=("there", "back")) == []
        await store.advance(Advance(6.0, regoals=(Regoal("r1", "back", 6.0, wave=0, force=True),)), term=1)
        assert await self.eligible(rival, goals=("there", "back")) == ["a", "c"]
        assert [one.force for one in await rival.items("r1")] == [True, False, True]
        await store.advance(Advance(7.0, regoals=(Regoal("r1", "there", 7.0),)), term=1)
        assert await self.eligible(rival, goals=("there", "back")) == []

    async def test_eligible_in_turn(self, store: RolloutStore, rival: RolloutStore) -> None:
        """The lowest wave comes first, then the smallest; sizes may be known before and after the items."""
        await store.set_facts([Facts("a", members=30), Facts("b", members=20), Facts("x", members=1)])
        given = (item("a"), item("b"), item("c"), item("d"), item("x", 1), item("y", 2))
        await store.advance(Advance(5.0, items=given), term=1)
        assert await self.eligible(rival, 1) == ["c", "d", "b", "a", "x"]
        await rival.set_facts([Facts("c", members=25), Facts("a", members=5)])
        assert await self.eligible(store, 2) == ["d", "a", "b", "c", "x", "y"]
        assert await self.eligible(store, 2, limit=3) == ["d", "a", "b"]
        await store.advance(Advance(6.0, items=(item("b", tries=1),)), term=1)
        assert await self.eligible(store, 0) == ["d", "a", "b", "c"]

    async def test_eligible_by_goal(self, store: RolloutStore) -> None:
        """Those that are to go there, back, or either."""
        await store.advance(Advance(5.0, items=(item("a"), item("b", goal="back"), item("c"))), term=1)
        assert await self.eligible(store) == ["a", "c"]
        assert await self.eligible(store, goals=("back",)) == ["b"]
        assert await self.eligible(store, goals=("there", "back")) == ["a", "b", "c"]

    async def test_eligible_says_what_is_known(self, store: RolloutStore) -> None:
        """Each comes with its candidate."""
        await store.commit("a", AWS, drain_until=9.0, now=1.0)
        await store.set_facts([Facts("a", "staff", members=3)])
        await store.set_live("a", False, 2.0)
        await store.advance(Advance(5.0, items=(item("a"),)), term=1)
        [(found, candidate)] = await store.eligible(
            "r1",
            goals=("there", "back"),
            upto=0,
            mandatory=(),
            now=1000.0,
            offline_for=0.0,
            starts_within=0.0,
            force=False,
            limit=9,
        )
        assert found == item("a")
        assert [candidate] == await store.candidates_of(["a"])
        assert candidate.cluster == "aws"

    async def test_arrived(self, store: RolloutStore, rival: RolloutStore) -> None:
        """Moving items whose move has been committed, or has ended in any way."""
        states = {"a": "draining", "b": "settled", "c": "failed", "d": "cancelled", "e": "sealed", "f": "draining"}
        for channel, state in states.items():
            move = await store.begin_move(wished(f"m-{channel}", channel))
            await store.journal(move, msgspec.convert(state, type(move.state)), 4.0)
        await store.commit("a", AWS, drain_until=9.0, now=1.0)
        moving = [item(channel, state="moving", move=f"m-{channel}") for channel in states if channel != "f"]
        others = (item("f", state="done", move="m-f"), item("g", state="moving"), item("h", rollout="r2", move="m-a"))
        await store.advance(Advance(5.0, items=(*moving, *others)), term=1)
        found = await rival.arrived("r1", 10)
        assert [one.channel for one, _, _ in found] == ["a", "b", "c", "d"]
        there = msgspec.structs.replace(await store.placement("a"), previous=(), drains=())
        assert found[0] == (moving[0], await store.move("m-a"), there)
        assert found[1][2] == Placement("b", MAIN, default=True)
        assert len(await rival.arrived("r1", 2)) == 2

    async def test_newcomers(self, store: RolloutStore, rival: RolloutStore) -> None:
        """Channels with rows on these clusters that the rollout does not know yet; no group and no hidden rooms."""
        await store.pin(["a", "b", "c", "_room_1234567890123", "godwit__probe", "godwit_fan"])
        await store.commit("d", AWS, drain_until=9.0, now=1.0)
        await store.commit("e", EVENT, drain_until=9.0, now=1.0)
        await store.advance(Advance(5.0, items=(item("b"), item("c", rollout="r2"))), term=1)
        found = await rival.newcomers("r1", ["main", "event"], 10)
        assert [candidate.channel for candidate in found] == ["a", "c", "e", "godwit_fan"]
        assert found == await rival.candidates_of(["a", "c", "e", "godwit_fan"])
        assert [candidate.channel for candidate in await rival.newcomers("r1", ["main"], 2, after="a")] == [
            "c",
            "godwit_fan",
        ]
        assert await rival.newcomers("r1", ["group"], 10) == []

    async def test_issues(self, store: RolloutStore, rival: RolloutStore) -> None:
        """Issues come oldest first, and stay known when they are resolved."""
        first = Issue("i2", "r1", 0, "it smells", "ann", 5.0)
        second = Issue("i1", "r1", 1, "it burns", "bob", 6.0)
        await store.advance(Advance(5.0, issues=(first, Issue("i3", "r2", 0, "else", "ann", 5.0))), term=1)
        await store.advance(Advance(6.0, issues=(second,)), term=1)
        assert await rival.issues("r1") == [first, second]
        done = msgspec.structs.replace(first, resolved=7.0, resolved_by="bob", resolution="aired")
        await rival.advance(Advance(7.0, issues=(done,)), term=1)
        assert await store.issues("r1") == [done, second]
        assert await store.issues("r1", open_only=True) == [second]

    # what is known of channels --------------------------------------------------------------

    async def test_candidates(self, store: RolloutStore, rival: RolloutStore) -> None:
        """Whoever is known for anything is a candidate, once; group rooms and hidden ones are not."""
        await store.commit("row", AWS, drain_until=9.0, now=1.0)
        fact = Facts("fact", "partner", "in", 40, 2.5, 99.5)
        hold = Hold("hold", "ann", "why", 5.0)
        await store.set_facts([fact, Facts("row", members=1), Facts("_group_1234567890123"), Facts("godwit__x")])
        await store.hold(hold)
        await store.hold(Hold("_held", "ann", "why", 5.0))
        await store.set_live("row", True, 6.0)
        await store.set_live("off", False, 7.0)
        await store.pin(["godwit__probe"])
        found = await rival.candidates()
        assert [candidate.channel for candidate in found] == ["fact", "hold", "off", "row"]
        by_name = {candidate.channel: candidate for candidate in found}
        assert by_name["fact"].facts == fact
        assert (by_name["fact"].placement, by_name["fact"].hold) == (Placement("fact", MAIN, default=True), None)
        assert (by_name["hold"].hold, by_name["hold"].facts) == (hold, Facts("hold"))
        assert (by_name["row"].live, by_name["row"].live_since, by_name["row"].cluster) == (True, 6.0, "aws")
        assert (by_name["off"].live, by_name["off"].live_since) == (False, 7.0)
        assert await rival.candidates(after="fact", limit=2) == found[1:3]
        assert await rival.candidates(after="row") == []

    async def test_candidates_of(self, store: RolloutStore) -> None:
        """Named ones come in the order asked for, known or not, hidden or not."""
        await store.set_facts([Facts("b", members=2)])
        found = await store.candidates_of(["c", "b", "godwit__x", "b"])
        assert [candidate.channel for candidate in found] == ["c", "b", "godwit__x", "b"]
        assert [candidate.facts.members for candidate in found] == [0, 2, 0, 2]
        assert await store.candidates_of([]) == []

    async def test_facts(self, store: RolloutStore, rival: RolloutStore) -> None:
        """Facts replace what was known; they come by name, in pages."""
        ann = Facts("ann", "staff", "out", 2**40, 0.25, 1_700_000_000.5)
        assert await store.set_facts([Facts("bob"), ann, Facts("cem")]) == 3
        assert await rival.facts() == [ann, Facts("bob"), Facts("cem")]
        assert await rival.set_facts([Facts("ann", members=1), Facts("ann", members=2)]) == 1
        assert await store.facts(limit=1) == [Facts("ann", members=2)]
        assert await store.facts(after="ann", limit=1) == [Facts("bob")]
        assert await store.set_facts([]) == 0

    async def test_holds(self, store: RolloutStore, rival: RolloutStore) -> None:
        """A hold stays as it was made until it is released."""
        first = Hold("b", "ann", "why", 5.0)
        await store.hold(first)
        await rival.hold(Hold("b", "bob", "else", 6.0))
        await store.hold(Hold("a", "bob", "else", 7.0))
        assert await rival.holds() == [Hold("a", "bob", "else", 7.0), first]
        assert await rival.release_hold("b") is True
        assert await store.release_hold("b") is False
        assert await store.holds() == [Hold("a", "bob", "else", 7.0)]

    async def test_a_live_channel_has_a_row(self, store: RolloutStore, rival: RolloutStore) -> None:
        """Rule C10: what is live does not go with the default; what ends its stream gets no row by that."""
        await store.set_live("room", True, 5.0)
        await store.set_live("other", False, 5.0)
        await rival.set_default(AWS, hold_until=9.0)
        assert await rival.placements(["room", "other"]) == [
            Placement("room", MAIN),
            Placement("other", AWS, drain_until=9.0, default=True),
        ]
        assert await rival.chains(["room"]) == [[MAIN]]
        await rival.commit("room", EVENT, drain_until=9.0, now=6.0)
        await store.set_live("room", True, 7.0)
        assert (await store.placement("room")).segment == EVENT

    async def test_live_without_a_default(self, make_store: MakeRolloutStore) -> None:
        """Where nobody can say where the channel is, its row cannot be made, and nothing is written."""
        store = await make_store()
        with pytest.raises(StoreUnavailable):
            await store.set_live("room", True, 5.0)
        assert await store.live_among(["room"]) == set()

    async def test_live_among(self, store: RolloutStore) -> None:
        """Those of many that are live."""
        for channel, live in (("a", True), ("b", False), ("c", True)):
            await store.set_live(channel, live, 5.0)
        assert await store.live_among(["a", "b", "d"]) == {"a"}
        assert await store.live_among([]) == set()

    # many moves at once ---------------------------------------------------------------------

    async def test_journal_many(self, store: RolloutStore, rival: RolloutStore) -> None:
        """Each step is written or refused by itself, and answered in its place."""
        a, b, c = [await store.begin_move(wished(f"m-{name}", name)) for name in "abc"]
        ended = await store.journal(c, "cancelled", 4.0)
        assert ended is not None
        stale = msgspec.structs.replace(b, version=7)
        told = await rival.journal_many(
            [(stale, "opening"), (b, "opening"), (wished("m9", "z"), "opening"), (ended, "opening"), (a, "opening")],
            5.0,
        )
        assert [move and move.id for move in told] == [None, "m-b", None, None, "m-a"]
        assert told[4] == msgspec.structs.replace(a, state="opening", version=1, history=(("opening", 5.0),))
        assert await store.move("m-a") == told[4]
        assert await store.move("m-c") == ended
        assert await store.journal_many([], 6.0) == []
        assert told[1] is not None
        twice = await store.journal_many([(told[1], "opened"), (told[1], "opened")], 6.0)
        assert [move is None for move in twice] == [False, True]

    async def test_no_seal_while_live(self, store: RolloutStore, rival: RolloutStore) -> None:
        """A channel that went live is not sealed: its move is cancelled instead, unless it is forced."""
        begun = [
            await store.begin_move(wished(f"m-{name}", name, state="opened", forced=name == "c")) for name in "abcd"
        ]
        for name in "abc":
            await store.set_live(name, True, 4.0)
        await store.set_live("a", False, 5.0)
        told = await rival.journal_many([(move, "sealing") for move in begun], 6.0)
        assert [move and move.state for move in told] == ["sealing", "cancelled", "sealing", "sealing"]
        assert told[1] == msgspec.structs.replace(
            begun[1],
            state="cancelled",
            error="#b went live before the switch",
            version=1,
            history=(("cancelled", 6.0),),
        )
        assert await store.move("m-b") == told[1]
        assert await store.journal_many([(begun[1], "sealing")], 7.0) == [None]
        again = await store.begin_move(wished("m2", "b", state="opened"))
        single = await rival.journal(again, "sealing", 8.0)
        assert (single and single.state) == "cancelled"
        sealing = told[0]
        assert sealing is not None
        await store.set_live("a", True, 9.0)
        assert (await rival.journal_many([(sealing, "sealed")], 9.0))[0], "what is sealed is sealed"

    async def test_commit_many(self, store: RolloutStore, rival: RolloutStore) -> None:
        """As `commit`: lower epochs change nothing, unclean ones want their own; answers come in order."""
        await store.commit("b", EVENT, drain_until=9.0, now=1.0)
        await store.pin(["c"])
        unclean = Segment("aws", 5, 1, "a1", unclean=True)
        late = Segment("aws", 4, 1, "a1", unclean=True)
        below = Segment("aws", 1, 1, "a1")
        told = await rival.commit_many(
            [("d", AWS), ("b", AWS), ("a", AWS), ("c", late), ("b", unclean), ("e", below), ("f", late)],
            drain_until=60.0,
            now=5.0,
        )
        names = ["d", "b", "a", "c", "b", "e", "f"]
        assert told == await store.placements(names)
        assert [row.channel for row in told] == names
        assert [row.segment for row in told] == [AWS, unclean, AWS, MAIN, unclean, MAIN, MAIN]
        assert [row.default for row in told] == [False, False, False, False, False, True, True]
        assert told[0] == Placement("d", AWS, "draining", 60.0, ("main",), drains=(60.0,))
        assert told[1] == Placement("b", unclean, "draining", 60.0, ("event", "main"), drains=(60.0, 9.0))
        assert await store.chains(["b", "f", "d"]) == [[MAIN, EVENT, unclean], [MAIN], [MAIN, AWS]]
        assert await store.commit_many([], drain_until=60.0, now=5.0) == []

    async def test_commit_many_twice_the_same_channel(self, store: RolloutStore) -> None:
        """Two switches of one channel are made one after the other, and both are in its chain and in the feed."""
        told = await store.commit_many([("a", AWS), ("a", EVENT), ("a", AWS)], drain_until=60.0, now=5.0)
        assert [row.segment for row in told] == [EVENT, EVENT, EVENT]
        assert told[0].drains == (60.0, 60.0)
        assert await store.segments("a") == [MAIN, AWS, EVENT]
        assert [event.details["cluster"] for event in await store.feed(after=0)] == ["aws", "event"]

    async def test_commit_more_than_one_statement_names(self, store: RolloutStore) -> None:
        """More than a thousand at once, through all their steps."""
        names = [f"c{number:04}" for number in range(1203)]
        begin = tuple(wished(f"m{name}", name, state="opened") for name in names)
        await store.advance(Advance(5.0, begin=begin, items=tuple(item(name) for name in names)), term=1)
        told = await store.journal_many([(move, "sealing") for move in begin], 5.0)
        assert all(told)
        rows = await store.commit_many([(name, AWS) for name in names], drain_until=60.0, now=5.0)
        assert [row.channel for row in rows] == names
        await store.settle_many([(name, 2) for name in names])
        settled = await store.placements(names)
        assert {row.phase for row in settled} == {"settled"}
        assert {len(chain) for chain in await store.chains(names)} == {2}
        assert len(await store.items("r1", limit=5000)) == len(await store.items_by_move([""])) == 1203
        assert len(await store.candidates(limit=5000)) == 1203
        assert await store.last_event() == 1203

    async def test_settle_many(self, store: RolloutStore, rival: RolloutStore) -> None:
        """Only drains of the newest epochs end."""
        await store.commit_many([("a", AWS), ("b", AWS)], drain_until=60.0, now=5.0)
        await rival.settle_many([("a", 2), ("b", 1), ("c", 1)])
        assert [row.phase for row in await store.placements(["a", "b"])] == ["settled", "draining"]
        assert (await store.placement("a")).drain_until == 0.0
        await store.settle_many([])

    async def test_chains(self, store: RolloutStore) -> None:
        """In the order asked for, lowest epochs first."""
        await store.commit("a", AWS, drain_until=9.0, now=1.0)
        await store.commit("a", EVENT, drain_until=9.0, now=2.0)
        assert await store.chains(["b", "a", "b"]) == [[MAIN], [MAIN, AWS, EVENT], [MAIN]]
        assert await store.chains([]) == []

    async def test_competitors_in_bulk(self, store: RolloutStore, rival: RolloutStore) -> None:
        """Of those who commit the same channels at the same time one wins each."""
        names = [f"c{number}" for number in range(50)]
        told = await asyncio.gather(
            store.commit_many([(name, AWS) for name in names], drain_until=9.0, now=1.0),
            rival.commit_many([(name, Segment("event", 2, 5, "e1")) for name in names], drain_until=8.0, now=1.0),
            rival.pin(names),
        )
        assert told[0] == told[1] == await store.placements(names)
        assert {len(chain) for chain in await store.chains(names)} == {2}
        assert await store.last_event() == 50

    # clusters -------------------------------------------------------------------------------

    async def test_clusters_in_use(self, store: RolloutStore, rival: RolloutStore) -> None:
        """Rows count where they are; unfinished moves where they come from and where they go."""
        assert await store.clusters_in_use() == {}
        await store.pin(["a", "b"])
        await store.commit("c", AWS, drain_until=9.0, now=1.0)
        await store.begin_move(wished("m1", "a", source=MAIN, target="event"))
        await store.begin_move(wished("m2", "b", target="event"))
        ended = await store.begin_move(wished("m3", "c", source=AWS, target="group"))
        await store.journal(ended, "settled", 5.0)
        assert await rival.clusters_in_use() == {"main": 3, "aws": 1, "event": 2}

    async def test_channels_on(self, store: RolloutStore, rival: RolloutStore) -> None:
        """Where those with rows live, whatever moves; hidden rooms are nobody's."""
        assert await store.channels_on() == {}
        await store.pin(["a", "b", "godwit__main_0"])
        await store.commit("c", AWS, drain_until=9.0, now=1.0)
        await store.begin_move(wished("m1", "a", source=MAIN, target="event"))
        assert await rival.channels_on() == {"main": 2, "aws": 1}

    async def test_retire(self, store: RolloutStore, rival: RolloutStore) -> None:
        """A cluster's addresses serve another one until it is brought back; each change is in the feed once."""
        assert await store.retired() == {}
        await store.retire("main", "aws", 5.0)
        await rival.retire("main", "aws", 6.0)
        await rival.retire("event", "aws", 7.0)
        assert await rival.retired() == {"main": "aws", "event": "aws"}
        await store.retire("main", "event", 8.0)
        await store.retire("event", "", 9.0)
        await store.retire("event", "", 9.5)
        assert await rival.retired() == {"main": "event"}
        assert [(event.kind, event.time, event.details) for event in await rival.feed(after=0, public=True)] == [
            ("retired", 5.0, {"cluster": "main", "into": "aws"}),
            ("retired", 7.0, {"cluster": "event", "into": "aws"}),
            ("retired", 8.0, {"cluster": "main", "into": "event"}),
            ("retired", 9.0, {"cluster": "event", "into": ""}),
        ]

    # the feed -------------------------------------------------------------------------------

    async def test_feed_of_moves(self, store: RolloutStore, rival: RolloutStore) -> None:
        """What changed a placement is in the feed; what changed nothing is not."""
        assert (await store.last_event(), await store.feed(after=0)) == (0, []), "the first default is no change"
        await store.commit("a", AWS, drain_until=9.0, now=5.0)
        await rival.commit("a", AWS, drain_until=9.0, now=6.0)
        await rival.set_default(EVENT, hold_until=9.0, now=7.0)
        await store.set_default(AWS, hold_until=9.0, now=8.0)
        await store.pin(["b"])
        await store.reopen({"event": "e2", "aws": "a2"})
        await store.commit("b", Segment("aws", 9, 1, "a2"), drain_until=9.0, now=9.0)
        assert await rival.feed(after=0) == [
            Event("moved", 5.0, "a", details={"cluster": "aws", "epoch": 2, "from": "main"}, number=1),
            Event("default", 7.0, details={"cluster": "event", "epoch": 3, "from": "main"}, number=2),
            Event("moved", 9.0, "b", details={"cluster": "aws", "epoch": 9, "from": "event"}, number=3),
        ]
        assert await rival.last_event() == 3

    async def test_feed(self, store: RolloutStore, rival: RolloutStore) -> None:
        """Behind a number, for everybody or for one rollout, at most so many."""
        await store.commit("a", AWS, drain_until=9.0, now=5.0)
        events = (
            Event("rollout.wave", 6.0, rollout="r1"),
            Event("rollout.item", 6.0, "a", "r2", {"x": [1, {"y": 2.5}]}),
        )
        await store.advance(Advance(6.0, events=events), term=1)
        await rival.commit("b", AWS, drain_until=9.0, now=7.0)

        async def kinds(after: int = 0, **options: Any) -> list[tuple[int, str]]:
            return [(event.number, event.kind) for event in await rival.feed(after=after, **options)]

        assert await kinds() == [(1, "moved"), (2, "rollout.wave"), (3, "rollout.item"), (4, "moved")]
        assert await kinds(1, limit=2) == [(2, "rollout.wave"), (3, "rollout.item")]
        assert await kinds(public=True) == [(1, "moved"), (4, "moved")]
        assert await kinds(rollout="r2") == [(3, "rollout.item")]
        assert await kinds(4) == []
        assert (await rival.feed(after=2))[0] == msgspec.structs.replace(events[1], number=3)

    async def test_trim_feed(self, store: RolloutStore, rival: RolloutStore) -> None:
        """Old public events are forgotten, those of rollouts stay; numbers are never given twice."""
        await store.commit("a", AWS, drain_until=9.0, now=5.0)
        await store.advance(Advance(5.0, events=(Event("rollout.wave", 5.0, rollout="r1"),)), term=1)
        await store.commit("b", AWS, drain_until=9.0, now=7.0)
        assert (await rival.trim_feed(5.0), await rival.feed_floor()) == (0, 0)
        assert (await rival.trim_feed(6.0), await store.feed_floor()) == (1, 1)
        assert [event.number for event in await store.feed(after=0)] == [2, 3]
        assert (await rival.trim_feed(9.0), await store.feed_floor()) == (1, 3)
        assert (await rival.trim_feed(9.0), await store.feed_floor()) == (0, 3)
        assert await store.last_event() == 3
        await store.commit("c", AWS, drain_until=9.0, now=9.0)
        assert [event.number for event in await rival.feed(after=0, public=True)] == [4]

    async def test_webhook_cursor(self, store: RolloutStore, rival: RolloutStore) -> None:
        """Each webhook has a cursor of its own, which never goes back."""
        assert await store.webhook_cursor("pager") is None
        await store.set_webhook_cursor("pager", 0)
        assert await rival.webhook_cursor("pager") == 0
        for number in (7, 12, 9):
            await rival.set_webhook_cursor("pager", number)
        assert await store.webhook_cursor("pager") == 12
        assert await store.webhook_cursor("other") is None
        assert await store.last_event() == 0
