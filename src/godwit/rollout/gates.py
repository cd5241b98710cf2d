"""What gates are and how they judge: pass, fail or inconclusive (`docs/rollouts.md`, "Gates").

Pure: whoever samples a gate asks `judge` what one number means, whoever decides asks `verdict` what the last
samples mean together.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from godwit.rollout.values import Gate, GateKind, GateTime, Sample, Verdict


class Kind(msgspec.Struct, frozen=True):
    """What one kind of gate needs.

    Attributes:
        meaning: what it asks for, in one line for people.
        when: when it is asked, unless the file says otherwise.
        times: when it can be asked.
        value: what its `value` is; '' if it has none.
        values: all that `value` may be; empty if that is not for a list to say.
        bound: it compares a number, so one of `at_most` and `at_least` must be given.
        keys: other keys that mean something to it.
        samples, fails, seconds: what it has where the file says nothing.
    """

    meaning: str
    when: GateTime
    times: tuple[GateTime, ...] = ("before", "during", "after")
    value: str = ""
    values: tuple[str, ...] = ()
    bound: bool = False
    keys: tuple[str, ...] = ()
    samples: int = 5
    fails: int = 3
    seconds: float = 0.0


SAMPLED = ("every", "samples", "fails", "timeout")
BOUNDS = ("at_most", "at_least", "critical")
ROUND_TRIP = "round_trip"
COUNTED = ("lost", "repeated", "disorder")
"""What a probe counts; nothing of it is ever right, so the bound is 0 where the file says nothing."""

FOLLOWED = "followed"
"""The metric of the share of members that followed: there is none before channels have moved."""

KINDS: dict[GateKind, Kind] = {
    "approval": Kind("somebody says yes: `godwit rollout approve WAVE`", "before", ("before", "after")),
    "issues": Kind("no issue of the rollout is open", "before", ("before", "after")),
    "rehearsal": Kind(
        "the new cluster carries `factor` times the peak of the wave's largest channel for `seconds`, in hidden rooms",
        "before",
        ("before",),
        keys=("seconds", "factor", "at_most"),
        samples=1,
        fails=1,
        seconds=300.0,
    ),
    "http": Kind(
        "a service of yours says yes",
        "before",
        value="the URL that is asked, by POST",
        keys=SAMPLED,
        samples=1,
        fails=1,
    ),
    "metric": Kind(
        "a built-in metric keeps within its bounds",
        "during",
        value="the metric's name",
        bound=True,
        keys=(*SAMPLED, *BOUNDS),
    ),
    "prometheus": Kind(
        "a Prometheus query that gives one number keeps within its bounds",
        "during",
        value="the query",
        bound=True,
        keys=(*SAMPLED, *BOUNDS),
    ),
    "probe": Kind(
        "what Godwit's own chatters see from outside keeps within its bounds",
        "during",
        value="what they measure",
        values=("p50", "p99", "p99_difference", *COUNTED, ROUND_TRIP),
        bound=True,
        keys=(*SAMPLED, *BOUNDS),
    ),
    "soak": Kind("`seconds` pass", "after", ("before", "after"), keys=("seconds",)),
}
"""Every kind of gate; `rollout/definition.py` checks by it and `docs/rollouts.md` shows it."""


def judge(gate: Gate, value: float | None) -> Verdict:
    """Say what one number means to a gate; None or NaN: there is no data, which is inconclusive."""
    if value is None or value != value:
        return "inconclusive"
    highest = min(limit for limit in (gate.at_most, gate.critical, float("inf")) if limit is not None)
    lowest = float("-inf") if gate.at_least is None else gate.at_least
    return "pass" if lowest <= value <= highest else "fail"


def verdict(gate: Gate, samples: Sequence[Sample]) -> Verdict:
    """Say what the last samples mean together; the trip rule.

    One value above `critical` fails at once, and so do `fails` failures among the last `samples`. Short of
    that, too few samples, or one without data, are inconclusive.

    Args:
        gate: the gate.
        samples: what was sampled, oldest first; only the last `gate.samples` count.
    """
    last = samples[-gate.samples :]
    limit = gate.critical
    if limit is not None and any(sample.value is not None and sample.value > limit for sample in last):
        return "fail"
    if sum(sample.verdict == "fail" for sample in last) >= gate.fails:
        return "fail"
    if len(last) < gate.samples or any(sample.verdict == "inconclusive" for sample in last):
        return "inconclusive"
    return "pass"
