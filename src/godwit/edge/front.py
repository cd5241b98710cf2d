"""Where a cluster's clients come in: its listeners, which hand connections to its edges in turn."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

from godwit.edge.node import EdgeNode
from godwit.edge.session import Session
from godwit.settings import EdgeSettings
from godwit.wire.connection import Connection, Limits
from godwit.wire.listener import Listener, listen_tcp, listen_ws


class Front:
    """The listeners of one cluster.

    Attributes:
        tcp: the TCP listener, None if there is none.
        ws: the WebSocket listener, None if there is none.

    Args:
        nodes: the cluster's edges in this process; at least one.
    """

    def __init__(self, nodes: Sequence[EdgeNode], settings: EdgeSettings) -> None:
        self.tcp: Listener | None = None
        self.ws: Listener | None = None
        self._settings = settings
        self._turn = cycle(nodes)

    async def listen(self, *, tcp_port: int, ws_port: int) -> None:
        """Open the listeners that the settings ask for; who does not read is closed by their limit (LIMIT-1).

        Args:
            tcp_port, ws_port: 0 takes a free one.

        Raises:
            OSError: an address cannot be had; what was opened is closed again.
        """
        limits = Limits(send_buffer=self._settings.send_buffer, max_frame=max(65_536, self._settings.max_line))
        try:
            if self._settings.tcp:
                self.tcp = await listen_tcp(self._settings.host, tcp_port, self._accept, limits=limits)
            if self._settings.ws:
                self.ws = await listen_ws(self._settings.host, ws_port, self._accept, limits=limits)
        except OSError:
            self.close()
            raise

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
