"""WebSocket over any transport: feeds a sans-I/O protocol of `websockets` and drains it (RFC 6455).

A codec is fed with what the socket gave and returns text; what has to go out is drained from it.
Rules, beside the RFC's: any path is accepted, no `Origin` is checked, no extension is negotiated; the
subprotocol `irc` is selected when it is offered, and none is fine too (WS-1); a binary message counts as
text; a message without a line end gets one, so that whoever splits lines need not know the transport (WS-3).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidURI
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import CONNECTING, OPEN, SEND_EOF
from websockets.protocol import Protocol as SansIO
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI, parse_uri

from godwit.errors import InvalidRequest

IRC = Subprotocol("irc")
"""The subprotocol of chat clients (WS-1)."""

NORMAL = 1000
"""Close code: done (RFC 6455, 7.4.1)."""

GOING_AWAY = 1001
"""Close code: the server goes down (RFC 6455, 7.4.1)."""

WHAT_THIS_IS = (
    b"This is a Godwit chat port for WebSocket clients (subprotocol irc): connect to it with ws://, not http://.\n"
)

_DATA = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)
_MAX_REASON = 123  # bytes: RFC 6455, 5.5

# One quiet logger for all: by default the library looks one up for each connection and logs each opening.
_logger = logging.getLogger("godwit.wire.websocket")
_logger.setLevel(logging.WARNING)


def frame(data: bytes) -> bytes:
    """Make one text frame as a server sends it: not masked, so one frame serves every WebSocket member."""
    size = len(data)
    if size < 126:
        return b"\x81" + size.to_bytes(1, "big") + data
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + data
    return b"\x81\x7f" + size.to_bytes(8, "big") + data


def parse_url(url: str) -> WebSocketURI:
    """Read a `ws://` or `wss://` address.

    Raises:
        InvalidRequest: it is something else.
    """
    try:
        return parse_uri(url)
    except (InvalidURI, ValueError):
        raise InvalidRequest(f"not a WebSocket address: {url!r}; give ws://HOST:PORT/ or wss://HOST:PORT/") from None


class _ServerProtocol(ServerProtocol):
    def select_subprotocol(self, subprotocols: Sequence[Subprotocol]) -> Subprotocol | None:
        return IRC if IRC in subprotocols else None


class _Codec:
    """What both sides have in common."""

    __slots__ = ("_part", "_protocol")

    def __init__(self, protocol: SansIO) -> None:
        self._protocol = protocol
        self._part: bytearray | None = None  # what has come of a message in several frames

    @property
    def open(self) -> bool:
        """Whether the opening handshake is done and no close has begun."""
        return self._protocol.state is OPEN

    @property
    def error(self) -> str:
        """Why the connection cannot go on, in a few words; empty if nothing is wrong."""
        problem = self._protocol.handshake_exc or self._protocol.parser_exc
        return str(problem) if problem is not None else ""

    def receive(self, data: bytes) -> bytes:
        """Take what the socket gave; return the text that became complete, each message with a line end."""
        self._protocol.receive_data(data)
        done: list[bytes] = []
        for event in self._protocol.events_received():
            if isinstance(event, Frame) and event.opcode in _DATA:
                self._take(event, done)
        return b"".join(done)

    def close(self, code: int, reason: str) -> None:
        """Start the close handshake, if the opening one is done."""
        if self.open:
            self._protocol.send_close(code, reason.encode()[:_MAX_REASON].decode(errors="ignore"))

    def data_to_send(self) -> list[bytes]:
        """Drain what has to go out: handshakes, pongs, closes; an empty element asks to close the socket."""
        return self._protocol.data_to_send()

    def _take(self, frame: Frame, done: list[bytes]) -> None:
        if self._part is None and frame.fin:
            message = bytes(frame.data)
        else:
            if self._part is None:
                self._part = bytearray()
            self._part += frame.data
            if not frame.fin:
                return
            message, self._part = bytes(self._part), None
        if message:
            done.append(message)
            if not message.endswith(b"\n"):
                done.append(b"\r\n")


class ServerCodec(_Codec):
    """The server's side of one WebSocket connection."""

    __slots__ = ()

    _protocol: ServerProtocol

    def __init__(self, max_frame: int) -> None:
        super().__init__(_ServerProtocol(max_size=max_frame, logger=_logger))

    def encode(self, data: bytes) -> bytes:
        """Make one text frame."""
        return frame(data)

    def receive(self, data: bytes) -> bytes:
        """Take what the socket gave; return the text that became complete, each message with a line end."""
        if self._protocol.state is CONNECTING:
            data = self._shake_hands(data)
        return super().receive(data) if data else b""

    def _shake_hands(self, data: bytes) -> bytes:
        """Feed the request line by line: what comes behind it must not be read before it is answered."""
        protocol = self._protocol
        while data and protocol.state is CONNECTING:
            end = data.find(b"\n") + 1 or len(data)
            protocol.receive_data(data[:end])
            data = data[end:]
            for event in protocol.events_received():
                if isinstance(event, Request):
                    protocol.send_response(self._explain(protocol.accept(event)))
            if protocol.eof_sent:
                if protocol.writes == [SEND_EOF]:  # it was not even HTTP, and the library answers nothing
                    protocol.writes.insert(0, self._explain(protocol.reject(400, "")).serialize())
                return b""
        return data

    @staticmethod
    def _explain(response: Response) -> Response:
        if response.status_code != 101:
            response.body = WHAT_THIS_IS
            del response.headers["Content-Length"]
            response.headers["Content-Length"] = str(len(WHAT_THIS_IS))
        return response


class ClientCodec(_Codec):
    """The client's side of one WebSocket connection; the request is ready to be sent."""

    __slots__ = ()

    _protocol: ClientProtocol

    def __init__(self, url: WebSocketURI, max_frame: int) -> None:
        protocol = ClientProtocol(url, subprotocols=[IRC], max_size=max_frame, logger=_logger)
        protocol.send_request(protocol.connect())
        super().__init__(protocol)

    def encode(self, data: bytes) -> bytes:
        """Make one text frame, masked."""
        self._protocol.send_text(data)
        return b"".join(self._protocol.data_to_send())


Codec = ServerCodec | ClientCodec
"""Either side."""
