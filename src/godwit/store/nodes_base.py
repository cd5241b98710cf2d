"""The processes of a network, as a port: who runs, where it is reached, and what time the store has.

`tests/conformance/nodes.py` is the suite that every implementation passes. As in `base`: times are passed in,
`StoreUnavailable` when there is no answer, and every write may be repeated.
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from godwit.errors import InvalidRequest
from godwit.values import Addresses

Role = Literal["edge", "directory", "controller", "serve"]
"""What a process does; `serve` does it all."""

FORGOTTEN = 86_400.0
"""Seconds after its end that a process is remembered for."""


class Node(msgspec.Struct, frozen=True):
    """A process.

    Attributes:
        name: two that run have different ones; one that is started again keeps its name.
        cluster: whose clients an edge serves; empty for other roles.
        session: drawn anew at each start of the process.
        url: where its internal HTTP is.
        addresses: where clients reach it.
        version: of Godwit.
        started: when the process started.
        until: it counts as running before that time; it says so again and again (`beat`).
    """

    name: str
    role: Role
    session: str
    started: float
    until: float
    cluster: str = ""
    url: str = ""
    addresses: Addresses = Addresses()
    version: str = ""


class NodeRegistry(Protocol):
    """What processes know of each other."""

    async def register(self, node: Node, now: float) -> Node:
        """Say that a process runs, in place of an earlier one with its name; returns it as stored.

        Who ended more than `FORGOTTEN` seconds ago is forgotten.

        Raises:
            InvalidRequest: another one with that name is running; the message says which.
        """
        ...

    async def beat(self, name: str, session: str, until: float) -> bool:
        """Say that it still runs; False if it is not registered any more, or another one has its name."""
        ...

    async def unregister(self, name: str, session: str) -> bool:
        """Say that it ends; False if it was not registered."""
        ...

    async def nodes(self, role: Role | None = None, *, now: float) -> list[Node]:
        """Those that run, by name."""
        ...

    async def clock(self) -> float:
        """The time that the store has, which is the same for all: a process can compare its own clock with it."""
        ...


def taken(node: Node, by: Node, now: float) -> InvalidRequest | None:
    """The refusal of a name that another process has, if that one runs."""
    if by.session == node.session or by.until <= now:
        return None
    return InvalidRequest(
        f"there is a process named {by.name} already: {by.role} at {by.url or 'an unknown address'}, for "
        f"{max(0.0, now - by.started):.0f} s; set another node.name, or end that one. If it has died already, its name "
        f"is free in {by.until - now:.0f} s"
    )
