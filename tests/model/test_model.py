"""The simulation over the real code: every promise on every seed, and every path visited."""

from __future__ import annotations

import os
import re

import pytest

from godwit.edge.channel import State
from godwit.rollout.moves import TRANSITIONS
from tests.model.__main__ import play, play_many
from tests.model.world import KINDS

SEEDS = 2000

STEPS = (
    "placements", "live_among", "journal opening", "append open", "journal opened", "journal sealing", "chains",
    "append seal", "read", "journal sealed", "commit_many", "journal draining", "release", "settle_many",
    "journal settled",
)  # fmt: skip
"""Every await of `Mover` on its way: a controller dies before and after each, and sleeps in each."""

PATHS = (
    "edge:sanction placed", "edge:gap", "edge:unknown", "edge:parted", "edge:evicted", "edge:refused",
    "edge:voided banned", "edge:voided timedout", "edge:voided unsent",
    *(f"edge:acted {kind}" for kind in sorted(set(KINDS))), "edge:changed", "edge:refused to say",
    "edge:compared at the end", "edge:at rest", "edge:let in at rest", "edge:followed at rest",
    "act before a seal", "act behind a seal, and once more after it", "act after a seal",
    "act of somebody at home", "act of somebody elsewhere",
    "edge:joined home=True silent=False missing=None", "edge:joined home=True silent=False missing=0",
    "edge:joined home=True silent=False missing=-1", "edge:joined home=False silent=True missing=None",
    "edge:joined home=False silent=False missing=None", "edge:joined home=False silent=False missing=0",
    "edge:acknowledged", "edge:served",
    "edge dies", "edge pauses", "log away", "store away", "log recreated", "evacuation",
    "default changed rowless=True", "default changed rowless=False", "wish refused",
    "controller:Superseded", "controller:AppendUnknown", "controller:StoreUnavailable", "controller:DeadLog",
)  # fmt: skip
"""What must have happened somewhere in the runs."""


def test_two_thousand_runs() -> None:
    """Every promise is kept on every seed, and no transition, crash point or path was left out."""
    bad, visits = play_many(0, SEEDS, os.cpu_count() or 1)
    told = [f"python -m tests.model --seed {seed}: {problems[0]}" for seed, problems in bad.items()]
    assert not told, "\n".join(told[:10])
    wanted = [f"{kind}:{step}" for step in STEPS for kind in ("crash before", "crash after", "zombie")]
    wanted += [f"transition {before}->{after}" for before, afters in TRANSITIONS.items() for after in afters]
    wanted += [f"edge:{state.value}" for state in State]
    assert [what for what in (*wanted, *PATHS) if not visits[what]] == []


def test_steps_are_all_there() -> None:
    """No await of the mover was met that the list of crash points does not have."""
    _, visits = play_many(0, 100, 1)
    met = {match[1] for what in visits if (match := re.fullmatch(r"step:(.*)", what))}
    rare = {"pin", "reached", "journal cancelled", "journal failed", "journal wished"}
    assert met - rare <= set(STEPS)


@pytest.mark.parametrize("seed", range(3))
def test_a_seed_replays(seed: int) -> None:
    """The same seed gives the same run, down to what was visited."""
    assert play(seed) == play(seed)
