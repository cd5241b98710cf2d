"""The service behind the gate that turns red: answers POST over HTTP, and counts who asked."""

from __future__ import annotations

import asyncio
import contextlib
import json
from types import TracebackType

LONGEST = 65_536
"""Bytes of a request's body that are read."""


class Desk:
    """Says pass or fail to whoever asks, on a free port of this machine.

    Attributes:
        red: what it says: fail, or pass.
        asked: how often it was asked.
    """

    def __init__(self) -> None:
        self.red = False
        self.asked = 0
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Where it is asked."""
        assert self._server
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"http://{host}:{port}/gate"

    async def __aenter__(self) -> Desk:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = next((int(line[15:]) for line in head.split("\r\n") if line.startswith("content-length:")), 0)
            await reader.readexactly(min(length, LONGEST))
            self.asked += 1
            verdict, detail = ("fail", "the drill says no") if self.red else ("pass", "the drill says yes")
            body = json.dumps({"verdict": verdict, "detail": detail}).encode()
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
            )
            await writer.drain()
        writer.close()
