"""A small HTTP server that answers what a test tells it to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec


class Request(msgspec.Struct, frozen=True):
    """What came; names of headers in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class HttpServer:
    """Answers each request by a function of it: status and body.

    Attributes:
        url: where it is.
        requests: what came so far.
        came: set whenever something came.
    """

    def __init__(self, answer: Callable[[Request], tuple[int, bytes]]) -> None:
        self.answer = answer
        self.url = ""
        self.requests: list[Request] = []
        self.came = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            method, path, _ = head[0].split(" ")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:]) if name}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            request = Request(method, path, headers, body)
            self.requests.append(request)
            self.came.set()
            status, content = self.answer(request)
            lines = f"HTTP/1.1 {status} x\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n"
            writer.write(lines.encode() + content)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def http_server(answer: Callable[[Request], tuple[int, bytes]]) -> AsyncIterator[HttpServer]:
    """A server that runs, on a free port."""
    server = HttpServer(answer)
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listening:
        server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        yield server
