"""Where a cluster's clients come in: its listeners, which hand connections to edges in turn."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import cycle
from math import ceil
from typing import NamedTuple

from godwit.edge.node import EdgeNode
from godwit.edge.session import Session
from godwit.settings import EdgeSettings
from godwit.wire.connection import Connection, Limits
from godwit.wire.listener import Listener, listen_tcp, listen_ws

STEP = 1.0
"""Seconds between two handfuls of RECONNECTs, at most."""


class Ports(NamedTuple):
    """The ports of one cluster, by transport; 0 takes a free one."""

    tcp: int = 0
    ws: int = 0
    tls: int = 0
    wss: int = 0


def fixed_ports(settings: EdgeSettings, place: int) -> Ports:
    """The ports that the settings give to the cluster at that place of the list."""
    return Ports(
        *(first + place for first in (settings.tcp_port, settings.ws_port, settings.tls_port, settings.wss_port))
    )


class Front:
    """The listeners of one cluster.

    Attributes:
        nodes: the cluster's own edges in this process.
        tcp: the TCP listener, None if there is none.
        tls: the same with TLS.
        ws: the WebSocket listener, None if there is none.
        wss: the same with TLS.

    Args:
        nodes: at least one.
    """

    def __init__(self, nodes: Sequence[EdgeNode], settings: EdgeSettings) -> None:
        self.nodes = nodes
        self.tcp: Listener | None = None
        self.tls: Listener | None = None
        self.ws: Listener | None = None
        self.wss: Listener | None = None
        self._settings = settings
        self._turn: Iterator[EdgeNode] = cycle(nodes)

    @property
    def listeners(self) -> list[Listener]:
        """Those that there are."""
        return [each for each in (self.tcp, self.tls, self.ws, self.wss) if each is not None]

    async def listen(self, ports: Ports, secure: ssl.SSLContext | None = None) -> None:
        """Open the listeners that the settings ask for; who does not read is closed by their limit (LIMIT-1).

        Args:
            secure: with which certificate to listen for TLS, on TCP and WebSocket (TLS-1); None: not at all.

        Raises:
            OSError: an address cannot be had; what was opened is closed again.
        """
        limits = Limits(send_buffer=self._settings.send_buffer, max_frame=max(65_536, self._settings.max_line))
        host, share, accept = self._settings.host, self._settings.reuse_port, self._accept
        try:
            if self._settings.tcp:
                self.tcp = await listen_tcp(host, ports.tcp, accept, limits=limits, reuse_port=share)
            if self._settings.ws:
                self.ws = await listen_ws(host, ports.ws, accept, limits=limits, reuse_port=share)
            if secure:
                self.tls = await listen_tcp(host, ports.tls, accept, ssl=secure, limits=limits, reuse_port=share)
                self.wss = await listen_ws(host, ports.wss, accept, ssl=secure, limits=limits, reuse_port=share)
        except OSError:
            self.close()
            raise

    def renew(self, secure: ssl.SSLContext) -> None:
        """Show another certificate to those who come in from now on (TLS-2); who is in stays."""
        for listener in (self.tls, self.wss):
            if listener is not None:
                listener.renew(secure)

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
        for listener in self.listeners:
            listener.close()

    async def wait_empty(self) -> None:
        """Wait until every connection is gone."""
        for listener in self.listeners:
            await listener.wait_empty()

    def _accept(self, connection: Connection) -> Session:
        return next(self._turn).accept(connection)
