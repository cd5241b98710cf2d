"""Server-sent events from the change feed (protocol row HTTP-changes)."""

from __future__ import annotations

import asyncio

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from godwit.errors import StoreUnavailable
from godwit.web.feed import PAGE, Batch, Feed

KEEP_ALIVE = 15.0
"""Seconds after which a comment says that the connection is alive."""

PATIENCE = 30.0
"""Seconds that a client may take to read what it was sent; then it is cut."""

RETRY = 3000
"""Milliseconds after which a client should come back."""

_log = structlog.get_logger()


def events(batch: Batch) -> bytes:
    """A batch as events: each with its number as id, so that a client that comes back says where it was."""
    if batch.reset:
        return b'id: %d\ndata: {"reset":true,"next":%d}\n\n' % (batch.next, batch.next)
    return b"".join(b"id: %d\ndata: %s\n\n" % (number, text) for number, text in batch.changes)


class EventStream(Response):
    """A response without end.

    What is sent waits until it was taken; meanwhile nothing is read from the feed, so a client that does not read
    costs one page, and is cut after a while.
    """

    media_type = "text/event-stream"

    def __init__(self, feed: Feed, since: int | None, keep_alive: float = KEEP_ALIVE, patience: float = PATIENCE):
        """Prepare it.

        Args:
            since: the last number that the client knows; None: it wants what comes from now on.
            keep_alive: seconds between signs of life.
            patience: seconds that the client may take to read.
        """
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._feed = feed
        self._since = since
        self._keep_alive = keep_alive
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until the client goes or the process stops."""
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        await send(start)
        sending = asyncio.create_task(self._send_all(send), name="change-stream")
        going = asyncio.create_task(_gone(receive), name="change-stream-client")
        try:
            await asyncio.wait({sending, going}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            going.cancel()
            sending.cancel()
            await asyncio.wait({sending, going})
        if not sending.cancelled() and (error := sending.exception()):
            raise error

    async def _send_all(self, send: Send) -> None:
        batch = Batch(self._since) if self._since is not None else await self._feed.now()
        text = b"retry: %d\nid: %d\n\n" % (RETRY, batch.next)
        while not self._feed.closed:
            try:
                async with asyncio.timeout(self._patience):
                    await send({"type": "http.response.body", "body": text, "more_body": True})
            except TimeoutError:
                _log.info("change_stream_cut", reason="the client does not read")
                return
            try:
                batch = await self._feed.wait(batch.next, PAGE, self._keep_alive)
            except StoreUnavailable:
                # The client comes back by itself, and says where it was.
                break
            text = events(batch) or b": alive\n\n"
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
