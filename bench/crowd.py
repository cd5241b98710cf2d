"""A crowd of members in a process of its own, so that its work is not taken for the server's or the probes'."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection as Pipe
from types import TracebackType
from typing import Any

import uvloop

from bench.clients import Member, Transport
from bench.tally import Account, add
from godwit.roles.child import end_with_parent

AT_ONCE = 100
"""Connections that a crowd opens at once."""


class Crowd:
    """The bench's handle of a crowd; its methods are orders to the other process."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_run, args=(theirs,), daemon=True)
        self._process.start()

    async def connect(
        self, count: int, transport: Transport, address: str, *, channels: int = 0, accounts: bool = False
    ) -> float:
        """Have members connect, log in and join.

        Args:
            channels: spread over so many quiet channels; 0: all in the bench's one.
            accounts: log in with accounts of their own, not anonymously.

        Returns:
            Seconds that it took.
        """
        return float(await self._ask("connect", count, transport, address, channels, accounts))

    async def settle(self, said: Mapping[int, int]) -> Account:
        """Wait until everything has come to everybody, and count; see `Member.settle`."""
        found: Account = await self._ask("settle", dict(said))
        return found

    async def __aenter__(self) -> Crowd:
        """Have a crowd."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let it go."""
        self._pipe.close()
        await asyncio.to_thread(self._process.join)

    async def _ask(self, *order: Any) -> Any:
        self._pipe.send(order)
        answer = await asyncio.to_thread(self._pipe.recv)
        if isinstance(answer, str):
            raise ConnectionError(f"the crowd failed: {answer}")
        return answer


class _Members:
    """The crowd itself, in its own process."""

    def __init__(self) -> None:
        self._members: list[Member] = []

    async def connect(self, count: int, transport: Transport, address: str, channels: int, accounts: bool) -> float:
        at_once = asyncio.Semaphore(AT_ONCE)
        first = len(self._members)

        async def start(number: int) -> None:
            async with at_once:
                nick = f"member{number}" if accounts else f"justinfan{number}"
                member = Member(nick, f"quiet{number % channels}") if channels else Member(nick)
                await member.start(transport, address)
                self._members.append(member)

        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(first, first + count):
                group.create_task(start(number))
        return time.monotonic() - began

    async def settle(self, said: Mapping[int, int]) -> Account:
        accounts = [(await member.settle(said))[0] for member in self._members]
        refused = sum(member.refused for member in self._members)
        if refused:
            raise ConnectionError(f"{refused} NOTICEs")
        return add(accounts)


async def _obey(pipe: Pipe) -> None:
    members = _Members()
    while True:
        try:
            order, *arguments = await asyncio.to_thread(pipe.recv)
        except EOFError:
            return
        try:
            pipe.send(await getattr(members, order)(*arguments))
        except (OSError, ExceptionGroup) as error:
            pipe.send(repr(error))


def _run(pipe: Pipe) -> None:
    end_with_parent()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_obey(pipe))
