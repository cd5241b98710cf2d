"""How far a rollout is."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from godwit.clock import Clock
from godwit.rollout import forecast, gates
from godwit.rollout.progress import sources
from godwit.rollout.values import Gate, Issue, Rollout, Sample, Tally
from godwit.store.rollout_base import RolloutStore
from godwit.values import GROUP
from godwit.web import rollout_views as views

Samples = Callable[[str, int, str], Sequence[Sample]]
"""What a gate answered lately: rollout, index of the wave, name of the gate -> samples, oldest first."""

Waiting = Callable[[Rollout], Awaitable[Mapping[str, int]]]
"""Why what waits in a rollout is waiting: reason -> number of channels."""

LATELY = 60.0
"""Seconds over which a rate is taken, if somebody has looked so long ago."""

SHORTEST = 2.0
"""Seconds below which a rate says nothing."""

REMEMBERED = 20
"""Rollouts whose progress is remembered."""


class Rates:
    """Remembers how far rollouts were when somebody looked, so that a rate can be told."""

    def __init__(self) -> None:
        self._looks: dict[str, deque[tuple[float, int]]] = {}

    def rate(self, rollout: Rollout, done: int, now: float) -> float:
        """Channels a second: over the last minute if somebody looked then, else since this direction began."""
        looks = self._looks.setdefault(rollout.id, deque())
        if looks and done < looks[-1][1]:
            looks.clear()
        while looks and looks[0][0] < now - LATELY:
            looks.popleft()
        if not looks or now - looks[-1][0] >= SHORTEST / 2:
            looks.append((now, done))
        while len(self._looks) > REMEMBERED:
            del self._looks[next(iter(self._looks))]
        since, before = looks[0]
        if now - since >= SHORTEST:
            return (done - before) / (now - since)
        seconds = active(rollout, now)
        return done / seconds if seconds >= SHORTEST else 0.0


def active(rollout: Rollout, now: float) -> float:
    """Seconds for which a rollout has gone in the direction in which it goes now, pauses left out."""
    total, state, since = 0.0, "", 0.0
    for turned, time, _, _ in (*rollout.history, ("", now, "", "")):
        if state in ("running", "reversing"):
            total += max(time - since, 0.0)
        if turned == "reversing" or (turned == "running" and state in ("reversed", "reversing")):
            total = 0.0
        state, since = turned or state, time
    return total


class Statuses:
    """Tells how far rollouts are.

    Args:
        clusters: names of the configured clusters.
        samples: what gates answered lately; None if nobody here knows.
        waiting: why what waits is waiting; None: nobody is to say.
    """

    def __init__(
        self,
        store: RolloutStore,
        clock: Clock,
        clusters: Collection[str],
        samples: Samples | None = None,
        waiting: Waiting | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._clusters = clusters
        self._samples = samples
        self._waiting = waiting
        self._rates = Rates()

    async def version(self, rollout: Rollout) -> str:
        """Another text with each change of the rollout or of one of its channels."""
        return _version(rollout, await self._store.tallies(rollout.id))

    async def summary(self, rollout: Rollout) -> views.Summary:
        """A rollout in a list."""
        counts = _counts(await self._store.tallies(rollout.id))
        return views.Summary(
            id=rollout.id,
            name=rollout.definition.name,
            number=rollout.number,
            to=rollout.definition.to,
            state=rollout.state,
            why=rollout.why,
            by=rollout.by,
            created=rollout.created,
            done=counts.get("done", 0),
            total=sum(counts.values()),
        )

    async def status(self, rollout: Rollout) -> views.Status:
        """All there is to tell."""
        definition = rollout.definition
        tallies = await self._store.tallies(rollout.id)
        issues = await self._store.issues(rollout.id, open_only=True)
        waiting = dict(await self._waiting(rollout)) if self._waiting else {}
        counts = _counts(tallies)
        done, total = counts.get("done", 0), sum(counts.values())
        moves = rollout.state in ("running", "reversing")
        rate = self._rates.rate(rollout, done, self._clock.now())
        return views.Status(
            id=rollout.id,
            name=definition.name,
            number=rollout.number,
            to=definition.to,
            sources=tuple(sources(definition, [name for name in self._clusters if name != GROUP])),
            state=rollout.state,
            why=rollout.why,
            by=rollout.by,
            reason=rollout.reason,
            hash=rollout.hash,
            at_once=rollout.at_once,
            created=rollout.created,
            version=_version(rollout, tallies),
            wave=rollout.wave,
            waves=tuple(self._wave(rollout, index, tallies, issues) for index in range(len(definition.waves))),
            done=done,
            total=total,
            rate=rate if moves else 0.0,
            eta=_eta(rollout, counts, rate) if moves else None,
            budget=views.BudgetView(
                in_flight=rollout.budget.in_flight,
                cold_in_flight=rollout.budget.cold_in_flight,
                hot_per_second=rollout.budget.hot_per_second,
                cold_per_second=rollout.budget.cold_per_second,
            ),
            issues=tuple(views.IssueView.of(issue, rollout) for issue in issues),
            waiting=waiting,
            history=tuple(
                views.Turn(state=state, time=time, by=by, why=why) for state, time, by, why in rollout.history
            ),
        )

    def _wave(self, rollout: Rollout, index: int, tallies: Sequence[Tally], issues: Sequence[Issue]) -> views.WaveView:
        wave, progress = rollout.definition.waves[index], rollout.waves[index]
        own = [tally for tally in tallies if tally.wave == index]
        counts = _counts(own)
        return views.WaveView(
            name=wave.name,
            state=progress.state,
            since=progress.since,
            mandatory=wave.mandatory,
            counts=counts,
            back=_counts([tally for tally in own if tally.goal == "back"]),
            done=counts.get("done", 0),
            total=sum(counts.values()),
            gates=tuple(self._gate(rollout, index, gate, issues) for gate in wave.gates),
        )

    def _gate(self, rollout: Rollout, index: int, gate: Gate, issues: Sequence[Issue]) -> views.GateView:
        samples = self._samples(rollout.id, index, gate.name) if self._samples else ()
        last = samples[-1] if samples else None
        approved = gate.name in rollout.waves[index].approved
        verdict = "pass" if approved else gates.verdict(gate, samples) if samples else ""
        detail = last.detail if last else ""
        if gate.kind == "issues" and not approved and index == rollout.wave:
            verdict = "fail" if issues else "pass"
            detail = f"{len(issues)} open" if issues else ""
        return views.GateView(
            name=gate.name,
            kind=gate.kind,
            when=gate.when,
            verdict=verdict,
            detail=detail,
            value=last.value if last else None,
            time=last.time if last else 0.0,
            approved=approved,
        )


def _counts(tallies: Sequence[Tally]) -> dict[str, int]:
    """How many items are in which state."""
    counts: dict[str, int] = {}
    for tally in tallies:
        counts[tally.state] = counts.get(tally.state, 0) + tally.count
    return counts


def _version(rollout: Rollout, tallies: Sequence[Tally]) -> str:
    counts = _counts(tallies)
    return "-".join(str(counts.get(state, 0)) for state in ("waiting", "moving", "done")) + f"-{rollout.version}"


def _eta(rollout: Rollout, counts: Mapping[str, int], rate: float) -> float | None:
    left = counts.get("waiting", 0) + counts.get("moving", 0)
    done = counts.get("done", 0)
    to_come = rollout.definition.waves[rollout.wave + 1 :] if not rollout.at_once else ()
    held = 0.0
    if rollout.state == "running":
        held = sum(forecast.gate_seconds(wave.gates, "before") for wave in to_come)
        held += sum(forecast.gate_seconds(wave.gates, "after") for wave in to_come)
    pace = forecast.Pace(done=round(rate * 1000), left=left, seconds=1000.0)
    return forecast.eta([pace], done=done, total=done + left, gates=held)
