"""The gatekeeper: samples the gates that need the outside world (`docs/gates.md`).

Each gate that is watched has one task here. A sampler that fails or takes too long gives an inconclusive sample
that says why; nothing of it reaches the controller. Approvals, soaks and open issues are the conductor's own.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import msgspec
import structlog

from godwit.clock import Clock
from godwit.rollout.gates import ROUND_TRIP
from godwit.rollout.values import Gate, GateKind, Rollout, Sample, Verdict

log = structlog.get_logger()

AT_ONCE = 8
"""Samples that are taken at the same time, at most."""

LONGEST_DETAIL = 300
"""Characters of a sample's detail."""

OURS: frozenset[GateKind] = frozenset({"approval", "soak", "issues"})
"""Kinds of gates that nobody samples."""


class Question(msgspec.Struct, frozen=True):
    """What a sampler is asked: one gate of one wave.

    Attributes:
        progress: takes a line about how far the answer is, for samplers that take long.
    """

    rollout: Rollout
    wave: int
    gate: Gate
    progress: Callable[[str], None] = lambda line: None


class Answer(msgspec.Struct, frozen=True):
    """What a sampler found out."""

    verdict: Verdict
    detail: str = ""
    value: float | None = None


class Sampler(Protocol):
    """Takes samples of one kind of gate. May raise whatever it likes: that is an inconclusive sample."""

    async def sample(self, question: Question) -> Answer:
        """Find out how the gate stands now."""
        ...

    def timeout(self, gate: Gate) -> float:
        """Seconds to wait for `sample`."""
        ...


def is_act(gate: Gate) -> bool:
    """Say whether sampling the gate is work of its own, so that it ends with the samples that are wanted."""
    return gate.kind == "rehearsal" or (gate.kind == "probe" and gate.value == ROUND_TRIP)


class _Watched:
    """A gate that is watched."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.samples: deque[Sample] = deque(maxlen=max(1, question.gate.samples))
        self.task: asyncio.Task[None] | None = None
        self.progress = ""

    @property
    def finished(self) -> bool:
        """An act gave all the samples that are wanted, and all of them say something."""
        full = len(self.samples) == self.samples.maxlen
        return is_act(self.question.gate) and full and all(one.verdict != "inconclusive" for one in self.samples)


Key = tuple[str, int, str]
"""Rollout, wave, name of the gate."""


class SamplingGatekeeper:
    """A `Gatekeeper` that asks samplers.

    Args:
        samplers: by kind of gate.
        clock: dates the samples.
        on_sample: told of each one: rollout, wave, gate, sample.
        sleep: how pauses are made.
    """

    def __init__(
        self,
        samplers: Mapping[GateKind, Sampler],
        clock: Clock,
        *,
        on_sample: Callable[[str, int, str, Sample], None] = lambda rollout, wave, gate, sample: None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._samplers = samplers
        self._clock = clock
        self._on_sample = on_sample
        self._sleep = sleep
        self._watched: dict[Key, _Watched] = {}
        self._group: asyncio.TaskGroup | None = None
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._acting = asyncio.Lock()

    async def run(self) -> None:
        """Take samples until cancelled; what was asked for before is taken up now."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for watched in self._watched.values():
                    self._begin(watched)
                await asyncio.Event().wait()
        finally:
            self._group = None
            for watched in self._watched.values():
                watched.task = None

    def watch(self, rollout: Rollout, wave: int, gates: Sequence[Gate]) -> None:
        """Sample these gates of this wave from now on, and no others of this rollout; does not wait."""
        wanted = {(rollout.id, wave, gate.name): gate for gate in gates if gate.kind not in OURS}
        for key, watched in list(self._watched.items()):
            if key[0] == rollout.id and wanted.get(key) != watched.question.gate:
                del self._watched[key]
                if watched.task is not None:
                    watched.task.cancel()
        for key, gate in wanted.items():
            if key not in self._watched:
                self._watched[key] = watched = _Watched(Question(rollout, wave, gate))
                self._begin(watched)

    def samples(self, rollout: str, wave: int, gate: str) -> Sequence[Sample]:
        """What was sampled since `watch` first named the gate, oldest first, at most `gate.samples`."""
        watched = self._watched.get((rollout, wave, gate))
        return tuple(watched.samples) if watched else ()

    def progress(self, rollout: str, wave: int, gate: str) -> str:
        """What a sampler that takes long does now, in one line; '' if nothing."""
        watched = self._watched.get((rollout, wave, gate))
        return watched.progress if watched else ""

    def statistics(self) -> dict[str, int]:
        """How many gates are watched."""
        return {"gates": len(self._watched)}

    # Inside.

    def _begin(self, watched: _Watched) -> None:
        if self._group is not None:
            gate = watched.question.gate
            watched.task = self._group.create_task(self._keep(watched), name=f"gate {gate.name}")

    async def _keep(self, watched: _Watched) -> None:
        """Take samples of one gate, again and again."""
        question = watched.question
        gate = question.gate

        def tell(line: str) -> None:
            watched.progress = line

        question = msgspec.structs.replace(question, progress=tell)
        while not watched.finished:
            async with self._acting if is_act(gate) else self._turn:
                answer = await self._ask(question)
            watched.progress = ""
            detail = " ".join(answer.detail.split())[:LONGEST_DETAIL]
            sample = Sample(gate.name, self._clock.now(), answer.verdict, detail, answer.value)
            watched.samples.append(sample)
            log.info("gate_sampled", gate=gate.name, kind=gate.kind, verdict=sample.verdict, detail=detail)
            self._on_sample(question.rollout.id, question.wave, gate.name, sample)
            if not watched.finished:
                await self._sleep(gate.every)

    async def _ask(self, question: Question) -> Answer:
        gate = question.gate
        sampler = self._samplers.get(gate.kind)
        if sampler is None:
            return Answer("inconclusive", f"nobody samples gates of the kind {gate.kind} here")
        limit = sampler.timeout(gate)
        try:
            async with asyncio.timeout(limit) as bound:
                return await sampler.sample(question)
        except Exception as error:
            # Whatever goes wrong outside is an answer: the rollout waits, and says why.
            if bound.expired():
                return Answer("inconclusive", f"no answer within {limit:g} s")
            log.info("sampler_failed", gate=gate.name, kind=gate.kind, error=repr(error))
            if isinstance(error, TimeoutError):
                return Answer("inconclusive", "it took too long")
            return Answer("inconclusive", f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
