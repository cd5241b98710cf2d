"""The service behind the gate that turns red."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

from godwit.drill.rollout_desk import Desk


async def ask(url: str, request: bytes = b"") -> Any:
    """Post something as the server does; the answer's body."""
    where = urlsplit(url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(request or b"POST /gate HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert not head or head.startswith(b"HTTP/1.1 200 OK\r\n")
    return json.loads(body) if body else None


async def test_it_passes_until_it_is_red() -> None:
    async with Desk() as desk:
        assert (await ask(desk.url))["verdict"] == "pass"
        desk.red = True
        assert await ask(desk.url) == {"verdict": "fail", "detail": "the drill says no"}
        assert desk.asked == 2


async def test_nonsense_is_not_answered() -> None:
    """And harms nobody."""
    async with Desk() as desk:
        assert await ask(desk.url, b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n") is None
        assert (await ask(desk.url))["verdict"] == "pass"
        assert desk.asked == 1
