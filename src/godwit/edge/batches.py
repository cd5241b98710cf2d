"""Questions to the store that are asked together, and in turns.

A bot may join 2,000 channels in a moment, and thousands of channels may move within seconds: one by one, what they
ask would take longer than anybody waits for the answers. And who asks for very many must not keep the others waiting:
each has a lane, and every lane gives one question in its turn.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

from godwit.edge.tasks import Tasks
from godwit.errors import StoreUnavailable

MOST = 200
"""Questions that are asked together at most: whoever comes next waits for no more than these."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Waiting(Generic[K, V]):
    """A question that waits for its turn, and then for its answer."""

    __slots__ = ("answer", "question")

    def __init__(self, question: K) -> None:
        self.question = question
        self.answer: asyncio.Future[V] = asyncio.get_running_loop().create_future()


class Batches(Generic[K, V]):
    """Gathers questions while those before are being answered, and asks them together.

    Args:
        ask: answers many questions, in their order. If the store is silent, none of them has an answer; at any other
            fault each is asked by itself, so that only those fail that are to blame.
        patience: seconds that an answer may take, waiting for the turn not counted; then `TimeoutError` is raised.
            None if `ask` sees to that itself.
        tasks: owner of the work.
        name: of that work, for the log.
    """

    def __init__(
        self, ask: Callable[[Sequence[K]], Awaitable[Sequence[V]]], patience: float | None, tasks: Tasks, name: str
    ) -> None:
        self._ask = ask
        self._patience = patience
        self._tasks = tasks
        self._name = name
        self._waiting: dict[K, _Waiting[K, V]] = {}
        self._lanes: dict[str, deque[_Waiting[K, V]]] = {}
        self._turns: deque[str] = deque()
        self._working = False

    async def answer(self, question: K, who: str = "") -> V:
        """The answer to one question, once its turn has come; one that waits for it already is not asked twice.

        Args:
            who: on whose behalf; what one asks for keeps its order.
        """
        return await self.put(question, who)

    def put(self, question: K, who: str = "") -> asyncio.Future[V]:
        """Have a question answered; as `answer`, for callers that need not wait."""
        waiting = self._waiting.get(question)
        if waiting is None:
            waiting = self._waiting[question] = _Waiting(question)
        self._line_up(waiting, who)
        if not self._working:
            self._working = True
            self._tasks.start(self._work(), self._name)
        return waiting.answer

    def too(self, question: K, who: str) -> None:
        """Somebody else wants the answer: if the question waits, it does so in their lane, too."""
        waiting = self._waiting.get(question)
        if waiting is not None:
            self._line_up(waiting, who)

    def _line_up(self, waiting: _Waiting[K, V], who: str) -> None:
        lane = self._lanes.get(who)
        if lane is None:
            lane = self._lanes[who] = deque()
            self._turns.append(who)
        lane.append(waiting)

    def _turn(self) -> list[_Waiting[K, V]]:
        """The questions whose turn it is, one of each lane after the other."""
        turn: list[_Waiting[K, V]] = []
        while self._turns and len(turn) < MOST:
            who = self._turns.popleft()
            lane = self._lanes[who]
            waiting = lane.popleft()
            if lane:
                self._turns.append(who)
            else:
                del self._lanes[who]
            if self._waiting.get(waiting.question) is waiting:  # else it has had its turn in another lane
                del self._waiting[waiting.question]
                if not waiting.answer.done():
                    turn.append(waiting)
        return turn

    async def _work(self) -> None:
        try:
            while self._turns:
                if turn := self._turn():
                    await self._together(turn)
        finally:
            self._working = False

    async def _together(self, turn: list[_Waiting[K, V]]) -> None:
        try:
            async with asyncio.timeout(self._patience):
                answers = await self._ask([waiting.question for waiting in turn])
            answered = list(zip(turn, answers, strict=True))
        except Exception as error:
            # Whatever it was, each who asked must learn that no answer comes.
            if len(turn) > 1 and not isinstance(error, (StoreUnavailable, TimeoutError)):
                for waiting in turn:
                    await self._together([waiting])
                return
            for waiting in turn:
                if not waiting.answer.done():
                    waiting.answer.set_exception(error)
            return
        for waiting, answer in answered:
            if not waiting.answer.done():
                waiting.answer.set_result(answer)
