"""One connection to a NATS cluster, made anew with back-off for as long as it takes.

A connection that was lost is never repaired: nothing that was on its way is sent later behind the back of
whoever waited for it. All answers come through one subscription and find their caller by the last token
of their subject.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from godwit.chatlog.jetstream_client import QuickClient, status
from godwit.ending import end
from godwit.errors import ChatLogUnavailable

log = structlog.get_logger()

CONNECT_TIMEOUT = 2
"""Seconds that one server is given to answer a new connection."""

FIRST_WAIT = 0.1
LAST_WAIT = 2.0
"""Seconds before the first and the late attempts to connect again."""

CLOSE_TIMEOUT = 1
"""Seconds that a connection is given to end in an orderly way."""

LATE = 0.05
"""Seconds by which a request may be given up late."""

PING_INTERVAL = 2
"""Seconds between pings; two without an answer end the connection."""


class NoAnswer(ChatLogUnavailable):
    """A request was sent and no answer came: what it asked for may have happened."""


class _Waiter:
    """A request that waits for its answers, the last of which has a status if there may be several."""

    __slots__ = ("future", "many", "parts", "subject", "until", "within")

    def __init__(self, subject: str, within: float, many: bool) -> None:
        loop = asyncio.get_running_loop()
        self.subject = subject
        self.within = within
        self.until = loop.time() + within
        self.future: asyncio.Future[list[Msg]] = loop.create_future()
        self.many = many
        self.parts: list[Msg] = []

    def give_up(self, why: str) -> None:
        if not self.future.done():
            self.future.set_exception(NoAnswer(why))


class _Watched:
    """A subject that is listened to over all connections."""

    __slots__ = ("deliver", "subscription")

    def __init__(self, deliver: Callable[[Msg], None]) -> None:
        self.deliver = deliver
        self.subscription: Subscription | None = None

    async def heard(self, message: Msg) -> None:
        self.deliver(message)


class Link:
    """The connection that is there at the moment, if any.

    Args:
        name: what the server's operators see.
        servers: URLs; one is picked at random, the others are tried in turn.
        connected: called on each new connection before anybody else may use it; may raise `ChatLogUnavailable`,
            then the connection is given up.
        lost: called when a connection has ended.
        slow: called when messages were dropped.
        credentials: a file with the user's credentials, or empty.
        backlog: messages of one subscription that may wait to be delivered; more are dropped.
    """

    def __init__(
        self,
        name: str,
        servers: Sequence[str],
        *,
        connected: Callable[[], Awaitable[None]],
        lost: Callable[[], None],
        slow: Callable[[], None],
        credentials: str = "",
        backlog: int = 65_536,
    ) -> None:
        self._name = name
        self._servers = list(servers)
        self._connected = connected
        self._lost = lost
        self._slow = slow
        self._credentials = credentials
        self._backlog = backlog
        self._client: Client | None = None
        self._ended = asyncio.Event()
        self._met: Exception | None = None
        self._inbox = ""
        self._number = 0
        self._waiting: dict[str, _Waiter] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._watched: dict[str, _Watched] = {}
        self._unsent: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._keeping: asyncio.Task[None] | None = None
        self.connections = 0
        """How many connections there have been."""

    async def open(self) -> None:
        """Connect for the first time.

        Raises:
            ChatLogUnavailable: no server answers.
        """
        try:
            await self._connect()
        except BaseException:
            await self._disconnect()
            raise
        self._keeping = asyncio.create_task(self._keep(), name=f"nats {self._name}")

    def begin(self) -> None:
        """Connect in the background, for as long as it takes."""
        self._keeping = asyncio.create_task(self._connect_and_keep(), name=f"nats {self._name}")

    async def close(self) -> None:
        """End it for good; whoever waits is told."""
        if self._keeping:
            await end(self._keeping)
            self._keeping = None
        await self._disconnect()
        await end(*self._tasks)
        if self._timer:
            self._timer.cancel()

    async def _connect_and_keep(self) -> None:
        await self._connect_again()
        await self._keep()

    async def _keep(self) -> None:
        """Connect again whenever the connection has ended."""
        while True:
            await self._ended.wait()
            await self._disconnect()
            log.warning("chatlog_lost", link=self._name)
            self._lost()
            await self._connect_again()

    async def _connect_again(self) -> None:
        wait = FIRST_WAIT
        while True:
            try:
                await self._connect()
                return
            except ChatLogUnavailable as error:
                log.warning("chatlog_unreachable", link=self._name, error=str(error), next_in=wait)
            except Exception:
                # Whatever a server or nats-py did this time, there must be a next time.
                await self._disconnect()
                log.exception("chatlog_unreachable", link=self._name)
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))
            wait = min(LAST_WAIT, wait * 2)

    async def _connect(self) -> None:
        refused: list[str] = []
        for server in random.sample(self._servers, len(self._servers)):
            client, ended = QuickClient(), asyncio.Event()

            async def closed(ended: asyncio.Event = ended) -> None:
                ended.set()

            try:
                async with asyncio.timeout(2 * CONNECT_TIMEOUT):
                    await client.connect(
                        [server],
                        name=self._name,
                        allow_reconnect=False,
                        max_reconnect_attempts=1,  # with 0 nats-py tries the first connection for ever
                        reconnect_time_wait=0,
                        connect_timeout=CONNECT_TIMEOUT,
                        ping_interval=PING_INTERVAL,
                        max_outstanding_pings=2,
                        error_cb=self._error,
                        closed_cb=closed,
                        user_credentials=self._credentials or None,
                    )
                self._client, self._ended = client, ended
                _heed()
                self.connections += 1
                await self._subscribe_anew(client)
                await self._connected()
                log.info("chatlog_connected", link=self._name, server=_shown(server))
                return
            except (OSError, TimeoutError, nats.errors.Error, ChatLogUnavailable) as error:
                why = self._met if isinstance(error, nats.errors.NoServersError) else error
                refused.append(f"{_shown(server)}: {str(why) or type(why).__name__}")
                self._client = client
                await self._disconnect()
                _heed()
            except asyncio.CancelledError:
                self._client = client  # for `close`
                raise
        raise ChatLogUnavailable(f"no NATS server of {self._name} answers: {'; '.join(refused) or 'none configured'}")

    async def _disconnect(self) -> None:
        client, self._client = self._client, None
        for waiter in self._waiting.values():
            waiter.give_up("the connection to NATS was lost")
        if client:
            # A task of its own, since a peer that hangs takes no farewell.
            closing = asyncio.create_task(_close(client), name=f"nats {self._name} closes")
            await end(closing, grace=CLOSE_TIMEOUT)

    async def _error(self, error: Exception) -> None:
        if isinstance(error, nats.errors.SlowConsumerError):
            self._slow()
        elif self._client:
            log.warning("chatlog_error", link=self._name, error=repr(error))
        else:
            self._met = error

    @property
    def up(self) -> bool:
        """Whether there is a connection."""
        return self._client is not None

    def drop(self) -> None:
        """Give this connection up, and make another one."""
        self._ended.set()

    # listening --------------------------------------------------------------------------------

    def watch(self, subject: str, deliver: Callable[[Msg], None]) -> None:
        """Listen to a subject; what is asked for from now on is sent after the subscription."""
        self._watched[subject] = _Watched(deliver)
        self._unsent.add(subject)
        if len(self._unsent) == 1:
            self._soon(self._send_watches())

    def unwatch(self, subject: str) -> None:
        """Stop listening."""
        watched = self._watched.pop(subject, None)
        self._unsent.discard(subject)
        if watched and watched.subscription:
            self._soon(_end(watched.subscription))

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @property
    def subscriptions(self) -> int:
        """How many subscriptions there are, the one for answers included."""
        return len(self._watched) + 1

    async def _subscribe_anew(self, client: QuickClient) -> None:
        self._inbox = client.new_inbox()
        client.answered = self._answered
        client.answers = (await client.subscribe(f"{self._inbox}.*"))._id
        self._unsent = set(self._watched)
        await self._send_watches()

    async def _send_watches(self) -> None:
        client = self._client
        while client and self._unsent:
            subject = self._unsent.pop()
            watched = self._watched[subject]
            try:
                subscription = await client.subscribe(subject, cb=watched.heard, pending_msgs_limit=self._backlog)
            except nats.errors.Error:
                return  # the connection is gone, and the next one subscribes to everything
            if self._watched.get(subject) is watched:
                watched.subscription = subscription
            else:
                await _end(subscription)

    # telling ----------------------------------------------------------------------------------

    def tell(self, subject: str, payload: bytes) -> None:
        """Publish without waiting, if there is a connection; nobody learns whether it arrived."""
        if self._client:
            self._soon(_publish(self._client, subject, payload))

    # asking -----------------------------------------------------------------------------------

    async def ask(
        self, subject: str, payload: bytes = b"", *, within: float, headers: dict[str, str] | None = None
    ) -> Msg:
        """Send a request and wait for its answer.

        Raises:
            NoAnswer: it was sent, and there was no answer in time.
            ChatLogUnavailable: it was not sent, or nobody serves the subject.
        """
        answer = (await self._ask(subject, payload, headers, within, many=False))[0]
        if answer.headers and answer.headers.get("Status") == "503":
            raise ChatLogUnavailable(f"nobody serves {subject}")
        return answer

    async def ask_many(self, subject: str, payload: bytes, *, within: float) -> list[Msg]:
        """Send a request and collect its answers; the last one has a status, and is part of the list.

        Raises:
            ChatLogUnavailable: no complete answer, or nobody serves the subject.
        """
        answers = await self._ask(subject, payload, None, within, many=True)
        if status(answers[-1]) in ("503", "408", "413"):
            raise ChatLogUnavailable(f"no answer of {subject}: {status(answers[-1])}")
        return answers

    async def _ask(
        self, subject: str, payload: bytes, headers: dict[str, str] | None, within: float, *, many: bool
    ) -> list[Msg]:
        client = self._client
        if client is None:
            raise ChatLogUnavailable("not connected to NATS")
        if self._unsent:
            await self._send_watches()
        self._number += 1
        token = str(self._number)
        waiter = self._waiting[token] = _Waiter(subject, within, many)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LATE, self._give_up_late)
        try:
            try:
                await client.publish(subject, payload, f"{self._inbox}.{token}", headers)
                _heed()
            except (OSError, nats.errors.Error) as error:
                if client.is_closed:
                    self._ended.set()  # nats-py tells so late if the peer hangs
                raise ChatLogUnavailable(f"not sent to NATS: {error}") from error
            return await waiter.future
        finally:
            del self._waiting[token]

    def _give_up_late(self) -> None:
        """Let go who has waited for too long; one timer for all, since hardly anybody does."""
        loop = asyncio.get_running_loop()
        for waiter in self._waiting.values():
            if waiter.until <= loop.time():
                waiter.give_up(f"no answer of {waiter.subject} in {waiter.within:g} s")
        self._timer = loop.call_later(LATE, self._give_up_late) if self._waiting else None

    def _answered(self, message: Msg) -> None:
        waiter = self._waiting.get(message.subject.rpartition(".")[2])
        if waiter is None or waiter.future.done():
            return
        waiter.parts.append(message)
        if not waiter.many or status(message):
            waiter.future.set_result(waiter.parts)


async def _publish(client: Client, subject: str, payload: bytes) -> None:
    with suppress(OSError, nats.errors.Error):
        await client.publish(subject, payload)


async def _close(client: Client) -> None:
    with suppress(OSError, TimeoutError, nats.errors.Error):
        await client.close()


def _heed() -> None:
    """End here if this task has been cancelled: nats-py may have caught that."""
    task = asyncio.current_task()
    if task and task.cancelling():
        raise asyncio.CancelledError


async def _end(subscription: Subscription) -> None:
    with suppress(nats.errors.Error):
        await subscription.unsubscribe()


def _shown(server: str) -> str:
    """A URL without what is secret in it."""
    parts = urlsplit(server)
    return f"{parts.scheme}://{parts.hostname}:{parts.port}" if parts.username else server
