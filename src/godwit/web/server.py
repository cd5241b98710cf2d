"""An HTTP server inside our own event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message

from godwit.ending import end

GRACE = 3
"""Seconds that requests under way are given at a stop."""

LAST = 2.0
"""Seconds more after which it is ended as it is."""

BACKLOG = 1024
"""Connections that may wait to be accepted."""


class _Server(uvicorn.Server):
    """Uvicorn without its signal handling: who embeds it decides when to stop."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.listening.set()


class Running:
    """An HTTP server that runs."""

    def __init__(self, host: str, port: int, server: _Server, task: asyncio.Task[None]) -> None:
        self.host = host
        self.port = port
        self._server = server
        self._task = task

    @property
    def url(self) -> str:
        """Its address, such as `http://127.0.0.1:8000`; a host that means "all" is told as loopback."""
        host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    async def stop(self) -> None:
        """Accept nothing more, give requests under way `GRACE` seconds, and end. May be called twice."""
        self._server.should_exit = True
        await end(self._task, grace=GRACE + LAST)

    async def wait_stopped(self) -> None:
        """Wait for its end, whoever caused it; raises what it died of."""
        await asyncio.shield(self._task)


async def warm(app: ASGIApp) -> None:
    """Have an app build now what it builds at its first request: the chat of this process shares the loop.

    FastAPI makes its table of routes then, and anyio loads what its threads need: a tenth of a second in all.
    """
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/no-such-path",
        "raw_path": b"/no-such-path",
        "query_string": b"",
        "root_path": "",
        "headers": [],
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        """Nobody hears the answer."""

    await run_in_threadpool(int)
    await app(scope, receive, send)


async def serve(app: ASGIApp, host: str, port: int) -> Running:
    """Serve `app` until `stop` is called.

    Args:
        port: 0 takes a free one; `Running.port` tells which.

    Returns:
        When it listens.

    Raises:
        OSError: the address cannot be had; the message names it.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        sock = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    sock.setblocking(False)
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE,
            backlog=BACKLOG,
        )
    )
    task = asyncio.create_task(server.serve(sockets=[sock]), name="http-server")
    listening = asyncio.create_task(server.listening.wait(), name="http-server-listening")
    try:
        await asyncio.wait({task, listening}, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        task.cancel()
        raise
    finally:
        listening.cancel()
    if task.done():
        sock.close()
        await task
    return Running(host, sock.getsockname()[1], server, task)
