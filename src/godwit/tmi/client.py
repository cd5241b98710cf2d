"""The client's end of a connection, without I/O.

`receive_data` never raises, whatever the server sends. What we send is checked: a method raises
`LocalProtocolError` for what cannot be on a line, and nothing is queued then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum, auto

from godwit.errors import LocalProtocolError
from godwit.tmi.answers import READERS, channel_of, login_of
from godwit.tmi.capabilities import NONE, Caps, names, requested
from godwit.tmi.client_events import (
    CapabilitiesAnswered,
    ClientEvent,
    Joined,
    LoginFailed,
    MemberJoined,
    MemberParted,
    Notice,
    Other,
    Parted,
    Pinged,
    Ponged,
    Welcomed,
)
from godwit.tmi.lines import LineBuffer
from godwit.tmi.message import Line, parse, render
from godwit.tmi.requests import AFTER
from godwit.values import Position, is_channel

MAX_LINE = 65_536
"""Longest line in bytes that is read from a server; longer ones are skipped."""

CHANNELS_A_LINE = 50
"""Channels on one JOIN or INQUIRE line, with room for resume positions (LINE-5)."""


class ClientState(Enum):
    """How far the login has come."""

    OPENED = auto()
    ASKED = auto()
    WELCOMED = auto()
    REFUSED = auto()


class ClientConnection:
    """Fed with a server's bytes, drained of events and of bytes for the server.

    Attributes:
        nick: as logged in, in lower case.
        caps: the capabilities in force.
        state: how far the login has come.
    """

    __slots__ = ("_lines", "_out", "caps", "nick", "state")

    def __init__(self) -> None:
        self.nick = ""
        self.caps = NONE
        self.state = ClientState.OPENED
        self._lines = LineBuffer(MAX_LINE)
        self._out: list[bytes] = []

    def receive_data(self, data: bytes) -> list[ClientEvent]:
        """Take what the server sent, in pieces of any size; never raises.

        The caller must afterwards write what `data_to_send` gives: PINGs are answered there.
        """
        events: list[ClientEvent] = []
        for raw in self._lines.feed(data):
            line = parse(raw) if raw is not None else None
            if line is not None:
                events.append(self._read(line))
        return events

    def data_to_send(self) -> list[bytes]:
        """Hand over what is to be written, a line an element."""
        out, self._out = self._out, []
        return out

    # what the user wants --------------------------------------------------------------------------

    def login(self, nick: str, token: str | None, caps: Caps = NONE) -> None:
        """Ask for capabilities, then log in (LOGIN-1, CAP-2).

        Args:
            nick: `justinfan` and digits to read without an account.
            token: without `oauth:`; None for anonymous ones.
        """
        lines = [Line({}, None, "CAP", ("REQ", names(caps)))] if caps else []
        if token is not None:
            lines.append(Line({}, None, "PASS", (f"oauth:{token}",)))
        lines.append(Line({}, None, "NICK", (nick,)))
        self._out.extend([render(line) for line in lines])
        self.nick = nick.lower()
        self.state = ClientState.ASKED

    def join(self, channels: Iterable[str], after: Mapping[str, Position] | None = None) -> None:
        """Join channels, those in `after` behind a position (JOIN-1, JOIN-5)."""
        positions = after or {}
        for chunk in _chunks(channels):
            marks = [str(positions[channel]) if channel in positions else "" for channel in chunk]
            self._send("JOIN", _list(chunk), tags={AFTER: ",".join(marks)} if any(marks) else {})

    def part(self, channels: Iterable[str]) -> None:
        """Leave channels (PART-1)."""
        for chunk in _chunks(channels):
            self._send("PART", _list(chunk))

    def say(self, channel: str, text: str, *, nonce: str = "", reply_to: str = "") -> None:
        """Say something; the USERSTATE with the same nonce acknowledges it (MSG-1, MSG-7, MSG-8)."""
        tags = {"client-nonce": nonce} if nonce else {}
        if reply_to:
            tags["reply-parent-msg-id"] = reply_to
        self._send("PRIVMSG", _word(channel), text, tags=tags)

    def inquire(self, channels: Iterable[str]) -> None:
        """Ask where channels are (INQ-1)."""
        for chunk in _chunks(channels):
            self._send("INQUIRE", _list(chunk))

    def ping(self, token: str) -> None:
        """Ask for a PONG with the token: all that was sent before has been read then (PING-1)."""
        self._out.append(render(Line({}, None, "PING", (token,))))

    def quit(self) -> None:
        """Say good-bye."""
        self._out.append(b"QUIT\r\n")

    def _send(self, command: str, *params: str, tags: dict[str, str] | None = None) -> None:
        self._out.append(render(Line(tags or {}, None, command, params)))

    # reading --------------------------------------------------------------------------------------

    def _read(self, line: Line) -> ClientEvent:
        command = line.command.upper()
        if command == "PING":
            return self._on_ping(line)
        if command == "PONG":
            return Ponged(line.params[-1] if line.params else "")
        if command == "CAP":
            return self._on_cap(line)
        if command == "001":
            return self._on_welcome(line)
        if command in ("JOIN", "PART"):
            return self._on_membership(command, line)
        reader = READERS.get(command)
        if reader is None:
            return Other(line)
        event = reader(line)
        if isinstance(event, Notice) and not event.channel and self.state is ClientState.ASKED:
            self.state = ClientState.REFUSED
            return LoginFailed(event.text)
        return event

    def _on_ping(self, line: Line) -> ClientEvent:
        argument = line.params[-1] if line.params else ""
        self._out.append(render(Line({}, None, "PONG", (argument,))))
        return Pinged(argument)

    def _on_cap(self, line: Line) -> ClientEvent:
        verb = line.params[1].upper() if len(line.params) > 1 else ""
        if verb not in ("ACK", "NAK"):
            return Other(line)
        granted = verb == "ACK"
        caps = requested(self.caps, line.params[-1]) if granted else None
        if caps is not None:
            self.caps = caps
        return CapabilitiesAnswered(self.caps, granted)

    def _on_welcome(self, line: Line) -> ClientEvent:
        self.state = ClientState.WELCOMED
        if line.params:
            self.nick = line.params[0].lower()
        return Welcomed(self.nick)

    def _on_membership(self, command: str, line: Line) -> ClientEvent:
        channel, login = channel_of(line), login_of(line)
        if not channel or not login:
            return Other(line)
        if login == self.nick:
            return Joined(channel) if command == "JOIN" else Parted(channel)
        return MemberJoined(channel, login) if command == "JOIN" else MemberParted(channel, login)


def _chunks(channels: Iterable[str]) -> list[list[str]]:
    every = list(channels)
    return [every[start : start + CHANNELS_A_LINE] for start in range(0, len(every), CHANNELS_A_LINE)]


def _list(channels: Iterable[str]) -> str:
    return ",".join(map(_word, channels))


def _word(channel: str) -> str:
    if not is_channel(channel):
        raise LocalProtocolError(f"not a channel: {channel!r}")
    return f"#{channel}"
