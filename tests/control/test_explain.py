"""One reason for each channel that stays where it is, and how many share it."""

from __future__ import annotations

import msgspec
import pytest

from godwit.control import explain
from godwit.control.explain import TURN, Explainer
from godwit.control.leader import LEASE
from godwit.errors import UnknownChannel
from godwit.rollout.values import Advance, Budget, Definition, Facts, Hold, Item, Rollout, Wave, WaveProgress
from tests.control.world import World


class Office:
    """A network with a rollout to aws of two waves, of which the first moves."""

    def __init__(self) -> None:
        self.world = World()
        self.held_up = ""
        self.explainer = Explainer(self.world.store, self.world.clock, lambda rollout: self.held_up)
        definition = Definition("big", "aws", (Wave("few"), Wave("all")), offline_for=600.0, starts_within=900.0)
        waves = (WaveProgress("moving"), WaveProgress())
        self.rollout = Rollout("r1", definition, "", "running", waves, Budget())

    async def start(self, *items: Item) -> None:
        """Begin the rollout."""
        await self.world.start()
        lease = await self.world.store.lead(LEASE, "me", now=1000.0, until=9000.0)
        written = await self.world.store.advance(Advance(1000.0, self.rollout, items=items), term=lease.term)
        assert written
        self.rollout = written

    async def reason(self, channel: str = "room") -> tuple[str, float]:
        """Why, and since when."""
        found = await self.explainer.explain(channel)
        return found.reason, found.since


def _item(channel: str = "room", wave: int = 0, state: str = "waiting") -> Item:
    return Item("r1", channel, wave, "main", state=state, since=900.0)  # type: ignore[arg-type]


async def test_a_channel_that_nobody_has_touched() -> None:
    office = Office()
    await office.world.start()
    assert await office.reason() == ("it is where the default placement says", 0.0)
    await office.world.store.pin(["room"])
    assert await office.reason() == ("no rollout names it", 0.0)
    await office.world.store.hold(Hold("room", "ann", "a show", 950.0))
    assert await office.reason() == ("held by ann: a show", 950.0)


async def test_a_channel_that_moves_and_has_moved() -> None:
    office = Office()
    await office.world.start()
    move = await office.world.upto("opened", by="ann")
    assert await office.reason() == ("it moves to aws: opened", 1000.0)
    office.world.clock.advance(5.0)
    await office.world.mover().carry(move)
    found = await office.explainer.explain("room")
    assert (found.cluster, found.epoch, found.reason) == ("aws", 2, "it was moved here by ann")
    (line,) = msgspec.json.decode(msgspec.json.encode(found))["moves"]
    assert line == {"id": "m1", "from": "main", "to": "aws", "state": "draining", "error": "", "time": 1005.0}


async def test_a_channel_of_a_rollout() -> None:
    office = Office()
    store = office.world.store
    await office.start(_item(), _item("later", wave=1), _item("done", state="done"))
    found = await office.explainer.explain("later")
    assert (found.rollout, found.wave, found.goal, found.state) == ("big", "all", "there", "waiting")
    assert found.reason == "its wave 'all' has not begun"
    assert await office.reason() == (TURN, 900.0)
    office.held_up = "gate 'p99' of wave 'few': no sample yet"
    assert await office.reason() == (office.held_up, 900.0)
    await store.set_live("room", True, 980.0)
    assert await office.reason() == ("live: it waits for its stream to end", 980.0)
    await store.set_live("room", False, 990.0)
    assert await office.reason() == ("its stream ended 10 s ago, it waits for 600 s", 990.0)
    await store.hold(Hold("room", "ann", "a show", 995.0))
    assert await office.reason() == ("held by ann: a show", 995.0)
    assert await office.reason("done") == ("rollout big has brought it there", 900.0)


async def test_a_name_that_cannot_be_a_channel() -> None:
    office = Office()
    await office.world.start()
    with pytest.raises(UnknownChannel, match="'#room' is not a channel name"):
        await office.explainer.explain("#room")


async def test_what_waits_is_counted_by_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office()
    store = office.world.store
    waiting = [_item(f"c{number}") for number in range(7)]
    await office.start(*waiting, _item("later", wave=1), _item("done", state="done"))
    for number, ended in enumerate((980.0, 990.0)):
        await store.set_live(f"c{number}", False, ended)
    await store.set_facts([Facts("c2", starts_at=1100.0)])
    await store.hold(Hold("c3", "ann", "a show", 995.0))
    monkeypatch.setattr(explain, "PAGE", 2)
    assert await office.explainer.waiting(office.rollout) == {
        TURN: 3,
        "its stream ended a short while ago": 2,
        "its stream is planned to start soon": 1,
        "held by ann: a show": 1,
        "its wave 'all' has not begun": 1,
    }
    monkeypatch.setattr(explain, "LOOKED_AT", 4)
    assert (await office.explainer.waiting(office.rollout))["not looked at: only the first 4 are"] == 4
