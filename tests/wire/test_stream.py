"""Streams over real sockets: they lose nothing, tell of every end once, and end bit by bit."""

from __future__ import annotations

import asyncio
import gc
import socket
import struct
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from godwit.wire.connection import HEARD_AT_ONCE
from godwit.wire.stream import AVAILABLE, GREETED, SEEN_OFF, Stream, Watch
from tests.wire.peers import DEADLINE

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="there is no epoll here")

RESET = struct.pack("ii", 1, 0)

MUCH = bytes(range(256)) * 16_384


class Owner(asyncio.Protocol):
    """Takes down what it is told."""

    def __init__(self, lost: Callable[[], None] = lambda: None) -> None:
        self.stream: Stream | None = None
        self.data = b""
        self.told: list[str] = []
        self.error: Exception | None = None
        self._lost = lost

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, Stream)
        self.stream = transport

    def data_received(self, data: bytes) -> None:
        assert 0 < len(data) <= HEARD_AT_ONCE
        self.data += data

    def eof_received(self) -> None:
        self.told.append("end")

    def pause_writing(self) -> None:
        self.told.append("full")

    def resume_writing(self) -> None:
        self.told.append("empty")

    def connection_lost(self, exc: Exception | None) -> None:
        self.told.append("lost")
        self.error = exc
        self._lost()


class Hall:
    """A watch, and pairs of sockets."""

    def __init__(self) -> None:
        self.watch = Watch(asyncio.get_running_loop())
        self.faults: list[object] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        asyncio.get_running_loop().set_exception_handler(lambda _, told: self.faults.append(told["exception"]))

    def pair(self, owner: Owner) -> tuple[socket.socket, Stream]:
        """A client, and the stream that it came in by."""
        client = socket.create_connection(self._listening.getsockname())
        client.setblocking(False)
        accepted, _ = self._listening.accept()
        accepted.setblocking(False)
        self.watch.admit(accepted, owner)
        assert owner.stream is not None
        return client, owner.stream

    def close(self) -> None:
        """Let all go."""
        self.watch.close()
        self._listening.close()


@contextmanager
def hall() -> Iterator[Hall]:
    found = Hall()
    try:
        yield found
    finally:
        found.close()


async def until(there: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not there():  # noqa: ASYNC110  (an owner that waits for nothing tells nobody)
            await asyncio.sleep(0)


async def read_all(client: socket.socket) -> bytes:
    found = b""
    async with asyncio.timeout(DEADLINE):
        while piece := await asyncio.get_running_loop().sock_recv(client, 65536):
            found += piece
    return found


async def test_who_hangs_up_with_a_thousand_others_keeps_nobody_waiting() -> None:
    with hall() as found:
        gone: list[int] = []
        crowd = [found.pair(Owner(lambda: gone.append(1)))[0] for _ in range(5 * SEEN_OFF)]
        other = Owner()
        talker, _ = found.pair(other)
        for number, client in enumerate(crowd):
            if number % 2:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            client.close()
        talker.send(b"hello")
        turns = most = last = heard_at = 0
        async with asyncio.timeout(DEADLINE):
            while len(gone) < len(crowd):
                await asyncio.sleep(0)
                turns += len(gone) > last
                most, last = max(most, len(gone) - last), len(gone)
                if other.data and not heard_at:
                    heard_at = len(gone)
        assert 0 < most <= SEEN_OFF
        assert turns >= 5
        assert other.data == b"hello"
        assert heard_at <= SEEN_OFF
        talker.close()
        await until(lambda: other.told == ["end", "lost"])


async def test_a_crowd_is_greeted_bit_by_bit_and_who_is_in_is_heard_first() -> None:
    with hall() as found:
        heard: list[str] = []

        class Talker(Owner):
            def __init__(self, name: str) -> None:
                super().__init__()
                self.name = name

            def data_received(self, data: bytes) -> None:
                super().data_received(data)
                heard.append(self.name)

        old = Talker("old")
        talker, _ = found.pair(old)
        talker.send(b"first words")
        await until(lambda: heard)
        heard.clear()
        crowd = [found.pair(Talker(f"new{number}")) for number in range(4 * GREETED)]
        for client, _ in crowd:
            client.send(b"hello")
        talker.send(b"hello")
        most = last = 0
        async with asyncio.timeout(DEADLINE):
            while len(heard) <= len(crowd):
                await asyncio.sleep(0)
                most, last = max(most, len(heard) - last), len(heard)
        assert heard == ["old", *(f"new{number}" for number in range(4 * GREETED))]
        assert most == GREETED + 1
        for client in (talker, *(client for client, _ in crowd)):
            client.send(b"bye")
            client.close()
        await until(lambda: not found.watch._streams)
        assert old.data == b"first wordshellobye"
        assert sorted(heard) == sorted(2 * ["old", *(f"new{number}" for number in range(4 * GREETED))])


@pytest.mark.parametrize("end", ["close", "abort", "nothing"])
async def test_who_was_written_to_before_it_said_anything_hears_all_the_same(end: str) -> None:
    with hall() as found:
        owner = Owner()
        client, stream = found.pair(owner)
        stream.write(MUCH)
        if end == "abort":
            client.send(b"hello")
            stream.abort()
        elif end == "close":
            stream.close()
            assert await read_all(client) == MUCH
        else:
            client.send(b"hello")
            client.shutdown(socket.SHUT_WR)
            assert await read_all(client) == MUCH
            assert owner.data == b"hello"
        await until(lambda: "lost" in owner.told)
        client.close()


async def test_last_words_are_heard_however_many_they_are() -> None:
    with hall() as found:
        owner = Owner()
        client, _ = found.pair(owner)
        await asyncio.wait_for(asyncio.get_running_loop().sock_sendall(client, MUCH), DEADLINE)
        client.close()
        await until(lambda: "lost" in owner.told)
        assert owner.data == MUCH
        assert owner.told == ["end", "lost"]
        assert owner.error is None


async def test_who_has_said_all_still_hears_all() -> None:
    """Of what one side says much waits when the other has finished; it comes, and then the end."""
    with hall() as found:
        owner = Owner()
        client, stream = found.pair(owner)
        stream.write(MUCH)
        assert owner.told == ["full"]
        assert 0 < stream.get_write_buffer_size() < len(MUCH)
        stream.write(b"and more")
        client.shutdown(socket.SHUT_WR)
        await until(lambda: "end" in owner.told)
        assert await read_all(client) == MUCH + b"and more"
        await until(lambda: "lost" in owner.told)
        assert owner.told == ["full", "end", "empty", "lost"]
        client.close()


async def test_closing_sends_what_waits() -> None:
    with hall() as found:
        owner = Owner()
        client, stream = found.pair(owner)
        stream.write(MUCH)
        stream.close()
        stream.close()
        stream.write(b"too late")
        assert stream.is_closing()
        assert await read_all(client) == MUCH
        await until(lambda: "lost" in owner.told)
        assert owner.told == ["full", "empty", "lost"]
        client.close()


async def test_it_goes_on_hearing_when_all_was_taken() -> None:
    with hall() as found:
        owner = Owner()
        client, stream = found.pair(owner)
        stream.write(MUCH)
        client.send(b"first")
        await until(lambda: owner.data == b"first")
        received = 0
        async with asyncio.timeout(DEADLINE):
            while received < len(MUCH):
                received += len(await asyncio.get_running_loop().sock_recv(client, 65536))
        await until(lambda: owner.told == ["full", "empty"])
        assert stream.get_write_buffer_size() == 0
        client.send(b", second")
        await until(lambda: owner.data == b"first, second")
        client.close()
        await until(lambda: "lost" in owner.told)


@pytest.mark.parametrize("waiting", [False, True])
async def test_aborting_ends_it_in_a_turn_of_its_own(waiting: bool) -> None:
    with hall() as found:
        owner = Owner()
        client, stream = found.pair(owner)
        if waiting:
            stream.write(MUCH)
            stream.close()
        stream.abort()
        stream.abort()
        assert "lost" not in owner.told
        await until(lambda: "lost" in owner.told)
        assert owner.told.count("lost") == 1
        assert stream.get_extra_info("peername", "gone") == "gone"
        client.close()


async def test_a_reset_is_told_and_leaves_nothing_for_the_garbage_collector() -> None:
    gc.disable()
    try:
        with hall() as found:
            kept = weakref.ref(await lost_by_reset(found))
            assert kept() is None
    finally:
        gc.enable()


async def lost_by_reset(found: Hall) -> Owner:
    owner = Owner()
    client, stream = found.pair(owner)
    stream.write(MUCH)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    client.close()
    await until(lambda: "lost" in owner.told)
    assert isinstance(owner.error, ConnectionError)
    return owner


async def test_writing_to_who_has_gone_tells_of_it_from_the_loop() -> None:
    with hall() as found:
        owner = Owner()
        client, stream = found.pair(owner)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        client.close()
        stream.write(b"hello")
        stream.write(b"hello")
        assert owner.told == []
        await until(lambda: owner.told)
        assert owner.told == ["lost"]
        assert isinstance(owner.error, ConnectionError)


@pytest.mark.parametrize("call", ["connection_made", "data_received", "eof_received", "connection_lost"])
async def test_an_owner_that_fails_costs_the_others_nothing(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*args: object) -> None:
        made(*args)
        raise RuntimeError("a bug of ours")

    with hall() as found:
        bad, good = Owner(), Owner()
        made = getattr(bad, call)
        monkeypatch.setattr(bad, call, fails)
        clients = [found.pair(owner)[0] for owner in (bad, good)]
        for client in clients:
            client.send(b"hello")
            client.close()
        await until(lambda: "lost" in bad.told and "lost" in good.told)
        assert [repr(fault) for fault in found.faults] == ["RuntimeError('a bug of ours')"]
        assert good.data == b"hello"
        assert good.told == ["end", "lost"]
