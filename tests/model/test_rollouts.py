"""Rollouts in the simulation: every promise on every seed, every arrow and every crash point visited."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any
from unittest import mock

import msgspec
import pytest

from godwit.buckets import Bucket
from godwit.control import admission
from godwit.control.waves import Course
from godwit.control.wishes import Wishes
from godwit.rollout import progress
from godwit.rollout.values import Regoal
from godwit.rollout.verbs import ARROWS, VERBS
from godwit.store import memory_rollouts
from godwit.store.memory import MemoryStore
from godwit.values import Move, MoveState
from tests.model.__main__ import play, play_many
from tests.model.rollouts import RolloutWorld

SEEDS = 400
MOST = 300

CALLS = (
    "lead", "rollouts", "wishes", "advance", "rollout", "items", "candidates", "placements", "eligible", "arrived",
    "holds", "tallies", "item", "newcomers", "pin", "issues",
    "journal opening", "append open", "journal opened", "journal sealing", "chains", "append seal", "read",
    "journal sealed", "commit_many", "journal draining",
)  # fmt: skip
"""What a controller waits for on its way; it dies before and after each, and sleeps in each, somewhere in the runs."""

ANSWERED = {"start", "pause", "resume", "abort", "reverse", "skip", "retry", "set", "approve", "issue-add", "hold",
            "issue-resolve", "release"}  # fmt: skip
"""Verbs that are wished for here; those of whole clusters have tests of their own."""


def test_four_hundred_runs() -> None:
    """Every promise is kept, and no arrow, verb or crash point was left out."""
    bad, visits = play_many(0, SEEDS, os.cpu_count() or 1, RolloutWorld)
    told = [f"python -m tests.model --rollouts --seed {seed}: {problems[0]}" for seed, problems in bad.items()]
    assert not told, "\n".join(told[:10])
    wanted = [f"rollout {before}->{after}" for before, afters in ARROWS.items() for after in afters]
    wanted += [f"wish {verb} done" for verb in ANSWERED]
    wanted += [f"wave {state}" for state in ("checking", "moving", "soaking", "done")]
    wanted += [f"{kind}:{call}" for call in CALLS for kind in ("crash before", "crash after")]
    assert [what for what in wanted if not visits[what]] == []


def test_verbs_are_there() -> None:
    """Whatever is wished for is a verb, and those that are not are verbs of the network."""
    assert set(VERBS) - ANSWERED == {"evacuate", "default", "retire", "restore", "repair", "act", "usernotice"}


def _live_is_no_matter() -> Any:
    original = MemoryStore.journal_many

    async def journal(self: MemoryStore, steps: Sequence[tuple[Move, MoveState]], now: float) -> list[Move | None]:
        live, self._live = self._live, {}
        try:
            return await original(self, steps, now)
        finally:
            self._live = live

    return mock.patch.object(MemoryStore, "journal_many", journal)


def _full_budget() -> Any:
    return mock.patch.object(admission, "_empty", lambda rate, now: Bucket(rate * 4, max(rate * 4, 1.0)))


def _no_fence() -> Any:
    return mock.patch.object(memory_rollouts, "check_term", return_value=None)


def _keeps_the_default() -> Any:
    original = Wishes._reverse

    async def reverse(self: Wishes, *args: Any) -> Any:
        prepared = await original(self, *args)
        assert prepared.advance.rollout
        rollout = msgspec.structs.replace(prepared.advance.rollout, default_back=False)
        return msgspec.structs.replace(prepared, advance=msgspec.structs.replace(prepared.advance, rollout=rollout))

    return mock.patch.object(Wishes, "_reverse", reverse)


def _moving_ones_go_on() -> Any:
    original = MemoryStore._regoal

    def regoal(self: MemoryStore, one: Regoal) -> None:
        before = {key: item for key, item in self._items.items() if item.state == "moving"}
        original(self, one)
        self._items |= before

    return mock.patch.object(MemoryStore, "_regoal", regoal)


def _no_end() -> Any:
    return mock.patch.object(progress, "after_reverse", return_value=None)


def _begins_when_paused() -> Any:
    original = Course.step

    async def step(self: Course) -> float:
        if self.rollout.state == "paused":
            with (
                mock.patch.object(progress, "obstacle", return_value=""),
                mock.patch.object(progress, "goals", return_value=("there", "back")),
            ):
                await self._admission.admit(self.rollout)
        return await original(self)

    return mock.patch.object(Course, "step", step)


BROKEN: dict[str, Callable[[], Any]] = {
    "a live channel is sealed": _live_is_no_matter,
    "four times the budget": _full_budget,
    "what an old term writes is taken": _no_fence,
    "the default placement stays when all goes back": _keeps_the_default,
    "what is under way keeps its goal when all goes back": _moving_ones_go_on,
    "a rollout that goes back never ends": _no_end,
    "a paused rollout begins moves": _begins_when_paused,
}


@pytest.mark.parametrize("name", BROKEN)
def test_caught(name: str) -> None:
    """The simulation notices."""
    with BROKEN[name]():
        problems = next((found for seed in range(MOST) if (found := play(seed, RolloutWorld)[1])), [])
    assert problems, f"{name}: nobody noticed in {MOST} runs"
    assert not problems[0].startswith("Traceback"), problems[0]


def test_a_seed_replays() -> None:
    """The same seed gives the same run, down to what was visited."""
    assert play(5, RolloutWorld) == play(5, RolloutWorld)
