"""What is said to a server to log in, join and speak, in each dialect that the load generator knows."""

from __future__ import annotations

import os
from base64 import b64encode
from dataclasses import dataclass
from typing import Literal, NamedTuple

DialectName = Literal["twitch", "irc", "nats"]

TAGGED = b"CAP REQ :twitch.tv/tags twitch.tv/commands\r\n"

DIGITS = 9
"""A line's number always has so many digits, so that all lines of a sender are equally long."""


class Step(NamedTuple):
    """Something to send, and what a line holds that answers it."""

    data: bytes
    mark: bytes


@dataclass(frozen=True, slots=True)
class Dialect:
    """How to talk to a server.

    Attributes:
        name: `twitch` logs in with PASS and NICK, or anonymously; `irc` as RFC 1459 has it; `nats` subscribes.
        tagged: ask for tags and commands first, as Twitch's clients may.
        framed: over WebSocket, each message a frame.
    """

    name: DialectName = "twitch"
    tagged: bool = False
    framed: bool = False

    def upgrade(self, address: str) -> bytes:
        """The request that begins a WebSocket (RFC 6455, 4.1)."""
        key = b64encode(os.urandom(16)).decode()
        return (
            f"GET / HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ).encode()

    def steps(self, name: str, channel: str, speaks: bool, joins: bool) -> list[Step]:
        """What a member does to get in.

        Args:
            name: unique on the server.
            speaks: it needs an account where reading needs none.
            joins: the channel, or it only logs in.
        """
        if self.name == "twitch":
            caps = TAGGED if self.tagged else b""
            nick = name if speaks else f"justinfan{''.join(str(ord(letter) % 10) for letter in name)}"
            login = caps + f"PASS oauth:{name}\r\nNICK {nick}\r\n".encode()
            steps = [Step(login + f"JOIN #{channel}\r\n".encode(), b" 366 ")] if joins else [Step(login, b" 376 ")]
        elif self.name == "irc":
            steps = [Step(f"NICK {name}\r\nUSER {name} 0 * :{name}\r\n".encode(), b" 001 ")]
            steps += [Step(f"JOIN #{channel}\r\n".encode(), b" 366 ")] if joins else []
        else:
            subscribe = f"SUB {channel} 1\r\n".encode() if joins else b""
            connect = b'CONNECT {"verbose":false,"pedantic":false,"echo":false}\r\n'
            steps = [Step(connect + subscribe + b"PING\r\n", b"PONG")]
        return [Step(self.frame(data), mark) for data, mark in steps]

    def line(self, channel: str, sender: int, size: int) -> tuple[bytes, bytes]:
        """What stands before and after the number in each line of a sender.

        Args:
            size: bytes of the text.
        """
        text = f"~{sender} ".encode()
        rest = b" ".ljust(max(1, size - len(text) - DIGITS), b"x")
        whole = len(text) + DIGITS + len(rest)
        head = f"PUB {channel} {whole}\r\n" if self.name == "nats" else f"PRIVMSG #{channel} :"
        before, after = head.encode() + text, rest + b"\r\n"
        return self.frame(before, len(before) + DIGITS + len(after)), after

    def pong(self, line: bytes) -> bytes:
        """The answer to a PING."""
        return self.frame(b"PONG" + line.rstrip(b"\r\n")[4:] + b"\r\n")

    def frame(self, data: bytes, size: int | None = None) -> bytes:
        """A client's frame, if there are frames (RFC 6455, 5.2). The mask is all zeros: it hides nothing here.

        Args:
            size: of the whole payload, if this is only its beginning.
        """
        if not self.framed:
            return data
        size = len(data) if size is None else size
        length = bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
        return b"\x81" + length + bytes(4) + data
