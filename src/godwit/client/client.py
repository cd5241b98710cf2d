"""A chat client that follows channels from cluster to cluster without missing or repeating a line.

One task owns the client's state, a `core.Core`; everything else (calls of the user, the network, the
clock, the directory) sends it messages, and that task alone acts on them. So there are no locks, and
what happens depends only on the order of the messages.
"""

from __future__ import annotations

import asyncio
import re
import ssl as tls
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from random import Random, SystemRandom
from typing import Self

from godwit.client import actions
from godwit.client.core import Core
from godwit.client.directory import Directory, HttpDirectory
from godwit.client.events import Event, Sent
from godwit.client.inbox import Inbox
from godwit.client.options import Options, Transport
from godwit.client.statistics import Statistics
from godwit.clock import Clock
from godwit.errors import ClientClosed, DirectoryUnavailable, GodwitError, UnknownChannel
from godwit.tmi.login import is_anonymous
from godwit.values import Addresses, is_channel, is_login
from godwit.wire.connection import Connection, Limits, State
from godwit.wire.dial import connect_tcp, connect_ws

_LIMITS = Limits(max_frame=4 * 1024 * 1024)
"""A server's frame may hold the names of everybody in a large room."""

_TOKEN = re.compile(r"[!-~]+")


class _LoopClock:
    """The event loop's clock: it never jumps."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()


class _Ear:
    """Hears one connection and passes on what comes, as messages to the owner of the client."""

    __slots__ = ("_client", "_link")

    def __init__(self, client: Client, link: int) -> None:
        self._client = client
        self._link = link

    def data_received(self, connection: Connection, data: bytes) -> None:
        self._client._post(partial(self._client._core.received, self._link, data))

    def closed(self, connection: Connection, reason: str) -> None:
        self._client._post(partial(self._client._closed, self._link, reason))


class Client:
    """A chat client that follows moves; an asynchronous context manager and iterator of events.

    Connections are opened when a channel needs them, one per cluster. An event that finds the queue
    full is counted, and the user finds a `Gap` in its place.

    Example::

        async with Client("mybot", "oauth:secret", servers="127.0.0.1:6667") as client:
            await client.join("room")
            async for event in client:
                if isinstance(event, Message) and event.text == "!ping":
                    await client.say(event.channel, "pong", reply_to=event.id)
    """

    def __init__(
        self,
        nick: str | None = None,
        token: str = "",
        *,
        servers: str | Mapping[str, Addresses] | None = None,
        directory: str | Directory | None = None,
        transport: Transport = "tcp",
        ssl: tls.SSLContext | None = None,
        options: Options | None = None,
        clock: Clock | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        random: Random | None = None,
    ) -> None:
        """Make a client; it connects when a channel is joined.

        Args:
            nick: the login; None reads anonymously and cannot speak.
            token: the account's token, with or without `oauth:`.
            servers: one address (`host:port`, or a `ws://` one) or the addresses of clusters by name,
                the one to begin with first.
            directory: base address of a directory, or a directory; asked where channels are.
            transport: how to connect.
            ssl: for `tls` and `wss`; by default the machine's certificates are trusted.
            options: limits and waits.
            clock, sleep, random: where time and chance come from.

        Raises:
            ValueError: neither `servers` nor `directory` is given, or the nick or token cannot be one.
        """
        random = random or SystemRandom()
        nick = (nick or f"justinfan{random.randrange(10_000, 100_000)}").lower()
        token = token.removeprefix("oauth:")
        if not is_login(nick):
            raise ValueError(f"not a nick: {nick!r}; a nick has 1 to 25 letters, digits and underscores")
        if not is_anonymous(nick) and not _TOKEN.fullmatch(token):
            raise ValueError("a token is one word; without a nick none is needed")
        self._options = options or Options()
        self._clock = clock or _LoopClock()
        self._sleep = sleep
        self._transport = transport
        self._ssl = ssl
        self._directory = HttpDirectory(directory) if isinstance(directory, str) else directory
        if isinstance(servers, str):
            servers = {servers: Addresses(**{transport: (servers,)})}
        if not servers and self._directory is None:
            raise ValueError("a client needs the address of a server or of a directory")
        self._core = Core(
            nick,
            None if is_anonymous(nick) else token,
            servers=servers or {},
            directory=self._directory is not None,
            transport=transport,
            options=self._options,
            clock=self._clock,
            random=random,
        )
        self._inbox = Inbox(self._options.queue)
        self._mail: deque[Callable[[], None]] = deque()
        self._has_mail = asyncio.Event()
        self._futures: dict[int, asyncio.Future[Sent | None]] = {}
        self._last_ticket = 0
        self._calls: dict[int, asyncio.Task[None]] = {}
        self._connections: dict[int, Connection] = {}
        self._alarm: tuple[float, asyncio.Task[None]] | None = None
        self._task: asyncio.Task[None] | None = None

    # What the user calls.

    async def __aenter__(self) -> Self:
        """Start the client."""
        if self._task is not None:
            raise ClientClosed("a client can be opened once; make another one")
        self._task = asyncio.create_task(self._own(), name="godwit-client")
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Close the client; see `close`."""
        await self.close()

    async def close(self) -> None:
        """Leave and wait until every connection is gone; calls under way raise `ClientClosed`."""
        if self._task is not None:
            self._post(self._core.close)
            await self._task

    async def join(self, channel: str) -> None:
        """Be in a channel, from now on until `part`, wherever it moves.

        Returns once the server has let us in. A channel that has been joined already is no error.

        Raises:
            UnknownChannel: it cannot be a channel's name.
            JoinFailed: the server does not let us in, or there is no such channel.
            LoginRefused: the server refuses the account.
            ClientClosed: the client has been closed.
        """
        await self._ask(partial(self._core.join, channel=_channel(channel)))

    async def part(self, channel: str) -> None:
        """Leave a channel; its events that wait to be read can still be read."""
        await self._ask(partial(self._core.part, channel=_channel(channel)))

    async def say(self, channel: str, text: str, reply_to: str | None = None, *, action: bool = False) -> Sent:
        """Say something and wait until the server acknowledges it.

        One's own messages are not among the events. What one client says in a channel is shown in the
        order of the calls, also across a move.

        Args:
            text: at most 500 characters; what is longer is cut. It is never taken for a command.
            reply_to: id of the message that is answered.
            action: say it with `/me`.

        Raises:
            SayRefused: the server refused it, or the client is not in the channel.
            SayUnknown: it was sent, and the connection was lost or the server kept silent: it may
                have been said.
            LoginRefused, ClientClosed, UnknownChannel: as with `join`.
        """
        call = partial(self._core.say, channel=_channel(channel), text=text, reply_to=reply_to or "", action=action)
        sent = await self._ask(call)
        assert sent is not None
        return sent

    def __aiter__(self) -> Self:
        """Go through the events as they come; ends when the client is closed."""
        return self

    async def __anext__(self) -> Event:
        """The next event.

        Raises:
            LoginRefused: the server refused the account; nothing more will come.
        """
        event = await self._inbox.get()
        if event is None:
            raise StopAsyncIteration
        return event

    def statistics(self) -> Statistics:
        """What the client is doing."""
        return self._core.statistics(queued=len(self._inbox), dropped=self._inbox.dropped)

    # The owner.

    async def _own(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                while not self._core.over or self._connections:
                    await self._has_mail.wait()
                    self._has_mail.clear()
                    while self._mail:
                        self._mail.popleft()()
                    for action in self._core.actions():
                        self._perform(action, group)
                    self._set_alarm(group)
                for task in self._calls.values():
                    task.cancel()
        except BaseException:
            for connection in self._connections.values():
                connection.abort("client failed")
            self._end(ClientClosed("the client has failed: leaving its context says why"))
            raise
        # Whoever called while the last connections were being closed.
        self._end(self._core.error)

    def _post(self, note: Callable[[], None]) -> None:
        self._mail.append(note)
        self._has_mail.set()

    async def _ask(self, call: Callable[[int], None]) -> Sent | None:
        if self._task is None or self._task.done():
            raise self._core.error or ClientClosed("the client is not open: use `async with Client(...)`")
        self._last_ticket += 1
        ticket = self._last_ticket
        future: asyncio.Future[Sent | None] = asyncio.get_running_loop().create_future()
        self._futures[ticket] = future
        self._post(partial(call, ticket))
        try:
            return await future
        except asyncio.CancelledError:
            self._post(partial(self._core.withdraw, ticket))
            raise
        finally:
            self._futures.pop(ticket, None)

    def _perform(self, action: actions.Action, group: asyncio.TaskGroup) -> None:
        match action:
            case actions.Write(link, pieces):
                if connection := self._connections.get(link):
                    connection.write_frames(pieces)
            case actions.Tell(event):
                self._inbox.put(event)
            case actions.Done(ticket, result):
                if (future := self._futures.get(ticket)) and not future.done():
                    future.set_result(result)
            case actions.Failed(ticket, error):
                if (future := self._futures.get(ticket)) and not future.done():
                    future.set_exception(error)
            case actions.Open(link, address):
                self._calls[link] = group.create_task(self._open(link, address), name=f"godwit-client-{link}")
            case actions.Close(link, reason):
                if task := self._calls.pop(link, None):
                    task.cancel()
                if connection := self._connections.get(link):
                    connection.close(reason)
            case actions.LookUp(channels):
                self._calls[0] = group.create_task(self._look_up(channels), name="godwit-client-look-up")
            case actions.End(error):
                self._end(error)

    def _end(self, error: Exception | None) -> None:
        self._inbox.close(error)
        for future in self._futures.values():
            if not future.done():
                future.set_exception(error or ClientClosed("the client has been closed"))

    def _set_alarm(self, group: asyncio.TaskGroup) -> None:
        due = self._core.deadline()
        if self._alarm is not None and (due is None or due < self._alarm[0]):
            self._alarm[1].cancel()
            self._alarm = None
        if due is not None and self._alarm is None:
            self._alarm = (due, group.create_task(self._wake(due), name="godwit-client-alarm"))

    # The messengers: each does one thing that takes time, and tells the owner.

    async def _wake(self, due: float) -> None:
        await self._sleep(max(0.0, due - self._clock.now()))
        self._post(partial(self._rung, due))

    def _rung(self, due: float) -> None:
        if self._alarm is not None and self._alarm[0] == due:
            self._alarm = None
        self._core.tick()

    async def _open(self, link: int, address: str) -> None:
        ear = _Ear(self, link)
        timeout = self._options.connect_timeout
        try:
            if self._transport in ("ws", "wss"):
                url = address if "://" in address else f"{self._transport}://{address}/"
                connection = await connect_ws(url, ear, ssl=self._ssl, timeout=timeout, limits=_LIMITS)
            else:
                host, _, port = address.rpartition(":")
                context = (self._ssl or tls.create_default_context()) if self._transport == "tls" else None
                connection = await connect_tcp(host, int(port), ear, ssl=context, timeout=timeout, limits=_LIMITS)
        except (OSError, OverflowError, ValueError, GodwitError) as error:
            self._post(partial(self._core.closed, link, f"{address}: {error or type(error).__name__}"))
        else:
            if connection.state < State.CLOSED:
                self._connections[link] = connection
                self._post(partial(self._core.opened, link))
        finally:
            self._calls.pop(link, None)

    def _closed(self, link: int, reason: str) -> None:
        self._connections.pop(link, None)
        self._core.closed(link, reason)

    async def _look_up(self, channels: tuple[str, ...]) -> None:
        assert self._directory is not None
        try:
            found = await self._directory.look_up(channels)
        except DirectoryUnavailable as error:
            self._post(partial(self._core.look_up_failed, channels, str(error)))
        else:
            self._post(partial(self._core.looked_up, channels, found))
        finally:
            self._calls.pop(0, None)


def _channel(name: str) -> str:
    channel = name.strip().removeprefix("#").lower()
    if not is_channel(channel):
        raise UnknownChannel(f"not a channel's name: {name!r}; a channel is a login such as #ronni")
    return channel
