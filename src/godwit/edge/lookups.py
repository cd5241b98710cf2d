"""What a node asks for many of its channels at once: the store where they are, the logs where they end.

A bot may join 100,000 channels, and all of them may move within a second. Each costs a share of a question then, and
no task of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import structlog

from godwit.chatlog.base import ChatLog
from godwit.edge.batches import MOST, Batches
from godwit.errors import ChatLogUnavailable, StoreUnavailable

if TYPE_CHECKING:
    from godwit.edge.backend import Answer, Outside
    from godwit.edge.room import Room
    from godwit.values import Segment

log = structlog.get_logger()

Ask = Callable[[Sequence["Room"]], Awaitable[Sequence["Answer | None"]]]


class Lookups:
    """Asks for many rooms at once.

    Args:
        outside: what the rooms share.
        ask: asks the store for rooms; None for one whose row changed all the while.
    """

    def __init__(self, outside: Outside, ask: Ask) -> None:
        self._outside = outside
        self._ask = ask
        self._arriving: Batches[Room, None] = Batches(self._arrive, None, outside.tasks, "arrive")

    def arrive(self, room: Room, who: str) -> None:
        """Somebody wants into a room of which nothing is known yet: ask for it in their turn.

        Args:
            who: their connection; if the room waits for somebody else's turn already, it waits for theirs, too.
        """
        self._arriving.put(room, who)

    async def refresh(self, rooms: Sequence[Room]) -> None:
        """Ask the store where rooms are, though nothing looks wrong (rule C10).

        Raises:
            StoreUnavailable, TimeoutError: those that were not answered yet are left as they are.
        """
        for start in range(0, len(rooms), MOST):
            some = rooms[start : start + MOST]
            async with asyncio.timeout(self._outside.settings.move.lease):
                answers = await self._ask(some)
            for room, answer in zip(some, answers, strict=True):
                if answer is None:
                    room.backend.ask()
                else:
                    room.backend.take(answer)
            await self.compare([room for room in some if room.unread])

    async def compare(self, rooms: Sequence[Room]) -> None:
        """Compare rooms with the ends of their logs (rule L1).

        A log that is not the one the room's segment names confirms nothing (rule L2): the room's lease runs out, and
        it asks the store.
        """
        logs: Mapping[str, ChatLog] = self._outside.logs
        by_cluster: dict[str, list[tuple[Room, Segment]]] = {}
        for room in rooms:
            segment = room.rested.placement.segment if room.rested else room.segment
            chat_log = logs.get(segment.cluster) if segment else None
            if segment and chat_log and chat_log.stream(room.name) == segment.stream:
                by_cluster.setdefault(segment.cluster, []).append((room, segment))
        for cluster, pairs in by_cluster.items():
            await self._compare(logs[cluster], pairs)

    async def _compare(self, chat_log: ChatLog, pairs: list[tuple[Room, Segment]]) -> None:
        asked_at = self._outside.clock.now()
        try:
            async with asyncio.timeout(self._outside.settings.log.append_timeout):
                heads = await chat_log.heads([room.name for room, _ in pairs])
        except (ChatLogUnavailable, TimeoutError) as error:
            log.warning("compare_failed", cluster=chat_log.cluster, channels=len(pairs), error=repr(error))
            return
        lease = self._outside.settings.move.lease
        for (room, segment), head in zip(pairs, heads, strict=True):
            rest = room.rested
            if rest is None or not rest.stands(segment, head, asked_at, lease):
                room.compared(segment, head, asked_at)

    async def _arrive(self, rooms: Sequence[Room]) -> list[None]:
        answers: Sequence[Answer | None] = [None] * len(rooms)
        try:
            async with asyncio.timeout(self._outside.settings.move.lease):
                answers = await self._ask(rooms)
        except (StoreUnavailable, TimeoutError) as error:
            log.warning("ask_failed", channels=len(rooms), error=repr(error))
        except Exception:
            # Whatever the store died of, each room must go on by itself.
            log.exception("ask_failed", channels=len(rooms))
        for room, answer in zip(rooms, answers, strict=True):
            room.arrived(answer)
        try:
            await self.compare([room for room in rooms if room.unread])
        except Exception:
            # As above; who was not compared is read.
            log.exception("arrivals_not_compared", channels=len(rooms))
        for room in rooms:
            room.let_in()
        return [None] * len(rooms)
