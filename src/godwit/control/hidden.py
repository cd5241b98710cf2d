"""Hidden rooms, and connections of ours that see the network from outside.

A hidden room is an ordinary channel whose name begins with `godwit__`: it is real for edges and logs, and left
out of plans. What happens in it is measured over real sockets, on the addresses that everybody uses.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from hashlib import sha256
from ssl import create_default_context

from godwit.errors import JoinFailed, LoginRefused
from godwit.store.rollout_base import HIDDEN
from godwit.tmi.capabilities import Caps
from godwit.tmi.client import ClientConnection
from godwit.tmi.client_events import ClientEvent, LoginFailed, Reconnect, RoomState, ServerChanged, Welcomed
from godwit.values import Addresses, Position, is_login
from godwit.wire.connection import Connection, Owner
from godwit.wire.dial import connect_tcp, connect_ws

CAPS = Caps.TAGS | Caps.COMMANDS | Caps.POSITION

ENTER = 15.0
"""Seconds in which a connection must be made, logged in and joined."""

Place = Callable[[str, str], Awaitable[None]]
"""Sees to it that a channel is on a cluster; returns once that is committed. Raises a `GodwitError` if it cannot."""

Credentials = Callable[[str], Awaitable[str | None]]
"""A token (without `oauth:`) for a login; None if nobody may log in by it."""


def hidden_room(purpose: str, name: str) -> str:
    """The hidden room of that purpose and name: 25 characters at most, the name hashed if it does not fit."""
    prefix = f"{HIDDEN}{purpose}_"
    room = prefix + name
    return room if is_login(room) else prefix + sha256(name.encode()).hexdigest()[: 25 - len(prefix)]


def anonymous() -> str:
    """A nick that needs no account (LOGIN-4)."""
    return f"justinfan{secrets.randbelow(10**9):09d}"


async def dial(addresses: Addresses, owner: Owner) -> Connection:
    """Call a cluster at the first of its addresses that fits: TCP before WebSocket, plain before TLS.

    Raises:
        OSError: nobody is there, or it has no address.
    """
    for listed, scheme in ((addresses.tcp, ""), (addresses.tls, "tls"), (addresses.ws, "ws"), (addresses.wss, "wss")):
        if not listed:
            continue
        if scheme in ("ws", "wss"):
            return await connect_ws(f"{scheme}://{listed[0]}/", owner)
        host, _, port = listed[0].rpartition(":")
        return await connect_tcp(host, int(port), owner, ssl=create_default_context() if scheme else None)
    raise OSError("the cluster has no address")


class Chatter:
    """One connection that chats.

    Args:
        hear: called with everything that comes, once the login is under way.
    """

    def __init__(self, hear: Callable[[ClientEvent], None] = lambda event: None) -> None:
        self._hear = hear
        self._protocol = ClientConnection()
        self._connection: Connection | None = None
        self._answer: asyncio.Future[RoomState | None] | None = None
        self._room = ""
        self.gone = False
        """The connection has ended."""
        self.moved = False
        """The room has left the cluster since it was joined, or everybody is sent away (RC-1)."""

    async def enter(
        self, addresses: Addresses, nick: str, token: str | None, room: str = "", after: Position | None = None
    ) -> RoomState | None:
        """Connect, log in, and join a room if one is given, behind a position if one is given.

        Returns:
            The answer to the JOIN; None without a room.

        Raises:
            LoginRefused: with the server's words.
            JoinFailed: the cluster that answers is not the room's home.
            OSError: no connection, or no answer in time (`TimeoutError`).
        """
        self._room = room
        self._answer = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(ENTER):
                self._connection = await dial(addresses, self)
                self._protocol.login(nick, token, CAPS)
                if room:
                    self._protocol.join([room], {room: after} if after else None)
                self._send(self._connection)
                state = await self._answer
            if state is not None and not state.home:
                raise JoinFailed(f"#{room} has its home elsewhere, not on {state.cluster}")
        except BaseException:
            self.close()
            raise
        return state

    def say(self, room: str, text: str, nonce: str) -> None:
        """Say something; the USERSTATE with the nonce acknowledges it (MSG-7)."""
        if self._connection is not None and not self.gone:
            self._protocol.say(room, text, nonce=nonce)
            self._send(self._connection)

    def close(self) -> None:
        """Close the connection; may be called at any time."""
        if self._connection is not None and not self.gone:
            self._connection.close("seen enough")

    # What the connection calls.

    def data_received(self, connection: Connection, data: bytes) -> None:
        """Read, and answer what wants an answer."""
        for event in self._protocol.receive_data(data):
            self._enter_by(event)
            if isinstance(event, Reconnect) or (isinstance(event, ServerChanged) and event.channel == self._room):
                self.moved = True
            self._hear(event)
        self._send(connection)

    def closed(self, connection: Connection, reason: str) -> None:
        """Learn that the connection is gone."""
        self.gone = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError(f"the connection was lost: {reason}"))

    # Inside.

    def _enter_by(self, event: ClientEvent) -> None:
        if self._answer is None or self._answer.done():
            return
        if isinstance(event, LoginFailed):
            self._answer.set_exception(LoginRefused(event.text))
        elif isinstance(event, Welcomed) and not self._room:
            self._answer.set_result(None)
        elif isinstance(event, RoomState) and event.joined and event.channel == self._room:
            self._answer.set_result(event)

    def _send(self, connection: Connection) -> None:
        for line in self._protocol.data_to_send():
            connection.write(line)
