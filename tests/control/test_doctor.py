"""The doctor: a healthy network is clean; each thing that can be wrong is found, named, and mended if it can be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from godwit.control.doctor import GRACE, MOMENT, PAGE, STUCK, Doctor, ready_to_retire
from godwit.control.findings import Finding, Findings, Kind, summarise
from godwit.control.leader import LEASE
from godwit.control.repair import Repair
from godwit.errors import ChatLogUnavailable
from godwit.rollout import moves
from godwit.rollout.values import Advance, Budget, Definition, Item, Rollout, RolloutState, Wave, WaveProgress
from godwit.settings import Settings
from godwit.values import Move, Seal, Segment
from tests.control.running import Nobody
from tests.control.world import SETTINGS, World


class Edges(Nobody):
    """A crowd whose edges stand where a test says."""

    def __init__(self) -> None:
        super().__init__()
        self.standing: dict[str, list[tuple[str, Segment]]] = {}

    async def views(self, channels: Sequence[str]) -> dict[str, list[tuple[str, Segment]]]:
        return {channel: views for channel, views in self.standing.items() if channel in channels}


class Clinic:
    """A network that somebody leads, and its doctor, who loses no time when he waits."""

    def __init__(self) -> None:
        self.world = World()
        self.edges = Edges()
        self.waited: list[float] = []
        self.meanwhile: Callable[[], None] = lambda: None
        settings = Settings(move=SETTINGS)
        self.doctor = Doctor(
            self.world.store, self.world.logs, self.edges, self.world.clock, settings, sleep=self._sleep
        )
        self.term = 0

    async def _sleep(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.meanwhile()

    async def start(self) -> None:
        """A channel #room with a line, and a leader for a day."""
        await self.world.start()
        await self.world.store.pin(["room"])
        lease = await self.world.store.lead(LEASE, "me", now=1000.0, until=100_000.0)
        self.term = lease.term

    async def moved(self, target: str = "aws") -> Move:
        """The channel is moved, settled and said something in again."""
        move = await self.world.mover().carry(await self.world.wish(target))
        self.world.clock.advance(60.0)
        move = await self.world.mover().settle(move)
        await self.world.say(target, move.epoch, move.epoch)
        return move

    async def found(self) -> list[Finding]:
        """What is found now."""
        examined = await self.doctor.examine()
        assert examined.clean == (not examined.findings)
        assert msgspec.json.decode(msgspec.json.encode(examined), type=Findings) == examined
        return list(examined.findings)

    async def repair(self, *, dry: bool = False, force: bool = False) -> list[str]:
        """Repair what is found now."""
        world = self.world

        async def write(advance: Advance) -> None:
            await world.store.advance(advance, term=self.term)

        repair = Repair(self.doctor, world.store, world.logs, world.clock, SETTINGS, write)
        return await repair.repair(await self.found(), dry=dry, force=force)

    async def start_rollout(self, state: RolloutState, *items: Item, id: str = "r1") -> None:
        """A rollout to aws with these items."""
        definition = Definition("all", "aws", (Wave("w1"),))
        rollout = Rollout(id, definition, "", state, (WaveProgress("moving"),), Budget())
        advance = Advance(self.world.clock.now(), rollout, items=items)
        await self.world.store.advance(advance, term=self.term)


@pytest.fixture
async def clinic() -> Clinic:
    clinic = Clinic()
    await clinic.start()
    return clinic


async def test_a_healthy_network_is_clean(clinic: Clinic) -> None:
    """Moved there, on and back; the last move still drains; a rollout knows of it."""
    await clinic.moved("aws")
    await clinic.moved("event")
    move = await clinic.world.mover().carry(await clinic.world.wish("main"))
    clinic.edges.standing["room"] = [("main-1", moves.destination(move))]
    await clinic.start_rollout("running", Item("r1", "cat", 0, "main", state="waiting"))
    found = await clinic.doctor.examine()
    assert found == Findings((), True, 1, 1, 0, clinic.world.clock.now(), 0.0)
    assert clinic.waited == []
    assert summarise(found) == (
        "clean: store, logs and edges agree (looked at 1 channels, 1 unfinished moves and 0 items of rollouts in 0.0 s)"
    )


async def test_all_channels_are_looked_at_page_by_page(clinic: Clinic) -> None:
    names = [f"c{number:04}" for number in range(2 * PAGE + 7)]
    await clinic.world.store.pin(names)
    lost = names[PAGE + 1]
    await clinic.world.store.commit(lost, Segment("gone", 2, 0, "gone/1"), drain_until=0.0, now=0.0)
    await clinic.world.store.settle(lost, 2)
    examined = await clinic.doctor.examine()
    assert examined.channels == 2 * PAGE + 8
    missing = "the log of main has no seal from main/1 to gone/2"
    assert [(one.kind, one.channel, one.what) for one in examined.findings] == [
        ("unknown-cluster", lost, "it is on gone, which has no log here"),
        ("missing-seal", lost, missing),
    ]
    assert summarise(examined).splitlines()[1:] == [
        f"unknown-cluster: #{lost}: it is on gone, which has no log here",
        f"missing-seal: #{lost}: {missing} (repair: seal it, towards gone/2, by force only)",
    ]


async def test_what_is_under_way_is_no_fault(clinic: Clinic) -> None:
    """The seal is in the log, and is committed while the doctor waits."""
    world = clinic.world
    move = await world.upto("sealed")
    clinic.meanwhile = lambda: world.store._rows.update(room=_placed(world, move))  # type: ignore[attr-defined]
    world.store._chains["room"].append(moves.destination(move))  # type: ignore[attr-defined]
    assert await clinic.found() == []
    assert clinic.waited == [MOMENT]


def _placed(world: World, move: Move) -> object:
    row = world.store._rows["room"]  # type: ignore[attr-defined]
    return msgspec.structs.replace(row, segment=moves.destination(move))


async def test_a_seal_that_nobody_committed_is_committed(clinic: Clinic) -> None:
    """C2, C3."""
    move = await clinic.world.upto("sealed")
    (found,) = await clinic.found()
    assert (found.kind, found.channel, found.repair) == ("uncommitted-seal", "room", "commit it")
    assert found.what == "the seal in the log of main goes to aws/2, the store says main/1"
    assert await clinic.repair(dry=True) == ["#room: commit it"]
    assert (await clinic.world.placement()).segment.epoch == 1
    assert await clinic.repair() == ["#room: commit it"]
    placed = await clinic.world.placement()
    assert (placed.segment, placed.phase) == (moves.destination(move), "draining")
    assert await clinic.found() == []
    assert await clinic.repair() == []


async def test_a_switch_without_a_seal_is_found_and_sealed_by_force(clinic: Clinic) -> None:
    move = await clinic.world.mover(skip_seal=True).carry(await clinic.world.wish())
    (found,) = await clinic.found()
    assert (found.kind, found.force) == ("missing-seal", True)
    assert await clinic.repair() == ["1 need force: --force --reason TEXT"]
    assert await clinic.world.seals("main") == []
    assert await clinic.repair(force=True) == ["#room: seal it, towards aws/2"]
    assert [(seal.epoch, seal.to) for seal in await clinic.world.seals("main")] == [(1, moves.destination(move))]
    assert await clinic.found() == []


async def test_a_seal_that_expired_is_not_missed(clinic: Clinic) -> None:
    await clinic.moved()
    clinic.world.clock.advance(10_000.0)
    clinic.world.logs["main"].expire()
    assert await clinic.world.seals("main") == []
    assert await clinic.found() == []


async def test_a_joint_that_its_seal_does_not_bear_out_is_told(clinic: Clinic) -> None:
    """Nobody can mend it: the log is the authority, the store has gone on."""
    await clinic.world.append("main", Seal("s1", 1, Segment("event", 2, 7, "event/1")))
    await clinic.world.store.commit("room", Segment("aws", 2, 0, "aws/1"), drain_until=0.0, now=0.0)
    await clinic.world.store.settle("room", 2)
    (found,) = await clinic.found()
    assert (found.kind, found.repair) == ("joint", "")
    assert found.what == "main/1 was sealed towards event/2, its chain goes on in aws/2"
    assert await clinic.repair(force=True) == []


async def test_a_log_that_is_gone_is_left_by_force(clinic: Clinic) -> None:
    """L2, C8: all that it held at once, the default placement too."""
    await clinic.world.store.pin(["other"])
    clinic.world.lose_log("main")
    found = await clinic.found()
    assert [(one.kind, one.channel, one.force) for one in found] == [
        ("dead-default", "", True),
        ("dead-segment", "other", True),
        ("dead-segment", "room", True),
    ]
    assert await clinic.repair() == ["3 need force: --force --reason TEXT"]
    assert await clinic.repair(force=True) == ["open main anew"]
    assert (await clinic.world.placement()).segment == Segment("main", 3, 0, "main/2", unclean=True)
    assert await clinic.found() == []


async def test_one_channel_in_a_log_that_is_gone(clinic: Clinic) -> None:
    await clinic.moved()
    clinic.world.lose_log("aws")
    assert await clinic.repair(force=True) == ["#room: open it anew"]
    assert (await clinic.world.placement()).segment == Segment("aws", 4, 0, "aws/2", unclean=True)
    assert await clinic.found() == []


async def test_a_drain_that_nobody_ends_is_ended(clinic: Clinic) -> None:
    move = await clinic.world.upto("sealed")
    now = clinic.world.clock.now()
    await clinic.world.store.commit("room", moves.destination(move), drain_until=now + 60.0, now=now)
    await clinic.world.store.journal(move, "cancelled", now)
    clinic.world.clock.advance(60.0 + GRACE)
    assert await clinic.found() == []
    clinic.world.clock.advance(1.0)
    (found,) = await clinic.found()
    assert (found.kind, found.what) == ("overdue-drain", "the drain of aws/2 is over, and no move ends it")
    assert await clinic.repair() == ["#room: end it"]
    assert (await clinic.world.placement()).phase == "settled"
    clinic.world.clock.advance(10_000.0)
    clinic.world.logs["main"].expire()
    assert await clinic.world.seals("main") == []


async def test_a_drain_that_a_move_will_end_is_no_fault(clinic: Clinic) -> None:
    await clinic.world.mover().carry(await clinic.world.wish())
    clinic.world.clock.advance(60.0 + GRACE + 1.0)
    assert await clinic.found() == []


@pytest.mark.parametrize(("state", "allowed"), [("opened", STUCK), ("draining", STUCK + 60.0)])
async def test_a_move_that_does_not_go_on_is_told(clinic: Clinic, state: str, allowed: float) -> None:
    if state == "draining":
        await clinic.world.mover().carry(await clinic.world.wish())
    else:
        await clinic.world.upto("opened")
    clinic.world.clock.advance(allowed)
    assert await clinic.found() == []
    clinic.world.clock.advance(1.0)
    (found,) = await clinic.found()
    assert (found.kind, found.channel, found.repair) == ("stuck-move", "room", "")
    assert found.what == f"move m1 to aws has been {state} for more than {allowed:g} s"


async def test_edges_may_lag_for_a_lease(clinic: Clinic) -> None:
    """C7: an edge that lags still after that is told, by name."""
    await clinic.moved()
    old, new = Segment("main", 1, 0, "main/1"), (await clinic.world.placement()).segment
    clinic.edges.standing["room"] = [("main-1", old), ("aws-1", new)]

    def catch_up() -> None:
        if len(clinic.waited) == 2:
            clinic.edges.standing.clear()

    clinic.meanwhile = catch_up
    assert await clinic.found() == []
    assert clinic.waited == [MOMENT, SETTINGS.lease]
    clinic.edges.standing["room"] = [("main-1", old), ("aws-1", new)]
    clinic.meanwhile = lambda: None
    (found,) = await clinic.found()
    assert (found.kind, found.what) == ("lagging-edge", "edge main-1 stands in main/1, the store says aws/2")


async def test_a_chain_must_end_with_the_placement(clinic: Clinic) -> None:
    clinic.world.store._chains["room"].append(Segment("aws", 2, 0, "aws/1"))  # type: ignore[attr-defined]
    (found,) = await clinic.found()
    assert (found.kind, found.what) == ("chain", "its chain does not end with its placement, main/1")


async def test_a_lease_that_nobody_holds_is_told(clinic: Clinic) -> None:
    await clinic.world.store.resign(LEASE, "me")
    (found,) = await clinic.found()
    assert (found.kind, found.what) == ("no-leader", "nobody holds the controller's lease: nothing moves")
    lease = await clinic.world.store.lead(LEASE, "me", now=1000.0, until=2000.0)
    assert lease.holder == "me"
    assert await clinic.found() == []


async def test_a_leader_that_comes_back_at_once_is_no_fault(clinic: Clinic) -> None:
    await clinic.world.store.resign(LEASE, "me")
    taken: dict[str, object] = {}

    def lead() -> None:
        step = clinic.world.store.lead(LEASE, "me", now=1000.0, until=2000.0)
        with pytest.raises(StopIteration):
            step.send(None)
        taken["again"] = True

    clinic.meanwhile = lead
    assert await clinic.found() == []
    assert taken


async def test_channels_on_a_retired_cluster_are_told(clinic: Clinic) -> None:
    await clinic.world.store.pin(["godwit__probe_main"])
    await clinic.world.store.retire("main", "aws", 1000.0)
    assert [(one.kind, one.channel) for one in await clinic.found()] == [
        ("retired-cluster", ""),
        ("retired-cluster", "room"),
    ]


async def test_a_default_placement_without_a_log_is_told(clinic: Clinic) -> None:
    await clinic.moved()
    await clinic.world.store.set_default(Segment("gone", 2, 0, "gone/1"), hold_until=0.0)
    (found,) = await clinic.found()
    assert (found.kind, found.channel) == ("unknown-cluster", "")


def _item(state: str, move: str = "", channel: str = "room") -> Item:
    return Item("r1", channel, 0, "main", state=state, move=move, since=1000.0)  # type: ignore[arg-type]


async def test_an_item_that_is_done_elsewhere_waits_again(clinic: Clinic) -> None:
    await clinic.start_rollout("running", _item("done"))
    (found,) = await clinic.found()
    assert (found.kind, found.what) == (
        "item-elsewhere",
        "in rollout all it is done, on aws, but the channel is on main",
    )
    assert await clinic.repair() == ["#room: set it to waiting"]
    item = await clinic.world.store.item("r1", "room")
    assert item
    assert item.state == "waiting"
    assert await clinic.found() == []


async def test_an_item_whose_move_is_over_is_set_right(clinic: Clinic) -> None:
    move = await clinic.moved()
    await clinic.start_rollout("paused", _item("moving", move.id), _item("moving", "never", "cat"))
    clinic.world.clock.advance(GRACE)
    found = await clinic.found()
    assert [(one.kind, one.channel) for one in found] == [("item-without-move", "cat"), ("item-without-move", "room")]
    assert await clinic.repair() == ["#cat: set it to waiting", "#room: set it to done"]
    items = await clinic.world.store.items("r1")
    assert [item.state for item in items] == ["waiting", "done"]


async def test_an_item_that_was_begun_a_moment_ago_is_no_fault(clinic: Clinic) -> None:
    clinic.world.clock.advance(GRACE - 1.0)
    await clinic.start_rollout("running", _item("moving", "m1"))
    assert await clinic.found() == []
    clinic.world.clock.advance(2.0)
    assert len(await clinic.found()) == 1
    await clinic.world.wish()
    assert await clinic.found() == []


async def test_who_moves_a_channel_after_a_rollout_is_over_contradicts_nobody(clinic: Clinic) -> None:
    move = await clinic.moved()
    await clinic.start_rollout("finished", _item("done", move.id))
    assert await clinic.found() == []
    await clinic.world.wish("event")
    assert await clinic.found() == []
    (wished,) = await clinic.world.store.moves(unfinished=True)
    await clinic.world.mover().carry(wished)
    clinic.world.clock.advance(60.0)
    (draining,) = await clinic.world.store.moves(unfinished=True)
    await clinic.world.mover().settle(draining)
    assert await clinic.found() == []


async def test_a_rollout_that_ended_otherwise_than_it_says_is_told(clinic: Clinic) -> None:
    """Its move never happened; nobody but an operator can go on from there."""
    move = await clinic.world.wish()
    await clinic.world.store.journal(move, "cancelled", 1000.0)
    await clinic.start_rollout("finished", _item("done", "m1"))
    found = await clinic.found()
    assert [(one.kind, one.repair) for one in found] == [("item-elsewhere", "")]


async def test_older_rollouts_that_are_over_are_history(clinic: Clinic) -> None:
    move = await clinic.world.wish()
    await clinic.world.store.journal(move, "cancelled", 1000.0)
    await clinic.start_rollout("finished", _item("done", "m1"))
    await clinic.start_rollout("finished", id="r2")
    assert await clinic.found() == []


async def test_what_keeps_a_cluster_from_being_retired(clinic: Clinic) -> None:
    world = clinic.world
    await world.store.pin(["godwit__probe_main", "_room_1234567890123"])  # these stay where they are
    assert await ready_to_retire(world.store, "event") == []
    assert await ready_to_retire(world.store, "main") == [
        "1 channels are still there: move them first",
        "channels without a row are still there: change the default placement first",
    ]
    move = await world.wish()
    assert await ready_to_retire(world.store, "aws") == ["1 moves to or from it are not finished"]
    await clinic.start_rollout("paused")
    move = await world.mover().carry(move)
    await world.store.set_default(Segment("aws", 2, 0, "aws/1"), hold_until=0.0)
    assert await ready_to_retire(world.store, "main") == [
        "1 channels are still drained from it: wait for the end of their drains"
    ]
    world.clock.advance(60.0)
    await world.mover().settle(move)
    assert await ready_to_retire(world.store, "main") == []
    assert await ready_to_retire(world.store, "aws") == [
        "1 channels are still there: move them first",
        "channels without a row are still there: change the default placement first",
        "rollout all (r1) goes there and is paused",
    ]


async def test_a_log_that_gives_no_answer_is_unavailable(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    async def heads(channels: Sequence[str]) -> list[int]:
        raise TimeoutError

    monkeypatch.setattr(clinic.world.logs["main"], "heads", heads)
    with pytest.raises(ChatLogUnavailable, match="within 5 s"):
        await clinic.found()


def test_a_long_list_is_cut_short() -> None:
    findings = tuple(Finding("chain", "broken", f"c{number}") for number in range(25))
    lines = summarise(Findings(findings, False, 25, 0, 0, 0.0, 1.0)).splitlines()
    assert (len(lines), lines[-1]) == (22, "and 5 more")


def test_every_kind_of_finding_is_explained() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "doctor.md").read_text(encoding="utf-8")
    rows = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")]
    assert sorted(rows) == sorted(get_args(Kind))
