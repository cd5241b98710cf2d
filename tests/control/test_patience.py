"""Ports that never answer: an error after a while in place of waiting for ever."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from godwit.chatlog.memory import MemoryLog
from godwit.clock import FakeClock
from godwit.control.patience import patient_logs, patient_store
from godwit.errors import AppendUnknown, ChatLogUnavailable, StoreUnavailable
from godwit.store.memory import MemoryStore
from godwit.values import Open, Segment

SOON = 1e-4
LONG = 60.0


class Silent:
    """A port that never answers; what it was asked is noted."""

    cluster = "main"

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.given_up: list[str] = []

    async def _never(self, name: str, *args: Any) -> None:
        self.asked.append((name, args))
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.given_up.append(name)
            raise

    async def moves(self, **options: Any) -> None:
        await self._never("moves", options)

    async def append(self, channel: str, record: Any, *, stream: str) -> None:
        await self._never("append", channel, record, stream)

    async def read(self, channel: str, after: int) -> None:
        await self._never("read", channel, after)

    def stream(self, channel: str) -> str:
        return f"stream of {channel}"


async def test_store_that_never_answers() -> None:
    """The call is given up, and told as every failure of a store."""
    silent: Any = Silent()
    with pytest.raises(StoreUnavailable, match=r"^moves took 0\.0001 s$"):
        await patient_store(silent, SOON).moves(unfinished=True)
    assert silent.asked == [("moves", ({"unfinished": True},))]
    assert silent.given_up == ["moves"]


async def test_append_that_is_never_answered() -> None:
    """It may have landed: its fate is unknown (rule L6)."""
    silent: Any = Silent()
    with pytest.raises(AppendUnknown, match="append took"):
        await patient_logs({"main": silent}, SOON)["main"].append("room", Open("o", 2), stream="s")
    assert silent.given_up == ["append"]


async def test_read_that_is_never_answered() -> None:
    silent: Any = Silent()
    with pytest.raises(ChatLogUnavailable, match="read took") as refused:
        await patient_logs({"main": silent}, SOON)["main"].read("room", 0)
    assert not isinstance(refused.value, AppendUnknown)


async def test_what_does_not_wait_is_passed_on() -> None:
    silent: Any = Silent()
    [log] = patient_logs({"main": silent}, SOON).values()
    assert (log.cluster, log.stream("room")) == ("main", "stream of room")


async def test_answers_in_time() -> None:
    """They are what the port said, its own errors too."""
    store, log = MemoryStore(), MemoryLog("main", "main/1", FakeClock())
    patient, [one] = patient_store(store, LONG), patient_logs({"main": log}, LONG).values()
    with pytest.raises(StoreUnavailable, match="no default placement yet"):
        await patient.default_placement()
    await patient.set_default(Segment("main", 1, 0, "main/1"), hold_until=0.0)
    assert (await patient.default_placement()).cluster == "main"
    assert await one.append("room", Open("o", 2), stream="main/1") == 1


async def test_time_out_of_the_port_itself() -> None:
    """A `TimeoutError` from inside counts as no answer too."""

    class Driver:
        async def moves(self) -> None:
            raise TimeoutError

    driver: Any = Driver()
    with pytest.raises(StoreUnavailable):
        await patient_store(driver, LONG).moves()


async def test_who_is_cancelled_is_cancelled() -> None:
    """The end of the process is no time-out."""
    silent: Any = Silent()
    task = asyncio.ensure_future(patient_store(silent, LONG).moves())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert silent.given_up == ["moves"]
