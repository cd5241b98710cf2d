"""The least that any chat server must do: reads lines, joins what is to be written in one turn, writes it to all.

No log, no state, no capabilities; what Godwit adds is seen by comparing with it.
"""

from __future__ import annotations

import asyncio
import sys
from typing import ClassVar, cast

import uvloop


class Floor(asyncio.Protocol):
    """One connection."""

    everybody: ClassVar[set[Floor]] = set()
    waiting: ClassVar[list[tuple[Floor, bytes]]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Have a connection."""
        self._transport = cast(asyncio.Transport, transport)
        self._rest = b""

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self.everybody.discard(self)

    def data_received(self, data: bytes) -> None:
        """Answer each line; what is said waits for the next turn of the loop."""
        *lines, self._rest = (self._rest + data).split(b"\r\n")
        for line in lines:
            if line.startswith(b"PRIVMSG "):
                if not self.waiting:
                    asyncio.get_running_loop().call_soon(self.flush)
                self.waiting.append((self, b":t!t@t.tmi.twitch.tv " + line + b"\r\n"))
                self._transport.write(b"@id=1 :tmi.twitch.tv USERSTATE #bench\r\n")
            elif line.startswith(b"JOIN "):
                self.everybody.add(self)
                self._transport.write(b":x 366 x #bench :end\r\n:tmi.twitch.tv ROOMSTATE #bench\r\n")
            elif line.startswith(b"PING "):
                self._transport.write(b":x PONG x :flush\r\n")

    @classmethod
    def flush(cls) -> None:
        """Write what was said to all but who said it."""
        waiting = cls.waiting[:]
        cls.waiting.clear()
        senders = {sender for sender, _ in waiting}
        data = b"".join(line for _, line in waiting)
        for member in cls.everybody:
            if member in senders:
                member._transport.write(b"".join(line for sender, line in waiting if sender is not member))
            else:
                member._transport.write(data)


async def main() -> None:
    """Listen, say where, and serve until the input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Floor, "127.0.0.1", 0, backlog=4096)
    print(f"127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
