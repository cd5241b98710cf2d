"""A crowd over TLS: what comes is deciphered here, and counted by any receiver."""

from __future__ import annotations

import os
import select
import ssl
from contextlib import suppress

from godwit.load.receiver import READ_AT_ONCE, Event, Kind, Receiver


def trusting(*, anyone: bool) -> ssl.SSLContext:
    """How servers are looked at: by the system's certificates, or not at all."""
    context = ssl.create_default_context()
    if anyone:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class _Link:
    """One connection's two sides: bytes of the wire, and what they mean.

    Attributes:
        is_over: the server has said that it ends.
    """

    def __init__(self, number: int, fd: int, context: ssl.SSLContext, host: str) -> None:
        self.number, self.fd = number, fd
        self._come, self._go = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._come, self._go, server_hostname=host)
        self._early: list[bytes] = []
        self._is_up = self.is_over = False

    def shake_hands(self) -> bytes:
        """Go on with the handshake; returns what is to be sent for it."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return self._go.read()
        self._is_up = True
        early, self._early = b"".join(self._early), []
        return self._go.read() + self.seal(early)

    def seal(self, data: bytes) -> bytes:
        """Encipher; before the end of the handshake it is kept, and sent with that."""
        if not self._is_up:
            self._early.append(data)
            return b""
        if data:
            self._tls.write(data)
        return self._go.read()

    def open(self, data: bytes) -> tuple[bytes, bytes]:
        """Take what came; returns what it says, and what is to be sent for it.

        Raises:
            ssl.SSLError: it is not as TLS has it, or the certificate is not trusted.
        """
        self._come.write(data)
        answer = b"" if self._is_up else self.shake_hands()
        said = []
        with suppress(ssl.SSLWantReadError):
            while self._is_up and not self.is_over:
                try:
                    part = self._tls.read(READ_AT_ONCE)
                except ssl.SSLZeroReturnError:
                    part = b""
                self.is_over = not part
                said.append(part)
        return b"".join(said), answer + self._go.read()


class TlsReceiver:
    """Receives over TLS on all connections; another receiver keeps the account.

    Args:
        inner: the other one.
        host: whose certificate servers must show.
    """

    def __init__(self, inner: Receiver, context: ssl.SSLContext, host: str) -> None:
        self._inner, self._context, self._host = inner, context, host
        self._epoll = select.epoll()
        self._links: dict[int, _Link] = {}
        self._by_fd: dict[int, _Link] = {}
        self.room, self.sender, self.expect, self.count = inner.room, inner.sender, inner.expect, inner.count
        self.said, self.measure = inner.said, inner.measure
        self.histogram, self.account, self.feed = inner.histogram, inner.account, inner.feed

    @property
    def deliveries(self) -> int:
        """Lines that came so far."""
        return self._inner.deliveries

    def add(self, fd: int, room: int, sender: int, http: bool, /) -> int:
        """Receive on a socket; `begin` says what is to be sent first."""
        number = self._inner.add(-1, room, sender, http)
        self._links[number] = self._by_fd[fd] = _Link(number, fd, self._context, self._host)
        self._epoll.register(fd, select.EPOLLIN)
        return number

    def begin(self, connection: int) -> bytes:
        """What begins the handshake."""
        return self._links[connection].shake_hands()

    def seal(self, connection: int, data: bytes) -> bytes:
        """What goes over the wire for something that is said; nothing as long as the handshake lasts."""
        link = self._links.get(connection)
        return link.seal(data) if link is not None else b""

    def poll(self, seconds: float, /) -> tuple[list[int], list[Event]]:
        """Wait for what comes, and take it; what is to be sent for it are events, too."""
        events: list[Event] = []
        for fd, _ in self._epoll.poll(seconds):
            link = self._by_fd[fd]
            try:
                data = os.read(fd, READ_AT_ONCE)
                if not data:
                    raise OSError(0, "the server hung up")
                said, answer = link.open(data)
            except BlockingIOError:
                continue
            except ssl.SSLCertVerificationError as error:
                self._end(link, f"its certificate is not trusted: {error.verify_message}", events)
                continue
            except OSError as error:
                self._end(link, error.strerror or str(error), events)
                continue
            if answer:
                events.append((Kind.WIRE, link.number, answer))
            if said:
                self._inner.feed(link.number, said)
            if link.is_over:
                self._end(link, "the server hung up", events)
        seen, heard = self._inner.poll(0.0)
        for kind, number, _ in heard:
            if kind == Kind.CLOSED and number in self._links:
                self._end(self._links[number])
        return seen, [*events, *heard]

    def _end(self, link: _Link, reason: str = "", events: list[Event] | None = None) -> None:
        self._epoll.unregister(link.fd)
        del self._by_fd[link.fd], self._links[link.number]
        if events is not None:
            events.append((Kind.CLOSED, link.number, reason.encode()))
