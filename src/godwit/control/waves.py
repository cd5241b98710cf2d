"""One rollout under way: its waves, their gates, the default placement, and what comes of items.

Called by the leading controller only, one call at a time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec
import structlog

from godwit.chatlog.base import ChatLog
from godwit.clock import Clock
from godwit.control.admission import Admission
from godwit.control.leader import Leader
from godwit.control.ports import Crowd, Gatekeeper
from godwit.control.prepared import PAGE, sized
from godwit.control.wishes import Wishes
from godwit.rollout import gates, plan, progress
from godwit.rollout.values import (
    Advance,
    Event,
    Gate,
    GateTime,
    Item,
    Regoal,
    Rollout,
    RolloutState,
    Sample,
    Verdict,
    WaveState,
)
from godwit.store.rollout_base import RolloutStore
from godwit.values import Segment

log = structlog.get_logger()

IDLE = 5.0
"""Seconds after which a rollout is looked at again without a wake."""

SWEEP = 5.0
"""Seconds between two searches for channels that have appeared since the plan."""

OURS = ("approval", "soak", "issues")
"""Kinds of gates that need nobody outside."""

TIMES: dict[WaveState, tuple[GateTime, ...]] = {
    "checking": ("before", "during"),
    "moving": ("during",),
    "soaking": ("during", "after"),
}
"""Which gates are sampled in which state of a wave; those that watch a move begin before it."""


class Course:
    """Carries one rollout on.

    Attributes:
        rollout: as last read or written.

    Args:
        clusters: those for channels.
    """

    def __init__(
        self,
        store: RolloutStore,
        logs: Mapping[str, ChatLog],
        crowd: Crowd,
        clock: Clock,
        leader: Leader,
        gatekeeper: Gatekeeper,
        wishes: Wishes,
        clusters: Collection[str],
        rollout: Rollout,
    ) -> None:
        self.rollout = rollout
        self._store = store
        self._crowd = crowd
        self._clock = clock
        self._leader = leader
        self._gatekeeper = gatekeeper
        self._wishes = wishes
        self._clusters = clusters
        self._admission = Admission(store, logs, crowd, clock, leader, rollout)
        self._swept = float("-inf")
        self._looked: str | None = ""
        self._told: dict[tuple[int, str], tuple[Verdict, str]] = {}
        self.holding = ""
        """Why no more moves begin although the rollout runs, '' if they do."""

    async def load(self) -> None:
        """Read what is under way."""
        await self._admission.load()

    @property
    def idle(self) -> bool:
        """Nothing is under way, and nothing will be by itself."""
        return progress.is_over(self.rollout) and not self._admission.moving and self._looked is None

    def changed(self, rollout: Rollout, *, look: bool) -> None:
        """A wish has changed the rollout; with `look`, items may have nothing left to do."""
        self.rollout = rollout
        if look:
            self._looked = ""
            self._swept = float("-inf")

    async def step(self) -> float:
        """Do what can be done now; returns the seconds after which there may be more.

        Raises:
            StaleEpoch: another controller leads, or the rollout was changed by another hand.
        """
        await self._receive()
        await self._pass_over()
        state = self.rollout.state
        if state == "running":
            return await self._run()
        self._gatekeeper.watch(self.rollout, self.rollout.wave, ())
        if state == "reversing":
            return await self._go_back()
        return IDLE if not self._admission.moving else 1.0

    # items ------------------------------------------------------------------------------------

    async def _receive(self) -> None:
        """Take note of moves that are over."""
        while self._admission.moving:
            arrived = await self._store.arrived(self.rollout.id, PAGE)
            if not arrived:
                return
            now = self._clock.now()
            items = tuple(progress.arrive(self.rollout, *one, now=now) for one in arrived)
            events = tuple(
                self._event("item", item.channel, state=item.state, error=item.error)
                for item in items
                if item.state == "failed"
            )
            await self._leader.write(self._advance(items=items, events=events))
            self._admission.ended([item.channel for item in items])

    async def _pass_over(self) -> None:
        """A page of the items that wait although they are where they are to be: they are done."""
        if self._looked is None:
            return
        page = await self._store.items(self.rollout.id, state="waiting", after=self._looked, limit=PAGE)
        placements = await self._store.placements([item.channel for item in page])
        now = self._clock.now()
        done = tuple(
            msgspec.structs.replace(item, state="done", error="", since=now)
            for item, placement in zip(page, placements, strict=True)
            if placement.segment.cluster == progress.destination(item, self.rollout.definition)
        )
        if done:
            await self._leader.write(self._advance(items=done))
        self._looked = page[-1].channel if len(page) == PAGE else None

    # forward ----------------------------------------------------------------------------------

    async def _run(self) -> float:
        rollout, now = self.rollout, self._clock.now()
        wave, here = progress.wave_of(rollout), rollout.waves[rollout.wave]
        self.holding = ""
        if here.state == "pending":
            await self._keep(progress.set_wave(rollout, "checking", now=now), "wave", wave=wave.name, state="checking")
            return 0.0
        watched = [gate for gate in wave.gates if gate.when in TIMES.get(here.state, ()) and not self._passed(gate)]
        self._gatekeeper.watch(rollout, rollout.wave, [gate for gate in watched if gate.kind not in OURS])
        for gate in watched:
            verdict, why = await self._judge(gate)
            if verdict == "fail" and await self._trip(gate, why):
                return 0.0
            if verdict == "inconclusive" and not self.holding:
                self.holding = f"gate '{gate.name}' of wave '{wave.name}': {why}"
        if here.state == "checking" and not self.holding:
            self.holding = await self._open_issues()
        if here.state == "checking":
            if self.holding:
                return await self._admit_earlier()
            await self._keep(progress.set_wave(rollout, "moving", now=now), "wave", wave=wave.name, state="moving")
            return 0.0
        if wave.rest:
            await self._sweep()
        if here.state == "moving":
            return await self._move()
        return await self._soak()

    async def _move(self) -> float:
        if self.holding:
            return IDLE
        rollout = self.rollout
        if progress.wave_of(rollout).rest and await self._move_default():
            return 0.0
        admitted = await self._admission.admit(rollout)
        if admitted.exhausted and not self._admission.moving and self._looked is None:
            wave = progress.wave_of(rollout)
            turned = progress.set_wave(rollout, "soaking", now=self._clock.now())
            await self._keep(turned, "wave", wave=wave.name, state="soaking")
            return 0.0
        return min(admitted.waits, IDLE)

    async def _soak(self) -> float:
        rollout, now = self.rollout, self._clock.now()
        wave, here = progress.wave_of(rollout), rollout.waves[rollout.wave]
        waits = await self._admit_earlier()
        if here.state == "soaking":
            if self.holding:
                return min(waits, 1.0)
            turned = progress.set_wave(rollout, "done", now=now)
            if rollout.wave + 1 < len(rollout.waves):
                turned = msgspec.structs.replace(turned, wave=rollout.wave + 1)
            await self._keep(turned, "wave", wave=wave.name, state="done")
            return 0.0
        if not await self._all_done():
            self.holding = self.holding or "channels of its waves are still waiting"
            return waits
        turned = progress.turn(rollout, "finished", by="controller", why="all waves are done", now=now)
        await self._keep(turned, "finished", why="all waves are done")
        return 0.0

    async def _admit_earlier(self) -> float:
        """Channels of waves that have begun may move whenever they are free to."""
        during = self.rollout.waves[self.rollout.wave].state in ("soaking", "done")
        if progress.begun(self.rollout) < 0 or (during and self.holding.startswith("gate") and not self._only_time()):
            return 1.0
        return min((await self._admission.admit(self.rollout)).waits, 1.0)

    def _only_time(self) -> bool:
        """Whether nothing but a soak or an approval holds the rollout back."""
        wave = progress.wave_of(self.rollout)
        return any(self.holding.startswith(f"gate '{gate.name}'") for gate in wave.gates if gate.kind in OURS)

    async def _all_done(self) -> bool:
        if self._looked is not None or self._admission.moving:
            return False
        return not any(tally.state in ("waiting", "moving") for tally in await self._store.tallies(self.rollout.id))

    # gates ------------------------------------------------------------------------------------

    def _passed(self, gate: Gate) -> bool:
        rollout = self.rollout
        return rollout.at_once or gate.name in rollout.waves[rollout.wave].approved

    async def _judge(self, gate: Gate) -> tuple[Verdict, str]:
        rollout, now = self.rollout, self._clock.now()
        here = rollout.waves[rollout.wave]
        if gate.kind == "approval":
            return "inconclusive", "it waits for an approval"
        if gate.kind == "soak":
            left = here.since + gate.seconds - now
            return ("pass", "") if left <= 0 else ("inconclusive", f"it soaks for {gate.seconds:g} s")
        if gate.kind == "issues":
            found = await self._store.issues(rollout.id, open_only=True)
            return ("inconclusive", f"open issue {found[0].id}: {found[0].text}") if found else ("pass", "")
        samples = self._gatekeeper.samples(rollout.id, rollout.wave, gate.name)
        verdict = gates.verdict(gate, samples)
        why = samples[-1].detail if samples else "no sample yet"
        await self._tell(gate, verdict, samples, why)
        return verdict, why

    async def _tell(self, gate: Gate, verdict: Verdict, samples: Sequence[Sample], why: str) -> None:
        """Write a gate's verdict to the feed whenever it turns."""
        key = (self.rollout.wave, gate.name)
        before = self._told.get(key, ("inconclusive", ""))[0]
        if verdict != before or key not in self._told:
            self._told[key] = (verdict, why)
            wave = progress.wave_of(self.rollout).name
            value = samples[-1].value if samples else None
            event = self._event("gate", gate=gate.name, wave=wave, verdict=verdict, detail=why, value=value)
            await self._leader.write(self._advance(events=(event,)))

    async def _trip(self, gate: Gate, why: str) -> bool:
        """A gate has failed: do what the wave says; True if the rollout's state has changed."""
        rollout, now = self.rollout, self._clock.now()
        wave = progress.wave_of(rollout)
        text = f"gate '{gate.name}' of wave '{wave.name}' failed: {why}"
        log.warning("gate_failed", rollout=rollout.definition.name, wave=wave.name, gate=gate.name, why=why)
        if wave.on_failure == "continue":
            waves = list(rollout.waves)
            here = waves[rollout.wave]
            waves[rollout.wave] = msgspec.structs.replace(here, approved=(*here.approved, gate.name))
            turned = msgspec.structs.replace(rollout, waves=tuple(waves))
            await self._keep(turned, "gate", gate=gate.name, wave=wave.name, verdict="fail", detail=why, did="continue")
            return True
        state: RolloutState = "paused" if wave.on_failure == "pause" else "reversing"
        turned = progress.turn(rollout, state, by=f"gate {gate.name}", why=text, now=now)
        regoals: tuple[Regoal, ...] = ()
        if state == "reversing":
            turned = msgspec.structs.replace(turned, default_back=wave.rest)
            regoals = (Regoal(rollout.id, "back", now, wave=rollout.wave),)
            self._looked = ""
        event = self._event(state, wave=wave.name, gate=gate.name, why=text)
        self.rollout = await self._leader.keep(turned, regoals=regoals, events=(event,))
        self._told.clear()
        return True

    async def _open_issues(self) -> str:
        """The issue that keeps the next wave from beginning, '' for none."""
        found = [
            issue
            for issue in await self._store.issues(self.rollout.id, open_only=True)
            if issue.wave <= self.rollout.wave
        ]
        return f"open issue {found[0].id} ({found[0].by}): {found[0].text}" if found else ""

    # the default placement, and channels that appear ------------------------------------------

    async def _move_default(self) -> bool:
        """Move the channels without a row, once: whoever changes the default afterwards is right; True if it moved."""
        rollout = self.rollout
        if rollout.default_before is not None:
            return False
        default = await self._store.default_placement()
        if default.cluster not in progress.sources(rollout.definition, self._clusters):
            return False
        await self._wishes.pin_known()
        rollout = msgspec.structs.replace(rollout, default_before=default)
        await self._change_default(rollout, rollout.definition.to, default)
        self._swept = float("-inf")  # what has got a row until now is looked for once more
        return True

    async def _change_default(self, rollout: Rollout, to: str, over: Segment) -> None:
        """Write the rollout and the default placement in one decision."""
        event = self._event("wave", default=to)
        advance = Advance(self._clock.now(), rollout, events=(event,))
        written = await self._leader.write(self._wishes.new_default(advance, to, over=over))
        assert written
        self.rollout = written

    async def _sweep(self) -> None:
        """Channels that got a row on a source since the plan belong to the wave that fits; all have begun by now."""
        now = self._clock.now()
        if now - self._swept < SWEEP:
            return
        sources, after = progress.sources(self.rollout.definition, self._clusters), ""
        sorter = plan.Sorter(self.rollout.definition)
        while page := await self._store.newcomers(self.rollout.id, sources, PAGE, after=after):
            places = [(found, sorter.place(found)) for found in await sized(self._crowd, page)]
            items = tuple(
                Item(self.rollout.id, found.channel, wave, found.cluster, since=now)
                for found, wave in places
                if isinstance(wave, int)
            )
            if items:
                await self._leader.write(self._advance(items=items))
            after = page[-1].channel
        self._swept = now

    # back -------------------------------------------------------------------------------------

    async def _go_back(self) -> float:
        rollout = self.rollout
        if rollout.default_back and rollout.default_before is not None:
            before, default = rollout.default_before, await self._store.default_placement()
            if default.cluster == rollout.definition.to:
                await self._wishes.pin_known()
                await self._change_default(rollout, before.cluster, default)
                rollout = self.rollout
            await self._sweep_back()
        admitted = await self._admission.admit(rollout)
        if self._admission.moving or self._looked is not None or not admitted.exhausted:
            return min(admitted.waits, 1.0)
        state = progress.after_reverse(rollout, await self._store.tallies(rollout.id))
        if state is None:
            return 1.0
        now = self._clock.now()
        turned = progress.turn(rollout, state, by="controller", why="what was to go back is back", now=now)
        await self._keep(turned, state, why=turned.why)
        return 0.0

    async def _sweep_back(self) -> None:
        """Channels that got their row while the rollout's default held go where the default goes."""
        now, rollout = self._clock.now(), self.rollout
        if now - self._swept < SWEEP or rollout.default_before is None:
            return
        after = ""
        while page := await self._store.newcomers(rollout.id, [rollout.definition.to], PAGE, after=after):
            chains = await self._store.chains([found.channel for found in page])
            items = tuple(
                Item(
                    rollout.id,
                    found.channel,
                    len(rollout.waves) - 1,
                    rollout.default_before.cluster,
                    goal="back",
                    since=now,
                )
                for found, chain in zip(page, chains, strict=True)
                if chain[0].cluster == rollout.definition.to and chain[0].epoch > rollout.default_before.epoch
            )
            if items:
                await self._leader.write(self._advance(items=items))
            after = page[-1].channel
        self._swept = now

    # writing ----------------------------------------------------------------------------------

    def _advance(self, *, items: tuple[Item, ...] = (), events: tuple[Event, ...] = ()) -> Advance:
        return Advance(self._clock.now(), items=items, events=events)

    async def _keep(self, rollout: Rollout, kind: str, **details: Any) -> None:
        self.rollout = await self._leader.keep(rollout, events=(self._event(kind, **details),))

    def _event(self, kind: str, channel: str = "", **details: Any) -> Event:
        name = self.rollout.definition.name
        return Event(f"rollout.{kind}", self._clock.now(), channel, self.rollout.id, {"name": name, **details})
