"""A busy room: talkers for a while, probes that time each line, and an exact account of both."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from bench import machine
from bench.clients import Member, Talker
from bench.crowd import Crowd
from bench.tally import Account, add

Talk = Callable[[Talker], Coroutine[Any, Any, None]]
"""What each talker does."""

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Spell:
    """What came of a while of talk.

    Attributes:
        seconds: how long they talked.
        cpu: seconds of CPU that the server used meanwhile.
        delays: seconds that each line was under way to each probe, from the talker's write on; sorted.
    """

    account: Account
    seconds: float
    cpu: float
    delays: list[float]

    def delay(self, share: float) -> float:
        """The delay in milliseconds that this share of the lines did not exceed."""
        return self.delays[min(int(len(self.delays) * share), len(self.delays) - 1)] * 1000

    def latency(self) -> dict[str, float]:
        """The usual shares, in milliseconds."""
        return {"p50_ms": round(self.delay(0.5), 2), "p99_ms": round(self.delay(0.99), 2)}


class Room:
    """A room on a server.

    Args:
        address: `host:port` of the server's TCP port.
        pid: its process.
    """

    def __init__(self, address: str, pid: int) -> None:
        self._address = address
        self._pid = pid
        self._probes: list[Member] = []

    async def add_probes(self, probes: int) -> None:
        """Have more members that time what they hear."""
        for _ in range(probes):
            probe = Member(f"probe{next(_numbers)}", timed=True)
            await probe.start("tcp", self._address)
            self._probes.append(probe)

    async def talk(self, talk: Talk, *, talkers: int = 1, crowd: Crowd | None = None) -> Spell:
        """Have talkers talk, and settle the account of talkers, probes and crowd."""
        async with self._talkers(talkers) as speaking:
            began, used = time.monotonic(), machine.cpu(self._pid)
            async with asyncio.TaskGroup() as group:
                for talker in speaking:
                    group.create_task(talk(talker))
            seconds, used = time.monotonic() - began, machine.cpu(self._pid) - used
            said = {talker.number: talker.said for talker in speaking}
            accounts: list[Account] = []
            delays: list[float] = []
            for talker in speaking:
                others = {number: lines for number, lines in said.items() if number != talker.number}
                accounts.append((await talker.settle(others))[0])
            for probe in self._probes:
                account, under_way = await probe.settle(said)
                accounts.append(account)
                delays += under_way
            if crowd is not None:
                accounts.append(await crowd.settle(said))
            if any(member.refused for member in (*speaking, *self._probes)):
                raise ConnectionError("the server sent NOTICEs")
            return Spell(replace(add(accounts), said=sum(said.values())), seconds, used, sorted(delays))

    def close(self) -> None:
        """Let the probes go."""
        for probe in self._probes:
            probe.close()

    @contextlib.asynccontextmanager
    async def _talkers(self, talkers: int) -> AsyncIterator[list[Talker]]:
        speaking = [Talker(next(_numbers)) for _ in range(talkers)]
        try:
            for talker in speaking:
                await talker.start("tcp", self._address, tagged=True)
            yield speaking
        finally:
            for talker in speaking:
                talker.close()
