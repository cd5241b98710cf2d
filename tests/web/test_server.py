"""The embedded HTTP server, over real sockets on free ports."""

from __future__ import annotations

import asyncio
import signal

import httpx
import pytest
from fastapi import FastAPI
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from godwit.web.server import serve, warm


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that says hello."""
    await PlainTextResponse("hello")(scope, receive, send)


async def test_a_free_port_is_told_and_answers() -> None:
    """Port 0 takes one that is free."""
    running = await serve(hello, "127.0.0.1", 0)
    try:
        assert running.port > 0
        assert running.url == f"http://127.0.0.1:{running.port}"
        async with httpx.AsyncClient() as client:
            response = await client.get(running.url)
        assert response.text == "hello"
        assert "server" not in response.headers
    finally:
        await running.stop()


async def test_after_a_stop_nobody_answers() -> None:
    """Stopping twice does no harm, and who waits for the end is told."""
    running = await serve(hello, "127.0.0.1", 0)
    waiter = asyncio.create_task(running.wait_stopped())
    await running.stop()
    await running.stop()
    await waiter
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(running.url)


async def test_a_stop_lets_a_request_under_way_end() -> None:
    """What was asked before is answered."""
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        arrived.set()
        await go_on.wait()
        await hello(scope, receive, send)

    running = await serve(slow, "127.0.0.1", 0)
    async with httpx.AsyncClient() as client:
        asked = asyncio.create_task(client.get(running.url))
        await arrived.wait()
        stopping = asyncio.create_task(running.stop())
        await asyncio.sleep(0)
        go_on.set()
        assert (await asked).text == "hello"
        await stopping


async def test_a_port_that_is_taken_is_named() -> None:
    """The error is what an operator has to know."""
    running = await serve(hello, "127.0.0.1", 0)
    try:
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{running.port}: "):
            await serve(hello, "127.0.0.1", running.port)
    finally:
        await running.stop()


async def test_signals_are_left_alone() -> None:
    """Who embeds the server decides what SIGTERM means."""
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    running = await serve(hello, "127.0.0.1", 0)
    try:
        assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    finally:
        await running.stop()


async def test_a_warm_app_has_been_asked_once() -> None:
    """So that the first who asks it does not wait, nor anybody else on this loop."""
    asked: list[tuple[str, str]] = []

    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append((scope["method"], scope["path"]))
        await hello(scope, receive, send)

    await warm(noting)
    assert asked == [("GET", "/no-such-path")]


async def test_a_warm_app_has_built_what_it_needs() -> None:
    """FastAPI makes its stack and routes at the first request."""
    app = FastAPI()
    assert app.middleware_stack is None
    await warm(app)
    assert app.middleware_stack is not None
