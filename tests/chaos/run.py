"""A fault run: a network of real processes, people who talk, moves, and one fault after the other."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from godwit.drill.crowd import until
from godwit.values import Addresses
from tests.chaos.account import Account, Counts
from tests.chaos.crowd import Cheat, Crowd, Follower, Member, Witness
from tests.chaos.faults import Breaker, plan
from tests.chaos.moves import Moves
from tests.chaos.network import CLUSTERS, ChaosNetwork, Unwell

COMING = 60.0
"""Seconds that the crowd may take to come."""

WELL = 120.0
"""Seconds that the network may take to be well again after a fault."""

ROLLING = 90.0
"""Seconds that a rollout may take to end."""

LOOK = 0.1
"""Seconds between two looks at whether it is well."""

LAST_MOVES = 30
"""Seconds that the last moves may take."""

SICK = 3
"""A network that so many faults have left unwell is given up."""

LONGEST = 500
"""Characters that are told of an error in a log."""

STEPS = ("talk", "moves", "ready", "seen", "clean")
"""What is waited for after a fault."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How large a run is.

    Attributes:
        only: kinds of faults; empty: all.
        nats: NATS servers per cluster.
        calm: seconds, at least and at most, between two faults.
        pace: seconds between two lines of a talker, at least and at most.
        cheat: what a client does wrong, to show that it is found.
    """

    seed: int = 1
    faults: int = 20
    only: tuple[str, ...] = ()
    channels: int = 8
    followers: int = 12
    members: int = 8
    nats: int = 3
    calm: tuple[float, float] = (0.5, 1.5)
    pace: tuple[float, float] = (0.2, 0.8)
    cheat: Cheat = "none"


@dataclass(slots=True)
class Outcome:
    """What became of one fault.

    Attributes:
        times: seconds from its beginning until each of `STEPS` was so.
    """

    number: int
    kind: str
    what: str = ""
    lasted: float = 0.0
    times: dict[str, float] = field(default_factory=dict)
    problem: str = ""


@dataclass(slots=True)
class Result:
    """What a run has found."""

    outcomes: list[Outcome]
    counts: Counts
    moves: int
    cancelled: int
    rollouts: list[str]
    seconds: float
    told: dict[str, int]
    problems: list[str]

    @property
    def ok(self) -> bool:
        """Whether nothing at all was wrong."""
        return not self.problems and not self.counts.offences and not any(each.problem for each in self.outcomes)


class Run:
    """One run.

    Args:
        directory: for the files of the network; stays.
        say: told a line at a time how it goes.
    """

    def __init__(self, options: RunOptions, directory: Path, say: Callable[[str], None]) -> None:
        self._options = options
        self._say = say
        self._chance = random.Random(options.seed)
        self._account = Account()
        self._witness = Witness(self._account, options.cheat)
        self._network = ChaosNetwork(directory, options.nats)
        self._crowd = Crowd(self._witness)
        self._channels = [f"chaos{number}" for number in range(options.channels)]
        self._moves = Moves(self._network, self._channels)
        self._outcomes: list[Outcome] = []
        self._problems: list[str] = []
        self._sick = 0

    async def run(self) -> Result:
        """Do it all; returns what was found.

        Raises:
            InvalidRequest: the network does not start.
        """
        began = time.monotonic()
        breaker = Breaker(self._network, self._moves, self._chance)
        try:
            await self._network.start()
            self._say(f"started in {time.monotonic() - began:.1f} s: {self._network.directory}")
            await self._gather()
            self._say(f"{len(self._crowd.clients)} clients in {len(self._channels)} channels")
            for number, kind in enumerate(plan(self._options.faults, self._chance, self._options.only), 1):
                await asyncio.sleep(self._chance.uniform(*self._options.calm))
                await self._fault(breaker, Outcome(number, kind))
                if self._sick >= SICK:
                    self._problems.append(f"given up: {SICK} faults have left the network unwell")
                    break
            await self._finish()
        except (Unwell, TimeoutError) as error:
            self._problems.append(f"the run broke off: {error!r}")
        finally:
            await self._moves.stop()
            await self._crowd.leave()
            await self._network.stop()
        self._problems += [error[:LONGEST] for error in self._network.errors()[:SICK]]
        return self._result(time.monotonic() - began)

    async def _gather(self) -> None:
        """Have everybody come; members of the second cluster when every channel has been there."""
        names, options = self._channels, self._options
        count = len(names)
        followers = []
        for index in range(options.followers):
            places = [names[index % count], names[(index + 3) % count]]
            transport = "ws" if index % 2 else "tcp"
            followers.append(
                Follower(
                    f"follower{index}",
                    list(dict.fromkeys(places)),
                    places[0] if index % 3 else "",
                    self._witness,
                    servers={cluster: self._addresses(cluster, index) for cluster in CLUSTERS},
                    directory=None if index % 4 else self._network.told["api"],
                    transport="ws" if transport == "ws" else "tcp",
                    pace=options.pace,
                    seed=options.seed,
                )
            )
        members = [self._member(index) for index in range(options.members)]
        await self._crowd.come([*followers, *members[::2]], COMING)
        for channel in names:
            await self._moves.once(channel)
        await self._crowd.come(members[1::2], COMING)
        self._crowd.talk()
        await self._moves.start()

    def _member(self, index: int) -> Member:
        names, addresses = self._channels, self._network.addresses(CLUSTERS[index % 2])
        places = list(dict.fromkeys(names[(2 * index + step) % len(names)] for step in (0, 1, 3)))
        turned = addresses[index // 2 % 2 :] + addresses[: index // 2 % 2]
        talks_in = "" if index % 4 == 3 else places[0]
        return Member(
            f"member{index}",
            places,
            talks_in,
            self._witness,
            addresses=turned,
            pace=self._options.pace,
            seed=self._options.seed,
        )

    def _addresses(self, cluster: str, turn: int) -> Addresses:
        """Where a cluster's edges are, another one first for each client."""
        abouts = [self._network.about(name) for name in self._network.names("edge", cluster)]
        turned = abouts[turn % 2 :] + abouts[: turn % 2]
        return Addresses(tcp=tuple(each["tcp"] for each in turned), ws=tuple(each["ws"] for each in turned))

    # one fault --------------------------------------------------------------------------------

    async def _fault(self, breaker: Breaker, outcome: Outcome) -> None:
        self._outcomes.append(outcome)
        self._witness.acks.clear()
        before = (self._account.counts.acknowledged, self._account.counts.offences)
        began = time.monotonic()
        try:
            outcome.what = await breaker.do(outcome.kind)
        except (Unwell, TimeoutError) as error:
            outcome.problem = f"could not be done: {error!r}"
        outcome.lasted = time.monotonic() - began
        try:
            async with asyncio.timeout(WELL):
                await self._recover(outcome, began)
        except TimeoutError:
            waits = next(step for step in STEPS if step not in outcome.times)
            outcome.problem = outcome.problem or f"not well after {WELL:g} s: {await self._why(waits, began)}"
            self._sick += 1
        self._account.close(time.monotonic() - 1.0)
        counts = self._account.counts
        if counts.offences > before[1]:
            outcome.problem = outcome.problem or counts.problems[-1]
        times = "  ".join(f"{step} {outcome.times[step]:.1f}" for step in STEPS if step in outcome.times)
        acknowledged = counts.acknowledged - before[0]
        self._say(
            f"{outcome.number:3} {outcome.kind:<16} {times}  acknowledged {acknowledged}: {outcome.what}"
            + (f"\n    PROBLEM: {outcome.problem}" if outcome.problem else "")
        )

    async def _recover(self, outcome: Outcome, began: float) -> None:
        """Wait until it is well, and note when each step was so."""

        def note(step: str) -> None:
            outcome.times[step] = time.monotonic() - began

        async def wait(reached: Callable[[], bool]) -> None:
            await until(reached, WELL, LOOK)

        talkers = self._crowd.talkers
        async with asyncio.TaskGroup() as group:

            async def talk() -> None:
                await wait(lambda: talkers <= {ack.speaker for ack in self._witness.acks if ack.sent_at >= began})
                note("talk")

            async def moves() -> None:
                if outcome.kind == "rollout":
                    state = await self._moves.end_rollout(ROLLING)
                    if not state.startswith("finished"):
                        self._problems.append(f"the rollout of fault {outcome.number} is {state}")
                await wait(lambda: self._moves.switched_since(began) is not None)
                note("moves")

            async def ready() -> None:
                found = ["nobody was asked"]
                while found:
                    found = await self._network.unready()
                    await asyncio.sleep(LOOK * bool(found))
                note("ready")

            for task in (talk(), moves(), ready()):
                group.create_task(task)
        well = time.monotonic()
        await wait(lambda: not self._account.missing(well))
        note("seen")
        await self._wait_clean()
        note("clean")

    async def _wait_clean(self) -> None:
        """Ask the doctor until there is nothing to find."""
        found = {"clean": False}
        while not found["clean"]:
            try:
                found = await self._network.ask("GET", "/doctor", patience=30.0)
            except Unwell:
                await asyncio.sleep(LOOK)

    async def _why(self, step: str, began: float) -> str:
        """What is missing, for people."""
        if step == "talk":
            silent = self._crowd.talkers - {ack.speaker for ack in self._witness.acks if ack.sent_at >= began}
            return f"nothing acknowledged of {', '.join(sorted(silent))}"
        if step == "moves":
            last = self._moves.done[-1]
            return f"no move was made; the last one of #{last.channel} is {last.state} {last.error}"
        if step == "ready":
            return "; ".join(await self._network.unready())
        if step == "seen":
            found = self._account.missing(began)
            return f"{len(found)} lines not seen, such as {found[:3]}"
        try:
            return str(await self._network.ask("GET", "/doctor", patience=30.0))
        except Unwell as error:
            return str(error)

    # the end ----------------------------------------------------------------------------------

    async def _finish(self) -> None:
        """Nobody talks any more; what is still to come comes."""
        await self._crowd.fall_silent(60.0)
        last = time.monotonic()
        await until(lambda: not self._account.missing(last), 30.0, LOOK)
        self._account.close(time.monotonic() + 1.0)
        await self._moves.stop()
        under_way = await self._moves.look_again()
        for _ in range(LAST_MOVES):
            if under_way:
                await asyncio.sleep(1.0)
                under_way = await self._moves.look_again()
        self._problems += [f"the move of #{move.channel} stands at {move.state}" for move in under_way]
        failed = [move for move in self._moves.done if move.state == "failed"]
        self._problems += [f"the move of #{move.channel} failed: {move.error}" for move in failed]

    def _result(self, seconds: float) -> Result:
        done = self._moves.done
        return Result(
            self._outcomes,
            self._account.counts,
            sum(bool(move.switched_at) for move in done),
            sum(move.state == "cancelled" for move in done),
            self._moves.rollouts,
            seconds,
            dict(self._witness.told + self._witness.lost),
            [*self._problems, *self._witness.problems],
        )


def summary(result: Result) -> str:
    """The result as text."""
    by_kind: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in result.outcomes:
        by_kind[outcome.kind].append(outcome)
    lines = [
        "",
        "seconds from a fault's beginning, median / longest",
        f"{'fault':<17}{'times':>5}" + "".join(f"{step:>15}" for step in STEPS),
    ]
    for kind, outcomes in by_kind.items():
        row = f"{kind:<17}{len(outcomes):>5}"
        for step in STEPS:
            times = [outcome.times[step] for outcome in outcomes if step in outcome.times]
            row += f"{statistics.median(times):>8.1f} /{max(times):>5.1f}" if times else f"{'-':>15}"
        lines.append(row)
    counts = result.counts
    lines += [
        "",
        f"{len(result.outcomes)} faults in {result.seconds:.0f} s; {result.moves} moves, {result.cancelled} called off",
        f"{len(result.rollouts)} rollouts: {', '.join(result.rollouts) or '-'}",
        f"said {counts.said}: {counts.acknowledged} acknowledged, {counts.refused} refused, {counts.unknown} unknown",
        f"seen {counts.seen}, cut off {counts.cut_off}; missing {counts.missing}, twice {counts.twice}, misordered "
        f"{counts.misordered}, foreign {counts.foreign}, gaps {counts.gaps}, taken out {counts.parted}",
        f"clients were told: {result.told}",
        *(f"PROBLEM: {text}" for text in (*result.problems, *counts.problems)),
        *(f"PROBLEM: fault {each.number}, {each.kind}: {each.problem}" for each in result.outcomes if each.problem),
        "chaos: OK" if result.ok else "chaos: FAILED",
    ]
    return "\n".join(lines)
