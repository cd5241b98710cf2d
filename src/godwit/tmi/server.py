"""The server's end of a connection, without I/O.

Rules of this file:

1. `receive_data` never raises, whatever the peer sends; what it did wrong is answered and reported
   as `Refused`.
2. All change of state goes through the table `_NEXT`.
3. While the login is checked nothing of the client's is read (LOGIN-7).
4. Each element that leaves is one WebSocket frame (WS-2).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum, auto

from godwit.errors import LocalProtocolError
from godwit.tmi import render
from godwit.tmi.capabilities import NAMES, NONE, Caps, names, requested
from godwit.tmi.commands import COMMANDS, Handler
from godwit.tmi.dialect import NOW, Dialect
from godwit.tmi.events import CapabilitiesChanged, Event, LoginRequested, PongReceived, QuitRequested, Refused
from godwit.tmi.lines import LineBuffer
from godwit.tmi.login import LoginFailure, is_anonymous
from godwit.tmi.message import Line, parse
from godwit.tmi.requests import plain_message, read_inquire, read_join, read_message, read_part
from godwit.values import Account, is_login

MAX_LINE = 8192
"""Longest input line in bytes, tags included (LINE-5)."""

MAX_HELD = 65_536
"""Bytes that may wait while a login is checked (LOGIN-7)."""

_TOKEN_PREFIX = "oauth:"


class State(IntEnum):
    """How far a connection has come."""

    OPENED = auto()
    CHECKING = auto()
    REGISTERED = auto()
    CLOSING = auto()


_CHECKING, _REGISTERED, _CLOSING = State.CHECKING, State.REGISTERED, State.CLOSING
"""Asked for with every line, and an enum takes ten times as long to look its members up."""


class _Step(IntEnum):
    """What can change the state."""

    ASKED = auto()
    ACCEPTED = auto()
    ENDED = auto()


_NEXT: dict[tuple[State, _Step], State] = {
    (State.OPENED, _Step.ASKED): State.CHECKING,
    (State.OPENED, _Step.ENDED): State.CLOSING,
    (State.CHECKING, _Step.ACCEPTED): State.REGISTERED,
    (State.CHECKING, _Step.ENDED): State.CLOSING,
    (State.REGISTERED, _Step.ENDED): State.CLOSING,
    (State.CLOSING, _Step.ENDED): State.CLOSING,
}


class ServerConnection:
    """Fed with a client's bytes, drained of events and of bytes for the client.

    Attributes:
        nick: in lower case, '' before the login.
        caps: the capabilities in force.

    Args:
        max_line: longest input line in bytes.
        dialect: what is spoken.
    """

    __slots__ = ("_dialect", "_held", "_lines", "_out", "_password", "_state", "caps", "nick")

    def __init__(self, max_line: int = MAX_LINE, dialect: Dialect = NOW) -> None:
        self.nick = ""
        self.caps = NONE
        self._state = State.OPENED
        self._password: str | None = None
        self._dialect = dialect
        self._lines = LineBuffer(max_line)
        self._held: list[bytes | None] | None = None
        self._out: list[bytes] | None = None

    @property
    def state(self) -> State:
        """How far the connection has come."""
        return self._state

    @property
    def registered(self) -> bool:
        """Whether the login is done."""
        return self._state is _REGISTERED

    @property
    def anonymous(self) -> bool:
        """Whether the client reads without an account (LOGIN-4)."""
        return is_anonymous(self.nick)

    @property
    def closing(self) -> bool:
        """Whether the peer must be closed once `data_to_send` has been written."""
        return self._state is _CLOSING

    def receive_data(self, data: bytes) -> list[Event]:
        """Take what the client sent, in pieces of any size; never raises.

        The caller must act on the events in their order, then write what `data_to_send` gives, then
        close the connection if `closing`.
        """
        if self._state is _CLOSING:
            return []
        return self._read(self._lines.feed(data))

    @property
    def quiet(self) -> bool:
        """Whether there is nothing to write, and nothing to close."""
        return self._out is None and self._state is not _CLOSING

    def data_to_send(self) -> list[bytes]:
        """Hand over what is to be written; each element is one WebSocket frame (WS-2)."""
        out, self._out = self._out, None
        return out or []

    def send(self, data: bytes) -> None:
        """Queue lines that are ready (see `render`) as one element; nothing is queued for b""."""
        if data:
            if self._out is None:
                self._out = []
            self._out.append(data)

    def login_accepted(self, account: Account) -> None:
        """Welcome the client (LOGIN-2, LOGIN-3); nothing happens if the connection is closing meanwhile.

        The caller must write what `data_to_send` gives, so that nothing comes before it, then take `read_held`.

        Args:
            account: who it is; for an anonymous client one whose login is its nick.

        Raises:
            LocalProtocolError: no login is being checked.
        """
        if self.closing:
            return
        self._move(_Step.ACCEPTED)
        self.nick = account.login
        self.send(self._dialect.welcome(self.caps, account))

    def read_held(self) -> list[Event]:
        """Read what the client sent while its login was checked (LOGIN-7); to be acted on as after `receive_data`."""
        held, self._held = self._held, None
        return self._read(held) if held else []

    def login_failed(self, reason: LoginFailure) -> None:
        """Refuse the login with the exact text, alone in its element, and close (LOGIN-5)."""
        self.send(render.notice(NONE, "*", "", self._dialect.refusal(reason)))
        self.close()

    def close(self) -> None:
        """Read nothing more; the peer is closed when what is queued has been written."""
        self._move(_Step.ENDED)
        self._held = None

    # reading ------------------------------------------------------------------------------------

    def _move(self, step: _Step) -> None:
        state = _NEXT.get((self._state, step))
        if state is None:
            raise LocalProtocolError(f"{step.name} does not fit a connection that is {self._state.name}")
        self._state = state

    def _read(self, lines: list[bytes | None]) -> list[Event]:
        events: list[Event] = []
        for number, line in enumerate(lines):
            if self._state is _CLOSING:
                break
            if self._state is _CHECKING:
                self._hold(lines[number:], events)
                break
            if line is None:
                self._answer("417", "", "Input line was too long")
                events.append(Refused("a line that is too long"))
                continue
            if self._state is _REGISTERED and (message := plain_message(line)) and not is_anonymous(self.nick):
                events.append(message)
                continue
            parsed = parse(line)
            if parsed is not None:
                self._handle(parsed, events)
        return events

    def _hold(self, lines: list[bytes | None], events: list[Event]) -> None:
        if self._held is None:
            self._held = []
        self._held.extend(lines)
        if sum(len(line or b"") + 1 for line in self._held) > MAX_HELD:
            events.append(Refused("too much at once while the login is checked"))
            self.login_failed(LoginFailure.UNSUCCESSFUL)

    def _handle(self, line: Line, events: list[Event]) -> None:
        row = COMMANDS.get(line.command) or COMMANDS.get(line.command.upper())
        if row is not None and (row.early or self._state is _REGISTERED) and len(line.params) >= row.min_params:
            _HANDLERS[row.name](self, line, events)
            return
        word = line.command[:64]
        if row is None:
            self._answer("421", word, "Unknown command")
            events.append(Refused(f"unknown command {word!r}"))
        elif not row.early and not self.registered:
            self._answer("451", word, "You have not registered")
            events.append(Refused(f"{row.name} before the login"))
        else:
            self._answer("461", word, "Not enough parameters")
            events.append(Refused(f"{row.name} without its parameters"))

    def _answer(self, numeric: str, subject: str, text: str) -> None:
        self.send(render.numeric(numeric, self.nick or "*", subject, text))

    # handlers -----------------------------------------------------------------------------------

    def _on_capabilities(self, line: Line, events: list[Event]) -> None:
        verb = line.params[0].upper()
        if verb == "LS":
            self.send(render.cap("LS", " ".join(NAMES)))
        elif verb == "LIST":
            self.send(render.cap("LIST", names(self.caps)))
        elif verb == "REQ":
            self._on_capability_request(" ".join(line.params[1:]), events)
        elif verb != "END":
            self._answer("410", verb[:64] if verb.isalnum() else "*", "Invalid CAP command")
            events.append(Refused(f"unknown CAP command {verb[:64]!r}"))

    def _on_capability_request(self, request: str, events: list[Event]) -> None:
        caps = requested(self.caps, request)
        if caps is None:
            self.send(render.cap("NAK", request))
            events.append(Refused(f"unknown capability in {request[:200]!r}"))
            return
        self.send(render.cap("ACK", request))
        self._change(caps, events)

    def _on_old_client(self, line: Line, events: list[Event]) -> None:
        self._change(self._dialect.told_by_old_client(self.caps, line), events)

    def _change(self, caps: Caps, events: list[Event]) -> None:
        if caps != self.caps:
            self.caps = caps
            events.append(CapabilitiesChanged(caps))

    def _on_password(self, line: Line, events: list[Event]) -> None:
        if not self.registered:
            self._password = line.params[0] if line.params else None

    def _on_nick(self, line: Line, events: list[Event]) -> None:
        if self.registered:
            events.append(Refused("a second NICK"))
            self.close()
            return
        nick = line.params[0].lower() if line.params else ""
        password, self._password = self._password or "", None
        anonymous = is_anonymous(nick)
        token = password.removeprefix(_TOKEN_PREFIX)
        if not is_login(nick):
            events.append(Refused(f"not a legal nick: {nick[:80]!r}"))
            self.login_failed(LoginFailure.INVALID_NICK)
        elif not anonymous and (not token or token == password):
            events.append(Refused("PASS missing, late, or without oauth:"))
            self.login_failed(LoginFailure.IMPROPERLY_FORMATTED)
        else:
            self.nick = nick
            self._move(_Step.ASKED)
            events.append(LoginRequested(nick, None if anonymous else token, anonymous))

    def _on_ping(self, line: Line, events: list[Event]) -> None:
        self.send(render.pong(line.params[0] if line.params else ""))

    def _on_pong(self, line: Line, events: list[Event]) -> None:
        events.append(PongReceived())

    def _on_quit(self, line: Line, events: list[Event]) -> None:
        events.append(QuitRequested())
        self.close()

    def _on_join(self, line: Line, events: list[Event]) -> None:
        events.extend(read_join(line))

    def _on_part(self, line: Line, events: list[Event]) -> None:
        events.extend(read_part(line))

    def _on_message(self, line: Line, events: list[Event]) -> None:
        if self.anonymous:
            events.append(Refused("anonymous connections only read"))
        else:
            events.append(read_message(line))

    def _on_inquire(self, line: Line, events: list[Event]) -> None:
        events.extend(read_inquire(line))

    def _on_ignored(self, line: Line, events: list[Event]) -> None:
        """Accept silently (LOGIN-8, LOGIN-9)."""


_BY_HANDLER: dict[Handler, Callable[[ServerConnection, Line, list[Event]], None]] = {
    Handler.CAPABILITIES: ServerConnection._on_capabilities,
    Handler.PASSWORD: ServerConnection._on_password,
    Handler.NICK: ServerConnection._on_nick,
    Handler.PING: ServerConnection._on_ping,
    Handler.PONG: ServerConnection._on_pong,
    Handler.QUIT: ServerConnection._on_quit,
    Handler.JOIN: ServerConnection._on_join,
    Handler.PART: ServerConnection._on_part,
    Handler.MESSAGE: ServerConnection._on_message,
    Handler.INQUIRE: ServerConnection._on_inquire,
    Handler.OLD_CLIENT: ServerConnection._on_old_client,
    Handler.IGNORE: ServerConnection._on_ignored,
}

_HANDLERS = {row.name: _BY_HANDLER[row.handler] for row in COMMANDS.values()}
