"""Looks at a move once it has settled: reads what the logs still have, and compares (`rollout/verify.py`)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from godwit.chatlog.base import ChatLog
from godwit.clock import Clock
from godwit.errors import ChatLogUnavailable, StoreUnavailable
from godwit.rollout import moves
from godwit.rollout.verify import Side, verify_move
from godwit.settings import LogSettings
from godwit.store.rollout_base import RolloutStore
from godwit.values import Entry, Move, Segment

log = structlog.get_logger()

MARGIN = 5.0
"""Seconds by which the clocks of logs and controllers may differ."""


class Verifier:
    """Verifies moves.

    Args:
        store, logs, clock: the ports; `logs` by cluster.
        settings: how long the logs keep records, and how long an answer may take.
    """

    def __init__(self, store: RolloutStore, logs: Mapping[str, ChatLog], clock: Clock, settings: LogSettings) -> None:
        self._store = store
        self._logs = logs
        self._clock = clock
        self._settings = settings

    async def verify(self, committed: Sequence[Move]) -> list[str]:
        """Say whether committed moves joined their segments well, with one question to the store.

        Returns:
            For each `ok`, perhaps with what could not be looked at in brackets; '' if store or logs gave no answer;
            else what is wrong, which is logged too.
        """
        try:
            chains = await self._store.chains([move.channel for move in committed])
        except StoreUnavailable as error:
            log.warning("not_verified", moves=len(committed), error=repr(error))
            return [""] * len(committed)
        return [await self._verify(move, chain) for move, chain in zip(committed, chains, strict=True)]

    async def _verify(self, move: Move, chain: Sequence[Segment]) -> str:
        if move.source is None or not move.at:
            return ""
        try:
            old = await self._side(move.channel, move.source, move.source.at)
            new = await self._side(move.channel, moves.destination(move), move.at - 1)
        except (ChatLogUnavailable, TimeoutError) as error:
            log.warning("not_verified", channel=move.channel, move=move.id, error=repr(error))
            return ""
        now = self._clock.now()
        said = verify_move(
            move,
            chain,
            old,
            new,
            kept_since=now - self._settings.max_age + MARGIN,
            held_since=now - self._settings.hold - MARGIN,
        )
        if not said.startswith("ok"):
            log.error("move_not_well", channel=move.channel, move=move.id, wrong=said)
        return said

    async def _side(self, channel: str, segment: Segment, after: int) -> Side:
        """What a log still has of a segment, behind a sequence."""
        chat_log = self._logs.get(segment.cluster)
        if chat_log is None:
            return Side(gone=True)
        entries: list[Entry] = []
        while True:
            async with asyncio.timeout(self._settings.append_timeout):
                page = await chat_log.read(channel, after)
            if page.stream != segment.stream:
                return Side(gone=True)
            entries += page.entries
            if not page.more:
                return Side(entries, page.floor)
            after = page.upto
            await asyncio.sleep(0)  # thousands of records are not read in one go
