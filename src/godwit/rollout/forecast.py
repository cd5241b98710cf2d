"""How long a rollout takes: before it starts, from its budget; while it runs, from what it has done.

Nobody can foretell when streams end and when people approve, so these are counted and not timed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from godwit.rollout.plan import Plan
from godwit.rollout.values import Budget, Candidate, Gate, GateTime, Wave

HOT_SECONDS = 2.0
"""What a hot move takes from wish to commit, as long as nothing better is known."""

COLD_SECONDS = 0.5
"""The same for a cold one, in a batch."""

LEAST = 0.01
"""The share that must be done before an end is foretold."""


class WaveForecast(msgspec.Struct, frozen=True):
    """What is expected of a wave.

    Attributes:
        hot, cold: channels that have somebody to tell, and others.
        live: channels whose stream runs: they wait for its end, which is not in the times.
        held: channels that somebody wants to stay: they wait for the release, which is not in the times.
        largest: name of the channel with the most members, '' for an empty wave.
        members: how many it has.
        approvals: gates that wait for somebody, which is not in the times.
        moving: seconds that the moves take.
        gates: seconds that gates and soaks take.
    """

    name: str
    hot: int
    cold: int
    live: int
    held: int
    largest: str
    members: int
    approvals: int
    moving: float
    gates: float


class Forecast(msgspec.Struct, frozen=True):
    """What is expected of a rollout; `seconds` is the time of all waves."""

    waves: tuple[WaveForecast, ...]
    seconds: float


def is_hot(candidate: Candidate) -> bool:
    """Guess from its facts whether a channel has members that are to be told when it moves."""
    return candidate.facts.members > 0 or candidate.facts.rate > 0


def forecast(plan: Plan, *, hot: Callable[[Candidate], bool] = is_hot, at_once: bool = False) -> Forecast:
    """Expect the times of a plan.

    Args:
        hot: says which channels are hot.
        at_once: waves follow each other without gates and soaks.
    """
    definition = plan.definition
    waves = tuple(
        _wave(wave, candidates, definition.budget, definition.notice_before if definition.notice else 0, hot, at_once)
        for wave, candidates in zip(definition.waves, plan.waves, strict=True)
    )
    return Forecast(waves, sum(wave.moving + wave.gates for wave in waves))


def _wave(
    wave: Wave,
    candidates: Sequence[Candidate],
    budget: Budget,
    notice: float,
    hot: Callable[[Candidate], bool],
    at_once: bool,
) -> WaveForecast:
    largest = max(candidates, key=lambda candidate: candidate.facts.members, default=None)
    warm = sum(map(hot, candidates))
    cold = len(candidates) - warm
    hot_rate = min(budget.hot_per_second, budget.in_flight / HOT_SECONDS)
    cold_rate = min(budget.cold_per_second, budget.cold_in_flight / COLD_SECONDS)
    moving = max(
        warm / hot_rate + HOT_SECONDS + notice if warm else 0.0, cold / cold_rate + COLD_SECONDS if cold else 0.0
    )
    return WaveForecast(
        name=wave.name,
        hot=warm,
        cold=cold,
        live=sum(candidate.live for candidate in candidates),
        held=sum(candidate.hold is not None for candidate in candidates),
        largest=largest.channel if largest else "",
        members=largest.facts.members if largest else 0,
        approvals=0 if at_once else sum(gate.kind == "approval" for gate in wave.gates),
        moving=moving,
        gates=0.0 if at_once else gate_seconds(wave.gates, "before", "during") + gate_seconds(wave.gates, "after"),
    )


def gate_seconds(gates: Iterable[Gate], *when: GateTime) -> float:
    """Seconds until the last of the gates of these times can have passed; approvals and issues are not timed.

    What is asked during a wave must have passed once before its first move.
    """
    times = [0.0]
    for gate in gates:
        if gate.when in when:
            sampled = (gate.samples - 1) * gate.every if gate.kind not in ("soak", "approval", "issues") else 0.0
            times.append(gate.seconds + sampled)
    return max(times)


class Pace(msgspec.Struct, frozen=True):
    """How one class of moves, hot or cold, goes on.

    Attributes:
        done: moves that were finished in `seconds`.
        left: moves that are still to be made.
        seconds: the time looked at, without pauses, soaks and gates where that is known.
    """

    done: int
    left: int
    seconds: float

    @property
    def rate(self) -> float:
        """Finished moves per second, 0 if there is none."""
        return self.done / self.seconds if self.seconds > 0 else 0.0


def eta(paces: Iterable[Pace], *, done: int, total: int, gates: float = 0.0) -> float | None:
    """Seconds until a running rollout ends, from the rate of finished moves of each class.

    Args:
        paces: hot and cold moves, or all together; classes move side by side.
        done: items that have been brought to their goal, all classes.
        total: all items.
        gates: seconds of gates and soaks that are still to come.

    Returns:
        None before one percent is done, or while a class that has something left does not move at all.
    """
    left = [pace for pace in paces if pace.left > 0]
    if not left and done >= total:
        return gates
    if done < total * LEAST or any(pace.rate == 0 for pace in left):
        return None
    return max((pace.left / pace.rate for pace in left), default=0.0) + gates


def spell(seconds: float) -> str:
    """A time for people, in two units at most: `40 s`, `12 min`, `3 h 20 min`, `2 d 4 h`."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    days, rest = divmod(round(minutes / 60), 24)
    return f"{days} d {rest} h" if rest else f"{days} d"
