"""Probes: what is counted, and chatters on a real network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from godwit.control import probes as module
from godwit.control.probes import COUNTS, LATE, WINDOW, Probes, ProbeView, Record
from godwit.errors import StoreUnavailable
from tests.control.outside_world import Pauses, Rooms, token, until
from tests.edge.world import World, world


class TestRecord:
    """What is said and seen becomes numbers."""

    def setup_method(self) -> None:
        """Nothing was said yet."""
        self.time = 0.0
        self.record = Record(lambda: self.time)

    def say(self, number: int = 1, *, acknowledged: bool = True) -> list[int]:
        """Say so many messages."""
        said = [self.record.say() for _ in range(number)]
        if acknowledged:
            for one in said:
                self.record.acknowledged(one)
        return said

    def faults(self) -> dict[str, int]:
        """What was counted, without what was not."""
        view = self.record.view()
        return {name: count for name in COUNTS if (count := getattr(view, name))}

    def test_nothing_is_known_without_messages(self) -> None:
        """No percentile."""
        assert self.record.view() == ProbeView()

    def test_percentiles(self) -> None:
        """Of 100 messages that took 1 to 100 ms."""
        said = self.say(100)
        for milliseconds, number in enumerate(said, 1):
            self.time = milliseconds / 1000
            self.record.seen(number)
        view = self.record.view()
        assert (view.deliveries, view.p50, view.p99) == (100, 0.05, 0.099)
        assert self.faults() == {}

    def test_too_few_messages_have_no_percentile(self) -> None:
        """Five are needed."""
        for number in self.say(4, acknowledged=False):
            self.record.seen(number)
            self.record.acknowledged(number)  # often the line comes first
        assert self.record.view().p99 is None
        self.record.seen(self.say()[0])
        assert self.record.view().p99 == 0.0

    def test_lost_and_unanswered(self) -> None:
        """After ten seconds; and they count as that slow."""
        self.say(3)
        self.say(2, acknowledged=False)
        self.time = LATE - 0.1
        self.record.give_up_late()
        assert self.faults() == {}
        self.time = LATE
        self.record.give_up_late()
        assert self.faults() == {"lost": 3, "unanswered": 2}
        assert self.record.view().p50 == LATE

    def test_repeated(self) -> None:
        """Also one that came too late the first time."""
        first, late = self.say(2)
        self.record.seen(first)
        self.record.seen(first)
        assert self.faults() == {"repeated": 1}
        self.time = LATE
        self.record.give_up_late()
        self.record.seen(late)
        assert self.faults() == {"repeated": 1, "lost": 1}
        self.record.seen(late)
        assert self.faults() == {"repeated": 2, "lost": 1}

    def test_out_of_order(self) -> None:
        """One that comes behind a later one."""
        first, second, third = self.say(3)
        for number in (second, first, third):
            self.record.seen(number)
        assert self.faults() == {"disorder": 1}

    def test_who_does_not_listen_misses_nothing(self) -> None:
        """What is under way when a connection ends."""
        self.say(3)
        self.record.forget_waiting()
        self.time = LATE
        self.record.give_up_late()
        assert self.faults() == {}

    def test_what_is_old_does_not_count(self) -> None:
        """Only the window does."""
        for number in self.say(5):
            self.record.seen(number)
        self.record.fault("refused")
        self.time = WINDOW
        assert self.faults() == {"refused": 1}
        self.time = WINDOW + 0.1
        assert self.record.view() == ProbeView()


@asynccontextmanager
async def probing(net: World, pauses: Pauses, rooms: Rooms, **options: object) -> AsyncIterator[Probes]:
    """Probes that run."""
    probes = Probes(rooms.clusters, rooms.place, token, now=pauses.now, sleep=pauses)
    for name, value in options.items():
        setattr(probes, name, value)
    task = asyncio.create_task(probes.run())
    try:
        yield probes
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def chat(probes: Probes, pauses: Pauses, cluster: str, messages: int) -> ProbeView:
    """Let the probes go on until so many messages have been delivered on a cluster."""

    def enough() -> bool:
        if probes.view(cluster).deliveries >= messages:
            return True
        pauses.let_pass(1.0)
        return False

    await until(enough)
    return probes.view(cluster)


async def test_two_chatters_on_each_cluster() -> None:
    pauses = Pauses()
    async with world() as net:
        async with probing(net, pauses, rooms := Rooms(net)) as probes:
            for cluster in ("main", "aws"):
                view = await chat(probes, pauses, cluster, 6)
                assert (view.lost, view.repeated, view.disorder, view.refused, view.reconnects) == (0, 0, 0, 0, 0)
                assert view.p99 is not None
            assert sorted(set(rooms.placed)) == [("godwit__probe_aws", "aws"), ("godwit__probe_main", "main")]
            assert [len(net.nodes[name].sessions) for name in ("main", "aws")] == [2, 2]
            assert probes.views().keys() == {"main", "aws"}
            for name, expected in (("p50", 0.0), ("p99", 0.0), ("p99_difference", 0.0), ("lost", 0.0)):
                value, detail = probes.value(name, "aws", ["main"])
                assert value is not None
                assert value >= expected
                assert "aws" in detail
        await net.until(lambda: not any(node.sessions for node in net.nodes.values()))


async def test_a_lost_connection_is_made_anew() -> None:
    pauses = Pauses()
    async with world() as net, probing(net, pauses, Rooms(net)) as probes:
        await chat(probes, pauses, "main", 2)
        for session in list(net.nodes["main"].sessions):
            session.connection.abort("cut")
        view = await chat(probes, pauses, "main", 6)
        assert view.reconnects == 1
        assert view.lost == 0


async def test_a_room_that_is_moved_away_is_brought_back() -> None:
    pauses = Pauses()
    async with world() as net:
        rooms = Rooms(net)
        async with probing(net, pauses, rooms) as probes:
            await chat(probes, pauses, "main", 2)
            await rooms.place("godwit__probe_main", "aws")
            asked = len(rooms.placed)

            def back() -> bool:
                pauses.let_pass(1.0)
                return ("godwit__probe_main", "main") in rooms.placed[asked:]

            await until(back)


async def test_a_cluster_that_is_gone_is_not_watched_any_more() -> None:
    pauses = Pauses()
    async with world() as net:
        rooms = Rooms(net)
        there = dict(rooms.clusters())
        async with probing(net, pauses, rooms, _clusters=lambda: there) as probes:
            await chat(probes, pauses, "aws", 1)
            del there["aws"]
            pauses.let_pass(module.LOOK)
            await until(lambda: probes.views().keys() == {"main"})
            await net.until(lambda: not net.nodes["aws"].sessions)


async def test_who_may_not_log_in_counts_as_refused_and_tries_again_more_and_more_rarely() -> None:
    async def nobody(login: str) -> str | None:
        return None

    pauses = Pauses()
    async with world() as net, probing(net, pauses, Rooms(net), _credentials=nobody) as probes:
        for tries in range(1, 7):
            # One pause for each cluster, and the one between two looks at the clusters.
            await until(lambda tries=tries: len(pauses.begun) == 2 * tries + 1)  # type: ignore[misc]
            for seconds in (2.0, 4.0, 8.0, 16.0, 30.0):
                pauses.let_pass(seconds)
        assert [seconds for seconds in pauses.begun if seconds != module.LOOK] == sorted(
            2 * [2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
        )
        await until(lambda: probes.view("main").refused >= 2)
        assert probes.value("p99", "main", ["aws"])[0] is None
        refused, detail = probes.value("refused", "main", ["aws"])
        assert refused
        assert "on main" in detail


async def test_a_fault_of_ours_ends_nothing() -> None:
    pauses = Pauses()
    async with world() as net:
        rooms, asked = Rooms(net), list[str]()

        def break_down(room: str, cluster: str) -> None:
            asked.append(cluster)
            if asked.count("main") == 1 and cluster == "main":
                raise RuntimeError("broken")

        rooms.before = break_down
        async with probing(net, pauses, rooms) as probes:
            await until(lambda: 2.0 in pauses.begun)
            pauses.let_pass(2.0)
            assert (await chat(probes, pauses, "main", 2)).reconnects == 1


async def test_a_store_that_is_away_is_waited_for() -> None:
    pauses = Pauses()
    async with world() as net:
        rooms, asked = Rooms(net), list[str]()

        def away(room: str, cluster: str) -> None:
            if len(asked) < 2:
                asked.append(cluster)
                raise StoreUnavailable("away")

        rooms.before = away
        async with probing(net, pauses, rooms) as probes:
            await until(lambda: pauses.begun.count(2.0) == 2)
            pauses.let_pass(2.0)
            view = await chat(probes, pauses, "main", 2)
            assert (view.refused, view.reconnects) == (0, 1)


async def test_without_numbers_there_is_no_value() -> None:
    probes = Probes(lambda: {}, Rooms.place, token)  # type: ignore[arg-type]
    for name in ("p50", "p99", "p99_difference", *COUNTS, "beauty"):
        value, detail = probes.value(name, "aws", ["main"])
        assert value is None
        assert detail


def test_values_of_several_clusters(monkeypatch: pytest.MonkeyPatch) -> None:
    views = {
        "aws": ProbeView(9, 0.01, 0.05, lost=1),
        "main": ProbeView(9, 0.01, 0.02, lost=2),
        "event": ProbeView(9, 0.01, 0.03, repeated=1),
    }
    probes = Probes(lambda: {}, Rooms.place, token)  # type: ignore[arg-type]
    monkeypatch.setattr(probes, "view", views.__getitem__)
    monkeypatch.setattr(probes, "_records", views)
    assert probes.value("p99", "aws", ["main", "event"])[0] == 0.05
    assert probes.value("p99_difference", "aws", ["main", "event"])[0] == pytest.approx(0.02)
    assert probes.value("p99_difference", "aws", [])[0] is None
    assert probes.value("lost", "aws", ["main", "event"]) == (
        3.0,
        "lost in the last 60 s: 1 on aws, 2 on main, 0 on event",
    )
    assert probes.value("repeated", "aws", ["main"])[0] == 0.0
