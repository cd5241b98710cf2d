"""Calls to servers that are there, and to what is not one."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import ssl as tls
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from godwit.errors import InvalidRequest
from godwit.wire.connection import BY_PEER, Connection, State
from godwit.wire.dial import connect_tcp, connect_ws
from tests.wire.peers import DEADLINE, Lobby, Recorder


@pytest_asyncio.fixture
async def mute() -> AsyncIterator[socket.socket]:
    """A listening socket of somebody who never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


async def free_port() -> int:
    """Find a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


async def test_nobody_is_there() -> None:
    owner = Recorder()
    port = await free_port()
    with pytest.raises(OSError, match=r"refused|failed"):
        await connect_tcp("127.0.0.1", port, owner)
    with pytest.raises(OSError, match=r"refused|failed"):
        await connect_ws(f"ws://127.0.0.1:{port}/", owner)
    assert owner.reasons == []


async def test_a_server_that_never_answers_the_handshake_is_given_up(mute: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    owner = Recorder()
    with pytest.raises(TimeoutError):
        await connect_ws(f"ws://127.0.0.1:{mute.getsockname()[1]}/", owner, timeout=0.01)
    assert owner.reasons == []
    async with asyncio.timeout(DEADLINE):
        accepted, _ = await loop.sock_accept(mute)
        with accepted, contextlib.suppress(ConnectionResetError):
            while await loop.sock_recv(accepted, 4096):
                pass


@pytest.mark.parametrize("websocket", [False, True])
async def test_a_call_may_be_cancelled_at_any_time(lobby: Lobby, websocket: bool) -> None:
    """Its owner hears nothing then, and the connection does not stay open."""
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    listener = await lobby.listen(websocket)
    cancelled: list[Recorder] = []
    for turns in range(30):
        owner = Recorder()
        if websocket:
            call = asyncio.create_task(connect_ws(f"ws://127.0.0.1:{listener.port}/", owner))
        else:
            call = asyncio.create_task(connect_tcp("127.0.0.1", listener.port, owner))
        for _ in range(turns):
            await asyncio.sleep(0)
        call.cancel()
        try:
            (await call).abort("came in time")
        except asyncio.CancelledError:
            cancelled.append(owner)
    async with asyncio.timeout(DEADLINE):
        await listener.wait_empty()
    assert cancelled
    assert [owner.reasons for owner in cancelled] == [[]] * len(cancelled)
    del call
    gc.collect()
    assert complaints == []


async def test_a_server_that_does_not_speak_websocket_is_refused(lobby: Lobby) -> None:
    listener = await lobby.listen(websocket=False)
    owner = Recorder()
    with pytest.raises(ConnectionRefusedError, match="not a chat server"):
        await connect_ws(f"ws://127.0.0.1:{listener.port}/", owner)
    assert owner.reasons == []


async def test_a_server_that_does_not_speak_tls_is_refused(lobby: Lobby) -> None:
    listener = await lobby.listen(websocket=False)
    with pytest.raises(OSError, match=r"SSL|TLS|ssl"):
        await connect_tcp("127.0.0.1", listener.port, Recorder(), ssl=tls.create_default_context())


async def test_an_address_that_is_none() -> None:
    with pytest.raises(InvalidRequest):
        await connect_ws("http://127.0.0.1/", Recorder())


@pytest.mark.parametrize("websocket", [False, True])
async def test_what_the_server_says_at_once_is_heard(lobby: Lobby, websocket: bool) -> None:
    class Greeter(Recorder):
        def __init__(self, connection: Connection | None = None) -> None:
            super().__init__(connection)
            assert connection is not None
            connection.write(b"welcome\r\n")

    listener = await lobby.listen(websocket, kind=Greeter)
    connection, owner = await lobby.call(listener, websocket)
    assert connection.state is State.OPEN
    assert await owner.heard(b"\r\n") == b"welcome\r\n"


async def test_a_long_frame_of_a_server_is_heard(lobby: Lobby) -> None:
    """Rule WS-2: the answer to a JOIN is one frame, however many names it lists."""
    listener = await lobby.listen(websocket=True)
    _, owner = await lobby.call(listener, websocket=True)
    (echo,) = await lobby.came()
    assert echo.connection is not None
    echo.connection.write(b"x" * 500_000 + b"\r\n")
    await owner.until(lambda: len(owner.data) == 500_002)


@pytest.mark.parametrize("websocket", [False, True])
async def test_both_sides_learn_of_the_end_once(lobby: Lobby, websocket: bool) -> None:
    listener = await lobby.listen(websocket)
    connection, owner = await lobby.call(listener, websocket)
    (echo,) = await lobby.came()
    connection.close("seen enough")
    assert await owner.gone() == "seen enough"
    assert await echo.gone() == BY_PEER
    async with asyncio.timeout(DEADLINE):
        listener.close()
        await listener.wait_empty()
    assert connection.state is State.CLOSED
