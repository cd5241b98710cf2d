"""The WebSocket codecs, fed and drained in memory."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from godwit.errors import InvalidRequest
from godwit.wire.websocket import WHAT_THIS_IS, ClientCodec, ServerCodec, frame, parse_url

LIMIT = 1000
URL = parse_url("ws://localhost:8080/")


def request(*headers: str, first: str = "GET / HTTP/1.1") -> bytes:
    """Make a handshake request with more headers."""
    lines = [
        first,
        "Host: localhost",
        "Upgrade: websocket",
        "Connection: keep-alive, Upgrade",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Version: 13",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def masked(opcode: Opcode, data: bytes, fin: bool = True) -> bytes:
    """Make a frame as a client sends it."""
    return Frame(opcode, data, fin).serialize(mask=True)


def server() -> ServerCodec:
    """Make a codec that has shaken hands."""
    codec = ServerCodec(LIMIT)
    assert codec.receive(request()) == b""
    assert codec.open
    codec.data_to_send()
    return codec


def refusal(codec: ServerCodec) -> tuple[bytes, bytes]:
    """Drain a refusal: its status line and its body."""
    answer, end = codec.data_to_send()
    assert end == b""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    return head.split(b"\r\n")[0], body


@pytest.mark.parametrize(
    ("offered", "selected"),
    [
        (["Sec-WebSocket-Protocol: irc"], True),
        (["Sec-WebSocket-Protocol: soup, irc"], True),
        (["Sec-WebSocket-Protocol: soup", "Sec-WebSocket-Protocol: irc"], True),
        (["Sec-WebSocket-Protocol: soup"], False),
        ([], False),
    ],
)
def test_irc_is_selected_when_offered_and_nothing_is_fine_too(offered: list[str], selected: bool) -> None:
    """Rule WS-1."""
    codec = ServerCodec(LIMIT)
    codec.receive(request(*offered))
    (answer,) = codec.data_to_send()
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert (b"Sec-WebSocket-Protocol: irc\r\n" in answer) is selected


def test_any_path_and_origin_are_accepted_and_no_extension() -> None:
    """Rule WS-1."""
    codec = ServerCodec(LIMIT)
    codec.receive(
        request(
            "Origin: http://elsewhere", "Sec-WebSocket-Extensions: permessage-deflate", first="GET /irc?x=1 HTTP/1.1"
        )
    )
    (answer,) = codec.data_to_send()
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert b"Extensions" not in answer


@given(st.binary(max_size=300) | st.integers(0, 70_000).map(lambda size: b"x" * size))
@example(b"x" * 125)
@example(b"x" * 126)
@example(b"x" * 65535)
@example(b"x" * 65536)
def test_a_frame_is_what_the_library_would_send(data: bytes) -> None:
    assert frame(data) == Frame(Opcode.TEXT, data).serialize(mask=False)


@pytest.mark.row("WS-3")
@pytest.mark.parametrize(
    ("message", "heard"),
    [
        (b"PING", b"PING\r\n"),
        (b"PING\r\n", b"PING\r\n"),
        (b"PING\n", b"PING\n"),
        (b"A\r\nB", b"A\r\nB\r\n"),
        (b"", b""),
        (b"\xff\xfe", b"\xff\xfe\r\n"),
    ],
)
@pytest.mark.parametrize("opcode", [Opcode.TEXT, Opcode.BINARY])
def test_a_message_ends_with_a_line_end_and_binary_counts_as_text(opcode: Opcode, message: bytes, heard: bytes) -> None:
    assert server().receive(masked(opcode, message)) == heard


def test_several_messages_at_once() -> None:
    assert server().receive(masked(Opcode.TEXT, b"A") + masked(Opcode.TEXT, b"B\r\n")) == b"A\r\nB\r\n"


def test_a_message_in_several_frames_with_a_ping_between() -> None:
    codec = server()
    assert codec.receive(masked(Opcode.TEXT, b"PRIV", fin=False)) == b""
    assert codec.receive(masked(Opcode.PING, b"?")) == b""
    assert codec.data_to_send() == [b"\x8a\x01?"]
    assert codec.receive(masked(Opcode.CONT, b"MSG", fin=False)) == b""
    assert codec.receive(masked(Opcode.CONT, b" #a :b")) == b"PRIVMSG #a :b\r\n"
    assert codec.receive(masked(Opcode.TEXT, b"next")) == b"next\r\n"


@pytest.mark.parametrize("fragments", [[LIMIT + 1], [LIMIT - 1, 2]])
def test_an_over_long_message_closes_with_1009(fragments: list[int]) -> None:
    codec = server()
    for number, size in enumerate(fragments):
        opcode = Opcode.CONT if number else Opcode.TEXT
        assert codec.receive(masked(opcode, b"x" * size, fin=number == len(fragments) - 1)) == b""
    close, end = codec.data_to_send()
    assert close[:1] == b"\x88"
    assert close[2:4] == (1009).to_bytes(2, "big")
    assert end == b""
    assert not codec.open
    assert codec.error


def test_the_longest_message_is_let_through() -> None:
    assert len(server().receive(masked(Opcode.TEXT, b"x" * LIMIT))) == LIMIT + 2


@pytest.mark.row("WS-4")
def test_a_ping_is_answered() -> None:
    codec = server()
    codec.receive(masked(Opcode.PING, b"are you there"))
    assert codec.data_to_send() == [b"\x8a\x0dare you there"]


def test_a_close_is_answered_and_ends_the_connection() -> None:
    codec = server()
    codec.receive(masked(Opcode.CLOSE, b"\x03\xe8bye"))
    assert codec.data_to_send() == [b"\x88\x05\x03\xe8bye", b""]
    assert not codec.open
    assert codec.error == ""


@pytest.mark.parametrize("reason", ["bye", "x" * 500, "ä" * 200])
def test_a_close_reason_is_cut_to_what_a_frame_can_hold(reason: str) -> None:
    codec = server()
    codec.close(1000, reason)
    (close,) = codec.data_to_send()
    assert len(close) - 2 <= 125
    assert reason.startswith(close[4:].decode())
    assert close[4:]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 426 Upgrade Required"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n\xff\xff and more", b"HTTP/1.1 426 Upgrade Required"),
        (b"POST / HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 405 Method Not Allowed"),
        (b"NICK somebody\r\n", b"HTTP/1.1 400 Bad Request"),
        (b"GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n", b"HTTP/1.1 400 Bad Request"),
        (b"\x16\x03\x01\x02\n\x01", b"HTTP/1.1 400 Bad Request"),
    ],
)
def test_who_does_not_speak_websocket_is_told_what_this_port_is(sent: bytes, status: bytes) -> None:
    codec = ServerCodec(LIMIT)
    assert codec.receive(sent) == b""
    assert refusal(codec) == (status, WHAT_THIS_IS)
    assert WHAT_THIS_IS.count(b"\n") == 1
    assert codec.receive(sent) == b""
    assert codec.error


@pytest.mark.parametrize(
    "sent", [b"GET /" + b"x" * 20_000 + b"\r\n", b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 1000, b"x" * 20_000]
)
def test_an_endless_request_is_refused(sent: bytes) -> None:
    codec = ServerCodec(LIMIT)
    codec.receive(sent)
    assert codec.data_to_send()[-1] == b""


BYTES = st.binary(max_size=200) | st.lists(
    st.sampled_from(
        [
            request(),
            request()[:40],
            b"GET / HTTP/1.1\r\n",
            b"\r\n",
            b"\n",
            masked(Opcode.TEXT, b"PING"),
            masked(Opcode.TEXT, b"PI", fin=False),
            masked(Opcode.CONT, b"NG"),
            masked(Opcode.PING, b""),
            masked(Opcode.CLOSE, b""),
            masked(Opcode.CLOSE, b"\x03\xe8\xff"),
            masked(Opcode.CLOSE, b"\x00"),
            b"\x81\x85",
            b"\x88\xff",
            b"\xf1\x80\0\0\0\0",
        ]
    )
    | st.binary(max_size=5),
    max_size=10,
).map(b"".join)


@given(chunks=st.lists(BYTES, max_size=5), shaken=st.booleans(), close_at=st.integers(0, 5))
def test_no_bytes_make_the_server_raise(chunks: list[bytes], shaken: bool, close_at: int) -> None:
    codec = server() if shaken else ServerCodec(LIMIT)
    for number, chunk in enumerate(chunks):
        if number == close_at:
            codec.close(1000, "enough")
        heard = codec.receive(chunk)
        assert not heard or heard.endswith(b"\n")
        if b"" in codec.data_to_send():
            return


@given(chunks=st.lists(st.binary(max_size=60), max_size=5), answered=st.booleans())
def test_no_bytes_make_the_client_raise(chunks: list[bytes], answered: bool) -> None:
    codec = ClientCodec(URL, LIMIT)
    if answered:
        peer = ServerCodec(LIMIT)
        peer.receive(b"".join(codec.data_to_send()))
        codec.receive(b"".join(peer.data_to_send()))
        assert codec.open
    for chunk in chunks:
        codec.receive(chunk)
        if b"" in codec.data_to_send():
            return


@given(messages=st.lists(st.binary(min_size=1, max_size=300), max_size=5), cut=st.integers(1, 50))
def test_what_is_heard_does_not_depend_on_how_the_bytes_arrive(messages: list[bytes], cut: int) -> None:
    stream = b"".join(masked(Opcode.TEXT, message) for message in messages)
    pieces = server()
    heard = b"".join(pieces.receive(stream[at : at + cut]) for at in range(0, len(stream), cut))
    assert heard == server().receive(stream)
    assert heard == b"".join(m if m.endswith(b"\n") else m + b"\r\n" for m in messages)


def test_client_and_server_understand_each_other() -> None:
    here, there = ClientCodec(URL, LIMIT), ServerCodec(LIMIT)
    there.receive(b"".join(here.data_to_send()))
    assert here.receive(b"".join(there.data_to_send())) == b""
    assert here.open
    assert here._protocol.subprotocol == "irc"
    assert there.receive(here.encode(b"PING")) == b"PING\r\n"
    assert here.receive(there.encode(b"PONG\r\n")) == b"PONG\r\n"
    here.close(1000, "done")
    there.receive(b"".join(here.data_to_send()))
    here.receive(b"".join(there.data_to_send()))
    assert not here.open
    assert not there.open


@pytest.mark.parametrize(
    "url", ["http://localhost/", "localhost:8080", "", "ws://", "ws://host:port/", "ws://h:99999/"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequest, match="not a WebSocket address"):
        parse_url(url)
