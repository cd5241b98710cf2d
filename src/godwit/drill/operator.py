"""The operator of a drill: asks the HTTP API for moves and watches them."""

from __future__ import annotations

import asyncio
import http.client
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import msgspec

from godwit.errors import GodwitError, MoveRefused

DONE = ("draining", "settled")
"""States of a move that has switched the channel."""

ENDED = (*DONE, "cancelled", "failed")
"""States in which there is nothing more to wait for."""


REQUEST_PATIENCE = 60.0
"""Seconds that one request may take, its own waiting included."""


class ApiError(GodwitError):
    """The API answered with an error; the message is its own."""


class MoveSeen(msgspec.Struct, frozen=True):
    """A move as the API shows it."""

    id: str
    state: str
    version: int = 0
    error: str = ""


class Listed(msgspec.Struct, frozen=True):
    """What the directory says of a cluster: `host:port` of each edge, for TCP and for WebSocket."""

    servers: tuple[str, ...]
    websockets_servers: tuple[str, ...]


class Operator:
    """Speaks to the API, each call in a thread of a small pool of its own.

    Args:
        api: base address, `http://host:port`.
        threads: calls that may wait at once.
    """

    def __init__(self, api: str, token: str, threads: int) -> None:
        self._netloc = urlsplit(api).netloc
        self._token = token
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="operator")

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=False)

    async def move(self, channel: str, to: str) -> MoveSeen:
        """Wish for a move.

        Raises:
            MoveRefused: the channel's state does not allow it now.
            ApiError: the API said no for another reason.
            OSError: the API could not be reached.
        """
        return await self._call("POST", f"/channels/{channel}/move", {"to": to, "reason": "drill", "by": "drill"})

    async def wait_step(self, move: MoveSeen) -> MoveSeen:
        """Return the move when it has gone a step further, or as it is after a second."""
        return await self._call("GET", f"/moves/{move.id}/wait?until=settled&after_version={move.version}&timeout=1")

    async def look(self, move: MoveSeen) -> MoveSeen:
        """The move as it is now."""
        return await self._call("GET", f"/moves/{move.id}")

    async def servers(self, cluster: str) -> Listed:
        """The addresses of a cluster, as the directory tells clients."""
        return msgspec.json.decode(await self.ask("GET", f"/servers?cluster={cluster}"), type=Listed)

    async def ask(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> bytes:
        """Send a request and return the answer's body.

        Args:
            body: sent as it is if it is text, else as JSON.
            kind: the content type.

        Raises:
            MoveRefused: the state of what it is about does not allow it now.
            ApiError: the API said no for another reason.
            OSError: the API could not be reached.
        """
        content = body if body is None or isinstance(body, str) else json.dumps(body)
        status, answer = await asyncio.get_running_loop().run_in_executor(
            self._pool, self._request, method, path, content, kind
        )
        if status == 409:
            raise MoveRefused(_error(answer))
        if status >= 300:
            raise ApiError(f"{method} {path}: {status} {_error(answer)}")
        return answer

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> MoveSeen:
        return msgspec.json.decode(await self.ask(method, path, body), type=MoveSeen)

    def _request(self, method: str, path: str, body: str | None, kind: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self._netloc, timeout=REQUEST_PATIENCE)
        try:
            headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind}
            connection.request(method, path, None if body is None else body.encode(), headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


def _error(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["error"])
    except (ValueError, KeyError, TypeError):
        return answer[:200].decode("utf-8", "replace")
