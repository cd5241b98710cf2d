"""The controller with all that it needs: wishes, rollouts, the doctor and repairs, in one process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from godwit.chatlog.memory import MemoryLog
from godwit.clock import FakeClock
from godwit.control.leader import LEASE
from godwit.crowd import EdgeCrowd
from godwit.errors import ChatLogUnavailable, StoreUnavailable
from godwit.network import Network
from godwit.rollout.values import Wish
from godwit.settings import ControlSettings, Settings
from godwit.steering import Steering
from godwit.store.memory import MemoryStore
from godwit.values import Segment
from tests.edge.world import DEADLINE

CLUSTERS = ("main", "aws", "group")


class Ship:
    """A process without sockets: store, logs, edges that nobody can reach, and what steers them."""

    def __init__(self) -> None:
        self.settings = Settings(clusters=CLUSTERS, control=ControlSettings(probes=False))
        self.clock = FakeClock(1000.0)
        self.store = MemoryStore()
        self.logs = {name: MemoryLog(name, f"{name}/1", self.clock) for name in CLUSTERS}
        self.network = Network(self.settings)
        self.changes = 0
        self.steering = Steering(
            self.settings,
            self.store,
            self.logs,
            self.clock,
            self.network.places,
            EdgeCrowd(self.network.nodes),
            holder="me",
            reading=dict,
            changed=self._changed,
            sleep=lambda seconds: asyncio.sleep(0),
        )
        self._news = asyncio.Event()

    def _changed(self) -> None:
        self.changes += 1
        self._news.set()

    async def wish(self, verb: str, **args: object) -> Wish:
        """Record a wish and wait for its answer."""
        wish = await self.store.add_wish(
            Wish(f"{verb}{self.changes}", verb, "me", self.clock.now(), args=args, reason="r")
        )
        self.steering.wake()
        async with asyncio.timeout(DEADLINE):
            while wish.state == "new":
                self._news.clear()
                await self._news.wait()
                wish = await self.store.wish(wish.id) or wish
        return wish


@asynccontextmanager
async def sailing() -> AsyncIterator[Ship]:
    """A process whose controller runs."""
    ship = Ship()
    await ship.store.set_default(Segment("main", 1, 0, "main/1"), hold_until=0.0)
    await ship.store.pin(["room"])
    ship.network.open(ship.store, ship.logs, ship.clock)
    working = [asyncio.create_task(ship.steering.controller.run()), asyncio.create_task(ship.steering.watch())]
    try:
        yield ship
    finally:
        for task in working:
            task.cancel()
        await asyncio.wait(working)


async def test_wishes_are_answered_and_tried_first() -> None:
    async with sailing() as ship:
        refused = await ship.wish("retire", cluster="main", into="aws")
        assert refused.state == "refused"
        assert "1 channels are still there" in refused.answer
        tried = await ship.steering.wishes.dry_run(Wish("w", "default", "me", 0.0, args={"cluster": "aws"}))
        assert "main" in tried
        assert "aws" in tried
        assert (await ship.store.default_placement()).cluster == "main"
        assert (await ship.wish("default", cluster="aws")).state == "done"
        assert (await ship.store.default_placement()).cluster == "aws"


async def test_what_the_doctor_finds_is_repaired_by_a_wish() -> None:
    """The examination before serves the repair; without one there is a new one."""
    async with sailing() as ship:
        await ship.wish("release", channel="nobody")  # somebody leads by now
        lost = MemoryLog("main", "main/2", ship.clock)
        ship.logs["main"] = lost
        found = await ship.steering.examine()
        assert [finding.kind for finding in found.findings] == ["dead-default", "dead-segment"]
        assert (await ship.wish("repair")).answer == "1 steps: 2 need force: --force --reason TEXT"
        assert (await ship.wish("repair", force=True)).answer == "1 steps: open main anew"
        assert (await ship.store.placement("room")).segment == Segment("main", 3, 0, "main/2", unclean=True)
        assert (await ship.steering.examine()).clean
        assert (await ship.wish("repair")).answer == "nothing to repair"


async def test_a_log_that_is_silent_is_no_reason_to_try_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    async def heads(channels: object) -> list[int]:
        raise ChatLogUnavailable("gone")

    async with sailing() as ship:
        monkeypatch.setattr(ship.logs["main"], "heads", heads)
        refused = await ship.wish("repair")
        assert (refused.state, refused.answer) == ("refused", "nothing can be repaired now: gone")
        with pytest.raises(ChatLogUnavailable):
            await ship.steering.examine()


async def test_another_may_lead_once_it_resigns(monkeypatch: pytest.MonkeyPatch) -> None:
    async with sailing() as ship:
        await ship.wish("release", channel="nobody")
        held = await ship.store.lead(LEASE, "another", now=1000.0, until=2000.0)
        assert held.holder == "me"
    await ship.steering.resign()
    taken = await ship.store.lead(LEASE, "another", now=1000.0, until=2000.0)
    assert taken.holder == "another"

    async def resign(name: str, holder: str) -> None:
        raise StoreUnavailable("gone")

    monkeypatch.setattr(ship.store, "resign", resign)
    await ship.steering.resign()


async def test_the_chatters_leave_before_everybody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """`watch` goes on when they have left: that is no fault. What `run` dies of is."""
    async with sailing() as ship:
        begun, left = asyncio.Event(), asyncio.Event()

        async def run() -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                left.set()

        monkeypatch.setattr(ship.steering.outside, "run", run)
        watching = asyncio.create_task(ship.steering.watch())
        await asyncio.sleep(0)
        assert not begun.is_set()
        ship.steering.look_out()
        async with asyncio.timeout(DEADLINE):
            await begun.wait()
            await ship.steering.look_away()
        assert left.is_set()
        await asyncio.sleep(0)
        assert not watching.done()
        watching.cancel()
        await asyncio.wait([watching])


async def test_a_fault_outside_ends_the_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    ship = Ship()

    async def run() -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(ship.steering.outside, "run", run)
    ship.steering.look_out()
    with pytest.raises(RuntimeError, match="broken"):
        await ship.steering.watch()
