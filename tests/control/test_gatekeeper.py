"""Gates are sampled by tasks of their own, and nothing that a sampler does reaches anybody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from godwit.clock import FakeClock
from godwit.control.gatekeeper import Answer, Question, SamplingGatekeeper
from godwit.control.ports import Gatekeeper
from godwit.rollout.values import Budget, Definition, Gate, Rollout, Sample, Wave, WaveProgress
from tests.control.outside_world import Pauses, until

ROLLOUT = Rollout("r1", Definition("r", "aws", (Wave("one"),)), "h", "running", (WaveProgress(),), Budget())


class Scripted:
    """A sampler that answers what it was told to; an exception is raised."""

    def __init__(self, *answers: Answer | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.limit = 1000.0
        self.blocked = asyncio.Event()
        self.blocked.set()
        self.under_way = self.most = 0

    def timeout(self, gate: Gate) -> float:
        """Seconds to wait."""
        return self.limit

    async def sample(self, question: Question) -> Answer:
        """The next answer, the last one for ever."""
        self.asked.append(question.gate.name)
        question.progress(f"asking {question.gate.name}")
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self.blocked.wait()
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        finally:
            self.under_way -= 1
        if isinstance(answer, Exception):
            raise answer
        return answer


class World:
    """A gatekeeper with one scripted sampler for all kinds."""

    def __init__(self, *answers: Answer | Exception) -> None:
        self.sampler = Scripted(*answers or (Answer("pass"),))
        self.pauses = Pauses()
        self.told: list[tuple[str, int, str, Sample]] = []
        self.keeper = SamplingGatekeeper(
            {"metric": self.sampler, "rehearsal": self.sampler, "probe": self.sampler},
            FakeClock(100.0),
            on_sample=lambda *sample: self.told.append(sample),
            sleep=self.pauses,
        )

    def samples(self, gate: str = "g") -> list[Sample]:
        """What was sampled."""
        return list(self.keeper.samples("r1", 0, gate))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Have it run."""
        task = asyncio.create_task(self.keeper.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let pauses pass until something is true."""

        def passing() -> bool:
            if condition():
                return True
            self.pauses.let_pass()
            return False

        await until(passing)


def gate(name: str = "g", **changed: Any) -> Gate:
    """A gate."""
    return Gate(**{"kind": "metric", "name": name, "when": "during", **changed})


def test_it_is_what_the_conductor_asks_for() -> None:
    keeper: Gatekeeper = World().keeper
    assert keeper.samples("r1", 0, "g") == ()


async def test_the_last_samples_are_kept_and_each_is_told() -> None:
    world = World(*[Answer("pass", str(number), float(number)) for number in range(7)])
    world.keeper.watch(ROLLOUT, 0, [gate(samples=3, every=7.0)])
    async with world.running():
        await world.until(lambda: len(world.told) >= 7)
        assert [sample.value for sample in world.samples()] == [4.0, 5.0, 6.0]
        assert world.told[6] == ("r1", 0, "g", Sample("g", 100.0, "pass", "6", 6.0))
        assert set(world.pauses.begun) == {7.0}


async def test_what_goes_wrong_is_inconclusive_and_goes_on() -> None:
    world = World(ValueError("no\nidea"), RuntimeError(), TimeoutError(), Answer("fail", "x" * 1000))
    async with world.running():
        world.keeper.watch(ROLLOUT, 0, [gate(samples=4)])
        await world.until(lambda: len(world.told) == 4)
    first, second, late, third = world.samples()
    assert (late.verdict, late.detail) == ("inconclusive", "it took too long")
    assert (first.verdict, first.detail) == ("inconclusive", "ValueError: no idea")
    assert (second.verdict, second.detail) == ("inconclusive", "RuntimeError")
    assert (third.verdict, len(third.detail)) == ("fail", 300)


async def test_who_does_not_answer_in_time_is_inconclusive() -> None:
    world = World()
    world.sampler.limit = 0.001
    world.sampler.blocked.clear()
    async with world.running():
        world.keeper.watch(ROLLOUT, 0, [gate()])
        await until(lambda: bool(world.told))
    assert (world.samples()[0].verdict, world.samples()[0].detail) == ("inconclusive", "no answer within 0.001 s")


async def test_a_kind_that_nobody_samples_is_inconclusive() -> None:
    world = World()
    async with world.running():
        world.keeper.watch(ROLLOUT, 0, [gate(kind="prometheus")])
        await until(lambda: bool(world.told))
    assert world.samples()[0].detail == "nobody samples gates of the kind prometheus here"


async def test_the_same_gates_again_change_nothing_and_others_stop() -> None:
    world = World()
    async with world.running():
        world.keeper.watch(ROLLOUT, 0, [gate("a"), gate("b")])
        await until(lambda: len(world.told) == 2)
        world.keeper.watch(ROLLOUT, 0, [gate("a"), gate("b")])
        assert [len(world.samples(name)) for name in "ab"] == [1, 1]
        world.keeper.watch(ROLLOUT, 0, [gate("b"), gate("c")])
        assert [len(world.samples(name)) for name in "abc"] == [0, 1, 0]
        await world.until(lambda: len(world.samples("c")) >= 3)
        assert world.sampler.asked.count("a") == 1
        assert world.keeper.statistics() == {"gates": 2}
        changed = gate("b", at_most=1.0)
        world.keeper.watch(ROLLOUT, 0, [changed])
        assert world.samples("b") == []
        world.keeper.watch(ROLLOUT, 0, [])
        assert world.keeper.statistics() == {"gates": 0}


async def test_rollouts_do_not_meddle_with_each_other() -> None:
    world = World()
    other = Rollout("r2", ROLLOUT.definition, "h", "running", ROLLOUT.waves, Budget())
    async with world.running():
        world.keeper.watch(ROLLOUT, 0, [gate()])
        world.keeper.watch(other, 0, [gate()])
        world.keeper.watch(other, 0, [])
        await until(lambda: bool(world.samples()))
        assert world.keeper.statistics() == {"gates": 1}


async def test_what_the_conductor_judges_itself_is_not_sampled() -> None:
    world = World()
    world.keeper.watch(ROLLOUT, 0, [gate("a", kind="approval"), gate("s", kind="soak"), gate("i", kind="issues")])
    assert world.keeper.statistics() == {"gates": 0}


async def test_a_rehearsal_is_held_until_it_says_something_and_then_no_more() -> None:
    world = World(Answer("inconclusive", "not yet"), Answer("pass", "carried"))
    async with world.running():
        world.keeper.watch(ROLLOUT, 0, [gate("big", kind="rehearsal", samples=1), gate("other")])
        await world.until(lambda: world.sampler.asked.count("other") > 20)
        assert world.sampler.asked.count("big") == 2
        assert [sample.detail for sample in world.samples("big")] == ["carried"]


async def test_a_round_trip_ends_too_and_acts_wait_for_each_other() -> None:
    world = World()
    world.sampler.blocked.clear()
    async with world.running():
        acts = [gate("big", kind="rehearsal", samples=1), gate("trip", kind="probe", value="round_trip", samples=2)]
        world.keeper.watch(ROLLOUT, 0, acts)
        await until(lambda: bool(world.sampler.asked))
        assert world.keeper.progress("r1", 0, "big") == "asking big"
        assert world.keeper.progress("r1", 0, "none") == ""
        world.sampler.blocked.set()
        await world.until(lambda: len(world.told) == 3)
        assert sorted(world.sampler.asked) == ["big", "trip", "trip"]
        assert world.sampler.most == 1
        assert world.keeper.progress("r1", 0, "big") == ""


async def test_not_all_are_asked_at_once() -> None:
    world = World()
    world.sampler.blocked.clear()
    async with world.running():
        world.keeper.watch(ROLLOUT, 0, [gate(str(number)) for number in range(30)])
        await until(lambda: world.sampler.under_way == 8)
        world.sampler.blocked.set()
        await until(lambda: len(world.told) == 30)
        assert world.sampler.most == 8


async def test_it_can_run_again() -> None:
    world = World()
    world.keeper.watch(ROLLOUT, 0, [gate()])
    for number in (1, 2):
        async with world.running():
            await until(lambda number=number: len(world.told) == number)  # type: ignore[misc]
