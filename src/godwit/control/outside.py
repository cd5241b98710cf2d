"""What a controller has to do with the outside, put together: gates, probes, rehearsals, webhooks."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from ssl import create_default_context
from uuid import uuid4

import httpx
import structlog

from godwit.clock import Clock
from godwit.control.gatekeeper import Sampler, SamplingGatekeeper
from godwit.control.meters import Meters, Reading
from godwit.control.ports import Crowd
from godwit.control.probes import Probes
from godwit.control.rehearsal import Rehearsals
from godwit.control.samplers import Hook, Metric, Probe, Prometheus, Rehearsal
from godwit.control.webhooks import Webhooks
from godwit.errors import MoveRefused
from godwit.rollout.values import Facts, GateKind, Rollout
from godwit.settings import Settings
from godwit.store.rollout_base import RolloutStore
from godwit.values import Account, Addresses, Move

log = structlog.get_logger()

CONNECTIONS = 20
"""HTTP connections to other services, at most."""

PLACE = 30.0
"""Seconds that a hidden room may take to its cluster."""

FIRST_LOOK, LONGEST_LOOK = 0.05, 1.0
"""Seconds between two looks at a move of a hidden room."""

PAGE = 1000

SCOPES = ("chat:read", "chat:edit")


class Outside:
    """All of it; its parts are made at once and work while `run` does.

    Attributes:
        gatekeeper: for the conductor.
        probes: what they see is for people, too.
        webhooks: how far they are.

    Args:
        clusters: those that channels may be on now, with the addresses that clients are told.
        reading: what the edges of this process count now, see `meters.read`.
        crowd: knows who is where.
        wake: called when the controller has something to do: a sample came, a hidden room is to move.
        leads: says whether this process leads; only one that does posts to webhooks.
        sleep: how pauses are made.
    """

    def __init__(
        self,
        store: RolloutStore,
        clock: Clock,
        settings: Settings,
        *,
        clusters: Callable[[], Mapping[str, Addresses]],
        reading: Callable[[], Reading],
        crowd: Crowd,
        wake: Callable[[], None],
        leads: Callable[[], bool] = lambda: True,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._settings = settings
        self._clusters = clusters
        self._http = httpx.AsyncClient(
            verify=create_default_context(),
            timeout=None,  # every caller has a bound of its own
            limits=httpx.Limits(max_connections=CONNECTIONS),
            trust_env=False,
            follow_redirects=False,
            headers={"User-Agent": "godwit"},
        )
        place, keys = Rooms(store, clock, wake, sleep).place, Keys(store, clock, settings.auth.mode == "open")
        self.probes = Probes(clusters, place, keys.token, sleep=sleep)
        self.webhooks = Webhooks(store, self._http, clock, settings.webhooks, leads=leads, sleep=sleep)
        self._meters = Meters(reading, self.probes.views, sleep=sleep)
        rehearsals = Rehearsals(
            clusters, place, keys.token, most_sessions=settings.control.rehearsal_sessions, sleep=sleep
        )
        samplers: dict[GateKind, Sampler] = {
            "metric": Metric(self._meters.value, store),
            "prometheus": Prometheus(self._http, settings.control.prometheus_url),
            "http": Hook(self._http),
            "probe": Probe(self.probes, self._sources),
            "rehearsal": Rehearsal(rehearsals, Sizes(store, crowd).largest),
        }
        self.gatekeeper = SamplingGatekeeper(
            samplers, clock, on_sample=lambda rollout, wave, gate, sample: wake(), sleep=sleep
        )

    async def run(self) -> None:
        """Sample, probe and post until cancelled; may be run again."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._meters.run(), name="meters")
            group.create_task(self.gatekeeper.run(), name="gatekeeper")
            group.create_task(self.webhooks.run(), name="webhooks")
            if self._settings.control.probes:
                group.create_task(self.probes.run(), name="probes")

    async def close(self) -> None:
        """Hang up; it cannot be run any more."""
        await self._http.aclose()

    def _sources(self, rollout: Rollout) -> Sequence[str]:
        """The clusters that a rollout takes channels from, of those that there are."""
        definition = rollout.definition
        there = [name for name in self._clusters() if name != definition.to]
        return [name for name in there if name in definition.sources] if definition.sources else there


class Rooms:
    """Puts hidden rooms on clusters, by wishes like any other.

    Args:
        wake: called when a wish was recorded.
        sleep: how pauses are made.
    """

    def __init__(
        self, store: RolloutStore, clock: Clock, wake: Callable[[], None], sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self._store = store
        self._clock = clock
        self._wake = wake
        self._sleep = sleep

    async def place(self, room: str, cluster: str) -> None:
        """See to it that a hidden room is on a cluster, and stays there when the default placement changes.

        Raises:
            MoveRefused: the move was refused or cancelled.
            StoreUnavailable: no answer.
            TimeoutError: it takes too long.
        """
        await self._store.pin([room])
        async with asyncio.timeout(PLACE):
            while (await self._store.placement(room)).segment.cluster != cluster:
                try:
                    move = await self._store.begin_move(self._wish(room, cluster))
                except MoveRefused:
                    # Another move is under way, from before a restart or of another controller.
                    await self._sleep(LONGEST_LOOK)
                    continue
                self._wake()
                await self._wait_committed(move)

    def _wish(self, room: str, cluster: str) -> Move:
        return Move(
            uuid4().hex,
            room,
            cluster,
            "wished",
            by="godwit",
            reason="a hidden room of probes and rehearsals",
            history=(("wished", self._clock.now()),),
        )

    async def _wait_committed(self, move: Move) -> None:
        pause = FIRST_LOOK
        while True:
            await self._sleep(pause)
            found = await self._store.move(move.id) or move
            if found.state in ("draining", "settled"):
                return
            if found.state in ("cancelled", "failed"):
                raise MoveRefused(f"#{move.channel} could not move to {move.target}: {found.error}")
            pause = min(pause * 2, LONGEST_LOOK)


class Keys:
    """Lets the chatters in: any token does where logging in is open, else each gets an account and a token.

    Args:
        is_open: whether logging in is open.
    """

    def __init__(self, store: RolloutStore, clock: Clock, is_open: bool) -> None:
        self._store = store
        self._clock = clock
        self._open = is_open
        self._tokens: dict[str, str] = {}

    async def token(self, login: str) -> str | None:
        """A token for a hidden login, good as long as this process runs; that of an earlier one ends."""
        if self._open:
            return "hidden"
        if login not in self._tokens:
            token = secrets.token_hex(15)
            await self._store.remove_account(login)
            await self._store.add_account(Account("", login))
            await self._store.add_token(login, token, SCOPES, self._clock.now())
            self._tokens[login] = token
        return self._tokens[login]


class Sizes:
    """Knows how large the channels of a wave are: by their facts, or by who is there now."""

    def __init__(self, store: RolloutStore, crowd: Crowd) -> None:
        self._store = store
        self._crowd = crowd

    async def largest(self, rollout: Rollout, wave: int) -> Facts | None:
        """The wave's largest channel with its peak; None if the wave has no channels."""
        found: Facts | None = None
        after = ""
        while True:
            items = await self._store.items(rollout.id, wave=wave, after=after, limit=PAGE)
            names = [item.channel for item in items]
            candidates = await self._store.candidates_of(names)
            presence = await self._crowd.presence(names)
            for candidate, there in zip(candidates, presence, strict=True):
                known = candidate.facts
                members = max(known.members, there.members)
                if found is None or members > found.members:
                    found = Facts(known.channel, members=members, rate=known.rate)
            if len(items) < PAGE:
                return found
            after = names[-1]
