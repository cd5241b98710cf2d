"""Run the simulation: `python -m tests.model --seeds 2000`, or one seed again: `--seed 17`."""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from structlog.testing import capture_logs

from tests.model.rollouts import RolloutWorld
from tests.model.world import World


def play(seed: int, kind: type[World] = World) -> tuple[int, list[str], Counter[str]]:
    """One run: its seed, the broken promises, and what was visited."""
    world = kind(seed)
    try:
        with capture_logs():
            problems = world.play()
    except Exception:
        problems = [traceback.format_exc()]
    return seed, problems, world.visits


def play_many(
    first: int, seeds: int, jobs: int, kind: type[World] = World
) -> tuple[dict[int, list[str]], Counter[str]]:
    """Many runs: the bad ones by seed, and all visits."""
    bad: dict[int, list[str]] = {}
    visits: Counter[str] = Counter()
    with ProcessPoolExecutor(jobs) as pool:
        for seed, problems, visited in pool.map(partial(play, kind=kind), range(first, first + seeds), chunksize=10):
            visits.update(visited)
            if problems:
                bad[seed] = problems
    return bad, visits


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rollouts", action="store_true", help="runs in which a rollout moves ten channels")
    parser.add_argument("--seed", type=int, help="play this one and say what was broken")
    parser.add_argument("--seeds", type=int, default=2000, help="how many to play")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--visits", action="store_true", help="print what was visited, and how often")
    options = parser.parse_args()
    kind = RolloutWorld if options.rollouts else World
    again = "python -m tests.model --rollouts --seed" if options.rollouts else "python -m tests.model --seed"
    if options.seed is not None:
        _, problems, _ = play(options.seed, kind)
        print("\n".join(problems) or f"seed {options.seed}: every promise kept")
        return 1 if problems else 0
    begun = time.monotonic()
    bad, visits = play_many(options.first, options.seeds, options.jobs, kind)
    if options.visits:
        for what, times in sorted(visits.items()):
            print(f"{times:8d} {what}")
    for seed, problems in list(bad.items())[:10]:
        print(f"seed {seed} (again: {again} {seed})")
        print("\n".join(f"    {problem}" for problem in problems[:4]))
    print(f"{len(bad)} bad of {options.seeds} runs, {time.monotonic() - begun:.1f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
