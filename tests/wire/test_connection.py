"""One connection over a transport that counts."""

from __future__ import annotations

import asyncio

import pytest

from godwit.wire.connection import (
    BY_PEER,
    HEARD_AT_ONCE,
    NOT_READING,
    NOT_READY,
    NOT_WANTED,
    Connection,
    Limits,
    State,
)
from godwit.wire.websocket import ClientCodec, ServerCodec, frame, parse_url
from tests.wire.peers import FakeEndpoint, FakeTransport, Recorder

REQUEST = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Ends:
    """A connection with what lies on both of its sides."""

    def __init__(
        self, websocket: bool = False, limits: Limits | None = None, shaken: bool = True, number: int = -1
    ) -> None:
        self.owner = Recorder()
        self.endpoint = FakeEndpoint(self.owner, limits)
        self.transport = FakeTransport()
        self.connection = Connection(self.endpoint, ServerCodec(65536) if websocket else None, number)
        self.transport.on_left = self.connection.pause_writing
        self.connection.connection_made(self.transport)
        if websocket and shaken:
            self.connection.data_received(REQUEST)
            self.connection.flush()
            self.transport.writes.clear()


async def turn() -> None:
    """Let the loop go round once."""
    await asyncio.sleep(0)


async def test_pieces_of_one_turn_leave_in_one_write() -> None:
    ends = Ends()
    ends.connection.write(b"a")
    ends.connection.write_frames([b"b", b"c"])
    ends.connection.write_raw(b"d")
    assert ends.transport.writes == []
    await turn()
    assert ends.transport.writes == [b"abcd"]
    ends.connection.write(b"e")
    await turn()
    assert ends.transport.writes == [b"abcd", b"e"]


async def test_websocket_pieces_are_a_frame_each_and_leave_in_one_write() -> None:
    ends = Ends(websocket=True)
    ready = frame(b"shared\r\n")
    ends.connection.write_frames([b"one\r\n", b"two\r\n"])
    ends.connection.write_raw(ready)
    await turn()
    assert ends.transport.writes == [frame(b"one\r\n") + frame(b"two\r\n") + ready]


async def test_one_piece_is_not_copied() -> None:
    """Bytes that were rendered once are shared by all members, also while they wait."""
    ends = Ends()
    shared = b"x" * 100
    ends.connection.write_raw(shared)
    await turn()
    assert ends.transport.writes[0] is shared


async def test_who_does_not_read_is_cut() -> None:
    ends = Ends(limits=Limits(send_buffer=100))
    ends.transport.unsent = 60
    ends.connection.write(b"x" * 40)
    await turn()
    assert not ends.transport.aborted
    ends.connection.write(b"x" * 41)
    assert ends.connection.buffered == 101
    await turn()
    assert ends.transport.aborted
    assert len(ends.transport.writes) == 1
    assert ends.owner.reasons == []  # never from within a call of the owner's
    ends.connection.connection_lost(None)
    assert ends.owner.reasons == [NOT_READING]
    assert ends.endpoint.lost_with == [NOT_READING]


async def test_cutting_one_does_not_keep_bytes_from_the_others() -> None:
    slow, good = Ends(limits=Limits(send_buffer=10)), Ends()
    good.connection._endpoint = slow.endpoint
    slow.transport.unsent = 10
    for ends in (slow, good):
        ends.connection.write(b"line\r\n")
    await turn()
    assert slow.transport.aborted
    assert good.transport.writes == [b"line\r\n"]


async def test_what_waits_is_told() -> None:
    ends = Ends()
    ends.connection.write(b"123")
    assert ends.connection.buffered == 3
    await turn()
    assert ends.connection.buffered == 0
    ends.transport.unsent = 5
    assert ends.connection.buffered == 5


async def test_close_sends_what_was_queued_and_takes_no_more() -> None:
    ends = Ends()
    ends.connection.write(b"last words")
    ends.connection.close("told to")
    ends.connection.write(b"more")
    ends.connection.data_received(b"too late")
    await turn()
    assert ends.transport.writes == [b"last words"]
    assert ends.transport.closing
    assert not ends.transport.aborted
    assert ends.owner.pieces == []
    ends.connection.connection_lost(None)
    assert ends.owner.reasons == ["told to"]


async def test_the_first_reason_stays() -> None:
    ends = Ends()
    ends.connection.close("first")
    ends.connection.close("second")
    ends.connection.abort("third")
    ends.connection.connection_lost(OSError("fourth"))
    assert ends.owner.reasons == ["first"]


async def test_a_broken_connection_says_why() -> None:
    ends = Ends()
    ends.connection.connection_lost(ConnectionResetError("reset"))
    assert ends.owner.reasons == ["connection lost: reset"]
    assert ends.connection.state is State.CLOSED


async def test_abort_drops_what_was_queued() -> None:
    ends = Ends()
    ends.connection.write(b"x")
    ends.connection.abort("enough")
    await turn()
    assert ends.transport.writes == []
    assert ends.connection.buffered == 0


async def test_a_closed_connection_ignores_everything() -> None:
    ends = Ends()
    ends.connection.connection_lost(None)
    ends.transport.closing = True
    ends.connection.write(b"x")
    ends.connection.close("again")
    ends.connection.abort("again")
    await turn()
    assert ends.transport.writes == []
    assert ends.owner.reasons == [BY_PEER]
    assert ends.connection.buffered == 0


async def test_the_owner_may_close_while_it_hears() -> None:
    class Closer(Recorder):
        def data_received(self, connection: Connection, data: bytes) -> None:
            super().data_received(connection, data)
            connection.close("heard enough")

    for websocket in (False, True):
        ends = Ends(websocket)
        ends.connection._owner = closer = Closer()
        incoming = b"\x81\x81\0\0\0\0a" if websocket else b"a"
        ends.connection.data_received(incoming)
        ends.connection.data_received(incoming)
        assert len(closer.pieces) == 1


async def test_a_peer_that_does_not_take_the_rest_is_cut_after_the_close_timeout() -> None:
    for websocket in (False, True):
        ends = Ends(websocket, limits=Limits(close_timeout=0))
        ends.connection.close("over")
        assert not ends.transport.aborted
        await ends_of(ends)
        assert ends.transport.aborted


async def ends_of(ends: Ends) -> None:
    """Wait until the transport was aborted."""
    async with asyncio.timeout(5):
        while not ends.transport.aborted:
            await turn()


async def test_end_of_input_flushes_and_closes() -> None:
    for websocket in (False, True):
        ends = Ends(websocket)
        ends.connection.write_raw(b"answer")
        keep_open: object = ends.connection.eof_received()  # type: ignore[func-returns-value]
        assert not keep_open
        assert ends.transport.writes == [b"answer"]
        ends.connection.connection_lost(None)
        assert ends.owner.reasons == [BY_PEER]


async def test_an_unwanted_connection_is_cut_before_it_gets_an_owner() -> None:
    ends = Ends()
    ends.endpoint.wanted = False
    late, transport = Connection(ends.endpoint), FakeTransport()
    late.connection_made(transport)
    assert transport.aborted
    late.connection_lost(None)
    assert ends.endpoint.lost_with == [NOT_WANTED]
    assert ends.owner.reasons == []


async def test_the_handshake_has_a_deadline() -> None:
    ends = Ends(websocket=True, shaken=False, limits=Limits(handshake_timeout=0))
    ends.connection.data_received(REQUEST[:30])
    await ends_of(ends)
    ends.connection.connection_lost(None)
    assert ends.endpoint.lost_with == [NOT_READY]
    assert ends.owner.reasons == []


async def test_a_finished_handshake_has_no_deadline_any_more() -> None:
    ends = Ends(websocket=True, limits=Limits(handshake_timeout=0))
    for _ in range(10):
        await turn()
    assert not ends.transport.aborted
    assert ends.connection.state is State.OPEN


async def test_the_handshake_is_answered_before_the_owner_speaks() -> None:
    class Greeter(Recorder):
        def data_received(self, connection: Connection, data: bytes) -> None:
            connection.write(b"hello\r\n")

    ends = Ends(websocket=True, shaken=False)
    ends.endpoint.owner = Greeter()
    ends.connection.data_received(REQUEST + b"\x81\x81\0\0\0\0a")
    await turn()
    (written,) = ends.transport.writes
    assert written.startswith(b"HTTP/1.1 101 ")
    assert written.endswith(b"\r\n\r\n" + frame(b"hello\r\n"))


async def test_last_words_in_the_same_packet_as_the_close_are_heard() -> None:
    ends = Ends(websocket=True)
    ends.connection.write(b"before")
    ends.connection.data_received(b"\x81\x84\0\0\0\0QUIT" + b"\x88\x80\0\0\0\0")
    assert ends.owner.pieces == [b"QUIT\r\n"]
    assert ends.transport.writes == [frame(b"before") + b"\x88\x00"]
    assert ends.transport.closing
    ends.connection.connection_lost(None)
    assert ends.owner.reasons == [BY_PEER]


async def test_answering_last_words_is_harmless() -> None:
    """The close is known to the protocol before the owner hears what came in front of it."""

    class Answerer(Recorder):
        def data_received(self, connection: Connection, data: bytes) -> None:
            super().data_received(connection, data)
            connection.write(b"answer\r\n")

    here, there = FakeTransport(), ServerCodec(65536)
    endpoint = FakeEndpoint(Answerer())
    client = Connection(endpoint, ClientCodec(parse_url("ws://localhost/"), 65536))
    client.connection_made(here)
    client.flush()
    there.receive(here.writes.pop())
    client.data_received(b"".join(there.data_to_send()))
    there.close(1000, "")
    client.data_received(frame(b"last words\r\n") + b"".join(there.data_to_send()))
    await turn()
    assert endpoint.owner.data == b"last words\r\n"
    assert here.writes[0][:1] == b"\x88"
    assert not here.closing  # the server closes first
    assert client.state is State.CLOSING


async def test_our_close_waits_for_theirs() -> None:
    ends = Ends(websocket=True)
    ends.connection.close("bye", code=1001)
    await turn()
    assert ends.transport.writes == [b"\x88\x05\x03\xe9bye"]
    assert not ends.transport.closing
    ends.connection.data_received(b"\x81\x81\0\0\0\0a")
    ends.connection.data_received(b"\x88\x80\0\0\0\0")
    assert ends.transport.closing
    assert not ends.transport.aborted
    assert ends.owner.pieces == []


@pytest.mark.parametrize("incoming", [b"\xff\xff\xff", b"\x81\x05hello", b"\x81\xff" + b"\x7f" * 8 + b"\0\0\0\0"])
async def test_a_broken_frame_closes_with_a_reason(incoming: bytes) -> None:
    ends = Ends(websocket=True)
    ends.connection.data_received(incoming)
    assert ends.transport.closing
    assert ends.transport.writes[0][:1] == b"\x88"
    ends.connection.connection_lost(None)
    assert len(ends.owner.reasons[0]) > 3
    assert ends.owner.reasons[0] != BY_PEER


@pytest.mark.parametrize("websocket", [False, True])
async def test_straight_writes_are_allowed_while_nothing_waits_in_front(websocket: bool) -> None:
    ends = Ends(websocket, number=7)
    assert ends.transport.high == 0
    assert ends.connection.fd == 7
    ends.connection.write_raw(b"a")
    assert ends.connection.fd == -1
    ends.connection.write_raw(b"b")
    await turn()
    assert ends.transport.writes == [b"ab"]
    assert ends.connection.fd == 7


async def test_straight_writes_wait_for_what_the_transport_has_left() -> None:
    ends = Ends(number=7)
    ends.transport.takes = 1
    ends.connection.write_raw(b"abc")
    await turn()
    assert (ends.connection.fd, ends.connection.buffered) == (-1, 2)
    ends.connection.write_raw(b"d")
    await turn()
    assert ends.connection.fd == -1
    ends.transport.unsent = 0
    ends.connection.write_raw(b"e")
    ends.connection.resume_writing()
    assert ends.connection.fd == -1  # e is in front
    await turn()
    assert ends.connection.fd == 7
    assert ends.transport.writes == [b"abc", b"d", b"e"]


@pytest.mark.parametrize("end", ["close", "abort", "eof_received", "connection_lost"])
async def test_there_are_no_straight_writes_to_what_closes(end: str) -> None:
    ends = Ends(number=7)
    argument = {"close": ("over",), "abort": ("over",), "eof_received": (), "connection_lost": (None,)}[end]
    getattr(ends.connection, end)(*argument)
    assert ends.connection.fd == -1
    if end != "connection_lost":
        ends.connection.resume_writing()
        await turn()
        assert ends.connection.fd == -1


async def test_without_a_number_there_are_no_straight_writes() -> None:
    """TLS, and the client's side."""
    ends = Ends()
    ends.connection.write_raw(b"a")
    await turn()
    assert ends.connection.fd == -1
    assert ends.transport.high is None


async def test_a_handshake_that_is_not_answered_yet_is_in_front() -> None:
    ends = Ends(websocket=True, shaken=False, number=7)
    assert ends.connection.fd == -1
    ends.connection.data_received(REQUEST)
    assert (ends.connection.state, ends.connection.fd) == (State.OPEN, -1)
    await turn()
    assert ends.connection.fd == 7


MUCH = b"".join(b"%d\r\n" % number for number in range(HEARD_AT_ONCE))
"""More than is heard in one turn, and than in two."""


def masked(text: bytes) -> bytes:
    """One frame as a client sends it, with a mask that changes nothing."""
    return b"\x81\xfe" + len(text).to_bytes(2, "big") + b"\0\0\0\0" + text


@pytest.mark.parametrize("websocket", [False, True])
async def test_much_is_heard_in_portions_and_nothing_is_read_meanwhile(websocket: bool) -> None:
    """Who sends megabytes at once does not keep the others waiting."""
    ends, other = Ends(websocket), Ends()
    lines = MUCH.splitlines(keepends=True)
    sent = b"".join(masked(b"".join(lines[at : at + 100])) for at in range(0, len(lines), 100)) if websocket else MUCH
    ends.connection.data_received(sent)
    assert not ends.transport.reading
    turns = 0
    while not ends.transport.reading:
        before = len(ends.owner.data)
        other.connection.data_received(b"x")
        assert len(other.owner.data) == turns + 1
        await turn()
        turns += 1
        assert len(ends.owner.data) - before <= HEARD_AT_ONCE + 1100
    assert turns == -(-len(sent) // HEARD_AT_ONCE)
    assert ends.owner.data == MUCH
    ends.connection.data_received(masked(b"on\r\n") if websocket else b"on\r\n")
    assert ends.owner.data == MUCH + b"on\r\n"


async def test_what_comes_while_much_is_heard_comes_behind_it() -> None:
    """A transport may have had it already when it was told to stop."""
    ends = Ends()
    ends.connection.data_received(MUCH)
    await turn()
    ends.connection.data_received(b"last\r\n")
    while not ends.transport.reading:
        await turn()
    assert ends.owner.data == MUCH + b"last\r\n"


async def test_who_says_much_and_leaves_is_heard() -> None:
    ends = Ends()
    ends.connection.data_received(MUCH)
    await turn()
    ends.connection.eof_received()
    assert ends.owner.data == MUCH
    await turn()
    assert ends.owner.data == MUCH


@pytest.mark.parametrize("lost", [False, True])
async def test_who_is_gone_or_was_closed_is_heard_no_more(lost: bool) -> None:
    ends = Ends()
    ends.connection.data_received(MUCH)
    await turn()
    heard = len(ends.owner.data)
    if lost:
        ends.connection.connection_lost(None)
    else:
        ends.connection.close("over")
    for _ in range(20):
        await turn()
    assert len(ends.owner.data) == heard
