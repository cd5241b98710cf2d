"""Ports that do not keep a controller waiting for ever: what takes too long counts as unavailable."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from typing import Any, cast

from godwit.chatlog.base import ChatLog
from godwit.chatlog.memory import MemoryLog
from godwit.errors import AppendUnknown, ChatLogUnavailable, StoreUnavailable
from godwit.store.rollout_base import RolloutStore


def patient_store(store: RolloutStore, seconds: float) -> RolloutStore:
    """The store, of which each call answers within `seconds` or raises `StoreUnavailable`.

    What timed out may have happened, as the port says of every write.
    """
    return cast(RolloutStore, _Patient(store, seconds, lambda name: StoreUnavailable(f"{name} took {seconds:g} s")))


def patient_logs(logs: Mapping[str, ChatLog], seconds: float) -> dict[str, ChatLog]:
    """The logs, of which each call answers within `seconds`; an append that does not is unknown (rule L6).

    A `MemoryLog` never makes anybody wait.
    """

    def late(name: str) -> Exception:
        text = f"{name} took {seconds:g} s"
        return AppendUnknown(text) if name == "append" else ChatLogUnavailable(text)

    return {
        cluster: log if isinstance(log, MemoryLog) else cast(ChatLog, _Patient(log, seconds, late))
        for cluster, log in logs.items()
    }


class _Patient:
    """Passes calls on; asynchronous ones within a time."""

    def __init__(self, port: Any, seconds: float, late: Callable[[str], Exception]) -> None:
        self._port = port
        self._seconds = seconds
        self._late = late

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._port, name)
        if not inspect.iscoroutinefunction(value):
            return value

        async def call(*args: Any, **kwargs: Any) -> Any:
            try:
                async with asyncio.timeout(self._seconds):
                    return await value(*args, **kwargs)
            except TimeoutError as error:
                raise self._late(name) from error

        return call
