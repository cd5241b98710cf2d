"""The suite that every `godwit.chatlog.hearsay.Hearsay` passes.

An implementation's test module gives a class of its own that inherits `HearsaySuite`, and a fixture `rig`.
Hearsay may be lost, so the suite knocks until it is heard before it says something.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from itertools import count
from typing import Protocol

from structlog.testing import capture_logs

from godwit.chatlog.base import Subscription
from godwit.chatlog.hearsay import Hearsay

DEADLINE = 20.0
"""Seconds after which a test that waits for something fails."""


class Rig(Protocol):
    """Where processes talk."""

    async def open(self) -> Hearsay:
        """One more process's way to the others."""
        ...


_knocks = count(1)


class Ear:
    """Somebody who hears a topic and writes it down, but for knocks."""

    def __init__(self, hearsay: Hearsay, topic: str) -> None:
        self.heard: list[bytes] = []
        self._knocks: set[bytes] = set()
        self._came = asyncio.Event()
        self.hearing: Subscription = hearsay.hear(topic, self._hear)

    def _hear(self, payload: bytes) -> None:
        if payload.startswith(b"knock "):
            self._knocks.add(payload)
        else:
            self.heard.append(payload)
        self._came.set()

    async def wait(self, payload: bytes, seconds: float = DEADLINE) -> None:
        """Wait until that was heard."""
        async with asyncio.timeout(seconds):
            while payload not in self.heard and payload not in self._knocks:
                self._came.clear()
                await self._came.wait()

    async def next(self) -> None:
        """Wait until something more is heard."""
        self._came.clear()
        async with asyncio.timeout(DEADLINE):
            await self._came.wait()

    async def reached(self, teller: Hearsay, topic: str) -> None:
        """Have knocks told until one is heard: from then on the way is open."""
        async with asyncio.timeout(DEADLINE):
            while True:
                knock = b"knock %d" % next(_knocks)
                teller.tell(topic, knock)
                with suppress(TimeoutError):
                    await self.wait(knock, 0.1)
                    return


class HearsaySuite:
    """What holds for any hearsay."""

    async def test_everybody_hears_what_is_told_the_own_process_too(self, rig: Rig) -> None:
        one, two = await rig.open(), await rig.open()
        ears = [Ear(one, "t"), Ear(one, "t"), Ear(two, "t")]
        for teller in (one, two):
            for ear in ears:
                await ear.reached(teller, "t")
        one.tell("t", b"from one")
        two.tell("t", b"from two")
        for ear in ears:
            await ear.wait(b"from one")
            await ear.wait(b"from two")
            assert sorted(ear.heard) == [b"from one", b"from two"]

    async def test_nobody_hears_other_topics(self, rig: Rig) -> None:
        one, two = await rig.open(), await rig.open()
        ear, other, below = Ear(two, "t"), Ear(two, "u"), Ear(two, "t.x")
        for each, topic in ((ear, "t"), (other, "u"), (below, "t.x")):
            await each.reached(one, topic)
        one.tell("u", b"u")
        one.tell("t.x", b"x")
        one.tell("t", b"t")
        await ear.wait(b"t")
        await other.wait(b"u")
        await below.wait(b"x")
        assert (ear.heard, other.heard, below.heard) == ([b"t"], [b"u"], [b"x"])

    async def test_one_teller_is_heard_in_order(self, rig: Rig) -> None:
        one, two = await rig.open(), await rig.open()
        ear = Ear(two, "t")
        await ear.reached(one, "t")
        said = [b"%d" % number for number in range(500)]
        for payload in said:
            one.tell("t", payload)
        await ear.wait(said[-1])
        assert ear.heard == said

    async def test_it_is_heard_later_never_at_once(self, rig: Rig) -> None:
        one = await rig.open()
        ear = Ear(one, "t")
        await ear.reached(one, "t")
        one.tell("t", b"x")
        assert ear.heard == []
        await ear.wait(b"x")

    async def test_who_does_not_listen_any_more_hears_nothing(self, rig: Rig) -> None:
        one, two = await rig.open(), await rig.open()
        ear, gone = Ear(two, "t"), Ear(two, "t")
        await gone.reached(one, "t")
        await ear.reached(one, "t")
        one.tell("t", b"on its way")
        gone.hearing.close()
        gone.hearing.close()
        await ear.wait(b"on its way")
        ear.hearing.close()
        again = Ear(two, "t")
        await again.reached(one, "t")
        assert (gone.heard, ear.heard) == ([], [b"on its way"])

    async def test_what_one_hearer_cannot_bear_others_hear(self, rig: Rig) -> None:
        one, two = await rig.open(), await rig.open()

        def fail(payload: bytes) -> None:
            raise ValueError(payload)

        two.hear("t", fail)
        ear = Ear(two, "t")
        with capture_logs() as logs:
            await ear.reached(one, "t")
            one.tell("t", b"x")
            await ear.wait(b"x")
        assert {entry["topic"] for entry in logs if entry["event"] == "hearsay_failed"} == {"t"}

    async def test_nobody_need_listen(self, rig: Rig) -> None:
        one = await rig.open()
        one.tell("nobody", b"x")
        ear = Ear(one, "t")
        await ear.reached(one, "t")
        assert ear.heard == []
