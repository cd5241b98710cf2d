"""A node as a whole: what it holds, what it looks after, how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import pytest
from structlog.testing import capture_logs

from godwit.chatlog.base import ChatLog, Subscription
from godwit.edge.channel import EdgeChannel
from godwit.edge.room import Room
from godwit.edge.session import Session
from godwit.errors import ChatLogUnavailable, StoreUnavailable
from godwit.store.base import Sanction
from godwit.values import Entry, Message, Placement, Segment
from tests.edge.logs import Gate
from tests.edge.world import DEADLINE, spoil, world


async def test_at_the_end_clients_are_asked_to_come_back_and_served_for_the_grace_time() -> None:
    """RC-1, RC-2."""
    async with world() as net:
        ann, bob, plain = await net.join("ann"), await net.join("bob"), await net.join("plain", caps="")
        net.fronts["main"].close()
        ending = asyncio.create_task(net.nodes["main"].stop(DEADLINE))
        assert await ann.line() == ":tmi.twitch.tv RECONNECT"
        assert await bob.line() == ":tmi.twitch.tv RECONNECT"
        ann.send("PRIVMSG #room :still here")
        await ann.until("USERSTATE")
        await bob.until(":still here")
        assert [line.split(" :")[-1] for line in await plain.flush()] == ["still here"]
        for client in (ann, bob, plain):
            client.close()
        await ending  # nobody is left: it does not wait for the rest of the grace time


async def test_who_does_not_leave_is_closed_after_the_grace_time() -> None:
    """RC-2."""
    async with world() as net:
        ann = await net.join("ann")
        net.fronts["main"].close()
        await net.nodes["main"].stop(0.0)
        assert await ann.rest() == [":tmi.twitch.tv RECONNECT"]
        await net.nodes["main"].wait_empty()


async def test_a_channel_without_anybody_is_dropped_after_a_while() -> None:
    async with world() as net:
        node = net.nodes["main"]
        ann = await net.join("ann")
        now = node.loop.time()
        node.sweep(now + 100.0)
        assert node.statistics().channels == 1
        ann.send("PART #room")
        await ann.until("PART")
        node.sweep(now + 200.0)
        node.sweep(now + 229.0)
        assert node.statistics().channels == 1
        node.sweep(now + 231.0)
        assert node.statistics().channels == 0
        bob = await net.join("bob")
        bob.send("PRIVMSG #room :back")
        await bob.until("USERSTATE")


async def test_a_channel_that_is_used_again_is_kept() -> None:
    async with world() as net:
        node = net.nodes["main"]
        ann = await net.join("ann")
        ann.send("PART #room")
        await ann.until("PART")
        now = node.loop.time()
        node.sweep(now)
        ann.send("JOIN #room", "PART #room")
        await ann.until("PART")
        node.sweep(now + 31.0)
        assert node.statistics().channels == 1


async def test_a_channel_in_which_an_act_is_being_written_is_kept() -> None:
    async with world() as net:
        node, add = net.nodes["main"], net.store.add_sanction
        asked, answered = asyncio.Event(), asyncio.Event()
        boss = await net.login("boss")
        await net.login("ann")

        async def add_sanction(sanction: Sanction) -> None:
            asked.set()
            await answered.wait()
            await add(sanction)

        net.store.add_sanction = add_sanction  # type: ignore[method-assign]
        boss.send("PRIVMSG #boss :/ban ann")
        await asked.wait()
        now = node.loop.time()
        node.sweep(now)
        node.sweep(now + 31.0)
        assert node.statistics().channels == 1
        answered.set()
        await boss.until("ban_success")


async def test_a_channel_that_fails_when_it_could_be_dropped_does_not_stop_the_sweep() -> None:
    async with world() as net:
        node = net.nodes["main"]
        ann = await net.join("ann")
        ann.send("PART #room")
        await ann.until("PART")
        room, now = node.room("room"), node.loop.time()
        node.sweep(now)
        spoil(room.channel, "tick")
        room.channel.read_failed(Segment("main", 1, 0, "stream-main"), 0)  # so that it wants a tick
        with capture_logs() as logs:
            node.sweep(now + 31.0)
        assert [entry["event"] for entry in logs] == ["channel_failed"]
        assert node.statistics().channels == 0


class _Deaf(Gate):
    """A log whose live path is cut, as a hint may be."""

    def subscribe(self, channel: str, deliver: Callable[[Entry], None], suspect: Callable[[], None]) -> Subscription:
        subscription = super().subscribe(channel, deliver, suspect)
        subscription.close()
        return subscription


async def test_what_the_live_path_missed_is_found_by_comparing() -> None:
    """Rule L1."""
    async with world(_Deaf) as net:
        ann, bob = await net.join("ann"), await net.join("bob")
        ann.send("PRIVMSG #room :hello")
        author = net.session("ann").author("room")
        await net.idle()
        log = net.logs["main"]
        await log.append("room", Message("m2", 1, "else", 1, author, "from elsewhere"), stream=log.stream("room"))
        await net.nodes["main"].compare()
        assert [line.split(" :")[-1] for line in await bob.until("elsewhere")] == ["hello", "from elsewhere"]


async def test_a_comparison_that_fails_is_logged_and_tried_again() -> None:
    gates: dict[str, Gate] = {}

    async def heads(channels: object) -> list[int]:
        raise ChatLogUnavailable("away")

    async with world(lambda log: gates.setdefault(log.cluster, Gate(log))) as net:
        ann = await net.join("ann")
        gates["main"].heads = heads  # type: ignore[method-assign]
        with capture_logs() as logs:
            await net.nodes["main"].compare()
        assert [entry["event"] for entry in logs] == ["compare_failed"]
        del gates["main"].heads
        await net.nodes["main"].compare()
        assert await ann.flush() == []


async def test_a_changed_default_placement_is_followed_by_channels_without_a_row() -> None:
    """Rule C10."""
    async with world() as net:
        node = net.nodes["main"]
        await node.check_default()
        ann = await net.join("ann")
        await net.store.set_default(Segment("aws", 2, 0, "stream-aws"), hold_until=0.0)
        await node.check_default()
        await ann.until("SERVERCHANGE")
        ann.send("PRIVMSG #room :hello")
        await ann.until("USERSTATE")
        assert (await net.logs["aws"].heads(["room"])) != [0]
        assert (await net.logs["main"].heads(["room"])) == [0]


async def test_a_change_of_the_default_placement_that_a_channel_missed_is_told_it_again() -> None:
    """Rule C10."""
    async with world() as net:
        node, answer = net.nodes["main"], net.store.placement
        ann = await net.join("ann")
        await net.store.set_default(Segment("aws", 2, 0, "stream-aws"), hold_until=0.0)

        async def placement(channel: str) -> Placement:
            raise StoreUnavailable("down")

        net.store.placement = placement  # type: ignore[method-assign]
        await node.check_default()
        await net.idle()
        assert await ann.flush() == []
        net.store.placement = answer  # type: ignore[method-assign]
        await node.check_default()
        await ann.until("SERVERCHANGE")
        assert node.room("room").channel.home == "aws"


@pytest.mark.parametrize("error", [StoreUnavailable("down"), None])
async def test_a_store_that_is_away_is_asked_again_for_the_default(error: Exception | None) -> None:
    async with world(move={"lease": 0.0}) as net:
        node = net.nodes["main"]

        async def default_placement() -> Segment:
            if error is None:
                await asyncio.Event().wait()
            raise error or AssertionError("nobody wakes it")

        net.store.default_placement = default_placement  # type: ignore[method-assign]
        with capture_logs() as logs:
            async with asyncio.timeout(DEADLINE):
                await node.check_default()
        assert [entry["event"] for entry in logs] == ["default_unknown"]


async def test_statistics_count_what_is_here() -> None:
    async with world() as net:
        ann = await net.join("ann")
        await net.join("bob")
        ann.send("JOIN #second", "PRIVMSG #room :hello")
        await ann.until("ROOMSTATE #second")
        await ann.flush()
        node = net.nodes["main"].statistics()
        assert (node.cluster, node.connections, node.channels, node.home, node.members) == ("main", 2, 2, 2, 3)
        assert (node.counts.logins, node.counts.accepted, node.counts.acknowledged) == (2, 1, 1)
        assert node.deliveries >= 2


async def test_a_node_that_runs_looks_after_things_by_itself_and_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(move={"lease": 0.02}, log={"compare_interval": 0.01}) as net:
        node, swept, compared, asked = net.nodes["main"], asyncio.Event(), asyncio.Event(), asyncio.Event()
        monkeypatch.setattr("godwit.edge.node.SWEEP", 0.01)

        def sweep(now: float) -> Iterable[None]:
            if swept.is_set():
                return ()
            swept.set()
            raise RuntimeError("broken once")

        async def compare() -> None:
            compared.set()

        async def check_default() -> None:
            asked.set()

        monkeypatch.setattr(node, "_portions", sweep)
        monkeypatch.setattr(node, "compare", compare)
        monkeypatch.setattr(node, "check_default", check_default)
        with capture_logs() as logs:
            node.start()
            async with asyncio.timeout(DEADLINE):
                await asyncio.gather(swept.wait(), compared.wait(), asked.wait())
                await net.turns()
        assert [entry["work"] for entry in logs if entry["event"] == "upkeep_failed"] == ["_sweep"]
        assert node.statistics().tasks == 5
        await node.stop(0.0)
        assert node.statistics().tasks == 0


async def test_slow_logs_work_in_tasks_and_fast_ones_without() -> None:
    gates: dict[str, Gate] = {}

    def gate(log: ChatLog) -> ChatLog:
        return gates.setdefault(log.cluster, Gate(log))

    for wrap in (gate, lambda log: log):
        async with world(wrap) as net:
            ann, bob = await net.join("ann"), await net.join("bob")
            ann.send("PRIVMSG #room :hello")
            assert [line.split(" :")[-1] for line in await bob.until("PRIVMSG")] == ["hello"]


async def test_a_fault_at_one_deadline_does_not_cost_others_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    async with world() as net:
        node = net.nodes["main"]
        ann, bob = await net.join("ann"), await net.join("bob")
        real = Session.due

        def due(session: Session, now: float) -> None:
            if session.nick == "ann":
                raise RuntimeError("broken")
            real(session, now)

        monkeypatch.setattr(Session, "due", due)
        with capture_logs() as logs:
            node.sweep(node.loop.time() + 310.0)
        assert [entry["event"] for entry in logs] == ["deadline_failed"]
        assert await bob.line() == "PING :tmi.twitch.tv"
        assert await ann.flush() == []


async def test_who_was_given_another_deadline_during_the_sweep_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """RC-2: who is asked to go while others have their turn has the grace time."""
    async with world() as net:
        node = net.nodes["main"]
        ann, bob = await net.join("ann"), await net.join("bob")
        first, second = net.session("ann"), net.session("bob")
        real = Session.due

        def due(session: Session, now: float) -> None:
            if session is first:
                second.send_away()
            real(session, now)

        monkeypatch.setattr(Session, "due", due)
        node.sweep(node.loop.time() + 310.0)
        assert await ann.line() == "PING :tmi.twitch.tv"
        assert await bob.line() == ":tmi.twitch.tv RECONNECT"
        assert second.slot
        assert await bob.flush() == []


async def test_a_channel_in_which_nothing_happens_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bot sits in 100,000 of them: neither the sweep nor a comparison that finds all well touches one."""
    async with world() as net:
        node = net.nodes["main"]
        ann = await net.join("ann")
        await net.idle()
        node.sweep(node.loop.time())
        touched: list[str] = []
        tick, compared = Room.tick, EdgeChannel.compared

        def ticked(room: Room) -> None:
            touched.append("tick")
            tick(room)

        def seen(channel: EdgeChannel, segment: Segment, head: int, asked_at: float) -> None:
            touched.append("compared")
            compared(channel, segment, head, asked_at)

        monkeypatch.setattr(Room, "tick", ticked)
        monkeypatch.setattr(EdgeChannel, "compared", seen)
        await node.compare()
        node.sweep(node.loop.time())
        assert touched == []
        net.clock.advance(net.settings.move.lease + 1.0)  # what is known is too old now
        await node.compare()
        assert touched == []  # it rests
        assert not node.room("room").channel.known  # and now it does not
        await node.compare()
        assert touched == ["compared", "tick"]
        ann.send("PING :still")
        await ann.until("PONG")
