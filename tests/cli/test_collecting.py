"""Garbage is collected seldom while a server runs."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Mapping
from typing import Any

from godwit.cli.collecting import THRESHOLDS
from godwit.cli.serve import run


class Program:
    """Notes how garbage is collected while it runs, and ends when it is asked to."""

    def __init__(self) -> None:
        self.started: list[int] = []
        self.thresholds: tuple[int, int, int] | None = None
        self.frozen = False

    async def start(self) -> Mapping[str, Any]:
        self.started = list(range(3))
        return {}

    async def wait_stopped(self) -> None:
        self.thresholds = gc.get_threshold()
        self.frozen = gc.get_freeze_count() > 0 and all(self.started is not one for one in gc.get_objects())

    async def stop(self) -> None:
        """Nothing is to be ended."""


async def test_what_a_server_started_with_is_left_alone() -> None:
    before = gc.get_threshold()
    program = Program()
    found = await asyncio.gather(run(program, None, lambda told: None), return_exceptions=True)
    assert "ended by itself" in str(found[0])
    assert program.thresholds == THRESHOLDS
    assert program.frozen
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
