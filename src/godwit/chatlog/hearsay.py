"""What processes tell each other outside the log, as a port (`docs/architecture.md`, "What edges tell each other").

Hearsay may be lost, come twice or in another order, and so it never decides about a channel's line: it is for who is
present, for free JOINs, for whispers and for accounts that end. `tests/conformance/hearsay.py` is the suite every
implementation passes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
import structlog

from godwit.chatlog.base import Subscription

log = structlog.get_logger()

Hear = Callable[[bytes], None]
"""Is called with what was told."""

ENDED = "ended"
"""Topic of accounts whose connections are to end."""


class Hearsay(Protocol):
    """A way to tell others something, and to hear what they tell."""

    def tell(self, topic: str, payload: bytes) -> None:
        """Tell everybody who hears the topic, the teller's own process too; returns at once, whatever becomes of it.

        Args:
            topic: words of letters, digits, `_` and `-` with dots between them.
            payload: far below 1 MB.
        """
        ...

    def hear(self, topic: str, heard: Hear) -> Subscription:
        """Call `heard` with what is told from soon on, from the loop and never from within `tell`.

        What it raises, for instance because it cannot read the payload, is logged and harms nobody.
        """
        ...


class _Hearer:
    """Somebody who hears a topic."""

    __slots__ = ("_closed", "_heard", "_hearers")

    def __init__(self, hearers: dict[_Hearer, None], heard: Hear, closed: Callable[[], None]) -> None:
        self._hearers = hearers
        self._heard = heard
        self._closed = closed

    def close(self) -> None:
        """Stop it; nothing is delivered afterwards."""
        if self in self._hearers:
            del self._hearers[self]
            self._closed()

    def deliver(self, topic: str, payload: bytes) -> None:
        if self in self._hearers:
            try:
                self._heard(payload)
            except msgspec.MsgspecError as error:
                log.warning("hearsay_unreadable", topic=topic, error=str(error))
            except Exception:
                # Whatever one cannot make of it, others can, and so it may with the next one.
                log.exception("hearsay_failed", topic=topic)


class LocalHearsay:
    """A `Hearsay` within one process."""

    def __init__(self) -> None:
        self._topics: dict[str, dict[_Hearer, None]] = {}

    def tell(self, topic: str, payload: bytes) -> None:
        """Tell everybody who hears the topic; see `Hearsay`."""
        if self._topics.get(topic):
            asyncio.get_running_loop().call_soon(self._deliver, topic, payload)

    def hear(self, topic: str, heard: Hear) -> Subscription:
        """Hear a topic; see `Hearsay`."""
        hearers = self._topics.setdefault(topic, {})

        def closed() -> None:
            if not hearers and self._topics.get(topic) is hearers:
                del self._topics[topic]

        hearer = _Hearer(hearers, heard, closed)
        hearers[hearer] = None
        return hearer

    def heard(self, topic: str) -> bool:
        """Whether somebody hears a topic."""
        return topic in self._topics

    def _deliver(self, topic: str, payload: bytes) -> None:
        for hearer in list(self._topics.get(topic, ())):
            hearer.deliver(topic, payload)


class Ended(msgspec.Struct, frozen=True, array_like=True):
    """Accounts that were removed, or whose tokens were revoked: all their connections end.

    Attributes:
        accounts: their user ids.
    """

    accounts: tuple[str, ...]


def end_accounts(hearsay: Hearsay, accounts: Sequence[str]) -> None:
    """Have the connections of accounts closed on all edges.

    It may be lost, like all hearsay; whoever needs more tells it again or has the edges look at the store.
    """
    hearsay.tell(ENDED, msgspec.msgpack.encode(Ended(tuple(accounts))))
