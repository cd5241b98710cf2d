"""Questions to the store that are asked together.

A bot may join 2,000 channels in a moment, and thousands of channels may move within seconds: one by one, what they
ask would take longer than anybody waits for the answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from godwit.edge.tasks import Tasks

MOST = 500
"""Questions that are asked together at most."""

K = TypeVar("K")
V = TypeVar("V")


class Batches(Generic[K, V]):
    """Gathers questions while those before are being answered, and asks them together.

    Args:
        ask: answers many questions, in their order; what it raises, all of them raise.
        patience: seconds that an answer may take, waiting for the turn not counted; then `TimeoutError` is raised.
        tasks: owner of the work.
        name: of that work, for the log.
    """

    def __init__(
        self, ask: Callable[[Sequence[K]], Awaitable[Sequence[V]]], patience: float, tasks: Tasks, name: str
    ) -> None:
        self._ask = ask
        self._patience = patience
        self._tasks = tasks
        self._name = name
        self._waiting: list[tuple[K, asyncio.Future[V]]] = []
        self._working = False

    async def answer(self, question: K) -> V:
        """The answer to one question, once its turn has come."""
        answer: asyncio.Future[V] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        if not self._working:
            self._working = True
            self._tasks.start(self._work(), self._name)
        return await answer

    async def _work(self) -> None:
        try:
            while self._waiting:
                turn, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                await self._together([each for each in turn if not each[1].done()])
        finally:
            self._working = False

    async def _together(self, turn: list[tuple[K, asyncio.Future[V]]]) -> None:
        try:
            async with asyncio.timeout(self._patience):
                answers = await self._ask([question for question, _ in turn])
        except Exception as error:
            # Whatever it was, each who asked must learn that no answer comes.
            for _, waiting in turn:
                if not waiting.done():
                    waiting.set_exception(error)
            return
        for (_, waiting), answer in zip(turn, answers, strict=True):
            if not waiting.done():
                waiting.set_result(answer)
