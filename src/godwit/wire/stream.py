"""Streams: the sockets of those who come in, without TLS, all of a listener watched together.

The event loop's own transports take 1.3 KB of memory each, and whatever ends in one moment they hand on in one turn of
the loop. A stream takes a tenth of that, and thousands that hang up at once are seen off a few in each turn, so that
what their owners have to do then keeps nobody else waiting.

What is ready is asked of an epoll of our own, which the loop watches like any file: so there are streams on every event
loop, but only where the system has epoll.
"""

from __future__ import annotations

import asyncio
import select
from collections import deque
from socket import SocketType
from typing import Any

from godwit.wire.connection import HEARD_AT_ONCE

AVAILABLE = hasattr(select, "epoll")
"""Whether there can be streams on this system."""

SEEN_OFF = 64
"""Streams that end in one turn of the loop: with all that is to be done then about 2 ms, for which others wait."""

GREETED = 32
"""Streams whose first words are heard in one turn: with login and JOIN about 3 ms of work. Who is in comes first."""

_LOOKED_AT = 1024  # streams that are heard in one turn of the loop

if AVAILABLE:
    _WORDS = select.EPOLLIN
    _COMING = select.EPOLLIN | select.EPOLLRDHUP
    _GOING = select.EPOLLOUT
    _FIRST = _COMING | select.EPOLLONESHOT
    _ENDED = select.EPOLLHUP | select.EPOLLERR | select.EPOLLRDHUP
    _OTHER = _GOING | _ENDED  # than words

_NOBODY = asyncio.Protocol()


class Watch:
    """Watches the streams of a listener."""

    __slots__ = ("_ending", "_epoll", "_loop", "_newcomers", "_streams")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._epoll = select.epoll()
        self._streams: dict[int, Stream] = {}
        self._ending: deque[Stream] = deque()
        self._newcomers: deque[Stream] = deque()
        loop.add_reader(self._epoll.fileno(), self._look)

    def admit(self, accepted: SocketType, protocol: asyncio.Protocol) -> None:
        """Make a stream of a socket that does not block.

        Raises:
            OSError: the system can watch no more of them.
        """
        number = accepted.fileno()
        self._epoll.register(number, _FIRST)
        stream = self._streams[number] = Stream(self, accepted, protocol)
        try:
            protocol.connection_made(stream)
        except Exception as error:
            self.failed(error)
            stream.abort()

    def close(self) -> None:
        """Watch nothing any more; all streams have ended."""
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    # What streams use.

    def wait(self, number: int, events: int) -> None:
        """Wait for other events of a socket."""
        self._epoll.modify(number, events)

    def again(self, number: int, events: int) -> None:
        """Wait for events of a socket once more that was to end."""
        self._epoll.register(number, events)

    def ends(self, number: int, stream: Stream) -> None:
        """Have a stream end in its turn; nothing of it is waited for any more."""
        self._epoll.unregister(number)
        if not self._ending:
            self._loop.call_soon(self._see_off)
        self._ending.append(stream)

    def gone(self, number: int) -> None:
        """Forget a stream."""
        del self._streams[number]

    def failed(self, error: Exception) -> None:
        """Tell of a fault of a stream's owner, from which the others go on."""
        self._loop.call_exception_handler({"message": "a stream's owner has failed", "exception": error})

    # Inside.

    def _look(self) -> None:
        streams, newcomers = self._streams, self._newcomers
        greeting = bool(newcomers)
        for number, events in self._epoll.poll(0, _LOOKED_AT):
            stream = streams[number]
            if stream.new and not events & _OTHER:
                newcomers.append(stream)
            elif events == _WORDS and not stream.closing:
                stream.hear()  # as nearly always, and asked for with every line
            else:
                stream.ready(events)
        if newcomers and not greeting:
            self._greet()

    def _greet(self) -> None:
        newcomers = self._newcomers
        for _ in range(min(GREETED, len(newcomers))):
            newcomers.popleft().greet()
        if newcomers:
            self._loop.call_soon(self._greet)

    def _see_off(self) -> None:
        ending = self._ending
        for _ in range(min(SEEN_OFF, len(ending))):
            if not ending[0].end():
                ending.append(ending[0])
            ending.popleft()  # not before: what comes meanwhile finds that others are under way
        if ending:
            self._loop.call_soon(self._see_off)


class Stream(asyncio.Transport):
    """A transport over a socket without TLS.

    It reads `HEARD_AT_ONCE` bytes in one turn of the loop and leaves the rest to the system, and says each time whether
    bytes were left that the socket did not take. It ends from the loop, never from within a call of its owner's.

    Attributes:
        closing: it reads no more.
        new: nothing has been heard of it yet.
    """

    __slots__ = ("_ending", "_error", "_protocol", "_socket", "_unsent", "_watch", "closing", "new")

    def __init__(self, watch: Watch, accepted: SocketType, protocol: asyncio.Protocol) -> None:
        self._watch = watch
        self._socket = accepted
        self._protocol = protocol
        self._unsent: bytearray | None = None
        self.closing = False
        self._ending = False  # in the watch's queue
        self._error: OSError | None = None
        self.new = True

    # What the owner uses.

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """The `socket`, or its `peername`; there is nothing else."""
        if name == "socket":
            return self._socket
        if name == "peername":
            try:
                return self._socket.getpeername()
            except OSError:
                return default  # it has gone
        return default

    def get_write_buffer_size(self) -> int:
        """Bytes that the socket has not taken yet."""
        return len(self._unsent) if self._unsent else 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """It says each time that something is left, which is a limit of 0."""

    def is_closing(self) -> bool:
        """Whether it reads no more."""
        return self.closing

    def write(self, data: Any) -> None:
        """Send bytes, or as many of them as the socket takes; the rest follows as it takes more."""
        if self.closing:
            return
        if self._unsent is not None:
            self._unsent += data
            return
        sent = self._send(data)
        if sent < len(data) and not self.closing:
            self._unsent = bytearray(data[sent:])
            if not self._ending:
                self._watch.wait(self._socket.fileno(), _COMING | _GOING)
            self._protocol.pause_writing()

    def close(self) -> None:
        """Read no more, and end when all is sent."""
        if self.closing:
            return
        self.closing = True
        if self._unsent is None:
            self._end_soon()
        elif not self._ending:
            self._watch.wait(self._socket.fileno(), _GOING)

    def abort(self) -> None:
        """End, and send nothing more."""
        self.closing = True
        self._unsent = None
        self._end_soon()

    # What the watch calls.

    def ready(self, events: int) -> None:
        """Go on, now that the socket has something to hear, takes something, or has ended."""
        if events & _ENDED:
            self._end_soon()  # which hears first what is still to be heard
            return
        if events & _GOING:
            self._send_rest()
        if events & _COMING and not self.closing:
            self.hear()

    def hear(self) -> None:
        """Hear some of what has come."""
        try:
            data = self._socket.recv(HEARD_AT_ONCE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._break(error)
            return
        try:
            if data:
                self._protocol.data_received(data)
            else:
                self._protocol.eof_received()
                self.close()
        except Exception as error:
            self._watch.failed(error)
            self.abort()

    def greet(self) -> None:
        """Hear its first words, and wait for more."""
        if self.new and not self.closing:
            self.new = False
            self._watch.wait(self._socket.fileno(), _COMING if self._unsent is None else _COMING | _GOING)
            self.hear()

    def end(self) -> bool:
        """Do some of what is to be done at the end; says whether that was all, or something must be waited for."""
        if not self.closing:
            self.hear()
            if not self.closing:
                return False  # there may be more to hear
        if self._unsent is not None:
            self._send_rest()
        if self._unsent is not None:
            self._ending = False
            self._watch.again(self._socket.fileno(), _GOING)
            return True
        self._watch.gone(self._socket.fileno())
        protocol, self._protocol = self._protocol, _NOBODY  # each would keep the other until garbage is looked for
        try:
            protocol.connection_lost(self._error)
        except Exception as error:
            self._watch.failed(error)
        finally:
            self._socket.close()
        return True

    # Inside.

    def _send(self, data: bytes | bytearray) -> int:
        try:
            return self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            self._break(error)
            return 0

    def _send_rest(self) -> None:
        if self._unsent is None:
            return
        sent = self._send(self._unsent)
        if self._unsent is None:
            return  # it broke
        del self._unsent[:sent]
        if self._unsent:
            return
        self._unsent = None
        if self.closing:
            self._end_soon()
        elif not self._ending:
            self._watch.wait(self._socket.fileno(), _COMING)
        self._protocol.resume_writing()

    def _break(self, error: OSError) -> None:
        self._error = error.with_traceback(None)  # which would keep all this until garbage is looked for
        self.abort()

    def _end_soon(self) -> None:
        if not self._ending:
            self._ending = True
            self._watch.ends(self._socket.fileno(), self)
