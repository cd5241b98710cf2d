"""What is dirty is flushed once, in the loop's next turn."""

from __future__ import annotations

import asyncio

from godwit.wire.flusher import Flusher


class Dirty:
    """Notes each flush."""

    def __init__(self, name: str, notes: list[str]) -> None:
        self.name = name
        self.notes = notes

    def flush(self) -> None:
        """Note it."""
        self.notes.append(self.name)


async def test_flushes_in_the_next_turn_in_order() -> None:
    notes: list[str] = []
    flusher = Flusher(asyncio.get_running_loop())
    flusher.add(Dirty("a", notes))
    flusher.add(Dirty("b", notes))
    assert notes == []
    await asyncio.sleep(0)
    assert notes == ["a", "b"]
    await asyncio.sleep(0)
    assert notes == ["a", "b"]


async def test_what_becomes_dirty_during_a_flush_waits_for_the_turn_after() -> None:
    notes: list[str] = []
    flusher = Flusher(asyncio.get_running_loop())

    class Again(Dirty):
        def flush(self) -> None:
            super().flush()
            if len(notes) == 1:
                flusher.add(self)

    flusher.add(Again("a", notes))
    await asyncio.sleep(0)
    assert notes == ["a"]
    await asyncio.sleep(0)
    assert notes == ["a", "a"]
