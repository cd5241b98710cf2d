"""Where a JOIN is let in (rules C11 and C12 of `docs/architecture.md`, "The chain")."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum


class Admission(Enum):
    """What a JOIN gets."""

    HOME = "home"
    """Let in and served."""
    BRIDGE = "bridge"
    """Let in and served, and told where the channel lives."""
    EARLY = "early"
    """Let in but silent until the channel comes here, and told where it lives."""
    REFUSED = "refused"
    """Told where the channel lives, nothing else."""


def admit(
    cluster: str, *, home: str, previous: Collection[str], drain_until: float, legacy_rule: str, now: float
) -> Admission:
    """Decide about a JOIN at an edge of `cluster`.

    Args:
        cluster: the cluster of the edge.
        home: the cluster of the channel's newest segment.
        previous: clusters that were its home before.
        drain_until: when the drain of this cluster ends, if it was the home before.
        legacy_rule: `bridge`, `part` or `reconnect`.
        now: the time.
    """
    if cluster == home:
        return Admission.HOME
    if cluster not in previous:
        return Admission.EARLY
    if now < drain_until or legacy_rule == "bridge":
        return Admission.BRIDGE
    return Admission.REFUSED
