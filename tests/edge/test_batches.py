"""Questions that are asked together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from godwit.edge import batches
from godwit.edge.batches import Batches
from godwit.edge.tasks import Tasks
from godwit.errors import StoreUnavailable


class Oracle:
    """Doubles numbers; keeps what it was asked, and waits while it is closed."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.called = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def ask(self, numbers: Sequence[int]) -> list[int]:
        self.asked.append(list(numbers))
        self.called.set()
        await self.open.wait()
        if 13 in numbers:
            raise ValueError("no luck")
        return [2 * number for number in numbers]


async def test_what_comes_meanwhile_is_asked_together() -> None:
    """In their order, each with its own answer."""
    oracle, tasks = Oracle(), Tasks()
    asking = Batches(oracle.ask, 10.0, tasks, "doubling")
    oracle.open.clear()
    first = asyncio.create_task(asking.answer(1))
    await oracle.called.wait()
    others = asyncio.gather(*(asking.answer(number) for number in (2, 3, 2)))
    await asyncio.sleep(0)
    oracle.open.set()
    assert (await first, await others) == (2, [4, 6, 4])
    assert oracle.asked == [[1], [2, 3]]
    assert await asking.answer(4) == 8
    await tasks.close()


async def test_many_are_asked_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MOST", 2)
    oracle, tasks = Oracle(), Tasks()
    asking = Batches(oracle.ask, 10.0, tasks, "doubling")
    assert await asyncio.gather(*(asking.answer(number) for number in range(5))) == [0, 2, 4, 6, 8]
    assert oracle.asked == [[0, 1], [2, 3], [4]]


async def test_everybody_has_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for little waits for one portion, however much others ask for; each in the order of asking."""
    monkeypatch.setattr(batches, "MOST", 3)
    oracle, tasks = Oracle(), Tasks()
    asking = Batches(oracle.ask, 10.0, tasks, "doubling")
    greedy = [asyncio.create_task(asking.answer(number, "greedy")) for number in range(6)]
    other = asyncio.create_task(asking.answer(100, "other"))
    assert await other == 200
    assert await asyncio.gather(*greedy) == [0, 2, 4, 6, 8, 10]
    assert oracle.asked == [[0, 100, 1], [2, 3, 4], [5]]


async def test_who_wants_what_somebody_else_waits_for_does_not_wait_for_their_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is asked once."""
    monkeypatch.setattr(batches, "MOST", 2)
    oracle, tasks = Oracle(), Tasks()
    asking = Batches(oracle.ask, 10.0, tasks, "doubling")
    greedy = [asyncio.create_task(asking.answer(number, "greedy")) for number in range(4)]
    await asyncio.sleep(0)
    asking.too(3, "other")
    asking.too(4, "other")  # nobody waits for this one
    assert await asyncio.gather(*greedy) == [0, 2, 4, 6]
    assert oracle.asked == [[0, 3], [1, 2]]


async def test_a_store_that_is_away_is_away_for_all_who_asked_together() -> None:
    """They are not asked for one by one."""
    asked, tasks = 0, Tasks()

    async def away(numbers: Sequence[int]) -> list[int]:
        nonlocal asked
        asked += 1
        raise StoreUnavailable("away")

    asking = Batches(away, 10.0, tasks, "doubling")
    found = await asyncio.gather(asking.answer(1), asking.answer(2), return_exceptions=True)
    assert [str(each) for each in found] == ["away", "away"]
    assert asked == 1


async def test_a_fault_of_one_question_reaches_nobody_else() -> None:
    oracle, tasks = Oracle(), Tasks()
    asking = Batches(oracle.ask, 10.0, tasks, "doubling")
    found = await asyncio.gather(asking.answer(1), asking.answer(13), return_exceptions=True)
    assert [str(each) for each in found] == ["2", "no luck"]
    assert oracle.asked == [[1, 13], [1], [13]]
    assert await asking.answer(2) == 4


async def test_no_answer_in_time() -> None:
    """The next ones are asked all the same."""
    oracle, tasks = Oracle(), Tasks()
    asking = Batches(oracle.ask, 0.0, tasks, "doubling")
    oracle.open.clear()
    with pytest.raises(TimeoutError):
        await asking.answer(1)
    oracle.open.set()
    assert await asking.answer(2) == 4


async def test_who_waits_no_more_is_not_asked_for() -> None:
    oracle, tasks = Oracle(), Tasks()
    asking = Batches(oracle.ask, 10.0, tasks, "doubling")
    oracle.open.clear()
    first = asyncio.create_task(asking.answer(1))
    await oracle.called.wait()
    gone, stays = asyncio.create_task(asking.answer(2)), asyncio.create_task(asking.answer(3))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    oracle.open.set()
    assert (await first, await stays) == (2, 6)
    assert oracle.asked == [[1], [3]]
