"""What only the controller that leads knows of rollouts: what gates answered, and what holds a rollout as a whole.

A directory asks for it every second, and tells people what it heard last.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import httpx
import msgspec
import structlog

from godwit.roles.remote import Nodes
from godwit.rollout.values import ENDED, Sample
from godwit.steering import Steering
from godwit.store.rollout_base import RolloutStore

log = structlog.get_logger()

PATH = "/inside/insight"

EVERY = 1.0
"""Seconds between two questions."""


class Insight(msgspec.Struct, frozen=True):
    """What one controller knows.

    Attributes:
        leads: whether it leads; others know nothing.
        holding: rollout -> what holds it, if anything does.
        samples: rollout, index of the wave, name of the gate, what it answered.
    """

    leads: bool = False
    holding: Mapping[str, str] = {}
    samples: Sequence[tuple[str, int, str, tuple[Sample, ...]]] = ()


async def insight_of(steering: Steering, store: RolloutStore) -> Insight:
    """What the controller of this process knows.

    Raises:
        StoreUnavailable: no answer.
    """
    if not steering.conductor.leader.leads:
        return Insight()
    rollouts = [rollout for rollout in await store.rollouts() if rollout.state not in ENDED]
    samples = [
        (rollout.id, index, gate.name, tuple(steering.outside.gatekeeper.samples(rollout.id, index, gate.name)))
        for rollout in rollouts
        for index, wave in enumerate(rollout.definition.waves)
        for gate in wave.gates
    ]
    holding = {rollout.id: held for rollout in rollouts if (held := steering.conductor.holding(rollout.id))}
    return Insight(True, holding, [row for row in samples if row[3]])


class RemoteInsight:
    """What the controller that leads knew when it was last asked."""

    def __init__(self, controllers: Nodes, http: httpx.AsyncClient, admin_token: str) -> None:
        self._controllers = controllers
        self._http = http
        self._headers = {"Authorization": f"Bearer {admin_token}"}
        self._holding: Mapping[str, str] = {}
        self._samples: dict[tuple[str, int, str], tuple[Sample, ...]] = {}

    def holding(self, rollout: str) -> str:
        """What holds a rollout as a whole, such as a gate; '' if nothing does, as far as is known."""
        return self._holding.get(rollout, "")

    def samples(self, rollout: str, wave: int, gate: str) -> Sequence[Sample]:
        """What a gate answered lately, oldest first."""
        return self._samples.get((rollout, wave, gate), ())

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            await self.ask()
            await asyncio.sleep(EVERY)

    async def ask(self) -> None:
        """Ask all controllers; what the one that leads knows takes the place of what was known."""
        found = await asyncio.gather(*(self._one(node.url) for node in self._controllers()))
        for insight in found:
            if insight.leads:
                self._holding = insight.holding
                self._samples = {(rollout, wave, gate): last for rollout, wave, gate, last in insight.samples}

    async def _one(self, url: str) -> Insight:
        try:
            answer = await self._http.get(f"{url}{PATH}", headers=self._headers)
            answer.raise_for_status()
            return msgspec.json.decode(answer.content, type=Insight)
        except (httpx.HTTPError, msgspec.MsgspecError) as error:
            log.info("controller_not_asked", url=url, error=repr(error))
            return Insight()
