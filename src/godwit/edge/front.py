"""Where a cluster's clients come in: its listeners, which hand connections to edges in turn."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import cycle
from math import ceil

from godwit.edge.node import EdgeNode
from godwit.edge.session import Session
from godwit.settings import EdgeSettings
from godwit.wire.connection import Connection, Limits
from godwit.wire.listener import Listener, listen_tcp, listen_ws

STEP = 1.0
"""Seconds between two handfuls of RECONNECTs, at most."""


class Front:
    """The listeners of one cluster.

    Attributes:
        nodes: the cluster's own edges in this process.
        tcp: the TCP listener, None if there is none.
        ws: the WebSocket listener, None if there is none.

    Args:
        nodes: at least one.
    """

    def __init__(self, nodes: Sequence[EdgeNode], settings: EdgeSettings) -> None:
        self.nodes = nodes
        self.tcp: Listener | None = None
        self.ws: Listener | None = None
        self._settings = settings
        self._turn: Iterator[EdgeNode] = cycle(nodes)

    async def listen(self, *, tcp_port: int, ws_port: int) -> None:
        """Open the listeners that the settings ask for; who does not read is closed by their limit (LIMIT-1).

        Args:
            tcp_port, ws_port: 0 takes a free one.

        Raises:
            OSError: an address cannot be had; what was opened is closed again.
        """
        limits = Limits(send_buffer=self._settings.send_buffer, max_frame=max(65_536, self._settings.max_line))
        try:
            host, share = self._settings.host, self._settings.reuse_port
            if self._settings.tcp:
                self.tcp = await listen_tcp(host, tcp_port, self._accept, limits=limits, reuse_port=share)
            if self._settings.ws:
                self.ws = await listen_ws(host, ws_port, self._accept, limits=limits, reuse_port=share)
        except OSError:
            self.close()
            raise

    def hand_to(self, nodes: Sequence[EdgeNode]) -> None:
        """From now on, hand new connections to these edges; who is in stays where it is."""
        self._turn = cycle(nodes)

    async def send_away(self, spread: float, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> int:
        """Send every connection of the cluster's own edges a RECONNECT, and see them off (RC-2, RC-3).

        New connections must go elsewhere by then. Who is still logging in is sent away when that is done.

        Args:
            spread: seconds over which the RECONNECTs are spread.
            sleep: how pauses are made.

        Returns:
            How many were sent away; nobody is left.
        """
        sent, passed = set[str](), 0.0
        while waiting := [one for node in self.nodes for one in node.sessions if one.producer not in sent]:
            steps = max(1, ceil((spread - passed) / STEP))
            for session in [one for one in waiting if one.nick][: ceil(len(waiting) / steps)]:
                session.send_away()
                sent.add(session.producer)
            pause = min(STEP, max(spread - passed, 0.0)) or STEP
            await sleep(pause)
            passed += pause
        await asyncio.gather(*(node.wait_empty() for node in self.nodes))
        return len(sent)

    def close(self) -> None:
        """Accept nothing any more; who is in stays."""
        for listener in (self.tcp, self.ws):
            if listener is not None:
                listener.close()

    async def wait_empty(self) -> None:
        """Wait until every connection is gone."""
        for listener in (self.tcp, self.ws):
            if listener is not None:
                await listener.wait_empty()

    def _accept(self, connection: Connection) -> Session:
        return next(self._turn).accept(connection)
