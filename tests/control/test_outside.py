"""All that looks outside, in a real process; and its parts that need only a store."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from godwit.app import App
from godwit.clock import FakeClock, SystemClock
from godwit.control.meters import read
from godwit.control.outside import Keys, Outside, Rooms, Sizes
from godwit.control.ports import Presence
from godwit.control.rehearsal import Load, Rehearsals
from godwit.control.webhooks import hook_id
from godwit.errors import MoveRefused
from godwit.rollout.values import (
    Advance,
    Budget,
    Definition,
    Facts,
    Gate,
    Item,
    Rollout,
    Wave,
    WaveProgress,
)
from godwit.settings import ControlSettings, EdgeSettings, Settings, StoreSettings, WebhookSettings
from godwit.store.database import sqlite_url
from godwit.store.memory import MemoryStore
from godwit.store.sql import SqlStore
from godwit.values import Addresses, Move, Segment
from tests.control.http_world import http_server
from tests.control.outside_world import token

ROLLOUT = Rollout("r1", Definition("summer", "aws", (Wave("staff"),)), "h", "running", (WaveProgress(),), Budget())


class Crowd:
    """Who is where, as a test says."""

    def __init__(self, members: dict[str, int] | None = None) -> None:
        self.members = members or {}

    async def presence(self, channels: list[str]) -> list[Presence]:
        """How many are there."""
        return [Presence(channel, self.members.get(channel, 0)) for channel in channels]


async def network() -> MemoryStore:
    """A store with a default placement."""
    store = MemoryStore()
    await store.set_default(Segment("main", 1, 0, "s"), hold_until=0.0)
    return store


class TestRooms:
    """Hidden rooms are moved by wishes."""

    async def rooms(self) -> None:
        """A store, and what becomes of each wish."""
        self.store = await network()
        self.clock = FakeClock(100.0)
        self.outcome, self.error, self.wakes, self.pauses = "draining", "", 0, list[float]()
        self.place = Rooms(self.store, self.clock, self.wake, self.sleep).place

    def wake(self) -> None:
        """A wish was recorded."""
        self.wakes += 1

    async def sleep(self, seconds: float) -> None:
        """Meanwhile the controller acts."""
        self.pauses.append(seconds)
        for move in await self.store.moves(unfinished=True):
            if len(self.pauses) < 3 or move.state != "wished":
                continue
            await self.store.journal(msgspec.structs.replace(move, error=self.error), self.outcome, 100.0)  # type: ignore[arg-type]
            if self.outcome == "draining":
                epoch = (await self.store.placement(move.channel)).segment.epoch + 1
                await self.store.commit(move.channel, Segment(move.target, epoch, 0, "s"), drain_until=100.0, now=100.0)

    async def test_where_it_is_already_it_gets_a_row(self) -> None:
        """So that it stays when the default changes."""
        await self.rooms()
        await self.place("godwit__x", "main")
        assert not (await self.store.placement("godwit__x")).default
        assert self.wakes == 0

    async def test_a_wish_brings_it_elsewhere(self) -> None:
        """And is waited for, with growing pauses."""
        await self.rooms()
        await self.place("godwit__x", "aws")
        assert (await self.store.placement("godwit__x")).segment.cluster == "aws"
        (move,) = await self.store.moves()
        assert (move.channel, move.target, move.by) == ("godwit__x", "aws", "godwit")
        assert self.wakes == 1
        assert self.pauses == [0.05, 0.1, 0.2]

    async def test_a_move_that_is_under_way_is_waited_for(self) -> None:
        """Then it goes on from there."""
        await self.rooms()
        await self.store.begin_move(Move("m1", "godwit__x", "event", "wished"))
        await self.place("godwit__x", "aws")
        assert [move.target for move in await self.store.moves()] == ["aws", "event"]

    @pytest.mark.parametrize("outcome", ["cancelled", "failed"])
    async def test_a_move_that_fails_says_why(self, outcome: str) -> None:
        """And nothing is tried again here."""
        await self.rooms()
        self.outcome, self.error = outcome, "no such luck"
        with pytest.raises(MoveRefused, match="#godwit__x could not move to aws: no such luck"):
            await self.place("godwit__x", "aws")


class TestKeys:
    """Talkers are let in."""

    async def test_any_token_where_logging_in_is_open(self) -> None:
        """No account is made here."""
        store = await network()
        assert await Keys(store, FakeClock(), True).token("godwit__x")
        assert await store.accounts() == []

    async def test_an_account_and_a_token_of_its_own(self) -> None:
        """One a process; that of the process before ends."""
        store = await network()
        keys = Keys(store, FakeClock(), False)
        first = await keys.token("godwit__x")
        assert first
        assert await keys.token("godwit__x") == first
        found = await store.check_token(first)
        assert found
        assert found[0].login == "godwit__x"
        second = await Keys(store, FakeClock(), False).token("godwit__x")
        assert second != first
        assert await store.check_token(first) is None


async def started(store: MemoryStore, *items: Item) -> None:
    """A rollout with these items."""
    lease = await store.lead("controller", "me", now=0.0, until=10.0)
    await store.advance(Advance(0.0, rollout=ROLLOUT, items=items), term=lease.term)


async def test_the_largest_channel_by_facts_or_by_who_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("godwit.control.outside.PAGE", 2)
    store = await network()
    await started(store, *[Item("r1", name, 0, "main") for name in "abcde"], Item("r1", "z", 1, "main"))
    await store.set_facts([Facts("b", members=50, rate=2.0), Facts("e", members=40), Facts("z", members=99)])
    sizes = Sizes(store, Crowd({"a": 10, "e": 45}))  # type: ignore[arg-type]
    assert await sizes.largest(ROLLOUT, 0) == Facts("b", members=50, rate=2.0)
    crowded = Sizes(store, Crowd({"c": 60}))  # type: ignore[arg-type]
    assert await crowded.largest(ROLLOUT, 0) == Facts("c", members=60)
    assert await sizes.largest(ROLLOUT, 7) is None


def outside(store: MemoryStore | SqlStore, clusters: dict[str, Addresses], settings: Settings) -> Outside:
    """All of it over a store; nobody is counted."""
    registry = CollectorRegistry()
    return Outside(
        store,
        SystemClock(),
        settings,
        clusters=lambda: clusters,
        reading=lambda: read(registry),
        crowd=Crowd({"room": 4}),  # type: ignore[arg-type]
        wake=lambda: None,
    )


async def test_sources_are_those_of_the_definition_or_all_others() -> None:
    clusters = dict.fromkeys(("main", "aws", "event"), Addresses())
    out = outside(await network(), clusters, Settings())
    assert out._sources(ROLLOUT) == ["main", "event"]
    named = msgspec.structs.replace(ROLLOUT.definition, sources=("event", "gone"))
    assert out._sources(msgspec.structs.replace(ROLLOUT, definition=named)) == ["event"]


async def test_all_of_it_works_with_a_real_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over real sockets; the process's own controller moves the rooms."""
    monkeypatch.setattr("godwit.control.controller.LOOK", 0.01)
    monkeypatch.setattr("godwit.control.probes.EVERY", 0.01)
    monkeypatch.setattr("godwit.control.round_trip.STAY", 0.01)
    path = str(tmp_path / "store.sqlite3")
    settings = Settings(
        clusters=("main", "aws", "group"),
        store=StoreSettings(path=path),
        edge=EdgeSettings(reconnect_grace=0.0),
        control=ControlSettings(probes=False),
    )
    app = App(settings, ports_auto=True)
    ready = await app.start()
    store = SqlStore(sqlite_url(path))
    await store.open()
    clusters = {name: Addresses(tcp=(ready["clusters"][name]["tcp"],)) for name in ("main", "aws")}
    gates = [
        Gate("probe", "trip", "before", value="round_trip", samples=1),
        Gate("probe", "latency", "before", value="p99", at_most=10.0, every=0.1, timeout=10.0),
        Gate("metric", "delivery", "before", value="delivery_p99", at_most=10.0, every=0.1),
    ]
    try:
        async with http_server(lambda request: (200, b"")) as server:
            webhooks = WebhookSettings((server.url,), "a-secret-of-mine")
            out = outside(store, clusters, replace(settings, control=ControlSettings(), webhooks=webhooks))
            await store.set_webhook_cursor(hook_id(server.url), 0)
            await store.begin_move(Move("m1", "room", "aws", "wished", history=(("wished", 0.0),)))
            work = asyncio.create_task(out.run())
            out.gatekeeper.watch(ROLLOUT, 0, gates)
            async with asyncio.timeout(60):
                await server.came.wait()
                while not all(passed(out, gate) for gate in gates):  # noqa: ASYNC110
                    await asyncio.sleep(0)
                place = Rooms(store, SystemClock(), lambda: None, asyncio.sleep).place
                rehearsals = Rehearsals(lambda: clusters, place, token)
                outcome = await rehearsals.rehearse("aws", Load("room", 30, 10.0, 1.0))
            assert outcome.sound, str(outcome)
            assert outcome.deliveries == 300
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            assert msgspec.json.decode(server.requests[0].body)["event"]["channel"] == "room"
    finally:
        await store.close()
        await app.stop()


def passed(out: Outside, gate: Gate) -> bool:
    """Whether the newest sample of a gate passed."""
    samples = out.gatekeeper.samples("r1", 0, gate.name)
    return bool(samples) and samples[-1].verdict == "pass"
