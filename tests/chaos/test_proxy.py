"""The proxy of a fault run: what goes through, and what does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.chaos.proxy import Place, Proxy, Wire

PATIENCE = 10.0


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer each line with itself."""
    async for line in reader:
        writer.write(line)
    writer.close()


@pytest.fixture(params=["tcp", "unix"])
async def proxy(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Proxy]:
    """A proxy in front of a server that answers with what it is told."""
    place: Place
    target: Place
    if request.param == "unix":
        server = await asyncio.start_unix_server(echo, tmp_path / "far")
        place, target = tmp_path / "near", tmp_path / "far"
    else:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        place, target = ("127.0.0.1", 0), ("127.0.0.1", server.sockets[0].getsockname()[1])
    one = Proxy(place)
    one.target = target
    await one.start()
    yield one
    await one.close()
    server.close()


async def connect(proxy: Proxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if isinstance(proxy.target, Path):
        return await asyncio.open_unix_connection(proxy.target.parent / "near")
    return await asyncio.open_connection("127.0.0.1", proxy.port)


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, text: bytes) -> bytes:
    writer.write(text + b"\n")
    async with asyncio.timeout(PATIENCE):
        return await reader.readline()


async def test_all_goes_through(proxy: Proxy) -> None:
    reader, writer = await connect(proxy)
    assert await ask(reader, writer, b"hello") == b"hello\n"
    Wire([proxy]).slow(0.0, 0.001)
    assert await ask(reader, writer, b"slower") == b"slower\n"
    writer.close()


async def test_what_is_held_comes_later_and_in_order(proxy: Proxy) -> None:
    reader, writer = await connect(proxy)
    assert await ask(reader, writer, b"before") == b"before\n"
    wire = Wire([proxy])
    wire.hold()
    answers = asyncio.create_task(reader.readline())
    writer.write(b"held\n")
    other_reader, other_writer = await connect(proxy)
    other = asyncio.create_task(ask(other_reader, other_writer, b"new"))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not answers.done()
    assert not other.done()
    wire.flow()
    assert await answers == b"held\n"
    assert await other == b"new\n"
    for each in (writer, other_writer):
        each.close()


async def test_connections_end_at_a_cut_and_can_be_made_anew(proxy: Proxy) -> None:
    reader, writer = await connect(proxy)
    assert await ask(reader, writer, b"before") == b"before\n"
    assert proxy.connections == 1
    Wire([proxy]).cut()
    async with asyncio.timeout(PATIENCE):
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
    writer.close()
    again = await connect(proxy)
    assert await ask(*again, b"after") == b"after\n"
    again[1].close()


async def test_nobody_behind_it(proxy: Proxy, tmp_path: Path) -> None:
    reader, writer = await connect(proxy)
    assert await ask(reader, writer, b"before") == b"before\n"
    Wire([proxy]).hold()
    later_reader, later_writer = await connect(proxy)
    proxy.target = tmp_path / "nobody"
    Wire([proxy]).flow()
    async with asyncio.timeout(PATIENCE):
        with suppress(ConnectionResetError):
            assert await later_reader.read() == b""
    assert await ask(reader, writer, b"still there") == b"still there\n"
    for each in (writer, later_writer):
        each.close()
