"""Listeners over real sockets on the loopback."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from godwit.wire.connection import BY_PEER, NOT_READING, NOT_READY, NOT_WANTED, Connection, Limits
from godwit.wire.listener import Listener, listen_tcp
from godwit.wire.websocket import WHAT_THIS_IS
from tests.wire.peers import DEADLINE, Echo, Lobby, Recorder, anonymous_tls, logged

both = pytest.mark.parametrize("websocket", [False, True], ids=["tcp", "ws"])


def raw(listener: Listener) -> socket.socket:
    """Open a plain socket to a listener."""
    plain = socket.create_connection(("127.0.0.1", listener.port))
    plain.setblocking(False)
    return plain


async def read_all(plain: socket.socket) -> bytes:
    """Read until the other side closes."""
    found = b""
    async with asyncio.timeout(DEADLINE):
        while piece := await asyncio.get_running_loop().sock_recv(plain, 65536):
            found += piece
    return found


@both
async def test_echo(lobby: Lobby, websocket: bool) -> None:
    listener = await lobby.listen(websocket)
    connection, owner = await lobby.call(listener, websocket)
    connection.write(b"one\r\n")
    assert await owner.heard(b"one\r\n") == b"one\r\n"
    (echo,) = await lobby.came()
    assert echo.connection is not None
    assert echo.connection.websocket is websocket
    assert echo.connection.peer.startswith("127.0.0.1:")
    assert listener.connections == {echo.connection}
    assert listener.statistics().connections == 1


@both
async def test_echo_over_tls(lobby: Lobby, websocket: bool) -> None:
    ours, theirs = anonymous_tls()
    listener = await lobby.listen(websocket, ssl=ours)
    connection, owner = await lobby.call(listener, websocket, ssl=theirs)
    connection.write(b"secret\r\n" * 6_000)
    await owner.until(lambda: len(owner.data) == 48_000)
    connection.close("done")
    assert await owner.gone() == "done"
    (echo,) = await lobby.came()
    assert await echo.gone() == BY_PEER


@both
async def test_a_connection_knows_whether_it_is_encrypted(lobby: Lobby, websocket: bool) -> None:
    ours, theirs = anonymous_tls()
    for number, ssl in enumerate((None, theirs), 1):
        listener = await lobby.listen(websocket, ssl=ours if ssl else None)
        connection, _ = await lobby.call(listener, websocket, ssl=ssl)
        echo = (await lobby.came(number))[-1]
        assert echo.connection is not None
        assert echo.connection.secure is connection.secure is (ssl is not None)


@both
async def test_who_fails_the_tls_handshake_harms_nobody(lobby: Lobby, websocket: bool) -> None:
    ours, theirs = anonymous_tls()
    listener = await lobby.listen(websocket, ssl=ours)
    with raw(listener) as plain:
        await asyncio.get_running_loop().sock_sendall(plain, b"NICK somebody\r\n" * 10)
        await read_all(plain)
    connection, owner = await lobby.call(listener, websocket, ssl=theirs)
    connection.write(b"fine\r\n")
    await owner.heard(b"fine\r\n")
    assert len(lobby.owners) == 1


@both
async def test_small_packets_are_not_held_back(lobby: Lobby, websocket: bool) -> None:
    listener = await lobby.listen(websocket)
    connection, _ = await lobby.call(listener, websocket)
    (echo,) = await lobby.came()
    assert echo.connection is not None
    for end in (connection, echo.connection):
        assert end._transport is not None
        end_socket = end._transport.get_extra_info("socket")
        assert end_socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_the_kernel_keeps_little_for_who_does_not_read(lobby: Lobby) -> None:
    listener = await lobby.listen(websocket=False)
    await lobby.call(listener, websocket=False)
    (echo,) = await lobby.came()
    assert echo.connection is not None
    assert echo.connection._transport is not None
    here = echo.connection._transport.get_extra_info("socket")
    assert here.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == 131_072


async def test_another_library_talks_over_websocket(lobby: Lobby) -> None:
    """Rules WS-1 and WS-2: subprotocol, a message per piece, pings, binary, close."""
    listener = await lobby.listen(websocket=True)
    url = f"ws://127.0.0.1:{listener.port}/"
    async with connect(url, subprotocols=[Subprotocol("irc")], proxy=None) as client:
        assert client.subprotocol == "irc"
        (echo,) = await lobby.came()
        await client.send("PASS x")
        assert await client.recv() == "PASS x\r\n"
        await client.send(b"binary")
        assert await client.recv() == "binary\r\n"
        assert echo.connection is not None
        echo.connection.write_frames([b"one\r\n", b"two\r\nthree\r\n"])
        assert await client.recv() == "one\r\n"
        assert await client.recv() == "two\r\nthree\r\n"
        async with asyncio.timeout(DEADLINE):
            await (await client.ping())
    assert client.close_code == 1000
    assert await echo.gone() == BY_PEER


async def test_a_probe_that_opens_and_closes_is_harmless(lobby: Lobby) -> None:
    """Old tmi.js opens and closes a WebSocket before each real connection."""
    listener = await lobby.listen(websocket=True)
    async with connect(f"ws://127.0.0.1:{listener.port}/", proxy=None):
        pass
    (probe,) = await lobby.came()
    assert await probe.gone() == BY_PEER
    assert probe.data == b""
    connection, owner = await lobby.call(listener, websocket=True)
    connection.write(b"PING\r\n")
    await owner.heard(b"PING\r\n")


@pytest.mark.parametrize(
    "sent", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"NICK somebody\r\nUSER x\r\n"], ids=["http", "irc"]
)
async def test_who_does_not_speak_websocket_is_told(lobby: Lobby, sent: bytes) -> None:
    listener = await lobby.listen(websocket=True)
    with raw(listener) as plain:
        await asyncio.get_running_loop().sock_sendall(plain, sent)
        answer = await read_all(plain)
    assert answer.startswith(b"HTTP/1.1 4")
    assert answer.endswith(b"\r\n\r\n" + WHAT_THIS_IS)
    assert lobby.owners == []


async def test_an_over_long_frame_closes_its_connection_only(lobby: Lobby) -> None:
    listener = await lobby.listen(websocket=True, limits=Limits(max_frame=100))
    bad, bad_owner = await lobby.call(listener, websocket=True)
    good, good_owner = await lobby.call(listener, websocket=True)
    bad.write(b"x" * 101)
    await bad_owner.gone()
    good.write(b"x" * 98 + b"\r\n")
    await good_owner.heard(b"x\r\n")
    reasons = [owner.reasons for owner in await lobby.came(2)]
    assert sorted(map(len, reasons)) == [0, 1]


@both
async def test_a_server_closes_with_a_reason(lobby: Lobby, websocket: bool) -> None:
    listener = await lobby.listen(websocket)
    _, owner = await lobby.call(listener, websocket)
    (echo,) = await lobby.came()
    assert echo.connection is not None
    echo.connection.write(b"goodbye\r\n")
    echo.connection.close("login timeout")
    assert await echo.gone() == "login timeout"
    assert await owner.gone() == BY_PEER
    assert owner.data == b"goodbye\r\n"


async def test_a_half_closed_peer_gets_its_answer_and_is_let_go(lobby: Lobby) -> None:
    listener = await lobby.listen(websocket=False)
    with raw(listener) as plain:
        await asyncio.get_running_loop().sock_sendall(plain, b"QUIT\r\n")
        plain.shutdown(socket.SHUT_WR)
        assert await read_all(plain) == b"QUIT\r\n"
    (echo,) = await lobby.came()
    assert await echo.gone() == BY_PEER


async def test_a_reset_peer_is_noticed(lobby: Lobby) -> None:
    listener = await lobby.listen(websocket=False)
    plain = raw(listener)
    (echo,) = await lobby.came()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    plain.close()
    assert (await echo.gone()).startswith("connection lost")
    await listener.wait_empty()


@both
async def test_who_does_not_read_is_cut_and_the_others_go_on(lobby: Lobby, websocket: bool) -> None:
    listener = await lobby.listen(websocket, limits=Limits(send_buffer=200_000))
    slow, slow_owner = await lobby.call(listener, websocket)
    (slow_here,) = await lobby.came(1)
    good, good_owner = await lobby.call(listener, websocket)
    _, good_here = await lobby.came(2)
    assert slow._transport is not None
    slow._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow._transport.pause_reading()
    line = b"x" * 1000 + b"\r\n"
    sent = 0
    async with logged() as log, asyncio.timeout(DEADLINE):
        while not slow_here.reasons:
            for owner in (slow_here, good_here):
                assert owner.connection is not None
                owner.connection.write_frames([line] * 50)
            sent += 50 * len(line)
            await good_owner.until(lambda sent=sent: len(good_owner.data) == sent)  # type: ignore[misc]
    assert slow_here.reasons == [NOT_READING]
    assert (await log.said("connection_cut"))["reason"] == NOT_READING
    assert good_here.reasons == []
    slow._transport.resume_reading()
    assert (await slow_owner.gone()).startswith("connection lost")
    assert len(slow_owner.data) < sent
    good.write(b"still here\r\n")
    await good_owner.heard(b"still here\r\n")


@both
async def test_a_closed_listener_takes_nobody_and_keeps_who_is_in(lobby: Lobby, websocket: bool) -> None:
    listener = await lobby.listen(websocket)
    connection, owner = await lobby.call(listener, websocket)
    listener.close()
    listener.close()
    with pytest.raises(OSError, match=r"refused|failed"):
        await lobby.call(listener, websocket)
    connection.write(b"still in\r\n")
    await owner.heard(b"still in\r\n")
    connection.close("leaving")
    async with asyncio.timeout(DEADLINE):
        await listener.wait_empty()
    assert [echo.reasons for echo in lobby.owners] == [[BY_PEER]]
    assert listener.statistics().connections == 0


async def test_closing_cuts_who_is_still_shaking_hands(lobby: Lobby) -> None:
    listener = await lobby.listen(websocket=True)
    with raw(listener) as plain:
        connection, _ = await lobby.call(listener, websocket=True)  # came later, so the other was accepted
        connection.close("leaving")
        assert listener.statistics().opening == 1
        async with logged() as log:
            listener.close()
            await listener.wait_empty()
        assert [entry["reason"] for entry in log.all("connection_closed")].count(NOT_WANTED) == 1
        with pytest.raises(ConnectionResetError):
            await read_all(plain)
    assert len(lobby.owners) == 1


async def test_who_never_finishes_the_handshake_is_cut(lobby: Lobby) -> None:
    listener = await lobby.listen(websocket=True, limits=Limits(handshake_timeout=0.01))
    async with logged() as log:
        with raw(listener) as plain:
            await asyncio.get_running_loop().sock_sendall(plain, b"GET / HTTP/1.1\r\n")
            assert (await log.said("connection_closed"))["reason"] == NOT_READY
    assert lobby.owners == []


async def test_an_owner_that_fails_loses_its_own_connection_only(lobby: Lobby) -> None:
    class Broken(Echo):
        def data_received(self, connection: Connection, data: bytes) -> None:
            if data.startswith(b"boom"):
                raise RuntimeError("a bug of ours")
            super().data_received(connection, data)

    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context["exception"]))
    listener = await lobby.listen(websocket=False, kind=Broken)
    bad, bad_owner = await lobby.call(listener, websocket=False)
    good, good_owner = await lobby.call(listener, websocket=False)
    bad.write(b"boom\r\n")
    await bad_owner.gone()
    assert bad_owner.data == b""
    good.write(b"fine\r\n")
    await good_owner.heard(b"fine\r\n")
    assert [repr(failure) for failure in failures] == ["RuntimeError('a bug of ours')"]


async def test_running_out_of_file_descriptors_is_logged_once_each_time_and_not_fatal(lobby: Lobby) -> None:
    listener = await lobby.listen(websocket=False, limits=Limits(accept_retry=0))
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    loop = asyncio.get_running_loop()
    for outage in (1, 2):
        with socket.socket() as plain:
            plain.setblocking(False)
            free = os.dup(0)
            os.close(free)
            async with logged() as log:
                resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
                try:
                    await loop.sock_connect(plain, ("127.0.0.1", listener.port))
                    await log.said("accept_failed")
                    for _ in range(20):  # it goes on trying
                        await asyncio.sleep(0)
                finally:
                    resource.setrlimit(resource.RLIMIT_NOFILE, (before, hard))
                await lobby.came(outage)
                await loop.sock_sendall(plain, b"at last\r\n")
                async with asyncio.timeout(DEADLINE):
                    assert await loop.sock_recv(plain, 100) == b"at last\r\n"
            assert len(log.all("accept_failed")) == 1


async def test_a_taken_port_is_an_error(lobby: Lobby) -> None:
    listener = await lobby.listen(websocket=False)
    with pytest.raises(OSError, match="in use"):
        await listen_tcp("127.0.0.1", listener.port, Recorder)


@both
async def test_many_at_once(lobby: Lobby, websocket: bool) -> None:
    """More than are accepted in one turn, all served."""
    listener = await lobby.listen(websocket)
    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(lobby.call(listener, websocket)) for _ in range(150)]
    for call in calls:
        connection, owner = call.result()
        connection.write(b"x\r\n")
        await owner.heard(b"x\r\n")
    assert listener.statistics().accepted == 150


@both
async def test_processes_may_share_a_port(lobby: Lobby, websocket: bool) -> None:
    """If all of them ask for that; who is told to close gets no more connections, the other gets them all."""
    first = await lobby.listen(websocket, reuse_port=True)
    second = await lobby.listen(websocket, port=first.port, reuse_port=True)
    assert second.port == first.port
    first.close()
    for _ in range(5):
        await lobby.call(second, websocket)
    assert (first.statistics().accepted, second.statistics().accepted) == (0, 5)
    with pytest.raises(OSError, match="in use"):
        await lobby.listen(websocket, port=first.port)


async def test_a_crowd_is_taken_at_once_and_let_in_bit_by_bit(lobby: Lobby) -> None:
    """What others wait for is what a few newcomers do, not a thousand."""
    listener = await lobby.listen(websocket=False)
    crowd = [raw(listener) for _ in range(100)]
    for plain in crowd:
        plain.send(b"hello\r\n")
    most = last = turns = 0
    async with asyncio.timeout(DEADLINE):
        while len(lobby.owners) < 100:
            await asyncio.sleep(0)
            turns += bool(listener.statistics().accepted)
            most, last = max(most, len(lobby.owners) - last), len(lobby.owners)
            assert listener.statistics().accepted in (0, 100)
    assert most == 32
    for plain in crowd:
        plain.close()


async def test_closing_turns_away_who_was_taken_and_is_not_in_yet(lobby: Lobby) -> None:
    listener = await lobby.listen(websocket=False)
    crowd = [raw(listener) for _ in range(100)]
    async with asyncio.timeout(DEADLINE):
        while not listener.statistics().accepted:  # noqa: ASYNC110  (nobody is told when they are taken)
            await asyncio.sleep(0)
    opening = listener.statistics().opening
    assert opening == 100 - len(lobby.owners) > 0
    listener.close()
    assert listener.statistics().opening == 0
    for plain in crowd:
        plain.shutdown(socket.SHUT_WR)  # so that who is in goes, too
        with contextlib.suppress(ConnectionResetError):
            assert await read_all(plain) == b""
        plain.close()
    async with asyncio.timeout(DEADLINE):
        await listener.wait_empty()
    assert len(lobby.owners) == 100 - opening
    assert all(owner.reasons == [BY_PEER] for owner in lobby.owners)
