"""A small chat server in a thread, over real sockets; it can lose, repeat and mix up lines, and hang up."""

from __future__ import annotations

import asyncio
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SAID = re.compile(rb"PRIVMSG #(\S+) :")

Fault = Callable[[int, bytes], list[bytes]]
"""What becomes of the nth line said, before everybody hears it."""


def all_well(number: int, line: bytes) -> list[bytes]:
    """Every line once."""
    return [line]


class _Chat:
    def __init__(self, fault: Fault, most: int) -> None:
        self._fault, self._most = fault, most
        self._rooms: dict[bytes, list[asyncio.StreamWriter]] = {}
        self._said = self._come = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self._come += 1
        try:
            if self._come > self._most:
                return
            while line := await reader.readline():
                self._take(line, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass  # The client, or the test, is over.
        finally:
            for room in self._rooms.values():
                if writer in room:
                    room.remove(writer)
            writer.close()

    def _take(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        if line.startswith(b"USER "):
            writer.write(b":x 001 y :hello\r\nPING :z\r\n")
        elif line.startswith(b"NICK justinfan"):
            writer.write(b":x 376 y :end\r\n")
        elif line.startswith(b"JOIN #"):
            self._rooms.setdefault(line.strip()[6:], []).append(writer)
            writer.write(b":x 366 y :end\r\n")
        elif found := _SAID.match(line):
            self._said += 1
            for said in self._fault(self._said, b":s!s@s " + line):
                for member in self._rooms[found[1]]:
                    if member is not writer:
                        member.write(said)


@contextmanager
def serving(fault: Fault = all_well, most: int = 1_000_000, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Run a server; gives `host:port`.

    Args:
        most: connections that it takes; it hangs up on those that come later.
        tls: with a certificate, if it speaks TLS.
    """
    started = threading.Event()
    address: list[str] = []
    ending: list[Callable[[], object]] = []

    async def main() -> None:
        over = asyncio.Event()
        loop = asyncio.get_running_loop()
        server = await asyncio.start_server(_Chat(fault, most).serve, "127.0.0.1", 0, ssl=tls)
        host, port = server.sockets[0].getsockname()
        address.append(f"{host}:{port}")
        ending.append(lambda: loop.call_soon_threadsafe(over.set))
        started.set()
        await over.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    started.wait()
    try:
        yield address[0]
    finally:
        ending[0]()
        thread.join()
