"""Everything that steers the network, put together: the controller, its gates, and the doctor."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from godwit.chatlog.base import ChatLog
from godwit.clock import Clock
from godwit.control.conductor import Conductor
from godwit.control.controller import PATIENCE, Controller
from godwit.control.doctor import Doctor, ready_to_retire
from godwit.control.explain import Explainer
from godwit.control.findings import Findings
from godwit.control.meters import Reading
from godwit.control.outside import Outside
from godwit.control.patience import patient_logs, patient_store
from godwit.control.ports import Crowd
from godwit.control.repair import Repair
from godwit.control.verifier import Verifier
from godwit.control.wishes import Wishes
from godwit.ending import end
from godwit.errors import ChatLogUnavailable, InvalidRequest, StoreUnavailable
from godwit.network import Places
from godwit.settings import Settings
from godwit.store.rollout_base import RolloutStore

FRESH = 60.0
"""Seconds for which what the doctor found serves a repair; each step is looked at again before it is done."""

TURN = 0.5
"""Seconds between two looks at whether this process leads."""


class Steering:
    """The controller and what it needs.

    Attributes:
        crowd, outside, wishes, conductor, controller, explainer: the parts.

    Args:
        store, logs, clock: the ports; `logs` by cluster.
        places: where the clusters are that channels are moved between.
        crowd: who is where.
        holder: a name that no other process has, the same after a restart.
        reading: what the edges count now.
        changed: called whenever something was written.
        skip_seal: for the demo's fault only.
        sleep: how the doctor makes pauses.
    """

    def __init__(
        self,
        settings: Settings,
        store: RolloutStore,
        logs: Mapping[str, ChatLog],
        clock: Clock,
        places: Places,
        crowd: Crowd,
        *,
        holder: str,
        reading: Callable[[], Reading],
        changed: Callable[[], None],
        skip_seal: bool = False,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.crowd = crowd
        self.outside = Outside(
            store,
            clock,
            settings,
            clusters=lambda: {name: places.addresses[name] for name in places.homes},
            reading=reading,
            crowd=self.crowd,
            wake=self.wake,
            leads=lambda: self.conductor.leader.leads,
        )
        patient = patient_store(store, PATIENCE)
        self.wishes = Wishes(
            patient,
            logs,
            self.crowd,
            clock,
            settings.move,
            retirable=lambda cluster: ready_to_retire(store, cluster),
            repair=self._repair,
            heavy=asyncio.to_thread,
        )
        self.conductor = Conductor(
            patient,
            logs,
            self.crowd,
            clock,
            self.outside.gatekeeper,
            self.wishes,
            holder=holder,
            clusters=places.homes,
            changed=changed,
        )
        self.controller = Controller(
            store,
            logs,
            clock,
            settings.move,
            self.crowd,
            conductor=self.conductor,
            clusters=places.homes,
            verify=Verifier(patient, patient_logs(logs, PATIENCE), clock, settings.log).verify,
            changed=changed,
            skip_seal=skip_seal,
        )
        self.explainer = Explainer(store, clock, self.conductor.holding)
        self._clock = clock
        self._doctor = Doctor(store, logs, self.crowd, clock, settings, sleep=sleep)
        self._repairs = Repair(self._doctor, store, logs, clock, settings.move, self.conductor.leader.write)
        self._examining = asyncio.Lock()
        self._found: Findings | None = None
        self._open = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Something has happened that the controller may have waited for."""
        self.controller.wake()

    async def watch(self) -> None:
        """Sample gates, probe and post from `look_out` to `look_away`; ends only by a fault, or when cancelled."""
        await self._open.wait()
        self._watching = asyncio.create_task(self.outside.run(), name="outside")
        try:
            await asyncio.wait([self._watching])
            if not self._watching.cancelled():
                return self._watching.result()
            await asyncio.Event().wait()
        finally:
            await self.look_away()

    def look_out(self) -> None:
        """Everything listens: the chatters may come in."""
        self._open.set()

    async def look_away(self) -> None:
        """Have the chatters leave, before the edges send everybody away."""
        if self._watching is not None:
            await end(self._watching)
        await self.outside.close()

    async def watch_in_turn(self) -> None:
        """Sample gates, probe and post whenever this process leads, until cancelled; for one of several controllers."""
        watching: asyncio.Task[None] | None = None
        try:
            while True:
                leads = self.conductor.leader.leads
                if leads and watching is None:
                    watching = asyncio.create_task(self.outside.run(), name="outside")
                elif watching is not None and (watching.done() or not leads):
                    await end(watching)
                    if not watching.cancelled():
                        watching.result()
                    watching = None
                await asyncio.sleep(TURN)
        finally:
            if watching is not None:
                await end(watching)
            await self.outside.close()

    async def resign(self) -> None:
        """Let another process lead at once; for when the work has ended."""
        with suppress(StoreUnavailable):
            await self.conductor.leader.resign()

    async def examine(self) -> Findings:
        """Have the doctor look at everything; who asks meanwhile waits for a look of his own.

        Raises:
            StoreUnavailable, ChatLogUnavailable: it could not be looked at.
        """
        async with self._examining:
            self._found = await self._doctor.examine()
            return self._found

    async def _repair(self, dry: bool, force: bool) -> list[str]:
        found = self._found
        try:
            if found is None or self._clock.now() - found.time - found.seconds > FRESH:
                found = await self.examine()
            steps = await self._repairs.repair(found.findings, dry=dry, force=force)
        except ChatLogUnavailable as error:
            raise InvalidRequest(f"nothing can be repaired now: {error}") from error
        if not dry:
            self._found = None
        return steps
